"""Imports point down only. The house is small enough to draw, and these tests are what keeps the drawing true."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(row.split())
    for row in (
        "__init__ types entries errors",
        "clock events ports parsing programs prompts cards faults filenames masks "
        "redactor keys catalogue config memory values sampling partial advice owners purse day accounts "
        "outputs similarity vectors templates traces slicing",
        "engine replay budget desk asking apis outbox models kernel egress verdict store render testing",
        "session proving verifying packs starting steering play recording",
        "wiring tiers embedders reach index borders sandboxes jupyter demo",
        "cli __main__",
    )
)
"""From the ground up: what stands in a row may import from the rows below it."""
BLIND = 2
"""The row whose members may not import each other: they meet only in `wiring`."""
HEAVY = {
    "openai": {"models.openai"},
    "httpx2": {"models.openai", "models.line"},
    "docker": {"kernel"},
    "jupyter_client": {"kernel"},
    "zmq": {"kernel"},
    "cryptography": {"egress"},
    "h11": {"egress"},
    "brotli": {"egress.decode"},
    "backports": {"egress.decode"},
    "rich": {"render", "cli", "demo"},
    "typer": {"cli"},
    "prompt_toolkit": {"cli.chat"},
    "genai_prices": {"models.prices"},
    "keyring": {"keys"},
    "numpy": {"vectors", "models.onnx"},
    "onnxruntime": {"models.onnx"},
    "tokenizers": {"models.onnx"},
    "psycopg": {"store.postgres"},
    "pydantic": {"config", "apis"},
    "openapi_pydantic": {"apis"},
    "yaml": {"apis"},
}
"""Foreign library -> the only modules or packages that may import it."""


def sources(folder: Path) -> dict[str, ast.Module]:
    """Dotted module name -> syntax tree of everything in the package in `folder`; "p/x/__init__.py" is "p.x"."""
    trees = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        trees[".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)] = ast.parse(
            path.read_text()
        )
    return trees


def imports(module: str, tree: ast.Module, is_package: bool = False) -> Iterator[str]:
    """Dotted names a module imports, wherever it does. `from a import b` gives "a.b": b may be a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -(node.level - is_package) or None] if node.level else []
            prefix = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def graph(folder: Path) -> dict[str, set[str]]:
    """Module -> modules of the same package that it imports; names that are no modules count as their module."""
    trees = sources(folder)
    edges: dict[str, set[str]] = {}
    for module, tree in trees.items():
        package = (folder.parent / module.replace(".", "/")).is_dir()
        found = set()
        for name in imports(module, tree, package):
            if name == folder.name or name.startswith(f"{folder.name}."):
                while name not in trees and "." in name:
                    name = name.rpartition(".")[0]
                found.add(name if name in trees else f"{folder.name}.__init__")
        edges[module] = found - {module}
    return edges


def room(module: str) -> str:
    """The part of the house a module belongs to: "ecoassist.models.openai" -> "models"."""
    return module.split(".")[1]


def height(module: str) -> int | None:
    return next((number for number, row in enumerate(LAYERS) if room(module) in row), None)


def violations(edges: Mapping[str, set[str]]) -> list[str]:
    """What the imports do that the layers forbid, one line each."""
    lines = [f"{module} has no place in the layers" for module in edges if height(module) is None]
    for module, targets in edges.items():
        for target in sorted(targets):
            here, there = height(module), height(target)
            if here is None or there is None or room(module) == room(target):
                continue
            if there > here:
                lines.append(f"{module} imports {target}, which stands above it")
            elif there == here == BLIND:
                lines.append(f"{module} imports {target}, its blind sibling")
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        lines.append("a cycle: " + " -> ".join(error.args[1]))
    return lines


def environment_readers(trees: Mapping[str, ast.Module]) -> list[str]:
    """Modules that touch the process environment."""
    names = {"environ", "environb", "getenv", "getenvb", "putenv"}
    return [
        module
        for module, tree in trees.items()
        if any(
            (isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "os")
            or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names})
            for node in ast.walk(tree)
        )
    ]


def strays(trees: Mapping[str, ast.Module]) -> list[str]:
    """Imports of heavy libraries outside their one place."""
    lines = []
    for module, tree in trees.items():
        inside = module.split(".", 1)[1]
        for name in imports(module, tree):
            homes = HEAVY.get(name.split(".")[0])
            if homes and not any(inside == home or inside.startswith(f"{home}.") for home in homes):
                lines.append(f"{module} imports {name}")
    return lines


