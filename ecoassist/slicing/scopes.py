"""Which names a piece of code reads from outside, and which it binds. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def reads(body: Sequence[ast.stmt]) -> set[str]:
    """Names that a block may read before it has bound them itself."""
    return _block(body, set())[0]


def binds(node: ast.AST) -> set[str]:
    """Names that a statement may bind in the scope that it stands in."""
    return set(_bound(node))


def parameters(scope: Scope) -> set[str]:
    arguments = scope.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {one.arg for one in every if one}


def locals_of(scope: Scope) -> set[str]:
    """Parameters, and what the body binds without calling it global."""
    if isinstance(scope, ast.Lambda):
        return parameters(scope)
    bound = {name for statement in scope.body for name in _bound(statement)}
    outer = {name for node in ast.walk(scope) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    return (bound | parameters(scope)) - outer


def _block(body: Sequence[ast.stmt], known: set[str]) -> tuple[set[str], set[str]]:
    """Names read from outside, and those that are bound for certain at the end."""
    free: set[str] = set()
    for statement in body:
        found, known = _statement(statement, known)
        free |= found
    return free, known


def _statement(statement: ast.stmt, known: set[str]) -> tuple[set[str], set[str]]:
    match statement:
        case ast.If(test, body, orelse):
            one, then = _block(body, known)
            other, otherwise = _block(orelse, known)
            return _names(test, known) | one | other, then & otherwise
        case ast.For(target, values, body, orelse) | ast.AsyncFor(target, values, body, orelse):
            inside, _ = _block(body, known | binds(target))
            after, _ = _block(orelse, known)
            return _names(values, known) | _names(target, known) | inside | after, known
        case ast.While(test, body, orelse):
            inside, _ = _block(body, known)
            after, _ = _block(orelse, known)
            return _names(test, known) | inside | after, known
        case ast.With(items, body) | ast.AsyncWith(items, body):
            head: set[str] = set()
            for item in items:
                head |= _names(item, known)
                known = known | binds(item)
            inside, known = _block(body, known)
            return head | inside, known
        case ast.Try(body, handlers, orelse, final) | ast.TryStar(body, handlers, orelse, final):
            tried, then = _block(body, known)
            after, _ = _block(orelse, then)
            ends, last = _block(final, known)
            for handler in handlers:
                tried |= _names(handler.type, known) if handler.type else set()
                tried |= _block(handler.body, known | ({handler.name} if handler.name else set()))[0]
            return tried | after | ends, last
        case ast.AugAssign(ast.Name(name)):
            return _names(statement, known) | ({name} - known), known | {name}
    return _names(statement, known), known | (binds(statement) if not isinstance(statement, ast.Match) else set())


def _names(node: ast.AST, known: set[str]) -> set[str]:
    return {name for name in _read(node) if name not in known}


def _read(node: ast.AST) -> Iterator[str]:
    """Names that are read, less those of inner scopes."""
    match node:
        case ast.Name(name, ast.Load() | ast.Del()):
            yield name
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            own = locals_of(node)
            parts: list[ast.AST] = [*node.body] if isinstance(node.body, list) else [node.body]
            yield from (name for part in parts for name in _read(part) if name not in own)
            yield from _read(node.args)
            if not isinstance(node, ast.Lambda):
                yield from (name for one in node.decorator_list for name in _read(one))
                yield from _read(node.returns) if node.returns else ()
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            own = {name for one in node.generators for name in binds(one.target)}
            yield from _read(node.generators[0].iter)
            yield from (name for child in ast.iter_child_nodes(node) for name in _read(child) if name not in own)
        case ast.ClassDef():
            own = {name for statement in node.body for name in _bound(statement)}
            yield from (name for part in node.body for name in _read(part) if name not in own)
            for part in (*node.bases, *node.keywords, *node.decorator_list):
                yield from _read(part)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _read(child)


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(name, ast.Store() | ast.Del()):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names) | ast.ImportFrom(names=names):
            yield from ((alias.asname or alias.name.partition(".")[0]) for alias in names)
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from (one.target.id for one in ast.walk(node) if isinstance(one, ast.NamedExpr))
        case ast.Lambda():
            pass
        case _:
            if isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
                yield node.name
            if isinstance(node, ast.MatchMapping) and node.rest:
                yield node.rest
            for child in ast.iter_child_nodes(node):
                yield from _bound(child)
