"""The sandbox image: named after the hash of all it is made of, and built when the engine does not have it."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ecoassist.errors import NoSandbox

from .docker import Engine, translated
from .settings import BoxSettings

LABEL = "ecoassist.image"
REMEDY = "set sandbox.base_image (or ECOASSIST_BASE_IMAGE) to an image that this engine has or can pull"


def recipe(package: Path | None = None) -> dict[str, bytes]:
    """The build context: the Dockerfile and what is under sandbox/, by relative path.

    `package` is the installed ecoassist package: a wheel carries the files inside, a checkout has them beside it.
    Raises NoSandbox when they are missing.
    """
    package = package or Path(__file__).resolve().parent.parent
    for root in (package / "_image", package.parent):
        if (root / "Dockerfile").is_file() and (root / "sandbox" / "relay.py").is_file():
            inside = (path for path in (root / "sandbox").rglob("*") if path.is_file())
            files = [root / "Dockerfile", *(path for path in inside if "__pycache__" not in path.parts)]
            return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(files)}
    raise NoSandbox("the files of the sandbox image are missing", "reinstall ecoassist")


def tag(files: dict[str, bytes], settings: BoxSettings, arch: str) -> str:
    """The image's name. It changes with every file, the base image, the build network and the architecture."""
    digest = hashlib.sha256()
    for part in (settings.base_image, settings.build_network, arch):
        digest.update(part.encode() + b"\0")
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return f"ecoassist-sandbox:{digest.hexdigest()[:12]}"


def ensure(
    engine: Engine, settings: BoxSettings, notice: Callable[[str], None], files: dict[str, bytes] | None = None
) -> str:
    """The name of an image that the engine has, built now if need be. Two processes may build it at the same time.

    `notice` is told each step of a build; `files` is the build context if not the usual one. Raises NoSandbox.
    """
    files = files or recipe()
    name = tag(files, settings, engine.arch())
    if not engine.has_image(name):
        if not engine.has_image(settings.base_image):
            notice(f"looking for the base image {settings.base_image}")
            with translated(f"no base image {settings.base_image}"):
                _probe(engine, settings)
        _build(engine, settings, files, name, notice)
    return name


def _probe(engine: Engine, settings: BoxSettings) -> None:
    """Asks the registry, through the engine, for the base image: a pull alone may wait for minutes."""
    from docker.errors import APIError
    from requests import RequestException

    api = engine.api
    usual, api.timeout = api.timeout, settings.registry_seconds
    try:
        api.inspect_distribution(settings.base_image)  # type: ignore[no-untyped-call]
    except APIError as error:
        if "page not found" in str(error.explanation):  # an engine without this call: its pull has to tell
            return
        raise NoSandbox(f"no base image {settings.base_image}: {error.explanation}", REMEDY) from error
    except RequestException as error:
        why = f"no registry answered within {settings.registry_seconds:g} s"
        raise NoSandbox(f"no base image {settings.base_image}: {why}", REMEDY) from error
    finally:
        api.timeout = usual


def _build(
    engine: Engine, settings: BoxSettings, files: dict[str, bytes], name: str, notice: Callable[[str], None]
) -> None:
    with translated("the sandbox image could not be built"):
        steps = engine.api.build(
            fileobj=_tar(files),
            custom_context=True,
            tag=name,
            buildargs={"BASE_IMAGE": settings.base_image},
            network_mode=settings.build_network or None,
            labels={LABEL: "1"},
            rm=True,
            forcerm=True,
            decode=True,
        )
        _follow(steps, notice)
    notice(f"the sandbox image is ready: {name}")


def _follow(steps: Iterable[dict[str, Any]], notice: Callable[[str], None]) -> None:
    """Tells the build's steps. Raises NoSandbox with the build's last words when it failed."""
    said: list[str] = []
    for step in steps:
        text = str(step.get("stream", "")).strip()
        if found := re.match(r"Step (\d+/\d+) : (.*)", text):
            notice(f"building the sandbox image, once: step {found[1]}: {' '.join(found[2].split())[:80]}")
        if text:
            said = [*said[-7:], text]
        if "error" in step:
            last = "\n  ".join(line[:200] for line in "\n".join(said).splitlines()[-8:])
            raise NoSandbox(
                f"the sandbox image could not be built: {str(step['error']).strip()}",
                f"the build said last:\n  {last}\n"
                "if it reached no package index: sandbox.build_network (or ECOASSIST_BUILD_NETWORK), for example host",
            )


def _tar(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed
