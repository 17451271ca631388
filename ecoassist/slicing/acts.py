"""What code does beside binding names. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .known import KIND, KIND_METHODS, KIND_MODULES, LOOKING, OUTSIDE, SHOWING, WRITING


@dataclass(frozen=True, slots=True)
class Acts:
    """What happens beside the binding of names."""

    changes: frozenset[str]
    """Names whose objects may change."""
    calls: frozenset[str]
    """Names that are called."""
    uses: frozenset[str]
    """Names that are read: functions among them may be called by whom they are given to."""
    lasting: bool
    """Something that names do not tell: files, processes, settings."""
    shows: bool


def acts_of(nodes: Sequence[ast.AST], modules: Mapping[str, str]) -> Acts:
    """What the nodes do, each taken for itself; `modules`: names that are imported, and from where."""
    changes: set[str] = set()
    calls = {
        node.func.id
        for node in nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not _is_kind(node.func.id, modules)
    }
    uses = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    for node in nodes:
        if isinstance(node, ast.Call):
            changes |= _changed(node, modules)
        elif isinstance(node, ast.Expr) and modules.get(root(node.value), "json") not in KIND_MODULES:
            changes.add(root(node.value))  # what comes of it is thrown away: it is a setting of the module
        elif isinstance(node, ast.AugAssign):
            changes.add(root(node.target))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Del):
            changes.add(node.id)
        elif _alters(node):
            changes.add(root(node))
    shows = any(isinstance(node, ast.Call) and root(node.func) in SHOWING for node in nodes)
    lasting = any(_lasts(node, modules) for node in nodes)
    return Acts(frozenset(changes - {""}), frozenset(calls), frozenset(uses), lasting, shows)


def leaves_alone(call: ast.Call, modules: Mapping[str, str]) -> bool:
    """Whether a call is known to change nothing that it is given."""
    return not _changed(call, modules)


def _is_kind(name: str, modules: Mapping[str, str]) -> bool:
    return name in KIND or name == "open" or modules.get(name) in KIND_MODULES


def _changed(call: ast.Call, modules: Mapping[str, str]) -> set[str]:
    """What a call may change, beside what the function that is called changes outside of it."""
    match call.func:
        case ast.Name(name):
            return set() if _is_kind(name, modules) else arguments(call)
        case ast.Attribute(attr=method) if (first := root(call.func)) not in modules:
            in_place = any(keyword.arg == "inplace" for keyword in call.keywords)
            return set() if method in KIND_METHODS and not in_place else {first} | arguments(call)
    return set() if modules.get(root(call.func)) in KIND_MODULES else {root(call.func)} - set(modules) | arguments(call)


def _alters(node: ast.AST) -> bool:
    """Whether a part of an object is assigned or deleted."""
    return isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)


def _lasts(node: ast.AST, modules: Mapping[str, str]) -> bool:
    """Whether it reaches out of the variables."""
    match node:
        case ast.Call(ast.Name("open")):
            return _writes(node)
        case ast.Call(ast.Name(name)):
            return modules.get(name) in OUTSIDE or name in WRITING
        case ast.Call(ast.Attribute(attr=method) as function):
            outside = modules.get(root(function)) in OUTSIDE and LOOKING.match(ast.unparse(function)) is None
            return outside or method in WRITING
        case ast.Expr(ast.Call(ast.Name(name))):
            return name in modules and modules[name] not in KIND_MODULES
    return _alters(node) and root(node) in modules


def root(node: ast.AST) -> str:
    """The name that an expression begins with; empty where it begins with none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred | ast.Await | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def arguments(call: ast.Call) -> set[str]:
    """Names that stand in the arguments of a call."""
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    return {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}


def _writes(call: ast.Call) -> bool:
    """Whether a call of `open` may make or change a file."""
    modes = [*call.args[1:2], *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(not isinstance(mode, ast.Constant) or set("wax+") & set(str(mode.value)) for mode in modes)
