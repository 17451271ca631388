from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest

from ecoassist.errors import Interrupted
from ecoassist.events import Event, Output, Stream
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.link.mux import Mux
from ecoassist.kernel.local import LocalBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.ports import Kernel
from ecoassist.types import CellResult
from tests.kernel.peers import DEADLINE, HELLO, Connect, Peer

T = TypeVar("T")


Start: TypeAlias = "Callable[..., Kernel]"
Run: TypeAlias = "Callable[..., CellResult]"


@pytest.fixture
def run() -> Run:
    """Runs a cell to its end, noting its events in `seen`; interrupts it upon the output `interrupt_at`."""

    def run(
        kernel: Kernel,
        code: str,
        *,
        interrupt_at: str = "",
        seen: list[Event] | None = None,
        seconds: float | None = None,
    ) -> CellResult:
        stream: Stream[CellResult] = kernel.run(code, seconds)
        try:
            event = next(stream)
            while True:
                if seen is not None:
                    seen.append(event)
                hit = interrupt_at and isinstance(event, Output) and interrupt_at in event.text
                event = stream.throw(Interrupted()) if hit else next(stream)
        except StopIteration as end:
            result: CellResult = end.value
            return result

    return run


@pytest.fixture
def started() -> Iterator[list[Kernel]]:
    kernels: list[Kernel] = []
    yield kernels
    for kernel in kernels:
        kernel.close()


@pytest.fixture
def start_local(started: list[Kernel]) -> Start:
    """Starts a kernel on this machine; the test's end closes it."""

    def start(*, seconds: float = 30.0, **given: Any) -> Kernel:
        environ = {"PATH": "/usr/bin:/bin", "HOME": "/", "SOMEBODYS_KEY": "sk-not-for-cells"}
        kernel = LocalBox(environ, cell_seconds=seconds).start(**given)
        started.append(kernel)
        return kernel

    return start


@pytest.fixture
def start_box(started: list[Kernel], box_settings: BoxSettings) -> Start:
    """Starts a kernel in a container; the test's end closes it."""

    def start(*, seconds: float = 30.0, **given: Any) -> Kernel:
        kernel = DockerBox(replace(box_settings, cell_seconds=seconds)).start(**given)
        started.append(kernel)
        return kernel

    return start


@pytest.fixture
def soon() -> Callable[[Callable[[], T]], T]:
    """Asks until the answer is true, for up to 15 s; returns the last answer."""

    def soon(ask: Callable[[], T]) -> T:
        end = time.monotonic() + 15
        while not (answer := ask()) and time.monotonic() < end:
            time.sleep(0.05)
        return answer

    return soon


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Connect]:
    """Makes a mux that is not started and its peer."""
    made: list[tuple[Mux, Peer]] = []

    def pair(**options: Any) -> tuple[Mux, Peer]:
        ours, theirs = socket.socketpair()
        options = {"framed": False, "hello": HELLO, "channels": {1: str(tmp_path / "k-1")}, **options}
        made.append((Mux(ours, **options), Peer(theirs)))
        return made[-1]

    yield pair
    for mux, peer in made:
        mux.close()
        peer.socket.close()
        assert mux.gone.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "sandbox-link"]


@pytest.fixture
def connect(pair: Connect, pool: ThreadPoolExecutor) -> Connect:
    """Makes a started mux and its peer."""

    def connect(**options: Any) -> tuple[Mux, Peer]:
        mux, peer = pair(**options)
        starting = pool.submit(mux.start)
        peer.greet(options.get("framed", False))
        starting.result(DEADLINE)
        return mux, peer

    return connect
