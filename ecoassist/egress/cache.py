"""One look at the data: what a run was answered, kept so that its later attempts and its re-run see the same.

It is the memory of one run and ends with it, so that a host's own word on caching (private, no-store, max-age) is set
aside on purpose: nobody else gets to see what is kept, and an answer is judged by the data it was made from. Kept is
what the sandbox got, after masking: there is no key in it.

Within an attempt every call is sent, since a program may wait for something to change. What earlier attempts got is
served in their order: the second of two equal calls gets the second response. After the last one a call is sent again;
in a re-run the last one stays. An attempt that changes something at a host sees what became of it: from then on all its
calls to that host are sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from .places import Headers

MOST_OF_ONE, MOST, MOST_ENTRIES = 4 << 20, 32 << 20, 500
"""Bytes of one response, bytes of all, and how many there are. What is more is not kept, and sent again."""

_WITHOUT_WEIGHT = frozenset(
    b"accept-encoding connection content-length date dnt expect host keep-alive proxy-authorization proxy-connection "
    b"te traceparent tracestate upgrade-insecure-requests user-agent x-request-id".split()
)
"""Request headers that make no other question, unless the response's Vary names them. All others do: keys, cookies,
versions and pages travel in them, and few hosts say so."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A GET without a body, as the sandbox sent it: with placeholders."""

    host: str
    port: int
    tls: bool
    target: bytes
    headers: Headers
    """Names in lower case."""

    @property
    def question(self) -> tuple[object, ...]:
        """Equal for requests that ask for the same, as far as the request alone tells."""
        told = {name: value for name, value in _joined(self.headers).items() if name not in _WITHOUT_WEIGHT}
        told.setdefault(b"accept", b"*/*")  # what no Accept means
        return (self.host, self.port, self.tls, self.target, frozenset(told.items()))

    def values(self, names: Iterable[bytes]) -> tuple[bytes | None, ...]:
        held = _joined(self.headers)
        return tuple(held.get(name) for name in names)


@dataclass(frozen=True, slots=True)
class Kept:
    """A complete response, as the sandbox got it."""

    reason: bytes
    headers: Headers
    body: bytes = field(repr=False)


@dataclass(slots=True)
class _Entry:
    attempt: int
    varying: tuple[bytes, ...]
    values: tuple[bytes | None, ...]
    """Of the request that got it, for the headers named in `varying`."""
    kept: Kept


class Cache:
    """What one run was answered. Used by the gates' loops and told of attempts from other threads."""

    def __init__(self, *, most_of_one: int = MOST_OF_ONE, most: int = MOST, entries: int = MOST_ENTRIES) -> None:
        self.most_of_one, self.most, self.most_entries = most_of_one, most, entries
        self._lock = threading.Lock()
        self._entries: dict[tuple[object, ...], list[_Entry]] = {}
        self._count = self._held = self._attempt = 0
        self._served: set[int] = set()
        self._changed: set[str] = set()
        """Hosts, by this attempt."""

    def begin_attempt(self) -> None:
        """From now on responses to earlier attempts are served, from the first one on."""
        with self._lock:
            self._attempt += 1
            self._served, self._changed = set(), set()

    def find(self, asked: Asked) -> Kept | None:
        """What this attempt's next such call gets; None: it is to be sent."""
        with self._lock:
            if asked.host in self._changed:
                return None
            fitting = [entry for entry in self._fitting(asked) if entry.attempt < self._attempt]
            return _next(fitting, self._served)

    def changes(self, host: str) -> None:
        """A request is being sent there that is no mere question."""
        with self._lock:
            self._changed.add(host)

    def recording(self, asked: Asked) -> Recording:
        """For the response to `asked`, which is being sent."""
        with self._lock:
            return Recording(self, asked, self._attempt)

    def rerun(self) -> Rerun:
        """For the gate of a re-run."""
        return Rerun(self)

    @property
    def held(self) -> int:
        """Bytes of responses, those under way included."""
        return self._held

    def _fitting(self, asked: Asked) -> list[_Entry]:
        entries = self._entries.get(asked.question, ())
        return [entry for entry in entries if entry.values == asked.values(entry.varying)]

    def _take(self, size: int) -> bool:
        """Whether there is room for `size` more bytes; they are then taken."""
        with self._lock:
            if self._held + size > self.most or self._count >= self.most_entries:
                return False
            self._held += size
            return True

    def _release(self, size: int) -> None:
        with self._lock:
            self._held -= size

    def _keep(self, asked: Asked, entry: _Entry) -> bool:
        with self._lock:
            if self._count >= self.most_entries:
                return False
            self._entries.setdefault(asked.question, []).append(entry)
            self._count += 1
            return True


