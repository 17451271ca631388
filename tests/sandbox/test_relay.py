"""The relay by its frames, outside a container: it may touch nothing but its own child."""

from __future__ import annotations

import ast
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RELAY = Path(__file__).parents[2] / "sandbox" / "relay.py"
HEADER = struct.Struct("!cII")
WINDOW = 256 * 1024
DEADLINE = 15.0
SLEEPER = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "600"])
with open("pids.new", "w") as out: print(os.getpid(), child.pid, file=out)
os.rename("pids.new", "pids")
time.sleep(600)
"""
ECHO = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(os.environ["SOCKET"])
    listener.listen()
    while True:
        client = listener.accept()[0]
        while data := client.recv(65536): client.sendall(data)
        client.close()
"""


class RelayProcess:
    """A relay as a child process and the host's end of its link."""

    def __init__(self, folder: Path, proxy_port: int) -> None:
        self.home, self.rundir, self.proxy_port = folder / "home", folder / "run", proxy_port
        self.home.mkdir()
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(DEADLINE)
        command = [sys.executable, "-I", "-S", str(RELAY), "--outside-container"]
        with theirs:
            end = theirs.fileno()
            self.process = subprocess.Popen(command, stdin=end, stdout=end, start_new_session=True)

    def hello(self, *argv: str, **more: object) -> None:
        hello = {
            "argv": argv,
            "env": {"PATH": os.environ["PATH"], "SOCKET": f"{self.rundir}/k-1"},
            "cwd": str(self.home),
            "rundir": str(self.rundir),
            "wipe": [str(self.home)],
            "connection": {"transport": "ipc", "ip": f"{self.rundir}/k"},
            "proxy_port": self.proxy_port,
        }
        self.send(b"H", 0, json.dumps({**hello, **more}).encode())

    def run(self, program: str, **more: object) -> None:
        """Has a Python program started in place of a kernel."""
        self.hello(sys.executable, "-S", "-c", program, **more)
        self.go()

    def go(self) -> None:
        self.send(b"G")
        assert json.loads(self.expect(b"G")[1]) == {}

    def send(self, kind: bytes, channel: int = 0, payload: bytes = b"") -> None:
        self.socket.sendall(HEADER.pack(kind, channel, len(payload)) + payload)

    def expect(self, kind: bytes) -> tuple[int, bytes]:
        """The channel and the payload of the next frame, which must be of this kind."""
        got, channel, size = HEADER.unpack(self.exactly(HEADER.size))
        payload = self.exactly(size)
        assert got == kind, (got, payload[:200])
        return channel, payload

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def exit(self) -> tuple[str, dict[str, object]]:
        """The kernel's last words, and its exit."""
        words = self.expect(b"L")[1].decode()
        return words, json.loads(self.expect(b"X")[1])

    def close(self) -> int:
        self.socket.close()
        try:
            return self.process.wait(DEADLINE)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def relay(tmp_path: Path, free_port: int) -> Iterator[RelayProcess]:
    process = RelayProcess(tmp_path, free_port)
    yield process
    process.close()


@pytest.fixture
def pids(relay: RelayProcess, eventually: Eventually) -> Callable[[], list[int]]:
    """Those of the running SLEEPER and its child."""

    def pids() -> list[int]:
        eventually((relay.home / "pids").exists)
        return [int(pid) for pid in (relay.home / "pids").read_text().split()]

    return pids


@pytest.fixture(scope="session")
def functions() -> dict[str, Any]:
    return runpy.run_path(str(RELAY), run_name="relay")


# ── the filter ──────────────────────────────────────────────────────────────────────────────────────────────────────


def decision(program: bytes, number: int, architecture: int, argument: int) -> int:
    """What the kernel would do with a call."""
    data = {0: number, 4: architecture, 16: argument}
    lines = list(struct.iter_unpack("=HBBI", program))
    value = at = 0
    while True:
        code, so, not_so, operand = lines[at]
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            value = data[operand]
        at += 1 + (so if (value == operand if code == 0x15 else value >= operand) else not_so) * (code != 0x20)


