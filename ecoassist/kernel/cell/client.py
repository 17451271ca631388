"""Our end of a kernel's channels: one request at a time, and what it says about it.

The far end may be hostile: every message is checked before use, and its size is bounded before it is read. Signatures
are not looked at: whoever can write into these private sockets holds their key.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ecoassist.types import CellError

from .output import both_ends, without_ansi
from .zmtp import Received, Wire

if TYPE_CHECKING:
    from jupyter_client.connect import ConnectionFileMixin

LARGEST = 6 << 20
"""Bytes of one message; a larger one is passed over. Text in four bytes a character, twice, stays below 50 MB."""
LARGEST_HEADER = 64 << 10
LARGEST_FRAMEWORK = 512 << 10
"""Bytes of a message outside of its strings, which grow up to thirtyfold when they become objects."""
STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Without a way back, so in constant memory, and also to the end where none is: once through in any case."""
WAITING = 8
"""Messages of the shell channel that are looked through for one reply."""
DELIMITER = b"<IDS|MSG>"


@dataclass(frozen=True, slots=True)
class Said:
    """One thing the kernel said about a cell."""

    kind: Literal["started", "stdout", "stderr", "display", "value", "error", "idle", "dropped", "other"]
    """dropped: something too large, which may have been said about another cell."""
    text: str = ""
    error: CellError | None = None
    bundle: object = None
    """Of a display or value: forms by media type. Foreign, as it came."""
    size: int = 0
    """Bytes of what was said, as JSON."""


@dataclass(frozen=True, slots=True)
class Message:
    kind: str
    parent: str
    """The id of the request it belongs to."""
    content: dict[str, Any]
    size: int
    """Bytes of the content."""
    whole: bool = True
    """False: there was more of it than is taken."""


NOTHING = Message("", "", {}, 0)
"""For whatever is not a message: what speaks there is not ipykernel any more."""