def test_imports_point_down_siblings_are_blind_and_there_is_no_cycle() -> None:
    edges = graph(ROOT / "ecoassist")
    assert edges["ecoassist.ports"] >= {"ecoassist.events", "ecoassist.types"}
    assert violations(edges) == []


def test_the_package_and_what_runs_inside_the_container_do_not_know_each_other() -> None:
    for module, tree in sources(ROOT / "ecoassist").items():
        assert not [name for name in imports(module, tree) if name.split(".")[0] == "sandbox"], module
    for module, tree in sources(ROOT / "sandbox").items():
        assert not [name for name in imports(module, tree) if name.split(".")[0] == "ecoassist"], module


def test_the_relay_needs_nothing_but_the_standard_library() -> None:
    modules = {name: tree for name, tree in sources(ROOT / "sandbox").items() if name.startswith("sandbox.relay")}
    found = {name.split(".")[0] for module, tree in modules.items() for name in imports(module, tree)}
    assert "sandbox" in found
    assert found - sys.stdlib_module_names == {"sandbox"}


def test_only_the_configuration_reads_the_environment() -> None:
    assert set(environment_readers(sources(ROOT / "ecoassist"))) <= {"ecoassist.config"}


def test_a_heavy_library_is_imported_in_one_place() -> None:
    assert strays(sources(ROOT / "ecoassist")) == []


# ── the checks themselves, on made-up houses ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small package that keeps the rules."""
    folder = tmp_path / "ecoassist"
    write(folder, "__init__.py", "__version__ = '1'\n")
    write(folder, "types.py", "import dataclasses\n")
    write(folder, "events.py", "from .types import X\n")
    write(folder, "engine.py", "from . import __version__\nfrom .events import Y\n")
    write(folder, "models/__init__.py", "from .choose import choose\n")
    write(folder, "models/choose.py", "from ecoassist.types import X\n")
    write(folder, "wiring.py", "def build():\n    from .models.choose import choose\n    from .engine import ask\n")
    return folder


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_a_house_that_keeps_the_rules_passes(house: Path) -> None:
    edges = graph(house)
    assert edges["ecoassist.wiring"] == {"ecoassist.models.choose", "ecoassist.engine"}
    assert edges["ecoassist.engine"] == {"ecoassist.__init__", "ecoassist.events"}
    assert edges["ecoassist.models"] == {"ecoassist.models.choose"}
    assert violations(edges) == []


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("types.py", "from .events import Y\n", "ecoassist.types imports ecoassist.events, which stands above it"),
        ("events.py", "def f():\n    import ecoassist.engine\n", "ecoassist.events imports ecoassist.engine, which"),
        (
            "engine.py",
            "from .models.choose import choose\n",
            "ecoassist.engine imports ecoassist.models.choose, its blind",
        ),
        (
            "models/choose.py",
            "from ecoassist import engine\n",
            "ecoassist.models.choose imports ecoassist.engine, its bl",
        ),
        ("models/choose.py", "from ..engine import ask\n", "ecoassist.models.choose imports ecoassist.engine, its bl"),
        (
            "models/choose.py",
            "import_module('ecoassist.wiring')\n",
            "ecoassist.models.choose imports ecoassist.wiring, w",
        ),
        ("models/choose.py", "from . import choose2\n", "a cycle: "),
        ("attic.py", "", "ecoassist.attic has no place in the layers"),
    ],
)
def test_a_house_that_breaks_a_rule_fails(house: Path, name: str, text: str, complaint: str) -> None:
    write(house, "models/choose2.py", "from .choose import choose\n")
    write(house, name, text)
    assert any(line.startswith(complaint) for line in violations(graph(house))), violations(graph(house))


@pytest.mark.parametrize(
    "text", ["import os\nos.environ['A']\n", "from os import getenv\n", "import os\nos.getenv('A')\n"]
)
def test_a_reader_of_the_environment_is_found(house: Path, text: str) -> None:
    assert environment_readers(sources(house)) == []
    write(house, "engine.py", text)
    assert environment_readers(sources(house)) == ["ecoassist.engine"]


def test_a_stray_import_of_a_heavy_library_is_found(house: Path) -> None:
    write(house, "models/openai.py", "def f():\n    from openai import OpenAI\n")
    assert strays(sources(house)) == []
    write(house, "models/choose.py", "import openai\n")
    assert strays(sources(house)) == ["ecoassist.models.choose imports openai"]
