"""Whether a program holds what stands in an attached file: then it is the person's own, and is not stored. Pure."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Sequence

from ecoassist import programs
from ecoassist.types import Attachment

from .attached import columns

LONGEST = 4 << 20
"""Bytes of a file that are looked at."""
SHORTEST, SENTENCE = 4, 12
"""Characters of a field of a table, and of a piece of other text, from which they are somebody's."""
SEARCHED = 2_000
"""Characters of a line in whose words a field is looked for."""
PLACES = 50
"""Of a text in a file that are looked at."""
MOST_NUMBERS = 3
"""Numbers of a file that a program may hold by chance."""
WORDS = 4
"""That a field may have which stands amid other words."""
DIGITS = 3
"""That a number has at least which is somebody's."""
_WORDY = re.compile(r"[\s\d@]")


def pasted(program: str, files: Sequence[Attachment], known: Sequence[str]) -> bool:
    """Whether `program` holds content of `files`: texts, comments or numbers that stand nowhere in what was `known`.

    Names of columns are not content. What is short may stand in both by chance.
    """
    module = programs.tree(program)
    texts = {text.casefold() for text in _texts(program, module)}
    numbers = set(_numbers(module))
    said = "\n".join([*known, *(file.name for file in files)]).casefold()
    return any(_holds(file, texts, numbers, said) for file in files)


def _holds(file: Attachment, texts: Collection[str], numbers: set[str], said: str) -> bool:
    content = file.content[:LONGEST].decode("utf-8", "replace").casefold()
    heads = {name.casefold() for name in columns(file)}
    foreign = [text for text in texts if text not in said and text not in heads]
    if any(text in content and _is_content(text, content) for text in foreign):
        return True
    found = [number for number in numbers if number not in said and _token(number, content)]
    return len(found) > MOST_NUMBERS


def _is_content(text: str, content: str) -> bool:
    """Whether it is a field of its own, or so long that it is no chance."""
    if len(text) >= SENTENCE and _WORDY.search(text) and _token(text, content):
        return True
    return any(_is_field(content, at, at + len(text)) for at in _places(text, content))


def _places(text: str, content: str) -> Iterator[int]:
    """The first places of `text`."""
    at = content.find(text)
    for _ in range(PLACES):
        if at < 0:
            return
        yield at
        at = content.find(text, at + 1)


def _is_field(content: str, start: int, end: int) -> bool:
    """Whether nothing stands there but what separates fields, and quotes."""
    before, after = content[max(0, start - 8) : start].rstrip(" \"'"), content[end : end + 8].lstrip(" \"'")
    begins = start == 0 or before[-1:] in tuple("\n,;\t|:[{")
    return begins and (end == len(content) or after[:1] in tuple("\r\n,;\t|]}"))


def _token(text: str, content: str) -> bool:
    return text in content and re.search(rf"(?<![\w.]){re.escape(text)}(?![\w]|\.\d)", content) is not None


def _texts(program: str, module: ast.Module | None) -> Iterator[str]:
    """Lines of the program's literals and comments; of one that does not parse, all that may be one."""
    if module is None:
        for part in [program, *re.split(r"[\"']", program)]:
            yield from _lines(part)
        return
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            yield from _lines(node.value if isinstance(node.value, str) else node.value.decode("utf-8", "replace"))
    yield from _comments(program)


def _comments(program: str) -> Iterator[str]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(program).readline):
            if token.type == tokenize.COMMENT:
                yield from _lines(token.string.lstrip("#"))
    except (tokenize.TokenError, SyntaxError):  # magic lines are no Python
        yield from _lines("\n".join(re.findall(r"#(.*)", program)))


def _lines(text: str) -> Iterator[str]:
    """Its lines, the fields of those that are rows of a table, and some words in a row: a name in a sentence."""
    for line in text.splitlines():
        parts = [line, *re.split(r"[,;\t|]", line), *_phrases(line)]
        yield from (part.strip(" \t'\"") for part in parts if len(part.strip(" \t'\"")) >= SHORTEST)


def _phrases(line: str) -> Iterator[str]:
    words = [word.strip(".,;:!?()[]{}\"'") for word in line[:SEARCHED].split()]
    for size in range(2, WORDS + 1):
        yield from (" ".join(words[at : at + size]) for at in range(len(words) - size + 1))


def _numbers(module: ast.Module | None) -> Iterator[str]:
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            text = repr(node.value)
            if sum(character.isdigit() for character in text) >= DIGITS:
                yield text