class Client:
    """A connected client of a kernel. `close` it; a restarted kernel needs a new one."""

    def __init__(self, manager: ConnectionFileMixin) -> None:
        self._session: Any = manager.session
        self._shell = Wire(f"{manager.ip}-{manager.shell_port}", "DEALER", LARGEST)
        self._iopub = Wire(f"{manager.ip}-{manager.iopub_port}", "SUB", LARGEST)

    @property
    def broken(self) -> str:
        """Why nothing more can be heard; empty while all is well."""
        return self._iopub.broken or self._shell.broken

    @property
    def read(self) -> int:
        """Bytes of output read in all."""
        return self._iopub.read

    def ready(self, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Whether the kernel answered within `seconds`, on both channels. Ends early when `given_up()`."""
        end = time.monotonic() + seconds
        asked: list[str] = []
        answered = heard = False
        resend = 0.0
        while not (answered and heard):
            now = time.monotonic()
            if now > end or given_up() or self.broken:
                return False
            if not (self._shell.connect() and self._iopub.connect()):
                time.sleep(0.01)  # the kernel has not made its sockets yet
                continue
            if self._shell.up and self._iopub.up and now >= resend:
                asked.append(self._request("kernel_info_request", {}))
                # what was published before our subscription arrived is lost: ask again
                resend = now + (0.1 if answered else 1.0)
            said, published = self._receive(self._shell, 0.005), self._receive(self._iopub, 0.005)
            answered = answered or (said is not None and said.parent in asked)
            heard = heard or (published is not None and published.parent in asked)
            if answered and not heard:
                resend = min(resend, time.monotonic() + 0.1)
        return True

    def execute(self, code: str) -> str:
        """Sends a cell; returns the request's id. An input() raises inside: nobody is there to type."""
        self.reply("")  # the last cell's, which nobody waited for
        return self._execute({"code": _text(code), "silent": False, "store_history": True, "user_expressions": {}})

    def evaluate(self, expression: str) -> str:
        """Asks for the value of an expression, on the quiet; returns the request's id."""
        wanted = {"value": expression}
        return self._execute({"code": "", "silent": True, "store_history": False, "user_expressions": wanted})

    def hear(self, request: str, seconds: float) -> Said | None:
        """The next thing said about `request`; None when nothing came within `seconds`."""
        message = self._receive(self._iopub, seconds)
        if message is None:
            return None
        if not message.whole and message.parent in ("", request):
            return Said("dropped", size=message.size)
        return _said(message) if message.parent == request else Said("other")

    def reply(self, request: str, seconds: float = 0.0) -> dict[str, Any] | None:
        """What was replied to `request`, if it is there within `seconds`. Gives up after a few others' replies."""
        for _ in range(WAITING):
            message = self._receive(self._shell, seconds)
            if message is None:
                return None
            if message.parent == request and request:
                return message.content
        return None

    def close(self) -> None:
        self._shell.close()
        self._iopub.close()

    def _execute(self, content: dict[str, Any]) -> str:
        return self._request("execute_request", content | {"allow_stdin": False, "stop_on_error": False})

    def _request(self, kind: str, content: dict[str, Any]) -> str:
        message = self._session.msg(kind, content)
        self._shell.send(self._session.serialize(message))
        return str(message["header"]["msg_id"])

    def _receive(self, wire: Wire, seconds: float) -> Message | None:
        received = wire.receive(seconds)
        if received is not None:
            return _message(received)
        if wire.broken:
            time.sleep(seconds)  # whoever waits for its end does not turn in circles
        return None


def _message(received: Received) -> Message:
    """Raises nothing: what is not a message is NOTHING."""
    try:
        start = received.parts.index(bytearray(DELIMITER)) + 2
        header, parent = (_object(part, LARGEST_HEADER) for part in received.parts[start : start + 2])
        kind, about = _text(header.get("msg_type")), _text(parent.get("msg_id"))
        if not received.whole:
            return Message(kind, about, {}, received.skipped, whole=False)
        part = received.parts[start + 3]
        if _would_grow(part):
            return Message(kind, about, {}, len(part), whole=False)
        return Message(kind, about, _object(part, LARGEST), len(part))
    except (ValueError, IndexError, RecursionError):
        return NOTHING if received.whole else Message("", "", {}, received.skipped, whole=False)


def _object(part: bytearray, most: int) -> dict[str, Any]:
    """Raises ValueError and RecursionError."""
    if len(part) > most:
        raise ValueError("too large")
    found = json.loads(part)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _would_grow(part: bytearray) -> bool:
    """Whether it is JSON of which too much lies outside of strings."""
    outside = len(part)
    if outside > LARGEST_FRAMEWORK:
        outside -= sum(string.end() - string.start() for string in STRINGS.finditer(part))
    return outside > LARGEST_FRAMEWORK


def _said(message: Message) -> Said:
    body, kind, size = message.content, message.kind, message.size
    if kind == "stream":
        return Said("stderr" if body.get("name") == "stderr" else "stdout", _text(body.get("text")), size=size)
    if kind in ("display_data", "update_display_data"):
        return Said("display", bundle=body.get("data"), size=size)
    if kind == "execute_result":
        return Said("value", bundle=body.get("data"), size=size)
    if kind == "error":
        return Said("error", error=_error(body), size=size)
    if kind == "execute_input":
        return Said("started")
    if kind == "status" and body.get("execution_state") == "idle":
        return Said("idle")
    return Said("other", size=size)


def _error(body: dict[str, Any]) -> CellError:
    lines = body.get("traceback")
    trace = "\n".join(_text(line) for line in lines) if isinstance(lines, list) else ""
    return CellError(
        _text(body.get("ename"))[:200],
        both_ends(without_ansi(_text(body.get("evalue")))),
        both_ends(without_ansi(trace)),
    )


def _text(value: object) -> str:
    """`value` if it is text; half surrogate pairs, which no stream can encode, become question marks."""
    if not isinstance(value, str):
        return ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode()
    return value
