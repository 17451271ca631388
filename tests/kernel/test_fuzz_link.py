"""A hostile peer drives the real link: whatever it sends, and whatever is asked of the link meanwhile, nothing but
NoSandbox comes of it, and everything comes to an end. The long run is benchmarks/fuzz.py.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from contextlib import contextmanager
from itertools import chain, repeat

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ecoassist.errors import NoSandbox
from ecoassist.kernel.link.frames import CHUNK, FROM_PEER, MAX_FRAME, MAX_PROXIED, WINDOW
from ecoassist.kernel.link.mux import Mux
from tests.kernel.peers import DEADLINE, HEADER, HELLO, THEIRS, Connect, Peer

STALL = 0.2
KINDS = st.sampled_from([bytes([kind]) for kind in FROM_PEER])
NUMBERS = st.sampled_from([0, 1, 2, 3, THEIRS, THEIRS + 1, 2**32 - 1]) | st.integers(0, 2**32 - 1)
WORDS = st.sampled_from(
    [
        b"",
        b"{}",
        b"[]",
        b"ok",
        b"error: no",
        b"proxy",
        b'[["a", 1, 2]]',
        b'[["../a", 1, 2]]',
        b'{"code": 0, "oom": false}',
        b'{"error": "\\ud800"}',
        b'{"facts": {"seccomp": 2, "cpus": NaN, "interfaces": ["lo"]}}',
        b"\0\0\0\1",
        b"\0\4\0\0",
        b"[" * MAX_FRAME,
        bytes(CHUNK),
    ]
)
PAYLOADS = WORDS | st.binary(max_size=100)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


class Hostile(RuleBasedStateMachine):
    """Frames that make sense lead deep into the link's states; the others try whether it stands them there."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="eco-")
        self.pool = ThreadPoolExecutor(8)
        self.asked: list[Future[object]] = []
        self.clients: list[socket.socket] = []
        self.next_of_peer = THEIRS

    @initialize(framed=st.booleans(), wild=st.booleans(), greeting=st.sampled_from([b"{}", b'{"facts": {}}']))
    def begin(self, framed: bool, wild: bool, greeting: bytes) -> None:
        self.wild = wild
        ours, self.far = socket.socketpair()
        self.framed = framed
        self.mux = Mux(ours, framed=framed, hello=HELLO, channels={1: f"{self.folder}/k-1"}, serve=echo, stall=STALL)
        starting = self.pool.submit(self.mux.start)
        peer = Peer(self.far)
        peer.until(b"G")
        self.send(HEADER.pack(b"G", 0, len(greeting)) + greeting)
        starting.result(DEADLINE)
        self.far.setblocking(False)
        self.inbox, self.opened = bytearray(), [1]

    def send(self, data: bytes) -> None:
        if self.framed:
            data = b"\1\0\0\0" + len(data).to_bytes(4, "big") + data
        try:
            self.far.send(data)
        except OSError:
            pass  # it reads no more, or ended

    def receive(self) -> set[bytes]:
        """The kinds of the frames that have come."""
        try:
            while data := self.far.recv(CHUNK):
                self.inbox += data
        except OSError:
            pass
        kinds = set()
        while len(self.inbox) >= HEADER.size:
            kind, number, size = HEADER.unpack_from(self.inbox)
            if len(self.inbox) < HEADER.size + size:
                break
            del self.inbox[: HEADER.size + size]
            kinds.add(kind)
            if kind == b"O":
                self.opened.append(number)
        return kinds

    def ask(self, work: Callable[[], object]) -> None:
        if len(self.asked) < 6:
            self.asked.append(self.pool.submit(work))

    @precondition(lambda self: self.wild)  # most of these end the link at once
    @rule(kind=KINDS, number=NUMBERS, payload=PAYLOADS)
    def any_frame(self, kind: bytes, number: int, payload: bytes) -> None:
        self.send(HEADER.pack(kind, number, len(payload)) + payload)

    @rule(which=st.integers(1, 3), payload=WORDS.filter(bool), close=st.booleans())
    def answer_on_a_channel(self, which: int, payload: bytes, close: bool) -> None:
        self.receive()
        number = self.opened[-min(which, len(self.opened))]
        self.send(HEADER.pack(b"D", number, len(payload)) + payload)
        if close:
            self.send(HEADER.pack(b"C", number, 0))

    @rule(count=st.sampled_from([1, 3, MAX_PROXIED + 1]), payload=st.sampled_from([b"", b"x", bytes(CHUNK)]))
    def connections(self, count: int, payload: bytes) -> None:
        frames = b""
        for _ in range(count):
            frames += HEADER.pack(b"O", self.next_of_peer, 5) + b"proxy"
            self.next_of_peer += 1
        if payload:
            frames += HEADER.pack(b"D", self.next_of_peer - 1, len(payload)) + payload
        self.send(frames)

    @precondition(lambda self: self.wild)
    @rule(data=st.binary(max_size=200))
    def any_bytes(self, data: bytes) -> None:
        try:
            self.far.send(data)
        except OSError:
            pass

    @rule(payload=PAYLOADS)
    def restart(self, payload: bytes) -> None:
        """Unanswered, only the end of the link would end it soon."""
        restarting: Future[object] = self.pool.submit(self.mux.restart)
        end = time.monotonic() + DEADLINE
        while not restarting.done() and b"G" not in self.receive() and time.monotonic() < end:
            time.sleep(0.001)
        self.send(HEADER.pack(b"G", 0, len(payload)) + payload)
        self.asked.append(restarting)

    @precondition(lambda self: self.wild)
    @rule()
    def vanish(self) -> None:
        self.far.close()

    @rule(payload=st.sampled_from([b"", b"x", bytes(2 * WINDOW)]))
    def local_client(self, payload: bytes) -> None:
        client = socket.socket(socket.AF_UNIX)
        self.clients.append(client)
        client.setblocking(False)
        try:
            client.connect(f"{self.folder}/k-1")
            client.send(payload)
        except OSError:
            pass

    @rule(act=st.sampled_from(["list", "get", "part", "put", "signal"]))
    def ask_the_link(self, act: str) -> None:
        mux = self.mux
        work: dict[str, Callable[[], object]] = {
            "list": lambda: mux.files.list(),
            "get": lambda: sum(map(len, mux.files.get("a", 1 << 20))),
            "part": lambda: next(iter(mux.files.get("a", 10)), b""),
            "put": lambda: mux.files.put("a", [bytes(WINDOW + 1)]),
            "signal": lambda: mux.signal(2),
        }
        self.ask(work[act])

    @invariant()
    def only_no_sandbox_is_raised(self) -> None:
        for each in [each for each in self.asked if each.done()]:
            self.asked.remove(each)
            assert isinstance(each.exception(), NoSandbox | None), repr(each.exception())

    def teardown(self) -> None:
        if not hasattr(self, "mux"):
            return
        self.mux.close()
        assert self.mux.gone.wait(DEADLINE)
        for each in self.asked:
            try:
                assert isinstance(each.exception(DEADLINE), NoSandbox | None), repr(each.exception())
            except Late:
                pytest.fail("something waits although the link is gone")
        self.far.close()
        for client in self.clients:
            client.close()
        self.pool.shutdown()
        shutil.rmtree(self.folder)


