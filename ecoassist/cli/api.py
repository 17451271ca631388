"""`ecoassist api`: the web APIs that code may call."""

from __future__ import annotations

import getpass
import importlib.util
import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ecoassist.errors import EnvironmentFault, UsageFault

from .adding import Given, how_to_set, keys_for, settings_of, variable_name
from .common import ConfigOption, load_config, redacted, reporting

if TYPE_CHECKING:
    from pathlib import Path

    from ecoassist.config import ApiConfig, Config

app = typer.Typer(
    help="Web APIs that code may call: those of the catalogue, and your own.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="The API's name, as in the list.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
OPENAPI = "Take hosts, keys and operations from this OpenAPI 3 document."
SECRET = "The NAME of the variable that holds a key. Repeatable."
PLACE = "Where that key goes: query:NAME, header:NAME, bearer, basic, body:FIELD. Repeatable."
ACTS = "Path of a GET that changes something; * stands for anything. Repeatable."
MOST_KEY = 1 << 16


@app.command()
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name for it; alone: the API of that name in the catalogue.")
    ],
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="The host it is on.")] = "",
    url: Annotated[
        str, typer.Option("--url", metavar="URL", help="The base of its paths. [default: https://HOST]")
    ] = "",
    openapi: Annotated[str, typer.Option("--openapi", metavar="FILE|URL", help=OPENAPI)] = "",
    secret: Annotated[list[str] | None, typer.Option("--secret", metavar="VARIABLE", help=SECRET)] = None,
    place: Annotated[list[str] | None, typer.Option("--place", metavar="PLACE", help=PLACE)] = None,
    card: Annotated[str, typer.Option("--card", metavar="TEXT|@FILE", help="What a model should know about it.")] = "",
    acts: Annotated[list[str] | None, typer.Option("--acts", metavar="PATTERN", help=ACTS)] = None,
    terms: Annotated[str, typer.Option("--terms", metavar="TEXT", help="Terms of its use, a note for you.")] = "",
    private: Annotated[
        bool, typer.Option("--private", help="It is in your own network; takes --url http://HOST:PORT.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the API of that name.")] = False,
    config: ConfigOption = None,
) -> None:
    """Let code call an API: from the catalogue, by its host, or as an OpenAPI document describes it.

    No key is ever given here, only the name of its variable.
    """
    from ecoassist.apis.book import Book, check_name

    with reporting():
        check_name(name)
        settings = load_config(config)
        book = Book(settings.added)
        if name in settings.apis and name not in book and not force:
            raise UsageFault(f"{settings.file} has an API {name!r} already", "change it there, or take another name")
        given = Given(host, url, openapi, secret or (), place or (), card, acts or (), terms, private)
        made, notes = settings_of(name, given, settings)
        book.add(name, made, replace=force)
        for note in notes:
            _say(f"note: {note}")
        _tell_added(name, load_config(config))


def _tell_added(name: str, config: Config) -> None:
    api = config.apis[name]
    _say(f"added {name}: {_where(api)}, {_count(api)}")
    if api.terms:
        _say(f"terms: {api.terms}")
    for variable, place in api.keys.items():
        if config.keys.get(variable):
            _say(f"key: {variable} ({place}), set")
        else:
            _say(f"key: {variable} ({place}) is not set yet: {how_to_set(variable)}")
    _say(f"try it: ecoassist api test {name}")


@app.command("list")
def list_(
    catalogue: Annotated[bool, typer.Option("--catalogue", help="List what can be switched on by name.")] = False,
    json_: Json = False,
    config: ConfigOption = None,
) -> None:
    """List the APIs: name, host, key, operations, and where each comes from."""
    with reporting():
        settings = load_config(config)
        rows = _offered(settings) if catalogue else [_row(name, settings) for name in settings.apis]
        if json_:
            typer.echo(json.dumps(rows, indent=1))
        elif catalogue:
            for row in rows:
                _print(f"{row['name']:<20} {'on ' if row['on'] else '   '} {row['purpose']}", 25)
                _print(f"{'':<24} {row['terms']}", 25)
        else:
            _table(rows)
            if not rows:
                _say("no APIs yet: ecoassist api list --catalogue shows some that need no key")


def _table(rows: list[dict[str, Any]]) -> None:
    width = max((len(row["name"]) for row in rows), default=0)
    wide = max((len(row["host"]) for row in rows), default=0)
    told = [", ".join(f"{key['variable']} {'set' if key['set'] else 'missing'}" for key in row["keys"]) for row in rows]
    keyed = max((len(keys or "no key") for keys in told), default=0)
    for row, keys in zip(rows, told, strict=True):
        count = _number(row["operations"])
        private = "  private" if row["private"] else ""
        columns = f"{row['name']:<{width}}  {row['host']:<{wide}}  {keys or 'no key':<{keyed}}  {count:<14}"
        _print(f"{columns}  {row['from']}{private}", 4)


