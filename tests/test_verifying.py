"""Stored programs run again side by side: each once, each result as it comes, and an end when it is wanted."""

from __future__ import annotations

import threading
from contextlib import closing
from functools import partial

import pytest

from ecoassist.entries import Entry, Proof, Solution
from ecoassist.errors import NoSandbox
from ecoassist.events import CellFinished, Stream, Tick, rest
from ecoassist.play import Stop
from ecoassist.proving import prove
from ecoassist.testing import ScriptedKernel
from ecoassist.types import Access, Answer, CellError, CellResult
from ecoassist.verifying import Tried, tried

ACCESS = Access("api.w", "GET", "/v1", 401)


def entries(number: int) -> list[Entry]:
    return [
        Entry(id, Solution("q", f"print({id})", Answer(""), "cheap"), "verified", "2026-01-01T00:00:00Z")
        for id in range(1, number + 1)
    ]


def works(entry: Entry) -> Stream[Proof]:
    yield CellFinished(CellResult("ok", accesses=(ACCESS,) * entry.id))
    return Proof(True)


@pytest.mark.parametrize("at_once", [1, 3, 16])
def test_each_entry_is_tried_once_and_what_it_asked_of_the_network_stays_with_it(at_once: int) -> None:
    results = list(tried(entries(7), works, Stop(), at_once))
    assert sorted(result.entry.id for result in results) == [1, 2, 3, 4, 5, 6, 7]
    assert all(result.accesses == (ACCESS,) * result.entry.id for result in results)
    assert all(result.proof.green for result in results)


def test_nothing_to_try_is_no_error() -> None:
    assert list(tried([], works, Stop())) == []


def test_they_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=15)

    def meets(entry: Entry) -> Stream[Proof]:
        yield Tick()
        meeting.wait()
        return Proof(True)

    assert len(list(tried(entries(3), meets, Stop(), 3))) == 3


def test_a_result_is_known_before_the_others_are() -> None:
    seen = threading.Event()

    def second_waits(entry: Entry) -> Stream[Proof]:
        yield Tick()
        return Proof(entry.id == 1 or seen.wait(15))

    with closing(tried(entries(2), second_waits, Stop(), 2)) as results:
        assert next(results).entry.id == 1
        seen.set()
        assert next(results).proof.green


def test_after_ctrl_c_none_is_begun_and_what_ran_says_nothing_of_its_entry() -> None:
    stop = Stop()

    def waits(entry: Entry) -> Stream[Proof]:
        def endless() -> Stream[bool]:
            while True:
                stop.request()
                yield Tick()

        return Proof((yield from rest(endless(), False)) or None, why="interrupted")

    assert list(tried(entries(5), waits, stop, 1)) == [Tried(entries(1)[0], Proof(None, why="interrupted"))]


def test_a_sandbox_that_cannot_be_had_ends_all_of_it() -> None:
    begun: list[int] = []

    def breaks(entry: Entry) -> Stream[Proof]:
        yield Tick()
        begun.append(entry.id)
        raise NoSandbox("no engine", "start Docker")

    with pytest.raises(NoSandbox, match="no engine"):
        list(tried(entries(50), breaks, Stop(), 1))
    assert begun == [1]


INTERRUPTED = CellError("KeyboardInterrupt", "")


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (CellResult("interrupted", error=INTERRUPTED), "interrupted"),
        (CellResult("error", error=CellError("AssertionError", "")), "AssertionError"),
        (CellResult("oom", reason="it needed more than 1g"), "it needed more than 1g"),
        (CellResult("timeout"), "timeout"),
        (CellResult("timeout", error=INTERRUPTED, reason="it took longer than 60 s"), "it took longer than 60 s"),
        (
            CellResult("error", error=INTERRUPTED, reason="it wrote more than 16 MB", cause="output"),
            "it wrote more than 16 MB",
        ),
        (CellResult("error", error=CellError("KeyError", "'c'"), reason="a file was left out"), "KeyError: 'c'"),
    ],
)
def test_why_a_program_ended_is_said_in_a_few_words(result: CellResult, why: str) -> None:
    (found,) = tried(entries(1), lambda entry: prove(entry.solution, lambda: ScriptedKernel(result)), Stop())
    assert found.proof.why == why


def test_the_error_of_a_program_is_why_it_is_broken() -> None:
    broken = CellResult("error", error=CellError("KeyError", "'c'"))
    kernels = {1: ScriptedKernel(CellResult("ok", "4\n")), 2: ScriptedKernel(broken)}
    results = tried(entries(2), lambda entry: prove(entry.solution, partial(kernels.get, entry.id)), Stop())  # type: ignore[arg-type]
    found = {result.entry.id: (result.proof.green, result.proof.why) for result in results}
    assert found == {1: (True, ""), 2: (False, "KeyError: 'c'")}
    assert [kernel.closed for kernel in kernels.values()] == [1, 1]