@pytest.mark.parametrize(
    ("machine", "architecture", "socket_call"), [("x86_64", 0xC000003E, 41), ("aarch64", 0xC00000B7, 198)]
)
def test_the_filter_closes_vsock_io_uring_and_foreign_calls_and_nothing_else(
    functions: dict[str, Any], machine: str, architecture: int, socket_call: int
) -> None:
    allow, deny = 0x7FFF0000, 0x00050001
    program = functions["syscall_filter"](machine)

    def asked(number: int, argument: int = 0, architecture: int = architecture) -> int:
        return decision(program, number, architecture, argument)

    assert [family for family in range(64) if asked(socket_call, family) == allow] == [1, 2, 10, 16]
    assert {asked(socket_call, family) for family in (0, 38, 40, 0xFFFFFFFF)} == {deny}
    assert [number for number in range(600) if asked(number, 1) != allow] == [425, 426, 427]
    assert asked(0x40000000 + socket_call, 1) == asked(0xFFFFFFFF) == deny
    assert asked(socket_call, 1, 0x40000003) == deny  # 32 bits, where socketcall() takes every family


# ── the kernel's life ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_bystander_survives_a_restart(
    relay: RelayProcess,
    bystander: subprocess.Popen[bytes],
    pids: Callable[[], list[int]],
    alive: Callable[[int], bool],
    eventually: Eventually,
) -> None:
    relay.run(SLEEPER)
    before = pids()

    relay.send(b"R")
    relay.go()

    after = pids()
    assert all(alive(pid) for pid in after)
    eventually(lambda: not any(alive(pid) for pid in before))
    assert bystander.poll() is None


def test_only_pid_1_may_signal_everything() -> None:
    """Read, not run: where the guard is missing, running it would end every process of the user."""
    functions = [node for node in ast.walk(ast.parse(RELAY.read_text())) if isinstance(node, ast.FunctionDef)]
    everything = [function for function in functions if "os.kill(" in ast.unparse(function)]
    assert [function.name for function in everything] == ["end_all_others"]
    assert ast.unparse(everything[0].body[1]).startswith("if os.getpid() != 1:\n    raise RuntimeError(")
    groups = [function for function in functions if "os.killpg(" in ast.unparse(function)]
    assert [function.name for function in groups] == ["signal_group"]
    assert ast.unparse(groups[0].body[0]).startswith("if leader <= 1:\n    raise ValueError(")


def test_outside_a_container_it_runs_only_when_told() -> None:
    ended = subprocess.run([sys.executable, "-I", "-S", RELAY], capture_output=True, text=True, timeout=15, check=False)
    assert ended.returncode == 1
    assert "only with --outside-container" in ended.stderr


def test_the_end_of_stdin_ends_the_relay_and_the_kernel_with_its_children(
    relay: RelayProcess, pids: Callable[[], list[int]], alive: Callable[[int], bool], eventually: Eventually
) -> None:
    relay.run(SLEEPER)
    started = pids()
    assert relay.close() == 0
    eventually(lambda: not any(alive(pid) for pid in started))


def test_an_exit_is_told_with_the_last_words(relay: RelayProcess) -> None:
    relay.run("import sys; sys.exit('it is broken')")
    words, exit = relay.exit()
    assert words.strip() == "it is broken"
    assert exit == {"code": 1, "oom": False}


@pytest.mark.parametrize("instead", ["os.mkfifo(log)", "os.symlink('/dev/zero', log)", "os.mkdir(log)"])
def test_a_log_that_is_no_file_any_more_holds_nothing_up(relay: RelayProcess, instead: str) -> None:
    relay.run(f"import os; log = '{relay.rundir}/kernel.log'; os.unlink(log); {instead}")
    words, exit = relay.exit()
    assert (words, exit["code"]) == ("", 0)


def test_an_exit_by_our_own_signal_is_no_lack_of_memory(relay: RelayProcess, pids: Callable[[], list[int]]) -> None:
    relay.run(SLEEPER)
    pids()
    relay.send(b"S", 0, bytes([signal.SIGKILL]))
    assert relay.exit()[1] == {"code": -9, "oom": False}


