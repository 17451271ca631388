"""What the documents name exists."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def commands(path: Path) -> list[str]:
    """Lines inside the fenced blocks of a document, without a leading prompt."""
    blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines() if line.strip()]


def targets() -> set[str]:
    """What `make` offers, as its own help lists it."""
    listing = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"^  make (\w+)", listing.stdout, re.MULTILINE))


def test_make_without_arguments_lists_its_targets() -> None:
    assert {"demo", "test", "check", "bench", "pins", "clean"} <= targets()


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_the_readme_shows_how_to_try_it_and_how_to_test_it(command: str) -> None:
    assert any(line.split("#")[0].strip() == command for line in commands(ROOT / "README.md"))


def test_what_is_checked_on_a_bare_machine_is_the_test_command_of_the_readme() -> None:
    assert re.search(r"^exec timeout .* make test </dev/null$", (ROOT / ".ci/run").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_a_make_target_that_a_document_names_exists(path: Path) -> None:
    code = [*commands(path), *re.findall(r"`([^`\n]+)`", path.read_text())]
    named = {found[1] for line in code if (found := re.match(r"make (\w+)", line))}
    assert named <= targets()


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_a_file_that_a_document_links_to_exists(path: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_version_is_the_same_wherever_it_stands() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'__version__ = "{version}"' in (ROOT / "ecoassist/__init__.py").read_text()


def parts_of_the_command_line() -> set[str]:
    """Every command with its options, as the command line itself knows them."""
    import typer.main

    from ecoassist.cli.main import app

    found: set[str] = set()
    commands = [("ecoassist", typer.main.get_command(app))]
    for path, command in commands:
        found |= {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        under = getattr(command, "commands", {})
        commands += [(f"{path} {name}", each) for name, each in under.items()]
        if not under:
            found.add(path)
    return found - {"--help"}


def test_the_readme_names_every_command_and_every_option() -> None:
    readme = (ROOT / "README.md").read_text()
    short = {"ecoassist solutions show": "`show N`", "ecoassist solutions rm": "`rm N`"}
    missing = [part for part in parts_of_the_command_line() if short.get(part, part) not in readme]
    assert missing == []


def test_every_command_explains_itself() -> None:
    import typer.main

    from ecoassist.cli.main import app

    commands = [typer.main.get_command(app)]
    for command in commands:
        assert command.help, command.name
        commands += getattr(command, "commands", {}).values()


def test_the_configuration_of_the_readme_is_accepted(tmp_path: Path) -> None:
    from ecoassist.config import load

    (example,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "config.toml"
    file.write_text(example)
    settings = load(file, environ={})
    assert [tier.name for tier in settings.tiers] == ["cheap", "strong"]
    file.write_text(re.sub(r"^# (?=base_url|key|price|build_network|base_image)", "", example, flags=re.MULTILINE))
    assert load(file, environ={}).sandbox.build_network == "host"
