"""A shell in a sandbox, for a person: the same container as code gets, entered through the engine's exec calls."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ecoassist.errors import NoSandbox
from ecoassist.types import Attachment

from .container import Containers, environment
from .docker import HOME, Engine, translated
from .link.frames import Attached, Violation
from .link.mux import Mux, Serve

COMMAND = ["/bin/sh", "-c", "command -v bash >/dev/null && exec bash; exec sh"]
ENDING_SECONDS = 5.0
"""From the end of a shell's output to its exit code."""


class Shell:
    """A shell that runs. `stream` carries both ways and is in non-blocking mode; `close` ends the sandbox.

    Without a terminal inside, what comes back has to go through `split`.
    """

    def __init__(self, engine: Engine, mux: Mux, exec_id: str, *, terminal: bool) -> None:
        self._engine, self._mux, self._id = engine, mux, exec_id
        self._attached = None if terminal else Attached()
        self.stream, self.first = self._start(terminal)
        """`first` came before anything was read from `stream`."""

    def split(self, data: bytes) -> list[tuple[bool, bytes]]:
        """(True, output) and (False, errors) in their order. A terminal knows only output. Raises NoSandbox."""
        try:
            return list(self._attached.feed(data)) if self._attached else [(True, data)]
        except Violation as error:
            raise NoSandbox(f"the engine's stream makes no sense: {error}", "see: docker info") from error

    def resize(self, rows: int, columns: int) -> None:
        """Raises NoSandbox."""
        with translated("the terminal in the sandbox did not take its size"):
            self._engine.api.exec_resize(self._id, height=rows, width=columns)

    def exit_code(self) -> int:
        """Of a shell whose stream has ended. 137 where it was killed with its sandbox. Raises NoSandbox."""
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            with translated("the sandbox is gone"):
                state: dict[str, Any] = self._engine.api.exec_inspect(self._id)
            if not state["Running"] or time.monotonic() > deadline:
                return 137 if state["ExitCode"] is None else int(state["ExitCode"])
            time.sleep(0.02)

    def close(self) -> None:
        """May be called twice."""
        self.stream.close()
        self._mux.close()  # the container ends with its link

    def _start(self, terminal: bool) -> tuple[socket.socket, bytes]:
        with translated("the shell could not be started"):
            hijacked: Any = self._engine.api.exec_start(self._id, tty=terminal, socket=True)
            theirs: socket.socket = hijacked._sock
            try:
                theirs.setblocking(False)
                # the package gives out the raw socket: what came along with the head of the answer would be lost
                first: bytes = hijacked._response.raw._fp.fp.peek()
                return theirs.dup(), first
            finally:
                hijacked._response.close()
                theirs.close()


def open_shell(
    containers: Containers,
    *,
    terminal: bool,
    serve: Serve | None = None,
    variables: Mapping[str, str] = {},
    ca_pem: bytes = b"",
    files: Sequence[Attachment] = (),
    doors: Sequence[tuple[str, int]] = (),
    installs: bool = False,
) -> Shell:
    """A shell in a new sandbox, where code would find the same `variables` and `files`, and the way out by `serve`;
    `doors` and `installs` are as for Containers.boot.

    A kernel runs beside it, as always. Raises NoSandbox, and leaves nothing then.
    """
    connection = {"key": secrets.token_hex(), "signature_scheme": "hmac-sha256"}
    running = containers.launch()
    engine = running.engine
    mux = containers.boot(
        connection,
        {},
        started=lambda: running,
        serve=serve,
        variables=variables,
        ca_pem=ca_pem,
        files=files,
        doors=doors,
        installs=installs,
    )
    try:
        with translated("the shell could not be started"):
            made = engine.api.exec_create(
                running.container,
                COMMAND,
                stdin=True,
                tty=terminal,
                user="10001:10001",
                workdir=HOME,
                environment=environment(variables, proxied=bool(serve), ca=bool(ca_pem), installs=installs),
            )
        return Shell(engine, mux, made["Id"], terminal=terminal)
    except BaseException:
        mux.close()
        raise
