"""A kernel's channels, with a peer that may say anything."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoassist.kernel.cell.client import LARGEST, LARGEST_FRAMEWORK, NOTHING, Client, _message, _said
from ecoassist.kernel.cell.zmtp import COMMAND, GREETING, LONG, MORE, MOST_PARTS, Received, Wire

READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"


def frame(body: bytes, *, more: bool = False) -> bytes:
    return bytes([LONG | (MORE if more else 0)]) + len(body).to_bytes(8) + body


def message(*parts: bytes) -> bytes:
    return b"".join(frame(part, more=at < len(parts) - 1) for at, part in enumerate(parts))


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[tuple[Wire, socket.socket]]:
    """A wire and the other end of it, before any greeting."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{tmp_path}/s")
        listener.listen()
        wire = Wire(f"{tmp_path}/s", "SUB", 1_000_000)
        assert wire.connect()
        accepted, _ = listener.accept()
    with accepted:
        yield wire, accepted
    wire.close()


def said_by(other: socket.socket, data: bytes, wire: Wire, count: int) -> list[Received]:
    """The first `count` messages that come out while the peer sends `data`."""
    sender = threading.Thread(target=lambda: other.sendall(data))
    sender.start()
    received: list[Received] = []
    while len(received) < count and not wire.broken:
        if one := wire.receive(15):
            received.append(one)
    sender.join()
    return received


def test_a_greeting_and_a_subscription_are_exchanged(peer: tuple[Wire, socket.socket]) -> None:
    wire, other = peer
    assert other.recv(64) == GREETING
    other.sendall(GREETING + READY)
    assert wire.receive(0.1) is None
    assert wire.up
    assert b"READY" in (sent := other.recv(1000))
    assert sent.endswith(b"\x00\x01\x01")


@given(
    parts=st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=5), max_size=5),
    cuts=st.lists(st.integers(1, 2000), max_size=20),
)
def test_messages_come_whole_however_they_are_cut(parts: list[list[bytes]], cuts: list[int]) -> None:
    data, ours = GREETING + READY + b"".join(message(*some) for some in parts), Wire("", "SUB", 1_000_000)
    found: list[list[bytearray]] = []
    for cut in [*cuts, len(data)]:
        ours._buffer += data[:cut]
        data = data[cut:]
        while received := ours._parsed():
            found.append(received.parts)
    assert found == parts
    assert not ours.broken


def test_what_is_too_large_is_passed_over_and_what_follows_is_heard(peer: tuple[Wire, socket.socket]) -> None:
    wire, other = peer
    large = message(b"topic", b"x" * 3_000_000, b"y" * 3_000_000)
    first, second = said_by(other, GREETING + READY + large + message(b"next"), wire, 2)
    assert (b" ".join(first.parts), first.whole) == (b"topic", False)
    assert (b" ".join(second.parts), second.whole) == (b"next", True)
    assert wire.skipped == first.skipped == 6_000_000
    assert len(wire._buffer) < 1_000_000


def test_a_message_of_very_many_parts_is_passed_over(peer: tuple[Wire, socket.socket]) -> None:
    wire, other = peer
    first, second = said_by(other, GREETING + READY + message(*[b""] * 10_000) + message(b"next"), wire, 2)
    assert (len(first.parts), first.whole) == (MOST_PARTS, False)
    assert second.parts == [b"next"]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n" + bytes(64),
        GREETING.replace(b"NULL", b"PLAI"),
        GREETING + b"\x80\x01x",
        GREETING + bytes([COMMAND | LONG]) + (1 << 40).to_bytes(8),
    ],
    ids=["another protocol", "another mechanism", "unknown flags", "an endless command"],
)
def test_a_peer_that_speaks_otherwise_is_not_listened_to(peer: tuple[Wire, socket.socket], data: bytes) -> None:
    wire, other = peer
    assert said_by(other, data, wire, 1) == []
    assert wire.broken


