"""Where a model is asked, and with which key. A key is only ever sent to the endpoint it was given for."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from ecoassist.errors import NoModel
from ecoassist.keys import AZURE_KEY

from .listing import Endpoint
from .prices import is_local
from .providers import AZURE_PATH, AZURE_PLACE, DEFAULTS, OPENAI, OPENAI_KEY, azure_url, is_azure, of_host, of_key

HOW_TO_SET = "export {0}=..., or keep it with: ecoassist api key {0}"


def place_of(
    base_url: str | None, key_name: str | None, environ: Mapping[str, str], keys: Mapping[str, str]
) -> Endpoint:
    """The endpoint that a tier means, by its base URL, by the variable of its key, or by what is set.

    Raises NoModel: no such address, no key, one that belongs to somebody else, or one that anybody could read.
    """
    base_url = checked(base_url or _url_of(key_name, environ, keys))
    if base_url.startswith("http:") and (of_host(base_url) or is_azure(base_url)):
        raise NoModel(f"{base_url} would get its key in clear", "write the base URL with https://")
    ours = checked(environ.get("OPENAI_BASE_URL") or OPENAI)
    if key_name is None and is_local(base_url) and not (base_url == ours and keys.get(OPENAI_KEY)):
        return Endpoint(base_url, "none", "")
    key_name = key_name or _key_name(base_url, ours, environ, keys)
    _own(key_name, base_url, ours, environ)
    key = keys.get(key_name, "").strip()
    if not key:
        raise NoModel(f"{key_name} is not set, and {base_url} needs a key", HOW_TO_SET.format(key_name))
    if not (key.isascii() and key.isprintable()):
        raise NoModel(f"{key_name} holds characters that no key has", f"set {key_name} to the key alone")
    return Endpoint(base_url, key, key_name)


def home(environ: Mapping[str, str], keys: Mapping[str, str]) -> tuple[str, str] | None:
    """Base URL and variable of the first hosted endpoint that is set up: OpenAI, Azure, then the others in order."""
    if environ.get("OPENAI_BASE_URL") or keys.get(OPENAI_KEY):
        base_url = environ.get("OPENAI_BASE_URL") or OPENAI
        return base_url, _key_name(checked(base_url), checked(base_url), environ, keys)
    if keys.get(AZURE_KEY) and (azure := azure_url(environ)):
        return azure, AZURE_KEY
    for provider in DEFAULTS:
        if found := next((name for name in provider.key_names if keys.get(name)), None):
            return provider.base_url, found
    return None


def checked(base_url: str) -> str:
    """A base URL without the slash at its end. Raises NoModel for what is none."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        named = parts.username is not None
    except ValueError:
        usable = named = False
    if named:  # it would be shown in messages, and the endpoint would not get it
        raise NoModel("a base URL holds no user name and no password", "put the key into a variable, and name that")
    if not usable:
        raise NoModel(f"{base_url!r} is not a base URL", "write it like https://api.openai.com/v1")
    return base_url.rstrip("/")


def _url_of(key_name: str | None, environ: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """Where a tier without a base URL is asked."""
    if key_name is None and (found := home(environ, keys)):
        return found[0]
    if key_name == AZURE_KEY:
        if azure := azure_url(environ):
            return azure
        raise NoModel(f"{AZURE_PLACE} is not set", f"export {AZURE_PLACE}=https://NAME.openai.azure.com")
    provider = of_key(key_name) if key_name else None
    return provider.base_url if provider and provider.base_url != OPENAI else environ.get("OPENAI_BASE_URL") or OPENAI


def _key_name(base_url: str, ours: str, environ: Mapping[str, str], keys: Mapping[str, str]) -> str:
    """The variable whose key belongs to a base URL; of several that do, the first that is set."""
    provider = of_host(base_url)
    names = [*provider.key_names] if provider else [AZURE_KEY] if _is_our_azure(base_url, environ) else []
    if base_url == ours:
        names.append(OPENAI_KEY)
    if not names:
        raise NoModel(f"no key is named for {base_url}", 'add key = "NAME_OF_THE_VARIABLE" to its tier')
    return next((name for name in names if keys.get(name)), names[-1])


def _own(key_name: str, base_url: str, ours: str, environ: Mapping[str, str]) -> None:
    """Raises NoModel where a provider's variable is named for somebody else, whom a program on this machine is not."""
    host = urlsplit(base_url).hostname or ""
    provider = of_key(key_name)
    if key_name == AZURE_KEY:
        own, whose = _is_our_azure(base_url, environ), f"the resource in {AZURE_PLACE}"
    elif provider:
        own, whose = host == provider.host or (key_name == OPENAI_KEY and base_url == ours), provider.host
    else:
        return
    if not (own or host in ("localhost", "127.0.0.1", "::1")):
        raise NoModel(
            f"{key_name} is the key of {whose}, and is not sent to {host}",
            f"put the key of {host} into a variable of its own, and name that in its tier",
        )


def _is_our_azure(base_url: str, environ: Mapping[str, str]) -> bool:
    """The resource that the environment names, or any where it names none."""
    if azure := azure_url(environ):
        return urlsplit(base_url).hostname == urlsplit(azure).hostname
    return is_azure(base_url) and urlsplit(base_url).path.rstrip("/").startswith(AZURE_PATH)
