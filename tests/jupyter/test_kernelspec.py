"""What Jupyter is told of the kernel, and what a person sees when it cannot start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from ecoassist.errors import NoSandbox, UsageFault
from ecoassist.jupyter import NotebookProvisioner
from ecoassist.kernel.kernelspec import install, uninstall


def test_jupyter_finds_the_kernel_and_who_runs_it(kernel: str) -> None:
    spec = KernelSpecManager().get_kernel_spec(kernel)
    assert (spec.language, spec.interrupt_mode) == ("python", "signal")
    assert spec.metadata["kernel_provisioner"]["provisioner_name"] == "ecoassist-provisioner"


def test_a_client_that_knows_no_provisioners_runs_nothing_on_this_machine(kernel: str) -> None:
    argv = KernelSpecManager().get_kernel_spec(kernel).argv
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "runs in a container" in done.stderr


def test_what_jupyter_loads_to_run_kernels_is_light(tmp_path: Path) -> None:
    code = "import sys, ecoassist.jupyter; print(*{'docker', 'openai', 'cryptography', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n"


def test_a_missing_engine_is_one_message_with_its_remedy(
    kernel: str, monkeypatch: pytest.MonkeyPatch, folders: Callable[[], list[Path]]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(NoSandbox) as error:
        KernelManager(kernel_name=kernel).start_kernel()
    assert "/nowhere/docker.sock" in str(error.value)
    assert error.value.remedy
    assert error.value.remedy in str(error.value)
    assert error.value.__suppress_context__
    assert folders() == []


def test_a_configuration_that_became_unfit_is_named(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[sandbox]\nmemroy = '1g'\n")
    install("unfit", prefix=home, settings={"config_file": str(file)})
    with pytest.raises(UsageFault, match=r"memroy[^$]*did you mean 'memory'") as error:
        KernelManager(kernel_name="unfit").start_kernel()
    assert str(file) in str(error.value)


def test_the_kernelspec_chooses_the_flavour_and_the_configuration_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[sandbox]\nflavour = 'data'\nmemory = '2g'\n")
    chosen = NotebookProvisioner(config_file=str(file), flavour="core").settings().sandbox
    assert (chosen.flavour, chosen.memory) == ("core", "2g")
    assert NotebookProvisioner(config_file=str(file)).settings().sandbox.flavour == "data"


# ── installing ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nothing_that_is_installed_is_secret(tmp_path: Path) -> None:
    folder = install("mine", prefix=tmp_path, display_name="Mine", settings={"flavour": "data"})
    assert folder == tmp_path / "share/jupyter/kernels/mine"
    (file,) = folder.iterdir()
    spec = json.loads(file.read_text())
    assert spec["display_name"] == "Mine"
    assert spec["metadata"]["kernel_provisioner"]["config"] == {"flavour": "data"}
    assert spec.keys() == {"argv", "display_name", "language", "interrupt_mode", "metadata"}


def test_installing_again_replaces_and_uninstalling_removes(tmp_path: Path) -> None:
    install("mine", prefix=tmp_path, display_name="One")
    folder = install("Mine", prefix=tmp_path, display_name="Two")
    assert json.loads((folder / "kernel.json").read_text())["display_name"] == "Two"
    assert uninstall("mine", prefix=tmp_path) == [folder]
    assert list(folder.parent.iterdir()) == []
    with pytest.raises(UsageFault, match="no kernel 'mine'"):
        uninstall("mine", prefix=tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a b", "ä", "-x", "x" * 101, "x\n"])
def test_a_name_that_jupyter_or_a_folder_cannot_have_is_refused(name: str, tmp_path: Path) -> None:
    kept = tmp_path / "share/jupyter/kernels/kept"
    kept.mkdir(parents=True)
    for work in (install, uninstall):
        with pytest.raises(UsageFault, match="no name"):
            work(name, prefix=tmp_path)
    assert kept.is_dir()


def test_the_kernel_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "share/jupyter/kernels/other"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["x"], "display_name": "Other", "language": "x", "metadata": {}}')
    with pytest.raises(UsageFault, match="another kernel"):
        install("other", prefix=tmp_path)
    with pytest.raises(UsageFault, match="no kernel"):
        uninstall("other", prefix=tmp_path)
    with pytest.raises(UsageFault, match="another kernel"):
        install("python3", prefix=tmp_path)
    assert [path.name for path in other.parent.iterdir()] == ["other"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "share").write_text("a file")
    with pytest.raises(UsageFault, match=r"cannot write .*share"):
        install("mine", prefix=tmp_path)
