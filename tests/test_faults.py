"""The fault of a cell comes from its execution and its egress record."""

from __future__ import annotations

import pytest

from ecoassist.faults import POLICY, Guard, digest, of_cell
from ecoassist.types import Access, Attempt, CellError, CellResult, Fault, FaultKind, Reply, Turn

ERROR = CellError("KeyError", "'x'")


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (CellResult("ok", "4"), None),
        (CellResult("ok"), None),
        (CellResult("error", error=ERROR), "code"),
        (CellResult("error", error=CellError("ModuleNotFoundError", "No module named 'yfinance'")), "package"),
        (
            CellResult("error", error=ERROR, accesses=(Access("h", "GET", refused="not listed", blocked=True),)),
            "blocked",
        ),
        (CellResult("error", error=ERROR, accesses=(Access("h", "GET", status=401, api="w"),)), "auth"),
        (CellResult("error", error=ERROR, accesses=(Access("h", "GET", status=500),)), "api"),
        (CellResult("ok", "4", accesses=(Access("h", "GET", status=404),)), "api"),
        (CellResult("timeout"), "code"),
        (CellResult("oom"), "code"),
        (CellResult("killed"), "code"),
        (CellResult("gone"), "sandbox"),
        (CellResult("interrupted"), "interrupted"),
    ],
)
def test_the_fault_of_a_cell(result: CellResult, kind: FaultKind | None) -> None:
    fault = of_cell(result)
    assert (fault.kind if fault else None) == kind
    assert kind is None or kind in POLICY


def test_the_guard_ignores_numbers_and_quoted_parts_of_a_message() -> None:
    guard = Guard()
    turns = [Turn(Reply(""), "same", fault=Fault("code", f"KeyError: 'k{i}' at line {i}")) for i in range(3)]
    assert [guard.stuck(turn) for turn in turns] == [False, False, True]


def test_the_guard_forgets_nothing_in_between() -> None:
    guard = Guard()
    a, b = (Turn(Reply(""), "same", fault=Fault("code", text)) for text in ("A", "B"))
    assert [guard.stuck(turn) for turn in (a, b, a, b, a)] == [False, False, False, False, True]


def test_the_digest_is_bounded_and_holds_facts_only() -> None:
    result = CellResult(
        "error", "secret output", accesses=(Access("h", "GET", "/p", 200), Access("i", "GET", refused="no"))
    )
    turns = tuple(
        Turn(Reply("words"), "the code", result, fault=Fault("code", f"E{i} " + "x" * 300)) for i in range(50)
    )
    text = digest([Attempt("a", turns, "turn_limit")])
    assert len(text) <= 2_400
    assert "GET h/p answered 200" in text
    assert "i is refused: no" in text
    assert "the code" not in text
    assert "words" not in text
    assert "secret output" not in text
