"""`ecoassist kernel`, as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Kernel: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """Runs `ecoassist kernel ...` in an empty home."""

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "ecoassist", "kernel", *args]
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def config_of(folder: str | Path) -> object:
    spec = json.loads(Path(folder, "kernel.json").read_text())
    return spec["metadata"]["kernel_provisioner"]["config"]


def test_it_says_where_the_kernel_is_and_how_to_use_it(kernel: Kernel, tmp_path: Path) -> None:
    ran = kernel("install")
    assert ran.returncode == 0, ran.stderr
    folder = Path(ran.stdout.strip())
    assert folder.is_relative_to(tmp_path)
    assert config_of(folder) == {}
    for hint in ("jupyter lab", "papermill -k ecoassist", "jupyter nbconvert", "no deadline", "environment"):
        assert hint in ran.stderr
    ran = kernel("uninstall")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", f"removed {folder}\n")
    assert not folder.exists()


def test_the_flavour_and_the_configuration_are_written_down(kernel: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[sandbox]\nmemory = '2g'\n")
    ran = kernel("install", "--prefix", "there", "--name", "Mine", "--flavour", "data", "--config", "mine.toml")
    assert ran.stdout == f"{tmp_path}/there/share/jupyter/kernels/mine\n"
    assert config_of(ran.stdout.strip()) == {"flavour": "data", "config_file": str(file)}
    assert kernel("uninstall", "--name", "Mine", "--prefix", "there").returncode == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["install", "--name", ".."], "no name"),
        (["install", "--user", "--prefix", "x"], "more than one place"),
        (["install", "--config", "absent.toml"], "cannot read absent.toml"),
        (["install", "--prefix", "/dev/null"], "cannot write /dev/null/share"),
        (["uninstall"], "no kernel 'ecoassist'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_said_in_one_line_with_a_remedy(args: list[str], said: str, kernel: Kernel) -> None:
    ran = kernel(*args)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert said in ran.stderr.splitlines()[0]
    assert len(ran.stderr.splitlines()) == 2
