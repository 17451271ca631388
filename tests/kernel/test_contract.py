"""The contract of a kernel, the same for every one of them and for the double.

Most tests of a backend share one kernel: whatever a cell does, the next one runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from ecoassist.clock import Clock
from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Event, Output, Stream, Tick
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.local import LocalBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.ports import Kernel
from ecoassist.starting import StartingKernel
from ecoassist.testing import ScriptedKernel
from ecoassist.types import Access, Attachment, CellResult

T = TypeVar("T")
Run = Callable[..., CellResult]
Soon = Callable[[Callable[[], T]], T]

FOREVER_IN_C = "sum(range(10**13))"
SLEEP = "import time\ntime.sleep(60)"
BEGUN = "print('begun', flush=True)\n"
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


def rest_of(stream: Stream[CellResult], thrown: Exception | None = None) -> CellResult:
    """What a cell that is under way comes to, after `thrown`."""
    try:
        if thrown:
            stream.throw(thrown)
        while True:
            next(stream)
    except StopIteration as end:
        result: CellResult = end.value
        return result


class Backend:
    """Makes kernels of one kind; the double's give their script, whatever the code."""

    def __init__(self, kind: str, settings: BoxSettings) -> None:
        self.kind, self._settings = kind, settings
        self._made: list[Kernel] = []
        self._shared: Kernel | None = None

    def start(self, *script: CellResult, **given: Any) -> Kernel:
        """A kernel of its own."""
        self._made.append(self._start(*script, **given))
        return self._made[-1]

    def any(self, *script: CellResult) -> Kernel:
        """A kernel that other tests use as well."""
        if self.kind == "scripted":
            return self.start(*script)
        self._shared = self._shared or self.start()
        return self._shared

    def close(self) -> None:
        for kernel in self._made:
            kernel.close()

    def _start(self, *script: CellResult, **given: Any) -> Kernel:
        if self.kind == "scripted":
            return ScriptedKernel(*script)
        if self.kind == "box":
            return DockerBox(replace(self._settings, cell_seconds=30)).start(**given)
        local = LocalBox({"PATH": "/usr/bin:/bin", "HOME": "/", "SOMEBODYS_KEY": "sk-not-for-cells"}, cell_seconds=30)
        return StartingKernel(lambda: local.start(**given)) if self.kind == "starting" else local.start(**given)


REAL = ["local", pytest.param("box", marks=pytest.mark.docker)]


@pytest.fixture(scope="module", params=["scripted", "starting", *REAL])
def port(request: pytest.FixtureRequest, box_settings: BoxSettings) -> Iterator[Backend]:
    """Every kernel there is."""
    backend = Backend(request.param, box_settings)
    yield backend
    backend.close()


@pytest.fixture(scope="module", params=REAL)
def backend(request: pytest.FixtureRequest, box_settings: BoxSettings) -> Iterator[Backend]:
    """Every kernel that runs code itself."""
    backend = Backend(request.param, box_settings)
    yield backend
    backend.close()


# ── the laws of the port ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_begins_with_a_tick_and_shows_only_what_passes(port: Backend, run: Run) -> None:
    seen: list[Event] = []
    result = run(port.any(CellResult("ok", text="hi\n")), "print('hi')", seen=seen)
    assert (result.status, result.cause, result.text) == ("ok", "", "hi\n")
    assert isinstance(seen[0], Tick)
    assert {type(event) for event in seen} == {Tick, Output}


@pytest.mark.parametrize("at", ["the first event", "its output"])
def test_an_interruption_always_gives_a_result_and_the_person_as_its_cause(port: Backend, at: str) -> None:
    kernel = port.any(CellResult("ok", text="begun\n"), CellResult("ok", value="2"))
    stream = kernel.run(BEGUN + SLEEP)
    while not isinstance(next(stream), Tick if at == "the first event" else Output):
        pass
    result = rest_of(stream, Interrupted())
    assert (result.status, result.cause, result.state_lost) == ("interrupted", "person", False)
    assert "interrupted" in result.reason
    assert result.text == ("" if at == "the first event" else "begun\n")


def test_a_cell_closed_half_way_is_at_rest_before_the_next_one_runs(port: Backend, run: Run) -> None:
    kernel = port.any(CellResult("ok", text="begun\n"), CellResult("ok", value="1"))
    stream = kernel.run(BEGUN + SLEEP)
    while not isinstance(next(stream), Output):
        pass
    stream.close()  # fails if anything is yielded
    result = run(kernel, "x = 1; x")
    assert (result.status, result.value, result.text) == ("ok", "1", "")


