"""Connections to hosts: which address, whose certificate, and through which proxy of this machine."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ecoassist.egress.ca import SessionCA
from ecoassist.egress.dial import Dialer
from ecoassist.egress.policy import Door, Policy, Service
from ecoassist.egress.proxies import Proxies, Unusable
from ecoassist.egress.race import STAGGER, interleaved, reached
from ecoassist.egress.resolve import Resolver
from ecoassist.egress.trust import verifying
from ecoassist.egress.wire import Limits, Refused
from ecoassist.types import Secret

if TYPE_CHECKING:
    from tests.egress.conftest import Client, Net, Proxy

NAME = "api.example.com"
URL = f"https://{NAME}/"
PUBLIC = ("1.1.1.1", "2606:4700::1", "8.8.8.8", "2606:4700::2")
Make = Callable[..., Secret]


# ── one of several addresses ────────────────────────────────────────────────────────────────────────────────────────


class Loop(asyncio.SelectorEventLoop):
    """Connects nowhere: `answers` says what happens at an address. Its clock jumps to the next thing to do."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__()
        self.answers, self.tried = answers, list[tuple[float, str, int]]()
        self.sockets: list[socket.socket] = []
        self.ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.tried.append((round(self.time() - self.begun, 1), *address))
        self.sockets.append(sock)
        match self.answers.get(address[0], "refuses"):
            case "refuses":
                raise ConnectionRefusedError
            case "is silent":
                await asyncio.sleep(1000)

    async def create_connection(self, factory: object, *place: object, **options: Any) -> Any:  # type: ignore[override]
        options["sock"].close()
        raise LookupError

    def _run_once(self) -> None:  # nothing here waits for anything but time
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self.ahead += max(0.0, self._scheduled[0].when() - self.time())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]

    begun = 0.0


def raced(answers: Mapping[str, str], addresses: Sequence[str] = PUBLIC) -> tuple[Loop, str]:
    """What was tried, and what came of it."""
    loop = Loop(answers)

    async def race() -> str:
        loop.begun = loop.time()
        try:
            async with asyncio.timeout(15):
                await reached(addresses, 443, None, NAME, 15)
        except TimeoutError:
            return "late"
        except ConnectionRefusedError:
            return "refused"
        except LookupError:  # from create_connection above
            return "connected"
        return "?"

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return loop, runner.run(race())


def test_the_kinds_of_addresses_are_tried_in_turn() -> None:
    assert interleaved(("1.1.1.1", "8.8.8.8", "9.9.9.9", "2606:4700::1")) == (
        "1.1.1.1",
        "2606:4700::1",
        "8.8.8.8",
        "9.9.9.9",
    )
    assert interleaved(("2606:4700::1", "2606:4700::2", "1.1.1.1")) == ("2606:4700::1", "1.1.1.1", "2606:4700::2")
    assert interleaved(("1.1.1.1",)) == ("1.1.1.1",)


def test_every_address_that_refuses_is_left_at_once_for_the_next() -> None:
    loop, outcome = raced({})

    assert outcome == "refused"
    assert [address for _, address, _ in loop.tried] == ["1.1.1.1", "2606:4700::1", "8.8.8.8", "2606:4700::2"]
    assert {(when, port) for when, _, port in loop.tried} == {(0.0, 443)}


def test_a_silent_address_holds_nothing_up_and_the_losers_are_closed() -> None:
    loop, outcome = raced({"1.1.1.1": "is silent", "2606:4700::1": "is silent", "8.8.8.8": "answers"})

    assert outcome == "connected"
    assert [address for _, address, _ in loop.tried] == ["1.1.1.1", "2606:4700::1", "8.8.8.8"]
    assert loop.tried[2][0] == pytest.approx(2 * STAGGER, abs=0.11)
    assert all(sock.fileno() == -1 for sock in loop.sockets)


def test_all_silent_addresses_together_end_at_the_deadline_and_are_closed() -> None:
    loop, outcome = raced(dict.fromkeys(PUBLIC, "is silent"))

    assert outcome == "late"
    assert len(loop.tried) == 4
    assert all(sock.fileno() == -1 for sock in loop.sockets)


def test_an_address_where_tls_fails_is_left_for_one_where_it_works(net: Net) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    host = net.host(NAME)
    net.run(_serve_at("127.0.0.2", host.tls_port, rude, net))

    async def reach() -> str:
        context = ssl.create_default_context(cadata=net.authority.pem.decode())
        _, writer = await reached(("127.0.0.2", "127.0.0.1"), host.tls_port, context, NAME, 15)
        peer: str = writer.get_extra_info("peername")[0]
        writer.transport.abort()
        return peer

    assert net.run(reach()) == "127.0.0.1"


async def _serve_at(address: str, port: int, handler: Any, net: Net) -> None:
    net.servers.append(await asyncio.start_server(handler, address, port))


