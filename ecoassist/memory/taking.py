"""Whether a program of somebody else can be tried without any key, and what its run without one says. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ecoassist import programs
from ecoassist.entries import Proof, Solution
from ecoassist.types import Access

KEYLESS = (401, 403)
"""How an API answers who shows no key."""


def need(solution: Solution, closed: Sequence[str]) -> str:
    """What its program would lack: a key, a file, or one of its hosts, of which `closed` are; empty: nothing."""
    if names := tuple(dict.fromkeys(_variables(programs.tree(solution.program)))):
        return f"it asks for {', '.join(names)}"
    if solution.files:
        return f"it reads {', '.join(file.name for file in solution.files)}"
    return f"{', '.join(closed)} is closed: enable its API first" if closed else ""


def waits(proof: Proof, accesses: Sequence[Access]) -> str:
    """Why its run without a key says nothing of it; empty where it does."""
    if proof.green is None:
        return proof.why or "interrupted"
    asked = dict.fromkeys(access.host for access in accesses if access.status in KEYLESS)
    return f"{', '.join(asked)} wants a key" if asked and not proof.green else ""


def _variables(module: ast.Module | None) -> Iterator[str]:
    """Names of the environment variables that it reads."""
    for node in ast.walk(module) if module else ():
        match node:
            case ast.Subscript(value=source, slice=ast.Constant(str(name))) if _called(source) == "environ":
                yield name
            case ast.Call(func=ast.Attribute(value=source, attr="get"), args=[ast.Constant(str(name)), *_]) if (
                _called(source) == "environ"
            ):
                yield name
            case ast.Call(func=source, args=[ast.Constant(str(name)), *_]) if _called(source) == "getenv":
                yield name


def _called(node: ast.expr) -> str:
    """The last name of `os.environ`, `environ` and the like."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