def test_a_command_that_cannot_start_is_an_answer(relay: RelayProcess) -> None:
    relay.hello("/does/not/exist")
    relay.send(b"G")
    assert "No such file" in json.loads(relay.expect(b"G")[1])["error"]


def test_a_signal_reaches_the_whole_process_group(
    relay: RelayProcess, pids: Callable[[], list[int]], alive: Callable[[int], bool], eventually: Eventually
) -> None:
    relay.run(SLEEPER)
    _, child = pids()
    relay.send(b"S", 0, bytes([signal.SIGINT]))
    words, exit = relay.exit()
    assert "KeyboardInterrupt" in words
    assert exit == {"code": -2, "oom": False}
    eventually(lambda: not alive(child))


def test_an_interrupt_of_the_relay_is_the_kernels(relay: RelayProcess, pids: Callable[[], list[int]]) -> None:
    relay.run(SLEEPER)
    pids()
    relay.process.send_signal(signal.SIGINT)
    assert relay.exit()[1] == {"code": -2, "oom": False}
    relay.go()  # it runs on


def test_it_handles_no_signal_that_could_end_it(relay: RelayProcess) -> None:
    relay.run("")
    relay.exit()
    status = Path(f"/proc/{relay.process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    assert {number for number in range(1, 32) if caught >> (number - 1) & 1} == {signal.SIGINT, signal.SIGCHLD}


@pytest.mark.parametrize(
    ("text", "kills"),
    [
        ("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3),
        ("low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n", 1),
        ("oom_kill_disable 0\n", 0),
    ],
    ids=["cgroup v1", "cgroup v2", "an old v1"],
)
def test_ends_for_lack_of_memory_are_counted(functions: dict[str, Any], tmp_path: Path, text: str, kills: int) -> None:
    (tmp_path / "counter").write_text(text)
    assert functions["oom_kills"]((str(tmp_path / "missing"), str(tmp_path / "counter"))) == kills
    assert functions["oom_kills"]((str(tmp_path / "missing"),)) == 0


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_arrive_before_the_kernel_and_again_after_a_restart(relay: RelayProcess) -> None:
    program = "import os; print(sorted(os.listdir()), open('b').read()); open('left', 'w')"
    relay.hello(sys.executable, "-S", "-c", program)
    for _ in range(2):
        for frame in [(b"F", b"a"), (b"F", b"b"), (b"f", b"one "), (b"f", b"two")]:
            relay.send(frame[0], 0, frame[1])
        relay.go()
        assert relay.exit()[0] == "['a', 'b'] one two\n"
        relay.send(b"R")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x", "../x", "nul\0"])
def test_a_file_needs_a_plain_name(relay: RelayProcess, name: str) -> None:
    relay.hello(sys.executable, "-S", "-c", "")
    relay.send(b"F", 0, name.encode())
    relay.send(b"f", 0, b"content")
    relay.send(b"G")
    assert "not a plain file name" in json.loads(relay.expect(b"G")[1])["error"]
    relay.send(b"R")
    relay.go()  # a restart forgets the failure


def test_a_link_is_not_followed(relay: RelayProcess, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (relay.home / "a").symlink_to(tmp_path / "precious")
    relay.hello(sys.executable, "-S", "-c", "")
    relay.send(b"F", 0, b"a")
    relay.send(b"f", 0, b"overwritten")
    relay.send(b"G")
    assert "error" in json.loads(relay.expect(b"G")[1])
    assert (tmp_path / "precious").read_text() == "kept"


def test_texts_and_the_connection_file_lie_in_the_rundir(relay: RelayProcess) -> None:
    relay.hello(
        sys.executable, "-S", "-c", "import sys; print(open(sys.argv[1]).read())", "{connection_file}",
        texts={"ca.pem": "CERTIFICATE"},
    )  # fmt: skip
    relay.go()
    assert json.loads(relay.exit()[0])["transport"] == "ipc"
    assert (relay.rundir / "ca.pem").read_text() == "CERTIFICATE"
    assert (relay.rundir / "connection.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_is_emptied_whatever_the_sandbox_put_there(functions: dict[str, Any], tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "closed").mkdir()
    (root / "closed" / "file").write_text("")
    (root / "closed").chmod(0)
    os.mkfifo(root / "pipe")
    here = os.open(root, os.O_RDONLY)
    for _ in range(1500):  # deeper than a path may be long
        os.mkdir("deep", dir_fd=here)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    functions["wipe"](str(root))
    assert list(root.iterdir()) == []
    assert (outside / "precious").read_text() == "kept"


# ── channels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_channel_waits_for_the_kernels_socket(relay: RelayProcess) -> None:
    relay.run("import time; time.sleep(0.3)\n" + ECHO)
    relay.send(b"O", 1, b"1")
    relay.send(b"D", 1, b"hello")
    assert relay.expect(b"D") == (1, b"hello")
    relay.send(b"C", 1)
    relay.send(b"O", 2, b"1")
    relay.send(b"D", 2, b"again")
    assert relay.expect(b"D") == (2, b"again")


def test_a_channel_ends_with_the_kernel_and_with_a_restart(relay: RelayProcess) -> None:
    relay.run(ECHO)
    relay.send(b"O", 1, b"1")
    relay.send(b"D", 1, b"x")
    relay.expect(b"D")
    relay.send(b"R")
    assert relay.expect(b"C") == (1, b"")
    relay.send(b"O", 2, b"1")  # nothing to connect to until the next kernel
    relay.send(b"D", 2, b"y")
    relay.go()
    assert relay.expect(b"D") == (2, b"y")


def test_no_more_than_the_window_is_sent_without_credit(relay: RelayProcess) -> None:
    relay.run(ECHO)
    relay.send(b"O", 1, b"1")
    for _ in range(4):
        relay.send(b"D", 1, bytes(WINDOW // 4))
    got = credit = 0
    while got < WINDOW or credit < WINDOW // 2:
        kind, _, size = HEADER.unpack(relay.exactly(HEADER.size))
        payload = relay.exactly(size)
        got += len(payload) if kind == b"D" else 0
        credit += int.from_bytes(payload, "big") if kind == b"W" else 0
    relay.send(b"D", 1, bytes(100))
    relay.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        relay.exactly(1)
    relay.socket.settimeout(DEADLINE)
    relay.send(b"W", 1, struct.pack("!I", 40))
    assert relay.expect(b"D") == (1, bytes(40))


def test_a_client_of_the_proxy_is_a_channel(relay: RelayProcess) -> None:
    relay.run(SLEEPER)
    with socket.create_connection(("127.0.0.1", relay.proxy_port), DEADLINE) as client:
        number, payload = relay.expect(b"O")
        assert number == 0x80000000
        assert payload == b"proxy"
        client.sendall(b"CONNECT")
        assert relay.expect(b"D") == (number, b"CONNECT")
        relay.send(b"D", number, b"200")
        relay.send(b"C", number)
        assert client.recv(100) == b"200"
        assert client.recv(100) == b""
    with socket.create_connection(("127.0.0.1", relay.proxy_port), DEADLINE):
        assert relay.expect(b"O") == (number + 1, b"proxy")
    assert relay.expect(b"C") == (number + 1, b"")


def test_clients_beyond_the_limit_are_closed(relay: RelayProcess, functions: dict[str, Any]) -> None:
    relay.run(SLEEPER)
    limit = functions["MAX_PROXIED"]
    clients = [socket.create_connection(("127.0.0.1", relay.proxy_port), DEADLINE) for _ in range(limit + 1)]
    try:
        for _ in range(limit):
            relay.expect(b"O")
        assert clients[-1].recv(1) == b""
        clients[0].close()
        relay.expect(b"C")
        clients.append(socket.create_connection(("127.0.0.1", relay.proxy_port), DEADLINE))
        relay.expect(b"O")
    finally:
        for client in clients:
            client.close()


def test_a_frame_that_is_too_large_is_the_end(relay: RelayProcess) -> None:
    relay.socket.sendall(HEADER.pack(b"D", 1, 1 << 20) + bytes(200_000))
    assert relay.process.wait(DEADLINE) == 0
