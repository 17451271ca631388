"""`ecoassist sandbox`: the image of the sandbox, and a look inside."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from .common import ConfigOption, FileOption, FlavourOption, load_config, redacted, reporting

if TYPE_CHECKING:
    from pathlib import Path

    from ecoassist.kernel.docker import Engine
    from ecoassist.kernel.settings import BoxSettings, Flavour

app = typer.Typer(
    help="The sandbox that code runs in: its image, and a shell.", no_args_is_help=True, rich_markup_mode=None
)
BaseImage = Annotated[
    str | None,
    typer.Option("--base-image", metavar="IMAGE", help="What the image is built on. [env: ECOASSIST_BASE_IMAGE]"),
]


@app.command()
def build(
    flavour: FlavourOption = None,
    base_image: BaseImage = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build in any case, and repeat every step.")] = False,
    config: ConfigOption = None,
) -> None:
    """Build the image now, unless it is there. The first question would do it otherwise."""
    from ecoassist.kernel.image.image import ensure

    with reporting(), _engine(config, flavour, base_image) as (engine, settings), telling() as notice:
        typer.echo(ensure(engine, settings, notice, rebuild=rebuild))


@app.command("list")
def list_(config: ConfigOption = None) -> None:
    """List the images: name, flavour, size, age, whether it is the current one or in use, base image."""
    from ecoassist.kernel.image.build import size_of
    from ecoassist.kernel.image.prune import images
    from ecoassist.render.plain import plain

    with reporting(), _engine(config) as (engine, settings):
        found, current = images(engine), _current(engine, settings)
        for image in found:
            state = ", ".join([*(["current"] if image.tag in current else []), *(["in use"] if image.used else [])])
            size, age = size_of(image.size), _age(image.created)
            line = f"{image.name:<30}  {image.flavour:<5} {size:>7}  {age:<11} {state:<16} {image.base}"
            typer.echo(plain(line).rstrip())
        if not found:
            typer.echo("no images yet: ecoassist sandbox build", err=True)


@app.command()
def clean(
    all: Annotated[bool, typer.Option("--all", help="Remove the current images too.")] = False,
    config: ConfigOption = None,
) -> None:
    """Remove old images, and containers and folders that a crash left behind. What is in use stays."""
    from ecoassist.kernel.image.build import size_of
    from ecoassist.kernel.image.prune import images, remove
    from ecoassist.kernel.reaper import clean as reap

    with reporting(), _engine(config) as (engine, settings):
        reaped = reap(engine)
        kept = set() if all else _current(engine, settings)
        old = [image for image in images(engine) if image.tag not in kept]
        for image in (image for image in old if image.used):
            say(f"{image.name} stays: a container needs it")
        gone, freed = remove(engine, [image for image in old if not image.used], say)
        counts = _count(reaped.containers, "container"), _count(reaped.folders, "folder"), _count(gone, "image")
        say(f"removed {counts[0]}, {counts[1]} and {counts[2]}: {size_of(freed + reaped.bytes)} freed")
        if reaped.left:
            say(f"in use or made elsewhere, and not touched: {reaped.left}")


@app.command()
def shell(
    file: FileOption = None, flavour: FlavourOption = None, base_image: BaseImage = None, config: ConfigOption = None
) -> None:
    """Open a shell in a fresh sandbox as code gets it, with its limits, its packages and its way to the network.

    Without a terminal it runs what comes from stdin. The exit code is the shell's.
    """
    from ecoassist.sandboxes import Sandboxes

    from .files import attachments
    from .terminal import is_terminal, join

    with reporting():
        settings = load_config(config, flavour=flavour, base_image=base_image)
        terminal = is_terminal()
        attached = attachments(file or [], None)
        with telling() as notice:
            opened = Sandboxes(settings, notice, attached).shell(terminal=terminal)
        try:
            join(opened, terminal=terminal)
            code = opened.exit_code()
        finally:
            opened.close()
        raise typer.Exit(code)


@contextmanager
def _engine(
    config: Path | None, flavour: Flavour | None = None, base_image: str | None = None
) -> Iterator[tuple[Engine, BoxSettings]]:
    from ecoassist.kernel.docker import connect
    from ecoassist.sandboxes import box_settings

    settings = box_settings(load_config(config, flavour=flavour, base_image=base_image))
    with closing(connect(settings)) as engine:
        yield engine, settings


def _current(engine: Engine, settings: BoxSettings) -> set[str]:
    """The names of the images that this version would use, of every flavour."""
    from dataclasses import replace
    from typing import get_args

    from ecoassist.kernel.image.recipe import recipe, tag
    from ecoassist.kernel.settings import Flavour

    files, arch = recipe(), engine.arch()
    return {tag(files, replace(settings, flavour=flavour), arch) for flavour in get_args(Flavour)}


@contextmanager
def telling() -> Iterator[Callable[[str], None]]:
    """How a build goes on: in a terminal one line that changes, elsewhere lines."""
    if not sys.stderr.isatty():
        yield say
        return
    from rich.console import Console
    from rich.text import Text

    from ecoassist.kernel.image.build import DOING
    from ecoassist.render.plain import one_line

    with Console(stderr=True).status("") as status:

        def notice(text: str) -> None:
            shown = Text(one_line(redacted(text)), no_wrap=True, overflow="ellipsis")
            if text.startswith(DOING):
                status.update(shown)
            else:
                status.console.print(shown)

        yield notice


def say(text: str) -> None:
    from ecoassist.render.plain import one_line

    typer.echo(one_line(redacted(text)), err=True)


def _age(created: float, now: Callable[[], float] = time.time) -> str:
    seconds = max(0.0, now() - created)
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return _count(int(seconds // length), name)
    return _count(int(seconds), "second")


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
