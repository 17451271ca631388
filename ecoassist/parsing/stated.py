"""The answer that a reply states: the last line that says ANSWER, an <answer> tag, or an object. Pure."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence

from ecoassist.programs import tree
from ecoassist.types import JSON, Answer, Malformed

from .blocks import ANSWER

MAX_DEPTH = 100
"""Levels of lists and objects in a value; one that is nested deeper is kept as text."""
TEMPLATE = "the value as JSON, or null"
"""What the protocol shows in place of a value (prompts.SYSTEM)."""
MAX_LITERAL = 10_000
"""Characters of a value that is read as Python where it is no JSON."""
_TAG_END = re.compile(r"(?:</?answer?\b\s*>?)?\s*\Z", re.I)
_BOXED = re.compile(r"\$*\\boxed\{(.*)\}\$*|\\\((.*)\\\)", re.S)
_BENT = (
    re.compile(r"^[ \t>#*]*ANSWER[ \t*]*=[ \t]*(.+)\s*\Z", re.M),
    re.compile(r"^[ \t>#*]*ANSWER[ \t*]*\n\s*(.+)\s*\Z", re.M),
    re.compile(r"^[ \t]*[|\"'][ \t]*ANSWER:[ \t]*(.+?)[ \t]*[|\"']\s*\Z", re.M),
)
"""Last lines that say ANSWER in another way."""
_OBJECT = re.compile(r"\s*(?:`{3,}\w*\s*)?\{[^{}]{0,100}answer\"", re.I)
_THOUGHTS = frozenset({"thought", "thoughts", "reasoning", "explanation"})


def in_one_form(text: str) -> str:
    """`text` with an answer in tags, or as an object of that name, as a last line that says ANSWER."""
    if _OBJECT.match(text) and (value := _of_object(text)) is not None:
        return f"ANSWER: {value}"
    for bent in _BENT:
        if found := bent.search(text):
            return f"{text[: found.start()].rstrip()}\nANSWER: {found[1]}"
    start = text.lower().rfind("<answer>")
    if start < 0:
        return text
    inner = text[start + len("<answer>") :]
    end = inner.find("</")
    inner, rest = (inner[:end], inner[end:]) if end >= 0 else (inner, "")
    if not _TAG_END.fullmatch(rest):
        return text
    found = ANSWER.fullmatch(inner)
    return f"{text[:start].rstrip()}\nANSWER: {(found[2] if found else inner).strip()}"


def _of_object(text: str) -> str | None:
    value, _ = _decoded(_unquoted(text))
    if not isinstance(value, dict):
        return None
    named = [key for key in value if key.lower().replace("_", " ") in ("answer", "final answer")]
    others = [key for key in value if key.lower() not in _THOUGHTS]
    return json.dumps(value[named[0]], ensure_ascii=False) if named and named == others else None


def line_of(lines: Sequence[str]) -> int | None:
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


def answer(text: str) -> Answer | Malformed:
    """The reply as an answer: its text, and the value that it states."""
    lines = text.strip().split("\n")
    index = line_of(lines)
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
    if not rest and (value in ("", TEMPLATE) or not raw):
        return Malformed("the answer is empty")
    stated_null = bool(raw) and value is None
    return Answer(rest or (value if isinstance(value, str) else raw), value if raw else None, stated_null)


def _unquoted(text: str) -> str:
    """Without the marks and the fence around a value."""
    text = re.sub(r"\A\s*`{3,}\w*\n|\n\s*`{3,}\s*\Z", "", text)
    return text.strip().strip("`").strip("*").strip("`").strip()


def _value(raw: str) -> tuple[JSON, bool]:
    """(value, whether it was one): JSON, also behind a full stop, in brackets or a box; or a literal of Python."""
    boxed = _BOXED.fullmatch(raw)
    inner = (boxed[1] or boxed[2] or "") if boxed else raw[1:-1].strip() if raw[:1] == "<" and raw[-1:] == ">" else raw
    for text in dict.fromkeys((inner, inner.removesuffix("."))):
        value, known = _decoded(text)
        if known:
            return value, True
    return (raw, False) if inner == raw else (inner, True)


def _decoded(text: str) -> tuple[JSON, bool]:
    """(value, whether it was one). JSON as the standard has it: no NaN, no infinity, no lone surrogate."""
    value: JSON
    try:
        try:
            value = json.loads(text, parse_constant=_refused, parse_float=_finite)
        except (ValueError, RecursionError):
            value = _python(text)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError, MemoryError):
        return text, False
    return (value, True) if _shallow(value) else (text, False)


def _python(text: str) -> JSON:
    """A literal of Python as JSON has it. Raises as its parser does, and ValueError where it cannot be one."""
    may_be = len(text) <= MAX_LITERAL and (text[:1] in "'[{(" or text in ("True", "False", "None"))
    module = tree(text, magic=False) if may_be else None
    if module is None or len(module.body) != 1 or not isinstance(module.body[0], ast.Expr):
        raise ValueError(text)
    value: JSON = json.loads(json.dumps(ast.literal_eval(module.body[0].value), allow_nan=False))
    return value


def _shallow(value: JSON) -> bool:
    level: list[JSON] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def _refused(text: str) -> float:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)
