"""Frames over stdin and stdout."""

from __future__ import annotations

import os
import selectors
import struct
from collections.abc import Callable, Iterator

HEADER = struct.Struct("!cII")
MAX_FRAME = 128 * 1024
CHUNK = 64 * 1024
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Link:
    """Raises EOFError when the host is gone."""

    def __init__(self, selector: selectors.BaseSelector, readable: Callable[[int], None]) -> None:
        self.selector = selector
        self.received, self.unsent = bytearray(), bytearray()
        self.waiting = False
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        selector.register(0, READ, readable)

    def frames(self) -> Iterator[tuple[bytes, int, bytes]]:
        try:
            data = os.read(0, 4 * CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        self.received += data
        while len(self.received) >= HEADER.size:
            kind, number, size = HEADER.unpack_from(self.received)
            end = HEADER.size + size
            if len(self.received) < end:
                break
            payload = bytes(self.received[HEADER.size : end])
            del self.received[:end]
            yield kind, number, payload
        if not data or len(self.received) > HEADER.size + MAX_FRAME:
            raise EOFError

    def send(self, kind: bytes, number: int = 0, payload: bytes = b"") -> None:
        self.unsent += HEADER.pack(kind, number, len(payload)) + payload
        self.flush()

    def flush(self, mask: int = 0) -> None:
        """Writes what can be written. What remains is bounded by the windows of the channels."""
        try:
            while self.unsent:
                del self.unsent[: os.write(1, self.unsent[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError as error:
            raise EOFError from error
        if self.waiting != bool(self.unsent):
            self.waiting = bool(self.unsent)
            if self.waiting:
                self.selector.register(1, WRITE, self.flush)
            else:
                self.selector.unregister(1)
