"""Connections to real hosts that wait for their next request. One pool per gate: what it holds has met one policy."""

from __future__ import annotations

import asyncio
from collections import deque

from .policy import Door
from .wire import Limits, Wire


class Pool:
    """Holds at most `limits.kept` connections to one place, each for at most `limits.kept_seconds`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kept: dict[Door, deque[tuple[float, Wire]]] = {}
        """Oldest first, with the time when each is to go."""
        self._sweeping: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    async def take(self, door: Door) -> Wire | None:
        """The connection used last, if it still stands."""
        while kept := self._kept.get(door):
            _, wire = kept.pop()
            if not kept:
                del self._kept[door]
            if await wire.quiet():
                return wire
            wire.abort()
        return None

    def give(self, door: Door, wire: Wire) -> None:
        """Takes a connection back after a whole response; closes it where it cannot carry another."""
        if not wire.next_cycle():
            wire.abort()
            return
        kept = self._kept.setdefault(door, deque())
        kept.append((asyncio.get_running_loop().time() + self._limits.kept_seconds, wire))
        if len(kept) > self._limits.kept:
            kept.popleft()[1].abort()
        if not self._sweeping:
            self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Closes what is kept. The pool may be used again."""
        if sweeping := self._sweeping:
            sweeping.cancel()
            await asyncio.wait([sweeping])

    async def _sweep(self) -> None:
        """Closes what has waited too long; everything, when the loop ends and cancels its tasks."""
        try:
            while self._kept:
                first = min(kept[0][0] for kept in self._kept.values())
                await asyncio.sleep(max(0.0, first - asyncio.get_running_loop().time()))
                self._drop(until=asyncio.get_running_loop().time())
        finally:
            self._sweeping = None
            self._drop(until=float("inf"))

    def _drop(self, until: float) -> None:
        for door, kept in tuple(self._kept.items()):
            while kept and kept[0][0] <= until:
                kept.popleft()[1].abort()
            if not kept:
                del self._kept[door]
