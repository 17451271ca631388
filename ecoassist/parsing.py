"""A model's reply, read: code to run, the answer, or neither. Pure.

The protocol (`prompts.py` states it to the model): a reply with python blocks is an action, a reply without is the
answer, and code meant for the reader stands in a `text` fence. Weak models bend it in well-known ways, so the reading
is tolerant; what it decides where the protocol is silent:

- Blocks of one reply are one cell. A block that repeats an earlier one of the same reply counts once.
- Whatever imitates the output of a block ("Output:", a fenced block that is neither python nor shell) ends the action:
  blocks after it were written against an invented result. Text after the last block is dropped for the same reason.
- A fence tagged as python is code even if it does not parse, so that the model sees the SyntaxError. An untagged fence
  is code if it parses to something that acts; a fence tagged otherwise only if it is unmistakably Python.
- A fence ends where its content first parses, so a fence inside a docstring does not cut it.
- A reply that asks for a shell, or calls a tool in JSON without any code, is Malformed unless it states an ANSWER.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

from .blocks import ANSWER, Segment, action, called, decoded, is_python, segments, unwrapped
from .programs import evidence
from .types import JSON, Answer, Code, Malformed

_IMPORT_LINE = re.compile(r"^(?:import \w|from [\w.]+ import )", re.M)
_THINK_OPEN = re.compile(r"^[ \t]*<(?:think|thinking|thought|reasoning)>", re.I | re.M)
_THINK_CLOSE = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.I)
_THINK_ORPHAN = re.compile(
    r"^[ \t]*</(?:think|thinking|thought|reasoning)>|</(?:think|thinking|thought|reasoning)>[ \t]*$", re.I | re.M
)
_ACTION_START = re.compile(r"^[ \t]*(?:`{3}|~{3}|<tool_call>|<execute|\**ANSWER\b)", re.M)
_SPECIAL = re.compile(
    r"(?:<\|(?:im_end|eot_id|eom_id|end|return|call|endoftext|end_of_text)\|>|<end_(?:code|action)>|</s>)[ \t]*$", re.M
)


def parse(text: str) -> Code | Answer | Malformed:
    """Reads one reply. Any text is fine, and the time taken grows with its length only linearly.

    `Answer.value` is what a last line `ANSWER: <JSON value>` holds: the decoded value, or the stripped text where that
    is no JSON. The line is taken out of `Answer.text`, unless the text is nothing else; then the text is the value.
    """
    text = _SPECIAL.sub("", _plain(text))
    if not text.strip():
        return Malformed("the reply is empty")
    text = _without_reasoning(text).strip("\n")
    if not text.strip():
        return Malformed("the reply holds nothing but reasoning")
    call = called(decoded(text)) if text.lstrip()[0] in "{[" else None
    if call:
        return Code(unwrapped(call))
    cut = tuple(segments(text))
    code = action(cut)
    if code:
        return Code(code)
    if call is None:
        call = _call_in_prose("\n".join(segment.body for segment in cut if segment.kind == "prose"))
    if call:
        return Code(unwrapped(call))
    if all(segment.kind == "prose" for segment in cut) and (bare := _bare(text)):
        return Code(bare)
    if _answer_line(text.split("\n")) is None:
        why = _why_malformed(cut, text, tool_call=call == "")
        if why:
            return Malformed(why)
    return _answer(text)


def _plain(text: str) -> str:
    """One kind of newline; nothing that could not be stored or sent as UTF-8."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _without_reasoning(text: str) -> str:
    """Without <think> parts. Before a closing tag alone stands reasoning too: its opening tag was in the prompt."""
    if "<|message|>" in text:  # harmony: the last channel's message
        text = text[text.rindex("<|message|>") + len("<|message|>") :]
    orphan = _THINK_ORPHAN.search(text)
    first = _THINK_OPEN.search(text)
    position = orphan.end() if orphan and not (first and first.start() < orphan.start()) else 0
    kept = []
    while opening := _THINK_OPEN.search(text, position):
        kept.append(text[position : opening.start()])
        closing = _THINK_CLOSE.search(text, opening.end())
        if not closing:  # never closed: it lasts until something that is not reasoning
            action = _ACTION_START.search(text, opening.end())
            position = action.start() if action else len(text)
            break
        position = closing.end()
    return "".join(kept) + text[position:]


