"""A reply cut into prose and blocks: fences, tags and tool calls, however bent. Pure."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from .programs import evidence, readable, tree

PYTHON = frozenset({"ipython", "jupyter", "tool_code", "code", "pycon", "python_code", "python-repl", "notebook"})
SHELL = frozenset({"sh", "bash", "shell", "zsh", "fish", "console", "terminal", "cmd", "bat", "powershell", "ps1"})
TEXT = frozenset({"text", "txt", "plain", "plaintext", "output", "out", "stdout", "result", "log"})
CODE_KEYS = ("code", "source", "script", "python", "python_code", "cell")
CALLEE_KEYS = ("function", "function_call", "tool_calls", "tool_call")
CALL_KEYS = (*CALLEE_KEYS, "arguments", "parameters", "args", "input", "action_input", "tool_input")

LOOKAHEAD = 6
"""Ends of a fence that are tried: bounds the work on a hostile reply."""

ANSWER = re.compile(r"[\s>#*_`~-]*(?:final\s+)?(answer)[*_`\s]*[:：][*_`]*(.*)", re.I | re.S)
_FENCE = re.compile(r"\s*(?:>\s?|[-*+]\s+|\d{1,3}[.)]\s+)?(`{3,}|~{3,}|'{3}|\"{3})(.*)", re.S)
_MARK = re.compile(r"(`{3,}|~{3,}|'{3}|\"{3})(.*)")
_INFO = re.compile(r"\s*\{?\.?([A-Za-z][\w+#.-]*)?(.*)", re.S)
_ATTRIBUTE = re.compile(r"\s*\w+=[\"']")
_WRAP = re.compile(
    r"<(execute\w*|tool_call|function_call|tool_code|run_python|ipython|arg_value|python|code|function=\w+"
    r"|parameter=\w+|parameter name=\"?\w+\"?|invoke name=\"?\w+\"?|\|python_tag\|)>|\[TOOL_CALLS\]",
    re.I,
)
_IMITATION = re.compile(
    r"\W*(?:(?:the|this|expected|sample|example|program|execution|code|console|tool|script)\s+){0,3}"
    r"(?:(?:outputs?|results?|observations?|stdout)\b[^.:]{0,40}:|out\s?\[\d+\]:|tool_response\b|(?:human|user):)",
    re.I,
)
PYTHONISH = re.compile(r"^[ \t]*(?:import \w|from [\w.]+ import |def \w+\(|print\(|[!%]pip install )", re.M)


@dataclass(frozen=True, slots=True)
class Segment:
    kind: Literal["prose", "code", "shell", "text", "broken"]
    body: str


def segments(text: str, depth: int = 0) -> Iterator[Segment]:
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        fence = _FENCE.match(line)
        tail = None if fence else _fence_at_end(line)
        wrap = None if fence or tail or depth > 3 else _opens_wrapper(line)
        if tail:
            yield Segment("prose", line[: tail[0]])
            at, segment = _fenced(lines, at, tail[1], tail[2])
        elif fence and (fence[1][0] in "`~" or is_python(_tag(fence[2]))):
            at, segment = _fenced(lines, at, fence[1], fence[2])
        elif wrap:
            if line[: wrap.start()].strip():
                yield Segment("prose", line[: wrap.start()])
            at, content = _wrapped(lines, at, wrap)
            yield from _tagged(content, loose=(wrap[1] or "").lower() in ("code", "python"), depth=depth)
            continue
        else:
            at, segment = at + 1, Segment("prose", line)
        yield segment


def action(cut: Iterable[Segment]) -> str:
    """The blocks before the first imitated output, joined."""
    blocks: dict[str, None] = {}
    for segment in cut:
        if segment.kind == "code":
            blocks[segment.body] = None
        elif blocks and (segment.kind == "text" or (segment.kind == "prose" and _IMITATION.match(segment.body))):
            break
    return "\n\n".join(blocks)


# ── fences ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tag(info: str) -> str:
    found = _INFO.match(info)
    return (found[1] or "").lower() if found else ""


def is_python(tag: str) -> bool:
    return tag in PYTHON or tag.rstrip("0123456789.") in ("python", "py", "ipython")


def _fence_at_end(line: str) -> tuple[int, str, str] | None:
    """A python fence that opens at the end of a line of prose: (where, fence, info)."""
    start = line.rfind("```")
    if start < 1 or not is_python(line[start + 3 :].strip().lower()):
        return None
    return start, "```", line[start + 3 :]


def _fenced(lines: list[str], at: int, fence: str, info: str) -> tuple[int, Segment]:
    """The block that opens on line `at`, and the line after it."""
    if fence[0] == "`" and "`" in info:  # opens and closes on one line, or is inline code
        inner = info.rstrip()
        if not inner.endswith("```"):
            return at + 1, Segment("prose", lines[at])
        tag, head = _tag_and_code(inner.rstrip("`"))
        return at + 1, _classified(tag, head)
    tag, head = _tag_and_code(info)
    if tag in ("markdown", "md"):
        return at + 1, Segment("prose", "")  # the whole reply was put into a fence
    content, after, closed = _content(lines, at + 1, fence, head, python=tag not in TEXT)
    if closed or not content.strip("`~\n\t "):
        return after, _classified(tag, content)
    content = re.sub(r"\n[ \t]*`{1,2}[ \t]*\Z", "", content)  # a stray backtick instead of the closing fence
    segment = _classified(tag, content)
    if readable(content) is None and (segment.kind == "code" or PYTHONISH.search(content)):
        segment = Segment("broken", "the code block is not closed and does not parse: it seems to be cut off")
    return after, segment


def _tag_and_code(info: str) -> tuple[str, str]:
    """The language of a fence, and code that stands on the line of the fence itself."""
    found = _INFO.match(info)
    tag, rest = ((found[1] or "").lower(), found[2].strip()) if found else ("", "")
    if is_python(tag):
        return tag, rest if evidence(rest) and not _ATTRIBUTE.match(rest) else ""
    return ("", info.strip()) if evidence(info.strip()) and not _ATTRIBUTE.match(rest) else (tag, "")


class _End(NamedTuple):
    line: int
    """The block's content ends before this line,"""
    extra: str | None
    """plus this part of it."""
    after: int
    """Where reading goes on."""
    strict: bool
    """A fence that closes by the rules of Markdown."""


