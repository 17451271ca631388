"""The relay by its frames, outside a container: it may touch nothing but its own child."""

from __future__ import annotations

import ast
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.relay.doors import MAX_PROXIED
from sandbox.relay.kernel import Kernel, oom_kills
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
        assert b"503 more than" in clients[-1].recv(200)
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


# ── hosts by their names ────────────────────────────────────────────────────────────────────────────────────────────


def unused(kind: socket.SocketKind) -> int:
    """A port that nobody has, below those from which connections of others take theirs meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket(socket.AF_INET, kind) as probe, suppress(OSError):
            probe.bind(("0.0.0.0", port))
            return port


@dataclass
class Hosts:
    """A relay that knows names, and where it is asked for them."""

    relay: RelayProcess
    port: int
    names_port: int

    def address(self, name: str) -> str:
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        asked = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.5)
            for _ in range(30):  # a question may be lost, and is asked again then
                asking.sendto(asked, ("127.0.0.1", self.names_port))
                with suppress(TimeoutError):
                    return socket.inet_ntoa(asking.recv(600)[-4:])
        raise TimeoutError(name)

    def connect(self, address: str) -> socket.socket:
        return socket.create_connection((address, self.port), DEADLINE)

    def tunnel(self, name: str) -> tuple[socket.socket, int]:
        """A client and its channel, for which the relay has asked for a tunnel."""
        client = self.connect(self.address(name))
        number, _ = self.relay.expect(b"O")
        target = f"{name}:{self.port}"
        asked = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()
        assert self.relay.expect(b"D") == (number, asked)
        return client, number


@pytest.fixture
def hosts(relay: RelayProcess) -> Hosts:
    made = Hosts(relay, unused(socket.SOCK_STREAM), unused(socket.SOCK_DGRAM))
    relay.run(SLEEPER, ports=[made.port], names_port=made.names_port)
    return made


def test_a_connection_to_a_name_is_a_tunnel_of_the_proxy(hosts: Hosts) -> None:
    client, number = hosts.tunnel("api.example.com")
    with client:
        client.sendall(b"hello")  # waits for the tunnel
        relay = hosts.relay
        relay.send(b"D", number, b"HTTP/1.1 200 Connection est")
        relay.send(b"D", number, b"ablished\r\nX: y\r\n\r\nfirst")
        assert relay.expect(b"D") == (number, b"hello")
        assert client.recv(100) == b"first"
        relay.send(b"D", number, b"more\r\n\r\n")
        assert client.recv(100) == b"more\r\n\r\n"
    assert relay.expect(b"C") == (number, b"")


@pytest.mark.parametrize("refusal", [b"HTTP/1.1 503 full\r\n\r\n", b"nonsense\r\n\r\n", b"\r\n\r\n", b"x" * 20_000])
def test_a_tunnel_that_is_not_given_ends_its_client(hosts: Hosts, refusal: bytes) -> None:
    client, number = hosts.tunnel("api.example.com")
    with client:
        hosts.relay.send(b"D", number, refusal)
        assert hosts.relay.expect(b"C") == (number, b"")
        assert client.recv(1) == b""


def test_a_client_that_leaves_before_its_tunnel_is_there_is_forgotten(hosts: Hosts) -> None:
    client, number = hosts.tunnel("api.example.com")
    client.close()
    hosts.relay.send(b"D", number, b"HTTP/1.1 200 OK\r\n\r\n")
    assert hosts.relay.expect(b"C") == (number, b"")


def test_an_address_that_belongs_to_no_name_leads_nowhere(hosts: Hosts) -> None:
    for address in ("127.64.0.200", "127.0.0.1"):
        with hosts.connect(address) as client:
            assert client.recv(1) == b""
    client, _ = hosts.tunnel("b.example")  # nothing was opened before
    client.close()


def test_a_port_of_this_machine_can_stand_for_one_outside(relay: RelayProcess) -> None:
    port = unused(socket.SOCK_STREAM)
    here = {f"127.0.0.1:{port}": f"localhost:{port}"}
    relay.run(SLEEPER, ports=[port], names_port=unused(socket.SOCK_DGRAM), here=here)
    with socket.create_connection(("127.0.0.2", port), DEADLINE) as client:
        assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", port), DEADLINE):
        number, _ = relay.expect(b"O")
        target = f"localhost:{port}"
        assert relay.expect(b"D") == (number, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())


def test_a_flood_of_questions_without_sense_holds_nothing_up(hosts: Hosts) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
        flood.connect(("127.0.0.1", hosts.names_port))
        for number in range(3000):
            flood.send(os.urandom(number % 600))
            if number % 300 == 0:
                hosts.relay.list()  # is answered
    assert hosts.address("a.example").startswith("127.")


def test_a_port_that_is_taken_is_told_and_the_others_work(relay: RelayProcess) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port, names_port = unused(socket.SOCK_STREAM), unused(socket.SOCK_DGRAM)
        relay.hello(sys.executable, "-S", "-c", SLEEPER, ports=[taken.getsockname()[1], port], names_port=names_port)
        assert b"nothing listens on port" in relay.expect(b"L")[1]
        relay.go()
        client, _ = Hosts(relay, port, names_port).tunnel("a.example")
        client.close()


def test_what_is_installed_goes_on_top_of_what_is_there(relay: RelayProcess) -> None:
    program = """
import os, sys
open("found", "w").write("\\n".join([sys.prefix, *sys.path]))
"""
    overlay = relay.home / "over"
    relay.hello(str(overlay / "bin/python"), "-c", program, overlay=[sys.executable, str(overlay)])
    for _ in range(2):  # also after a restart
        relay.go()
        relay.exit()
        prefix, *path = relay.get("found").decode().split("\n")
        relay.send(b"R")
        assert prefix == str(overlay)
        places = [place for place in path if place.endswith("site-packages")]
        assert places[0].startswith(str(overlay))
        assert places[1] == sysconfig.get_path("purelib")
