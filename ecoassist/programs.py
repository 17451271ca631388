"""Python source as data: what an attempt's program is, and what of it may be stored. Pure."""

from __future__ import annotations

import ast
import re
import sys
import textwrap
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

_MAGIC = re.compile(r"^([ \t]*)[!%].*$", re.M)
_FUTURE = re.compile(r"^from __future__ import .*\n?", re.M)
_PROMPTED = re.compile(r"(?:>>>|\.\.\.)(?: |$)|In \[\d+\]: ")
_TYPOGRAPHY = str.maketrans(
    {"\u00a0": " ", "\u200b": None, "\ufeff": None, "“": '"', "”": '"', "‘": "'", "’": "'", "−": "-"}
)
_quiet = threading.Lock()  # catch_warnings replaces the process's filters: two threads must not interleave


def tree(source: str, *, magic: bool = True) -> ast.Module | None:
    """The syntax tree; None where the source does not parse. `magic`: IPython's `!` and `%` lines read as `pass`."""
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes and the like are the kernel's to report
        for text in dict.fromkeys((source, _MAGIC.sub(r"\1pass", source) if magic else source)):
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


# ── the program of an attempt ───────────────────────────────────────────────────────────────────────────────────────


def assemble(cells: Sequence[str]) -> str:
    """The self-contained program of an attempt: its good cells in order, less those that repeat the one before."""
    kept: list[str] = []
    for cell in cells:
        if cell.strip() and not (kept and normalised(kept[-1]) == normalised(cell)):
            kept.append(cell)
    return joined(kept)


def joined(parts: Sequence[str]) -> str:
    """Pieces of code as one, in order."""
    kept = [part.strip("\n").rstrip() for part in parts if part.strip()]
    program = "\n\n".join(kept)
    future = dict.fromkeys(line.rstrip() for line in _FUTURE.findall(program)) if len(kept) > 1 else {}
    return "\n".join([*future, _FUTURE.sub("", program)]) if future else program


def names(cells: Sequence[str]) -> tuple[str, ...]:
    """What the cells leave behind: variables, functions and classes, in order; of loops and `with`, what is inside."""
    return tuple(dict.fromkeys(name for cell in cells for name in _left_by(tree(cell))))


def _left_by(module: ast.Module | None) -> Iterator[str]:
    waiting: list[ast.AST] = [module] if module else []
    while waiting:
        match node := waiting.pop():
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                pass
            case ast.For() | ast.AsyncFor():
                waiting += [*node.body, *node.orelse][::-1]
            case ast.With() | ast.AsyncWith():
                waiting += node.body[::-1]
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case _:
                waiting += [*ast.iter_child_nodes(node)][::-1]


def packages(program: str) -> tuple[str, ...]:
    """What it imports beside the standard library, in order: the first part of each name."""
    module = tree(program)
    found: list[str] = []
    for node in ast.walk(module) if module else ():
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    first = dict.fromkeys(name.partition(".")[0] for name in found)
    return tuple(name for name in first if name not in sys.stdlib_module_names)


def normalised(code: str) -> str:
    """A form without comments, layout and quote style, equal for the same code."""
    module = tree(code, magic=False)
    if module is not None:
        try:
            return ast.unparse(module)
        except (ValueError, RecursionError):
            pass
    lines = (line.rstrip() for line in code.split("\n"))
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def without_placeholders(program: str, names: Mapping[str, str]) -> str:
    """The program with every key's placeholder read from the environment instead.

    `names` maps a placeholder to the environment variable that holds it. String and bytes literals become expressions
    over `os.environ`; what is left of a placeholder (in comments, docstrings, source that does not parse) becomes the
    variable's name, so the result never holds a placeholder.
    """
    names = {placeholder: name for placeholder, name in names.items() if placeholder}
    module = tree(program) if names else None
    holders = list(_holders(module, names)) if module else []
    if not module or not holders:
        return _erased(program, names)
    program = program.replace("\r\n", "\n").replace("\r", "\n")  # as the syntax tree counts lines
    literals = _Literals(names)
    try:
        edits = [(node, _source(literals.visit(node))) for node in holders]
    except (ValueError, RecursionError):  # quotes that this Python cannot nest in an f-string
        return _erased(program, names)
    rewritten = edited(program, edits)
    first = min(node.lineno for node, _ in edits)
    if not any(_imports_os(statement) and statement.lineno < first for statement in module.body):
        rewritten = _with_import_os(rewritten, module)
    rewritten = _erased(rewritten, names)
    return rewritten if tree(rewritten) is not None else _erased(program, names)


