"""The requirement files pin everything by hash and say nothing about where it comes from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
FILES = sorted([*ROOT.glob("requirements/*.*"), *ROOT.glob("sandbox/requirements/*.*")])
PINNED = [path for path in FILES if path.suffix == ".txt"]
PLACES = ("://", "file:/", "--index", "--extra-index", "--find-links", "--trusted-host", "git+", " @ ")


def requirements(path: Path) -> list[str]:
    """The requirements of a compiled file, each with the indented lines that belong to it."""
    return [block for block in re.split(r"\n(?=\S)", path.read_text().strip()) if not block.startswith("#")]


def versions(path: Path) -> dict[str, str]:
    """Name -> version of what the running Python would install."""
    rows = (
        re.match(r"([\w.-]+)==([^\s;]+)(?: ; (.+?))?(?: \\)?$", block.split("\n")[0]) for block in requirements(path)
    )
    return {row[1]: row[2] for row in rows if row and (row[3] is None or Marker(row[3]).evaluate())}


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_there_are_files_to_look_at() -> None:
    assert {"requirements/run.txt", "requirements/dev.txt"} <= {by_name(path) for path in PINNED}


@pytest.mark.parametrize("path", FILES, ids=by_name)
def test_a_requirement_file_names_no_index_no_address_and_no_folder_of_a_machine(path: Path) -> None:
    rows = path.read_text().splitlines()
    assert [row for row in rows if any(place in row for place in PLACES) or re.search(r"(^|\s)/\w", row)] == []


@pytest.mark.parametrize("path", PINNED, ids=by_name)
def test_every_pinned_requirement_has_hashes(path: Path) -> None:
    assert requirements(path)
    loose = [block for block in requirements(path) if not re.match(r"[\w.-]+==\S+.*\n +--hash=sha256:", block)]
    assert loose == []


def test_the_development_pins_include_the_pins_the_demo_runs_on() -> None:
    run, dev = versions(ROOT / "requirements/run.txt"), versions(ROOT / "requirements/dev.txt")
    assert run
    assert {name: version for name, version in run.items() if dev.get(name) != version} == {}


def test_the_flavours_of_the_sandbox_agree_on_what_both_have() -> None:
    core, data = (versions(ROOT / f"sandbox/requirements/{flavour}.txt") for flavour in ("core", "data"))
    assert core
    assert {name: version for name, version in core.items() if data.get(name) != version} == {}
    assert {"numpy", "pandas", "matplotlib", "openpyxl"} <= data.keys() - core.keys()


def test_every_dependency_of_the_package_is_pinned_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = versions(ROOT / "requirements/run.txt")
    for text in [*project["dependencies"], *project["optional-dependencies"]["unsafe-local"]]:
        requirement = Requirement(text)
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned: make pins"
        assert requirement.specifier.contains(version), f"{requirement} excludes the pinned {version}: make pins"
