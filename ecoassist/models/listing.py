"""Asking an endpoint which models it serves, with nothing but the standard library: no client is loaded for it."""

from __future__ import annotations

import http.client
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, TypeAlias
from urllib.parse import urlsplit

from ecoassist.errors import NoModel

from .prices import is_local

SECONDS, LONGEST = 5.0, 15.0
"""How long an endpoint may say nothing when it is asked for its models, and how long it may take for the whole list."""
AT_ONCE = 1.0
"""How long one that is only looked for at its port may say nothing; three times as long for the whole list."""
MOST = 1 << 24
"""Bytes of a list; the longest known has 1 MB."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    base_url: str
    key: str = field(repr=False)
    key_name: str
    """Empty: it needs no key."""
    found: bool = False
    """Nobody named it: something listens at the port of a known server, and has to prove that it serves models."""


Fetch: TypeAlias = Callable[[Endpoint], "tuple[str, ...] | None"]
"""The names of an endpoint's models; None: it cannot be asked, which some cannot. Raises NoModel: it cannot be used."""


def list_models(endpoint: Endpoint, longest: float = LONGEST) -> tuple[str, ...] | None:
    """GET {base_url}/models, the Fetch of everyday use. Only a refused connection or a refused key is a NoModel.

    Follows no redirect: a key and a question go to nobody but whom they are meant for. Who sends a byte now and then
    is waited for `longest` seconds.
    """
    done: list[tuple[str, ...] | NoModel | None] = []

    def ask() -> None:
        try:
            done.append(_listed(endpoint))
        except NoModel as error:
            done.append(error)

    asking = threading.Thread(target=ask, daemon=True, name="list models")
    asking.start()
    asking.join(min(longest, 3 * AT_ONCE) if endpoint.found else longest)
    listed = done[0] if done else None
    if isinstance(listed, NoModel):
        raise listed
    return listed


def _listed(endpoint: Endpoint) -> tuple[str, ...] | None:
    request = urllib.request.Request(f"{endpoint.base_url}/models", headers=_headers(endpoint))
    handlers: list[urllib.request.BaseHandler] = [_Stay()]
    if is_local(endpoint.base_url):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=AT_ONCE if endpoint.found else SECONDS) as answer:
            return _names(json.loads(answer.read(MOST)), strict=endpoint.found)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401 or (error.code == 400 and b"API key" in error.read(MOST)):  # the latter: Gemini
                remedy = f"set {endpoint.key_name or 'a key'} to a valid key of this endpoint"
                raise NoModel(f"{endpoint.base_url} does not accept the key", remedy) from error
        return None
    except urllib.error.URLError as error:
        remedy = "start it, or correct base_url; `ecoassist doctor` checks again"
        raise NoModel(f"{endpoint.base_url} cannot be reached: {error.reason}", remedy) from error
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # slow or not a list of models: the models may still be there


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: object, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> urllib.request.Request | None:
        return None


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """An endpoint that nobody named gets no key at all, not even one of our making."""
    ours = {"User-Agent": "ecoassist", "Accept": "application/json"}
    if endpoint.found:
        return ours
    if urlsplit(endpoint.base_url).hostname == "api.anthropic.com":  # its list is not part of what follows OpenAI
        return {**ours, "X-Api-Key": endpoint.key, "Anthropic-Version": "2023-06-01"}
    return {**ours, "Authorization": f"Bearer {endpoint.key}"}


def _names(listed: object, *, strict: bool) -> tuple[str, ...]:
    """Raises one of many errors for what is not a list of models. `strict`: it follows OpenAI's API to the letter."""
    models = listed["data"]  # type: ignore[index]
    if strict and not (
        listed["object"] == "list"  # type: ignore[index]
        and all(isinstance(model["id"], str) and model["object"] == "model" for model in models)
    ):
        raise ValueError("not a list of models")
    return tuple(str(model["id"]) for model in models)