def _erased(text: str, names: Mapping[str, str]) -> str:
    for placeholder in sorted(names, key=len, reverse=True):
        text = text.replace(placeholder, names[placeholder])
    return text


def _holders(node: ast.AST, names: Mapping[str, str]) -> Iterator[ast.expr]:
    """The outermost literals that hold a placeholder: constants, and f-strings as a whole.

    Docstrings and patterns are left out: they must stay constants.
    """
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, ast.Constant):
            if _holds(current.value, names):
                yield current
        elif isinstance(current, ast.JoinedStr):
            if any(isinstance(inner, ast.Constant) and _holds(inner.value, names) for inner in ast.walk(current)):
                yield current
        elif not isinstance(current, ast.pattern) and not _is_docstring(current):
            waiting.extend(ast.iter_child_nodes(current))


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _holds(value: object, names: Mapping[str, str]) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return isinstance(text, str) and any(placeholder in text for placeholder in names)


class _Literals(ast.NodeTransformer):
    """Turns literals that hold a placeholder into expressions over os.environ."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.split = re.compile("|".join(re.escape(one) for one in sorted(names, key=len, reverse=True)))

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not _holds(node.value, self.names):
            return node
        parts = self.parts(node.value)
        whole = parts[0]
        for part in parts[1:]:
            whole = ast.BinOp(whole, ast.Add(), part)
        return whole

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        values: list[ast.expr] = []
        for value in node.values:
            if isinstance(value, ast.Constant) and _holds(value.value, self.names):
                for part in self.parts(value.value):
                    values.append(part if isinstance(part, ast.Constant) else ast.FormattedValue(part, -1, None))
            else:
                values.append(self.visit(value))
        return ast.JoinedStr(values)

    def parts(self, value: object) -> list[ast.expr]:
        """The literal's pieces in order: constants, and reads of the environment."""
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        found: list[ast.expr] = []
        at = 0
        for match in [*self.split.finditer(text), None]:
            constant = text[at : match.start() if match else len(text)]
            if constant:
                found.append(ast.Constant(constant.encode("latin-1") if isinstance(value, bytes) else constant))
            if match:
                read = f"os.environ[{self.names[match[0]]!r}]" + (".encode()" if isinstance(value, bytes) else "")
                found.append(ast.parse(read, mode="eval").body)
                at = match.end()
        return found


def _source(node: ast.expr) -> str:
    text = ast.unparse(node)
    return f"({text})" if isinstance(node, ast.BinOp) else text


def edited(program: str, edits: Sequence[tuple[ast.expr, str]]) -> str:
    """The program with each node's text replaced. Columns of the syntax tree are bytes of UTF-8."""
    lines = program.encode().split(b"\n")
    for node, text in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        if node.end_lineno is None or node.end_col_offset is None:
            continue
        last = node.end_lineno - 1
        before, after = lines[node.lineno - 1][: node.col_offset], lines[last][node.end_col_offset :]
        between = b" " if before[-1:].isalnum() else b""  # return"..."
        lines[node.lineno - 1 : last + 1] = [before + between + text.encode() + after]
    return b"\n".join(lines).decode()


def _imports_os(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Import) and any(one.name == "os" and not one.asname for one in statement.names)


def _with_import_os(program: str, module: ast.Module) -> str:
    """`import os` stands first, but a docstring and __future__ imports stay before it."""
    at = 0
    for index, statement in enumerate(module.body):
        if not (index == 0 and _is_docstring(statement)) and not (
            isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        ):
            break
        at = statement.end_lineno or at
    lines = program.split("\n")
    return "\n".join([*lines[:at], "import os", *lines[at:]])
