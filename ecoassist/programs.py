"""Python source as data: what an attempt's program is, and what of it may be stored. Pure."""

from __future__ import annotations

import ast
import re
import textwrap
import threading
import warnings
from typing import Literal

_MAGIC = re.compile(r"^([ \t]*)[!%].*$", re.M)
_PROMPTED = re.compile(r"(?:>>>|\.\.\.)(?: |$)|In \[\d+\]: ")
_TYPOGRAPHY = str.maketrans({"\u00a0": " ", "\u200b": None, "\ufeff": None, "“": '"', "”": '"', "‘": "'", "’": "'"})
_quiet = threading.Lock()  # catch_warnings replaces the process's filters: two threads must not interleave


def tree(source: str) -> ast.Module | None:
    """The syntax tree; None where the source does not parse. IPython's `!` and `%` lines read as `pass`."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are the kernel's to report
        for text in dict.fromkeys((source, _MAGIC.sub(r"\1pass", source))):
            try:
                return ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
    return None


def readable(source: str) -> str | None:
    """The source as it parses: as it stands, or without indentation, prompts, quote marks or typographic characters."""
    variants = [source, textwrap.dedent(source)]
    lines = source.strip("\n").split("\n")
    if _PROMPTED.match(lines[0].lstrip()):
        kept = [line.lstrip() for line in lines if _PROMPTED.match(line.lstrip())]
        variants = ["\n".join(line[found.end() :] for line in kept if (found := _PROMPTED.match(line)))]
    elif all(line.startswith(">") for line in lines):
        variants.append("\n".join(line[1:].removeprefix(" ") for line in lines))
    variants.append(variants[-1].translate(_TYPOGRAPHY))
    return next((one for one in dict.fromkeys(variants) if tree(one) is not None), None)


def evidence(source: str) -> Literal[0, 1, 2]:
    """0: no Python, or words and values that happen to parse; 1: it acts; 2: unmistakably Python."""
    module = tree(source)
    strengths = [_strength(statement) for statement in module.body] if module else []
    return max(strengths, default=0)


def _strength(statement: ast.stmt) -> Literal[0, 1, 2]:
    match statement:
        case ast.AnnAssign() | ast.Pass():
            return 0  # "Total: 5" parses as an annotation
        case ast.Expr(ast.Call(ast.Name(name))):
            return 2 if name == "print" else 1 if name[0].islower() or "_" in name else 0  # "Paris (France)" is no call
        case ast.Expr(ast.Call(ast.Attribute())) | ast.Expr(ast.Await()):
            return 1
        case ast.Expr():
            return 0
        case ast.Assign(value=value):
            return 2 if any(isinstance(node, ast.Call) for node in ast.walk(value)) else 1
        case ast.AugAssign() | ast.Delete() | ast.Assert():
            return 1
    return 2
