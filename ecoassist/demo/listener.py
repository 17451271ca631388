"""A gate that listens on loopback, for code outside any sandbox. In a sandbox, the link carries the connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from ecoassist.egress.proxy import Gate


@contextmanager
def listening(gate: Gate) -> Iterator[str]:
    """The proxy's URL. It listens until the block is left."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(gate, started)), name="listener")
    thread.start()
    url, loop, end = started.result()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join()


async def _serve(gate: Gate, started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    end = asyncio.Event()
    try:
        server = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    except OSError as error:
        started.set_exception(error)
        return
    port = server.sockets[0].getsockname()[1]
    started.set_result((f"http://127.0.0.1:{port}", asyncio.get_running_loop(), end))
    await end.wait()
    server.close()
