"""A reply that cannot cost more than was reserved for it, also where the endpoint ignores the limit it was given.

Nothing tells from outside when a reply has reached its limit: endpoints count differently, and report only at the end.
So an endpoint is asked for less than is paid for, and hung up on where what it sent, by a count that tends to say too
many, could pass what is paid for with what is on its way. No promise holds for a piece that is larger than that room,
nor for reasoning that is not sent: that is paid for as it is reported.
"""

from __future__ import annotations

from typing import Any

from .heard import written

ROOM = 32
"""Tokens that may be on their way when the line is hung up: a third of a second of a fast model."""


def asked(limit: int) -> int:
    """The limit that an endpoint is given where `limit` tokens are paid for."""
    return limit - max(limit // 8, _room(limit))


def _room(limit: int) -> int:
    return min(ROOM, limit // 3)


class Guard:
    """Counts one reply, reasoning included, as its pieces arrive. limit: what is paid for; None: everything."""

    def __init__(self, limit: int | None) -> None:
        self.limit, self.counted, self.largest = limit, 0, 0
        self.passed = False
        """The line has to be hung up."""

    def sees(self, chunk: Any, *, ended: bool) -> bool:
        """Takes a chunk; whether the line has to be hung up. `ended`: the endpoint has said that the reply is over.

        What an honest endpoint that counts as we do can send is never cut, however large its pieces.
        """
        tokens = written(chunk)
        self.counted, self.largest = self.counted + tokens, max(self.largest, tokens)
        if self.limit is not None and not ended:
            coming = max(self.largest, _room(self.limit))
            self.passed = self.counted > asked(self.limit) and self.counted + coming > self.limit
        return self.passed
