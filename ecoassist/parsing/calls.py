"""Tool calls that a model wrote as text: JSON whole or broken, a function's call, YAML. Pure."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping

from ecoassist.programs import evidence, tree

from .mending import mended
from .tags import is_python

NO_TOOLS = "there are no tools to call: write python in a ```python block"
CODE_KEYS = ("code", "source", "script", "python", "python_code", "cell")
CALLEE_KEYS = ("function", "function_call", "tool_calls", "tool_call")
ARGUMENT_KEYS = ("arguments", "parameters", "action_input", "tool_input")
CALL_KEYS = (*CALLEE_KEYS, *ARGUMENT_KEYS, "args", "input", "cells")
NAME_KEYS = ("name", "function", "action", "tool_name", "tool")
BESIDE_KEYS = ("type", "id", "thought", "thoughts", "reasoning", "explanation")
"""What a call for a tool holds beside its name and arguments; anything else makes it data."""
MAX_VALUES, MAX_DEPTH = 20, 6
PYTHONISH = re.compile(r"^[ \t]*(?:import \w|from [\w.]+ import |def \w+\(|print\(|[!%]pip install )", re.M)

_STARTS = re.compile(r"^[{\[]|(?<=[ \t:`\w])[{\[](?=\s*[\"'{])", re.M)
_CALL = re.compile(r"\s*\[?\s*[A-Za-z_][\w.]*\(")
_CALL_LINE = re.compile(r"^(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*\(", re.M)
_CALLEE = re.compile(
    r"(?:(?:run|exec|execute|eval|call)_)?(?:python\d?|ipython|code|jupyter|notebook)"
    r"(?:_(?:repl|interpreter|code|exec|execute|executor|run|tool|cell))*|execute|interpreter",
    re.I,
)
_NAMESPACES = frozenset({"functions", "tools", "tool", "function"})
"""What some models were taught to write before the name of a tool."""
_QUOTED = re.compile(rf"\b(?:{'|'.join(CODE_KEYS)})[\"']?\s*:\s*([\"'`])")
_BLOCK = re.compile(rf"^[ \t]*(?:{'|'.join(CODE_KEYS)}):[ \t]*[|>][-+]?[ \t]*\n", re.M)
_WIDE = re.compile(r'\bcode:\s*<\|"\|>(.*?)<\|"\|>', re.S)
_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\'": "'", "\\\\": "\\"}


def call_of(text: str) -> str | None:
    """The code of the call that `text` is; empty for a call without code; None where it is no call."""
    text = text.strip().strip("`").strip()
    found = called(decoded(text))
    if found is not None:
        return found
    return next(filter(None, (read(text) for read in _SPELLINGS)), None)


def call_within(text: str) -> str | None:
    """The same for a call that begins somewhere in `text`; one without code counts only at the start of a line."""
    empty = None
    for start, _ in zip((match.start() for match in _STARTS.finditer(text)), range(4), strict=False):
        call = called(decoded(text[start:]))
        if call:
            return call
        at_start = start == 0 or text[start - 1] == "\n"
        empty = call if at_start and empty is None else empty
    for opening, _ in zip(_CALL_LINE.finditer(text), range(4), strict=False):
        invoked = _invoked(text[opening.start() :])
        if invoked and evidence(invoked):
            return invoked
    return empty


def called(value: object, depth: int = 0) -> str | None:
    """The code that a decoded tool call asks to run; empty for a call without code; None where it is no call."""
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, list):
        calls = [call for item in value[:MAX_VALUES] if (call := called(item, depth + 1)) is not None]
        return "\n\n".join(filter(None, calls)) if calls else None
    if not isinstance(value, dict):
        return None
    language = value.get("language") or value.get("lang")
    if isinstance(language, str) and not is_python(language.lower()):
        return "" if any(isinstance(value.get(key), str) for key in CODE_KEYS) else None
    if code := _code_in(value, stated=isinstance(language, str)):
        return code
    empty = None
    for key in CALL_KEYS:
        inner = value.get(key)
        found = called(decoded(inner) if isinstance(inner, str) else inner, depth + 1)
        if found:
            return found
        if isinstance(inner, str) and key != "input" and evidence(inner):
            return inner
        empty = found if empty is None else empty
    if empty is None and (code := _given_to_python(value)):
        return code
    return "" if empty == "" or _is_call(value) else None


def _code_in(value: Mapping[str, object], *, stated: bool) -> str | None:
    """`stated`: the value says that it holds Python."""
    keys = (*CODE_KEYS, "content") if stated or value.get("type") == "code" else CODE_KEYS
    for key in keys:
        code = value.get(key)
        if isinstance(code, list) and all(isinstance(line, str) for line in code):  # a notebook's lines
            code = "\n".join(line.removesuffix("\n") for line in code)
        if isinstance(code, str) and (evidence(dedented(code)) or PYTHONISH.search(code) or "```" in code):
            return code
    return None


def _given_to_python(value: Mapping[str, object]) -> str | None:
    """The code among the arguments of an interpreter, whatever they are called."""
    if not any(isinstance(name := value.get(key), str) and _CALLEE.fullmatch(name) for key in NAME_KEYS):
        return None
    for key in (*ARGUMENT_KEYS, "args", "input"):
        inner = value.get(key)
        for one in inner.values() if isinstance(inner, dict) else (inner,):
            if isinstance(one, str) and evidence(dedented(one)):
                return one
    return None


def _is_call(value: Mapping[str, object]) -> bool:
    named = any(isinstance(value.get(key), str | dict) and value[key] for key in NAME_KEYS)
    has_arguments = any(key in value for key in (*CALLEE_KEYS, *ARGUMENT_KEYS))
    return named and has_arguments and set(value) <= {*NAME_KEYS, *CALL_KEYS, *BESIDE_KEYS}


def decoded(text: str) -> object:
    """The JSON (or Python literal) value that the text starts with, a list of several in a row; None: there is none."""
    text = text.strip()
    if not text or text[0] not in "{[":
        return None
    for missing in ("", "}", "}}", '"}', '"}}', "]"):
        values = list(_values(text + missing))
        if values:
            return values[0] if len(values) == 1 else values
    module = tree(text)
    try:
        return ast.literal_eval(module.body[0].value) if module and isinstance(module.body[0], ast.Expr) else None
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def _values(text: str) -> Iterator[object]:
    """JSON values that follow each other with nothing between them but white space and commas."""
    decoder, at = json.JSONDecoder(strict=False), 0
    for _ in range(MAX_VALUES):
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield value
        while at < len(text) and text[at] in " \t\n,":
            at += 1
        if at == len(text) or text[at] not in "{[":
            return


def dedented(code: str) -> str:
    return textwrap.dedent(code).strip("\n")


# ── other spellings ─────────────────────────────────────────────────────────────────────────────────────────────────


def _invoked(text: str) -> str | None:
    """python(code="..."), alone or in a list."""
    module = tree(text) if _CALL.match(text) else None
    if module is None or len(module.body) != 1 or not isinstance(module.body[0], ast.Expr):
        return None
    node = module.body[0].value
    calls = node.elts if isinstance(node, ast.List) else [node]
    found = [_argument(call) for call in calls]
    return "\n\n".join(filter(None, found)) if all(found) else None


def _argument(node: ast.expr) -> str | None:
    """The code that a call of an interpreter gets as its only text, or by the name of code."""
    if not isinstance(node, ast.Call):
        return None
    callee = node.func.value if isinstance(node.func, ast.Attribute) else node.func
    name = callee.id if isinstance(callee, ast.Name) else ""
    if name in _NAMESPACES and isinstance(node.func, ast.Attribute):
        name = node.func.attr
    if not _CALLEE.fullmatch(name):
        return None
    given: list[tuple[object, ast.expr]] = [(None, one) for one in node.args]
    given += [(one.arg, one.value) for one in node.keywords]
    for one in node.args:
        if isinstance(one, ast.Dict):
            named = zip(one.keys, one.values, strict=True)
            given += [(key.value, value) for key, value in named if isinstance(key, ast.Constant)]
    texts = [(name, one.value) for name, one in given if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return next((text for name, text in texts if name is None or name in CODE_KEYS), None)


def _quoted(text: str) -> str | None:
    """The code of JSON whose quotes are not escaped: it lasts to the last quote."""
    opening = _QUOTED.search(text) if text[:1] in "{[" else None
    if not opening:
        return None
    rest = text[opening.end() :].rstrip(" \t\n}],")
    if not rest.endswith(opening[1]):
        return None
    raw = rest[:-1]
    unescaped = re.sub(r"\\[nt\"'\\]", lambda escape: _ESCAPES[escape[0]], raw)
    return next((one for one in map(mended, (raw, unescaped)) if one is not None and evidence(one)), None)


def _between_tokens(text: str) -> str | None:
    """The code of a call whose quotes are tokens of their own."""
    found = _WIDE.search(text)
    return found[1] if found and evidence(found[1]) else None


def _block(text: str) -> str | None:
    """The code of a YAML mapping, as a block."""
    opening = _BLOCK.search(text)
    if not opening:
        return None
    lines = []
    for line in text[opening.end() :].split("\n"):
        if line.strip() and not line[0].isspace():
            break
        lines.append(line)
    code = dedented("\n".join(lines))
    return code if evidence(code) else None


_SPELLINGS: tuple[Callable[[str], str | None], ...] = (_invoked, _quoted, _between_tokens, _block)
