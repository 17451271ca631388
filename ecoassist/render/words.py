"""What the terminal says, as pure functions from values to single lines of plain text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from ecoassist import catalogue
from ecoassist.entries import numbered
from ecoassist.events import HOLD_OUT
from ecoassist.types import Access, CellResult, CellStatus, End, Example, Outcome, Saved, Spending, Verdict

from .plain import one_line, plain
from .tables import without

DOT = " · "
BLOCKED = 8
"""Refusals of a cell that are said one by one."""
CALLS = 200
"""Calls of a cell that are said one by one where all is said."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Hosts whose name `ecoassist api add` takes for that of an API as well."""
OUTSIDE = "runs on this machine, outside any sandbox; it can read your files and your keys"
"""What to know of code under --unsafe-local."""
OWN = " (the one that answered)"
"""Of a model that judges its own answer."""
MARK: dict[bool | None, str] = {True: "✓", False: "✗", None: "?"}
CELL: dict[CellStatus, str] = {
    "ok": "",
    "error": "failed",
    "timeout": "stopped at the time limit",
    "interrupted": "interrupted",
    "oom": "out of memory",
    "killed": "the kernel was killed",
    "gone": "the sandbox is gone",
}
END: dict[End, str] = {
    "answered": "the answer was not accepted",
    "turn_limit": "no answer within its turns",
    "no_progress": "it repeated the same failure",
    "needs_person": "only you can help",
    "provider": "its endpoint failed",
    "refusal": "the model refused",
    "budget": "the next call could cost more than is left",
    "interrupted": "interrupted",
}


# ── figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def money(usd: float | None, exact: bool = True) -> str:
    """Dollars to two significant digits, at least cents; "<=" and rounded up where `usd` is an upper bound."""
    if usd is None:
        return "cost unknown"
    amount = Decimal(repr(usd))
    places = max(2, 1 - amount.adjusted()) if amount else 0
    amount = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN if exact else ROUND_CEILING)
    digits, point, cents = f"{amount:,.{places}f}".partition(".")
    return ("" if exact else "<= ") + f"${digits}{point}{cents[:2]}{cents[2:].rstrip('0')}"


def tokens(spending: Spending) -> str:
    bound = "" if spending.exact else "<= "
    return f"{bound}{spending.prompt_tokens:,} + {spending.completion_tokens:,} tokens"


def spent(spending: Spending) -> tuple[str, ...]:
    """Tokens (prompt + completion) and dollars."""
    if not spending.calls:
        return ("no model call", "$0")
    return tokens(spending), money(spending.usd, spending.exact)


