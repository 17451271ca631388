"""What holds for a kernel on the host only."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ecoassist.ports import Kernel
from ecoassist.types import Attachment, CellResult

Start = Callable[..., Kernel]
Run = Callable[..., CellResult]
Soon = Callable[[Callable[[], object]], object]

OWNER = """
import sys
from ecoassist.kernel.local import LocalBox
for event in LocalBox({"PATH": "/usr/bin:/bin"}).start().run(sys.argv[1]):
    if hasattr(event, "text"):
        print(event.text, flush=True)
input()
"""
IDLE = "import os; print(os.getpid(), flush=True)"
BUSY = f"{IDLE}\nimport time\ntime.sleep(0.3)\nsum(range(10**13))"


def running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_it_works_in_a_folder_of_its_own_that_goes_with_it(start_local: Start, run: Run) -> None:
    kernel = start_local(files=[Attachment("a.txt", b"1")])
    folder = Path(run(kernel, "import os; print(os.getcwd())").text.strip())
    assert [path.name for path in folder.iterdir()] == ["a.txt"]
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    kernel.close()
    assert not folder.parent.exists()


def test_its_environment_is_what_a_program_needs_and_what_the_caller_gives(start_local: Start, run: Run) -> None:
    kernel = start_local(variables={"WEATHER_KEY": "k"})
    names = set(run(kernel, "import os; print(*os.environ)").text.split())
    assert {"PATH", "HOME", "WEATHER_KEY"} <= names
    ipykernel = {"JPY_PARENT_PID", "PYDEVD_USE_FRAME_EVAL", "TERM", "CLICOLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}
    paging = {"PAGER", "GIT_PAGER", "MPLBACKEND", "IPYTHONDIR", "LC_CTYPE"}
    assert names <= {"PATH", "HOME", "WEATHER_KEY"} | ipykernel | paging


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    ("code", "end"),
    [(IDLE, signal.SIGKILL), (BUSY, signal.SIGKILL), (IDLE, signal.SIGTERM), (BUSY, signal.SIGTERM), (IDLE, None)],
    ids=["killed idle", "killed busy", "terminated idle", "terminated busy", "left without closing"],
)
def test_no_kernel_outlives_its_owner(code: str, end: signal.Signals | None, soon: Soon) -> None:
    script = [sys.executable, "-c", OWNER, code]
    with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        kernel = int(process.stdout.readline())
        assert running(kernel)
        if end is None:
            process.communicate(timeout=15)
        else:
            process.send_signal(end)
            process.wait(15)
        assert soon(lambda: not running(kernel))
