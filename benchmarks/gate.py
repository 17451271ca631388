"""The gate beside the direct way: the same client (requests) and the same server, with TLS on both ways.

Through the link: the program runs in a sandbox, its bytes cross the container's standard streams. Beside it: the same
program on this machine, straight to the server. Without a container engine the program runs here on both ways.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from ecoassist.config import Config, environment, load
from ecoassist.egress.ca import SessionCA
from ecoassist.egress.places import parse_place, placeholder
from ecoassist.egress.policy import Override, Policy
from ecoassist.egress.proxy import Gate
from ecoassist.errors import NoSandbox
from ecoassist.play import play
from ecoassist.sandboxes import Sandboxes
from ecoassist.types import Secret

from .common import Figure, alternately, milliseconds, ratio, report

ROUNDS = 9
REQUESTS, CONNECTIONS, SIZE, TUNNELS = 100, 10, 30_000_000, 100
PLAIN, KEYED = "plain.example.com", "keyed.example.com"
KEY = "sk-benchmark-0123456789abcdef"
SMALL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n" + b'{"fine": "true"}'
WORDS = b'{"id": 123456, "name": "a station", "values": [1.5, 2.5, 3.5]}, '
BIG = (WORDS * (SIZE // len(WORDS) + 1))[:SIZE]
CLIENT = r"""
import time, requests
from requests.adapters import HTTPAdapter

class Straight(HTTPAdapter):
    def __init__(self, host):
        self.host = host
        super().__init__()
    def init_poolmanager(self, *args, **more):
        super().init_poolmanager(*args, server_hostname=self.host, assert_hostname=self.host, **more)

class Connection:
    def __init__(self, way, host):
        "way: the proxy's URL, the server's address or None, a PEM file; without all of them as the environment has it"
        proxy, server, pem = way
        self.session = requests.Session()
        self.url = "https://" + (server or host)
        if pem:
            self.session.trust_env, self.session.verify = False, pem
        if proxy:
            self.session.proxies = {"https": proxy}
        if server:
            self.session.mount("https://", Straight(host))
            self.session.headers["Host"] = host
    def get(self, path):
        with self.session.get(self.url + path, stream=True, timeout=60) as answer:
            assert answer.status_code == 200, answer.text
            return sum(map(len, answer.iter_content(1 << 16)))

def requests_kept(way, host, count):
    made = Connection(way, host)
    made.get("/small")
    began = time.perf_counter()
    for _ in range(count):
        made.get("/small")
    took = (time.perf_counter() - began) / count
    made.session.close()
    return took

def connections(way, host, count):
    began = time.perf_counter()
    for _ in range(count):
        made = Connection(way, host)
        made.get("/small")
        made.session.close()
    return (time.perf_counter() - began) / count

def stream(way, host, size):
    made = Connection(way, host)
    began = time.perf_counter()
    assert made.get("/big") == size
    took = time.perf_counter() - began
    made.session.close()
    return took
"""
ASKED = """
import json, sys
for line in sys.stdin:
    name, host, number = json.loads(line)
    print(globals()[name]({way!r}, host, number), flush=True)
