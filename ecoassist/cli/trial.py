"""One real call of an API through the sandbox and the gate, as a model's code would make it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecoassist.errors import EnvironmentFault, NoSandbox, UsageFault

from .adding import how_to_set

if TYPE_CHECKING:
    from collections.abc import Callable

    from ecoassist.config import ApiConfig, Config
    from ecoassist.types import CellResult

SHOWN_LINES, SHOWN_WIDTH = 12, 200
"""Of what comes back."""


@dataclass(frozen=True, slots=True)
class Tried:
    url: str
    """Without keys."""
    status: int
    size: int
    """Bytes of the body."""
    seconds: float
    kind: str
    """The media type."""
    text: str
    """How the body begins; the gate has masked it."""

    @property
    def fine(self) -> bool:
        return self.status < 400


def attempt(name: str, path: str, config: Config, notice: Callable[[str], None]) -> Tried:
    """Asks the API; `path`: below its base URL, empty for one that needs no parameters.

    Raises UsageFault where no such path is known, EnvironmentFault where a key is missing or nothing came back.
    """
    from ecoassist.play import play
    from ecoassist.reach import missing_keys
    from ecoassist.sandboxes import Sandboxes

    alone = config.model_copy(update={"apis": {name: config.apis[name]}})
    for variable in missing_keys(alone).values():
        raise EnvironmentFault(f"{variable} is not set: the API {name} is off", how_to_set(variable))
    if config.network.policy == "none":
        raise EnvironmentFault("the network is off: its policy is none", 'write policy = "allowlist" under [network]')
    url = url_of(name, config.apis[name], path)
    boxes = Sandboxes(alone, notice, ())
    boxes.prepare()
    kernel = boxes.start()
    try:
        result = play(kernel.run(_program(config.apis[name], url)))
    finally:
        kernel.close()
    return _heard(result, url, name)


def url_of(name: str, api: ApiConfig, path: str) -> str:
    """What is asked for. Raises UsageFault where the person has to say it."""
    from ecoassist.reach import host_of

    base = api.url.rstrip("/") or f"https://{host_of(api)}"
    if not path:
        path = _harmless(name, api)
    if path.startswith(("http://", "https://")):
        return path
    if not path.startswith("/") or not path.isprintable() or " " in path:
        raise UsageFault(f"{path!r} is not a path", f"write it like: ecoassist api test {name} '/path?name=value'")
    return base + path


def _harmless(name: str, api: ApiConfig) -> str:
    """The first thing it can be asked without parameters and without an effect."""
    from ecoassist.egress.acts import acts

    for operation in api.operations:
        needs = "{" in operation.path or any("*" in parameter for parameter in operation.parameters)
        if operation.method == "GET" and not needs and not acts(operation.path, api.acts):
            return operation.path
    if api.operations:
        raise UsageFault(
            f"{name} can be asked nothing without parameters",
            f"name a path with them: ecoassist api test {name} '{api.operations[0].path}?name=value'",
        )
    return "/"


def _program(api: ApiConfig, url: str) -> str:
    """Puts the first place of each key to use, as the API's card tells a model to."""
    keys = [[variable, *_parted(place)] for variable, place in api.keys.items()]
    return PROGRAM.format(what=json.dumps(json.dumps({"url": url, "keys": keys})))


def _parted(place: str) -> tuple[str, str]:
    kind, _, name = place.split(",")[0].strip().partition(":")
    return kind, name


PROGRAM = """
import base64, json, os, time, urllib.error, urllib.parse, urllib.request

what = json.loads({what})
url, basic = what["url"], []
headers = {{"User-Agent": "ecoassist", "Accept": "application/json, */*;q=0.5"}}
for variable, kind, name in what["keys"]:
    key = os.environ[variable]
    if kind == "query":
        url += ("&" if "?" in url else "?") + urllib.parse.urlencode({{name: key}})
    elif kind == "header":
        headers[name] = key
    elif kind == "bearer":
        headers["Authorization"] = "Bearer " + key
    elif kind == "basic":
        basic.append(key)
if basic:
    headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
began = time.monotonic()
try:
    answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30)
except urllib.error.HTTPError as error:
    answer = error
except Exception as error:
    answer = None
    print(json.dumps({{"error": f"{{type(error).__name__}}: {{error}}"}}))
if answer is not None:
    body = answer.read(4_000_000)
    kind, text = answer.headers.get("Content-Type", ""), body[:4_000].decode("utf-8", "replace")
    seconds = time.monotonic() - began
    print(json.dumps({{"status": answer.status, "size": len(body), "seconds": seconds, "kind": kind, "text": text}}))
"""


def _heard(result: CellResult, url: str, name: str) -> Tried:
    if result.status != "ok":
        why = f"{result.error.name}: {result.error.message}" if result.error else result.reason
        raise NoSandbox(f"a cell ended with {result.status}: {why}", "see: ecoassist doctor")
    refused = [access.refused for access in result.accesses if access.refused]
    if refused:
        raise EnvironmentFault(
            f"the gate could not pass it on: {refused[-1]}", f"check its URL: ecoassist api show {name}"
        )
    said = _object(result.text)
    if "status" not in said:
        raise EnvironmentFault(f"no answer came: {said.get('error', 'nothing')}", "try again, or see: ecoassist doctor")
    return Tried(url, said["status"], said["size"], said["seconds"], said["kind"], said["text"])


def _object(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def advice(tried: Tried, api: ApiConfig) -> str:
    """What a status of 400 and above means here."""
    if tried.status in (401, 403) and api.keys:
        keys = ", ".join(f"{variable} ({place})" for variable, place in api.keys.items())
        return f"the host does not accept the key: check {keys}, and that it is allowed to do this"
    if tried.status in (401, 403):
        return "the host wants a key: ecoassist api add ... --secret VARIABLE --place PLACE"
    if tried.status == 404:
        return "there is nothing at that path: name another one"
    if tried.status == 429:
        return "the host has had enough questions for now: try later"
    return "the host did not like the question" if tried.status < 500 else "the host has a fault of its own: try later"


def first_lines(text: str) -> list[str]:
    from ecoassist.render.plain import plain

    lines = [line for line in plain(text).splitlines() if line.strip()]
    return [line if len(line) <= SHOWN_WIDTH else line[: SHOWN_WIDTH - 1] + "…" for line in lines[:SHOWN_LINES]]
