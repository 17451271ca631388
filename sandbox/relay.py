"""PID 1 of the sandbox container: supervises the kernel and carries byte streams over stdin and stdout.

Runs as `python3 -I -S relay.py`, on the standard library alone. A frame is: type (1 byte), channel (4), length (4, at
most 128 KB), payload.

to the relay    H  hello, first and once, JSON:
                     argv        the kernel's command, argv[0] absolute; "{connection_file}" stands for that file's path
                     env         the kernel's whole environment
                     cwd         the kernel's working directory, where the host's files go
                     rundir      for the connection file, `texts` and the kernel's log; emptied before each start
                     wipe        directories that a restart empties
                     connection  the content of Jupyter's connection file; transport "ipc", sockets at ip + "-" + port
                     texts       optional: name -> content of small text files for the rundir, for instance ca.pem
                     proxy_port  optional: where clients in here find the proxy on 127.0.0.1; 3128
                F  a file is coming: its plain name;  f  a piece of its content
                G  go: start the kernel
                S  a signal for the kernel's process group: one byte
                R  restart: end every process but this one, empty the `wipe` directories; F, f and G follow
from the relay  G  the kernel was started: JSON {}; or it was not: {"error": why}
                X  the kernel ended: JSON {code, oom}; code is negative for a signal
                L  text for the log
both ways       O  open: the host names a port of the connection file, the relay says "proxy"; the relay's numbers
                   have the highest bit set, none is used twice
                D  data, within the 256 KB window that each side starts with;  W  more window: 4 bytes
                C  closed, in both directions; frames that crossed it are ignored
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import selectors
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

HEADER = struct.Struct("!cII")
MAX_FRAME = 128 * 1024
CHUNK = 64 * 1024
WINDOW = 256 * 1024
MAX_PROXIED = 200
"""Connections of clients in here. The host closes what exceeds 256 channels in all."""
FIRST_OWN = 0x80000000
SOCKET_POLL = 0.005
"""Seconds between two looks for a socket of the kernel, which appear about half a second after its start."""
END_SECONDS = 10.0
OOM_COUNTERS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Of cgroup v2 and v1, as a container sees its own."""
PR_SET_DUMPABLE, PR_SET_SECCOMP = 4, 22
SECCOMP_MODE_FILTER = 2
ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: what seccomp calls it, and its number of socket()."""
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
IO_URING = (425, 426, 427)
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class Link:
    """Frames over stdin and stdout. Raises EOFError when the host is gone."""

    def __init__(self, selector: selectors.BaseSelector, readable: Callable[[int], None]) -> None:
        self.selector = selector
        self.received, self.unsent = bytearray(), bytearray()
        self.waiting = False
        os.set_blocking(0, False)
        os.set_blocking(1, False)
        selector.register(0, READ, readable)

    def frames(self) -> Iterator[tuple[bytes, int, bytes]]:
        try:
            data = os.read(0, 4 * CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise EOFError from error
        self.received += data
        while len(self.received) >= HEADER.size:
            kind, number, size = HEADER.unpack_from(self.received)
            end = HEADER.size + size
            if len(self.received) < end:
                break
            payload = bytes(self.received[HEADER.size : end])
            del self.received[:end]
            yield kind, number, payload
        if not data or len(self.received) > HEADER.size + MAX_FRAME:
            raise EOFError

    def send(self, kind: bytes, number: int = 0, payload: bytes = b"") -> None:
        self.unsent += HEADER.pack(kind, number, len(payload)) + payload
        self.flush()

    def flush(self, mask: int = 0) -> None:
        """Writes what can be written. What remains is bounded by the windows of the channels."""
        try:
            while self.unsent:
                del self.unsent[: os.write(1, self.unsent[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError as error:
            raise EOFError from error
        if self.waiting != bool(self.unsent):
            self.waiting = bool(self.unsent)
            if self.waiting:
                self.selector.register(1, WRITE, self.flush)
            else:
                self.selector.unregister(1)


class Channel:
    """A byte stream between the host and a socket in here. Before there is a socket it collects."""

    def __init__(self, relay: Relay, number: int, path: str = "") -> None:
        self.relay, self.number, self.path = relay, number, path
        self.socket: socket.socket | None = None
        self.credit, self.taken = WINDOW, 0
        self.unsent = bytearray()
        self.closing = False
        self.mask = 0

    def attach(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self.socket = connected
        self.arm()

    def connect(self) -> None:
        """Tries whether the kernel has made its socket."""
        attempt = socket.socket(socket.AF_UNIX)
        try:
            attempt.connect(self.path)
        except OSError:
            attempt.close()
        else:
            self.attach(attempt)

    def arm(self) -> None:
        """Tells the selector what this channel waits for."""
        if self.socket is None:
            return
        mask = (READ if self.credit and not self.closing else 0) | (WRITE if self.unsent else 0)
        if mask and self.mask:
            self.relay.selector.modify(self.socket, mask, self.ready)
        elif mask:
            self.relay.selector.register(self.socket, mask, self.ready)
        elif self.mask:
            self.relay.selector.unregister(self.socket)
        self.mask = mask

    def ready(self, mask: int) -> None:
        try:
            if mask & WRITE and self.socket and self.unsent:
                self.drain(self.socket)
            if mask & READ and self.socket and self.credit:
                self.fill(self.socket)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        self.arm()

    def fill(self, connected: socket.socket) -> None:
        data = connected.recv(min(CHUNK, self.credit))
        if data:
            self.credit -= len(data)
            self.relay.link.send(b"D", self.number, data)
        else:
            self.close()

    def drain(self, connected: socket.socket) -> None:
        sent = connected.send(self.unsent)
        del self.unsent[:sent]
        self.taken += sent
        if self.closing and not self.unsent:
            self.close(tell=False)
        elif self.taken >= WINDOW // 2:
            self.relay.link.send(b"W", self.number, struct.pack("!I", self.taken))
            self.taken = 0

    def frame(self, kind: bytes, payload: bytes) -> None:
        if kind == b"D":
            self.unsent += payload
            self.ready(WRITE)
        elif kind == b"W":
            self.credit += struct.unpack("!I", payload)[0]
            self.arm()
        else:
            self.closing = True  # what came before is still delivered
            if self.socket is None or not self.unsent:
                self.close(tell=False)

    def close(self, tell: bool = True) -> None:
        if self.relay.channels.pop(self.number, None) and tell:
            self.relay.link.send(b"C", self.number)
        if self.socket:
            if self.mask:
                self.relay.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None


class Kernel:
    """The supervised process, leader of its own session and process group."""

    def __init__(self) -> None:
        self.pid = 0
        self.started = 0.0
        self.log = ""
        self.oom_kills = 0

    def start(self, hello: dict[str, Any]) -> None:
        rundir = hello["rundir"]
        os.makedirs(rundir, mode=0o700, exist_ok=True)
        wipe(rundir)
        for name, text in {**hello.get("texts", {}), "connection.json": json.dumps(hello["connection"])}.items():
            with create(rundir, name) as file:
                file.write(text.encode())
        os.chdir(hello["cwd"])
        argv = [part.replace("{connection_file}", f"{rundir}/connection.json") for part in hello["argv"]]
        self.log = f"{rundir}/kernel.log"
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        ignored = (signal.SIGPIPE, signal.SIGXFSZ)  # by Python, and inherited otherwise
        self.oom_kills = oom_kills()
        self.pid = os.posix_spawn(argv[0], argv, hello["env"], file_actions=actions, setsid=True, setsigdef=ignored)
        self.started = time.monotonic()

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL:
            self.oom_kills = oom_kills()  # so that this end is not taken for one by lack of memory
        if self.pid:
            signal_group(self.pid, number)

    def collect(self) -> dict[str, object] | None:
        """Reaps what has ended. Returns the kernel's exit if it was among it."""
        while pid_and_status := reap():
            if pid_and_status[0] == self.pid:
                if os.getpid() != 1:
                    signal_group(self.pid, signal.SIGKILL)  # in a container the others live on until a restart
                self.pid = 0
                code = os.waitstatus_to_exitcode(pid_and_status[1])
                return {"code": code, "oom": code == -signal.SIGKILL and oom_kills() > self.oom_kills}
        return None

    def end(self) -> None:
        """Ends the kernel and, in a container, all other processes; elsewhere only the kernel's process group."""
        if os.getpid() == 1:
            end_all_others()
        elif self.pid:
            signal_group(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = 0

    def last_words(self) -> bytes:
        """The end of the kernel's log, unless code put something in its place: a pipe or a device would block us."""
        try:
            with open(os.open(self.log, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as log:
                status = os.fstat(log.fileno())
                if not stat.S_ISREG(status.st_mode):
                    return b""
                return os.pread(log.fileno(), 2000, max(0, status.st_size - 2000))
        except OSError:
            return b""


class Relay:
    """The event loop: one thread, every callback short."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.link = Link(self.selector, self.receive)
        self.channels: dict[int, Channel] = {}
        self.kernel = Kernel()
        self.hello: dict[str, Any] = {}
        self.next_own = FIRST_OWN
        self.file: io.FileIO | None = None
        self.failure = ""
        self.watch_signals()

    def watch_signals(self) -> None:
        """SIGTERM and the like get no handler: what PID 1 does not handle, nobody in its container can send it."""
        self.signals, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self.selector.register(self.signals, READ, self.signalled)

    def run(self) -> None:
        while True:
            for key, mask in self.selector.select(self.timeout()):
                key.data(mask)
            for channel in self.unconnected():
                channel.connect()

    def unconnected(self) -> list[Channel]:
        """Channels that wait for a running kernel to make its sockets."""
        return [channel for channel in self.channels.values() if not channel.socket] if self.kernel.pid else []

    def timeout(self) -> float | None:
        if not self.unconnected():
            return None
        return SOCKET_POLL if time.monotonic() - self.kernel.started < 10 else 0.25

    def signalled(self, mask: int) -> None:
        if signal.SIGINT in os.read(self.signals, 4096):
            self.kernel.signal(signal.SIGINT)
        ended = self.kernel.collect()
        if ended:
            self.link.send(b"L", 0, self.kernel.last_words())
            self.link.send(b"X", 0, json.dumps(ended).encode())

    def receive(self, mask: int) -> None:
        for kind, number, payload in self.link.frames():
            if kind in b"DCW":
                channel = self.channels.get(number)
                if channel:
                    channel.frame(kind, payload)
            elif kind == b"O":
                self.open(number, payload.decode())
            else:
                self.command(kind, payload)

    def command(self, kind: bytes, payload: bytes) -> None:
        if kind == b"H":
            self.hello = json.loads(payload)
            self.listen(self.hello.get("proxy_port", 3128))
        elif kind == b"F" or kind == b"f":
            self.write_file(kind, payload)
        elif kind == b"G":
            self.go()
        elif kind == b"S":
            self.kernel.signal(payload[0])
        elif kind == b"R":
            self.restart()

    def open(self, number: int, port: str) -> None:
        self.channels[number] = Channel(self, number, f"{self.hello['connection']['ip']}-{int(port)}")

    def listen(self, port: int) -> None:
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.listener.setblocking(False)
        self.selector.register(self.listener, READ, self.accept)

    def accept(self, mask: int) -> None:
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        if sum(number >= FIRST_OWN for number in self.channels) >= MAX_PROXIED:
            client.close()
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it each keep-alive request took 40 ms
        number, self.next_own = self.next_own, self.next_own + 1
        channel = self.channels[number] = Channel(self, number)
        self.link.send(b"O", number, b"proxy")
        channel.attach(client)

    def write_file(self, kind: bytes, payload: bytes) -> None:
        """F begins a file, f continues it. The first failure is kept for the answer to G."""
        try:
            if kind == b"F":
                self.close_file()
                self.file = create(self.hello["cwd"], payload.decode())
            elif self.file and self.file.write(payload) != len(payload):
                raise OSError("no space is left for the files")
        except (OSError, ValueError) as error:
            self.failure = self.failure or str(error)

    def close_file(self) -> None:
        if self.file:
            self.file.close()
            self.file = None

    def go(self) -> None:
        self.close_file()
        answer = {"error": self.failure} if self.failure else {}
        if not answer:
            try:
                self.kernel.start(self.hello)
            except (OSError, ValueError) as error:
                answer = {"error": f"the kernel did not start: {error}"}
        self.link.send(b"G", 0, json.dumps(answer).encode())

    def restart(self) -> None:
        self.kernel.end()
        for channel in list(self.channels.values()):
            channel.close()
        self.close_file()
        self.failure = ""
        for folder in self.hello["wipe"]:
            wipe(folder)


def create(folder: str, name: str) -> io.FileIO:
    """Opens a file for writing, by a plain name only; a link of that name is not followed."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"not a plain file name: {name!r}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    return io.FileIO(os.open(f"{folder}/{name}", flags, 0o600), "w")


def wipe(root: str) -> None:
    """Empties a folder. Folders inside are moved up before they are emptied, so that no nesting is too deep."""
    if os.stat(root).st_uid == os.getuid():
        os.chmod(root, 0o700)
    folders = [root]
    while folders:
        folder = folders.pop()
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)  # to move and to empty a folder takes the right to write to it
                folders.append(f"{root}/{os.urandom(8).hex()}")
                os.rename(entry.path, folders[-1])
            else:
                os.unlink(entry.path)
        if folder != root:
            os.rmdir(folder)


def oom_kills(counters: tuple[str, ...] = OOM_COUNTERS) -> int:
    """How often a process in here was ended for lack of memory, as the cgroup counts it; 0 where none does."""
    for path in counters:
        try:
            with open(path) as lines:
                return int(dict(line.split() for line in lines).get("oom_kill", 0))
        except OSError:
            continue
    return 0


def reap() -> tuple[int, int] | None:
    """A child that has ended, with its status; None when none has."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def signal_group(leader: int, number: int) -> None:
    if leader <= 1:
        raise ValueError("not the process group of a child")
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        pass


def end_all_others() -> None:
    """Ends every process of the container but PID 1. A fork bomb takes several rounds."""
    if os.getpid() != 1:
        raise RuntimeError("outside a container this would end every process of the user")
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)
    os._exit(4)  # ends the container, and with it everything


def syscall_filter(machine: str) -> bytes:
    """A seccomp program on top of the engine's own, which in older ones leaves two ways open.

    Sockets of families that need no network, such as VSOCK, which leads out of a virtual machine; and io_uring, which
    gets round every filter. Both are refused with EPERM, and so are the calls of other architectures.
    """
    architecture, socket_call = ARCHITECTURES[machine]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    # code, where to go if so and if not ("on" is the next line), operand
    lines = [
        (load, "on", "on", 4),
        (equal, "on", "deny", architecture),
        (load, "on", "on", 0),
        (at_least, "deny", "on", 0x40000000),  # x86_64 with short pointers
        *((equal, "deny", "on", call) for call in IO_URING),
        (equal, "on", "allow", socket_call),
        (load, "on", "on", 16),
        *((equal, "allow", "on", int(family)) for family in FAMILIES),
        (give, "on", "on", 0x00050000 | errno.EPERM),
        (give, "on", "on", 0x7FFF0000),
    ]
    marks = {"deny": len(lines) - 2, "allow": len(lines) - 1}
    return b"".join(
        struct.pack("=HBBI", code, *(marks.get(goal, at + 1) - at - 1 for goal in (so, not_so)), operand)
        for at, (code, so, not_so, operand) in enumerate(lines)
    )


def restrict() -> None:
    """For this process and all that it will start. Raises OSError or KeyError."""
    program = syscall_filter(os.uname().machine)
    lines = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(lines))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def main() -> None:
    if os.getpid() != 1 and sys.argv[1:] != ["--outside-container"]:
        sys.exit("relay: runs as PID 1 of a container; elsewhere only with --outside-container")
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):  # closes /proc/1 to the kernel, which has the same user
        sys.exit("relay: the memory of this process cannot be protected")
    if os.getpid() == 1:
        try:
            restrict()
        except (OSError, KeyError) as error:
            sys.exit(f"relay: this machine takes no seccomp filter: {error}")
    relay = Relay()
    try:
        relay.run()
    except EOFError:
        pass  # the host is gone
    finally:
        if os.getpid() != 1:  # the end of PID 1 ends the others without help
            relay.kernel.end()
    os._exit(0)


if __name__ == "__main__":
    main()