def _why_malformed(cut: Sequence[Segment], text: str, *, tool_call: bool) -> str:
    kinds = {segment.kind for segment in cut}
    if "broken" in kinds:
        return next(segment.body for segment in cut if segment.kind == "broken")
    if tool_call:
        return "there are no tools to call: write python in a ```python block"
    if "shell" in kinds:
        return "only python runs: write python in a ```python block, and commands for the reader in a ```text block"
    if not any(segment.body.strip() or segment.kind != "prose" for segment in cut):
        return "the code block is empty"
    if kinds == {"prose"} and _IMPORT_LINE.match(text.lstrip()):
        return "code must stand in a ```python block"
    return ""


def _call_in_prose(text: str) -> str | None:
    """A tool call as JSON that starts a line within prose."""
    found = None
    for start in [match.start() for match, _ in zip(re.finditer(r"^[{\[]", text, re.M), range(4), strict=False)]:
        call = called(decoded(text[start:]))
        if call:
            return call
        found = call if found is None else found
    return found


def _bare(text: str) -> str | None:
    """Code without any fence: the whole reply, or all of it from a first import on."""
    body = text.strip().strip("`").strip()
    first, _, rest = body.partition("\n")
    body = rest if is_python(first.strip().lower()) else body
    if evidence(body) == 2 and not ANSWER.fullmatch(body):
        return body
    start = _IMPORT_LINE.search(body)
    return body[start.start() :] if start and evidence(body[start.start() :]) == 2 else None


# ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _answer_line(lines: Sequence[str]) -> int | None:
    """The last line that says ANSWER; in lower case only the last line of all counts."""
    last = True
    for index in range(len(lines) - 1, -1, -1):
        if not lines[index].strip("`~ \t"):
            continue
        found = ANSWER.fullmatch(lines[index])
        if found and (found[1] == "ANSWER" or last):
            return index
        last = False
    return None


def _answer(text: str) -> Answer | Malformed:
    lines = text.strip().split("\n")
    index = _answer_line(lines)
    if index is None:
        return Answer("\n".join(lines))
    found = ANSWER.fullmatch(lines[index])
    stated = found[2] if found else ""
    before, after = "\n".join(lines[:index]).rstrip(), "\n".join(lines[index + 1 :])
    raw = _unquoted(stated + "\n" + after)
    value, is_json = _value(raw)
    if not is_json and stated.strip("*` \t"):
        raw, after = _unquoted(stated), after if after.strip("`~ \t\n") else ""
        value, is_json = _value(raw)
    else:
        after = ""
    fences = [at for at, line in enumerate(lines[:index]) if line.lstrip().startswith(("```", "~~~"))]
    if len(fences) % 2 and fences[-1] == before.count("\n"):  # the line stood in a fence of its own
        before = "\n".join(lines[: fences[-1]])
    rest = "\n".join(part for part in (before.strip(), after.strip()) if part)
    if not rest and not raw:
        return Malformed("the answer is empty")
    return Answer(rest or (value if isinstance(value, str) and value else raw), value if raw else None, raw == "null")


def _unquoted(text: str) -> str:
    """Without the marks and the fence around a value."""
    text = re.sub(r"\A\s*`{3,}\w*\n|\n\s*`{3,}\s*\Z", "", text)
    return text.strip().strip("`").strip("*").strip("`").strip()


def _value(raw: str) -> tuple[JSON, bool]:
    """(value, whether it was JSON). JSON as the standard has it: no NaN, no infinity, no lone surrogate."""
    try:
        value: JSON = json.loads(raw, parse_constant=_refused, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return raw, False
    return value, True


def _refused(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)