def _ends(lines: list[str], start: int, fence: str) -> Iterator[_End]:
    """Where a block may end."""
    for at in range(start, len(lines)):
        stripped = lines[at].strip()
        mark = _MARK.match(stripped)
        if mark and not mark[2] and (mark[1][0] in "`~" or mark[1] == fence):
            yield _End(at, None, at + 1, strict=mark[1].startswith(fence))
        elif stripped.startswith(fence) and fence[0] in "`~":  # opens a block, or closes this one before prose
            yield _End(at, None, at, strict=False)
        elif stripped.endswith(fence):
            yield _End(at, lines[at].rstrip()[: -len(fence)], at + 1, strict=False)


def _content(lines: list[str], start: int, fence: str, head: str, *, python: bool) -> tuple[str, int, bool]:
    """(content, line after the block, whether it was closed); `python`: the content may be Python."""
    first: _End | None = None
    for tried, end in enumerate(_ends(lines, start, fence)):
        if python and tried < LOOKAHEAD and readable(content := _joined(head, lines, start, end)) is not None:
            if end.after == end.line and (prose := _prose_after(lines[end.line])):
                lines[end.line] = prose
            return content, end.after, True
        first = end if first is None and end.strict else first
        if first and (not python or tried >= LOOKAHEAD):
            break
    end = first or _End(len(lines), None, len(lines), strict=False)
    return _joined(head, lines, start, end), end.after, first is not None


def _joined(head: str, lines: list[str], start: int, end: _End) -> str:
    extra = [] if end.extra is None else [end.extra]
    return "\n".join([*([head] if head else []), *lines[start : end.line], *extra])


def _prose_after(line: str) -> str:
    """What follows a closing fence on its line, if it is more than the tag of an opening one."""
    info = line.strip().lstrip("`~")
    found = _INFO.match(info)
    return info if found and found[2].strip() else ""


def _classified(tag: str, content: str) -> Segment:
    if not content.strip():
        return Segment("prose", "")
    if is_python(tag):
        answer = ANSWER.fullmatch(content.strip()) and "\n" not in content.strip()
        return Segment("prose", content) if answer else _code(content)
    if tag in TEXT:
        return Segment("text", content)
    call = called(decoded(content))
    if call:
        return _code(unwrapped(call))
    strength = evidence(readable(content) or content)
    if strength == 2 or (strength and not tag):
        return _code(content)
    if not tag and readable(content) is None and PYTHONISH.search(content):
        return _code(content)
    return Segment("shell" if tag in SHELL else "text", content)


