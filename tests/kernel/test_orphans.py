"""Nothing outlives its owner, however that ends; and what stops its owner does not end it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pexpect
import pytest

from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.guard import Guard
from ecoassist.kernel.image.image import ensure
from ecoassist.kernel.reaper import LABEL, clean, private_folder
from ecoassist.kernel.settings import BoxSettings
from ecoassist.owners import owner

Soon = Callable[[Callable[[], object]], object]

OWNER = """
import sys
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.local import LocalBox
from ecoassist.kernel.settings import BoxSettings
kernel = (LocalBox({"PATH": "/usr/bin:/bin"}) if sys.argv[1] == "local" else DockerBox(eval(sys.argv[1]))).start()
print("up", flush=True)
for line in sys.stdin:
    for event in kernel.run(eval(line)):
        if hasattr(event, "text"):
            print(event.text, end="", flush=True)
"""
IDLE = "print('idle')"
BUSY = "print('busy', flush=True)\nimport time\ntime.sleep(0.2)\nsum(range(10**13))"
DAEMON = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); print('daemon', flush=True)"


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder for temporary files whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


def containers_of(engine: Engine, pid: int) -> list[str]:
    return [row for row, labels in engine.containers(LABEL) if f" {pid} " in labels[LABEL]]


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.docker
@pytest.mark.parametrize(
    ("code", "end"),
    [
        (IDLE, None),
        (IDLE, signal.SIGTERM),
        (IDLE, signal.SIGHUP),
        (IDLE, signal.SIGKILL),
        (BUSY, signal.SIGKILL),
        (DAEMON, signal.SIGKILL),
    ],
    ids=["left without closing", "terminated", "hung up", "killed idle", "killed busy", "killed with a daemon inside"],
)
def test_neither_the_container_nor_a_folder_outlives_its_owner(
    code: str, end: signal.Signals | None, engine: Engine, box_settings: BoxSettings, short: Path, soon: Soon
) -> None:
    script = [sys.executable, "-c", OWNER, repr(box_settings)]
    environ = {**os.environ, "TMPDIR": str(short)}
    with subprocess.Popen(script, stdin=-1, stdout=-1, text=True, env=environ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.stdin.write(f"{code!r}\n")
        process.stdin.flush()
        assert process.stdout.readline()
        assert containers_of(engine, process.pid)
        assert len(list(short.glob("eco-*"))) == 1
        if end is None:
            process.stdin.close()
        else:
            process.send_signal(end)
        process.wait(15)
        assert soon(lambda: not containers_of(engine, process.pid))
        assert soon(lambda: not list(short.iterdir()))


# ── stops ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["local", pytest.param("box", marks=pytest.mark.docker)])
def command(request: pytest.FixtureRequest, box_settings: BoxSettings) -> list[str]:
    return [sys.executable, "-c", OWNER, "local" if request.param == "local" else repr(box_settings)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_an_owner_that_is_stopped_and_continued_finds_its_variables(command: list[str], soon: Soon) -> None:
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "up\n"
        process.stdin.write("'x = 41; print(1)'\n")
        process.stdin.flush()
        assert process.stdout.readline() == "1\n"
        process.send_signal(signal.SIGSTOP)
        state = Path(f"/proc/{process.pid}/stat")
        assert soon(lambda: state.read_text().rpartition(")")[2].split()[0] == "T")
        process.send_signal(signal.SIGCONT)
        process.stdin.write("'print(x + 1)'\n")
        process.stdin.flush()
        assert process.stdout.readline() == "42\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell with job control")
def test_a_ctrl_z_and_fg_keep_the_session(command: list[str], tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    (tmp_path / "start.sh").write_text(f'exec {sys.executable} {script} "$(cat {tmp_path}/box)"\n')
    (tmp_path / "box").write_text(command[-1])
    shell = pexpect.spawn("bash", ["--norc", "-i"], env={**os.environ, "PS1": "$ "}, encoding="utf-8", timeout=30)
    try:
        shell.sendline(f"sh {tmp_path}/start.sh")
        shell.expect("up\r\n")
        shell.sendline("'x = 41; print(\"is\", x)'")
        shell.expect("is 41")
        shell.sendcontrol("z")
        shell.expect("Stopped")
        shell.sendline("fg")
        shell.expect("start.sh")
        shell.sendline("'print(\"then\", x + 1)'")
        shell.expect("then 42")
        shell.sendeof()
        shell.expect(r"\$ ")
    finally:
        shell.close(force=True)


# ── what an older crash left ────────────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = """
import sys
from contextlib import closing
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import connect
from ecoassist.kernel.guard import Guard
from ecoassist.kernel.reaper import clean
from ecoassist.owners import owner
from ecoassist.kernel.settings import BoxSettings
settings = eval(sys.argv[1])
guard, running = Guard(), Containers(settings).launch()
print(owner(), guard.folder, sep="|", flush=True)
sys.stdin.readline()
with closing(connect(settings)) as engine:
    clean(engine)
print("cleaned", flush=True)
sys.stdin.readline()
running.stream.close()
guard.close()
"""
NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def own_namespaces_are_allowed() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def dead_owner() -> str:
    code = "from ecoassist.owners import owner; print(owner())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.docker
@pytest.mark.skipif(not own_namespaces_are_allowed(), reason="this user may not make a pid namespace (unshare)")
def test_who_cleans_up_leaves_what_another_pid_namespace_owns(
    engine: Engine, box_settings: BoxSettings, dead_owner: str
) -> None:
    script = [*NAMESPACE, sys.executable, "-c", ELSEWHERE, repr(box_settings)]
    left = engine.create(ensure(engine, box_settings, print), box_settings, {LABEL: dead_owner})
    litter = private_folder()
    (litter / "owner").write_text(dead_owner)
    (litter / "large").write_bytes(bytes(1000))
    guard, stream = Guard(), Containers(box_settings).launch().stream
    with stream, subprocess.Popen(script, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin
        assert process.stdout
        theirs, folder = process.stdout.readline().strip().split("|")
        assert theirs.split()[1] != owner().split()[1]
        try:
            cleaned = clean(engine)
            there = engine.containers(LABEL)
            assert left not in dict(there)
            assert not litter.exists()
            assert theirs in [labels[LABEL] for _, labels in there]
            assert Path(folder).exists()
            assert cleaned.left >= 4  # theirs and ours, a container and a folder each
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == "cleaned\n"
            assert owner() in [labels[LABEL] for _, labels in engine.containers(LABEL)]
            assert guard.folder.exists()
        finally:
            process.communicate("\n")
            guard.close()


KILLED = """
import os, signal, sys
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.settings import BoxSettings
class Ends(Engine):
    def attach(self, container):
        print(container, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
settings = eval(sys.argv[1])
Containers(settings, print, Ends(connect(settings).api)).launch()
"""


@pytest.mark.docker
def test_a_container_whose_owner_was_killed_before_it_started_goes_with_the_next_start(
    engine: Engine, box_settings: BoxSettings, soon: Soon
) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, repr(box_settings)], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL
    made = ran.stdout.strip().splitlines()[-1]
    Containers(box_settings).prepare()
    assert soon(lambda: made not in dict(engine.containers(LABEL)))
