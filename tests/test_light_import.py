"""Starting costs little: what a command does not use is not loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "openai",
    "docker",
    "jupyter_client",
    "pydantic",
    "zmq",
    "cryptography",
    "prompt_toolkit",
    "genai_prices",
    "numpy",
    "rich",
    "sqlite3",
    "asyncio",
    "openapi_pydantic",
    "yaml",
    "ssl",
    "ecoassist.types",
}

HELP = """
import sys
sys.argv = ["ecoassist", *{arguments}]
from ecoassist.cli.main import main
try:
    code = main()
except SystemExit as leave:
    code = leave.code
assert not code, code
"""

IMPORT_ALL = """
import importlib, pathlib
import ecoassist
folder = pathlib.Path(ecoassist.__file__).parent
for path in folder.rglob("*.py"):
    if path.name not in ("__init__.py", "__main__.py"):
        importlib.import_module(".".join(path.relative_to(folder.parent).with_suffix("").parts))
"""


def run(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Runs `code` in a new interpreter, in an empty home and without environment."""
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], env=environment, cwd=home, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done


def loaded(code: str, home: Path) -> set[str]:
    """Packages and modules in sys.modules after `code`, ours by their whole names and others by their first."""
    ending = "\nimport json, sys\nprint('\\n' + json.dumps(sorted({OURS for name in sys.modules})))"
    ending = ending.replace("OURS", "name if name.startswith('ecoassist') else name.split('.')[0]")
    return set(json.loads(run(code + ending, home).stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    found = loaded("import ecoassist", tmp_path)
    assert "ecoassist" in found
    assert found & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_asking_for_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    found = loaded(HELP.format(arguments=arguments), tmp_path)
    assert "typer" in found
    assert found & HEAVY == set()


def test_a_heavy_library_would_be_noticed(tmp_path: Path) -> None:
    assert loaded("import ecoassist, rich, sqlite3", tmp_path) & HEAVY == {"rich", "sqlite3"}


def test_importing_every_module_prints_nothing_and_writes_nothing(tmp_path: Path) -> None:
    done = run(IMPORT_ALL, tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []
