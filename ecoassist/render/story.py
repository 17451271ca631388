"""A recorded run, put together again from its events; also from the beginning of one that broke off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ecoassist import events as ev
from ecoassist.types import Answer, Attempt, Example, Outcome, Saved, Turn, Verdict


@dataclass(slots=True)
class Step:
    """One tier's part in a run."""

    tier: str
    model: str
    why: str
    """Why it came to that; empty for the first."""
    attempts: list[Attempt] = field(default_factory=list)
    """The last may lack its end: then it ended as interrupted, without words of its own."""
    checked: list[tuple[str, Verdict]] = field(default_factory=list)
    """Each step of the verdict chain."""
    verdict: Verdict | None = None

    @property
    def stored(self) -> bool:
        """Whether it is that of a stored program, which comes before the models."""
        return any(not attempt.asked for attempt in self.attempts)


@dataclass(slots=True)
class Story:
    query: str = ""
    why: str = ""
    """Why the question did not simply begin at the first tier."""
    examples: tuple[Example, ...] = ()
    steps: list[Step] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Kind and text of each question to the person, and what was answered."""
    stored: int | None = None
    confirmed: bool | None = None
    """Whether the re-run of what was stored was green; None: it did not come to an end."""
    outcome: Outcome | None = None

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for step in self.steps for attempt in step.attempts]

    @property
    def answer(self) -> Answer | None:
        """The last one given, whatever became of it."""
        if self.outcome:
            return self.outcome.answer
        return next((attempt.answer for attempt in reversed(self.attempts) if attempt.answer), None)

    @property
    def files(self) -> tuple[Saved, ...]:
        """What was kept for the person, each path once, in its last state."""
        results = (result for attempt in self.attempts for result in attempt.results)
        return tuple({file.path: file for result in results for file in result.files}.values())


def told(events: Iterable[ev.Event]) -> Story:
    """The story of a run from its events."""
    story = Story()
    for event in events:
        _take(story, event)
    return story


def _take(story: Story, event: ev.Event) -> None:  # noqa: C901 - one arm per event
    step = story.steps[-1] if story.steps else None
    match event:
        case ev.Started(query, _, why):
            story.query, story.why = query, why
        case ev.Recalled(examples):
            story.examples = examples
        case ev.TierStarted(tier, model, why):
            story.steps.append(Step(tier, model, why))
        case ev.AttemptStarted(tier, way) if step:
            step.attempts.append(Attempt(tier, (), "interrupted", model=step.model, way=way))
        case ev.Replied(reply) if step and step.attempts:
            attempt = step.attempts[-1]
            step.attempts[-1] = replace(attempt, turns=(*attempt.turns, Turn(reply)))
        case ev.CellStarted(code) if step and _open(story):
            _last_turn(step, code=code)
        case ev.CellFinished(result) if step and _open(story):
            _last_turn(step, result=result)
        case ev.AttemptFinished(attempt) if step and step.attempts:
            step.attempts[-1] = attempt
        case ev.Checked(name, verdict) if step:
            step.checked.append((name, verdict))
        case ev.Judged(verdict) if step:
            step.verdict = verdict
        case ev.Stored(id):
            story.stored = id
        case ev.RerunFinished(_, green):
            story.confirmed = green
        case ev.Asked(question):
            story.asked.append((question.kind, question.text, None))
        case ev.Answered(answer) if story.asked:
            story.asked[-1] = (*story.asked[-1][:2], answer)
        case ev.Notice(text):
            story.notices.append(text)
        case ev.Finished(outcome):
            story.outcome = outcome
        case _:
            pass


def _open(story: Story) -> bool:
    """Whether a cell belongs to an attempt; after the end of the question it belongs to a re-run."""
    return story.outcome is None and bool(story.attempts) and bool(story.attempts[-1].turns)


def _last_turn(step: Step, **changes: object) -> None:
    *before, last = step.attempts[-1].turns
    turns = (*before, replace(last, **changes))  # type: ignore[arg-type] # fields of a Turn
    step.attempts[-1] = replace(step.attempts[-1], turns=turns)
