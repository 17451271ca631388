"""What can be said of a stored program's answer without asking anybody. Pure.

A stored program answered its question once, and worked alone; what it prints now was never read by a model. So there
has to be more than that nothing speaks against it: it has to have asked its hosts, and what it says has to look like
what it said then. Where a check is in doubt, it is a no: the models are asked, and nothing was spent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ecoassist import values
from ecoassist.outputs import answer_like
from ecoassist.types import Attempt, Replay, Verdict

from .checks import BY, NOTHING

SERVED = "it worked as it did before"
_HOLLOW = re.compile(
    r"(?<![\w.])(?:None|nan|NaN|NaT|null|undefined|inf|Infinity)(?![\w.-])|"
    r"(?<!\w)(?:\[\s*\]|\{\s*\}|set\(\))|Empty DataFrame|"
    r"<Response \[\d+\]>|<[^<>\n]{1,80} at 0x[0-9a-f]+>|"
    r"(?i:<html\b|<!doctype\b|"
    r"\b(?:error|exception|traceback|unknown|invalid|too many requests|rate limit|quota|api limit)\b|"
    r"\bno (?:such|match(?:es|ing)?|results?|rows?|records?|entries|entry|values?)\b|"
    r"\bno \w+ (?:named|called|found|matche[sd]|available)\b|\bnothing (?:found|matche[sd])\b)"
)


def check_replay(replay: Replay, attempt: Attempt) -> Verdict:
    """A no, else a yes; could-not-judge where this use is put to whoever judges."""
    against = _against(replay, attempt)
    if against:
        return Verdict(False, BY, against)
    return Verdict(None, BY, NOTHING) if replay.judged else Verdict(True, BY, SERVED)


def _against(replay: Replay, attempt: Attempt) -> str:
    """What speaks against its answer, in words; empty where nothing does."""
    turn = attempt.turns[-1] if attempt.turns else None
    if turn is None or turn.result is None:
        return "the stored program did not run"
    if turn.result.status != "ok":
        return f"the stored program failed: {turn.fault.detail[:160] if turn.fault else turn.result.status}"
    if turn.answer is None:
        return "the stored program printed nothing"
    if refused := next((access for access in attempt.accesses if access.refused), None):
        return f"the stored program was refused {refused.host}: {refused.refused[:160]}"
    if turn.fault:
        return f"the stored program got no data: {turn.fault.detail[:160]}"
    if not attempt.accesses and any(host in replay.program for host in replay.hosts):
        return "the stored program asked none of its hosts"
    if not answer_like(turn.answer.text):
        return "what the stored program printed is longer than an answer"
    if not values.tells(turn.answer, replay.shape):
        return f"what the stored program printed is no {replay.shape or 'answer'}"
    hollow = next((said for said in _hollow(turn.answer.text) if said.casefold() not in replay.query.casefold()), "")
    return f"what the stored program printed tells of “{hollow}”" if hollow else ""


def _hollow(text: str) -> Iterator[str]:
    """What in an output tells that a value is not there, or that something went wrong: a model would have seen it."""
    return (" ".join(found[0].split()) for found in _HOLLOW.finditer(text))
