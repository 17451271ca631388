"""What `ecoassist api add` makes of its options: the settings of one API, checked as the gate will read them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecoassist.errors import UsageFault

if TYPE_CHECKING:
    import ssl

    from ecoassist.config import Config
    from ecoassist.keys import Keys

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
LONGEST_CARD = 20_000
"""Characters."""
EVERYWHERE = "ecoassist"
"""Stands for a key where only the form of an API is checked."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options, as they were typed."""

    host: str = ""
    url: str = ""
    openapi: str = ""
    secrets: Sequence[str] = ()
    places: Sequence[str] = ()
    card: str = ""
    acts: Sequence[str] = ()
    terms: str = ""
    private: bool = False


def settings_of(name: str, given: Given, config: Config) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings of the API called `name`, and what the person should know about them.

    Raises UsageFault for what does not fit, EnvironmentFault where a document cannot be fetched.
    """
    secrets = [variable_name(text) for text in given.secrets]
    if given.openapi:
        settings, notes = _described(name, given, secrets, config)
    elif given.host or given.url:
        settings, notes = _written(given, secrets), ()
    else:
        settings, notes = _of_catalogue(name, given, secrets), ()
    settings |= {"card": _card(given.card)} if given.card else {}
    settings |= {"acts": list(given.acts)} if given.acts else {}
    settings |= {"terms": given.terms} if given.terms else {}
    settings |= {"private": True} if given.private else {}
    check(name, settings, config)
    return settings, (*notes, *_narrow(settings))


def _narrow(settings: dict[str, Any]) -> tuple[str, ...]:
    """What to know of a private API that not every client in the sandbox finds."""
    from ecoassist.egress.policy import door_of, is_address
    from ecoassist.kernel.settings import PROXY_PORT

    if not settings.get("private"):
        return ()
    host, port, _ = door_of(settings.get("url") or f"https://{settings['host']}")
    here = host.rpartition(".")[2] == "localhost" or host.startswith("127.")
    if here and port == PROXY_PORT:
        why = f"{port} is the gate's own port inside the sandbox"
    elif is_address(host) and not here:
        why = f"{host} is an address"
    else:
        return ()
    return (f"{why}: only clients that use HTTP_PROXY get there (requests, httpx, urllib, curl; not plain aiohttp)",)


def variable_name(text: str) -> str:
    """Raises UsageFault for what is none, or could be the key itself; it is not repeated."""
    key_like = len(text) >= 16 and "_" not in text and any(letter.isdigit() for letter in text)
    if key_like or not VARIABLE.fullmatch(text):
        raise UsageFault(
            "a key is given by the NAME of a variable, in capitals: what stands in a command can be read by others",
            "write for instance WEATHER_KEY. If that was the key itself, have it replaced: your shell has noted it",
        )
    return text


def check(name: str, settings: dict[str, Any], config: Config) -> None:
    """Raises UsageFault where the gate could not use the API, where a key is unfit, or stands among the settings."""
    from ecoassist import catalogue
    from ecoassist.config import ApiConfig
    from ecoassist.egress.places import placeholder
    from ecoassist.keys import Keys
    from ecoassist.reach import policy_of

    whole = settings if settings.get("host") or settings.get("url") else catalogue.entry(name) | settings
    api = ApiConfig.model_validate(whole)
    stand_ins = Keys(dict.fromkeys(api.keys, EVERYWHERE))
    network = config.network.model_copy(update={"policy": "allowlist"})
    policy_of(config.model_copy(update={"apis": {name: api}, "keys": stand_ins, "network": network}))
    keys = keys_for(config, tuple(api.keys))
    for variable in api.keys:
        if value := keys.get(variable):
            try:
                placeholder(value)
            except UsageFault as error:
                raise UsageFault(f"{variable}: {error}", error.remedy) from error
            if value in json.dumps(settings):
                raise UsageFault(
                    f"the key in {variable} stands among the settings", "leave it out: code gets it by its variable"
                )


def keys_for(config: Config, variables: Sequence[str]) -> Keys:
    """Where the keys of these variables are found, whether the configuration names them yet or not."""
    from ecoassist.keys import FILE, Keys

    return Keys(config.environ, config.added / FILE, variables)


def how_to_set(variable: str) -> str:
    return f"export {variable}=..., or keep it with: ecoassist api key {variable}"


# ── the three ways to say what an API is ────────────────────────────────────────────────────────────────────────────


def _written(given: Given, secrets: Sequence[str]) -> dict[str, Any]:
    """By its host."""
    from ecoassist.apis.servers import check_base
    from ecoassist.egress.policy import is_name

    settings: dict[str, Any] = {"host": given.host.strip().lower()} if given.host else {}
    if given.url:
        settings["url"] = check_base(given.url, private=given.private)
        if not _of(settings["url"], settings.get("host", "")):
            raise UsageFault(f"{settings['url']} is not on {settings['host']}", "leave out --host: --url says it")
    elif "*" in settings["host"]:
        raise UsageFault(f"{settings['host']} stands for many hosts", "say which one has the paths: --url https://HOST")
    elif not given.private and is_name(settings["host"]):
        check_base(f"https://{settings['host']}", private=False)
    return settings | _keys(secrets, given.places)


def _of(url: str, host: str) -> bool:
    """Whether the URL is on the host, which may be a pattern; empty for any."""
    named = urlsplit(url).hostname or ""
    return host in ("", named) or (host.startswith("*.") and named.endswith(host[1:]))


def _of_catalogue(name: str, given: Given, secrets: Sequence[str]) -> dict[str, Any]:
    """By its name."""
    from ecoassist import catalogue

    if given.private:
        raise UsageFault("--private says nothing about where the API is", "add --url http://HOST:PORT")
    try:
        catalogue.entry(name)
    except UsageFault as error:
        more = "another API needs --host, --url or --openapi"
        raise UsageFault(str(error), f"{error.remedy}; {more}") from error
    return _keys(secrets, given.places)


def _described(
    name: str, given: Given, secrets: Sequence[str], config: Config
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """By an OpenAPI document."""
    from ecoassist.apis.fetch import fetch, is_url
    from ecoassist.apis.openapi import describe
    from ecoassist.apis.servers import check_base
    from ecoassist.render.plain import one_line

    content, found = fetch(given.openapi, lambda: _trusted(config))
    base = check_base(given.url, private=given.private) if given.url else ""
    at = f"https://{given.host}/" if given.host else found
    made = describe(name, content, at, one_line, base=base, places=list(given.places) or None, private=given.private)
    settings = made.settings | {"document": found if is_url(found) else str(Path(found).absolute())}
    if given.host and not base:
        settings["url"] = re.sub(r"(?<=://)[^/]+", given.host.strip().lower(), settings["url"], count=1)
    if secrets:
        settings |= _renamed(settings, secrets, given.places)
    insecure = ["it came over plain http: whoever was in between could have changed it"] if _open(found) else []
    return settings, (*insecure, *made.notes)


def _open(found: str) -> bool:
    return found.lower().startswith("http://") and not re.match(r"http://(localhost|127\.|\[::1)", found.lower())


def _trusted(config: Config) -> ssl.SSLContext:
    import ssl

    bundle = config.network.ca_bundle
    try:
        return ssl.create_default_context(cafile=str(bundle) if bundle else None)
    except OSError as error:
        raise UsageFault(f"network.ca_bundle: cannot use {bundle}: {error}", "name a PEM file") from error


def _renamed(settings: dict[str, Any], secrets: Sequence[str], places: Sequence[str]) -> dict[str, Any]:
    """The variables that the person names, for the places of the document or those given."""
    own = [settings["place"], *settings.get("secrets", {}).values()] if "secret" in settings else []
    if not places and len(secrets) != len(own):
        described = ", ".join(own) or "none"
        raise UsageFault(
            f"the document has {len(own)} places for keys ({described}), and {len(secrets)} variables are named",
            "name one for each, or say where they go: --secret VARIABLE --place PLACE",
        )
    return _keys(secrets, places or own)


def _keys(secrets: Sequence[str], places: Sequence[str]) -> dict[str, Any]:
    """Raises UsageFault unless each variable has its place."""
    from ecoassist.egress.places import PLACE_FORMS, parse_place

    if len(secrets) != len(places):
        raise UsageFault(
            f"{len(secrets)} --secret and {len(places)} --place: each key needs its place, in the same order",
            "a place is one of: " + ", ".join(PLACE_FORMS),
        )
    if twice := next((name for name in secrets if list(secrets).count(name) > 1), ""):
        raise UsageFault(f"{twice} is named twice", f"name it once, and both places: --place {places[0]},{places[-1]}")
    for place in places:
        for part in place.split(","):
            parse_place(part)
    pairs = list(zip(secrets, places, strict=True))
    settings: dict[str, Any] = {"secret": pairs[0][0], "place": pairs[0][1]} if pairs else {}
    return settings | ({"secrets": dict(pairs[1:])} if pairs[1:] else {})


def _card(text: str) -> str:
    """The text, or with an @ before it that of a file."""
    if text.startswith("@"):
        file = Path(text[1:])
        try:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(LONGEST_CARD + 1).strip()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise UsageFault(f"--card: cannot read {file}: {why}", "name a text file") from error
    if len(text) > LONGEST_CARD:
        raise UsageFault(f"the card has more than {LONGEST_CARD:,} characters", "a model needs far fewer: shorten it")
    return text
