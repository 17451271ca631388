"""What the sandbox image is made of, and the name and the labels that follow from it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ecoassist import __version__
from ecoassist.kernel.settings import BoxSettings
from ecoassist.kernel.sources import root

NAME = "ecoassist-sandbox"
LABEL = "ecoassist.image"
FLAVOUR, BASE, NETWORK, VERSION = (
    f"ecoassist.{name}" for name in ("flavour", "base-image", "build-network", "version")
)
"""Labels: what an image was made from, and by which version."""
REQUIREMENTS = "sandbox/requirements/"


def recipe(package: Path | None = None) -> dict[str, bytes]:
    """The Dockerfile and what is under sandbox/, by relative path; `package` is as in sources.root.

    Raises NoSandbox when they are missing.
    """
    base = root(package)
    inside = (path for path in (base / "sandbox").rglob("*") if path.is_file())
    files = [base / "Dockerfile", *(path for path in inside if "__pycache__" not in path.parts)]
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in sorted(files)}


def context(files: dict[str, bytes], settings: BoxSettings) -> dict[str, bytes]:
    """What one flavour is built from: of the requirement files only its own."""
    own = f"{REQUIREMENTS}{settings.flavour}.txt"
    outside = (REQUIREMENTS, "sandbox/seccomp.json")  # the profile goes to the engine with each container
    return {name: content for name, content in files.items() if name == own or not name.startswith(outside)}


def tag(files: dict[str, bytes], settings: BoxSettings, arch: str) -> str:
    """The image's name. It changes with the flavour and every file of its context, the base image, the build network
    and the architecture."""
    digest = hashlib.sha256()
    for part in (settings.flavour, settings.base_image, settings.build_network, arch):
        digest.update(part.encode() + b"\0")
    for name, content in sorted(context(files, settings).items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return f"{NAME}:{digest.hexdigest()[:12]}"


def labels(settings: BoxSettings) -> dict[str, str]:
    return {
        LABEL: "1",
        FLAVOUR: settings.flavour,
        BASE: settings.base_image,
        NETWORK: settings.build_network,
        VERSION: __version__,
    }