class Rerun:
    """The same run's responses for one gate, from the first one on; nothing is added to them."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._served: set[int] = set()

    def find(self, asked: Asked) -> Kept | None:
        """The next response to `asked`, else the last one again; None: the run never had one."""
        with self._cache._lock:
            fitting = self._cache._fitting(asked)
            return _next(fitting, self._served) or (fitting[-1].kept if fitting else None)

    def changes(self, host: str) -> None:
        """Nothing does in a re-run."""

    def recording(self, asked: Asked) -> Recording | None:
        return None


View: TypeAlias = "Cache | Rerun"
"""What a gate looks into."""
Seen: TypeAlias = Callable[[], "View | None"]
"""The one that counts now; None: every call is sent, and nothing is kept."""


def _next(entries: Iterable[_Entry], served: set[int]) -> Kept | None:
    entry = next((entry for entry in entries if id(entry) not in served), None)
    if entry is None:
        return None
    served.add(id(entry))
    return entry.kept


class Recording:
    """A response on its way, fed as it is sent to the sandbox. Whoever feeds it ends it, with `complete` or `drop`."""

    def __init__(self, cache: Cache, asked: Asked, attempt: int) -> None:
        self._cache, self._asked, self._attempt = cache, asked, attempt
        self._reason = b""
        self._headers: Headers = ()
        self._body = bytearray()
        self._size = 0
        """Bytes that are taken."""
        self._wanted = False

    def head(self, status: int, reason: bytes, headers: Headers) -> None:
        """The head as relayed; decides whether the response may be kept at all."""
        self._reason, self._headers = reason, headers
        kind = _joined(headers).get(b"content-type", b"").partition(b";")[0].strip().lower()
        self._wanted = status == 200 and kind != b"text/event-stream" and b"*" not in _vary(headers)
        self._grow(len(self._asked.target) + _length(self._asked.headers) + _length(headers))

    def feed(self, data: bytes) -> None:
        """A piece of the body, masked."""
        if self._grow(len(data)):
            self._body += data

    def complete(self) -> None:
        """All of it was sent."""
        if not self._wanted:
            return
        varying = _varying(self._headers)
        kept = Kept(self._reason, self._headers, bytes(self._body))
        if self._cache._keep(self._asked, _Entry(self._attempt, varying, self._asked.values(varying), kept)):
            self._size = 0  # it stays taken
        self.drop()

    def drop(self) -> None:
        """It is not kept; after `complete` without effect."""
        self._cache._release(self._size)
        self._wanted, self._body, self._size = False, bytearray(), 0

    def _grow(self, size: int) -> bool:
        """Whether the response is still wanted with so much more."""
        if not self._wanted:
            return False
        if self._size + size > self._cache.most_of_one or not self._cache._take(size):
            self.drop()
            return False
        self._size += size
        return True


def _varying(headers: Headers) -> tuple[bytes, ...]:
    """Request headers on which the response depends. A packed body is for those who take that packing only."""
    packed = _joined(headers).get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity")
    return tuple(sorted((_vary(headers) - {b"accept-encoding"}) | ({b"accept-encoding"} if packed else set())))


def _vary(headers: Headers) -> set[bytes]:
    listed = _joined(headers).get(b"vary", b"")
    return {name.strip().lower() for name in listed.split(b",")} - {b""}


def _joined(headers: Headers) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def _length(headers: Headers) -> int:
    return sum(len(name) + len(value) for name, value in headers)
