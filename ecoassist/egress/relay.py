"""A response on its way from the upstream to the client: decoded and masked where its host has keys."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import h11

from ecoassist.masks import MaskedStream, Masks

from .decode import Inflate
from .record import Tally
from .route import response_headers
from .upstream import Upstream
from .wire import Refused, Wire


async def relay(
    response: h11.Response, upstream: Upstream, client: Wire, masks: Masks | None, limit: int, tally: Tally
) -> None:
    """`limit`: bytes of the decoded body. Raises Refused, also after the head was sent."""
    headers, reason = tuple(response.headers), bytes(response.reason)
    bodiless = tally.method == "HEAD" or response.status_code in (204, 304)
    inflate = _inflate(response) if masks and not bodiless else None
    if masks:
        headers, reason = tuple((name, masks.cover(value)) for name, value in headers), masks.cover(reason)
    headers = response_headers(headers, rewritten=masks is not None and not bodiless)
    await client.send(h11.Response(status_code=response.status_code, headers=list(headers), reason=reason))
    stream = MaskedStream(masks) if masks else None
    while data := await upstream.piece():
        for part in _decoded(inflate, data):
            tally.size += len(part)
            if tally.size > limit:
                raise Refused(502, f"the response is larger than {limit} bytes")
            await _send(client, stream.feed(part) if stream else part)
    if inflate and not inflate.complete:
        raise Refused(502, "the response ends in the middle of its compressed body")
    await _send(client, stream.end() if stream else b"")
    await client.send(h11.EndOfMessage())


async def _send(client: Wire, data: bytes) -> None:
    if data:
        await client.send(h11.Data(data=data))


def _inflate(response: h11.Response) -> Inflate | None:
    coding = b",".join(value for name, value in response.headers if name == b"content-encoding").decode("latin-1")
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return None
    if coding not in Inflate.codings:
        raise Refused(502, f"the response is encoded as {coding}, which cannot be searched for keys")
    return Inflate(coding)


def _decoded(inflate: Inflate | None, data: bytes) -> Iterator[bytes]:
    if not inflate:
        yield data
        return
    try:
        yield from inflate.feed(data)
    except zlib.error:
        raise Refused(502, "the response's compressed body is damaged") from None
