"""Where the value of a literal goes in a program: into its work, or only into what it prints. Pure.

Names are followed by scope, through assignments, parameters and results of the program's own functions, whatever the
order of statements. What cannot be followed counts as not used: a literal that seems idle is left as it is.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator

from .words import listed

_SHOWS = listed("print display pprint pp debug info warning error critical exception log write")
_PASSES = listed(
    "str repr quote quote_plus quote_from_bytes urlencode list tuple set dict sorted dumps format upper lower title "
    "strip lstrip rstrip replace capitalize casefold encode split join items values keys get copy zfill ljust rjust "
    "center append extend update add setdefault isoformat strftime pop"
)
"""What hands on the value of its argument, or of what it is called on."""
_LOOKS = frozenset(("get", "pop", "setdefault"))
"""What looks something up by its argument."""
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Flow:
    """Of one syntax tree."""

    def __init__(self, tree: ast.AST) -> None:
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.functions: dict[str, _Function] = {}
        self._bound: dict[ast.AST | None, set[str]] = defaultdict(set)
        self._knots: dict[tuple[ast.AST | None, str], ast.AST] = defaultdict(ast.AST)
        """One for all that bears a name in a scope: whatever goes into it comes out wherever it is read."""
        self._spread: dict[ast.AST, list[ast.AST]] = defaultdict(list)
        """Knot -> where it is read."""
        self._known: dict[bool, dict[ast.AST, bool]] = {True: {}, False: {}}
        read: list[ast.Name] = []
        for node in ast.walk(tree):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self.functions[node.name] = node
                    self._bound[node] |= {argument.arg for argument in _arguments(node.args)}
                case ast.Lambda():
                    self._bound[node] |= {argument.arg for argument in _arguments(node.args)}
                case ast.Name(ctx=ast.Store()):
                    self._bound[self._function(node)].add(node.id)
                case ast.Name():
                    read.append(node)
                case ast.Attribute(ctx=ast.Load()):
                    self._spread[self._knots[None, f".{node.attr}"]].append(node)
                case ast.Call(ast.Name(name)):
                    self._spread[self._knots[None, f"{name}()"]].append(node)
        for one in read:
            self._spread[self._knots[self._home(one.id, one), one.id]].append(one)

    def works(self, start: ast.AST) -> bool:
        """Whether what `start` stands for is used for more than being printed."""
        number = not (isinstance(start, ast.Constant) and isinstance(start.value, str))
        known = self._known[number]
        before: dict[ast.AST, ast.AST | None] = {start: None}
        waiting = [start]
        while waiting:
            node = waiting.pop()
            parent = self.parents.get(node)
            if known.get(node) or (parent is not None and self._uses(node, parent, number)):
                way: ast.AST | None = node
                while way is not None:
                    known[way], way = True, before[way]
                return True
            for following in self._spread.get(node) or (self._next(node, parent) if parent is not None else ()):
                if following not in before and known.get(following) is not False:
                    before[following] = node
                    waiting.append(following)
        known.update(dict.fromkeys(before, False))
        return False

    def _uses(self, node: ast.AST, parent: ast.AST, number: bool) -> bool:
        match parent:
            case ast.Compare() | ast.Slice():
                return True
            case ast.Subscript(slice=index):
                return node is index or isinstance(index, ast.Slice)
            case ast.BinOp(op=operator):
                return number and not isinstance(operator, ast.Mod)
            case ast.Call():
                return node is not parent.func and self._foreign(parent)
            case ast.keyword():
                call = self.parents.get(parent)
                return isinstance(call, ast.Call) and self._foreign(call)
            case ast.Attribute():
                call = self.parents.get(parent)
                return isinstance(call, ast.Call) and call.func is parent and parent.attr not in _PASSES
        return False

    def _foreign(self, call: ast.Call) -> bool:
        name = called(call)
        own = isinstance(call.func, ast.Name) and name in self.functions
        return not own and name not in _SHOWS and (name not in _PASSES or name in _LOOKS)

    def _next(self, node: ast.AST, parent: ast.AST) -> Iterator[ast.AST]:
        """Where the value goes from there."""
        match parent:
            case ast.Call() | ast.keyword() | ast.Attribute():
                yield from self._called(node, parent)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
                targets = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
                yield from (read for target in targets for read in self._read(target))
                if isinstance(parent, ast.NamedExpr):
                    yield parent
            case ast.For() | ast.AsyncFor() | ast.comprehension() if node is parent.iter:
                yield from self._read(parent.target)
            case ast.arguments():
                yield from self._default(node, parent)
            case ast.Return() | ast.Yield() | ast.YieldFrom():
                function = self._function(parent)
                if isinstance(function, _Function):
                    yield self._knots[None, f"{function.name}()"]
            case ast.withitem() if parent.optional_vars:
                yield from self._read(parent.optional_vars)
            case ast.Tuple():
                yield from self._unpacked(node, parent)
            case ast.expr() if not (isinstance(parent, ast.IfExp) and node is parent.test):
                yield parent

    def _called(self, node: ast.AST, parent: ast.Call | ast.keyword | ast.Attribute) -> Iterator[ast.AST]:
        """From an argument into the function, from what a method is called on into its result."""
        if isinstance(parent, ast.Call):
            yield from self._through(parent, node)
            return
        call = self.parents.get(parent)
        if isinstance(parent, ast.keyword) and isinstance(call, ast.Call):
            yield from self._through(call, parent)
        elif isinstance(parent, ast.Attribute):
            yield call if isinstance(call, ast.Call) and call.func is parent else parent

    def _through(self, call: ast.Call, argument: ast.AST) -> Iterator[ast.AST]:
        """Into the parameter of a function of the program, out of one that passes its argument on."""
        name = called(call)
        function = self.functions.get(name) if isinstance(call.func, ast.Name) else None
        if function is None:
            if name in _PASSES:
                yield call
                if isinstance(call.func, ast.Attribute):
                    yield from self._read(call.func.value)
            return
        parameter = self.parameter(call, argument)
        if parameter:
            yield self._knots[function, parameter]

    def parameter(self, call: ast.Call, argument: ast.AST) -> str:
        """The name that an argument has in the program's own function. Empty: it is none, or cannot be told."""
        function = self.functions.get(called(call)) if isinstance(call.func, ast.Name) else None
        if function is None:
            return ""
        if isinstance(argument, ast.keyword):
            return argument.arg or ""
        names = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
        if argument in call.args and not any(isinstance(one, ast.Starred) for one in call.args):
            at = call.args.index(argument)
            return names[at] if at < len(names) else ""
        return ""

    def default(self, node: ast.AST, arguments: ast.arguments) -> str:
        """The name of the parameter that a default belongs to."""
        named = [*arguments.posonlyargs, *arguments.args]
        pairs = [*zip(named[::-1], arguments.defaults[::-1], strict=False)]
        pairs += [(one, value) for one, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
        return next((one.arg for one, value in pairs if value is node), "")

    def _default(self, node: ast.AST, arguments: ast.arguments) -> Iterator[ast.AST]:
        yield self._knots[self.parents.get(arguments), self.default(node, arguments)]

    def _unpacked(self, node: ast.AST, parent: ast.Tuple) -> Iterator[ast.AST]:
        """`a, b = x, y`: into its own name only."""
        match self.parents.get(parent):
            case ast.Assign(targets=[ast.Tuple(names)]) if len(names) == len(parent.elts):
                at = next(at for at, element in enumerate(parent.elts) if element is node)
                yield from self._read(names[at])
            case _:
                yield parent

    def _read(self, target: ast.AST) -> Iterator[ast.AST]:
        """Where a target of an assignment is read."""
        match target:
            case ast.Name(name):
                yield self._knots[self._home(name, target), name]
            case ast.Tuple(elts) | ast.List(elts):
                yield from (read for element in elts for read in self._read(element))
            case ast.Starred(value) | ast.Subscript(value):
                yield from self._read(value)
            case ast.Attribute(attr=attribute):
                yield self._knots[None, f".{attribute}"]

    def _function(self, node: ast.AST) -> _Scope | None:
        """The function that a node stands in."""
        current = self.parents.get(node)
        while current is not None and not isinstance(current, _Scope):
            current = self.parents.get(current)
        return current

    def _home(self, name: str, node: ast.AST) -> ast.AST | None:
        """The scope that a name belongs to; None: the module."""
        scope = self._function(node)
        while scope is not None and name not in self._bound[scope]:
            scope = self._function(scope)
        return scope


def called(call: ast.Call) -> str:
    """The last part of the name that is called."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
    return ""


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    others = [one for one in (arguments.vararg, arguments.kwarg) if one]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *others]
