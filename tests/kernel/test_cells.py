"""What every kernel does, whatever it runs in."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Event, Output, Tick
from ecoassist.kernel.cells import CellKernel
from ecoassist.kernel.client import Client
from ecoassist.kernel.host import Death, KernelHost
from ecoassist.ports import Kernel
from ecoassist.types import Access, Attachment, CellResult

Start = Callable[..., Kernel]
Run = Callable[..., CellResult]

FOREVER_IN_C = "sum(range(10**13))"
DEAF = """
import time
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        print("begun", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
"""


@pytest.fixture(params=["local", pytest.param("box", marks=pytest.mark.docker)])
def start(request: pytest.FixtureRequest) -> Start:
    found: Start = request.getfixturevalue(f"start_{request.param}")
    return found


def test_variables_last_from_cell_to_cell(start: Start, run: Run) -> None:
    kernel = start()
    assert run(kernel, "x = 41").status == "ok"
    assert run(kernel, "x + 1").value == "42"


def test_a_result_has_text_value_error_and_time(start: Start, run: Run) -> None:
    kernel = start()
    good = run(kernel, "import sys; print('out'); print('err', file=sys.stderr); display('shown'); 6 * 7")
    assert (good.status, good.value, good.error, good.state_lost, good.omitted) == ("ok", "42", None, False, 0)
    assert {"out\n", "err\n", "'shown'\n"} <= set(good.text.splitlines(keepends=True))
    bad = run(kernel, "import time; time.sleep(0.2); {}['key']")
    assert bad.status == "error"
    assert bad.error
    assert (bad.error.name, bad.error.message) == ("KeyError", "'key'")
    assert "{}['key']" in bad.error.traceback
    assert "\x1b" not in bad.error.traceback
    assert 0.2 <= bad.seconds < 15


def test_an_error_does_not_stop_the_next_cell(start: Start, run: Run) -> None:
    kernel = start()
    assert [run(kernel, code).status for code in ("1/0", "1", "def", "1")] == ["error", "ok", "error", "ok"]


def test_output_arrives_while_the_cell_runs_and_an_interruption_keeps_it(start: Start, run: Run) -> None:
    kernel = start()
    run(kernel, "x = 1")
    result = run(kernel, "print('begun', flush=True)\nimport time\ntime.sleep(60)\nx = 2", interrupt_at="begun")
    assert (result.status, result.text, result.state_lost) == ("interrupted", "begun\n", False)
    assert result.seconds < 15
    assert run(kernel, "x").value == "1"


def test_a_cell_interrupted_at_once_never_begins(start: Start, run: Run) -> None:
    kernel = start()
    stream = kernel.run("x = 1")
    assert isinstance(next(stream), Tick)
    with pytest.raises(StopIteration) as end:
        stream.throw(Interrupted())
    assert end.value.value.status == "interrupted"
    assert run(kernel, "'x' in globals()").value == "False"


def test_code_that_swallows_the_interruption_loses_its_kernel(start: Start, run: Run) -> None:
    kernel = start()
    result = run(kernel, DEAF, interrupt_at="begun")
    assert (result.status, result.state_lost) == ("interrupted", True)
    assert "restarted" in result.reason
    assert run(kernel, "'still there'").status == "ok"


def test_a_quiet_cell_ticks(start: Start, run: Run) -> None:
    seen: list[Event] = []
    run(start(), "import time; time.sleep(1)", seen=seen)
    assert isinstance(seen[0], Tick)
    assert len(seen) >= 10


def test_a_cell_past_its_time_is_interrupted_and_its_variables_stay(start: Start, run: Run) -> None:
    kernel = start(seconds=1)
    run(kernel, "x = 1")
    result = run(kernel, "print('on the way')\nwhile True: pass")
    assert (result.status, result.text, result.state_lost) == ("timeout", "on the way\n", False)
    assert result.error
    assert result.error.name == "KeyboardInterrupt"
    assert "1 s" in result.reason
    assert run(kernel, "x").value == "1"


def test_a_cell_that_cannot_be_interrupted_is_killed_and_the_next_one_runs(start: Start, run: Run) -> None:
    kernel = start(seconds=1)
    run(kernel, "x = 1")
    result = run(kernel, FOREVER_IN_C)
    assert (result.status, result.state_lost) == ("timeout", True)
    assert run(kernel, "'x' in globals()").value == "False"


def test_a_kernel_that_ends_itself_is_replaced(start: Start, run: Run) -> None:
    kernel = start()
    result = run(kernel, "print('last words', flush=True)\nimport os, time\ntime.sleep(0.3)\nos._exit(7)")
    assert (result.status, result.text, result.state_lost) == ("killed", "last words\n", True)
    assert "7" in result.reason
    assert run(kernel, "1 + 1").value == "2"


def test_a_kernel_that_died_between_cells_is_replaced_and_the_next_result_says_so(start: Start, run: Run) -> None:
    kernel = start()
    run(kernel, "import os, threading; threading.Timer(0.3, os._exit, (7,)).start()")
    deadline = time.monotonic() + 15
    while cast(CellKernel, kernel)._host.death() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    result = run(kernel, "1 + 1")
    assert (result.status, result.value, result.state_lost) == ("ok", "2", True)
    assert "restarted before" in result.reason


def test_input_is_an_error_not_a_hang(start: Start, run: Run) -> None:
    result = run(start(), "input('name? ')")
    assert result.status == "error"
    assert result.error
    assert "input" in result.error.message


def test_a_cell_closed_half_way_is_at_rest_before_the_next_one_runs(start: Start, run: Run) -> None:
    kernel = start()
    stream = kernel.run("print('begun', flush=True)\nimport time\ntime.sleep(60)")
    while not isinstance(next(stream), Output):
        pass
    stream.close()
    result = run(kernel, "x = 1; x")
    assert (result.status, result.value, result.text) == ("ok", "1", "")


def test_a_stuck_cell_closed_half_way_costs_the_kernel_not_the_next_cell(start: Start, run: Run) -> None:
    kernel = start()
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"  # however soon the signal comes
    begun = "print('begun', flush=True)\nimport time\ntime.sleep(1)"  # its output needs a thread that the loop starves
    stream = kernel.run(f"{deaf}\n{begun}\n{FOREVER_IN_C}")
    while not isinstance(next(stream), Output):
        pass
    stream.close()
    result = run(kernel, "1 + 1")
    assert (result.status, result.value, result.state_lost) == ("ok", "2", True)


def test_both_ends_of_long_output_are_kept(start: Start, run: Run) -> None:
    result = run(start(), "print('HEAD' + 'x' * 500_000 + 'TAIL')\n'A' * 3000 + 'B' * 3000")
    assert result.text.startswith("HEADxxx")
    assert result.text.endswith("xxxTAIL\n")
    assert result.omitted == 500_000 + 9 - 4_000
    assert f"{result.omitted:,} characters left out" in result.text
    assert len(result.text) < 4_100
    assert result.value.startswith("'AAA")
    assert result.value.endswith("BBB'")
    assert len(result.value) < 4_100


def test_live_output_ends_after_a_million_characters(start: Start, run: Run) -> None:
    seen: list[Event] = []
    result = run(start(), "for _ in range(30): print('x' * 100_000, flush=True)", seen=seen)
    assert sum(len(event.text) for event in seen if isinstance(event, Output)) == 1_000_000
    assert result.status == "ok"
    assert result.omitted == 30 * 100_001 - 4_000


def test_a_piece_of_output_that_is_too_large_is_dropped_and_the_cell_still_ends(start: Start, run: Run) -> None:
    kernel = start()
    result = run(kernel, "x = 1\n'y' * 20_000_000")
    assert (result.status, result.value, result.state_lost) == ("ok", "", False)
    assert "too large" in result.reason
    assert run(kernel, "print('heard'); x").text == "heard\n"


FLOOD = """
import threading, time
from IPython import get_ipython
kernel = get_ipython().kernel
body = {"data": {"text/plain": "x" * 7_000_000}, "metadata": {}, "transient": {}}
def flood():
    for _ in range(60):
        kernel.session.send(kernel.iopub_socket, "display_data", body, parent=kernel.get_parent())
        time.sleep(0.05)
threading.Thread(target=flood, daemon=True).start()
"""


def test_what_a_kernel_sends_between_cells_waits_in_the_kernel(start: Start, run: Run) -> None:
    kernel = start()
    run(kernel, FLOOD)
    before = resident()
    time.sleep(4)
    assert resident() - before < 150_000_000
    assert run(kernel, "print('heard')").text == "heard\n"


def resident() -> int:
    """Bytes of our memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Flooded(Client):
    """Its shell channel says more and more, and never what was asked."""

    def __init__(self) -> None:
        self._shell = None

    def _receive(self, channel: Any, seconds: float) -> dict[str, Any] | None:
        return {"parent_header": {}, "content": {}}


def test_a_shell_that_never_ends_does_not_hold_up_the_cell() -> None:
    assert not Flooded().replied("request")


def test_a_restart_forgets_variables_and_brings_files_and_environment_back(start: Start, run: Run) -> None:
    kernel = start(files=[Attachment("data.csv", b"a,b\n1,2\n")], variables={"PLACE": "Paris"})
    look = "import os; (open('data.csv').read(), os.environ['PLACE'], sorted(os.listdir()), 'x' in globals())"
    first = run(kernel, look).value
    assert first == r"('a,b\n1,2\n', 'Paris', ['data.csv'], False)"
    run(kernel, "x = 1; open('made.txt', 'w').write('1'); os.remove('data.csv')")
    kernel.restart()
    assert run(kernel, look).value == first


def test_a_file_with_the_name_of_a_module_is_data_and_others_can_be_imported(start: Start, run: Run) -> None:
    names = ("types.py", "json.py", "ipykernel_launcher.py", "helper.py")
    kernel = start(files=[Attachment(name, b"answer = 42") for name in names])
    assert run(kernel, "import helper, types; helper.answer, open('types.py').read()").value == "(42, 'answer = 42')"


def test_nothing_of_our_environment_reaches_a_cell(start: Start, run: Run) -> None:
    assert "SOMEBODYS_KEY" not in run(start(), "import os; print(list(os.environ))").text


def test_what_the_cell_asked_of_the_network_is_in_its_result(start: Start, run: Run) -> None:
    record = [(Access("a.example", "GET"),), (), (Access("b.example", "GET"),)]
    kernel = start(accesses=lambda: record.pop(0))
    assert [run(kernel, code).accesses for code in ("1", "1/0", "2")] == [
        (Access("a.example", "GET"),),
        (),
        (Access("b.example", "GET"),),
    ]


def test_text_that_no_stream_can_encode_passes_in_both_directions(start: Start, run: Run) -> None:
    assert run(start(), "print('\ud83d'); '\\ud83d' + 'é'").status in ("ok", "error")


def test_a_closed_kernel_refuses_and_may_be_closed_again(start: Start, run: Run) -> None:
    kernel = start()
    kernel.close()
    kernel.close()
    with pytest.raises(NoSandbox):
        run(kernel, "1")
    with pytest.raises(NoSandbox):
        kernel.restart()


def test_a_file_name_with_a_folder_is_refused(start: Start) -> None:
    with pytest.raises(NoSandbox, match="name"):
        start(files=[Attachment("../out.txt", b"")])


# ── what no real kernel does on demand ──────────────────────────────────────────────────────────────────────────────


class DyingHost:
    """A host whose kernel is dead at the first look, and whose restart waits for `go`."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def start(self) -> MuteClient:
        return MuteClient()

    def death(self) -> Death | None:
        return None if self.go.is_set() else Death("killed", "it ended")

    def restart(self) -> MuteClient:
        self.go.wait(15)
        return MuteClient()

    def interrupt(self) -> None:
        pass


class MuteClient:
    def execute(self, code: str) -> str:
        return "1"

    def hear(self, request: str, seconds: float) -> None:
        return None

    def replied(self, request: str) -> bool:
        return False

    def close(self) -> None:
        pass


def test_an_interruption_while_the_kernel_restarts_is_not_lost() -> None:
    host = DyingHost()
    host.go.set()
    kernel = CellKernel(cast(KernelHost, host))
    stream = kernel.run("1")
    next(stream)
    next(stream)
    host.go.clear()
    assert isinstance(next(stream), Tick)  # the restart has begun
    assert isinstance(stream.throw(Interrupted()), Tick)
    host.go.set()
    result = None
    try:
        while True:
            next(stream)
    except StopIteration as end:
        result = end.value
    assert result
    assert (result.status, result.state_lost) == ("interrupted", True)
