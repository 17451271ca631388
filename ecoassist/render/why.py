"""Why a run went as it did: the path through the tiers, the evidence, the cost. From the ledger's rows to text."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict

from ecoassist.events import HOLD_OUT, Event, Finished
from ecoassist.types import JSON, Attempt, Call, End, Example, Fault, Price, Run, Spending, Turn, Verdict

from . import columns, words
from .plain import one_line
from .result import finite
from .story import Step, Story, told

VERSION = 1
"""Of the JSON object. Fields are only added within a version."""
LONG = 500
"""Characters of a foreign text that are said."""
ENDED: dict[End, str] = {**words.END, "answered": "answered"}
STATUS = {"running": "under way", "lost": "lost: its process ended without a word", "error": "broke off"}


def lines(run: Run, events: Sequence[Event], calls: Sequence[Call]) -> list[str]:
    """What is to be said of a run; all foreign text is plain."""
    story = told(events)
    return [
        *_head(run, story),
        *(line for number, step in enumerate(story.steps, 1) for line in ("", *_step(number, step))),
        *_end(run, story),
        *_cost(calls),
    ]


def heading(run: Run) -> str:
    """One line that names a run."""
    tier = f" by {one_line(run.tier)}" if run.status == "solved" else ""
    parts = [f"run {run.id}", local(run.began), STATUS.get(run.status, run.status) + tier]
    return words.DOT.join([*parts, words.duration(run.seconds)] if run.seconds else parts)


def broken_off(run: Run, events: Sequence[Event]) -> list[str]:
    """What is to be said of the end of a run whose events tell of none."""
    if any(isinstance(event, Finished) for event in events):
        return []
    return [heading(run), *([f"broke off  {_short(run.fault)}"] if run.fault else [])]


def local(began: str) -> str:
    """A time of the ledger, by the clock of this machine."""
    return datetime.datetime.fromisoformat(began).astimezone().strftime("%Y-%m-%d %H:%M")


def _head(run: Run, story: Story) -> list[str]:
    rows = [heading(run), f"question   {_short(run.query)}"]
    if run.why:
        rows.append(f"begins     {_begins(run.why, story)}")
    if story.steps or story.examples:
        rows.append(f"solutions  {_examples(story.examples)}")
    return rows


def _begins(why: str, story: Story) -> str:
    tier = next((one_line(step.tier) for step in story.steps if not step.stored), "another tier")
    if why == HOLD_OUT:
        return f"at {tier} alone, drawn at random: what is saved can only be measured against such questions"
    return f"at {tier}: {_short(why)}"


def _examples(examples: Sequence[Example]) -> str:
    used = (f"{words.scored(one)}: {words.shortened(one_line(one.query), 80)}" for one in examples)
    return "; ".join(used) or "none was shown"


def _step(number: int, step: Step) -> list[str]:
    model = f"{words.DOT}{one_line(step.model)}" if step.model else ""
    rows = [f"{number}. {one_line(step.tier)}{model}"]
    if step.why and number > 1:
        rows.append(f"   escalated  {_short(step.why)}")
    for attempt in step.attempts:
        rows += [f"   {line}" for line in _attempt(attempt)]
    for name, verdict in step.checked:
        rows.append(f"   evidence   {_verdict(name, verdict)}")
    if step.verdict and (not step.checked or step.checked[-1][1] != step.verdict):
        rows.append(f"   verdict    {_verdict('', step.verdict)}")
    return rows


def _attempt(attempt: Attempt) -> list[str]:
    way = {"direct": "", "words": " in words", "program": " by a program", "plan": " with a plan", "replay": ""}[
        attempt.way
    ]
    end = f"{ENDED[attempt.end]}: {_short(attempt.why)}" if attempt.why else ENDED[attempt.end]
    rows = [f"attempt{way}: {words.count(len(attempt.turns), 'turn')}, {end}"]
    for number, turn in enumerate(attempt.turns, 1):
        rows += [f"  turn {number}: {line}" for line in _turn(turn)]
    rows += [f"  egress: {line}" for line in words.accesses(attempt.accesses)]
    return rows


def _turn(turn: Turn) -> list[str]:
    rows = []
    if turn.result:
        rows.append(words.cell(turn.result, turn.code.strip().count("\n") + 1 if turn.code else 0))
    if turn.fault:
        rows.append(f"fault {_fault(turn.fault)}")
    if turn.hint:
        rows.append(f"then told: {words.shortened(one_line(turn.hint), 120)}")
    return rows


def _fault(fault: Fault) -> str:
    target = f" ({one_line(fault.target)})" if fault.target else ""
    return f"{fault.kind}{target}: {words.shortened(one_line(fault.detail), 200)}" if fault.detail else fault.kind


def _verdict(name: str, verdict: Verdict) -> str:
    return words.judged(verdict, name) + (f"; judged by {one_line(verdict.judge)}" if verdict.judge else "")


def _end(run: Run, story: Story) -> list[str]:
    rows = [""]
    for kind, text, answer in story.asked:
        about = "" if kind == "verdict" else f" {words.shortened(one_line(text), 80)}"
        rows.append(f"asked      {kind}{about}: {one_line(answer or 'no answer')}")
    if run.fault:
        rows.append(f"broke off  {_short(run.fault)}")
    if story.answer:
        rows.append(f"answer     {_short(story.answer.text)}")
    if story.stored is not None:
        state = {
            True: "confirmed by its re-run",
            False: "its re-run did not confirm it",
            None: "its re-run was left for later",
        }
        rows.append(f"stored     as solution #{story.stored}: {state[story.confirmed]}")
    return rows if len(rows) > 1 else []


def _cost(calls: Sequence[Call]) -> list[str]:
    if not calls:
        return ["", "cost       no call of a model is on the ledger for it"]
    rows = [[*_line(call), words.money(call.usd, call.exact)] for call in calls]
    table = columns.lines([["tier", "for", "model", "tokens", "per million", "dollars"], *rows], right={5})
    return ["", *table, f"sum: {_sum(calls)}"]


def _line(call: Call) -> list[str]:
    tokens = words.tokens(Spending(call.usd, call.prompt, call.completion, 1, call.exact))
    cached = f" ({call.cached:,} cached)" if call.cached else ""
    return [one_line(call.tier), call.purpose, one_line(call.model), tokens + cached, _price(call.price)]


def _price(price: Price | None) -> str:
    return f"${price.input:g} + ${price.output:g}" if price else "unknown"


def _sum(calls: Sequence[Call]) -> str:
    whole, judging = spending(calls), spending([call for call in calls if call.purpose == "judge"])
    parts = [*words.spent(whole)]
    if judging.calls:
        parts.append(f"of which judging {words.money(judging.usd, judging.exact)}")
    return words.DOT.join(parts)


def spending(calls: Sequence[Call]) -> Spending:
    """The sum of calls; its price is unknown where one of theirs is."""
    known = [call.usd for call in calls if call.usd is not None]
    return Spending(
        sum(known) if len(known) == len(calls) else None,
        sum(call.prompt for call in calls),
        sum(call.completion for call in calls),
        len(calls),
        all(call.exact for call in calls),
    )


def _short(text: str) -> str:
    return words.shortened(one_line(text), LONG)


# ── as JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def record(run: Run, events: Sequence[Event], calls: Sequence[Call]) -> dict[str, JSON]:
    """The same as one object."""
    story, spent = told(events), spending(calls)
    return {
        "version": VERSION,
        "run": run.id,
        "began": run.began,
        "status": run.status,
        "seconds": run.seconds,
        "question": run.query,
        "begins": run.why,
        "fault": run.fault,
        "answer": story.answer.text if story.answer else None,
        "value": finite(story.answer.value) if story.answer else None,
        "solutions": [{"id": one.id, "score": one.score, "question": one.query} for one in story.examples],
        "tiers": [_step_record(step) for step in story.steps],
        "asked": [{"kind": kind, "text": text, "answer": answer} for kind, text, answer in story.asked],
        "stored": story.stored,
        "replayed": story.outcome.replayed.id if story.outcome and story.outcome.replayed else None,
        "calls": [_call_record(call) for call in calls],
        "cost": {
            "usd": spent.usd,
            "exact": spent.exact,
            "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens,
            "calls": spent.calls,
        },
    }


def _step_record(step: Step) -> dict[str, JSON]:
    return {
        "tier": step.tier,
        "model": step.model,
        "why": step.why,
        "attempts": [_attempt_record(attempt) for attempt in step.attempts],
        "checks": [{"step": name, **asdict(verdict)} for name, verdict in step.checked],
        "solved": step.verdict.solved if step.verdict else None,
    }


def _attempt_record(attempt: Attempt) -> dict[str, JSON]:
    return {
        "way": attempt.way,
        "end": attempt.end,
        "why": attempt.why,
        "turns": [
            {
                "code": turn.code,
                "cell": turn.result.status if turn.result else None,
                "fault": asdict(turn.fault) if turn.fault else None,
                "hint": turn.hint,
            }
            for turn in attempt.turns
        ],
        "egress": [asdict(access) for access in attempt.accesses],
    }


def _call_record(call: Call) -> dict[str, JSON]:
    fields = asdict(call)
    del fields["run"]
    return fields
