"""What was used and saved, in words that claim no more than is known."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ecoassist.accounts import FEWEST, RunCost, Used
from ecoassist.events import HOLD_OUT
from ecoassist.render.result import dumps
from ecoassist.render.usage import Report, lines, record
from ecoassist.types import Price, Usage

USED = Used("2026-01-01", "weak", "m-weak", "answer", 3, 1_000, 100, 0.5, 0, True)
JUDGE = replace(USED, tier="strong", model="m-strong", purpose="judge", calls=1, usd=0.1)
RUN = RunCost("solved", "weak", "", 0.01, True, Usage(1_000, 1_000), Price(10.0, 20.0))
REPORT = Report("2026-01-01", (USED, JUDGE), (RUN, replace(RUN, status="unsolved")), (9, 10), {"weak": (21, 30)})


def row(report: Report, name: str) -> str:
    """The last row of that name."""
    return next(line for line in reversed(lines(report)) if line.startswith(f"{name} "))


def said(report: Report) -> str:
    return "\n".join(lines(report))


def test_calls_are_added_up_by_day_model_and_tier_with_judging_apart() -> None:
    assert row(REPORT, "2026-01-01").split() == ["2026-01-01", "4", "2,000", "200", "$0.60", "$0.10"]
    assert row(REPORT, "m-weak").split() == ["m-weak", "3", "1,000", "100", "$0.50", "-"]
    assert row(REPORT, "strong").split() == ["strong", "1", "1,000", "100", "$0.10", "$0.10"]
    assert row(REPORT, "all").split()[1] == "4"


def test_an_unknown_price_is_said_and_no_zero() -> None:
    unknown = replace(USED, usd=0.0, unknown=3)
    assert row(replace(REPORT, used=(unknown,)), "weak").split()[-2:] == ["unknown", "-"]
    assert "$0.50 + 3 of unknown price" in row(replace(REPORT, used=(USED, unknown)), "weak")
    assert record(replace(REPORT, used=(unknown,)))["total"]["usd"] is None  # type: ignore[index, call-overload]


def test_a_bound_is_shown_as_one() -> None:
    bound = replace(REPORT, used=(replace(USED, exact=False),))
    assert row(bound, "weak").split() == ["weak", "3", "<=", "1,000", "<=", "100", "<=", "$0.50", "-"]


def test_the_estimate_names_its_method_and_what_it_left_out() -> None:
    text = said(replace(REPORT, costs=(*REPORT.costs, replace(RUN, usd=None))))
    assert "saved      about $0.04 of $0.06 (67%) that the strongest tier alone would take: an estimate" in text
    assert "1 run left out: a price or tokens unknown" in text
    assert "at the strongest tier's price, less all that the runs cost, judging included, over 2 runs" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"usd": 1.0}, "lost       about $1.94 beyond the $0.06 that the strongest tier"),
        ({"usd": 0.01, "exact": False}, "saved      at least about $0.04"),
        ({"usd": 1.0, "exact": False}, "lost       at most about $1.94"),
        ({"strong": None}, "saved      unknown; 2 runs left out"),
        ({"dear": True}, "saved      nothing"),
    ],
    ids=str,
)
def test_what_was_not_saved_is_not_claimed(change: dict[str, object], expected: str) -> None:
    assert expected in said(replace(REPORT, costs=(replace(RUN, **change),) * 2))  # type: ignore[arg-type]


def test_a_measurement_has_its_counts_and_interval_or_says_that_it_cannot_tell() -> None:
    others = tuple(replace(RUN, usd=0.01 + at / 10_000) for at in range(100))
    alone = tuple(replace(RUN, usd=0.05 + at / 10_000, why=HOLD_OUT) for at in range(FEWEST))
    text = said(replace(REPORT, costs=others + alone))
    assert f"on {FEWEST} questions drawn for the strongest tier alone, against 100 others" in text
    assert "a question: saved $0.03" in text
    assert text.count("(95 %: ") == 2
    few = said(replace(REPORT, costs=others + alone[1:]))
    assert f"too few questions to tell: {FEWEST - 1} by the strongest tier alone, 100 others" in few
    assert "(95 %" not in few


def test_judge_and_attempts_are_told_with_their_counts() -> None:
    assert "judge      agreed with you on 9 of 10 answers (90%)" in said(REPORT)
    assert "agreement  weak: 21 of the last 30 pairs (70%)" in said(REPORT)
    assert "no answer was judged by a model and by you yet" in said(replace(REPORT, alike=(0, 0)))


def test_the_object_says_the_same() -> None:
    body = json.loads(dumps(record(REPORT)))
    assert body["version"] == 1
    assert body["total"] == {
        "name": "",
        "calls": 4,
        "prompt_tokens": 2_000,
        "completion_tokens": 200,
        "usd": 0.6,
        "known_usd": 0.6,
        "unknown_calls": 0,
        "exact": True,
        "judging_usd": 0.1,
    }
    assert body["runs"] == {"solved": 1, "unsolved": 1}
    assert body["saved"]["estimate"]["saved_usd"] == pytest.approx(0.04)
    assert body["judge"] == {"agreed": 9, "pairs": 10}
    assert body["agreement"] == [{"tier": "weak", "agreed": 21, "pairs": 30}]


def test_no_foreign_text_reaches_the_terminal_as_it_is() -> None:
    foreign = "\x1b[31mred\u202e"
    used = replace(USED, tier=foreign, model=foreign)
    text = said(replace(REPORT, used=(used,), agreement={foreign: (1, 2)}))
    assert "\x1b" not in text
    assert "\u202e" not in text
