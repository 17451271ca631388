"""What a statement does: which names it reads, binds and changes, and whether it reaches out of the variables. Pure."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ecoassist import programs

from .acts import Acts, acts_of, arguments, leaves_alone, root
from .known import APART, KIND, OPAQUE, PLAIN
from .scopes import binds, locals_of, reads


class Whole(ValueError):
    """Of these cells nothing can be left out."""


@dataclass(frozen=True, slots=True)
class Statement:
    source: str
    reads: frozenset[str]
    binds: frozenset[str]
    kills: frozenset[str]
    """Those of `binds` that hold nothing of what they held before."""
    plain: frozenset[str]
    """Those of `binds` that become numbers or texts."""
    acts: Acts
    links: tuple[frozenset[str], ...]
    """Names that may be the same object afterwards, or one within the other."""
    defines: str = ""
    """The function that it defines."""
    inner: Acts | None = None
    """What a call of that does."""


def imported(cells: Sequence[str]) -> dict[str, str]:
    """Names that the cells import, and the module that each is, or is from."""
    names: dict[str, str] = {}
    for cell in cells:
        for node in ast.walk(programs.tree(cell) or ast.Module([], [])):
            if isinstance(node, ast.Import):
                names |= {one.asname or one.name.partition(".")[0]: one.name.partition(".")[0] for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                names |= {one.asname or one.name: (node.module or "").partition(".")[0] for one in node.names}
    return names


def statements(cell: str, modules: Mapping[str, str]) -> list[Statement]:
    """Those of a cell, in order; `modules`: see `imported`. Raises Whole where they cannot be told apart."""
    module = programs.tree(cell)
    if module is None or re.search(r"[\r\f]", cell):  # lines are counted in other ways there
        raise Whole
    if programs.tree(cell, magic=False) is None:  # magic lines may do anything
        return [_unit(cell, module.body, modules, lasting=True)]
    return [_unit(source, [node], modules) for node, source in _pieces(cell, module.body)]


def _pieces(cell: str, body: Sequence[ast.stmt]) -> Iterator[tuple[ast.stmt, str]]:
    """Each statement with its lines, decorators included; of those that share a line, its own part."""
    lines = cell.split("\n")
    spans = [(min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]), node) for node in body]
    used = Counter(line for first, node in spans for line in range(first, (node.end_lineno or first) + 1))
    for first, node in spans:
        last = node.end_lineno or first
        shared = used[first] > 1 or used[last] > 1
        text = ast.get_source_segment(cell, node) if shared else "\n".join(lines[first - 1 : last])
        if text is None or (shared and first != node.lineno):
            raise Whole
        yield node, text


def _unit(source: str, body: Sequence[ast.stmt], modules: Mapping[str, str], *, lasting: bool = False) -> Statement:
    nodes = [node for statement in body for node in _now(statement)]
    everything = [node for statement in body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id in OPAQUE for node in everything):
        raise Whole
    first = body[0] if len(body) == 1 else None
    bound = frozenset(name for statement in body for name in binds(statement))
    read = frozenset(reads(body))
    acts = acts_of(nodes, modules)
    function = first if isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef) else None
    inner = _inner(function, modules) if function else None
    hidden = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node is not first for node in nodes)
    if _outer(everything, modules) if isinstance(first, ast.ClassDef) else hidden and not lasting:
        raise Whole
    fresh = isinstance(first, ast.Assign | ast.AnnAssign | ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)
    declared = {name for node in everything if isinstance(node, ast.Global) for name in node.names}
    return Statement(
        source,
        read,
        bound | declared,
        bound - read if fresh and _binding(first) else frozenset(),
        frozenset(_plain(first)),
        replace(acts, lasting=acts.lasting or lasting),
        (*_links(nodes, modules), *([_apart({function.name} | read, modules)] if function else [])),
        function.name if function else "",
        inner,
    )


def _binding(statement: ast.stmt | None) -> bool:
    """Whether it does bind its names: an annotation alone does not."""
    return not isinstance(statement, ast.AnnAssign) or statement.value is not None


def _now(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that run with a statement: without the bodies of functions that it defines."""
    yield node
    deferred = node.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else []
    for child in ast.iter_child_nodes(node):
        if child not in deferred:
            yield from _now(child)


def _inner(function: ast.FunctionDef | ast.AsyncFunctionDef, modules: Mapping[str, str]) -> Acts:
    """What calling it does to names outside. What it does to its arguments, whoever calls it reckons with."""
    nodes = [node for statement in function.body for node in ast.walk(statement)]
    own, acts = locals_of(function), acts_of(nodes, modules)
    changed = set(acts.changes) | {name for statement in function.body for name in binds(statement)} - own
    groups = _links(nodes, modules)
    while more := {name for group in groups if group & changed for name in group} - changed:
        changed |= more
    defaults = [*function.args.defaults, *(one for one in function.args.kw_defaults if one)]
    kept = {function.name} if not all(map(_is_plain, defaults)) else set()  # a list as a default outlives the call
    return replace(acts, changes=frozenset(changed - own | kept))


def _outer(nodes: Sequence[ast.AST], modules: Mapping[str, str]) -> bool:
    """Whether methods of a class do more than to change their own objects."""
    return acts_of(nodes, modules).lasting or any(isinstance(node, ast.Global | ast.Nonlocal) for node in nodes)


def _plain(statement: ast.stmt | None) -> set[str]:
    """Names that become numbers or texts."""
    match statement:
        case ast.Assign(targets, value) if _is_plain(value):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.AnnAssign(ast.Name(name), value=ast.expr() as value) if _is_plain(value):
            return {name}
    return set()


def _is_plain(value: ast.expr) -> bool:
    match value:
        case ast.Constant() | ast.JoinedStr() | ast.Compare():
            return True
        case ast.BinOp(left, _, right):
            return _is_plain(left) and _is_plain(right)
        case ast.UnaryOp(operand=operand):
            return _is_plain(operand)
        case ast.Call(ast.Name(name)):
            return name in PLAIN
    return False


def _links(nodes: Sequence[ast.AST], modules: Mapping[str, str]) -> list[frozenset[str]]:
    groups: list[set[str]] = []
    for node in nodes:
        match node:
            case ast.Assign(targets, value) if not _is_plain(value):
                groups.append(set().union(*map(_all, targets), _all(value)))
            case ast.AnnAssign(target, value=ast.expr() as value) if not _is_plain(value):
                groups.append(_all(target) | _all(value))
            case ast.AugAssign(target, value=value) | ast.NamedExpr(target, value):
                groups.append(_all(target) | _all(value))
            case ast.For(target, values) | ast.AsyncFor(target, values) | ast.comprehension(target, values):
                groups.append(_all(target) | _all(values))
            case ast.withitem(value, ast.expr() as target):
                groups.append(_all(target) | _all(value))
            case ast.Call() if not leaves_alone(node, modules):  # x.append(y): y is within x from then on
                groups.append({root(node.func)} | arguments(node))
    return [_apart(group, modules) for group in groups]


def _apart(names: set[str] | frozenset[str], modules: Mapping[str, str]) -> frozenset[str]:
    """Without what has nothing in common with other names: built in, or of a module that keeps nothing."""
    return frozenset(name for name in names if name and name not in KIND and modules.get(name) not in APART)


def _all(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