# ── what a name may lead to ─────────────────────────────────────────────────────────────────────────────────────────


def answering(**answers: Sequence[str]) -> Resolver:
    """Names, with _ for the dots, and their addresses; any other does not resolve."""
    known = {name.replace("_", "."): found for name, found in answers.items()}

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host not in known:
            raise OSError("no such name")
        return known[host]

    return resolve


@pytest.mark.parametrize(
    "bad",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fd00::1", "fe80::1"],
)
@pytest.mark.parametrize("proxied", [False, True])
def test_a_name_with_one_address_that_is_not_public_is_refused_directly_and_through_a_proxy(
    net: Net, bad: str, proxied: bool
) -> None:
    way = Way(net) if proxied else None
    resolve = answering(api_example_com=("1.1.1.1", bad), proxy_example_net=("127.0.0.1",))

    response = net.gate(hosts=[NAME], resolve=resolve, proxies=way.proxies() if way else None).get(URL)

    assert response.status_code == 403
    assert f"the name {NAME} resolves to an address that is not public" in response.text
    assert not way or not way.seen


def test_an_international_name_is_looked_up_and_verified_as_it_is_written(net: Net) -> None:
    net.host("xn--bcher-kva.example.com")

    assert net.gate().get("https://bücher.example.com/").text == "fine"


# ── certificates ────────────────────────────────────────────────────────────────────────────────────────────────────


def self_signed(folder: Path, host: str, *, days: int = 1) -> Path:
    """A PEM file with a key and its own certificate, which is over when `days` have passed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=30))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (file := folder / f"{host}{days}.pem").write_bytes(made.public_bytes(Encoding.PEM) + sealed)
    return file


def serving(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (lambda net: SessionCA().context(NAME), "no authority that is known here has signed it"),
        (lambda net: serving(self_signed(net.folder, NAME)), "it is self-signed"),
        (lambda net: net.authority.context("other.example.com"), "it is for another name"),
        (lambda net: net.authority.context("*.com"), "it is for another name"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    net: Net, client: Client, context: Callable[[Net], ssl.SSLContext], told: str
) -> None:
    host = net.host(NAME, tls=False)
    host.tls_port = net.listen(host.serve, context(net))

    answer = client(net.gate(), "GET", URL, None)

    assert answer.status == 502
    assert f"the certificate of {NAME} is not valid: {told}" in answer.text
    assert host.seen == []


def test_an_expired_certificate_is_told_from_others(net: Net) -> None:
    host = net.host(NAME, tls=False)
    file = self_signed(net.folder, NAME, days=-1)
    host.tls_port = net.listen(host.serve, serving(file))

    response = net.gate(upstream=verifying(file)).get(URL)

    assert f"the certificate of {NAME} is not valid: it has expired" in response.text
    assert host.seen == []


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_a_host_with_old_tls_only_is_refused(net: Net, newest: ssl.TLSVersion) -> None:
    host = net.host(NAME, tls=False)
    context = net.authority.context(NAME)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, newest
    context.set_ciphers("ALL:@SECLEVEL=0")
    host.tls_port = net.listen(host.serve, context)

    response = net.gate().get(URL)

    assert response.status_code == 502
    assert "could not be reached over TLS" in response.text
    assert host.seen == []


def test_a_host_that_speaks_no_tls_is_told_as_such(net: Net) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        await reader.read(10)
        writer.close()

    host = net.host(NAME, tls=False)
    host.tls_port = net.listen(mute)

    assert "it does not speak TLS there" in net.gate().get(URL).text


def test_only_http_1_is_offered_and_nothing_before_tls_1_2() -> None:
    context = verifying()

    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode == ssl.CERT_REQUIRED


def test_a_bundle_takes_the_place_of_the_systems(net: Net, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(net.authority.pem)

    assert [found["subject"] for found in verifying(tmp_path / "ca.pem").get_ca_certs()] == [
        ((("commonName", "ecoassist session CA"),),)
    ]
    with pytest.raises(OSError):
        verifying(tmp_path / "missing.pem")


# ── this machine's own proxy ────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Way:
    """A proxy on the way out of this machine: knows the way to all hosts of a net, whatever their names resolve to."""

    net: Net
    refuses: bytes = b""
    """What it answers to everything."""
    password: str = ""
    seen: list[bytes] = field(default_factory=list)
    """Heads of requests."""
    port: int = 0
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.port = self.net.listen(self.serve, self.context)

    def proxies(self, bypass: str = "", scheme: str = "http") -> Proxies:
        user = f"me:{self.password}@" if self.password else ""
        url = f"{scheme}://{user}proxy.example.net:{self.port}"
        return Proxies(url, url, bypass)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.seen.append(head)
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        if self.refuses:
            writer.write(self.refuses)
            await writer.drain()
            writer.close()
            return
        name = target.removeprefix("http://").partition("/")[0].partition(":")[0]
        host = next(host for host in self.net.hosts if host.name == name)
        port = host.tls_port if method == "CONNECT" else host.plain_port
        above, below = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Fine\r\nVia: proxy\r\n\r\n")
        else:
            below.write(head)
        await asyncio.gather(_pipe(reader, below), _pipe(above, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


ONLY_PROXY = answering(proxy_example_net=("127.0.0.1",))


def through(net: Net, way: Way, *keys: Secret, resolve: Resolver = ONLY_PROXY, **options: Any) -> Proxy:
    """A gate whose way out is `way`; the hosts' names do not resolve here unless `resolve` says so."""
    hosts = [host.name for host in net.hosts]
    return net.gate(*keys, hosts=hosts, resolve=resolve, overrides=False, proxies=way.proxies(**options))


