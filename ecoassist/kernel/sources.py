"""Where the files of the sandbox lie: the Dockerfile and the folder sandbox/."""

from __future__ import annotations

from pathlib import Path

from ecoassist.errors import NoSandbox


def root(package: Path | None = None) -> Path:
    """The folder with the Dockerfile and sandbox/.

    `package` is the installed ecoassist package: a wheel carries the files inside, a checkout has them beside it.
    Raises NoSandbox when they are missing.
    """
    package = package or Path(__file__).resolve().parent.parent
    for folder in (package / "_image", package.parent):
        if (folder / "Dockerfile").is_file() and (folder / "sandbox" / "seccomp.json").is_file():
            return folder
    raise NoSandbox("the files of the sandbox image are missing", "reinstall ecoassist")


def seccomp() -> str:
    """Our seccomp profile, as engines take it: JSON. Raises NoSandbox."""
    try:
        return (root() / "sandbox" / "seccomp.json").read_text(encoding="utf-8")
    except OSError as error:
        raise NoSandbox(f"the seccomp profile cannot be read: {error}", "reinstall ecoassist") from error
