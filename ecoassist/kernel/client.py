"""Our end of a kernel's channels: one request at a time, and what it says about it.

The far end may be hostile: every message is checked before use, and its size is bounded by the socket.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ecoassist.types import CellError

from .output import both_ends, without_ansi

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient
    from jupyter_client.connect import ConnectionFileMixin

LARGEST = 8 << 20
"""Bytes of one message. A larger one ends the connection of its socket for good: make a new client."""
WAITING = 8
"""Messages that may wait unread on our side, between cells too: with the size of one, this bounds our memory."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing the kernel said about a cell."""

    kind: Literal["started", "stdout", "stderr", "value", "error", "idle", "other"]
    text: str = ""
    error: CellError | None = None


class Client:
    """A connected client of a kernel. `close` it; a restarted kernel needs a new one."""

    def __init__(self, manager: ConnectionFileMixin) -> None:
        import zmq

        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, LARGEST)  # defaults for the sockets of this context
        self._context.setsockopt(zmq.RCVHWM, WAITING)
        self._client: BlockingKernelClient = manager.blocking_client()
        self._client.context = self._context
        self._shell: Any = self._client.shell_channel
        self._iopub: Any = self._client.iopub_channel

    def ready(self, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Whether the kernel answered within `seconds`, on both channels. Ends early when `given_up()`.

        The client's own wait_for_ready always spends 0.2 s on emptying iopub. Here messages are matched by their
        parent instead, so leftovers do no harm.
        """
        end = time.monotonic() + seconds
        asked: list[str] = []
        answered = heard = False
        resend = 0.0
        while not (answered and heard):
            now = time.monotonic()
            if now > end or given_up():
                return False
            if now >= resend:  # what was published before our subscription arrived is lost: ask again
                asked.append(str(self._client.kernel_info()))
                resend = now + (0.1 if answered else 1.0)
            for channel in (self._shell, self._iopub):
                message = self._receive(channel, 0.01)
                ours = message is not None and message["parent_header"].get("msg_id") in asked
                answered = answered or (ours and channel is self._shell)
                heard = heard or (ours and channel is self._iopub)
            if answered and not heard:
                resend = min(resend, time.monotonic() + 0.1)
        return True

    def execute(self, code: str) -> str:
        """Sends a cell; returns the request's id. An input() raises inside: nobody is there to type."""
        return str(self._client.execute(_text(code), allow_stdin=False, stop_on_error=False))

    def hear(self, request: str, seconds: float) -> Said | None:
        """The next thing said about `request`; None when nothing came within `seconds`."""
        message = self._receive(self._iopub, seconds)
        if message is None:
            return None
        return _said(message) if message["parent_header"].get("msg_id") == request else Said("other")

    def replied(self, request: str) -> bool:
        """Whether the reply to `request` is there. Does not wait, whatever else comes in meanwhile."""
        for _ in range(WAITING):
            message = self._receive(self._shell, 0)
            if message is None:
                return False
            if message["parent_header"].get("msg_id") == request:
                return True
        return False

    def close(self) -> None:
        self._shell.close()
        self._iopub.close()
        self._context.destroy(linger=0)

    def _receive(self, channel: Any, seconds: float) -> dict[str, Any] | None:
        try:
            message: dict[str, Any] = channel.get_msg(timeout=seconds)
        except queue.Empty:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
            return _NOTHING  # not a message: whatever speaks there is not ipykernel any more
        shape = isinstance(message.get("parent_header"), dict) and isinstance(message.get("content"), dict)
        return message if shape else _NOTHING


_NOTHING: dict[str, Any] = {"parent_header": {}, "content": {}, "msg_type": ""}


def _said(message: dict[str, Any]) -> Said:
    body, kind = message["content"], message.get("msg_type")
    if kind == "stream":
        return Said("stderr" if body.get("name") == "stderr" else "stdout", _text(body.get("text")))
    if kind in ("display_data", "execute_result"):
        data = body.get("data")
        text = _text(data.get("text/plain")) if isinstance(data, dict) else ""
        return Said("value", text) if kind == "execute_result" else Said("stdout", f"{text}\n")
    if kind == "error":
        return Said("error", error=_error(body))
    if kind == "execute_input":
        return Said("started")
    if kind == "status" and body.get("execution_state") == "idle":
        return Said("idle")
    return Said("other")


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
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