@pytest.mark.parametrize("resolved", [(), ("1.1.1.1",)])
def test_a_listed_host_is_reached_by_name_through_the_proxy(
    net: Net, client: Client, resolved: Sequence[str], secret: Make
) -> None:
    host = net.host(NAME, lambda seen: net.reply(pieces=[b"fi", b"ne"]))
    way = Way(net, password="p%40ss:w/rd".replace("/", "%2F"))
    key = secret("bearer")
    found = {"proxy_example_net": ("127.0.0.1",)} | ({"api_example_com": resolved} if resolved else {})

    answer = client(through(net, way, key, resolve=answering(**found)), "POST", URL, b"posted")

    assert (answer.status, answer.text) == (200, "fine")
    assert host.seen[0].body == b"posted"
    [head] = way.seen
    assert head.startswith(b"CONNECT api.example.com:443 HTTP/1.1\r\nhost: api.example.com:443\r\n")
    assert b"proxy-authorization: Basic bWU6cEBzczp3L3Jk\r\n" in head
    assert b"proxy-authorization" not in host.seen[0].text().lower().encode()


def test_plain_http_goes_through_the_proxy_as_a_whole_url(net: Net) -> None:
    host = net.host(NAME, tls=False, plain=True)
    way = Way(net, password="secret")

    response = through(net, way).get(f"http://{NAME}/a/b?c=d")

    assert response.text == "fine"
    assert way.seen[0].startswith(b"GET http://api.example.com/a/b?c=d HTTP/1.1\r\n")
    assert b"proxy-authorization: Basic bWU6c2VjcmV0\r\n" in way.seen[0]
    assert host.seen[0].headers["host"] == NAME


def test_a_proxy_that_is_spoken_to_over_tls_is_verified(net: Net) -> None:
    net.host(NAME)
    good = Way(net, context=net.authority.context("proxy.example.net"))
    bad = Way(net, context=net.authority.context("another.example.net"))

    assert through(net, good, scheme="https").get(URL).text == "fine"
    told = through(net, bad, scheme="https").get(URL)
    assert told.status_code == 502
    assert "the certificate of this machine's proxy is not valid: it is for another name" in told.text
    assert bad.seen == []


@pytest.mark.parametrize("url", [URL, f"http://{NAME}/"])
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "wants a user and a password"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "refused to let it through (403)"),
        (b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n", "could not reach the host (502)"),
        (b"SSH-2.0-OpenSSH\r\n", "did not answer as a proxy"),
        (b"", "did not answer as a proxy"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "sent something before the host could"),
    ],
)
def test_a_proxy_that_refuses_is_told_without_its_address(net: Net, url: str, answer: bytes, told: str) -> None:
    net.host(NAME, plain=True)
    way = Way(net, refuses=answer or b"\r\n", password="hidden-password")
    proxy = through(net, way)

    response = proxy.get(url)

    said = f"{response.text}{response.reason}{response.headers}{proxy.gate.drain()}"
    assert not any(part in said for part in ("127.0.0.1", "proxy.example", str(way.port), "hidden-password"))
    if url == URL or b"407" in answer:
        assert response.status_code == 502
        assert told in response.text
    assert way.seen


def test_a_proxy_that_is_not_there_is_told_without_its_address(net: Net) -> None:
    net.host(NAME)
    way = Way(net)
    way.port = 1

    response = through(net, way).get(URL)

    assert response.status_code == 502
    assert "this machine's proxy could not be reached (ConnectionRefusedError)" in response.text


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_socks_is_refused_in_clear_words(net: Net, scheme: str) -> None:
    net.host(NAME)

    response = through(net, Way(net), scheme=scheme).get(URL)

    assert response.status_code == 502
    assert "this machine's environment names a SOCKS proxy; only http:// and https:// proxies" in response.text


