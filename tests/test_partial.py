"""What is left of a question when the money ends."""

from __future__ import annotations

from dataclasses import replace

from ecoassist.partial import FOUND, LENGTH, UNFINISHED, best
from ecoassist.types import Answer, Attempt, CellResult, CellStatus, End, Fault, Reply, Turn


def cell(text: str = "", value: str = "", status: CellStatus = "ok") -> Turn:
    return Turn(Reply("code"), "code", CellResult(status, text, value))


def said(text: str) -> Turn:
    return Turn(Reply(text), answer=Answer(text, text))


def attempt(tier: str, *turns: Turn, end: End = "budget") -> Attempt:
    return Attempt(tier, turns, end)


def test_nothing_found_is_nothing_said() -> None:
    assert best([]) is None
    assert best([attempt("cheap")]) is None
    assert best([attempt("cheap", cell(), cell("Traceback", status="error"))]) is None


def test_an_answer_that_nobody_rejected_is_given_as_it_was() -> None:
    first = attempt("cheap", cell("7"), said("It is 7."), end="answered")
    assert best([first, attempt("cheap", cell("8"))]) == Answer("It is 7.", "It is 7.")


def test_a_rejected_answer_is_not_offered_again_but_what_its_program_printed_is() -> None:
    rejected = attempt("cheap", cell("rows: 12"), said("It is 7."), end="answered")
    answer = best([rejected, attempt("strong")])
    assert answer == Answer(f"{UNFINISHED}\n\nrows: 12")
    assert best([attempt("cheap", said("It is 7."), end="answered"), attempt("strong")]) is None


def test_what_programs_found_is_labelled_and_has_no_value() -> None:
    answer = best([attempt("cheap", cell("Oslo 3\n", "[3]"), cell("boom", status="error"), cell("Bergen 4"))])
    assert answer == Answer(f"{UNFINISHED}\n\nOslo 3\n[3]\n\nBergen 4", None)


def test_what_came_of_calls_that_failed_is_nothing_found() -> None:
    failed = replace(cell("sorry, no data"), fault=Fault("api", "api.w answered 404"))
    assert best([attempt("cheap", failed)]) is None
    assert best([attempt("cheap", cell("Oslo 3"), failed)]) == Answer(f"{UNFINISHED}\n\nOslo 3")


def test_only_the_last_outputs_are_given_each_of_them_bounded_and_once() -> None:
    turns = [cell(f"{number} " + "x" * 100_000) for number in range(10)]
    answer = best([attempt("cheap", *turns, turns[-1])])
    assert answer is not None
    assert len(answer.text) < len(UNFINISHED) + FOUND * (LENGTH + 60)
    assert [part[0] for part in answer.text.split("\n\n")[1:]] == ["7", "8", "9"]
