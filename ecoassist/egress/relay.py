"""A response on its way from the upstream to the client: decoded and masked where its host has keys."""

from __future__ import annotations

from collections.abc import Iterator

import h11

from ecoassist.masks import MaskedStream, Masks

from .decode import Decoder, Undecodable, decoder_of
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
    decoder = _decoder(response, limit) if masks and not bodiless else None
    if masks:
        headers, reason = tuple((name, masks.cover(value)) for name, value in headers), masks.cover(reason)
    headers = response_headers(headers, rewritten=masks is not None and not bodiless)
    await client.send(h11.Response(status_code=response.status_code, headers=list(headers), reason=reason))
    stream = MaskedStream(masks) if masks else None
    while data := await upstream.piece():
        for part in _decoded(decoder, data):
            tally.size += len(part)
            if tally.size > limit:
                raise Refused(502, f"the response is larger than {limit} bytes")
            await _send(client, stream.feed(part) if stream else part)
    _ended(decoder)
    await _send(client, stream.end() if stream else b"")
    await client.send(h11.EndOfMessage())


async def _send(client: Wire, data: bytes) -> None:
    if data:
        await client.send(h11.Data(data=data))


def _decoder(response: h11.Response, limit: int) -> Decoder | None:
    coding = b",".join(value for name, value in response.headers if name == b"content-encoding").decode("latin-1")
    try:
        return decoder_of(coding, limit)
    except Undecodable as error:
        raise Refused(502, str(error)) from None


def _decoded(decoder: Decoder | None, data: bytes) -> Iterator[bytes]:
    if not decoder:
        yield data
        return
    try:
        yield from decoder.feed(data)
    except Undecodable as error:
        raise Refused(502, str(error)) from None


def _ended(decoder: Decoder | None) -> None:
    try:
        if decoder:
            decoder.end()
    except Undecodable as error:
        raise Refused(502, str(error)) from None
