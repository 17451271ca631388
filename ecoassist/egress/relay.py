"""A response on its way to the client: decoded and masked where its host has keys."""

from __future__ import annotations

import time
from collections.abc import Iterator

import h11

from ecoassist.masks import MaskedStream, Masks

from .cache import Kept, Recording
from .decode import Decoder, Undecodable, decoder_of
from .places import Headers
from .record import Tally
from .route import response_headers, trailers
from .shape import Sketch
from .upstream import Call
from .wire import Limits, Refused, Turns, Wire

_PIECE = 65_536
"""Bytes of a kept body that are sent at a time."""
_SCANNED = 8192
"""Bytes that are searched for keys at a time. A host can write a body that takes 20 us a byte."""
_QUICK = 0.001
"""Seconds of a search after which the next one may be of four times as much."""


class Delivery:
    """Where every response passes, as the code gets it: begin(), then piece() for each part, then end() if it is whole.

    What is told here holds no key any more. `recording`: keeps it for later attempts.
    """

    def __init__(self, client: Wire, limits: Limits, tally: Tally, recording: Recording | None = None) -> None:
        self._client, self._limits, self._tally, self._recording = client, limits, tally, recording
        self._chunked = False
        self._unsent: list[h11.Event] = []
        self._size = 0
        """Bytes of body in it."""

    async def begin(self, status: int, reason: bytes, headers: Headers) -> None:
        """`headers`: with a content-length only if it is that of the body."""
        if self._recording:
            self._recording.head(status, reason, headers)
        if self._tally.sketched:
            self._tally.sketch = Sketch.of(status, headers)
        http = self._client.http
        unframed = not any(name == b"content-length" for name, _ in headers)
        self._chunked = unframed and self._tally.method != "HEAD" and (http.their_http_version or b"1.1") >= b"1.1"
        if http.they_are_waiting_for_100_continue:
            headers = (*headers, (b"connection", b"close"))  # nobody can tell whether the body will still be sent
        self._unsent = [h11.Response(status_code=status, headers=list(headers), reason=reason)]

    async def piece(self, data: bytes) -> None:
        """Goes out with those that are at hand: at the next flush(), and when they are many."""
        if data:
            if self._recording:
                self._recording.feed(data)
            if self._tally.sketch:
                self._tally.sketch.feed(data)
            self._unsent.append(h11.Data(data=data))
            self._size += len(data)
            if self._size >= _PIECE:
                await self.flush()

    async def flush(self) -> None:
        """Sends what is there. Due before every wait for the host: its next piece may be long in coming."""
        if self._unsent:
            unsent, self._unsent, self._size = self._unsent, [], 0
            await self._client.send(*unsent)

    async def end(self, trailers: Headers = ()) -> None:
        self._unsent.append(h11.EndOfMessage(headers=list(trailers) if self._chunked else []))
        await self.flush()
        if self._recording and not trailers:
            self._recording.complete()

    async def again(self, kept: Kept) -> None:
        """A response that was delivered before."""
        await self.begin(200, kept.reason, kept.headers)
        for start in range(0, len(kept.body), _PIECE):
            piece = kept.body[start : start + _PIECE]
            self._tally.size += len(piece)
            await self.piece(piece)
        await self.end()


async def relay(
    response: h11.Response, call: Call, delivery: Delivery, masks: Masks | None, limits: Limits, tally: Tally
) -> None:
    """Raises Refused, also after the delivery has begun."""
    headers, reason = tuple(response.headers), bytes(response.reason)
    bodiless = tally.method == "HEAD" or response.status_code in (204, 304)
    decoder = _decoder(headers, limits.response_body) if masks and not bodiless else None
    if masks:
        headers, reason = _covered(masks, headers), masks.cover(reason)
    headers = response_headers(headers, rewritten=masks is not None and not bodiless)
    await delivery.begin(response.status_code, reason, headers)
    stream, turns = MaskedStream(masks) if masks else None, Turns()
    try:
        while data := await _piece(call, delivery):
            for part in _decoded(decoder, data):
                tally.size += len(part)
                if tally.size > limits.response_body:
                    raise Refused(502, f"the response is larger than {limits.response_body} bytes")
                if decoder and tally.size > max(limits.unpacked, limits.expansion * call.received):
                    raise Refused(502, f"the response unpacks to more than {limits.expansion} times its size")
                await turns.give()
                await delivery.piece(await masked(stream, part, turns) if stream else part)
        _ended(decoder)
    except Refused:
        await delivery.flush()  # whether it comes early or late, code sees the same: a response that breaks off
        raise
    if stream:
        await delivery.piece(stream.end())
    last = trailers(call.trailers)
    await delivery.end(_covered(masks, last) if masks else last)


async def masked(stream: MaskedStream, part: bytes, turns: Turns) -> bytes:
    """What `part` brings to light, in steps that grow while the search is quick: a hostile body makes it slow."""
    shown, start, size = [], 0, _SCANNED
    while start < len(part):
        began = time.perf_counter()
        shown.append(stream.feed(part[start : start + size]))
        start += size
        size = 4 * size if time.perf_counter() - began < _QUICK else _SCANNED
        await turns.give()
    return b"".join(shown)


async def _piece(call: Call, delivery: Delivery) -> bytes:
    """Empty at the end. Nothing is kept from the client while the host is waited for."""
    if (data := call.at_hand()) is None:
        await delivery.flush()
        data = await call.piece()
    return data


def _covered(masks: Masks, headers: Headers) -> Headers:
    return tuple((masks.cover(name), masks.cover(value)) for name, value in headers)


def _decoder(headers: Headers, limit: int) -> Decoder | None:
    coding = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1")
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
