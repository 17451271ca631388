"""Many connections at once, from code that means no harm and from code that does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ecoassist.ports import Kernel
from tests.sandbox.test_clients import TUNNELS, Outside, cell, says

pytestmark = pytest.mark.docker
TOGETHER = f"""
import asyncio, aiohttp, collections
async def one(session, url):
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(30)) as answer: return answer.status
    except Exception as error: return repr(error)
async def many(count, url):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return collections.Counter(await asyncio.gather(*(one(session, url) for _ in range(count))))
await many({TUNNELS}, "https://shop.example/together")
"""
TOO_MANY = """
import asyncio, ssl, collections
trusting = ssl.create_default_context()
async def one(start, kept):
    try:
        reader, writer = await asyncio.open_connection("elsewhere.example", 443, ssl=trusting)
        kept.append(writer)
        start.release()
        writer.write(b"GET / HTTP/1.1\\r\\nHost: elsewhere.example\\r\\n\\r\\n")
        return (await reader.readuntil(b"\\r\\n\\r\\n")).split(b" ")[1].decode()
    except (OSError, asyncio.IncompleteReadError): return "closed"
async def many(count):
    start, kept = asyncio.Semaphore(0), []
    answers = await asyncio.wait_for(asyncio.gather(*(one(start, kept) for _ in range(count))), 30)
    for writer in kept: writer.close()
    return collections.Counter(answers)
told = await many(300)
told["403"] <= 256, told["403"] >= 200, told["503"] > 0, sum(told.values())
"""


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    made = Outside(tmp_path_factory.mktemp("outside"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def kernel(outside: Outside) -> Kernel:
    return outside.kernel()


def files() -> int:
    return len(os.listdir("/proc/self/fd"))


def falls_to(count: Callable[[], int], most: int) -> bool:
    deadline = time.monotonic() + 15
    while count() > most and time.monotonic() < deadline:
        time.sleep(0.05)
    return count() <= most


def test_200_tunnels_at_once_all_work_and_leave_nothing_behind(kernel: Kernel, outside: Outside) -> None:
    says(kernel, "import aiohttp")
    cell(kernel, 'import urllib.request; urllib.request.urlopen("https://shop.example/").read()')
    inside = "import os; print(len(os.listdir('/proc/self/fd')))"
    before = files(), threading.active_count(), int(says(kernel, inside))
    idle = 32  # connections to hosts are kept for a while, and each has its other end in this process
    for _ in range(3):
        result = cell(kernel, TOGETHER)
        assert result.value == f"Counter({{200: {TUNNELS}}})", result
        assert len(result.accesses) == TUNNELS
        assert falls_to(files, before[0] + 2 * idle), files()
    assert falls_to(threading.active_count, before[1] + idle)
    assert falls_to(lambda: int(says(kernel, inside)), before[2] + 20)


def test_tunnels_beyond_the_limit_are_told_and_none_hangs(kernel: Kernel) -> None:
    before = files()
    assert cell(kernel, TOO_MANY).value == "(True, True, True, 300)"
    assert falls_to(files, before)
    assert cell(kernel, TOO_MANY).value == "(True, True, True, 300)"  # the places are free again


def test_clients_of_the_proxy_beyond_the_limit_are_told(outside: Outside) -> None:
    kernel = outside.kernel()
    code = """
import socket
clients = [socket.create_connection(("127.0.0.1", 3128), 15) for _ in range(300)]
last = clients[-1].recv(200)
for client in clients: client.close()
last
"""
    result = cell(kernel, code)
    assert result.value.startswith("b'HTTP/1.1 503 more than"), result
    assert cell(kernel, 'import urllib.request; urllib.request.urlopen("https://shop.example/").status').value == "200"
