"""The sandbox images that an engine has, and the removal of old ones: never by force, never one that is in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import Engine, translated

from .build import size_of
from .recipe import BASE, FLAVOUR, LABEL, NAME, NETWORK, VERSION

GRACE_SECONDS = 3600.0
"""A younger image is not replaced: another process may have built it and be about to use it."""


@dataclass(frozen=True, slots=True)
class Image:
    """A sandbox image of an engine."""

    id: str
    tag: str
    """Empty: a later build took its name."""
    labels: Mapping[str, str]
    size: int
    """Bytes. Images share layers, so that the sum is more than what they take."""
    created: float
    """Seconds since the epoch; 0 where the engine does not tell."""
    used: bool
    """A container, which may have ended, needs it."""

    @property
    def name(self) -> str:
        return self.tag or self.id.removeprefix("sha256:")[:12]

    @property
    def flavour(self) -> str:
        return self.labels.get(FLAVOUR, "core")

    @property
    def base(self) -> str:
        return self.labels.get(BASE, "")

    @property
    def version(self) -> str:
        return self.labels.get(VERSION, "")


def images(engine: Engine) -> list[Image]:
    """The newest first. Raises NoSandbox."""
    with translated():
        rows = engine.api.images(filters={"label": LABEL})
        needed = {row["ImageID"] for row in engine.api.containers(all=True)}
    found = []
    for row in rows:
        tags = [name for name in row["RepoTags"] or [] if name != "<none>:<none>"]
        # one that has only names that a person gave it is that person's; without any name, a later build took it
        for tag in [name for name in tags if name.startswith(f"{NAME}:")] or ([] if tags else [""]):
            used = row["Id"] in needed
            found.append(Image(row["Id"], tag, row["Labels"] or {}, int(row["Size"]), float(row["Created"]), used))
    return sorted(found, key=lambda image: -image.created)


def remove(engine: Engine, old: Iterable[Image], notice: Callable[[str], None]) -> tuple[int, int]:
    """Removes images one by one and tells it. What cannot be removed stays. Returns how many went, and their bytes."""
    count, freed = 0, 0
    for image in old:
        try:
            size = _remove(engine, image)
        except NoSandbox:
            continue  # in use by now, gone already, or another image is made from it
        notice(f"removed the image {image.name}: {size_of(size)} freed")
        count, freed = count + 1, freed + size
    return count, freed


def remove_replaced(
    engine: Engine,
    name: str,
    labels: Mapping[str, str],
    notice: Callable[[str], None],
    now: Callable[[], float] = time.time,
) -> None:
    """Removes what the image `name` replaces: images of the same flavour, base image and build network."""
    same = (FLAVOUR, BASE, NETWORK)
    try:
        found = images(engine)
    except NoSandbox:
        return  # the next build tries again
    replaced = (
        image
        for image in found
        if all(image.labels.get(label) == labels[label] for label in same)
        and image.tag != name
        and not image.used
        and (not image.tag or now() - image.created > GRACE_SECONDS)
    )
    remove(engine, replaced, notice)


def _remove(engine: Engine, image: Image) -> int:
    """Bytes of the layers that went with it. Raises NoSandbox."""
    name = image.tag or image.id
    with translated(f"the image {name} could not be removed"):
        layers = {row["Id"]: int(row["Size"]) for row in engine.api.history(name)}  # type: ignore[no-untyped-call]
        gone = engine.api.remove_image(name)
    return sum(layers.get(row.get("Deleted", ""), 0) for row in gone)
