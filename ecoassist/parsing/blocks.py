"""A reply cut into prose and blocks: fences and tags, however bent. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ecoassist.programs import evidence, readable, tree

from .calls import NO_TOOLS, PYTHONISH, call_of, called, decoded, dedented
from .mending import mended
from .tags import MARKDOWN, SHELL, TEXT, is_python, without_tag

LOOKAHEAD = 6
"""Ends of a fence that are tried: bounds the work on a hostile reply."""
MAX_DEPTH = 3
"""Blocks within blocks that are looked into."""
MAX_BLOCKS = 200
"""Blocks of a reply that are looked at; what follows them is prose."""

ANSWER = re.compile(r"[\s>#*_`~-]*(?:\d{1,3}[.)]\s+)?(?:final\s+)?(answer)[*_`\s]*[:：][*_`]*(.*)", re.I | re.S)
_FENCE = re.compile(r"\s*(?:>\s?|[-*+]\s+|\d{1,3}[.)]\s+)?(`{3,}|~{3,}|'{3}|\"{3})(.*)", re.S)
_MARK = re.compile(r"(`{3,}|~{3,}|'{3}|\"{3})(.*)")
_INFO = re.compile(r"\s*\{?\.?([A-Za-z][\w+#.-]*)?(.*)", re.S)
_ATTRIBUTE = re.compile(r"\s*\w+=[\"']")
_SPELT = (
    (re.compile(r"^([ \t]*)(?:\*\*)?(?:´{3}|(?:\\`){3}|`{3}(?=\w*\*\*))(\w*)(?:\*\*)?[ \t]*$", re.M), r"\1```\2"),
    (re.compile(r"^([ \t]*)`{1,2}(python3?|py)[ \t]*$", re.M | re.I), r"\1```\2"),
    (re.compile(r"^[ \t]*\[(/?)PYTHON\][ \t]*$", re.M), r"<\1python>"),
)
"""Other characters for a fence or a tag, and what they mean."""
_WRAP = re.compile(
    r"<(?:\w{1,20}:)?(execute\w*|tool_call|function_call|tool_code|run_python|ipython|arg_value|code_interpreter|python"
    r"|code|tool|input|function=\w+|parameter=\w+|parameter name=\"?\w+\"?|invoke name=\"?\w+\"?"
    r"|\|(?:python_tag|interpreter|tool_call_start)\|)(?:\s[^<>\n]{0,200})?>|\[TOOL_CALLS\]",
    re.I,
)
_LOOSE = frozenset({"code", "python", "tool", "input"})
"""Tags that mean something else in prose: they count only at the start of a line."""
_IMITATION = re.compile(
    r"\W*(?:(?:the|this|expected|sample|example|program|execution|code|console|tool|script)\s+){0,3}"
    r"(?:(?:outputs?|results?|observations?|stdout|ausgabe|ergebnis|sortie|résultat|salida|resultado|输出|结果|出力"
    r"|вывод|результат)\b[^.:：]{0,40}[:：]|out\s?\[\d+\]:|tool_response\b|(?:human|user|system):)"
    r"|\s*#{1,6}\s*(?:output|result|observation)s?\W*$|\s*\[(?:ok|error)\]\s*$|\s*</?data>\s*$",
    re.I,
)
_CLOSING = re.compile(r"(?:<\s*[/\\]\s*[\w:]*\s*>?|<|<end_\w*>?|\[/\w+\]?|`{1,2}|'{3}|\"{3}|>{3})+")
"""A line that closes something: what, is often wrong."""
_WORDS = re.compile(
    r"(?:(?:[-*>]|\d{1,2}[.)]) )?\*{0,2}[A-Z][\w'’-]*[,:]?\*{0,2}(?: \*{0,2}[\w'’-]+[,.;:!?]?\*{0,2}){2,}|#{2,6} "
)
"""Words in a row, or a heading, as only prose has them."""


@dataclass(frozen=True, slots=True)
class Segment:
    kind: Literal["prose", "code", "shell", "text", "broken"]
    body: str


NOTHING = Segment("prose", "")


@dataclass(slots=True)
class _Page:
    """The lines of a text, and what is known of them."""

    lines: list[str]
    depth: int
    """Blocks around it."""
    unclosed: set[str] = field(default_factory=set)
    """Tags of which no closing one follows."""


def segments(text: str, depth: int = 0) -> Iterator[Segment]:
    """The text in order; `depth`: the blocks around it."""
    for pattern, meant in _SPELT:
        text = pattern.sub(meant, text)
    page = _Page(text.split("\n"), depth)
    at = blocks = 0
    while at < len(page.lines):
        line = page.lines[at]
        fence = _FENCE.match(line) if blocks < MAX_BLOCKS else None
        tail = None if fence or blocks >= MAX_BLOCKS else _fence_at_end(line)
        wrap = None if fence or tail or depth > MAX_DEPTH or blocks >= MAX_BLOCKS else _opens_wrapper(line, depth)
        blocks += bool(fence or tail or wrap)
        if tail:
            yield Segment("prose", line[: tail[0]])
            at, segment = _fenced(page, at, tail[1], tail[2])
        elif fence and (fence[1][0] in "`~" or is_python(_tag(fence[2]))):
            at, segment = _fenced(page, at, fence[1], fence[2])
        elif wrap:
            if line[: wrap.start()].strip():
                yield Segment("prose", line[: wrap.start()])
            at, content = _wrapped(page, at, wrap)
            yield from _tagged(content, loose=(wrap[1] or "").lower() in _LOOSE, depth=depth)
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


def unwrapped(code: str) -> str:
    """Code out of a tool call, which may carry a fence of its own."""
    return ("```" in code and action(segments(code, MAX_DEPTH + 1))) or dedented(code)


def unfenced(text: str) -> str:
    """The program that `text` begins with, up to prose."""
    return _content(text.split("\n"), 0, "```", "", python=True)[0]


# ── fences ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tag(info: str) -> str:
    found = _INFO.match(info)
    return (found[1] or "").lower() if found else ""


def _fence_at_end(line: str) -> tuple[int, str, str] | None:
    """A fence that opens at the end of a line of prose, for Python or after a colon: (where, fence, info)."""
    start = line.rfind("```")
    if start < 1 or not (is_python(line[start + 3 :].strip().lower()) or line.rstrip().endswith((": ```", ":```"))):
        return None
    return start, "```", line[start + 3 :]


def _fenced(page: _Page, at: int, fence: str, info: str) -> tuple[int, Segment]:
    """The block that opens on line `at`, and the line after it."""
    if fence[0] == "`" and "`" in info:
        if (doubled := info.lstrip("`")) != info and is_python(_tag(doubled)) and "`" not in doubled:
            info = doubled
        else:
            return _on_one_line(page, at, info)
    tag, head = _tag_and_code(info)
    if tag in MARKDOWN:
        return at + 1, NOTHING  # the whole reply was put into a fence
    content, after, closed = _content(page.lines, at + 1, fence, head, python=tag not in TEXT)
    if closed and not content.strip() and tag not in TEXT:  # opened twice, perhaps
        inner, later, ended = _content(page.lines, after, fence, "", python=True)
        if ended and evidence(inner):
            content, after = inner, later
    segment = _classified(tag, content, page.depth)
    if closed:
        return after, segment
    if not content.strip("`~\n\t "):
        return after, Segment("broken", "the code block is empty") if is_python(tag) else segment
    if mended(content) is None and (segment.kind == "code" or PYTHONISH.search(content)):
        return after, Segment("broken", "the code block is not closed and does not parse: it seems to be cut off")
    return after, segment


def _on_one_line(page: _Page, at: int, info: str) -> tuple[int, Segment]:
    """A fence that closes on its own line, or inline code."""
    inner = info.rstrip()
    if not inner.endswith("```"):
        return at + 1, Segment("prose", page.lines[at])
    tag, head = _tag_and_code(inner.rstrip("`"))
    return at + 1, _classified(tag, head, page.depth)


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
    kind: Literal["strict", "hard", "soft"]
    """strict: a fence that closes by the rules of Markdown. soft: it ends the block only if no such fence does."""


def _ends(lines: list[str], start: int, fence: str) -> Iterator[_End]:
    """Where a block may end."""
    for at in range(start, len(lines)):
        stripped = lines[at].strip()
        mark = _MARK.match(stripped)
        if mark and not mark[2] and (mark[1][0] in "`~" or mark[1] == fence):
            yield _End(at, None, at + 1, "strict" if mark[1].startswith(fence) else "hard")
        elif stripped.startswith(fence) and fence[0] in "`~":  # opens a block, or closes this one before prose
            yield _End(at, None, at, "hard")
        elif stripped.endswith(fence):
            line = lines[at].rstrip()
            yield _End(at, line.rstrip(fence[0]) if fence[0] in "`~" else line[: -len(fence)], at + 1, "hard")
        elif len(stripped) < 40 and _CLOSING.fullmatch(stripped):
            yield _End(at, None, at + 1, "soft")
        elif _WORDS.match(stripped) or ANSWER.match(stripped) or _IMITATION.match(stripped):
            yield _End(at, None, at, "soft")


def _content(lines: list[str], start: int, fence: str, head: str, *, python: bool) -> tuple[str, int, bool]:
    """(content, line after the block, whether it was closed); `python`: the content may be Python."""
    first: _End | None = None
    soft: _End | None = None
    tried = {"strict": 0, "hard": 0, "soft": 0}
    for end in _ends(lines, start, fence):
        tried[end.kind] += 1
        if end.kind == "soft":
            if python and not soft and tried["soft"] <= LOOKAHEAD and _runs(_joined(head, lines, start, end)):
                soft = end
            continue
        hard = tried["strict"] + tried["hard"]
        if python and hard <= LOOKAHEAD and readable(content := _joined(head, lines, start, end)) is not None:
            if end.after == end.line and (prose := _prose_after(lines[end.line])):
                lines[end.line] = prose
            return content, end.after, True
        first = end if first is None and end.kind == "strict" else first
        if soft and end.after == end.line:  # the next block begins, and this one was never closed
            break
        if first and (not python or hard >= LOOKAHEAD):
            break
    end = first or soft or _End(len(lines), None, len(lines), "soft")
    return _joined(head, lines, start, end), end.after, first is not None


def _runs(content: str) -> bool:
    return evidence(readable(content) or "") > 0


def _joined(head: str, lines: list[str], start: int, end: _End) -> str:
    extra = [] if end.extra is None else [end.extra]
    return "\n".join([*([head] if head else []), *lines[start : end.line], *extra])


def _prose_after(line: str) -> str:
    """What follows a closing fence on its line, if it is more than the tag of an opening one."""
    info = line.strip().lstrip("`~")
    found = _INFO.match(info)
    return info if found and found[2].strip() else ""


def _classified(tag: str, content: str, depth: int) -> Segment:
    content = without_tag(content)
    if not content.strip():
        return NOTHING
    if tag in TEXT:
        return Segment("text", content)
    meant = mended(content)
    if meant is None and depth <= MAX_DEPTH and (inner := action(_within(content, depth))):
        return Segment("code", inner)
    strength = evidence(meant or content)
    call = None if strength else call_of(content)
    if call:
        return _code(unwrapped(call))
    if is_python(tag):
        answer = ANSWER.fullmatch(content.strip()) and "\n" not in content.strip()
        return Segment("prose", content) if answer else _code(content)
    if call == "":
        return Segment("broken", NO_TOOLS)
    if strength == 2 or (strength and not tag):
        return _code(content)
    if not tag and meant is None and PYTHONISH.search(content):
        return _code(content)
    return Segment("shell" if tag in SHELL else "text", content)


def _within(content: str, depth: int) -> Iterator[Segment]:
    """What stands in blocks of its own within a block that is no code."""
    return segments(content, depth + 1) if _FENCE.search(content) or _WRAP.search(content) else iter(())


def _code(content: str) -> Segment:
    """What the person did not mean to run is taken off: prompts, indentation, comments alone, a stated answer."""
    lines = content.strip("\n").split("\n")
    if len(lines) > 1 and ANSWER.fullmatch(lines[-1]) and "ANSWER" in lines[-1]:
        lines = lines[:-1]
    source = "\n".join(lines)
    source = mended(source) or textwrap.dedent(source)
    module = tree(source)
    if module is not None and not module.body:
        return NOTHING
    return Segment("code", source.strip("\n").rstrip())


# ── tags ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _opens_wrapper(line: str, depth: int) -> re.Match[str] | None:
    found = _WRAP.search(line)
    name = (found[1] or "").lower() if found else ""
    if not found or name not in _LOOSE:
        return found
    before = line[: found.start()].strip(" \t>*-").removesuffix("<pre")
    return None if before or (name == "input" and not depth) else found


def _wrapped(page: _Page, at: int, opening: re.Match[str]) -> tuple[int, str]:
    """The content up to the closing tag, whole or half; the rest of its line is read again.

    Where none closes it, it lasts as long as a fence that none closes.
    """
    found = _closing(page, at, opening)
    head = page.lines[at][opening.end() :]
    if not found:
        content, after, _ = _content(page.lines, at + 1, "```", head, python=True)
        return after, content
    last, closing = found
    line = page.lines[last]
    page.lines[last] = line[closing.end() :]
    if last == at:
        return last, line[opening.end() : closing.start()]
    return last, "\n".join([head, *page.lines[at + 1 : last], line[: closing.start()]])


def _closing(page: _Page, at: int, opening: re.Match[str]) -> tuple[int, re.Match[str]] | None:
    """The line and the place of the tag that closes the one on line `at`."""
    name = re.split(r"[= ]", (opening[1] or "").lower(), maxsplit=1)[0]
    name = "execute" if name.startswith("execute") else name
    if not name or name[0] == "|" or name in page.unclosed:
        return None
    closing = re.compile(rf"<\s*[/\\]\s*(?:\w{{1,20}}:)?{name}\w*\b\s*>?|<{name}>\s*$", re.I)
    start = opening.end()
    for index in range(at, len(page.lines)):
        if found := closing.search(page.lines[index], start):
            return index, found
        start = 0
    page.unclosed.add(name)
    return None


def _tagged(content: str, *, loose: bool, depth: int) -> Iterator[Segment]:
    call = call_of(content)
    if call is None and not loose and "{" in content:
        call = called(decoded(content[content.index("{") :]))
    if call:
        yield _code(unwrapped(call))
        return
    inner = [segment for segment in segments(content, depth + 1) if segment.kind != "prose"]
    if inner:
        yield from inner
    elif evidence(mended(content) or content) or PYTHONISH.search(content):
        yield _code(content)
    elif loose:
        yield Segment("prose", content)
    else:
        yield Segment("broken", "the call holds no python: write it in a ```python block")
