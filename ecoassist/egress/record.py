"""What was asked of the network and what came of it. Never a query, a body or a key."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ecoassist.masks import Masks
from ecoassist.types import Access, Carried, Secret

from .shape import Sketch

_KEPT = 10_000
"""Accesses between two drains; the oldest are dropped first, since the sandbox decides how many there are."""
_SKETCHED = 24
"""The first accesses between two drains, of which the shape of the response is told."""


@dataclass(slots=True)
class Tally:
    """An Access in the making."""

    host: str
    method: str
    path: str = ""
    status: int | None = None
    refused: str = ""
    blocked: bool = False
    api: str = ""
    cached: bool = False
    size: int = 0
    begun: float = field(default_factory=time.monotonic)
    ended: float | None = None
    noted: bool = False
    key: Carried = ""
    sketched: bool = False
    """Whether the shape of the response is wanted."""
    sketch: Sketch | None = None

    def access(self, masks: Masks | None = None) -> Access:
        seconds = (self.ended or time.monotonic()) - self.begun
        shape = self.sketch.shape if self.sketch else ""
        path, shape = (_covered(masks, text) for text in (self.path, shape))
        told = (self.host, self.method, path, self.status, self.refused, self.size, seconds)
        return Access(*told, api=self.api, blocked=self.blocked, cached=self.cached, shape=shape, key=self.key)


def _covered(masks: Masks | None, text: str) -> str:
    return masks.cover(text.encode("utf-8", "replace")).decode("utf-8", "replace") if masks else text


class Record:
    """Written by the gate's event loop, drained from any thread.

    An access is noted before the client gets the first byte of its answer, so that code which has its answer finds it
    here; what is drained in the middle of a response has the figures of that moment.
    """

    def __init__(self, secrets: Sequence[Secret] = ()) -> None:
        """`secrets`: a path with one of them, or with its placeholder, has the name of its variable there."""
        names = [(text, f"[{secret.name}]") for secret in secrets for text in (secret.placeholder, secret.value)]
        self._masks = Masks(list(dict.fromkeys(names)), encoded=False) if names else None
        self._tallies: deque[Tally] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def note(self, tally: Tally) -> None:
        """Once per tally; later calls change nothing."""
        with self._lock:
            if not tally.noted:
                self._tallies.append(tally)
                tally.sketched = len(self._tallies) <= _SKETCHED
            tally.noted = True

    def drain(self) -> tuple[Access, ...]:
        """What was noted since the last drain, oldest first."""
        with self._lock:
            tallies = list(self._tallies)
            self._tallies.clear()
        return tuple(tally.access(self._masks) for tally in tallies)
