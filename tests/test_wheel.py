"""What is installed is complete: the package finds the sandbox's build context without a checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source distribution and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT), cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that holds the wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel), cwd=folder)
    return python


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def context_of_the_checkout() -> dict[str, bytes]:
    """Path inside the build context -> content, as it stands in the checkout."""
    files = [ROOT / "Dockerfile", *(path for path in (ROOT / "sandbox").rglob("*") if path.is_file())]
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in files if "__pycache__" not in path.parts}


def test_the_wheel_carries_the_whole_build_context(wheel: Path) -> None:
    context = context_of_the_checkout()
    assert {"Dockerfile", "sandbox/relay/__main__.py", "sandbox/requirements/core.txt"} <= set(context)
    with zipfile.ZipFile(wheel) as archive:
        carried = {
            name.removeprefix("ecoassist/_image/"): archive.read(name)
            for name in archive.namelist()
            if name.startswith("ecoassist/_image/") and "__pycache__" not in name
        }
    assert carried == context


def test_the_wheel_carries_the_catalogue(wheel: Path) -> None:
    entries = {path.name for path in (ROOT / "ecoassist/catalogue").glob("*.toml")}
    assert len(entries) > 20
    with zipfile.ZipFile(wheel) as archive:
        assert {f"ecoassist/catalogue/{name}" for name in entries} <= set(archive.namelist())


def test_the_wheel_installs_one_package_and_nothing_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"ecoassist", next(top for top in tops if top.endswith(".dist-info"))}
    assert "ecoassist/py.typed" in names
    assert [name for name in names if "test_" in name or "__pycache__" in name or name.endswith(".pyc")] == []


def test_the_source_distribution_can_be_worked_on(built: Path) -> None:
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", "README.md", "LICENSE", ".ci/run", "requirements/dev.txt", "tests/test_wheel.py"} <= names


def test_the_installed_package_finds_its_build_context(installed: Path, tmp_path: Path) -> None:
    code = "from ecoassist.kernel.image.recipe import recipe; print(*recipe())"
    found = run(str(installed), "-I", "-c", code, cwd=tmp_path).split()
    assert sorted(found) == sorted(context_of_the_checkout())


def test_the_installed_command_is_there(installed: Path) -> None:
    assert (installed.parent / "ecoassist").is_file()
