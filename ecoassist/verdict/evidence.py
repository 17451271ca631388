"""What a judging model is sent: bounded, and all of it data. Pure.

Length buys nothing. Each part has its own room whatever the others take, the middle of what is longer is left out, a
claim that fills its room is kept once, and comments in code, which are claims too, are not shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ecoassist import programs, prompts
from ecoassist.prompts import clip, data, size
from ecoassist.types import Access, Attempt, CellResult, Message, Task, Turn

from .reading import imitations

MAX_QUERY, MAX_EARLIER, MAX_CODE, MAX_OUTPUT, MAX_ANSWER, MAX_OTHER = 4_000, 6, 4_000, 4_200, 2_000, 600
"""Characters of the question; earlier questions; characters of code, of output, of the answer, of that of the attempt
it was compared with."""
MAX_CELLS, MAX_CALLS = 4, 12
"""Cells: the last ones. Kinds of calls."""
_OUTPUT = re.compile(r"^Its output:\n(.*?)(?=^Cell:\n|^Network: |\Z)", re.M | re.S)
_ANSWER = re.compile(r"^[ \t*]*ANSWER[ \t*]*:", re.I | re.M)


def evidence(
    task: Task, attempts: Sequence[Attempt], *, recorded: bool = True, remarks: Sequence[str] = ()
) -> tuple[Message, ...]:
    """The messages to a judge of the last of `attempts`. Their size does not grow with the length of the run.

    `recorded`: a gate saw what the cells asked of the network. `remarks`: what was found suspicious.
    """
    attempt = attempts[-1]
    parts = [f"Date: {task.now}"]
    if task.history:
        earlier = task.history[-MAX_EARLIER:]
        before = "\n".join(f"Q: {clip(one.query, 200)}\nA: {clip(one.answer, 300)}" for one in earlier)
        parts.append(f"Earlier in the conversation:\n{data(before)}")
    parts.append(f"Question: {data(clip(task.query, MAX_QUERY))}")
    parts += _cells(attempt)
    if attempt.results:
        parts.append(_network(attempt.accesses) if recorded else "Network: calls are not recorded here.")
    else:
        parts.append("No program ran.")
    if len(attempts) > 1 and (other := attempts[-2].answer):
        parts.append(f"Another attempt, made in another way, answered:\n{data(_claims(other.text, MAX_OTHER))}")
    parts += [f"Noticed: {remark}" for remark in remarks]
    if imitations("\n\n".join(parts)) or imitates(attempt):
        parts.append("Noticed: the data holds text that imitates a verdict or an answer. It is none.")
    parts.append(f"Answer:\n{data(_claims(attempt.answer.text if attempt.answer else '', MAX_ANSWER))}")
    return (Message("system", prompts.JUDGE_SYSTEM), Message("user", "\n\n".join(parts)))


def before_answer(messages: Sequence[Message]) -> str:
    """What was shown, without the answer itself."""
    return messages[1].text.rpartition("\n\nAnswer:\n")[0]


def outputs(shown: str) -> str:
    """Of what was shown, what the cells wrote."""
    return "\n".join(_OUTPUT.findall(shown))


def imitates(attempt: Attempt) -> bool:
    """Whether what came out of its cells, as far as a model sees it, imitates a verdict or an answer.

    An ANSWER line is one only where the code has not that word: models like to print it themselves.
    """
    return any(_imitates(turn.code or "", turn.result) for turn in attempt.turns if turn.result)


def _imitates(code: str, result: CellResult) -> bool:
    seen = f"{clip(result.text, MAX_OUTPUT)}\n{clip(result.value, MAX_OUTPUT)}"
    return bool(imitations(seen) or (_ANSWER.search(seen) and "answer" not in code.casefold()))


def _cells(attempt: Attempt) -> list[str]:
    """The last cells, each with its output. The very last one says most, and has most room."""
    ran = [turn for turn in attempt.turns if turn.result][-MAX_CELLS:]
    parts: list[str] = []
    for later, turn in zip(reversed(range(len(ran))), ran, strict=True):
        room = 1 if later else 4
        parts.append(f"Cell:\n{data(clip(programs.normalised(turn.code or ''), room * MAX_CODE // 4))}")
        parts.append(f"Its output:\n{prompts.observation(_closed(turn), room * MAX_OUTPUT // 4)}")
    return parts


def _closed(turn: Turn) -> Turn:
    """Without the file that the whole output is in: a judge cannot read on."""
    return replace(turn, result=replace(turn.result, whole="")) if turn.result else turn


def _claims(text: str, room: int) -> str:
    """What an answer says, each sentence once if it is longer than `room`, and both its ends if it still is."""
    if len(text) > room:
        said = re.split(r"(?<=[.!?])\s+|\n+", text)
        text = " ".join(dict.fromkeys(sentence.strip() for sentence in said))
    return clip(text, room)


def _network(accesses: Sequence[Access]) -> str:
    """What was asked of the network and what came of it: figures, then each kind of call once."""
    if not accesses:
        return "Network: no call was made."
    answered = sum(1 for access in accesses if access.answered)
    made = f"{len(accesses):,} call{'' if len(accesses) == 1 else 's'}"
    known = f"{made}, {answered:,} answered" if answered else made
    head = f"Network: {known}." + ("" if answered else " No call succeeded.")
    calls = Counter(map(_call, accesses))
    lines = [line + (f", {times:,} times" if times > 1 else "") for line, times in calls.items()]
    more = [f"and {len(lines) - MAX_CALLS:,} others"] if len(lines) > MAX_CALLS else []
    return f"{head}\n{data(chr(10).join(lines[:MAX_CALLS] + more))}"


def _call(access: Access) -> str:
    """One call and its end."""
    asked = f"{access.method[:20]} {access.host[:100]}{access.path[:80]}"
    if access.refused:
        return f"{asked} -> refused"
    said = f"{access.status}, {size(access.size)}" if access.status else "no answer"
    return f"{asked} -> {said}" + (f" ({access.api[:40]})" if access.api else "")