def test_a_host_with_an_override_is_reached_past_the_proxy(net: Net) -> None:
    net.host(NAME)
    way = Way(net)

    assert net.gate(proxies=way.proxies()).get(URL).text == "fine"
    assert way.seen == []


def test_a_private_api_is_reached_past_the_proxy_wherever_it_is(net: Net) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    host, way = net.host("intra.example.net", tls=False, plain=True), Way(net)
    door = Door(host.name, host.plain_port, False)

    async def dial(policy: Policy) -> None:
        wire = await Dialer(policy, verifying, resolve, Limits(), way.proxies()).open(door)
        await wire.close()

    net.run(dial(Policy(services=(Service("intra", door=door),))))
    with pytest.raises(Refused, match="not public"):
        net.run(dial(Policy((host.name,))))
    assert way.seen == []


def test_a_host_that_the_person_did_not_list_has_to_resolve_here() -> None:
    async def dial() -> None:
        proxies = Proxies("", "http://proxy.example.net:1", "")
        await Dialer(Policy(reach="open"), verifying, ONLY_PROXY, Limits(), proxies).open(Door(NAME, 443, True))

    with pytest.raises(Refused, match="does not resolve here, and only a listed host goes unresolved to a proxy"):
        asyncio.run(dial())


def test_without_tls_only_a_listed_host_goes_through_the_proxy_which_resolves_it_again() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("8.8.8.8",)

    async def dial() -> None:
        proxies = Proxies("http://proxy.example.net:1", "", "")
        await Dialer(Policy(reach="open"), verifying, resolve, Limits(), proxies).open(Door(NAME, 80, False))

    with pytest.raises(Refused, match="without TLS only a listed host"):
        asyncio.run(dial())


def test_a_name_that_does_not_resolve_here_is_not_looked_up_for_each_connection(net: Net) -> None:
    asked: list[str] = []
    net.host(NAME)

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return await ONLY_PROXY(host, port)

    proxy = through(net, Way(net), resolve=resolve)

    assert [proxy.get(URL).text for _ in range(3)] == ["fine"] * 3
    assert asked.count(NAME) == 1


# ── which proxy, as its environment names it ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environ", "tls", "host"),
    [
        ({}, True, None),
        ({"HTTPS_PROXY": "http://p:3128"}, True, "p"),
        ({"HTTPS_PROXY": "http://p:3128"}, False, None),
        ({"HTTPS_PROXY": "http://p:3128", "https_proxy": "http://q"}, True, "q"),
        ({"HTTPS_PROXY": "http://p:3128", "https_proxy": ""}, True, "p"),
        ({"ALL_PROXY": "p:3128"}, True, "p"),
        ({"all_proxy": "p:3128"}, False, "p"),
        ({"ALL_PROXY": "p", "http_proxy": "http://q"}, False, "q"),
    ],
)
def test_the_environment_names_the_proxy(environ: dict[str, str], tls: bool, host: str | None) -> None:
    hop = Proxies.of(environ).hop(NAME, 443, (), tls=tls)

    assert (hop.host if hop else None) == host


@pytest.mark.parametrize(
    ("bypass", "met"),
    [
        ("*", True),
        (NAME, True),
        ("EXAMPLE.COM", True),
        (".example.com", True),
        ("*.example.com", True),
        ("localhost, other.org  example.com", True),
        (f"{NAME}:443", True),
        ("example.com:443", True),
        ("example.com:8443", False),
        ("ample.com", False),
        ("i.example.com", False),
        ("1.1.1.0/24", True),
        ("1.1.1.1", True),
        ("2606:4700::/32", True),
        ("10.0.0.0/8", False),
        ("", False),
        (" , ,", False),
        (".", False),
    ],
)
def test_hosts_are_reached_past_the_proxy_where_the_environment_says_so(bypass: str, met: bool) -> None:
    proxies = Proxies("", "http://proxy.example.net", bypass)

    assert (proxies.hop(NAME, 443, PUBLIC, tls=True) is None) == met


def test_the_password_of_a_proxy_is_known_to_those_who_hide_it_and_shown_nowhere() -> None:
    proxies = Proxies.of({"HTTPS_PROXY": "https://me:p%40ss@proxy.example.net/", "HTTP_PROXY": "me:other@p:1"})

    assert set(proxies.passwords) == {"p%40ss", "p@ss", "other"}
    assert "p%40ss" not in repr(proxies)
    hop = proxies.hop(NAME, 443, (), tls=True)
    assert hop
    assert hop.authorization == b"Basic bWU6cEBzcw=="
    assert "Basic" not in repr(hop)


@pytest.mark.parametrize("url", ["http://[::1", "http://proxy:port", "http://"])
def test_what_is_no_url_is_no_proxy(url: str) -> None:
    with pytest.raises(Unusable, match="is not a URL"):
        Proxies("", url, "").hop(NAME, 443, (), tls=True)