def _code(content: str) -> Segment:
    """What the person did not mean to run is taken off: prompts, indentation, comments alone, a stated answer."""
    lines = content.strip("\n").split("\n")
    if len(lines) > 1 and ANSWER.fullmatch(lines[-1]) and "ANSWER" in lines[-1]:
        lines = lines[:-1]
    source = "\n".join(lines)
    source = readable(source) or textwrap.dedent(source)
    module = tree(source)
    if module is not None and not module.body:
        return Segment("prose", "")
    return Segment("code", source.rstrip())


# ── wrappers: tags and JSON ─────────────────────────────────────────────────────────────────────────────────────────


def _opens_wrapper(line: str) -> re.Match[str] | None:
    found = _WRAP.search(line)
    loose = found and (found[1] or "").lower() in ("code", "python")
    return None if loose and found and line[: found.start()].strip(" \t>*-") else found


def _wrapped(lines: list[str], at: int, opening: re.Match[str]) -> tuple[int, str]:
    """The content up to the closing tag, whole or half, or up to the end; the rest of its line is read again."""
    name = re.split(r"[= ]", opening[1] or "", maxsplit=1)[0]
    closing = re.compile(rf"<\s*[/\\]\s*{re.escape(name)}\b\s*>?|<{re.escape(name)}>\s*$", re.I) if name else None
    content: list[str] = []
    start = opening.end()
    for index in range(at, len(lines)):
        found = closing.search(lines[index], start) if closing and name[0] != "|" else None
        if found:
            content.append(lines[index][start : found.start()])
            lines[index] = lines[index][found.end() :]
            return index, "\n".join(content)
        content.append(lines[index][start:])
        start = 0
    return len(lines), "\n".join(content)


def _tagged(content: str, *, loose: bool, depth: int) -> Iterator[Segment]:
    call = called(decoded(content))
    if call is None and not loose and "{" in content:
        call = called(decoded(content[content.index("{") :]))
    if call:
        yield _code(unwrapped(call))
        return
    inner = [segment for segment in segments(content, depth + 1) if segment.kind != "prose"]
    if inner:
        yield from inner
    elif evidence(readable(content) or content) or PYTHONISH.search(content):
        yield _code(content)
    elif loose:
        yield Segment("prose", content)
    else:
        yield Segment("broken", "the call holds no python: write it in a ```python block")


def called(value: object, depth: int = 0) -> str | None:
    """The code that a decoded tool call asks to run; empty for a call without code; None where it is no call."""
    if depth > 6:
        return None
    if isinstance(value, list):
        calls = [call for item in value[:20] if (call := called(item, depth + 1)) is not None]
        return "\n\n".join(filter(None, calls)) if calls else None
    if not isinstance(value, dict):
        return None
    for key in CODE_KEYS:
        if isinstance(code := value.get(key), str) and (evidence(unwrapped(code)) or PYTHONISH.search(code)):
            return code
    for key in CALL_KEYS:
        inner = value.get(key)
        if found := called(decoded(inner) if isinstance(inner, str) else inner, depth + 1):
            return found
        if isinstance(inner, str) and key != "input" and evidence(inner):
            return inner
    is_call = isinstance(value.get("name") or value.get("function") or value.get("action"), str | dict)
    return "" if is_call and any(key in value for key in CALL_KEYS if key not in ("args", "input")) else None


def decoded(text: str) -> object:
    """The JSON (or Python literal) value that the text starts with; None where there is none."""
    text = text.strip()
    if not text or text[0] not in "{[":
        return None
    for missing in ("", "}", "}}", '"}', '"}}', "]"):
        try:
            value: object = json.JSONDecoder(strict=False).raw_decode(text + missing)[0]
        except (ValueError, RecursionError):
            continue
        return value
    module = tree(text)
    try:
        return ast.literal_eval(module.body[0].value) if module and isinstance(module.body[0], ast.Expr) else None
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None


def unwrapped(code: str) -> str:
    """Code out of a JSON string, which may carry a fence of its own."""
    if "```" in code and (inner := action(tuple(segments(code, depth=4)))):
        return inner
    return textwrap.dedent(code).strip("\n")
