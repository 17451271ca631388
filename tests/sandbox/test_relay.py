"""The relay by its frames, outside a container: it may touch nothing but its own child."""

from __future__ import annotations

import ast
import json
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox.relay.kernel import Kernel, oom_kills
from sandbox.relay.loop import MAX_PROXIED
from tests.sandbox.conftest import COMMAND, DEADLINE, HEADER, RELAY, WINDOW, RelayProcess

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


Eventually = Callable[[Callable[[], object]], None]


@pytest.fixture
def pids(relay: RelayProcess, eventually: Eventually) -> Callable[[], list[int]]:
    """Those of the running SLEEPER and its child."""

    def pids() -> list[int]:
        eventually((relay.home / "pids").exists)
        return [int(pid) for pid in (relay.home / "pids").read_text().split()]

    return pids


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
    trees = [ast.parse(path.read_text()) for path in RELAY.glob("*.py")]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    everything = [function for function in functions if "os.kill(" in ast.unparse(function)]
    assert [function.name for function in everything] == ["end_all_others"]
    assert ast.unparse(everything[0].body[1]).startswith("if os.getpid() != 1:\n    raise RuntimeError(")
    groups = [function for function in functions if "os.killpg(" in ast.unparse(function)]
    assert [function.name for function in groups] == ["signal_group"]
    assert ast.unparse(groups[0].body[0]).startswith("if leader <= 1:\n    raise ValueError(")


def test_outside_a_container_it_runs_only_when_told() -> None:
    ended = subprocess.run(COMMAND[:-1], capture_output=True, text=True, timeout=15, check=False)
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


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_a_folder_in_the_log_s_place_costs_no_descriptor(tmp_path: Path) -> None:
    kernel = Kernel()
    kernel.log = str(tmp_path)
    before = os.listdir("/proc/self/fd")
    assert kernel.last_words() == b""
    assert os.listdir("/proc/self/fd") == before


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
def test_ends_for_lack_of_memory_are_counted(tmp_path: Path, text: str, kills: int) -> None:
    (tmp_path / "counter").write_text(text)
    assert oom_kills((str(tmp_path / "missing"), str(tmp_path / "counter"))) == kills
    assert oom_kills((str(tmp_path / "missing"),)) == 0


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


def test_clients_beyond_the_limit_are_closed(relay: RelayProcess) -> None:
    relay.run(SLEEPER)
    limit = MAX_PROXIED
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


def test_a_socket_that_accepts_nobody_holds_nothing_up(relay: RelayProcess, eventually: Eventually) -> None:
    program = """
import os, socket, time
listener = socket.socket(socket.AF_UNIX)
listener.bind(os.environ["SOCKET"])
listener.listen(0)
clients = []
try:
    while True:
        clients.append(socket.socket(socket.AF_UNIX))
        clients[-1].setblocking(False)
        clients[-1].connect(os.environ["SOCKET"])
except BlockingIOError:
    open("full", "w").close()
time.sleep(600)
"""
    relay.run(program)
    eventually((relay.home / "full").exists)
    relay.send(b"O", 1, b"1")
    assert [row[0] for row in relay.list()] == ["full"]
    relay.send(b"S", 0, bytes([signal.SIGKILL]))
    assert relay.exit()[1] == {"code": -9, "oom": False}
