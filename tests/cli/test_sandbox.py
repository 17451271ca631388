"""`ecoassist sandbox` as a process of its own, on the real engine or on one that is scripted."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pexpect
import pytest

from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.image.prune import images
from ecoassist.kernel.image.recipe import BASE, FLAVOUR, LABEL, recipe, tag
from ecoassist.kernel.settings import BoxSettings
from ecoassist.owners import owner

PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "ECOASSIST_BASE_IMAGE", "ECOASSIST_BUILD_NETWORK")
ENVIRONMENT = {name: os.environ[name] for name in (*PASSED_ON, "PATH", "PYTHONPATH") if name in os.environ}
ENVIRONMENT |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
COMMAND = [sys.executable, "-m", "ecoassist", "sandbox"]


@pytest.fixture
def sandbox(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a subcommand, without a terminal."""

    def sandbox(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        env = {**ENVIRONMENT, "HOME": str(tmp_path), **environment}
        given = [*COMMAND, *arguments]
        return subprocess.run(given, env=env, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=120)

    return sandbox


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Runs a subcommand in a terminal of 30 lines and 99 columns."""
    children: list[Any] = []

    def terminal(*arguments: str, **environment: str) -> Any:
        env = {**ENVIRONMENT, "HOME": str(tmp_path), "TERM": "xterm", **environment}
        given: dict[str, Any] = {"env": env, "cwd": str(tmp_path), "dimensions": (30, 99), "timeout": 30}
        children.append(pexpect.spawn(COMMAND[0], [*COMMAND[1:], *arguments], encoding="utf-8", **given))
        return children[-1]

    yield terminal
    for child in children:
        child.close(force=True)


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture
def gone(engine: Engine) -> Callable[[str], bool]:
    """Whether the containers of a process have gone, or go within 15 s."""

    def gone(pid: str) -> bool:
        end = time.monotonic() + 15
        while any(owner.split(" ")[2] == pid for owner in owners(engine)):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    return gone


def owners(engine: Engine) -> list[str]:
    return [labels["ecoassist.owner"] for _, labels in engine.containers("ecoassist.owner")]


@pytest.mark.parametrize("subcommand", ["build", "list", "clean", "shell"])
def test_without_an_engine_each_subcommand_ends_with_3_and_a_remedy(
    subcommand: str, sandbox: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ran = sandbox(subcommand, DOCKER_HOST="unix:///nowhere/docker.sock")
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "start Docker" in ran.stderr


def test_a_flavour_that_does_not_exist_is_a_fault_of_usage(
    sandbox: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ran = sandbox("build", "--flavour", "vanilla")
    assert ran.returncode == 2
    assert "core" in ran.stderr


# ── on the real engine ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
def test_a_shell_without_a_terminal_runs_what_it_reads_within_the_limits_of_code(
    sandbox: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "numbers.csv").write_text("1,2\n")
    script = """
    id -u; pwd; cat numbers.csv; echo "$HOME $TZ $SSL_CERT_FILE"; ulimit -n
    grep -E 'CapEff|NoNewPrivs|^Seccomp:' /proc/self/status | tr -d '[:space:]'; echo; ls /sys/class/net
    python -c 'import urllib.request as r; r.urlopen("https://ecoassist.invalid/")' 2>&1 | tail -1 | cut -c1-40
    touch /opt/x || echo not allowed >&2
    exit 7
    """
    ran = sandbox("shell", "--file", "numbers.csv", stdin=script, TZ="Europe/Vienna")
    assert ran.stdout.splitlines() == [
        "10001",
        "/home/sbx",
        "1,2",
        "/home/sbx Europe/Vienna /run/eco/ca.pem",
        "1024",
        "CapEff:0000000000000000NoNewPrivs:1Seccomp:2",
        "lo",
        "urllib.error.HTTPError: HTTP Error 403: ",
    ]
    assert ran.stderr.splitlines()[-1] == "not allowed"
    assert ran.returncode == 7


@pytest.mark.docker
def test_a_shell_takes_a_long_script_and_gives_long_output(
    sandbox: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    ran = sandbox(
        "shell", stdin="cat << EOF | tail -c 3000000\n" + "x" * 99 + "\n" + ("y" * 99 + "\n") * 30_000 + "EOF\n"
    )
    assert (ran.returncode, ran.stdout) == (0, ("y" * 99 + "\n") * 30_000)


@pytest.mark.docker
def test_a_shell_in_a_terminal_is_one(terminal: Callable[..., Any], gone: Callable[[str], bool]) -> None:
    child = terminal("shell")
    before = termios.tcgetattr(child.fileno())
    child.expect(r"\$ ")
    assert termios.tcgetattr(child.fileno()) != before
    child.send("stty size\r")
    child.expect("30 99\r\n")
    child.setwinsize(44, 120)
    child.send("until stty size | grep '44 120'; do sleep 0.1; done\r")
    child.expect("44 120\r\n")
    child.send("sleep 600\r")
    child.expect("sleep 600\r\n")
    child.send("\x03")
    child.expect(r"\^C")
    child.expect(r"\$ ")
    child.send("exit 5\r")
    child.expect(pexpect.EOF)
    after = termios.tcgetattr(child.fileno())
    child.close()
    assert child.exitstatus == 5
    assert after == before
    assert gone(str(child.pid))


@pytest.mark.docker
def test_a_shell_that_is_terminated_leaves_the_terminal_in_order_and_no_container(
    terminal: Callable[..., Any], gone: Callable[[str], bool]
) -> None:
    child = terminal("shell")
    before = termios.tcgetattr(child.fileno())
    child.expect(r"\$ ")
    os.kill(child.pid, signal.SIGTERM)
    child.expect(pexpect.EOF)
    after = termios.tcgetattr(child.fileno())
    child.close()
    assert child.exitstatus == 143
    assert after == before
    assert gone(str(child.pid))


@pytest.mark.docker
def test_an_image_is_built_in_a_terminal_and_listed_and_removed(
    terminal: Callable[..., Any],
    sandbox: Callable[..., subprocess.CompletedProcess[str]],
    box_settings: BoxSettings,
    engine: Engine,
) -> None:
    repository = f"ecoassist-test-{hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:12]}"
    base = f"{repository}:latest"
    engine.api.tag(box_settings.base_image, repository)
    try:
        child = terminal("build", "--base-image", base)
        child.expect(r"step \d+/\d+: ")
        child.expect(r"the sandbox image is ready: (ecoassist-sandbox:\w{12}), \d+ MB, \d+ s")
        name = child.match[1]
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0
        again = sandbox("build", ECOASSIST_BASE_IMAGE=base)
        assert (again.returncode, again.stdout, again.stderr) == (0, f"{name}\n", "")
        listed = sandbox("list", ECOASSIST_BASE_IMAGE=base)
        (line,) = [line.split() for line in listed.stdout.splitlines() if base in line]
        assert line[:2] == [name, "core"]
        assert line[3] == "MB"
        assert line[-2:] == ["current", base]
    finally:
        for image in images(engine):
            if image.base == base:
                engine.api.remove_image(image.tag or image.id)
        engine.api.remove_image(base)


# ── on an engine that is scripted, for what would remove other people's images ──────────────────────────────────────


class ScriptedEngine(ThreadingHTTPServer):
    """Has images by name with their bytes; every removal is kept in `removed`."""

    def __init__(self) -> None:
        self.images: dict[str, tuple[dict[str, str], int]] = {}
        self.used: set[str] = set()
        self.removed: list[str] = []
        super().__init__(("127.0.0.1", 0), Answer)

    def answer(self, method: str, path: str) -> tuple[int, object]:
        parts = urlsplit(path.partition("/v1.41")[2] or path)
        name = unquote(parts.path).removeprefix("/images/").removesuffix("/history")
        if parts.path == "/version":
            return 200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Arch": "amd64"}
        if parts.path == "/containers/json":
            return 200, [] if "filters" in parts.query else [{"ImageID": f"sha256:{name}"} for name in self.used]
        if parts.path == "/images/json":
            rows = [
                {"Id": f"sha256:{name}", "RepoTags": [name], "Labels": labels, "Size": size, "Created": 1}
                for name, (labels, size) in self.images.items()
            ]
            return 200, rows
        if parts.path.endswith("/history"):
            return 200, [{"Id": f"sha256:{name}", "Size": self.images[name][1]}, {"Id": "<missing>", "Size": 9**9}]
        if method == "DELETE" and name in self.images:
            self.removed.append(name)
            return 200, [{"Untagged": name}, {"Deleted": f"sha256:{name}"}]
        return 404, {"message": f"not in the script: {method} {path}"}


class Answer(BaseHTTPRequestHandler):
    server: ScriptedEngine

    def do_GET(self) -> None:
        status, body = self.server.answer(self.command, self.path)
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_DELETE = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[ScriptedEngine]:
    with ScriptedEngine() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def current(flavour: Any) -> str:
    return tag(recipe(), BoxSettings(flavour=flavour, base_image="mine:1"), "amd64")


@pytest.mark.parametrize(("options", "stay"), [((), 2), (("--all",), 0)], ids=["old", "all"])
def test_cleaning_removes_images_that_are_old_or_all_but_none_that_is_in_use(
    options: tuple[str, ...],
    stay: int,
    sandbox: Callable[..., subprocess.CompletedProcess[str]],
    scripted: ScriptedEngine,
) -> None:
    old, used, persons = "ecoassist-sandbox:000000000001", "ecoassist-sandbox:000000000002", "persons:own"
    mine = {LABEL: "1", FLAVOUR: "core", BASE: "mine:1"}
    for name in (current("core"), current("data"), old, used, persons):
        scripted.images[name] = mine, 12_000_000
    scripted.used = {used}
    engine = {"DOCKER_HOST": f"tcp://127.0.0.1:{scripted.server_address[1]}", "ECOASSIST_BUILD_NETWORK": ""}
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # a short path, as sockets need
        left = "from ecoassist.kernel.reaper import private_folder; print(private_folder())"
        env = {**ENVIRONMENT, "TMPDIR": folder}
        dead = subprocess.check_output([sys.executable, "-c", left], env=env, text=True).strip()
        (Path(folder) / "eco-living").mkdir()
        (Path(folder) / "eco-living" / "owner").write_text(owner())
        assert sorted(os.listdir(folder)) == sorted(["eco-living", Path(dead).name])
        ran = sandbox("clean", *options, ECOASSIST_BASE_IMAGE="mine:1", TMPDIR=folder, **engine)
        assert os.listdir(folder) == ["eco-living"]
    assert ran.returncode == 0, ran.stderr
    assert sorted(scripted.removed) == sorted([old, *(() if stay else (current("core"), current("data")))])
    lines = ran.stderr.splitlines()
    assert lines[0] == f"{used} stays: a container needs it"
    assert f"removed the image {old}: 12 MB freed" in lines
    images = "1 image: 12 MB" if stay else "3 images: 36 MB"
    assert lines[-2:] == [
        f"removed 0 containers, 1 folder and {images} freed",
        "in use or made elsewhere, and not touched: 1",
    ]


def test_the_list_of_images_tells_which_is_current_and_which_is_in_use(
    sandbox: Callable[..., subprocess.CompletedProcess[str]], scripted: ScriptedEngine
) -> None:
    name, foreign = current("data"), "ecoassist-sandbox:000000000001"
    scripted.images[name] = {LABEL: "1", FLAVOUR: "data", BASE: "mine:1"}, 571_000_000
    scripted.images[foreign] = {LABEL: "1", BASE: "\x1b[31mred"}, 1_250_000
    scripted.used = {name}
    engine = {"DOCKER_HOST": f"tcp://127.0.0.1:{scripted.server_address[1]}", "ECOASSIST_BUILD_NETWORK": ""}
    ran = sandbox("list", ECOASSIST_BASE_IMAGE="mine:1", **engine)
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert " ".join(first.split()).startswith(f"{name} data 571 MB ")
    assert first.endswith(" days  current, in use  mine:1")
    assert " ".join(second.split()).startswith(f"{foreign} core 1.2 MB ")
    assert "\x1b" not in second
