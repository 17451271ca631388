"""A stored program is proved by running alone: it has to end well and to come to its answer again."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ecoassist.entries import Proof, Solution
from ecoassist.errors import Interrupted
from ecoassist.events import LETTER, RERUN, Stream, Tick
from ecoassist.play import Stop, play
from ecoassist.ports import Kernel
from ecoassist.proving import prove, rerun
from ecoassist.testing import MemoryStore, Recorder, ScriptedKernel
from ecoassist.types import Access, Answer, CellError, CellResult

MADE = Solution("How warm is it?", "print(t)", Answer("It is 21.5.", 21.5), "cheap", shape="number", took=("21.5",))
SEEN = (Access("api.w", "GET", status=200, cached=True),)
LIVE = (Access("api.w", "GET", status=200),)
GOOD, OTHER = CellResult("ok", "21.5 degrees\n"), CellResult("ok", "7.25 degrees\n")
BAD = CellResult("error", error=CellError("NameError", "x is not defined"))


def proved(solution: Solution, *results: CellResult, recent: bool = True) -> tuple[Proof, list[ScriptedKernel]]:
    """And the kernels that were used, each once."""
    waiting = [ScriptedKernel(result) for result in results]
    made: list[ScriptedKernel] = []

    def boot() -> Kernel:
        made.append(waiting.pop(0))
        return made[-1]

    return play(prove(solution, boot, recent=recent), stop=Stop(15)), made


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("21.5", ""),
        ("It is 21.5 degrees.", ""),
        ("21.50", ""),
        ("7.25", "it came to another answer"),
        ("It is warm.", "it printed no number"),
        ("No data available", "it printed no number"),
        ("Error: the key is invalid", "it printed no number"),
        (" \n", "it printed nothing"),
        ("21.5 " * 900, "what it printed is too long for an answer"),
    ],
)
def test_a_rerun_that_saw_the_same_has_to_come_to_the_same_answer(text: str, why: str) -> None:
    proof, _ = proved(MADE, CellResult("ok", text, accesses=SEEN))
    assert proof == Proof(not why, why=why)


def test_of_live_data_the_kind_of_the_answer_is_enough() -> None:
    assert proved(MADE, replace(OTHER, accesses=LIVE))[0].green
    assert proved(MADE, OTHER, recent=False)[0].green, "nor has it to agree where it runs days later"
    assert not proved(MADE, CellResult("ok", "warm", accesses=LIVE))[0].green


def test_a_solution_whose_answer_is_forgotten_is_proved_by_its_kind() -> None:
    assert proved(MADE.settled(), OTHER)[0].green
    assert proved(MADE.settled(), CellResult("ok", "None"))[0] == Proof(False, why="it printed no number")


def test_what_a_model_read_in_an_output_has_to_be_printed_again() -> None:
    made = replace(MADE, tells=False, answer=Answer("Yes, with 21.5 degrees.", True), shape="yes or no")
    long = "hour 10: 21.5\n" * 500
    assert proved(made, CellResult("ok", long))[0].green
    proof, _ = proved(made, CellResult("ok", "hour 10: 20.5\n"))
    assert proof == Proof(False, why="it did not print again what its answer was made of")


# ── what does not say anything ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "result",
    [CellResult("interrupted"), CellResult("gone"), replace(BAD, accesses=(Access("api.w", "GET", status=503),))],
)
def test_a_run_that_was_cut_off_or_whose_host_is_down_says_nothing(result: CellResult) -> None:
    made = replace(MADE, hosts=("api.w",), whole="print(0)")
    proof, kernels = proved(made, result)
    assert proof.green is None
    assert [kernel.ran for kernel in kernels] == [[MADE.program]]


# ── all cells ───────────────────────────────────────────────────────────────────────────────────────────────────────

WHOLE = replace(MADE, whole="x = 1\n\nprint(t)")


def test_all_cells_are_tried_in_a_kernel_of_their_own_where_the_program_fails() -> None:
    proof, kernels = proved(WHOLE, BAD, GOOD)
    assert proof == Proof(True, WHOLE.whole)
    assert [(kernel.ran, kernel.closed) for kernel in kernels] == [([MADE.program], 1), ([WHOLE.whole], 1)]


def test_they_are_tried_too_where_it_comes_to_another_answer() -> None:
    assert proved(WHOLE, OTHER, GOOD)[0].program == WHOLE.whole


def test_where_both_fail_the_first_reason_is_told() -> None:
    assert proved(WHOLE, BAD, OTHER)[0] == Proof(False, why="NameError: x is not defined")


def test_where_the_second_was_cut_off_nothing_is_said() -> None:
    assert proved(WHOLE, BAD, CellResult("interrupted"))[0].green is None


def test_a_program_that_works_needs_one_kernel_only() -> None:
    _, kernels = proved(WHOLE, GOOD)
    assert [(kernel.ran, kernel.closed) for kernel in kernels] == [([MADE.program], 1)]


def test_a_kernel_that_is_ready_is_taken_first_and_closed() -> None:
    ready, booted = ScriptedKernel(BAD), ScriptedKernel(GOOD)
    assert play(prove(WHOLE, lambda: booted, ready), stop=Stop(15)).program == WHOLE.whole
    assert (ready.ran, ready.closed, booted.closed) == ([MADE.program], 1, 1)


def test_every_kernel_is_closed_when_the_person_has_had_enough() -> None:
    class Endless(ScriptedKernel):
        def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
            try:
                while True:
                    yield Tick()
            except Interrupted:
                return CellResult("interrupted")

    kernel, stop = Endless(), Stop(15)
    stop.request()
    assert play(prove(WHOLE, lambda: ScriptedKernel(), kernel), stop=stop).green is None
    assert kernel.closed == 1


# ── the stream ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_entry_keeps_the_program_that_ran_and_not_the_answer() -> None:
    store, recorder = MemoryStore(), Recorder()
    id = store.keep(WHOLE)
    kernels = [ScriptedKernel(BAD), ScriptedKernel(GOOD)]
    play(rerun(store.rows[id], store, lambda: kernels.pop(0), recent=True), [recorder], stop=Stop(15))
    kept = store.rows[id]
    assert (kept.state, kept.solution.program, kept.solution.whole) == ("verified", WHOLE.whole, "")
    assert (kept.solution.answer, kept.solution.took, kept.solution.tells) == (Answer(""), (), False)
    assert re.fullmatch(RERUN, "".join(LETTER.get(type(event), "") for event in recorder.events))


def test_no_placeholder_stands_in_the_reason_of_a_failure() -> None:
    store = MemoryStore()
    id = store.keep(MADE)
    failed = CellResult(
        "error", error=CellError("HTTPError", "404 for https://api.w/?key=k3yplac3h0ld3r " + "x" * 9000)
    )
    portable = {"k3yplac3h0ld3r": "KEY"}
    stream = rerun(
        store.rows[id],
        store,
        lambda: ScriptedKernel(failed),
        portable=lambda text: text.replace("k3yplac3h0ld3r", portable["k3yplac3h0ld3r"]),
    )
    assert play(stream, stop=Stop(15)).green is False
    assert store.rows[id].note.startswith("HTTPError: 404 for https://api.w/?key=KEY xx")
    assert len(store.rows[id].note) < 500
