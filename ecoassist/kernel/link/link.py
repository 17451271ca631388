"""The host's end of the link on its event loop: frames in and out, the channels, the kernel's start and exit."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial

from ecoassist.errors import NoSandbox
from ecoassist.types import Attachment

from .channel import CLOSE_SECONDS, Channel
from .frames import (
    CHUNK,
    FIRST_OF_PEER,
    MAX_CHANNELS,
    MAX_PROXIED,
    Attached,
    Facts,
    Frame,
    Frames,
    KernelExit,
    Started,
    Violation,
    exit_of,
    pack,
    started_of,
    window_of,
)
from .proxied import Proxied

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
GO_SECONDS = 30.0
"""From the start of a container, or of a restart inside, to the relay's answer."""
CANCEL_SECONDS = 1.0
FULL = 64 * 1024
"""Unsent bytes of the link from which on nothing more is added; asyncio's own limit for drain()."""
TAIL = 4000
"""Characters kept of the container's stderr."""


class Link:
    """All methods belong to the loop. `exited` is called when the kernel process ended."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        framed: bool,
        serve: Serve | None,
        exited: Callable[[KernelExit], None],
    ) -> None:
        self._reader, self._writer, self._serve, self._exited = reader, writer, serve, exited
        self._frames, self._attached = Frames(), Attached() if framed else None
        self._waiting: set[socket.socket] = set()
        """Local clients whose channel has not begun yet."""
        self._channels: dict[int, Channel | Proxied] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lent: dict[int, Channel] = {}
        """Those of the channels that open() gave away."""
        self._refused = bytearray()
        self._held: list[Proxied] = []
        """Those that have more to send than the link has room for."""
        self._freeing: asyncio.Task[None] | None = None
        self._last_own, self._last_of_peer = 0, FIRST_OF_PEER - 1
        self._answer: asyncio.Future[Started] | None = None
        self._running = False
        self.tail = ""

    # ── the link itself ─────────────────────────────────────────────────────────────────────────────────────────────

    async def receive(self) -> None:
        """Handles frames until the peer is gone. Raises Violation."""
        try:
            while data := await self._reader.read(4 * CHUNK):
                for mine, piece in self._attached.feed(data) if self._attached else [(True, data)]:
                    if mine:
                        self._feed(piece)
                    else:
                        self.note(piece)
                if self._refused:  # in one write: asyncio counts all that is unsent anew at each
                    self._writer.write(bytes(self._refused))
                    self._refused.clear()
                await self._writer.drain()  # a peer that asks for answers but reads none is not read either
        except ConnectionError:
            pass

    async def send(self, kind: bytes, channel: int = 0, payload: bytes | memoryview = b"") -> None:
        self.put(kind, channel, payload)
        await self._writer.drain()

    def put(self, kind: bytes, channel: int, payload: bytes | memoryview = b"") -> None:
        if not self._writer.is_closing():  # the connections learn of the end one after the other
            self._writer.write(pack(kind, channel, payload))

    def room(self, asking: Proxied) -> bool:
        """Whether data may be put. If not, `asking` is flushed as soon as it may."""
        if self._writer.transport.get_write_buffer_size() <= FULL:
            return True
        if asking not in self._held:
            self._held.append(asking)
        if not self._freeing:
            self._freeing = asyncio.create_task(self._free())
        return False

    async def _free(self) -> None:
        try:
            while self._held:
                await self._writer.drain()
                held, self._held = self._held, []
                for proxied in held:
                    proxied.flush()
        except ConnectionError:
            pass  # the link is about to end
        finally:
            self._freeing = None

    def note(self, text: bytes) -> None:
        self.tail = (self.tail + text.decode("utf-8", "replace"))[-TAIL:]

    async def close(self) -> None:
        self._writer.transport.abort()
        await self.drop_channels()

    # ── the kernel ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def hello(self, hello: Mapping[str, object]) -> None:
        await self.send(b"H", 0, json.dumps(hello).encode())

    async def go(self, files: Sequence[Attachment]) -> Facts:
        """Sends the files and has the kernel started. Raises NoSandbox."""
        self._answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(GO_SECONDS):
                for file in files:
                    await self.send(b"F", 0, file.name.encode())
                    for at in range(0, len(file.content), CHUNK):
                        await self.send(b"f", 0, file.content[at : at + CHUNK])
                await self.send(b"G")
                error, facts = await self._answer
        except TimeoutError as late:
            raise NoSandbox(f"the sandbox did not answer within {GO_SECONDS:.0f} s") from late
        if error:
            raise NoSandbox(error)
        return facts

    async def restart(self, files: Sequence[Attachment]) -> None:
        """A fresh kernel in the same container. Raises NoSandbox."""
        self._running = False
        await self.drop_channels()
        await self.send(b"R")
        await self.go(files)

    # ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────

    def accept(self, port: int, client: socket.socket) -> None:
        """Connects a local client with a port of the kernel."""
        if len(self._channels) >= MAX_CHANNELS or self._writer.is_closing():
            client.close()
            return
        self._last_own += 1
        self._writer.write(pack(b"O", self._last_own, str(port).encode()))
        channel = self._channels[self._last_own] = Channel(self._last_own, self.send)
        self._waiting.add(client)
        # a task that is cancelled before its first step does not come to closing anything
        self._keep(channel.number, self._local(channel, client), partial(self._turn_away, client))

    async def _local(self, channel: Channel, client: socket.socket) -> None:
        self._waiting.discard(client)
        reader, writer = await asyncio.open_connection(sock=client)
        await channel.run(reader, writer)

    def _turn_away(self, client: socket.socket) -> None:
        if client in self._waiting:
            self._waiting.discard(client)
            client.close()

    def open(self, target: bytes) -> Channel:
        """A channel of the caller's own, to what the sandbox has under `target`; release() it. Raises NoSandbox."""
        if len(self._channels) >= MAX_CHANNELS or self._writer.is_closing():
            raise NoSandbox("the link to the sandbox is full or closed", "try again")
        self._last_own += 1
        self._writer.write(pack(b"O", self._last_own, target))
        channel = self._channels[self._last_own] = self._lent[self._last_own] = Channel(self._last_own, self.send)
        return channel

    def release(self, channel: Channel) -> None:
        """Closes it; may be called again. What still comes for it is ignored, what waits for it is ended."""
        if self._lent.pop(channel.number, None):
            del self._channels[channel.number]
            channel.lose()
            if not channel.peer_closed and not self._writer.is_closing():
                self._writer.write(pack(b"C", channel.number))

    async def drop_channels(self) -> None:
        for channel in list(self._lent.values()):
            self.release(channel)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CANCEL_SECONDS)

    def _keep(
        self, number: int, work: Coroutine[object, object, None], after: Callable[[], None] = lambda: None
    ) -> None:
        """Runs `work`, then `after`; the channel counts until then."""

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._channels.pop(number, None)
            after()

        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(ended)

    async def _proxied(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, serve: Serve) -> None:
        """Hands a connection that the sandbox opened to `serve`."""
        try:
            await serve(reader, writer)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), CLOSE_SECONDS)
        except OSError:
            pass  # the client is gone
        except Exception as error:  # noqa: BLE001 - a fault of one connection must not end the link to the kernel
            self.note(f"a proxied connection failed: {type(error).__name__}\n".encode())

    # ── what the peer sends ─────────────────────────────────────────────────────────────────────────────────────────

    def _feed(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            if frame.kind in b"DCW":
                self._for_channel(frame)
            elif frame.kind == b"O":
                self._open(frame)
            elif frame.kind == b"X":
                self._exit(exit_of(frame.payload))
            elif frame.kind == b"G":
                self._started(started_of(frame.payload))
            else:
                self.note(frame.payload)

    def _for_channel(self, frame: Frame) -> None:
        channel = self._channels.get(frame.channel)
        if channel is None:  # closed in the meantime, or never opened
            if not (0 < frame.channel <= self._last_own or FIRST_OF_PEER <= frame.channel <= self._last_of_peer):
                raise Violation("a channel that nobody opened")
        elif frame.kind == b"D":
            channel.data(frame.payload)
        elif frame.kind == b"W":
            channel.window(window_of(frame.payload))
        else:
            channel.closed()

    def _open(self, frame: Frame) -> None:
        if frame.payload != b"proxy" or frame.channel <= self._last_of_peer:
            raise Violation("not a channel that the sandbox may open")
        self._last_of_peer = frame.channel
        if self._serve is None or len(self._channels) >= MAX_PROXIED:
            self._refused += pack(b"C", frame.channel)
            return
        proxied = self._channels[frame.channel] = Proxied(frame.channel, self)
        self._keep(frame.channel, self._proxied(*proxied.streams(), self._serve), proxied.abort)

    def _exit(self, exit: KernelExit) -> None:
        if self._running:  # else that of the kernel before a restart
            self._running = False
            self._exited(exit)

    def _started(self, answer: Started) -> None:
        if self._answer is None or self._answer.done():
            raise Violation("an answer that nobody asked for")
        self._running = not answer.error
        self._answer.set_result(answer)
