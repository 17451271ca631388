"""The files of a question in place of those that a stored program was written for. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from ecoassist import programs
from ecoassist.entries import FileShape
from ecoassist.types import Attachment

from .attached import fits

LONGEST = 300
"""Characters of a text that may be the name of a file."""


def fitted(program: str, shapes: Sequence[FileShape], files: Sequence[Attachment]) -> str | None:
    """The program for `files`, which it reads under their own names. None: they are not such files.

    Each file has to be one that the program reads, told by its columns, and each that it reads has to be there once: a
    question about another file is another question.
    """
    if not shapes and not files:
        return program
    pairs = [(shape, [file for file in files if shape.columns and fits(shape, file)]) for shape in shapes]
    if len(shapes) != len(files) or any(len(found) != 1 for _, found in pairs):
        return None
    names = {_pattern(shape.name): found[0].name for shape, found in pairs}
    return _renamed(program, names) if len(names) == len(set(names.values())) == len(shapes) else None


def unnamed(program: str, shapes: Sequence[FileShape]) -> str:
    """The program without the names of the files it reads: what stands in them is no knowledge of its own."""
    return _renamed(program, {_pattern(shape.name): "file" for shape in shapes}) or program if shapes else program


def _pattern(name: str) -> re.Pattern[str]:
    """Of a text that names such a file, with or without a folder before it."""
    return re.compile(r"(.*/)?" + r"\d+".join(map(re.escape, re.split(r"\*+", name))), re.DOTALL)


def _renamed(program: str, names: dict[re.Pattern[str], str]) -> str | None:
    """`program` with other names of files; None where it could not be read. As it is where nothing changes."""
    module = programs.tree(program, magic=False)
    if module is None:
        return None
    renaming = _Renaming(names)
    try:
        changed = renaming.visit(module)
        return ast.unparse(changed) if renaming.changed else program
    except RecursionError:
        return None


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: dict[re.Pattern[str], str]) -> None:
        self.names, self.changed = names, False

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        for pattern, name in self.names.items():
            text = node.value if isinstance(node.value, str) and len(node.value) <= LONGEST else ""
            found = pattern.fullmatch(text) if text else None
            if found and text != (whole := (found[1] or "") + name):
                self.changed = True
                return ast.copy_location(ast.Constant(whole), node)
        return node
