"""Files of the sandbox through its link. The host names them and takes bytes; only the relay inside opens anything.

The relay's answers are checked like everything on the link. Names are chosen by code, so that a name which is not fit
is left out and costs nothing; sizes and shapes are the relay's own words, and a wrong one ends the link.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, TypeVar

from ecoassist.errors import NoSandbox

from .channel import Channel
from .files import LONGEST_NAME, MOST_LISTED, Listed
from .frames import WINDOW, Violation, parsed, readable

T = TypeVar("T")
STALL_SECONDS = 10.0
"""For each window's worth (256 KB) of progress. What comes slower, or not at all, is given up."""
PIECE = WINDOW // 2
"""What get() yields at once, but for the last."""
MOST_TOLD = 512 * 1024
"""Bytes of a listing: 200 names of 255 bytes take 320 KB when each character is escaped."""
DEEPEST = 4
"""Parts of a listed name."""
REMEDY = "ask again; if it stays so: ecoassist doctor"


class Call(Protocol):
    def __call__(self, work: Coroutine[object, object, T], /) -> T:
        """Runs `work` on the link's loop to its end, from another thread.

        Raises NoSandbox when the link is gone, also meanwhile. A Violation ends the link and becomes NoSandbox.
        """


class LinkFiles:
    """WorkFiles of one sandbox.

    `open` and `release` are those of the link; `soon` has something done on its loop, if there is one still. `spool`
    is the folder inside where put() places files; `stall` is as STALL_SECONDS.
    """

    def __init__(
        self,
        call: Call,
        soon: Callable[[Callable[[], None]], None],
        open: Callable[[bytes], Channel],
        release: Callable[[Channel], None],
        spool: str,
        stall: float,
    ) -> None:
        self._call, self._soon, self._open_channel, self._release = call, soon, open, release
        self._spool, self._stall = spool, stall

    def list(self, within: float = STALL_SECONDS) -> tuple[Listed, ...]:
        return self._call(self._list(min(within, self._stall)))

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """As WorkFiles has it. Holds a window at most; closing the iterator ends the transfer."""
        if not fit(name) or most <= 0:
            return
        transfer = self._call(self._open(b"get " + name.encode()))
        try:
            while most > 0 and (data := self._call(transfer.read(PIECE))):
                yield data[:most]
                most -= len(data)
        finally:
            self._soon(partial(self._release, transfer.channel))

    def put(self, name: str, content: Iterable[bytes]) -> str:
        """As WorkFiles has it. The size goes first, so that `content` is taken whole before any of it is sent."""
        if not fit(name) or "/" in name:
            raise NoSandbox(f"{name!r} is not a plain file name", "choose another name")
        pieces = tuple(content)
        target = f"put {sum(map(len, pieces))} {name}".encode()
        transfer = self._call(self._open(target))
        try:
            for piece in pieces:
                view = memoryview(piece)
                for at in range(0, len(view), WINDOW):
                    self._call(transfer.write(view[at : at + WINDOW]))
            answer = self._call(transfer.rest(WINDOW))
        finally:
            self._soon(partial(self._release, transfer.channel))
        if answer != b"ok":
            why = readable(answer.decode("utf-8", "replace"))[:300].removeprefix("error: ") or "no answer"
            raise NoSandbox(f"the sandbox did not take {name}: {why}", "remove files there, or ask again")
        return f"{self._spool}/{name}"

    # ── on the loop ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _open(self, target: bytes) -> Transfer:
        return Transfer(self._open_channel(target), self._stall)

    async def _list(self, seconds: float) -> tuple[Listed, ...]:
        transfer = Transfer(self._open_channel(b"list"), seconds)
        try:
            return listed(await transfer.rest(MOST_TOLD))
        finally:
            self._release(transfer.channel)


class Transfer:
    """A channel whose other end has to move: `stall` seconds for each window's worth, or NoSandbox is raised.

    Only the time that we wait counts, not what our caller takes between two calls.
    """

    def __init__(self, channel: Channel, stall: float) -> None:
        self.channel, self._stall = channel, stall
        self._left, self._moved = stall, 0

    async def read(self, least: int = 1) -> bytes:
        """The next bytes, at least `least` but at the end; b"" after it."""
        async with self._patience():
            data = await self.channel.read(least)
        self._progress(len(data))
        return data

    async def rest(self, most: int) -> bytes:
        """Everything up to the end. Raises Violation when it is more than `most`."""
        got = bytearray()
        while data := await self.read():
            got += data
            if len(got) > most:
                raise Violation(f"an answer of more than {most} bytes")
        return bytes(got)

    async def write(self, data: memoryview) -> None:
        """Sends it all, unless the peer closes: then the rest is dropped, and its answer says why."""
        while data:
            async with self._patience():
                room = await self.channel.room()
                if not room:
                    return
                await self.channel.write(data[:room])
            self._progress(len(data[:room]))
            data = data[room:]

    def _progress(self, size: int) -> None:
        self._moved += size
        if self._moved >= WINDOW:
            self._left, self._moved = self._stall, 0

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        now = asyncio.get_running_loop().time
        began = now()
        try:
            async with asyncio.timeout(self._left):
                yield
        except TimeoutError as late:
            raise NoSandbox(f"the sandbox passed no file on for {self._stall:g} s", REMEDY) from late
        except ConnectionError as lost:
            raise NoSandbox("the sandbox ended or was restarted while a file was passed on", REMEDY) from lost
        finally:
            self._left -= now() - began


def fit(name: str) -> bool:
    """Whether a listing may have it: relative, without hidden, empty or climbing parts, of valid and bounded UTF-8."""
    parts = name.split("/")
    try:
        short = len(name.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:
        return False
    return short and "\0" not in name and len(parts) <= DEEPEST and not any(part[:1] in ("", ".") for part in parts)


def listed(answer: bytes) -> tuple[Listed, ...]:
    """What a listing tells. Raises Violation; names that are not fit, or told twice, are left out."""
    rows = parsed(answer, MOST_TOLD) if answer else []  # the relay could not look: code may take its rights away
    if not isinstance(rows, list) or len(rows) > MOST_LISTED:
        raise Violation("not a listing")
    found: dict[str, Listed] = {}
    for row in rows:
        file = _listed(row)
        if fit(file.name):
            found.setdefault(file.name, file)
    return tuple(found.values())


def _listed(row: Any) -> Listed:
    if not isinstance(row, list) or [type(each) for each in row] != [str, int, int]:
        raise Violation("not a row of a listing")
    name, size, stamp = row
    if not 0 <= size < 1 << 63 or stamp.bit_length() > 127:  # code sets the time, which may be before 1970
        raise Violation("not the size or the time of a file")
    return Listed(name, size, stamp)
