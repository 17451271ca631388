"""The person's terminal, or what stands in for it, joined to a shell that runs elsewhere."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ecoassist.kernel.shell import Shell

CHUNK = 1 << 16


def is_terminal() -> bool:
    """Whether a person types here and sees what comes back."""
    return os.isatty(0) and os.isatty(1)


def join(shell: Shell, *, terminal: bool) -> None:
    """Carries bytes both ways until the shell has ended. Raises NoSandbox when its terminal cannot be sized."""
    if not terminal:
        _carry(shell, -1, lambda: None)
        return

    def fit() -> None:
        size = os.get_terminal_size(0)
        shell.resize(size.lines, size.columns)

    with _resized() as changed, _raw():
        fit()
        _carry(shell, changed, fit)


@contextmanager
def _raw() -> Iterator[None]:
    """Every key goes to the shell, Ctrl-C too. The terminal is as before afterwards, whatever happens."""
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def _resized() -> Iterator[int]:
    """A descriptor from which there is something to read when the window has another size."""
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)

    def note(*_: object) -> None:
        try:
            os.write(writable, b".")
        except BlockingIOError:
            pass  # it is noted already

    before = signal.signal(signal.SIGWINCH, note)
    try:
        yield readable
    finally:
        signal.signal(signal.SIGWINCH, before)
        os.close(readable)
        os.close(writable)


def _carry(shell: Shell, changed: int, fit: Callable[[], None]) -> None:
    unsent, typing = bytearray(), True
    _show(shell, shell.first)
    while True:
        sources = [shell.stream.fileno(), *([0] if typing and len(unsent) < CHUNK else [])]
        sources += [changed] if changed >= 0 else []
        ready, _, _ = select.select(sources, [shell.stream] if unsent else [], [])
        if changed in ready:
            os.read(changed, CHUNK)
            fit()
        if 0 in ready:
            typed = _typed()
            unsent += typed
            typing = bool(typed)
        unsent = _sent(shell.stream, unsent, over=not typing)
        if shell.stream.fileno() in ready:
            data = _received(shell.stream)
            if data == b"":
                return
            _show(shell, data or b"")


def _typed() -> bytes:
    try:
        return os.read(0, CHUNK)
    except OSError:
        return b""  # the terminal is gone


def _sent(stream: socket.socket, unsent: bytearray, *, over: bool) -> bytearray:
    """What could not be sent yet. When nothing more is to come the shell is told so."""
    try:
        if unsent:
            del unsent[: stream.send(unsent)]
        if over and not unsent:
            stream.shutdown(socket.SHUT_WR)
    except BlockingIOError:
        pass
    except OSError:
        unsent.clear()  # the shell has ended: what it said last is still to be read
    return unsent


def _received(stream: socket.socket) -> bytes | None:
    """None: nothing yet. Empty: the end."""
    try:
        return stream.recv(CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def _show(shell: Shell, data: bytes) -> None:
    for output, piece in shell.split(data):
        for stream in (sys.stdout,) if output else (sys.stderr,):
            stream.buffer.write(piece)
            stream.buffer.flush()