def duration(seconds: float) -> str:
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def size(octets: int) -> str:
    """Bytes to two significant digits at least: 12 kB, 1.2 MB."""
    if octets < 1_000:
        return count(octets, "byte")
    unit, amount = ("kB", octets / 1e3) if octets < 999_500 else ("MB", octets / 1e6)
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:,.0f} {unit}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shortened(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def folded(parts: Sequence[str], width: int) -> str:
    """`parts` joined by dots on as few lines as fit, broken only between parts."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}{DOT}{part}" if lines[-1] else part
        if lines[-1] and len(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


# ── on the way ──────────────────────────────────────────────────────────────────────────────────────────────────────


def recalled(examples: Sequence[Example]) -> str:
    return f"{count(len(examples), 'similar solution')}: {', '.join(map(scored, examples))}"


def scored(example: Example) -> str:
    """Its number, how like the question it is, and whether it is there to be repaired."""
    broken = ", broken: to be repaired" if example.trouble else ""
    return f"{numbered(example.id)} (score {example.score:.2f}{broken})"


def judged(verdict: Verdict, step: str = "") -> str:
    """What a verdict says. `step`: of the chain; told in full, with the words that it rests on."""
    by = one_line(step or verdict.by) + (OWN if verdict.own else "")
    said = [one_line(verdict.reason)] if verdict.reason else []
    if step and verdict.evidence:
        said.append(f'it rests on "{shortened(one_line(verdict.evidence), 120)}"')
    return f"{MARK[verdict.solved]} {by}: {'; '.join(said)}" if said else f"{MARK[verdict.solved]} {by}"


def begins(why: str) -> str:
    """What follows the name of the tier that begins; empty where it simply is the first."""
    said = "alone, to compare (hold-out)" if why == HOLD_OUT else one_line(why)
    return f"{DOT}{said}" if said else ""


def escalated(tier: str, verdict: Verdict, to: str) -> str:
    reason = one_line(verdict.reason)
    why = f" ({reason})" if reason else ""
    return f"✗ the {one_line(tier)} tier did not solve it{why}: escalating to {one_line(to)}"


def blocked(accesses: Iterable[Access]) -> tuple[str, ...]:
    """One line for each thing that the network refused: the first ones."""
    refused = dict.fromkeys(
        f"blocked: {one_line(a.host)}: {one_line(a.refused)}{_remedy(a)}" for a in accesses if a.refused
    )
    return _first(tuple(refused), BLOCKED, "blocked: {} more")


def hosts(result: CellResult) -> tuple[str, ...]:
    """What of the hosts that were refused is open now, and how a person who was not asked opens one."""
    lines = [f"opened: {one_line(host)}" for host in result.opened]
    known = catalogue.hosts()
    closed = dict.fromkeys(a.host for a in result.accesses if a.blocked and a.host not in known)
    fit = [host for host in closed if NAME.fullmatch(host)]
    if result.unasked and fit:
        lines.append(f"to open {fit[0]}, if you trust it: ecoassist api add {fit[0]} --host {fit[0]}")
    return tuple(lines)


def _remedy(access: Access) -> str:
    """The command that would enable the API of a blocked host, where we ship its description."""
    name = catalogue.hosts().get(access.host) if access.blocked else None
    return f"; ecoassist api add {name} enables it" if name else ""


def accesses(made: Iterable[Access]) -> tuple[str, ...]:
    """One line for each call that code made: where to, what came of it, which API. The first ones."""
    return _first(tuple(map(_access, made)), CALLS, "{} more calls")


def _access(access: Access) -> str:
    asked = one_line(f"{access.method} {access.host}{access.path}")
    if access.refused:
        return f"refused: {asked}: {one_line(access.refused)}"
    came = "no answer" if access.status is None else f"{access.status}, {size(access.size)}"
    spent = "from this run's memory" if access.cached else duration(access.seconds)
    return f"{asked} -> {came}, {spent}" + (f" ({one_line(access.api)})" if access.api else "")


def saved(files: Sequence[Saved], most: int) -> tuple[str, ...]:
    """One line for each file that was kept for the person: where it is, what, how large."""
    lines = (DOT.join((f"saved  {one_line(file.path)}", one_line(file.kind), size(file.size))) for file in files)
    return _first(tuple(dict.fromkeys(lines)), most, "saved  {} more files")


def _first(lines: tuple[str, ...], most: int, rest: str) -> tuple[str, ...]:
    """At most about `most` lines; `rest` says how many there would be more."""
    return lines if len(lines) <= most + 1 else (*lines[:most], rest.format(f"{len(lines) - most:,}"))


def cell(result: CellResult, lines: int = 0) -> str:
    """How a cell ended, after how many seconds, and which hosts answered it. `lines` of code are said if not 0."""
    parts = [count(lines, "line") + " of code"] if lines else []
    if result.error and result.cause in ("", "exception"):  # else the error is that of the stop
        parts.append(shortened(one_line(f"{result.error.name}: {result.error.message}"), 200))
    elif result.status != "ok" and not result.reason:
        parts.append(CELL[result.status])
    if result.reason:
        parts.append(one_line(result.reason))
    parts.append(duration(result.seconds))
    answered = [f"{one_line(a.host)} {a.status}" for a in result.accesses if a.status is not None]
    hosts = list(dict.fromkeys(answered))
    parts += hosts[:3] + ([f"{len(hosts) - 3} more"] if len(hosts) > 3 else [])
    if result.state_lost:
        parts.append("variables lost")
    return f"{MARK[result.status == 'ok']} {DOT.join(parts)}"


def output(result: CellResult, last: int | None = None, width: int = 200) -> tuple[str, ...]:
    """The lines that a cell printed, and its value; with `last`, only the last ones, shortened to `width`.

    What the cell's tables say is then left out: they are shown by themselves.
    """
    texts = (plain(text).strip("\n") for text in (result.text, result.value))
    lines = [line.rstrip() for text in texts if text.strip() for line in text.split("\n")]
    if last is None:
        left_out = [f"({result.omitted:,} characters left out)"] if result.omitted else []
        return (*lines, *left_out)
    lines = list(without(lines, result.tables))
    above = [f"… {count(len(lines) - last, 'line')} above"] if len(lines) > last else []
    return (*above, *(shortened(line, width) for line in lines[-last:]))


# ── at the end ──────────────────────────────────────────────────────────────────────────────────────────────────────


def summary(outcome: Outcome) -> tuple[str, ...]:
    """The parts of the last line: who, tokens, dollars, seconds, and the solution that was shown to the models."""
    if outcome.replayed and not outcome.spending.calls:
        return f"{_who(outcome)}, 0 tokens", duration(outcome.seconds)
    parts = [_who(outcome), *spent(outcome.spending), *judging(outcome.judging), duration(outcome.seconds)]
    if outcome.examples and outcome.status in ("solved", "unverified") and not outcome.replayed:
        named = ", ".join(numbered(example.id) for example in outcome.examples)
        parts.append(f"with solution{'s' if len(outcome.examples) > 1 else ''} {named}")
    return tuple(parts)


def judging(spending: Spending) -> tuple[str, ...]:
    """The part of what was spent that judging took, where it is known."""
    known = spending.calls and spending.usd is not None
    return (f"of which judging {money(spending.usd, spending.exact)}",) if known else ()


def _who(outcome: Outcome) -> str:
    tiers = tuple(dict.fromkeys(one_line(attempt.tier) for attempt in outcome.attempts))
    turns = f"in {count(outcome.turns, 'turn')}"
    if not tiers:
        return {"unsolved": "not solved"}.get(outcome.status, outcome.status)
    after = f" after {', '.join(tiers[:-1])}" if tiers[1:] else ""
    if outcome.replayed and outcome.status in ("solved", "unverified"):
        unverified = "UNVERIFIED answer: " if outcome.status == "unverified" else ""
        return f"{unverified}replayed solution {numbered(outcome.replayed.id)}"
    match outcome.status:
        case "solved":
            return f"solved by {tiers[-1]}{after} {turns}"
        case "unverified":
            return f"UNVERIFIED answer by {tiers[-1]}{after} {turns}"
        case "unsolved":
            return f"not solved by {', '.join(tiers)} {turns}"
        case "budget":
            return f"budget spent at {tiers[-1]}{after} {turns}"
        case "interrupted":
            return f"interrupted at {tiers[-1]}{after} {turns}"


def remark(outcome: Outcome) -> str:
    """What to know about the answer besides the summary; empty where there is nothing to add."""
    last = outcome.attempts[-1] if outcome.attempts else None
    reason = one_line(outcome.verdict.reason)
    if outcome.status == "unsolved":
        ended = one_line(last.why) or END[last.end] if last else "no tier was tried"
        return f"✗ not solved: {reason or ended}"
    if outcome.partial:
        return "? only a part: the budget was spent before an answer was confirmed"
    if outcome.status != "solved" and outcome.answer:
        return f"? nothing confirmed this answer ({reason})" if reason else "? nothing confirmed this answer"
    return ""
