"""What was used and what was saved, as lines and as an object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ecoassist.accounts import (
    FEWEST,
    Estimate,
    Group,
    Interval,
    Measured,
    RunCost,
    Total,
    Used,
    estimated,
    measured,
    spared,
    total,
    totals,
)
from ecoassist.types import JSON

from . import columns, words
from .plain import one_line

VERSION = 1
"""Of the JSON object. Fields are only added within a version."""
KEYS: dict[str, Callable[[Used], str]] = {
    "day": lambda one: one.day,
    "model": lambda one: one.model,
    "tier": lambda one: one.tier,
}
"""By what calls are added up, and where that stands."""
METHOD = "the tokens of each last attempt at the strongest tier's price, less all that the runs cost, judging included"


@dataclass(frozen=True, slots=True)
class Report:
    """What the ledger says of some days."""

    since: str
    """The first of them, ISO 8601."""
    used: tuple[Used, ...]
    costs: tuple[RunCost, ...]
    alike: tuple[int, int]
    """How often a judging model and the person said the same, and how often both spoke."""
    agreement: Mapping[str, tuple[int, int]]
    """By tier: how many of its last pairs of attempts agreed, and how many there were."""


def lines(report: Report) -> list[str]:
    """What is to be said; all foreign text is plain."""
    rows = [f"since {report.since}"]
    if not report.used:
        return [*rows, "no call of a model", *_replayed(report.costs)]
    for name, key in KEYS.items():
        rows += ["", *_table(name, (*totals(report.used, key), total("all", report.used)))]
    rows += ["", *_runs(report.costs), *_saved(report), *_replayed(report.costs), *_measured(measured(report.costs))]
    return [*rows, *_judge(report.alike), *_agreement(report.agreement)]


def _table(name: str, sums: Sequence[Total]) -> list[str]:
    head = [name, "calls", "prompt", "completion", "dollars", "of which judging"]
    return columns.lines([head, *map(_row, sums)], right={1, 2, 3, 4, 5})


def _row(one: Total) -> list[str]:
    bound = "" if one.exact else "<= "
    tokens = [f"{bound}{number:,}" for number in (one.prompt, one.completion)]
    dollars = _dollars(one.usd, one.unknown, one.calls, one.exact)
    judging = _dollars(one.judging, one.judging_unknown, one.judged, one.exact) if one.judged else "-"
    return [one_line(one.name), f"{one.calls:,}", *tokens, dollars, judging]


def _dollars(usd: float, unknown: int, calls: int, exact: bool) -> str:
    """A price that is unknown is said: a sum without it would look like all."""
    if not unknown:
        return words.money(usd, exact)
    if unknown == calls:
        return "unknown"
    return f"{words.money(usd, exact)} + {unknown:,} of unknown price"


def _runs(costs: Sequence[RunCost]) -> list[str]:
    if not costs:
        return ["runs       none is kept"]
    parts = [f"{number:,} {status}" for status, number in _statuses(costs).items()]
    return [f"runs       {len(costs):,}: {', '.join(parts)}"]


def _statuses(costs: Sequence[RunCost]) -> dict[str, int]:
    """How many runs came to what, the most frequent first."""
    return dict(Counter(cost.status for cost in costs).most_common())


def _saved(report: Report) -> list[str]:
    """The estimate; none where there was nothing to save."""
    guess = estimated(report.costs)
    left_out = f"; {words.count(guess.left_out, 'run')} left out: a price or tokens unknown" if guess.left_out else ""
    if not guess.runs:
        return [f"saved      unknown{left_out}"] if left_out else []
    if all(cost.dear for cost in report.costs if not cost.replayed):
        return ["saved      nothing: all was answered at the price of the strongest tier"]
    lost = guess.saved < 0
    verb, bound, of = ("lost", "at most ", "beyond the") if lost else ("saved", "at least ", "of")
    amount = f"{'' if guess.exact else bound}about {words.money(abs(guess.saved))} {of} {words.money(guess.strong)}"
    share = f" ({guess.saved / guess.strong:.0%})" if guess.strong and not lost else ""
    return [
        f"{verb:<9}  {amount}{share} that the strongest tier alone would take: an estimate{left_out}",
        f"           {METHOD}, over {words.count(guess.runs, 'run')}",
    ]


def _replayed(costs: Sequence[RunCost]) -> list[str]:
    """Questions that took no model. Nothing is said where there are none."""
    found = spared(costs)
    if not found.runs:
        return []
    answered = words.count(found.runs, "question") + " by stored programs, without a model"
    if found.left_out == found.runs:
        return [f"replayed   {answered}: what that saved is unknown"]
    left_out = f"; {words.count(found.left_out, 'run')} left out: a price unknown" if found.left_out else ""
    judging = f", less {words.money(found.usd)} for judging" if found.usd else ""
    about = f"about {_usd(found.saved)} saved: what the questions had cost that those are from{judging}"
    return [f"replayed   {answered}", f"           {about}{left_out}"]


def _measured(found: Measured | None) -> list[str]:
    if found is None:
        return ["measured   nothing yet: with --hold-out the strongest tier answers some questions alone"]
    alone, others = found.alone, found.others
    if found.saved is None or found.lost is None:
        few = f"{alone.runs:,} by the strongest tier alone, {others.runs:,} others"
        return [f"measured   too few questions to tell: {few}; it takes {FEWEST} of each"]
    saved, lost = found.saved, found.lost
    means = f"{words.money(alone.mean)} against {words.money(others.mean)} a question"
    rates = f"solved {alone.rate:.1%} against {others.rate:.1%}"
    return [
        f"measured   on {alone.runs:,} questions drawn for the strongest tier alone, against {others.runs:,} others",
        f"           {means}: saved {_usd(saved.middle)} (95 %: {_usd(saved.low)} to {_usd(saved.high)})",
        f"           {rates}: lost {_points(lost.middle)} points (95 %: {_points(lost.low)} to {_points(lost.high)})",
    ]


def _usd(amount: float) -> str:
    return f"-{words.money(-amount)}" if amount < 0 else words.money(amount)


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _judge(alike: tuple[int, int]) -> list[str]:
    same, both = alike
    if not both:
        return ["judge      no answer was judged by a model and by you yet: /good and /bad in a chat do that"]
    return [f"judge      agreed with you on {same:,} of {words.count(both, 'answer')} ({same / both:.0%})"]


def _agreement(rates: Mapping[str, tuple[int, int]]) -> list[str]:
    return [
        f"agreement  {one_line(tier)}: {agreed:,} of the last {words.count(pairs, 'pair')} ({agreed / pairs:.0%})"
        for tier, (agreed, pairs) in rates.items()
        if pairs
    ]


# ── as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(report: Report) -> dict[str, JSON]:
    """The same as one object. An unknown price is null, and counted."""
    same, both = report.alike
    guess, found = estimated(report.costs), measured(report.costs)
    by: dict[str, JSON] = {f"{name}s": [_total(one) for one in totals(report.used, key)] for name, key in KEYS.items()}
    return {
        "version": VERSION,
        "since": report.since,
        **by,
        "total": _total(total("", report.used)),
        "runs": {**_statuses(report.costs)},
        "saved": {"estimate": _estimate(guess), "measured": _measure(found), "replays": _spared(report.costs)},
        "judge": {"agreed": same, "pairs": both},
        "agreement": [{"tier": tier, "agreed": one, "pairs": of} for tier, (one, of) in report.agreement.items()],
    }


def _total(one: Total) -> dict[str, JSON]:
    return {
        "name": one.name,
        "calls": one.calls,
        "prompt_tokens": one.prompt,
        "completion_tokens": one.completion,
        "usd": None if one.unknown else one.usd,
        "known_usd": one.usd,
        "unknown_calls": one.unknown,
        "exact": one.exact,
        "judging_usd": None if one.judging_unknown else one.judging,
    }


def _estimate(guess: Estimate) -> dict[str, JSON] | None:
    if not guess.runs:
        return None
    return {
        "method": METHOD,
        "runs": guess.runs,
        "left_out": guess.left_out,
        "strong_usd": guess.strong,
        "usd": guess.usd,
        "saved_usd": guess.saved,
        "exact": guess.exact,
    }


def _spared(costs: Sequence[RunCost]) -> dict[str, JSON] | None:
    found = spared(costs)
    if not found.runs:
        return None
    return {
        "runs": found.runs,
        "left_out": found.left_out,
        "before_usd": found.before,
        "usd": found.usd,
        "saved_usd": found.saved,
    }


def _measure(found: Measured | None) -> dict[str, JSON] | None:
    """`saved_usd` and `lost_rate` are null where there are too few questions."""
    if found is None:
        return None
    return {
        "needed": FEWEST,
        "alone": _group(found.alone),
        "others": _group(found.others),
        "saved_usd": _interval(found.saved),
        "lost_rate": _interval(found.lost),
    }


def _group(group: Group) -> dict[str, JSON]:
    return {"runs": group.runs, "solved": group.solved, "mean_usd": group.mean}


def _interval(found: Interval | None) -> dict[str, JSON] | None:
    return {"middle": found.middle, "low": found.low, "high": found.high} if found else None