def test_an_endless_message_holds_nobody_up(peer: tuple[Wire, socket.socket]) -> None:
    wire, other = peer
    ended = threading.Event()

    def flood() -> None:
        other.sendall(GREETING + READY + bytes([LONG]) + (1 << 62).to_bytes(8))
        while not ended.is_set():
            try:
                other.sendall(bytes(100_000))
            except OSError:
                return

    sender = threading.Thread(target=flood)
    sender.start()
    try:
        assert wire.receive(0.5) is None
        assert wire.receive(0) is None
        assert wire.skipped > 0
        assert len(wire._buffer) < 1_000_000
    finally:
        ended.set()
        wire.close()
        sender.join()


def test_a_peer_that_is_gone_is_told_and_what_it_said_before_is_heard(peer: tuple[Wire, socket.socket]) -> None:
    wire, other = peer
    other.sendall(GREETING + READY + message(b"last words"))
    other.shutdown(socket.SHUT_RDWR)
    received = wire.receive(15)
    assert received
    assert received.parts == [b"last words"]
    assert wire.receive(15) is None
    assert wire.broken


def received(kind: str, content: object, *, parent: object = {"msg_id": "r"}) -> Received:
    parts = [b"topic", b"<IDS|MSG>", b"", json.dumps({"msg_type": kind}).encode(), json.dumps(parent).encode(), b"{}"]
    return Received([bytearray(part) for part in (*parts, json.dumps(content).encode())])


def test_a_message_is_understood() -> None:
    found = _message(received("stream", {"name": "stderr", "text": "hi"}))
    assert (found.kind, found.parent) == ("stream", "r")
    assert (_said(found).kind, _said(found).text) == ("stderr", "hi")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
KINDS = st.sampled_from(["stream", "display_data", "update_display_data", "execute_result", "error", "status", "x"])
FIELDS = st.sampled_from(["name", "text", "data", "ename", "evalue", "traceback", "execution_state", "text/plain"])


@given(KINDS, st.dictionaries(FIELDS, ANY, max_size=6), ANY)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_message_holds_it_is_taken_for_something(kind: str, content: dict[str, Any], parent: object) -> None:
    said = _said(_message(received(kind, content, parent=parent)))
    assert isinstance(said.text, str)
    said.text.encode()


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_what_is_no_message_is_nothing(parts: list[bytes]) -> None:
    assert _message(Received([bytearray(part) for part in parts])) is NOTHING


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"n": ' + b"9" * 10_000 + b"}",
        b'{"text": "\xff"}',
        b"[]",
    ],
    ids=["deep lists", "deep objects", "a long number", "no UTF-8", "no object"],
)
def test_content_that_would_grow_or_break_is_nothing(content: bytes) -> None:
    found = received("stream", {})
    found.parts[-1] = bytearray(content)
    assert _message(found) is NOTHING


@pytest.mark.parametrize("item", [b"[],", b'"ab",', b"1.5,"])
def test_content_of_very_many_small_things_counts_as_too_large(item: bytes) -> None:
    found = received("stream", {})
    found.parts[-1] = bytearray(b'{"many": [' + item * LARGEST_FRAMEWORK + b"1]}")
    message = _message(found)
    assert (message.parent, message.content, message.whole) == ("r", {}, False)
    assert message.size > LARGEST_FRAMEWORK


def test_large_text_is_heard_up_to_the_limit() -> None:
    text = 'a "quoted" \\ line\n' * (LARGEST // 30)
    found = _message(received("stream", {"name": "stdout", "text": text}))
    assert found.content["text"] == text


def test_a_reply_is_not_looked_for_without_end(tmp_path: Path) -> None:
    manager: Any = SimpleNamespace(session=None, ip=str(tmp_path / "k"), shell_port=1, iopub_port=2)
    client = Client(manager)
    client._receive = lambda wire, seconds: NOTHING  # type: ignore[method-assign]
    assert client.reply("request") is None
