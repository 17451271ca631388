"""Frames over stdin and stdout."""

from __future__ import annotations

import fcntl
import os
import selectors
import struct
from collections.abc import Callable, Iterator

HEADER = struct.Struct("!cII")
MAX_FRAME = 128 * 1024
CHUNK = 64 * 1024
READ_AT_ONCE = 256 * 1024
F_SETPIPE_SZ, PIPE = 1031, 256 * 1024
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Link:
    """Raises EOFError when the host is gone."""

    def __init__(self, selector: selectors.BaseSelector, readable: Callable[[int], None]) -> None:
        self.selector = selector
        self.received, self.filled = memoryview(bytearray(HEADER.size + MAX_FRAME + READ_AT_ONCE)), 0
        self.unsent = bytearray()
        self.waiting = False
        for end in (0, 1):
            widen(end)
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        selector.register(0, READ, readable)

    def frames(self) -> Iterator[tuple[bytes, int, bytes]]:
        try:
            arrived = os.readv(0, [self.received[self.filled :]])
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        at, self.filled = 0, self.filled + arrived
        while self.filled - at >= HEADER.size:
            kind, number, size = HEADER.unpack_from(self.received, at)
            end = at + HEADER.size + size
            if self.filled < end:
                break
            payload, at = bytes(self.received[at + HEADER.size : end]), end
            yield kind, number, payload
        self.filled -= at
        self.received[: self.filled] = self.received[at : at + self.filled]
        if not arrived or self.filled > HEADER.size + MAX_FRAME:
            raise EOFError

    def send(self, kind: bytes, number: int = 0, payload: bytes = b"") -> None:
        self.unsent += HEADER.pack(kind, number, len(payload))
        self.unsent += payload
        self.flush()

    def flush(self, mask: int = 0) -> None:
        """Writes what can be written. What remains is bounded by the windows of the channels."""
        try:
            while self.unsent:
                with memoryview(self.unsent) as unsent:
                    sent = os.write(1, unsent)
                del self.unsent[:sent]
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


def widen(pipe: int) -> None:
    """So that a window fits: else a stream waits for its reader at every 64 KB. As far as our user has pages left."""
    try:
        fcntl.fcntl(pipe, F_SETPIPE_SZ, PIPE)
    except OSError:
        pass
