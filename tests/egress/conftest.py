"""Real servers on loopback behind a real gate on loopback, reached by real clients.

The upstream servers have certificates of an authority of their own; Policy.overrides leads their names to loopback.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any, TypeVar

import h11
import httpx
import pytest
import requests

from ecoassist.egress.ca import SessionCA
from ecoassist.egress.places import parse_place, placeholder
from ecoassist.egress.policy import Override, Policy
from ecoassist.egress.proxies import Proxies
from ecoassist.egress.proxy import Gate
from ecoassist.egress.resolve import Resolver, lookup
from ecoassist.egress.wire import Limits
from ecoassist.types import Secret

T = TypeVar("T")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """A request as it reached an upstream."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    def text(self) -> str:
        return f"{self.target}\n{self.headers}\n{self.body!r}"


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = (b"fine",)
    """Written one by one, chunked, unless the headers state a length."""
    pause: float = 0.0
    """Seconds between pieces."""
    then_close: bool = False


class Host:
    """An upstream: answers what its `reply` says, and keeps what it saw."""

    def __init__(self, name: str, reply: Callable[[Seen], Reply]) -> None:
        self.name, self.reply = name, reply
        self.seen: list[Seen] = []
        self.open = 0
        self.connections = 0
        self.plain_port = self.tls_port = 1  # closed

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.connections += 1
        number = self.connections
        http = h11.Connection(h11.SERVER)
        try:
            while await self._one(http, reader, writer, number):
                http.start_next_cycle()
        except (OSError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()
            await asyncio.wait([asyncio.ensure_future(_closed(writer))])
            self.open -= 1

    async def _one(
        self, http: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        async def event() -> h11.Event:
            while not isinstance(found := http.next_event(), h11.Event):
                http.receive_data(await reader.read(65536))
            return found

        request = await event()
        if not isinstance(request, h11.Request):
            return False
        body = bytearray()
        while isinstance(data := await event(), h11.Data):
            body += data.data
        headers = {name.decode(): value.decode() for name, value in request.headers}
        seen = Seen(request.method.decode(), request.target.decode(), headers, bytes(body), number)
        self.seen.append(seen)
        reply = self.reply(seen)
        writer.write(http.send(h11.Response(status_code=reply.status, headers=list(reply.headers.items()))) or b"")
        if seen.method != "HEAD" and reply.status not in (204, 304):
            for piece in reply.pieces:
                writer.write(http.send(h11.Data(data=piece)) or b"")
                await writer.drain()
                await asyncio.sleep(reply.pause)
        writer.write(http.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        return not reply.then_close and http.our_state is h11.DONE and http.their_state is h11.DONE


async def _closed(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.wait_closed()
    except OSError:
        pass


def trusting(pem: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem.decode())


class Net:
    """Everything that listens, on one loop in one thread."""

    reply = Reply

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = SessionCA()
        self.hosts: list[Host] = []
        self.troubles: list[str] = []
        self.handling: set[asyncio.Task[Any]] = set()
        self.servers: list[asyncio.Server] = []
        self._gates: list[Gate] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(self._trouble)
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def _trouble(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio had to report; but a host may meet a gate that does not like its certificate."""
        if context["message"] != "Error on transport creation for incoming connection":
            self.troubles.append(str(context))

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 30) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    def listen(self, handler: Handler, context: ssl.SSLContext | None = None) -> int:
        async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self.handling.add(task)
            try:
                await handler(reader, writer)
            except asyncio.CancelledError:  # by close(); asyncio would report it
                pass
            finally:
                writer.close()
                self.handling.discard(task)

        server = self.run(asyncio.start_server(handled, "127.0.0.1", 0, ssl=context, backlog=200))
        self.servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def host(
        self,
        name: str,
        reply: Callable[[Seen], Reply] = lambda seen: Reply(),
        *,
        tls: bool = True,
        plain: bool = False,
        authority: SessionCA | None = None,
    ) -> Host:
        host = Host(name, reply)
        if tls:
            host.tls_port = self.listen(host.serve, (authority or self.authority).context(name))
        if plain:
            host.plain_port = self.listen(host.serve)
        self.hosts.append(host)
        return host

    def gate(
        self,
        *secrets: Secret,
        hosts: Sequence[str] | None = None,
        read_only: bool = False,
        resolve: Resolver = lookup,
        limits: Limits | None = None,
        overrides: bool = True,
        proxies: Proxies | None = None,
        upstream: ssl.SSLContext | None = None,
        policy: Policy | None = None,
    ) -> Proxy:
        """A gate that lets all hosts made so far through, or what `policy` does."""
        found = {host.name: Override("127.0.0.1", host.tls_port, host.plain_port) for host in self.hosts}
        allowed = tuple(hosts) if hosts is not None else tuple(found)
        policy = policy or Policy(allowed, secrets, read_only, found if overrides else {})
        gate = Gate(
            policy,
            SessionCA(),
            upstream or trusting(self.authority.pem),
            resolve=resolve,
            limits=limits,
            proxies=proxies,
        )
        self._gates.append(gate)
        port = self.listen(gate.serve)
        path = self.folder / f"session{port}.pem"
        path.write_bytes(gate.ca.pem)
        return Proxy(gate, port, path, self)

    def settle(self) -> None:
        """Waits until no connection is being handled any more, nor kept for the next request."""

        def settled() -> bool:
            self.run(self._release())
            return not self.handling

        until(settled)

    async def _release(self) -> None:
        for gate in self._gates:
            await gate.close()

    def close(self) -> None:
        for server in self.servers:
            self._loop.call_soon_threadsafe(server.close)
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        for task in self.handling:
            task.cancel()
        await asyncio.gather(*self.handling, return_exceptions=True)
        await self._release()
        await self._loop.shutdown_default_executor()
        await asyncio.sleep(0.01)  # transports finish closing in the next turns of the loop


@dataclass
class Answer:
    """What a client was told, whichever it is."""

    status: int
    reason: str
    text: str
    headers: dict[str, str]


@dataclass
class Proxy:
    gate: Gate
    port: int
    pem: Path
    net: Net

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"http": self.url, "https": self.url}
        session.verify = str(self.pem)
        return session

    def get(self, url: str, **options: Any) -> requests.Response:
        return self.ask("GET", url, **options)

    def ask(self, method: str, url: str, **options: Any) -> requests.Response:
        with self.session() as session:
            return session.request(method, url, timeout=30, **options)

    def raw(self, sent: bytes) -> bytes:
        """What the gate answers to these bytes."""

        async def exchange() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(sent)
                return await asyncio.wait_for(reader.read(), 15)
            finally:
                writer.close()
                await _closed(writer)

        return self.net.run(exchange())

    def inside(self, target: str, sent: bytes) -> bytes:
        """What the gate answers to these bytes inside a tunnel."""

        async def exchange() -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
                assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
                await writer.start_tls(trusting(self.gate.ca.pem), server_hostname=target.rpartition(":")[0])
                writer.write(sent)
                return await asyncio.wait_for(reader.read(), 15)
            finally:
                writer.close()
                await _closed(writer)

        return self.net.run(exchange())


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path)
    try:
        yield made
    finally:
        made.close()
    assert made.troubles == []


@pytest.fixture(scope="module")
def lasting_net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """One for all tests of a module."""
    made = Net(tmp_path_factory.mktemp("net"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def secret() -> Callable[..., Secret]:
    def made(
        *places: str, value: str = "sk-l1ve/T0P+secret=99", host: str = "api.example.com", name: str = "API_KEY"
    ) -> Secret:
        return Secret(name, value, placeholder(value), (host,), tuple(map(parse_place, places)))

    return made


def until(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Waits for what should come true soon."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    return until


# ── clients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _requests(proxy: Proxy, method: str, url: str, body: bytes | None) -> Answer:
    response = proxy.ask(method, url, data=body)
    return Answer(response.status_code, response.reason, response.text, dict(response.headers.lower_items()))


def _httpx(proxy: Proxy, method: str, url: str, body: bytes | None) -> Answer:
    with httpx.Client(proxy=proxy.url, verify=trusting(proxy.gate.ca.pem), trust_env=False, timeout=30) as client:
        response = client.request(method, url, content=body)
        return Answer(response.status_code, response.reason_phrase, response.text, dict(response.headers))


def _urllib(proxy: Proxy, method: str, url: str, body: bytes | None) -> Answer:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"http": proxy.url, "https": proxy.url}),
        urllib.request.HTTPSHandler(context=trusting(proxy.gate.ca.pem)),
    )
    request = urllib.request.Request(url, data=body, method=method)
    try:
        with opener.open(request, timeout=30) as response:
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, response.reason, response.read().decode(), headers)
    except urllib.error.HTTPError as error:
        with error:
            headers = {name.lower(): value for name, value in error.headers.items()}
            return Answer(error.code, str(error.reason), error.read().decode(), headers)


def _curl(proxy: Proxy, method: str, url: str, body: bytes | None) -> Answer:
    if not which("curl"):
        pytest.skip("curl is not installed")
    how = ["-I"] if method == "HEAD" else ["-i", "-X", method]
    data = ["--data-binary", "@-"] if body is not None else []
    command = ["curl", "-q", "-sS", "--suppress-connect-headers", "--noproxy", "", "-x", proxy.url]
    command += ["--cacert", str(proxy.pem)]
    done = subprocess.run([*command, *how, *data, url], input=body, capture_output=True, timeout=30, check=True)
    head, _, text = done.stdout.decode().partition("\r\n\r\n")
    while head.split(" ")[1] == "100":
        head, _, text = text.partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Answer(int(first.split(" ")[1]), first.split(" ", 2)[2], text, headers)


Client = Callable[[Proxy, str, str, bytes | None], Answer]


@pytest.fixture(params=[_requests, _httpx, _urllib, _curl], ids=lambda client: client.__name__.strip("_"))
def client(request: pytest.FixtureRequest) -> Client:
    chosen: Client = request.param
    return chosen