def _row(name: str, config: Config) -> dict[str, Any]:
    from ecoassist.reach import host_of

    api = config.apis[name]
    keys = [
        {"variable": variable, "place": place, "set": variable in config.keys, "from": config.keys.source(variable)}
        for variable, place in api.keys.items()
    ]
    return {
        "name": name,
        "host": host_of(api),
        "url": api.url,
        "keys": keys,
        "operations": len(api.operations),
        "private": api.private,
        "from": _origin(name, config),
    }


def _offered(config: Config) -> list[dict[str, Any]]:
    from ecoassist import catalogue

    return [
        {
            "name": name,
            "on": name in config.apis,
            "purpose": catalogue.purpose(name),
            "terms": catalogue.entry(name).get("terms", ""),
        }
        for name in catalogue.names()
    ]


def _origin(name: str, config: Config) -> str:
    """What made it: a command with the catalogue, a document or a host, or the configuration file."""
    from ecoassist import catalogue
    from ecoassist.apis.book import Book

    if name not in Book(config.added):
        return "config"
    if config.apis[name].document:
        return "openapi"
    shipped = catalogue.entry(name) if name in catalogue.names() else {}
    same = shipped and all(getattr(config.apis[name], key) == shipped.get(key, "") for key in ("host", "url"))
    return "catalogue" if same else "added"


@app.command()
def show(
    name: Name,
    card: Annotated[bool, typer.Option("--card", help="Print only what a model reads.")] = False,
    config: ConfigOption = None,
) -> None:
    """Show all that is known of an API; also of one of the catalogue that is not switched on. Never a key."""
    from ecoassist import prompts
    from ecoassist.reach import described

    with reporting():
        settings = load_config(config)
        api = settings.apis.get(name) or _shipped(name, settings)
        if card:
            _print(prompts.described(described(name, api)))
            return
        for label, value in _facts(name, api, settings).items():
            _print(f"{label:<10} {value}", 11)
        for operation in described(name, api).operations:
            _print(f"  {operation.method} {operation.path}  {operation.summary}", 6)
            for label, words in (("asks", operation.parameters), ("gives", operation.fields)):
                if words:
                    _print(f"      {label:<5} {', '.join(words)}", 12)


def _facts(name: str, api: ApiConfig, config: Config) -> dict[str, str]:
    on = name in config.apis
    keys = keys_for(config, tuple(api.keys))
    facts = {
        "name": name,
        "url": _where(api),
        "hosts": ", ".join(api.hosts),
        "from": f"{_origin(name, config)}" if on else f"the catalogue; switch it on: ecoassist api add {name}",
        "document": api.document,
        "private": "yes: on this machine or in your own network" if api.private else "",
        "acts": ", ".join(api.acts),
        "terms": api.terms,
        "card": api.card.strip().replace("\n", f"\n{'':<11}"),
        "operations": str(len(api.operations)),
    }
    for variable, place in api.keys.items():
        source = keys.source(variable)
        facts[f"key {variable}"] = f"{place}, " + (f"set ({source})" if source else f"missing: {how_to_set(variable)}")
    return {label: value for label, value in facts.items() if value}


@app.command()
def rm(name: Name, config: ConfigOption = None) -> None:
    """Remove an API that was added. Its key stays where it is."""
    from ecoassist.apis.book import Book
    from ecoassist.config import locate

    with reporting():
        if Book(locate(config)[1]).remove(name):  # without reading it: it may be damaged
            _say(f"removed {name}")
            return
        settings = load_config(config)
        if name in settings.apis:
            raise UsageFault(f"{name} was not added by a command", f"remove [apis.{name}] from {settings.file}")
        raise _unknown(name, settings)


@app.command()
def key(
    variable: Annotated[str, typer.Argument(metavar="VARIABLE", help="The NAME of the key's variable.")],
    remove: Annotated[bool, typer.Option("--remove", help="Forget the key.")] = False,
    config: ConfigOption = None,
) -> None:
    """Keep a key: in the keyring of the system where that is installed, else in a file only you can read.

    It is asked for without showing it, or read from stdin.
    """
    from ecoassist import keys
    from ecoassist.config import locate
    from ecoassist.egress.places import placeholder

    with reporting():
        variable_name(variable)
        folder = locate(config)[1]
        ring = importlib.util.find_spec("keyring") is not None
        if remove:
            gone = keys.remove(folder, variable), ring and _forgotten(folder, variable)
            _say(f"forgot {variable}" if any(gone) else f"no {variable} was kept here")
            return
        value = _typed(variable)
        placeholder(value)  # refuses what could not be masked
        where = _kept(folder, variable, value, ring=ring)
        _say(f"kept {variable} in {where}")
        if load_config(config).environ.get(variable):
            _say(f"but {variable} is also set in the environment, and that goes first")


