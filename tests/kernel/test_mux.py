"""The mux against a scripted peer that may do anything a hostile sandbox could send."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import ssl
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.link.frames import CHUNK, MAX_CHANNELS, MAX_PROXIED, WINDOW
from ecoassist.kernel.link.mux import KernelExit, Mux
from ecoassist.types import Attachment
from tests.kernel.peers import DEADLINE, HEADER, HELLO, THEIRS, Connect, Peer


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Callable[[], socket.socket]]:
    """Makes local connections to port 1."""
    made = []

    def client() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        made.append(sock)
        sock.settimeout(DEADLINE)
        sock.connect(str(tmp_path / "k-1"))
        return sock

    yield client
    for sock in made:
        sock.close()


def gone(mux: Mux) -> str:
    """Waits for the end of the link; what the mux says about it."""
    assert mux.gone.wait(DEADLINE)
    assert mux.exited.is_set()
    return mux.error_text


def received(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            break
        data += piece
    return data


def pushed(sock: socket.socket, data: bytes, limit: int) -> int:
    """Sends `data` over and over; the bytes that a socket takes before it takes none for a second, or is closed."""
    sock.settimeout(1)
    total = 0
    try:
        while total < limit:
            total += sock.send(memoryview(data)[total % len(data) :])
    except OSError:
        pass
    return total


# ── start, exit, restart ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_start_sends_hello_then_the_files_then_go(pair: Connect, pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    large = os.urandom(CHUNK + 5)
    mux, peer = pair(files=[Attachment("a.csv", large), Attachment("empty", b"")])
    starting = pool.submit(mux.start)
    assert json.loads(peer.expect(b"H")[1]) == HELLO
    assert peer.expect(b"F") == (0, b"a.csv")
    assert peer.expect(b"f")[1] + peer.expect(b"f")[1] == large
    assert peer.expect(b"F") == (0, b"empty")
    assert peer.expect(b"G") == (0, b"")
    assert not (tmp_path / "k-1").exists()
    peer.send(b"G", 0, b"{}")
    starting.result(DEADLINE)
    assert stat.S_IMODE((tmp_path / "k-1").stat().st_mode) == 0o600
    assert not mux.exited.is_set()


def test_a_start_that_fails_inside_says_why(pair: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = pair()
    starting = pool.submit(mux.start)
    peer.until(b"G")
    peer.send(b"G", 0, b'{"error": "no space is left"}')
    with pytest.raises(NoSandbox, match="no space is left"):
        starting.result(DEADLINE)
    assert mux.gone.is_set()


def test_a_container_that_ends_at_once_gives_its_last_line(pair: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = pair(framed=True)
    peer.socket.sendall(struct.pack("!BxxxI", 2, 21) + b"Traceback\nno such file")
    peer.socket.close()
    with pytest.raises(NoSandbox, match=r"gone: no such fil$"):
        pool.submit(mux.start).result(DEADLINE)


def test_a_folder_that_cannot_hold_sockets_is_an_error(pair: Connect, pool: ThreadPoolExecutor, tmp_path: Path) -> None:
    mux, peer = pair(channels={1: str(tmp_path / ("long" * 50))})
    starting = pool.submit(mux.start)
    peer.greet()
    with pytest.raises(NoSandbox, match="no socket at") as caught:
        starting.result(DEADLINE)
    assert "folder" in caught.value.remedy


def test_an_exit_of_the_kernel_is_told_and_a_restart_forgets_it(
    connect: Connect, pool: ThreadPoolExecutor, client: Callable[[], socket.socket], tmp_path: Path
) -> None:
    mux, peer = connect(files=[Attachment("a", b"1")])
    local = client()
    assert peer.expect(b"O") == (1, b"1")
    peer.send(b"X", 0, b'{"code": -9, "oom": true}')
    assert mux.exited.wait(DEADLINE)
    assert mux.exit == KernelExit(-9, oom=True)
    assert not mux.gone.is_set()

    (tmp_path / "k-1").unlink()  # as jupyter_client does
    restarting = pool.submit(mux.restart)
    peer.expect(b"R")
    assert [peer.receive()[0] for _ in range(3)] == [b"F", b"f", b"G"]
    assert local.recv(1) == b""
    peer.send(b"X", 0, b'{"code": 0, "oom": false}')  # of the kernel before
    peer.send(b"D", 1, b"late")
    peer.send(b"G", 0, b"{}")
    restarting.result(DEADLINE)
    assert not mux.exited.is_set()
    assert mux.exit is None

    client()
    assert peer.expect(b"O") == (2, b"1")


def test_signals_are_passed_on(connect: Connect) -> None:
    mux, peer = connect()
    mux.signal(2)
    assert peer.expect(b"S") == (0, b"\x02")
    mux.close()
    mux.signal(2)  # nobody is left to hear it
    with pytest.raises(NoSandbox, match="gone"):
        mux.restart()


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bytes_travel_both_ways(connect: Connect, client: Callable[[], socket.socket]) -> None:
    _, peer = connect()
    first, second = client(), client()
    first.sendall(b"one")
    second.sendall(b"two")
    frames = {peer.receive() for _ in range(4)}
    assert frames == {(b"O", 1, b"1"), (b"O", 2, b"1"), (b"D", 1, b"one"), (b"D", 2, b"two")}
    peer.send(b"D", 2, b"deux")
    peer.send(b"D", 1, b"un")
    assert received(first, 2) == b"un"
    assert received(second, 4) == b"deux"


def test_a_close_follows_the_data_before_it(connect: Connect, client: Callable[[], socket.socket]) -> None:
    _, peer = connect()
    local = client()
    peer.expect(b"O")
    peer.send(b"D", 1, bytes(100_000))
    peer.send(b"C", 1)
    assert len(received(local, 200_000)) == 100_000

    local = client()
    local.sendall(b"last")
    local.close()
    assert [peer.receive() for _ in range(3)] == [(b"O", 2, b"1"), (b"D", 2, b"last"), (b"C", 2, b"")]


def test_no_more_than_the_window_is_sent_without_credit(connect: Connect, client: Callable[[], socket.socket]) -> None:
    _, peer = connect()
    local = client()
    peer.expect(b"O")
    assert pushed(local, bytes(CHUNK), 20 * WINDOW) < 4 * WINDOW
    got = 0
    while got < WINDOW:
        got += len(peer.expect(b"D")[1])
    assert got == WINDOW
    peer.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        peer.receive()
    peer.socket.settimeout(DEADLINE)
    peer.send(b"W", 1, struct.pack("!I", 10))
    assert len(peer.expect(b"D")[1]) == 10


def test_credit_is_given_back_as_the_local_client_reads(
    connect: Connect, client: Callable[[], socket.socket], pool: ThreadPoolExecutor
) -> None:
    _, peer = connect()
    local = client()
    peer.expect(b"O")
    data = os.urandom(CHUNK)
    reading = pool.submit(received, local, 100 * CHUNK)
    credit = WINDOW
    for _ in range(100):
        while credit < CHUNK:
            credit += int.from_bytes(peer.expect(b"W")[1], "big")
        peer.send(b"D", 1, data)
        credit -= CHUNK
    assert reading.result(DEADLINE) == data * 100


def test_a_peer_that_does_not_read_holds_up_the_local_client(
    connect: Connect, client: Callable[[], socket.socket]
) -> None:
    mux, peer = connect()
    clients = [client() for _ in range(20)]
    assert sum(pushed(local, bytes(CHUNK), 20 * WINDOW) for local in clients[:5]) < 5 * 4 * WINDOW
    began = time.monotonic()
    mux.close()
    assert time.monotonic() - began < 2
    peer.socket.close()


def test_a_peer_that_asks_without_reading_the_answers_is_not_read(connect: Connect) -> None:
    mux, peer = connect()
    frames = b"".join(HEADER.pack(b"O", THEIRS + i, 5) + b"proxy" for i in range(1_000_000))
    assert pushed(peer.socket, frames, len(frames)) < 5_000_000
    assert not mux.gone.is_set()


# ── what breaks the protocol ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "channel", "payload", "says"),
    [
        (b"H", 0, b"{}", "unknown frame type"),
        (b"\0", 0, b"", "unknown frame type"),
        (b"D", 0, b"x", "nobody opened"),
        (b"D", 7, b"x", "nobody opened"),
        (b"C", THEIRS, b"", "nobody opened"),
        (b"D", 1, b"", "empty data"),
        (b"W", 1, b"\0\0\0\1", "more window than was used"),
        (b"W", 1, b"\0\0\0\0", "not a window"),
        (b"W", 1, b"\1", "not a window"),
        (b"O", THEIRS, b"shell", "may open"),
        (b"O", 5, b"proxy", "may open"),
        (b"X", 0, b"{}", "exit"),
        (b"X", 0, b"\xff", "not JSON"),
        (b"G", 0, b"{}", "nobody asked for"),
    ],
)
def test_a_frame_against_the_protocol_ends_the_link(
    connect: Connect, client: Callable[[], socket.socket], kind: bytes, channel: int, payload: bytes, says: str
) -> None:
    mux, peer = connect()
    local = client()
    peer.expect(b"O")
    peer.send(kind, channel, payload)
    assert says in gone(mux)
    assert local.recv(1) == b""
    with pytest.raises(EOFError):
        peer.receive()


def test_an_oversized_frame_ends_the_link(connect: Connect) -> None:
    mux, peer = connect()
    peer.socket.sendall(HEADER.pack(b"L", 0, 2**31))
    assert "2147483648 bytes" in gone(mux)


def test_more_data_than_the_window_ends_the_link(connect: Connect, client: Callable[[], socket.socket]) -> None:
    mux, peer = connect()
    client()  # never reads
    peer.expect(b"O")
    assert pushed(peer.socket, HEADER.pack(b"D", 1, CHUNK) + bytes(CHUNK), 1000 * CHUNK) < 20 * CHUNK
    assert "more data than the window" in gone(mux)


def test_data_after_a_close_ends_the_link(connect: Connect, client: Callable[[], socket.socket]) -> None:
    mux, peer = connect()
    client()
    peer.expect(b"O")
    peer.socket.sendall(HEADER.pack(b"C", 1, 0) + HEADER.pack(b"D", 1, 1) + b"x")
    assert "data after the close" in gone(mux)


def test_a_number_is_not_used_twice(connect: Connect) -> None:
    mux, peer = connect()
    for number in (THEIRS, THEIRS + 5):
        peer.send(b"O", number, b"proxy")
        assert peer.expect(b"C") == (number, b"")
    peer.send(b"O", THEIRS + 5, b"proxy")
    assert "may open" in gone(mux)


def test_random_bytes_end_the_link(connect: Connect) -> None:
    mux, peer = connect()
    pushed(peer.socket, bytes(10) + os.urandom(CHUNK), 1000 * CHUNK)
    assert "unknown frame type" in gone(mux)


def test_a_peer_that_vanishes_within_a_frame_is_gone_and_no_more(connect: Connect) -> None:
    mux, peer = connect()
    peer.socket.sendall(HEADER.pack(b"D", 1, 1000) + b"half")
    peer.socket.close()
    assert gone(mux) == ""
    assert mux.exit is None


# ── the proxy's connections ─────────────────────────────────────────────────────────────────────────────────────────


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(3600)


def test_a_connection_of_the_sandbox_is_served(connect: Connect) -> None:
    _, peer = connect(serve=echo)
    peer.send(b"O", THEIRS, b"proxy")
    peer.send(b"D", THEIRS, b"hello")
    assert peer.expect(b"D") == (THEIRS, b"hello")
    peer.send(b"C", THEIRS)
    peer.send(b"O", THEIRS + 1, b"proxy")
    peer.send(b"D", THEIRS + 1, b"again")
    assert peer.expect(b"D") == (THEIRS + 1, b"again")


def test_the_end_of_serve_closes_the_connection(connect: Connect) -> None:
    async def goodbye(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")

    _, peer = connect(serve=goodbye)
    peer.send(b"O", THEIRS, b"proxy")
    assert [peer.receive() for _ in range(2)] == [(b"D", THEIRS, b"bye"), (b"C", THEIRS, b"")]


def test_without_serve_a_connection_is_refused(connect: Connect) -> None:
    _, peer = connect()
    peer.send(b"O", THEIRS, b"proxy")
    assert peer.expect(b"C") == (THEIRS, b"")


def test_what_crosses_a_close_is_ignored(connect: Connect, client: Callable[[], socket.socket]) -> None:
    _, peer = connect()
    client().close()
    peer.until(b"C")
    peer.send(b"O", THEIRS, b"proxy")
    peer.expect(b"C")
    for number in (1, THEIRS):
        peer.send(b"D", number, b"late")
        peer.send(b"C", number)
    peer.send(b"O", THEIRS + 1, b"proxy")
    assert peer.expect(b"C") == (THEIRS + 1, b"")


def test_a_connection_that_fails_costs_only_itself(connect: Connect) -> None:
    async def fail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise LookupError((await reader.read(1)).decode())

    mux, peer = connect(serve=fail)
    for number in (THEIRS, THEIRS + 1):
        peer.send(b"O", number, b"proxy")
        peer.send(b"D", number, b"x")
        assert peer.expect(b"C") == (number, b"")
    assert mux.error_text.count("LookupError") == 2
    assert not mux.gone.is_set()


def test_a_connection_of_the_sandbox_takes_no_file_of_ours(connect: Connect) -> None:
    _, peer = connect(serve=echo)
    with no_more_files():
        peer.send(b"O", THEIRS, b"proxy")
        peer.send(b"D", THEIRS, b"x")
        assert peer.expect(b"D") == (THEIRS, b"x")


def echoed(peer: Peer, number: int) -> list[tuple[bytes, int, bytes]]:
    """The frames that came before what was sent last on a channel, whose serve echoes."""
    peer.send(b"D", number, b"?")
    frames = []
    while (frame := peer.receive()) != (b"D", number, b"?"):
        frames.append(frame)
    return frames


def test_serve_that_does_not_read_is_sent_no_more_than_is_kept_for_it(connect: Connect) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (hang if await reader.readexactly(1) == b"h" else echo)(reader, writer)

    _, peer = connect(serve=serve)
    for number, first in ((THEIRS, b"h"), (THEIRS + 1, b"e")):
        peer.send(b"O", number, b"proxy")
        peer.send(b"D", number, first)
    granted, sent = WINDOW - 1, 0
    while granted:
        for at in range(0, granted, CHUNK):
            peer.send(b"D", THEIRS, bytes(min(CHUNK, granted - at)))
        sent += granted
        granted = sum(int.from_bytes(payload, "big") for _, _, payload in echoed(peer, THEIRS + 1))
    assert sent < 2 * WINDOW


def test_a_peer_that_gives_no_credit_holds_up_serve_until_it_closes(connect: Connect) -> None:
    passed = threading.Semaphore(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) == b"e":
            return await echo(reader, writer)
        try:
            while True:
                writer.write(bytes(CHUNK))
                await writer.drain()
        except ConnectionResetError:
            passed.release()

    mux, peer = connect(serve=serve)
    for number, first in ((THEIRS, b"w"), (THEIRS + 1, b"e")):
        peer.send(b"O", number, b"proxy")
        peer.send(b"D", number, first)
    assert sum(len(payload) for _, _, payload in echoed(peer, THEIRS + 1)) == WINDOW
    assert echoed(peer, THEIRS + 1) == []
    peer.send(b"W", THEIRS, struct.pack("!I", 1000))
    assert peer.expect(b"D") == (THEIRS, bytes(1000))
    peer.send(b"C", THEIRS)
    assert passed.acquire(timeout=DEADLINE)
    assert echoed(peer, THEIRS + 1) == []
    assert not mux.gone.is_set()


@contextmanager
def no_more_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)  # the number that the next file would get
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_channels_beyond_the_limit_are_refused(connect: Connect, client: Callable[[], socket.socket]) -> None:
    mux, peer = connect(serve=hang)
    for number in range(MAX_PROXIED + 10):
        peer.send(b"O", THEIRS + number, b"proxy")
    refused = [peer.expect(b"C")[0] - THEIRS for _ in range(10)]
    assert refused == list(range(MAX_PROXIED, MAX_PROXIED + 10))
    peer.send(b"C", THEIRS)  # still served, so its place is not free
    peer.send(b"O", THEIRS + 1000, b"proxy")
    assert peer.expect(b"C")[0] == THEIRS + 1000
    for number in range(MAX_CHANNELS - MAX_PROXIED):
        client()
        assert peer.expect(b"O") == (number + 1, b"1")
    assert client().recv(1) == b""
    began = time.monotonic()
    mux.close()
    assert time.monotonic() - began < 2


def test_serve_can_start_tls(connect: Connect, certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def secure(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.start_tls(context)
        writer.write((await reader.readline()).upper())
        await writer.drain()
        await reader.read(1)

    mux, peer = connect(serve=secure)
    peer.send(b"O", THEIRS, b"proxy")
    peer.send(b"D", THEIRS, b"CONNECT\n")
    assert peer.expect(b"D")[1] == b"CONNECT\n"
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.create_default_context(cafile=certificate)
    tls = trusting.wrap_bio(incoming, outgoing, server_hostname="example.org")

    def through_frames(step: Callable[[], Any]) -> Any:
        while True:
            result = None
            try:
                result = step()
            except ssl.SSLWantReadError:
                pass
            if outgoing.pending:
                peer.send(b"D", THEIRS, outgoing.read())
            if result is not None:
                return result
            incoming.write(peer.expect(b"D")[1])

    through_frames(lambda: tls.write(b"secret\n"))  # after the handshake, which it begins
    assert through_frames(lambda: tls.read(100)) == b"SECRET\n"
    peer.send(b"C", THEIRS)
    mux.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for example.org and its key, in one file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.org")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("certificate") / "example.pem"
    path.write_bytes(secret + signed.public_bytes(serialization.Encoding.PEM))
    return path


# ── an attached container, and the end ──────────────────────────────────────────────────────────────────────────────


def test_an_attached_container_is_taken_apart(
    pair: Connect, pool: ThreadPoolExecutor, client: Callable[[], socket.socket]
) -> None:
    mux, peer = pair(framed=True)
    starting = pool.submit(mux.start)
    peer.until(b"G")

    def attached(stream: int, data: bytes) -> bytes:
        return struct.pack("!BxxxI", stream, len(data)) + data

    answer = HEADER.pack(b"G", 0, 2) + b"{}"
    for byte in attached(2, b"a warning\n") + attached(1, answer[:3]) + attached(2, b"more") + attached(1, answer[3:]):
        peer.socket.sendall(bytes([byte]))
    starting.result(DEADLINE)
    assert mux.error_text == "a warning\nmore"
    client()
    peer.expect(b"O")
    peer.socket.sendall(attached(9, b""))
    assert "stream of an attached container: 9" in gone(mux)


def test_only_the_tail_of_stderr_is_kept(connect: Connect) -> None:
    mux, peer = connect()
    for _ in range(100):
        peer.send(b"L", 0, b"x" * 1000)
    peer.send(b"L", 0, b"the end")
    peer.send(b"X", 0, b'{"code": 1, "oom": false}')
    assert mux.exited.wait(DEADLINE)
    assert mux.error_text.endswith("xthe end")
    assert len(mux.error_text) < 10_000


def test_a_close_is_quick_while_everything_is_busy(
    connect: Connect, client: Callable[[], socket.socket], pool: ThreadPoolExecutor
) -> None:
    mux, peer = connect(serve=hang)
    for number in range(50):
        peer.send(b"O", THEIRS + number, b"proxy")
        peer.send(b"D", THEIRS + number, b"x")
    locals_ = [client() for _ in range(10)]
    for local in locals_:
        local.sendall(bytes(1000))
    peer.socket.sendall(HEADER.pack(b"D", 1, 100))
    began = time.monotonic()
    for done in [pool.submit(mux.close) for _ in range(3)]:
        done.result(DEADLINE)
    assert time.monotonic() - began < 2
    for local in locals_:
        with closing(local), suppress(ConnectionResetError):  # where nobody had read what it sent
            assert local.recv(1) == b""


def test_a_restart_that_is_under_way_ends_with_the_link(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    restarting = pool.submit(mux.restart)
    peer.until(b"G")
    mux.close()
    with pytest.raises(NoSandbox, match="gone"):
        restarting.result(DEADLINE)


def test_a_mux_that_was_never_started_can_be_closed(pair: Connect) -> None:
    mux, peer = pair()
    mux.close()
    assert peer.socket.recv(1) == b""


def test_the_sockets_are_removed_at_the_end(connect: Connect, tmp_path: Path) -> None:
    mux, _ = connect()
    assert (tmp_path / "k-1").exists()
    mux.close()
    assert not (tmp_path / "k-1").exists()