def test_a_closed_kernel_refuses_and_may_be_closed_again(port: Backend, run: Run) -> None:
    kernel = port.start(CellResult("ok"))
    kernel.close()
    kernel.close()
    with pytest.raises(NoSandbox):
        run(kernel, "1")
    with pytest.raises(NoSandbox):
        kernel.restart()


def test_a_restarted_kernel_runs_cells(port: Backend, run: Run) -> None:
    kernel = port.any(CellResult("ok"), CellResult("ok", value="False"))
    run(kernel, "x = 1")
    kernel.restart()
    result = run(kernel, "'x' in globals()")
    assert (result.value, result.state_lost) == ("False", False)


def test_a_cell_can_be_given_a_limit_of_its_own(port: Backend, run: Run) -> None:
    result = run(port.any(CellResult("timeout", cause="deadline")), SLEEP, seconds=0.5)
    assert (result.status, result.cause) == ("timeout", "deadline")


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_variables_last_from_cell_to_cell(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    assert run(kernel, "x = 41").status == "ok"
    assert run(kernel, "x + 1").value == "42"


def test_a_result_has_text_value_error_and_time(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    good = run(kernel, "import sys; print('out'); print('err', file=sys.stderr); display('shown'); 6 * 7")
    assert (good.status, good.value, good.error, good.state_lost, good.omitted) == ("ok", "42", None, False, 0)
    assert {"out\n", "err\n", "'shown'\n"} <= set(good.text.splitlines(keepends=True))
    bad = run(kernel, "import time; print('before'); time.sleep(0.2); {}['key']")
    assert (bad.status, bad.cause, bad.text) == ("error", "exception", "before\n")
    assert bad.error
    assert (bad.error.name, bad.error.message) == ("KeyError", "'key'")
    assert "{}['key']" in bad.error.traceback
    assert "\x1b" not in bad.error.traceback
    assert 0.2 <= bad.seconds < 15


def test_the_order_of_each_stream_is_kept(backend: Backend, run: Run) -> None:
    code = "import sys\nfor n in range(300): print(n, file=(sys.stdout, sys.stderr)[n % 2], flush=n % 7 == 0)"
    numbers = [int(line) for line in run(backend.any(), code).text.split()]
    assert [n for n in numbers if n % 2 == 0] == list(range(0, 300, 2))
    assert [n for n in numbers if n % 2] == list(range(1, 300, 2))


def test_an_error_does_not_stop_the_next_cell(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    assert [run(kernel, code).status for code in ("1/0", "1", "def", "1")] == ["error", "ok", "error", "ok"]


def test_a_quiet_cell_ticks(backend: Backend, run: Run) -> None:
    seen: list[Event] = []
    run(backend.any(), "import time; time.sleep(1)", seen=seen)
    assert isinstance(seen[0], Tick)
    assert len(seen) >= 10


def test_input_is_an_error_not_a_hang(backend: Backend, run: Run) -> None:
    result = run(backend.any(), "input('name? ')")
    assert result.status == "error"
    assert result.error
    assert "input" in result.error.message


def test_text_that_no_stream_can_encode_passes_in_both_directions(backend: Backend, run: Run) -> None:
    assert run(backend.any(), "print('\ud83d'); '\\ud83d' + 'é'").status in ("ok", "error")


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_interruption_keeps_the_variables_and_names_them(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    kernel.restart()
    result = run(kernel, f"import time; x = 1\n{BEGUN}{SLEEP}\ny = 2", interrupt_at="begun")
    assert (result.status, result.text, result.state_lost) == ("interrupted", "begun\n", False)
    assert result.survived == ("time", "x")
    assert result.seconds < 15
    assert run(kernel, "x").value == "1"


def test_a_cell_interrupted_at_once_never_begins(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    stream = kernel.run("never = 1")
    assert isinstance(next(stream), Tick)
    assert rest_of(stream, Interrupted()).status == "interrupted"
    assert run(kernel, "'never' in globals()").value == "False"


def test_code_that_swallows_the_interruption_loses_its_kernel(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    result = run(kernel, DEAF, interrupt_at="begun")
    assert (result.status, result.state_lost, result.survived) == ("interrupted", True, ())
    assert "restarted" in result.reason
    assert run(kernel, "'still there'").status == "ok"


def test_a_cell_past_its_time_is_interrupted_however_much_it_says(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    kernel.restart()
    chatty = "x = 1\nimport time\nprint('on the way')\nwhile True: print(end='.', flush=True); time.sleep(0.01)"
    result = run(kernel, chatty, seconds=1)
    assert (result.status, result.cause, result.state_lost) == ("timeout", "deadline", False)
    assert result.text.startswith("on the way\n...")
    assert result.error
    assert result.error.name == "KeyboardInterrupt"
    assert "1 s" in result.reason
    assert result.survived == ("time", "x")
    assert run(kernel, "x").value == "1"


def test_survivors_are_named_also_where_code_took_the_name_that_lists_them(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    kernel.restart()
    result = run(kernel, f"get_ipython = print = None\n{SLEEP}", seconds=1)
    assert {"get_ipython", "print", "time"} == set(result.survived)


def test_only_so_many_survivors_are_named(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    kernel.restart()
    result = run(kernel, f"for n in range(100): globals()[f'name_{{n:03}}'] = n\n{SLEEP}", seconds=1)
    assert result.survived[:1] == ("n",)
    assert result.survived[1:] == tuple(f"name_{n:03}" for n in range(39))


def test_a_cell_that_cannot_be_interrupted_is_killed_and_the_next_one_runs_soon(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    run(kernel, "x = 1")
    began = time.monotonic()
    result = run(kernel, FOREVER_IN_C, seconds=1)
    assert (result.status, result.cause, result.state_lost, result.survived) == ("timeout", "deadline", True, ())
    assert run(kernel, "'x' in globals()").value == "False"
    assert time.monotonic() - began < 1 + 15  # promised are 5 s after the deadline


def test_the_limit_stands_still_while_a_person_is_asked(backend: Backend) -> None:
    clock = Clock()
    stream = backend.start(clock=clock).run(f"{BEGUN}import time; time.sleep(2); 'late'", seconds=1)
    while not isinstance(next(stream), Output):
        pass
    with clock.paused():
        result = rest_of(stream)
    assert (result.status, result.value) == ("ok", "'late'")
    assert result.seconds < 1


def test_a_cell_that_ended_in_time_is_not_blamed_for_a_host_that_reads_slowly(backend: Backend) -> None:
    stream = backend.any().run(BEGUN * 3 + "print('end'); 1", seconds=1)
    while not isinstance(next(stream), Output):
        pass
    time.sleep(2)  # the slowness that is tested
    result = rest_of(stream)
    assert (result.status, result.value) == ("ok", "1")


def test_a_kernel_that_ends_itself_is_replaced(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    result = run(kernel, "print('last words', flush=True)\nimport os, time\ntime.sleep(0.3)\nos._exit(7)")
    assert (result.status, result.cause, result.text, result.state_lost) == ("killed", "exit", "last words\n", True)
    assert "7" in result.reason
    assert run(kernel, "1 + 1").value == "2"


def test_a_kernel_that_died_between_cells_is_replaced_and_the_next_result_says_so(
    backend: Backend, run: Run, soon: Soon[CellResult | bool]
) -> None:
    kernel = backend.any()
    assert run(kernel, "import os, threading; threading.Timer(0.3, os._exit, (7,)).start()").status == "ok"
    result = soon(lambda: (result := run(kernel, "1 + 1")).state_lost and result)
    assert isinstance(result, CellResult)
    assert "7" in result.reason
    assert result.status == "killed" or ("restarted before" in result.reason and result.value == "2")


def test_a_stopped_kernel_costs_its_state_not_the_next_cell(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    result = run(kernel, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", seconds=1)
    assert (result.status, result.state_lost) == ("timeout", True)
    assert run(kernel, "1 + 1").value == "2"


def test_a_stuck_cell_closed_half_way_costs_the_kernel_not_the_next_cell(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"  # however soon the signal comes
    begun = f"{BEGUN}import time\ntime.sleep(1)"  # its output needs a thread that the loop starves
    stream = kernel.run(f"{deaf}\n{begun}\n{FOREVER_IN_C}")
    while not isinstance(next(stream), Output):
        pass
    stream.close()
    result = run(kernel, "1 + 1")
    assert (result.status, result.value, result.state_lost) == ("ok", "2", True)


# ── much output ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_ends_of_long_output_are_kept(backend: Backend, run: Run) -> None:
    result = run(backend.any(), "print('HEAD' + 'x' * 500_000 + 'TAIL')\n'A' * 3000 + 'B' * 3000")
    assert result.text.startswith("HEADxxx")
    assert result.text.endswith("xxxTAIL\n")
    assert result.omitted == 500_000 + 9 - 4_000
    assert f"{result.omitted:,} characters left out" in result.text
    assert len(result.text) < 4_100
    assert result.value.startswith("'AAA")
    assert result.value.endswith("BBB'")
    assert len(result.value) < 4_100


def test_live_output_ends_after_a_million_characters(backend: Backend, run: Run) -> None:
    seen: list[Event] = []
    result = run(backend.any(), "for _ in range(30): print('x' * 100_000, flush=True)", seen=seen)
    assert sum(len(event.text) for event in seen if isinstance(event, Output)) == 1_000_000
    assert result.status == "ok"
    assert result.omitted == 30 * 100_001 - 4_000


def test_a_piece_of_output_that_is_too_large_is_left_out_and_nothing_else(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    result = run(kernel, "x = 1; print('before', flush=True); display('y' * 10_000_000); print('after')\nx")
    assert (result.status, result.value, result.text) == ("ok", "1", "before\nafter\n")
    assert "too large" in result.reason
    assert run(kernel, "x").value == "1"


@pytest.mark.parametrize("flood", ["print('x' * 100_000, flush=True)", "display('y' * 100_000)"])
def test_a_cell_that_writes_more_than_it_may_is_interrupted_and_keeps_its_state(
    backend: Backend, run: Run, flood: str
) -> None:
    kernel = backend.any()
    kernel.restart()
    result = run(kernel, f"import time; x = 1\nwhile True: {flood}; time.sleep(0.001)")
    assert (result.status, result.cause, result.state_lost) == ("error", "output", False)
    assert "16 MB" in result.reason
    assert {"x", "time"} == set(result.survived)
    assert run(kernel, "x").value == "1"


def test_much_that_is_printed_at_once_comes_whole(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    for code in ("print('x' * 10_000_000, end='')", "for n in range(100): print('x' * 100_000, end='')"):
        result = run(kernel, f"print('begin', end='')\n{code}\nprint('end', end='')")
        assert (result.status, result.reason, result.omitted) == ("ok", "", 5 + 10_000_000 + 3 - 4_000)
        assert (result.text[:6], result.text[-4:]) == ("beginx", "xend")


def test_who_reads_slowly_loses_nothing(backend: Backend) -> None:
    stream = backend.any().run("for n in range(4_000): print(f'{n:09}', flush=True)")
    while not isinstance(next(stream), Output):
        pass
    time.sleep(2)  # the code gets far ahead of us, unless it waits
    result = rest_of(stream)
    assert (result.status, result.reason, result.omitted) == ("ok", "", 4_000 * 10 - 4_000)


def test_one_value_of_200_mb_ends_as_too_much_output_without_loss(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    result = run(kernel, "x = 1\n'y' * 200_000_000")
    assert (result.status, result.cause, result.value, result.state_lost) == ("error", "output", "", False)
    assert "16 MB" in result.reason
    assert run(kernel, "x").value == "1"


def test_a_flood_that_swallows_the_interruption_costs_the_kernel_not_the_next_cell(backend: Backend, run: Run) -> None:
    kernel = backend.any()
    deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)"
    result = run(kernel, f"{deaf}\nwhile True: print('x' * 1_000_000, flush=True); time.sleep(0.01)")
    assert (result.status, result.cause, result.state_lost) == ("error", "output", True)
    assert run(kernel, "1 + 1").value == "2"


# ── what is there from the start ────────────────────────────────────────────────────────────────────────────────────


def test_a_restart_forgets_variables_and_brings_files_and_environment_back(backend: Backend, run: Run) -> None:
    kernel = backend.start(files=[Attachment("data.csv", b"a,b\n1,2\n")], variables={"PLACE": "Paris"})
    look = "import os; (open('data.csv').read(), os.environ['PLACE'], sorted(os.listdir()), 'x' in globals())"
    first = run(kernel, look).value
    assert first == r"('a,b\n1,2\n', 'Paris', ['data.csv'], False)"
    run(kernel, "x = 1; open('made.txt', 'w').write('1'); os.remove('data.csv')")
    kernel.restart()
    assert run(kernel, look).value == first


def test_a_file_with_the_name_of_a_module_is_data_and_others_can_be_imported(backend: Backend, run: Run) -> None:
    names = ("types.py", "json.py", "ipykernel_launcher.py", "helper.py")
    kernel = backend.start(files=[Attachment(name, b"answer = 42") for name in names])
    assert run(kernel, "import helper, types; helper.answer, open('types.py').read()").value == "(42, 'answer = 42')"


def test_nothing_of_our_environment_reaches_a_cell(backend: Backend, run: Run) -> None:
    assert "SOMEBODYS_KEY" not in run(backend.any(), "import os; print(list(os.environ))").text


def test_what_the_cell_asked_of_the_network_is_in_its_result(backend: Backend, run: Run) -> None:
    record = [(Access("a.example", "GET"),), (), (Access("b.example", "GET"),)]
    kernel = backend.start(accesses=lambda: record.pop(0))
    assert [run(kernel, code).accesses for code in ("1", "1/0", "2")] == [
        (Access("a.example", "GET"),),
        (),
        (Access("b.example", "GET"),),
    ]


def test_a_file_name_with_a_folder_is_refused(backend: Backend, run: Run) -> None:
    with pytest.raises(NoSandbox, match="name"):
        run(backend.start(files=[Attachment("../out.txt", b"")]), "1")
