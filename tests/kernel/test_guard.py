"""What holds for the process that cleans up after us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ecoassist.kernel.guard import Guard
from ecoassist.kernel.reaper import reap_folders
from ecoassist.owners import owner as owner_mark
from ecoassist.ports import Kernel
from ecoassist.types import CellResult

Start = Callable[..., Kernel]
Run = Callable[..., CellResult]
Soon = Callable[[Callable[[], object]], object]

OWNER = """
import os, subprocess, sys
from ecoassist.kernel.guard import Guard
os.set_inheritable(os.pipe()[1], True)
group = subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL)
guard = Guard()
guard.watch(group.pid)
child = subprocess.Popen(["sleep", "600"], close_fds=False, start_new_session=True, stdout=subprocess.DEVNULL)
print(guard.folder, guard._shell.pid, group.pid, child.pid, flush=True)
sys.stdin.read()
"""


def runs(pid: int) -> bool:
    try:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout
    except OSError:
        return False
    return state.strip()[:1] not in ("", "Z")


@pytest.fixture
def owner() -> Iterator[tuple[subprocess.Popen[str], Path, int, int, int]]:
    """A process with a guard; its folder, the guard's id, the watched group's, and that of a child that lives on."""
    with subprocess.Popen([sys.executable, "-c", OWNER], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        folder, *pids = process.stdout.readline().split()
        guard, group, child = map(int, pids)
        yield process, Path(folder), guard, group, child
        process.kill()
    os.kill(child, signal.SIGKILL)


Owner = tuple[subprocess.Popen[str], Path, int, int, int]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None], ids=["killed", "terminated", "left"])
def test_the_folder_and_the_group_go_with_us_and_so_does_the_guard(
    end: signal.Signals | None, owner: Owner, soon: Soon
) -> None:
    process, folder, guard, group, child = owner
    (folder / "deep" / "er").mkdir(parents=True)
    assert runs(group)
    if end is None:
        process.communicate("")
    else:
        process.send_signal(end)
    process.wait(15)
    assert soon(lambda: not folder.exists() and not runs(group) and not runs(guard))
    assert runs(child)  # whoever inherits from us does not keep the guard waiting
    assert not list(folder.parent.glob(f"{folder.name}*"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_the_guard_holds_nothing_of_ours_and_no_key_of_the_terminal_reaches_it(owner: Owner) -> None:
    _, _, guard, _, _ = owner
    assert sorted(os.listdir(f"/proc/{guard}/fd")) == ["0", "1", "2"]
    assert os.getsid(guard) == os.getpgid(guard) == guard


def test_closing_removes_the_folder_and_ends_the_guard() -> None:
    guard = Guard()
    assert guard.folder.stat().st_mode & 0o777 == 0o700
    guard.close()
    guard.close()
    assert not guard.folder.exists()
    assert guard._shell.returncode is not None


def test_a_guard_that_somebody_ended_hinders_nobody() -> None:
    guard = Guard()
    guard._shell.kill()
    guard._shell.wait()
    guard.watch(None)
    guard.close()
    assert not guard.folder.exists()


def test_a_group_that_is_no_longer_watched_lives_on(soon: Soon) -> None:
    code = OWNER.replace("child =", "guard.watch(None)\nchild =")
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        folder, _, group, child = process.stdout.readline().split()
        process.kill()
        process.wait()
        try:
            assert soon(lambda: not Path(folder).exists())
            assert runs(int(group))
        finally:
            os.kill(int(group), signal.SIGKILL)
            os.kill(int(child), signal.SIGKILL)


def test_who_is_killed_while_removing_leaves_what_the_next_one_removes(tmp_path: Path, soon: Soon) -> None:
    folder = tmp_path / "eco-full"
    folder.mkdir()
    for number in range(5000):
        (folder / str(number)).touch()
    code = f"import pathlib; from ecoassist.kernel.reaper import remove; remove(pathlib.Path({str(folder)!r}))"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        assert soon(lambda: not folder.exists())
        process.kill()
    left = list(tmp_path.iterdir())
    assert [path.name for path in left] in ([], ["eco-full.left"])
    assert reap_folders(tmp_path) == len(left)
    assert not list(tmp_path.iterdir())


# ── what is the same for every kernel ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads /proc")
def test_no_descriptor_of_ours_reaches_a_local_kernel(start_local: Start, run: Run) -> None:
    ours = os.pipe()
    try:
        for descriptor in ours:
            os.set_inheritable(descriptor, True)
        mine = os.readlink(f"/proc/self/fd/{ours[0]}")
        code = """
import os
held = []
for name in os.listdir("/proc/self/fd"):
    try:
        held.append(os.readlink(f"/proc/self/fd/{name}"))
    except OSError:
        pass
held
"""
        held = run(start_local(), code).value
        assert "/dev/null" in held
        assert mine not in held
    finally:
        for descriptor in ours:
            os.close(descriptor)


PROBE = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.argv[1:]:
    try:
        os.stat(path)
        print("stat", path)
    except PermissionError:
        pass
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("connected", path)
    except PermissionError:
        print("refused")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("kind", ["start_local", pytest.param("start_box", marks=pytest.mark.docker)])
def test_another_user_of_this_machine_reaches_no_socket(kind: str, request: pytest.FixtureRequest) -> None:
    start: Start = request.getfixturevalue(kind)
    base = Path(tempfile.gettempdir())
    before = set(base.glob("eco-*/owner"))
    start()
    (folder,) = (mark.parent for mark in set(base.glob("eco-*/owner")) - before if mark.read_text() == owner_mark())
    assert folder.stat().st_mode & 0o777 == 0o700
    sockets = [path for path in folder.iterdir() if path.is_socket()]
    assert len(sockets) == 5
    if kind == "start_box":  # ipykernel makes its own with the rights that the umask leaves
        assert {path.stat().st_mode & 0o777 for path in sockets} == {0o600}
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(str(sockets[0]))
    paths = [str(path) for path in (*sockets, folder / "connection.json")]
    probe = subprocess.run([sys.executable, "-I", "-S", "-c", PROBE, *paths], capture_output=True, text=True)
    assert (probe.stdout, probe.stderr) == ("refused\n" * 6, "")
