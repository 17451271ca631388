"""The link to one sandbox: many byte streams over its stdin and stdout, on a thread and an event loop of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from ecoassist.errors import NoSandbox
from ecoassist.types import Attachment

from .files import WorkFiles
from .frames import Facts, KernelExit, Violation
from .link import Link, Serve
from .transfer import STALL_SECONDS, LinkFiles

__all__ = ["KernelExit", "Mux", "Serve"]

T = TypeVar("T")
CALL_SECONDS = 60.0
JOIN_SECONDS = 2.0
RETRY_SECONDS = 1.0
"""Until the next look at who wants to connect, where no more files can be opened."""
REMEDY = "try again; if it stays so: ecoassist doctor"


class Mux:
    """Carries the kernel's ports and the sandbox's proxy connections over one byte stream, and supervises the kernel.

    `stream`     a connected socket to the relay's stdin and stdout; the mux closes it.
    `framed`     the engine of containers wraps what comes back in its attach headers; stderr comes with it.
    `hello`      what the relay is told (fields in sandbox/relay/): argv, env, cwd, rundir, wipe, connection, and
                 optionally spool, texts {name: content}, proxy_port, ports and overlay. At most 128 KB as JSON.
    `channels`   for each port of the connection file, the path of a unix socket on the host. The folder must exist,
                 be short (a socket's path has at most 104 characters) and private; the sockets are made with mode 0600.
    `files`      copied into hello's cwd before each start of the kernel; plain file names.
    `serve`      called on the mux's loop for each proxy connection. `await writer.start_tls(context)` acts as a server.
                 What it leaves open is closed. None: such connections are refused.
    `stall`      seconds after which `files` gives up a sandbox that passes nothing on.

    Safe from any thread. Holds at most 352 channels with a window of 256 KB each; a peer that breaks the protocol loses
    the link.
    """

    def __init__(
        self,
        stream: socket.socket,
        *,
        framed: bool,
        hello: Mapping[str, object],
        channels: Mapping[int, str],
        files: Sequence[Attachment] = (),
        serve: Serve | None = None,
        stall: float = STALL_SECONDS,
    ) -> None:
        self._stream, self._framed, self._hello = stream, framed, hello
        self._channels, self._files, self._serve = channels, files, serve
        self._stall = stall
        self._thread = threading.Thread(target=self._thread_main, name="sandbox-link", daemon=True)
        self._lock = threading.RLock()  # a forgotten iterator of files may be collected while this thread holds it
        self._up = threading.Event()
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        """None: nothing can be submitted, not yet or no more."""
        self._closed = False
        self._link: Link | None = None
        self._listeners: list[socket.socket] = []
        self._violation = ""
        self.exit: KernelExit | None = None
        """How the kernel ended; None while it runs, and when the link went with it."""
        self.exited = threading.Event()
        """The kernel process ended, or the link is gone."""
        self.gone = threading.Event()
        """The link is gone: there is no container any more."""
        self.facts = Facts()
        """How the sandbox is confined; told by the first start."""

    # ── for callers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Has the kernel started and listens for its clients. Raises NoSandbox."""
        self._thread.start()
        self._up.wait()
        try:
            self._call(self._begin())
        except BaseException:
            self.close()
            raise

    def signal(self, number: int) -> None:
        """Sends a signal to the kernel's process group. Nothing happens when it has ended."""
        try:
            self._submit(self._send_signal(number))
        except NoSandbox:
            pass

    def restart(self) -> None:
        """Ends every process inside, empties its directories, copies the files again and starts the kernel.

        On return the host's sockets are listening again at their paths. Raises NoSandbox.
        """
        self._call(self._restart())

    def close(self) -> None:
        """Gives up the link, which ends the container. May be called twice and from any thread."""
        with self._lock:
            self._closed = True
            self._soon(self._stop.set)
        if not self._thread.ident:
            self._stream.close()
            self._end()
        elif self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    @property
    def files(self) -> WorkFiles:
        """What is in the kernel's working directory. Raises NoSandbox before start()."""
        if self._link is None:
            raise self._lost()
        spool = str(self._hello.get("spool", "/tmp"))
        return LinkFiles(self._call, self._soon, self._link.open, self._link.release, spool, self._stall)

    @property
    def error_text(self) -> str:
        """The tail of the container's stderr and of the log inside. Foreign text."""
        return (self._link.tail if self._link else "") + self._violation

    # ── from other threads to the loop ──────────────────────────────────────────────────────────────────────────────

    def _submit(self, work: Coroutine[object, object, T]) -> concurrent.futures.Future[T]:
        with self._lock:
            if self._loop:
                return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise self._lost()

    def _call(self, work: Coroutine[object, object, T]) -> T:
        done = self._submit(work)
        try:
            return done.result(CALL_SECONDS)
        except (concurrent.futures.CancelledError, TimeoutError, ConnectionError) as error:
            raise self._lost() from error
        except Violation as error:
            self._broken(error)
            self._soon(self._stop.set)
            raise self._lost() from error
        finally:
            done.cancel()  # when we do not wait for it any more

    def _soon(self, work: Callable[[], None]) -> None:
        """Has it done on the loop, if there is one still."""
        with self._lock:
            if self._loop:
                self._loop.call_soon_threadsafe(work)

    def _broken(self, error: Violation) -> None:
        self._violation = f"\nthe sandbox broke the protocol of its link: {error}"

    def _lost(self) -> NoSandbox:
        last = self.error_text.strip().rpartition("\n")[2]
        return NoSandbox("the sandbox is gone" + (f": {last}" if last else ""), REMEDY)

    # ── on the loop ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _thread_main(self) -> None:
        try:
            asyncio.run(self._main())
        finally:
            self._stream.close()
            self._end()

    def _end(self) -> None:
        self.gone.set()
        self.exited.set()
        self._up.set()

    async def _main(self) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=self._stream)
        except OSError as error:
            self._violation = f"no link: {error}"
            return
        self._link = Link(reader, writer, framed=self._framed, serve=self._serve, exited=self._kernel_exited)
        with self._lock:
            self._loop = asyncio.get_running_loop()
            if self._closed:
                self._stop.set()
        self._up.set()
        receiving, stopping = asyncio.create_task(self._link.receive()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({receiving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        with self._lock:
            self._loop = None
        await asyncio.sleep(0)  # what was submitted becomes a task, and asyncio.run() cancels tasks
        self._unlisten()
        receiving.cancel()
        try:
            await receiving
        except Violation as error:
            self._broken(error)
        except asyncio.CancelledError:
            pass
        self._shut()
        self._end()
        await self._link.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._unlisten()  # a start that was cut off may have begun to listen meanwhile

    def _shut(self) -> None:
        try:
            self._stream.shutdown(socket.SHUT_RDWR)  # other owners of the socket must not keep the container alive
        except OSError:
            pass

    def _kernel_exited(self, exit: KernelExit) -> None:
        self.exit = exit
        self.exited.set()

    async def _begin(self) -> None:
        assert self._link
        await self._link.hello(self._hello)
        self.facts = await self._link.go(self._files)
        self._listen()

    async def _restart(self) -> None:
        assert self._link
        self._unlisten()
        self.exit = None
        self.exited.clear()
        await self._link.restart(self._files)
        self._listen()

    async def _send_signal(self, number: int) -> None:
        assert self._link
        await self._link.send(b"S", 0, bytes([number]))

    # ── the host's sockets ──────────────────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        for port, path in self._channels.items():
            listener = socket.socket(socket.AF_UNIX)
            try:
                Path(path).unlink(missing_ok=True)
                listener.bind(path)
                os.chmod(path, 0o600)  # before anybody can connect
                listener.listen()
            except OSError as error:
                listener.close()
                raise NoSandbox(
                    f"no socket at {path}: {error}", "choose a shorter or writable folder: TMPDIR"
                ) from error
            listener.setblocking(False)
            self._listeners.append(listener)
            self._heed(listener, port)

    def _heed(self, listener: socket.socket, port: int) -> None:
        """Not by asyncio's server: one that is closed just after it accepted a connection never closes that."""
        if listener in self._listeners:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener, port)

    def _accept(self, listener: socket.socket, port: int) -> None:
        assert self._link
        try:
            connected, _ = listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no more files can be opened: the next look comes later, and not all the time
            loop = asyncio.get_running_loop()
            loop.remove_reader(listener)
            loop.call_later(RETRY_SECONDS, self._heed, listener, port)
            return
        self._link.accept(port, connected)

    def _unlisten(self) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        self._listeners.clear()
        for path in self._channels.values():
            Path(path).unlink(missing_ok=True)
