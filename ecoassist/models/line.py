"""One request's connection, and what is written on it."""

from __future__ import annotations

import contextlib
import socket
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2  # what the openai client is built on

MOST = 1 << 26
"""Bytes of an answer: the longest reply that a model gives has about a fifth of it, in chunks of one token each."""


PACKED = ("gzip", "x-gzip", "deflate")
"""Encodings that are understood, though nobody asks for them."""


class Bounded(httpx2.SyncByteStream):
    """An answer of at most `most` bytes: one line without an end would fill the memory long before the deadline.

    `packed`: it is unpacked here, for a kilobyte may unpack to a megabyte. Raises ValueError.
    """

    def __init__(self, stream: Any, most: int, *, packed: bool = False) -> None:
        self.stream, self.left = stream, most
        self._unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None

    def __iter__(self) -> Iterator[bytes]:
        for data in self.stream:
            plain = self._unpacked(data) if self._unpacker else data
            self.left -= len(plain)
            if self.left < 0:
                raise ValueError("the answer does not end")
            yield plain

    def _unpacked(self, data: bytes) -> bytes:
        assert self._unpacker
        try:
            return self._unpacker.decompress(data, self.left + 1)
        except zlib.error as error:
            raise ValueError("the answer cannot be unpacked") from error

    def close(self) -> None:
        self.stream.close()


class Line:
    """The connection of one call: it can be hung up from another thread, at any point of the request."""

    def __init__(self, headers: Mapping[str, str], most: int = MOST) -> None:
        self.headers, self.most = headers, most
        self.sent = False
        """Something of the request has left: it may be billed."""
        self._socket: socket.socket | None = None
        self._hung_up = False

    def prepare(self, request: Any) -> None:
        """Called with the request just before it is sent: ours are its only headers."""
        request.headers.clear()
        request.headers.update(
            {
                "host": request.url.netloc.decode("ascii"),
                "content-type": "application/json",
                "content-length": str(len(request.content)),
                "accept": "application/json, text/event-stream",
                "accept-encoding": "identity",
                "user-agent": "ecoassist",
                "connection": "close",
                **self.headers,
            }
        )
        request.extensions = {**request.extensions, "trace": self._trace}

    def answered(self, response: Any) -> None:
        """Called with the response before anything of its body is read."""
        encoding = response.headers.pop("content-encoding", "identity").strip().lower() or "identity"
        if encoding != "identity" and encoding not in PACKED:
            raise ValueError(f"the answer is encoded as {encoding}")
        response.stream = Bounded(response.stream, self.most, packed=encoding in PACKED)

    def _trace(self, name: str, info: Mapping[str, Any]) -> None:
        """httpcore's documented trace extension: which socket is used, and how far the request is."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
        elif name.endswith("send_request_headers.started"):
            self.sent = True
        if self._hung_up:
            self.hang_up()

    def hang_up(self) -> None:
        self._hung_up = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # already closed
                # not SSLSocket's own: it takes the session from under the thread that reads; closing would not wake it
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
