"""Paths that change something when they are read. Pure.

A server may see one path in many spellings; a pattern that misses one of them lets a re-run act, one that matches too
much only costs a refusal. So every spelling is looked at that servers are known to take for the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote


def acts(target: str, patterns: Sequence[str]) -> bool:
    """Whether the path, or path and query, of `target` fits one of `patterns`, in which "*" stands for anything."""
    tests = [re.compile(".*".join(map(re.escape, pattern.casefold().split("*"))), re.DOTALL) for pattern in patterns]
    return any(test.fullmatch(spelling) for spelling in _spellings(target) for test in tests)


def _spellings(target: str) -> Iterator[str]:
    path, mark, query = target.partition("?")
    seen = dict.fromkeys((path, unquote(path), unquote(unquote(path))))
    for text in seen:
        for one in dict.fromkeys((text, tidy := _tidy(text), tidy + "/")):
            yield one.casefold()
            if mark:
                yield f"{one}?{query}".casefold()
                yield f"{one}?{unquote(query)}".casefold()


def _tidy(path: str) -> str:
    """Without parameters of segments, empty segments, "." and "..", and without a slash at its end."""
    kept: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name)
    return "/" + "/".join(kept)
