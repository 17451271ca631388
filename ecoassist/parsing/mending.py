"""Source as it was meant: without the marks, entities and numbers that replies leave in and around code. Pure."""

from __future__ import annotations

import html
import re

from ecoassist.programs import readable

_HEAD = re.compile(r"\A[ \t\n]*`{1,2}(?!`)[ \t]*\n?")
_TAIL = re.compile(
    r"(?:`+|\n[ \t]*(?:'{3}|\"{3}|<[/\\]?)|<\s*[/\\]\s*[\w:]+\s*>?|<end_\w*>?|<\|\w*\|?>?|\[/\w+\]?)[ \t]*\Z"
)
_REACH = 60
"""Characters at the end in which a mark is looked for."""
MAX_MENDED = 50_000
"""Characters of source beyond which nothing is tried: no model writes such a program, and each try reads all of it."""
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|#39|#x27);")
_NUMBERED = re.compile(r"[ \t]*(\d{1,4})(?:[ \t]*[|:.)])?(?: (.*)|())\Z", re.S)


def mended(source: str) -> str | None:
    """The source as it parses, in the smallest change that makes it; None: none of them does."""
    found = readable(source)
    if len(source) > MAX_MENDED:
        return found
    for repair in (_unmarked, _unescaped, _unnumbered, _broken_into_lines):
        if found is not None:
            return found
        repaired = repair(source)
        if repaired != source:
            source, found = repaired, readable(repaired)
    return found


def _unmarked(source: str) -> str:
    """Without backticks before it, and the whole or half marks of a fence or a tag after it."""
    lines = source.strip().split("\n")
    if all(len(line) > 1 and line[0] == line[-1] == "`" for line in lines):
        return "\n".join(line.strip("`") for line in lines)
    source = _HEAD.sub("", source).rstrip()
    for _ in range(3):
        tail = _TAIL.search(source, max(0, len(source) - _REACH))
        source = source[: tail.start()].rstrip() if tail else source
    return source


def _unescaped(source: str) -> str:
    return html.unescape(source) if _ENTITY.search(source) else source


def _unnumbered(source: str) -> str:
    """Without the numbers of lines, where every line has its own."""
    lines = source.strip("\n").split("\n")
    found = [_NUMBERED.match(line) for line in lines]
    counted = all(one and int(one[1]) == number for number, one in enumerate(found, 1))
    return "\n".join(one[2] or "" for one in found if one) if counted and len(lines) > 1 else source


def _broken_into_lines(source: str) -> str:
    r"""A single line whose line ends are spelt out as \n."""
    if "\\n" not in source or "\n" in source.strip():
        return source
    return source.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')
