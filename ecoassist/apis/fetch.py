"""An OpenAPI document from a file or a URL."""

from __future__ import annotations

import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ecoassist.errors import EnvironmentFault, UsageFault

from .document import MOST_BYTES

SECONDS = 30.0
"""How long a document may take in all."""
PIECE = 1 << 16


def is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def fetch(source: str, context: Callable[[], ssl.SSLContext], seconds: float = SECONDS) -> tuple[bytes, str]:
    """What a file or URL holds, at most one byte more than a document may have, and where it was found in the end.

    A URL is fetched through the proxy that the environment names; `context`: whom to trust over TLS.
    Raises UsageFault for a file that cannot be read or a URL that is none, EnvironmentFault where nothing comes back.
    """
    if not is_url(source):
        if "://" in source:
            raise UsageFault(f"{source} is neither a file nor an http or https URL", "name one of these")
        return _file(Path(source)), source
    try:
        named = urlsplit(source).username is not None
    except ValueError as error:
        raise UsageFault(f"{source} is not a URL: {error}", "name a file, or a URL as a browser takes it") from error
    if named:  # it would be kept and shown
        raise UsageFault("a URL with a user name or a password is not fetched", "download the document, name the file")
    found: list[tuple[bytes, str] | Exception] = []

    def get() -> None:
        try:
            found.append(_get(source, context(), seconds))
        except Exception as error:  # noqa: BLE001 - raised again by the caller's thread
            found.append(error)

    # urllib limits the time of each piece, not of the whole; a thread can be left behind
    getting = threading.Thread(target=get, daemon=True)
    getting.start()
    getting.join(seconds)
    result = found[0] if found else TimeoutError(f"it took more than {seconds:g} s")
    if isinstance(result, urllib.error.HTTPError):
        result.close()
        raise EnvironmentFault(f"{source} answered {result.code} {result.reason}", REMEDY) from result
    if isinstance(result, OSError | http.client.HTTPException | ValueError):
        reason = getattr(result, "reason", None) or result
        raise EnvironmentFault(f"{source} cannot be fetched: {reason}", REMEDY) from result
    if isinstance(result, Exception):
        raise result
    return result


REMEDY = "check the URL, HTTPS_PROXY and network.ca_bundle; or download the document and name the file"


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageFault(f"cannot read {path}: {error.strerror}", "name the file or the URL of the document") from error
    except ValueError as error:  # a zero byte in the name
        raise UsageFault("that is not the name of a file", "name the file or the URL of the document") from error


def _get(url: str, context: ssl.SSLContext, seconds: float) -> tuple[bytes, str]:
    request = urllib.request.Request(url, headers={"User-Agent": "ecoassist", "Accept": ACCEPT})
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Onward())
    with opener.open(request, timeout=seconds) as answer:
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ValueError("it came compressed, unasked")
        content = bytearray()
        while len(content) <= MOST_BYTES and (piece := answer.read(PIECE)):
            content += piece
        if len(content) <= MOST_BYTES and getattr(answer, "length", None):  # of the announced bytes, those to come
            raise ValueError("it broke off")
        return bytes(content[: MOST_BYTES + 1]), answer.url


ACCEPT = "application/openapi+json, application/openapi+yaml, application/json, application/yaml, */*;q=0.5"


class _Onward(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            fp.close()
            raise ValueError(f"it leads from {req.type} to {scheme}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
