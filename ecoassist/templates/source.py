"""The literals of a program, each with what stands around it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from ecoassist import programs
from ecoassist.values.dates import days
from ecoassist.values.kinds import Day

from .flow import Flow, called
from .words import folded

MAX_PROGRAM = 50_000
"""Characters of a program that is taken apart."""
MAX_CONSTANTS = 2_000
_DATES = frozenset(("date", "datetime", "Timestamp", "DateTime"))
_QUERY = re.compile(r"(?:^|[?&;])([\w.\[\]-]+)=([^?&=#\s]*)$")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """A constant of the program: a number, a string, or the text between the braces of an f-string."""

    node: ast.Constant
    holder: ast.expr
    """What is written anew when it changes: the whole f-string, else the constant."""
    before: str
    """Of an f-string, the text before it; a NUL for each expression."""
    key: str
    """What the program calls it: the keyword, the key of a dict, the parameter or the variable."""
    field: bool
    """It is the name of something in data: a key or what is looked up."""
    maps: bool
    """It is a key in a table of the program's own."""
    works: bool
    """It is used for more than being printed."""
    whole: bool
    """It is a literal of its own, no part of an f-string."""

    @property
    def text(self) -> str:
        return self.node.value if isinstance(self.node.value, str) else ""

    def parameter(self, at: int) -> tuple[str, str] | None:
        """Of a URL: the name whose value place `at` belongs to, and what stands between. None: no such place."""
        found = _QUERY.search(self.before + self.text[:at])
        return (found[1], found[2]) if found else None

    def address(self, at: int) -> bool:
        """Whether place `at` belongs to a URL, or to a path that begins the text."""
        *others, run = re.split(r"\s", self.before + self.text[:at])
        return "://" in run or (not others and re.match("\0?/", run) is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A day in the program: in a text, or as the arguments of a call."""

    day: Day
    site: Site | None = None
    start: int = 0
    end: int = 0
    call: ast.Call | None = None
    holder: ast.expr | None = None
    """Of a call, what is written anew when it changes."""


@dataclass(eq=False)
class Source:
    tree: ast.Module
    flow: Flow
    sites: tuple[Site, ...]
    fixed: str = field(default="")
    """What of its constants cannot be replaced, as one text: patterns of `match`, and bytes."""

    @cached_property
    def text(self) -> str:
        return ast.unparse(self.tree)

    @cached_property
    def folded(self) -> tuple[tuple[Site, str], ...]:
        """The texts in it, without case and accents."""
        return tuple((site, folded(site.text)) for site in self.sites if site.text)

    @cached_property
    def days(self) -> tuple[Written, ...]:
        """All days and months of a year that it names."""
        found = [
            Written(day, site, start, end)
            for site in self.sites
            if site.text and _DIGITS.search(site.text)
            for start, end, day in days(site.text, None)
        ]
        return (*found, *_called(self.tree, self.flow))

    @cached_property
    def reckoned(self) -> frozenset[ast.Constant]:
        """The numbers that make a day."""
        return frozenset(part for written in self.days if written.call for part in figures(written.call))


def source(program: str) -> Source | None:
    """None: it does not parse, or is too much to be taken apart. Raises RecursionError where it is too deep."""
    if len(program) > MAX_PROGRAM or (tree := programs.tree(program)) is None:
        return None
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if len(constants) > MAX_CONSTANTS or any(map(_huge, constants)):
        return None
    flow = Flow(tree)
    return Source(tree, flow, tuple(_sites(tree, flow)), " ".join(_patterns(tree)))


def _huge(value: object) -> bool:
    """Whether a number has more digits than Python writes."""
    return isinstance(value, int) and value.bit_length() > 1_000


def _sites(tree: ast.Module, flow: Flow) -> Iterator[Site]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or isinstance(node.value, bool | bytes | complex | None | type(...)):
            continue
        parent = flow.parents.get(node)
        if isinstance(parent, ast.Expr | ast.pattern):
            continue
        holder = outermost(node, flow)
        if holder is None:
            continue
        maps = _maps(node, parent, flow.parents.get(parent) if parent else None)
        part = isinstance(parent, ast.JoinedStr)
        before = _before(node, parent) if isinstance(parent, ast.JoinedStr) else ""
        yield Site(node, holder, before, _key(node, flow), _field(node, parent), maps, flow.works(node), not part)


def outermost(node: ast.expr, flow: Flow) -> ast.expr | None:
    """The outermost f-string around it, or itself. None: it is the format of a value."""
    holder: ast.expr = node
    current: ast.AST = node
    while parent := flow.parents.get(current):
        if isinstance(parent, ast.FormattedValue) and current is parent.format_spec:
            return None
        if isinstance(parent, ast.JoinedStr):
            holder = parent
        if isinstance(parent, ast.stmt):
            break
        current = parent
    return holder


def _before(node: ast.Constant, string: ast.JoinedStr) -> str:
    told = ""
    for part in string.values:
        if part is node:
            break
        told += str(part.value) if isinstance(part, ast.Constant) else "\0"
    return told


def _key(node: ast.AST, flow: Flow) -> str:
    match parent := flow.parents.get(node):
        case ast.keyword(arg=str(name)):
            return name
        case ast.Dict(keys, values):
            at = next((at for at, value in enumerate(values) if value is node), None)
            key = keys[at] if at is not None else None
            return key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
        case ast.Assign(targets=[target]) | ast.AnnAssign(target=target):
            return _target(target)
        case ast.arguments():
            return flow.default(node, parent)
        case ast.Call():
            return flow.parameter(parent, node)
        case ast.UnaryOp():
            return _key(parent, flow)
    return ""


def _target(target: ast.expr) -> str:
    match target:
        case ast.Name(name) | ast.Attribute(attr=name) | ast.Subscript(slice=ast.Constant(str(name))):
            return name
    return ""


def _field(node: ast.Constant, parent: ast.AST | None) -> bool:
    match parent:
        case ast.Subscript(slice=index):
            return node is index
        case ast.Dict(keys):
            return node in keys
        case ast.Call(ast.Attribute(attr="get" | "pop" | "setdefault" | "getenv") | ast.Name("getenv"), args):
            return bool(args) and args[0] is node
        case ast.Compare(left, ops):
            return node is left and isinstance(ops[0], ast.In | ast.NotIn)
    return False


def _maps(node: ast.Constant, parent: ast.AST | None, around: ast.AST | None) -> bool:
    """Whether it is the key of what the program knows itself: `{"Paris": 75}`, `[("Paris", 75)]`."""
    match parent:
        case ast.Dict(keys, values) if node in keys:
            known = ast.walk(values[keys.index(node)])
            return any(isinstance(one, ast.Constant) for one in known)
        case ast.Tuple(elts) | ast.List(elts) if not (isinstance(around, ast.Assign) and around.value is parent):
            return any(isinstance(one, ast.Constant) and isinstance(one.value, int | float) for one in elts)
    return False


def _patterns(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.MatchValue):
            yield ast.unparse(node.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, bytes):
            yield node.value.decode(errors="replace")


def _called(tree: ast.Module, flow: Flow) -> Iterator[Written]:
    """`date(2026, 11, 21)` and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) in _DATES and len(parts := figures(node)) >= 3:
            year, month, day = (part.value for part in parts[:3])
            if isinstance(year, int) and isinstance(month, int) and isinstance(day, int) and 1 <= month <= 12:
                yield Written(Day(year, month, day), call=node, holder=outermost(node, flow))


def figures(call: ast.Call) -> list[ast.Constant]:
    """Year, month and day of a call that names them as numbers, by place or by name; else what is there of them."""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    told = [*call.args[:3], *(named[name] for name in ("year", "month", "day")[len(call.args[:3]) :] if name in named)]
    return [part for part in told if isinstance(part, ast.Constant) and type(part.value) is int]
