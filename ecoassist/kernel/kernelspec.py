"""Kernelspecs: the files by which Jupyter finds our kernel."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path

from ecoassist.errors import UsageFault

PROVISIONER = "ecoassist-provisioner"
"""The entry point in pyproject.toml."""
REFUSAL = "import sys; sys.exit('this kernel runs in a container: start it with jupyter_client 7 or newer')"
"""What runs where a client knows nothing of provisioners, so that nobody's notebook runs outside the sandbox."""


def install(
    name: str, *, display_name: str = "", prefix: Path | None = None, settings: dict[str, str] | None = None
) -> Path:
    """Writes a kernelspec for the person, or below `prefix`, and returns its folder. `settings`: of the provisioner.

    Raises UsageFault for an unfit name, one that is another kernel's, and a folder that cannot be written.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    name = _checked(name)
    manager = KernelSpecManager()
    folder = prefix.absolute() / "share/jupyter/kernels" if prefix else Path(manager.user_kernel_dir)
    for place in (folder / name, Path(manager.find_kernel_specs().get(name, folder / name))):
        if place.exists() and not _ours(place):
            raise UsageFault(f"{name} is another kernel: {place}", "choose another --name")
    spec = {
        "argv": [sys.executable, "-I", "-c", REFUSAL, "{connection_file}"],
        "display_name": display_name or f"Python in a sandbox ({name})",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"kernel_provisioner": {"provisioner_name": PROVISIONER, "config": settings or {}}},
    }
    try:
        with tempfile.TemporaryDirectory() as source:
            Path(source, "kernel.json").write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")
            Path(source).chmod(0o755)  # copied along; a shared prefix is read by others
            return Path(
                manager.install_kernel_spec(source, name, user=not prefix, prefix=str(prefix) if prefix else None)
            )
    except OSError as error:
        raise UsageFault(
            f"cannot write {folder / name}: {_why(error)}", "choose another folder: --prefix DIR"
        ) from error


def uninstall(name: str, *, prefix: Path | None = None) -> list[Path]:
    """Removes the kernelspecs of that name that are ours, wherever Jupyter looks or below `prefix`; their folders.

    Raises UsageFault where there is none, or it cannot be removed.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    name = _checked(name)
    bases = [prefix / "share/jupyter/kernels"] if prefix else map(Path, KernelSpecManager().kernel_dirs)
    found = [base / name for base in dict.fromkeys(bases) if _ours(base / name)]
    if not found:
        raise UsageFault(f"there is no kernel {name!r} of ecoassist", "see: jupyter kernelspec list")
    for folder in found:
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise UsageFault(f"cannot remove {folder}: {_why(error)}", "remove it with the rights it needs") from error
    return found


def _checked(name: str) -> str:
    """Jupyter lets ".." pass, and removes what it names."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name.lower()):
        raise UsageFault(f"{name!r} is no name for a kernel", "use letters, digits, hyphens, dots and underscores")
    return name.lower()


def _ours(folder: Path) -> bool:
    try:
        spec = json.loads((folder / "kernel.json").read_bytes())
        return bool(spec["metadata"]["kernel_provisioner"]["provisioner_name"] == PROVISIONER)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _why(error: OSError) -> str:
    return error.strerror or str(error)