"""
SERVE = """
import asyncio, pathlib
from benchmarks.gate import Far
asyncio.run(Far().serve(pathlib.Path({pem!r})))
"""
MEMORY = """
import asyncio, json, ssl, sys
from pathlib import Path
from benchmarks.gate import KEYED, TUNNELS, gate_of
def rss(): return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
async def main():
    port, pem = int(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    gate = gate_of(port, pem)
    context = ssl.create_default_context(cadata=gate.ca.pem.decode())
    listening = await asyncio.start_server(gate.serve, "127.0.0.1", 0)
    async def tunnel():
        reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
        writer.write(f"CONNECT {KEYED}:443 HTTP/1.1\\r\\nHost: {KEYED}:443\\r\\n\\r\\n".encode())
        await reader.readuntil(b"\\r\\n\\r\\n")
        await writer.start_tls(context, server_hostname=KEYED)
        writer.write(f"GET /small HTTP/1.1\\r\\nHost: {KEYED}\\r\\n\\r\\n".encode())
        await reader.readuntil(b"}")
        return writer
    kept = [await tunnel()]
    before = rss()
    kept += await asyncio.gather(*(tunnel() for _ in range(TUNNELS)))
    print(rss() - before)
    for writer in kept: writer.transport.abort()
    listening.close()
asyncio.run(main())
"""
Run = Callable[[str, str, int], float]
"""Which function of CLIENT, for which host, how often or how much."""


def gate_of(port: int, pem: bytes) -> Gate:
    """Lets both hosts through, to the server on `port`; one of them has a key."""
    key = Secret("BENCH_KEY", KEY, placeholder(KEY), (KEYED,), (parse_place("header:x-key"),))
    found = {host: Override("127.0.0.1", port) for host in (PLAIN, KEYED)}
    policy = Policy(tuple(found), (key,), overrides=found)
    return Gate(policy, SessionCA(), ssl.create_default_context(cadata=pem.decode()))


class Far:
    """The far end: answers /small and /big on any number of connections. It runs in a process of its own."""

    def __init__(self) -> None:
        self.authority = SessionCA()
        self._contexts = {host: self.authority.context(host) for host in (PLAIN, KEYED)}

    async def serve(self, pem: Path) -> None:
        """Says its port on stdout, and runs until stdin ends."""
        pem.write_bytes(self.authority.pem)
        context = self._contexts[PLAIN]
        context.sni_callback = self._named
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=context, backlog=200)
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)

    def _named(self, connection: Any, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._contexts.get(name or "", context)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                if b" /big " not in head.split(b"\r\n")[0]:
                    writer.write(SMALL)
                    continue
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
                for at in range(0, SIZE, 1 << 17):
                    writer.write(BIG[at : at + (1 << 17)])
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class Server:
    """That process."""

    def __init__(self, folder: Path) -> None:
        self.pem = folder / "authority.pem"
        program = SERVE.format(pem=str(self.pem))
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


class Client:
    """The client program in a process of its own here, asked line by line."""

    def __init__(self, way: tuple[str | None, str | None, str]) -> None:
        program = CLIENT + ASKED.format(way=way)
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, name: str, host: str, number: int) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([name, host, number]) + "\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(30)
        assert self._process.stdout
        self._process.stdout.close()


CONFIG = """
[network]
ca_bundle = {pem}
[network.addresses]
"{plain}" = "127.0.0.1:{port}"
"{keyed}" = "127.0.0.1:{port}"
[apis.plain]
host = "{plain}"
[apis.keyed]
host = "{keyed}"
secret = "BENCH_KEY"
place = "header:x-key"
"""


def config_of(server: Server, folder: Path) -> Config:
    text = CONFIG.format(pem=json.dumps(str(server.pem)), plain=PLAIN, keyed=KEYED, port=server.port)
    (file := folder / "config.toml").write_text(text)
    return load(file, environ=environment() | {"BENCH_KEY": KEY})


@contextmanager
def sandboxed(server: Server, folder: Path) -> Iterator[Run]:
    """The client program in a sandbox. Raises NoSandbox."""
    way = (None, None, None)
    boxes = Sandboxes(config_of(server, folder), lambda text: None, ())
    boxes.prepare()
    with closing(boxes.start()) as kernel:
        assert play(kernel.run(CLIENT)).status == "ok"

        def run(name: str, host: str, number: int) -> float:
            result = play(kernel.run(f"{name}({way}, {host!r}, {number})"))
            assert result.status == "ok", result
            return float(result.value)

        yield run


@contextmanager
def here(server: Server, folder: Path) -> Iterator[Run]:
    """The client program on this machine, through a gate that listens on loopback."""
    gate = gate_of(server.port, server.pem.read_bytes())
    (pem := folder / "session.pem").write_bytes(gate.ca.pem)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    started = asyncio.start_server(gate.serve, "127.0.0.1", 0)
    port = asyncio.run_coroutine_threadsafe(started, loop).result(30).sockets[0].getsockname()[1]
    try:
        with closing(Client((f"http://127.0.0.1:{port}", None, str(pem)))) as client:
            yield client.run
    finally:
        asyncio.run_coroutine_threadsafe(gate.close(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def figures(direct: Run, way: Run, told: str) -> Iterator[Figure]:
    """What the way through the gate costs. `told`: which way it is.

    Targets of requests are for the whole way. Those of streams are for the gate: through the link a stream cannot be
    faster than the engine carries the container's standard streams, about 300 MB/s where they were measured alone.
    """
    linked = told == "sandboxed"
    asked: dict[str, Callable[[], float]] = {
        "direct": lambda: direct("requests_kept", PLAIN, REQUESTS),
        "plain": lambda: way("requests_kept", PLAIN, REQUESTS),
        "keyed": lambda: way("requests_kept", KEYED, REQUESTS),
    }
    samples = alternately(asked, ROUNDS)
    yield milliseconds("a request on a kept connection, direct", samples["direct"])
    yield milliseconds(f"the same, {told}", samples["plain"])
    yield ratio(f"kept connection, {told} / direct", samples["plain"], samples["direct"], 4 if linked else None)
    yield ratio(f"kept connection with a key, {told} / direct", samples["keyed"], samples["direct"])
    asked = {
        "direct": lambda: direct("connections", PLAIN, CONNECTIONS),
        "plain": lambda: way("connections", PLAIN, CONNECTIONS),
    }
    samples = alternately(asked, ROUNDS)
    yield milliseconds("a new connection, direct", samples["direct"])
    yield milliseconds(f"the same, {told}", samples["plain"])
    yield ratio(f"new connection, {told} / direct", samples["plain"], samples["direct"], 3 if linked else None)
    asked = {
        "direct": lambda: direct("stream", PLAIN, SIZE),
        "plain": lambda: way("stream", PLAIN, SIZE),
        "keyed": lambda: way("stream", KEYED, SIZE),
    }
    samples = alternately(asked, ROUNDS // 3)
    yield Figure("30 MB, direct", SIZE / 1e6 / statistics.median(samples["direct"]), "MB/s")
    yield ratio(f"time of 30 MB, {told} / direct", samples["plain"], samples["direct"], None if linked else 1 / 0.4)
    yield ratio(
        f"time of 30 MB masked, {told} / direct", samples["keyed"], samples["direct"], None if linked else 1 / 0.3
    )


def memory(server: Server) -> float:
    """MB that 100 open tunnels take beside the first, with the client's ends of them."""
    command = [sys.executable, "-c", MEMORY, str(server.port), str(server.pem)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return float(done.stdout)


def main() -> None:
    found: list[Figure] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ecoassist-bench-")))
        server = stack.enter_context(closing(Server(folder)))
        straight = Client((None, f"127.0.0.1:{server.port}", str(server.pem)))
        direct = stack.enter_context(closing(straight)).run
        with here(server, folder) as way:
            found += figures(direct, way, "on loopback")
        try:
            with sandboxed(server, folder) as way:
                found += figures(direct, way, "sandboxed")
        except NoSandbox as error:
            print(f"not measured in a sandbox: {error}")
        found.append(Figure("memory of 100 tunnels, both of their ends", memory(server), "MB"))
    report("The gate beside the direct way", found)


if __name__ == "__main__":
    main()
