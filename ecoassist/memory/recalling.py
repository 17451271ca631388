"""Of the stored solutions like a question: which is run before any model is asked. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ecoassist import templates
from ecoassist.entries import Entry, Match, Solution
from ecoassist.types import Replay, Task

from . import merit
from .fitting import fitted, unnamed
from .showing import enabled

TRIED = 6
"""Solutions that are looked at: the same question is among the most similar ones. Each takes a few milliseconds."""
_BACK = re.compile(
    r"\b(?:that|those|these|them|they|their|its|there|one|ones|above|previous(?:ly)?|earlier|again|same|instead|else|"
    r"it(?! (?:rain|snow|be|get|going|likely|safe|possible)\w*\b)|"
    r"this(?! (?:week|weekend|month|quarter|year|morning|afternoon|evening|summer|winter|spring|autumn|season))|"
    r"(?:you|we|i) (?:\w+ )?(?:said|told|gave|found|got|used|made|asked|computed|calculated)|"
    r"the (?:\w+ )?(?:answers?|results?|tables?|plots?|charts?|figures?|lists?|data|numbers?|outputs?|files?))\b",
    re.IGNORECASE,
)
"""Words of a question that may mean something said before it. A wrong yes costs a model call, a wrong no an answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    demonstrations: int = 1
    """How many are shown to the models at most."""
    tokens: int = 800
    """That all of them may take in a prompt."""
    replay: bool = True
    """Whether a stored program may answer without a model."""
    foreign: bool = True
    """Whether what others wrote is looked at. Not outside a sandbox: a model that adapts it would run it there."""


def replay(matches: Sequence[Match], task: Task, limits: Limits) -> Replay | None:
    """The one that is run, with the values of the question. None: none fits it exactly enough."""
    if not limits.replay or _leans_back(task):
        return None
    ready = (match for match in matches if _ready(match.entry, task))
    for match in itertools.islice(ready, TRIED):
        made = match.entry.solution
        program = _fitting(made, task)
        if program is not None:
            judged = (match.entry.replays + 1) % merit.JUDGED == 0
            return Replay(match.id, made.query, program, made.hosts, made.shape, match.entry.wins, judged, made.usd)
    return None


def _ready(entry: Entry, task: Task) -> bool:
    """Whether its program may answer a question by itself, if it fits."""
    return entry.solution.tells and merit.replayable(entry) and enabled(entry, task)


def _fitting(made: Solution, task: Task) -> str | None:
    """The program with the values and the files of the question. None: it answers another one."""
    program = templates.bound(made, task.in_context)
    if program is None or templates.fixed(replace(made, program=unnamed(made.program, made.files))):
        return None
    return fitted(program, made.files, task.files)


def _leans_back(task: Task) -> bool:
    """Whether a question may be about answers before it, or about what the kernel holds: words alone do not tell it.

    One that does not stand alone ("and the price?") is about the answer to the one before it, which may be another now.
    """
    if not task.history:
        return False
    if task.in_context != task.query:
        return True
    names = set(re.findall(r"\w+", task.query))
    return bool(_BACK.search(task.query)) or not names.isdisjoint(task.variables)
