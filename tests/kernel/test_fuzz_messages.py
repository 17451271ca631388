"""Hostile messages on a kernel's channels: each is one thing said or nothing, whatever is in it."""

from __future__ import annotations

import json
import queue
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jupyter_client.manager import KernelManager

from ecoassist.kernel.cell.client import Client, Said

DEADLINE = 15.0
REQUEST = "request"
MEGABYTE = 1 << 20


class Speaker:
    """In place of a kernel: answers the first questions, then publishes what it is told to, as it stands."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(transport="ipc", ip=str(folder / "k"))
        for number, name in enumerate(("shell", "iopub", "stdin", "hb", "control"), 1):
            setattr(self.manager, f"{name}_port", number)
        self.session: Any = self.manager.session
        self.session.check_pid = False
        self.outgoing: queue.Queue[Sequence[bytes] | None] = queue.Queue()
        self.up = threading.Event()
        self.thread = threading.Thread(target=self.serve, name="speaker")
        self.thread.start()
        self.up.wait(DEADLINE)

    def serve(self) -> None:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as shell, context.socket(zmq.PUB) as iopub:
            shell.linger = iopub.linger = 0
            iopub.sndhwm = 0
            shell.bind(f"ipc://{self.manager.ip}-1")
            iopub.bind(f"ipc://{self.manager.ip}-2")
            self.up.set()
            while True:
                if shell.poll(1):
                    who, request = self.session.feed_identities(shell.recv_multipart())
                    header = self.session.deserialize(request)["header"]
                    self.session.send(shell, "kernel_info_reply", {}, parent=header, ident=who)
                    self.session.send(iopub, "status", {"execution_state": "idle"}, parent=header)
                try:
                    while (parts := self.outgoing.get_nowait()) is not None:
                        iopub.send_multipart(parts)
                    return
                except queue.Empty:
                    pass

    def message(self, kind: object, content: object) -> list[bytes]:
        """The parts of a message with a good signature, whatever is in it; bytes are not encoded again."""
        header = {"msg_id": "an answer", "msg_type": kind, "version": "5.3"}
        bodies = [header, {"msg_id": REQUEST}, {}, content]
        parts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
        return [b"topic", b"<IDS|MSG>", self.session.sign(parts), *parts]

    def close(self) -> None:
        self.outgoing.put(None)
        self.thread.join(DEADLINE)


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    with tempfile.TemporaryDirectory(prefix="eco-") as folder:
        speaker = Speaker(Path(folder))
        yield speaker
        speaker.close()


@pytest.fixture(scope="module")
def client(speaker: Speaker) -> Iterator[Client]:
    client = Client(speaker.manager)
    assert client.ready(DEADLINE, lambda: False)
    yield client
    client.close()


def heard(speaker: Speaker, client: Client, parts: Sequence[bytes]) -> Said:
    """What the client makes of one message."""
    speaker.outgoing.put(parts)
    one = client.hear(REQUEST, DEADLINE)
    assert isinstance(one, Said), one
    return one


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TYPES = ["stream", "display_data", "execute_result", "error", "execute_input", "status", "clear_output", "comm_open"]
FIELDS = ["name", "text", "data", "metadata", "transient", "ename", "evalue", "traceback", "execution_state", "code"]
CONTENT = st.dictionaries(st.sampled_from(FIELDS), JSON | st.dictionaries(st.sampled_from(["text/plain"]), JSON)) | JSON
FUZZ = settings(deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.sampled_from(TYPES) | JSON, CONTENT)
def test_any_content_of_a_message_is_something_said(
    speaker: Speaker, client: Client, kind: object, content: object
) -> None:
    one = heard(speaker, client, speaker.message(kind, content))
    assert isinstance(one.text, str)
    one.text.encode()
    if one.error is not None:
        f"{one.error.name}{one.error.message}{one.error.traceback}".encode()


@FUZZ
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=8), st.booleans())
def test_any_parts_are_nothing_said(speaker: Speaker, client: Client, parts: list[bytes], marked: bool) -> None:
    assert heard(speaker, client, [b"<IDS|MSG>", *parts] if marked else parts).kind in ("other", "dropped")


@FUZZ
@given(st.integers(0, 6), st.binary(max_size=40), st.sampled_from(TYPES))
def test_a_message_with_one_part_replaced_is_something_said(
    speaker: Speaker, client: Client, place: int, part: bytes, kind: str
) -> None:
    parts = speaker.message(kind, {"name": "stdout", "text": "x", "data": {"text/plain": "y"}})
    parts[place % len(parts)] = part
    heard(speaker, client, parts)


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 500_000,
        b'{"a":' * 500_000,
        b"9" * MEGABYTE,
        b'{"text": ' + b"9" * MEGABYTE + b"}",
        b'{"text": "' + b"\\ud800" * 100_000 + b'"}',
        b'{"data": [' + b"[]," * 2_000_000 + b"1]}",
        b'{"data": [' + b'{"":0},' * 800_000 + b"1]}",
        b'{"data": {"application/json": [' + b"{}," * 2_000_000 + b"1]}}",
        b'{"data": [' + b'"abc",' * 900_000 + b"1]}",
        b"{" + b",".join(b'"%x":"%x"' % (number, number) for number in range(400_000)) + b"}",
        b"\xff" * MEGABYTE,
    ],
    ids=["deep", "nested", "digits", "number", "halves", "lists", "objects", "display", "strings", "pairs", "no text"],
)
def test_a_json_bomb_costs_little(speaker: Speaker, client: Client, content: bytes) -> None:
    parts = speaker.message("display_data", content)
    tracemalloc.start()
    try:
        heard(speaker, client, parts)
        assert tracemalloc.get_traced_memory()[1] < 100 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert heard(speaker, client, speaker.message("stream", {"name": "stdout", "text": "still"})).text == "still"