def _typed(variable: str) -> str:
    if sys.stdin and sys.stdin.isatty():
        try:
            return getpass.getpass(f"{variable}: ").strip()
        except EOFError:
            raise UsageFault("no key was typed", f"again: ecoassist api key {variable}") from None
    text = sys.stdin.buffer.read(MOST_KEY).decode("utf-8", "replace").strip() if sys.stdin else ""
    if not text:
        raise UsageFault("stdin holds no key", f"run it in a terminal, or: ecoassist api key {variable} < FILE")
    return text


def _forgotten(folder: Path, variable: str) -> bool:
    """Whether the keyring had the key."""
    from ecoassist import keys

    try:
        return keys.remove(folder, variable, "keyring")
    except EnvironmentFault as error:
        _say(f"note: {error}")
        return False


def _kept(folder: Path, variable: str, value: str, *, ring: bool) -> str:
    """Where the key is now, in words."""
    from ecoassist import keys

    if ring:
        try:
            keys.put(folder, variable, value, "keyring")
            return "the keyring"
        except EnvironmentFault as error:
            _say(f"note: {error}")
    keys.put(folder, variable, value)
    return str(folder / keys.FILE)


@app.command("test")
def call_once(
    name: Name,
    path: Annotated[
        str, typer.Argument(metavar="[PATH]", help="What to GET, with its query. [default: one that needs none]")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Call an API once, through the sandbox and the gate, as a model's code would.

    Exit code 0 if it answered well, 1 if with an error, 3 if no answer came.
    """
    from .trial import advice, attempt, first_lines

    with reporting():
        settings = load_config(config)
        if name not in settings.apis:
            raise _unknown(name, settings)
        api = settings.apis[name]
        for variable in api.keys:
            if source := settings.keys.source(variable):
                _print(f"ok  key {variable}: set ({source})")
        tried = attempt(name, path, settings, _say)
        mark = "ok" if tried.fine else "no"
        size = f"{tried.size:,} bytes" + (f" of {tried.kind}" if tried.kind else "")
        _print(f"{mark}  GET {tried.url}: {tried.status} in {tried.seconds:.2f} s, {size}")
        if not tried.fine:
            _print(f"      {advice(tried, api)}")
        for line in first_lines(tried.text):
            _print(f"    | {line}")
        if not tried.fine:
            raise typer.Exit(1)


def _shipped(name: str, config: Config) -> ApiConfig:
    """An API of the catalogue. Raises UsageFault."""
    from ecoassist import catalogue
    from ecoassist.config import ApiConfig

    if name not in catalogue.names():
        raise _unknown(name, config)
    return ApiConfig.model_validate(catalogue.entry(name))


def _unknown(name: str, config: Config) -> UsageFault:
    import difflib

    from ecoassist import catalogue

    if name in catalogue.names():
        return UsageFault(f"the API {name!r} is not switched on", f"switch it on: ecoassist api add {name}")
    near = difflib.get_close_matches(name, {*config.apis, *catalogue.names()}, n=2)
    return UsageFault(
        f"there is no API {name!r}", f"did you mean {' or '.join(near)}?" if near else "see: ecoassist api list"
    )


def _where(api: ApiConfig) -> str:
    from ecoassist.reach import host_of

    return api.url or f"https://{host_of(api)}"


def _count(api: ApiConfig) -> str:
    return _number(len(api.operations))


def _number(operations: int) -> str:
    return "1 operation" if operations == 1 else f"{operations} operations"


def _print(text: str, under: int = 0) -> None:
    """On a terminal, what has no room on a line goes on in the next, after `under` spaces."""
    from ecoassist.render.plain import plain

    said = redacted(plain(text)).rstrip()
    if under and sys.stdout.isatty():
        width = max(40, shutil.get_terminal_size().columns)
        said = "\n".join(line for whole in said.split("\n") for line in _lines(whole, width, under))
    typer.echo(said)


def _lines(text: str, width: int, under: int) -> list[str]:
    return textwrap.wrap(
        text, width, subsequent_indent=" " * under, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _say(text: str) -> None:
    from ecoassist.render.plain import one_line

    typer.echo(redacted(one_line(text)), err=True)