@contextmanager
def no_complaints() -> Iterator[None]:
    """asyncio logs what nobody caught."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage() + str(record.exc_info))  # type: ignore[method-assign]
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert said == []


def test_a_hostile_peer_causes_no_error_and_no_hang() -> None:
    bounded = settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
    with no_complaints():
        run_state_machine_as_test(Hostile, settings=bounded)


# ── floods ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def frame(kind: bytes, number: int = 0, payload: bytes = b"") -> bytes:
    return HEADER.pack(kind, number, len(payload)) + payload


def attached(stream: int, data: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def opened(rest: Callable[[int], bytes]) -> Iterator[bytes]:
    """Blocks of connections, each followed by `rest` of its number."""
    for block in range(1000):
        yield b"".join(
            frame(b"O", THEIRS + n, b"proxy") + rest(THEIRS + n) for n in range(block * 1000, block * 1000 + 1000)
        )


DEEP_JSON, WIDE_JSON = b"[" * MAX_FRAME, b"[" + b"[]," * (MAX_FRAME // 3 - 1) + b"1]"
FLOODS: dict[str, Callable[[], Iterator[bytes]]] = {
    "connections": lambda: opened(lambda number: b""),
    "connections that close": lambda: opened(lambda number: frame(b"C", number)),
    "connections that speak": lambda: opened(lambda number: frame(b"D", number, b"x" * 500)),
    "log": lambda: repeat(frame(b"L", 0, b"x" * MAX_FRAME)),
    "log in small pieces": lambda: repeat(frame(b"L", 0, b"\xf0\x9f\x92\xa9") * 5000),
    "empty frames": lambda: repeat(frame(b"L") * 10_000),
    "exits": lambda: repeat(frame(b"X", 0, b'{"code": 1, "oom": true}') * 1000),
    "deep exits": lambda: repeat(frame(b"X", 0, DEEP_JSON)),
    "wide exits": lambda: repeat(frame(b"X", 0, WIDE_JSON)),
    "answers": lambda: repeat(frame(b"G", 0, b"{}") * 1000),
    "credit": lambda: repeat(frame(b"W", 1, b"\xff\xff\xff\xff") * 1000),
    "closes": lambda: repeat(frame(b"C", 1) * 1000),
    "half a frame": lambda: iter([frame(b"L", 0, bytes(MAX_FRAME))[:-1]]),
}
ATTACHED: dict[str, Callable[[], Iterator[bytes]]] = {
    "single bytes of errors": lambda: repeat(attached(2, b"x") * 10_000),
    "single bytes of frames": lambda: repeat(b"".join(attached(1, bytes([byte])) for byte in frame(b"L")) * 1000),
    "empty parts": lambda: repeat(attached(1, b"") * 10_000),
    "4 GB of errors": lambda: chain([b"\2\0\0\0\xff\xff\xff\xff"], repeat(bytes(CHUNK))),
    "4 GB of frames": lambda: chain([b"\1\0\0\0\xff\xff\xff\xff"], repeat(frame(b"L", 0, bytes(CHUNK)))),
}


@pytest.mark.parametrize(
    ("name", "framed"), [*((name, False) for name in FLOODS), *((name, True) for name in ATTACHED)]
)
@pytest.mark.parametrize("reads", [True, False])
def test_a_flood_neither_grows_nor_hangs(
    connect: Connect, pool: ThreadPoolExecutor, name: str, framed: bool, reads: bool
) -> None:
    mux, peer = connect(framed=framed, serve=echo)
    if reads:
        pool.submit(drain, peer.socket)
    peer.socket.settimeout(0.3)
    tracemalloc.start()
    try:
        end = time.monotonic() + 0.7
        for data in (ATTACHED if framed else FLOODS)[name]():
            try:
                peer.socket.sendall(data)
            except OSError:
                break  # it ended the link, or does not read because we do not
            if time.monotonic() > end:
                break
        grown = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert grown < 32 << 20
    began = time.monotonic()
    mux.close()
    assert time.monotonic() - began < 2
    peer.socket.close()


def drain(sock: socket.socket) -> None:
    try:
        while sock.recv(CHUNK):
            pass
    except OSError:
        pass
