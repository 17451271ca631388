"""One build of the sandbox image, and how it goes on: steps, pulls, sizes, time."""

from __future__ import annotations

import io
import re
import tarfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import Engine, translated
from ecoassist.kernel.settings import BoxSettings

DOING = "building the sandbox image, once"
SILENCE = 10.0
"""Seconds after which a step that takes long is told of again."""
NOTE = "note: "
"""Begins what a step of the Dockerfile has to say to the person."""
PULL_SECONDS = 3.0
"""Between two words on how far a pull is."""


def build(
    engine: Engine,
    settings: BoxSettings,
    files: dict[str, bytes],
    name: str,
    labels: Mapping[str, str],
    notice: Callable[[str], None],
    *,
    rebuild: bool = False,
) -> None:
    """Builds the image `name` from `files`. `notice` is told how it goes on, from any thread.

    Raises NoSandbox with the build's last words.
    """
    began = time.monotonic()
    proxies = reachable(settings, notice)
    packed = _tar(files)
    with translated("the sandbox image could not be built"), Progress(notice) as progress:
        progress.tell(f"sending {size_of(len(packed.getvalue()))} to the engine")
        steps = engine.api.build(
            fileobj=packed,
            custom_context=True,
            tag=name,
            # docker knows the names of proxies: it keeps them out of the history, and out of the key of its cache
            buildargs={**proxies, "BASE_IMAGE": settings.base_image, "FLAVOUR": settings.flavour},
            network_mode=settings.build_network or None,
            labels=dict(labels),
            nocache=rebuild,
            rm=True,
            forcerm=True,
            decode=True,
        )
        follow(steps, progress, proxies.values())
        size = engine.api.inspect_image(name)["Size"]  # type: ignore[no-untyped-call]
    notice(f"the sandbox image is ready: {name}, {size_of(size)}, {time.monotonic() - began:.0f} s")


def reachable(settings: BoxSettings, notice: Callable[[str], None]) -> dict[str, str]:
    """The proxies of the host that a build can use. One on the host's own loopback needs the host's network."""
    if settings.build_network == "host":
        return dict(settings.proxies)
    found, told = {}, set()
    for name, value in settings.proxies.items():
        where = _location(value)
        if name.lower() == "no_proxy" or not where.startswith(("localhost", "127.", "[::1]")):
            found[name] = value
        elif where not in told:
            told.add(where)
            notice(
                f"the image is built without the proxy {where} ({name}): this machine's own addresses are out of reach "
                'for a build. If it needs the proxy: sandbox.build_network = "host" (or ECOASSIST_BUILD_NETWORK=host)'
            )
    return found


def _location(url: str) -> str:
    """Host and port of a proxy, without the password that may stand before them."""
    return _netloc(url).rpartition("@")[2].lower()


def _netloc(url: str) -> str:
    return urlsplit(url if "://" in url else f"http://{url}").netloc


def size_of(count: float) -> str:
    """Bytes as docker counts them: 1 MB is 1,000,000."""
    return (
        f"{count / 1e6:.0f} MB"
        if count >= 1e7
        else f"{count / 1e6:.1f} MB"
        if count >= 1e6
        else f"{count / 1e3:.0f} kB"
    )


class Progress:
    """Tells what is being done and the seconds since the beginning, and tells it again when it takes long."""

    def __init__(
        self, notice: Callable[[str], None], silence: float = SILENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._notice, self._silence, self.clock = notice, silence, clock
        self._began = self.told = clock()
        self._step = self._last = ""
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="build-progress", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()

    def tell(self, step: str, doing: str = "") -> None:
        """A step begins."""
        with self._lock:
            self._step, self._last = step, ""
            self._say(doing)

    def note(self, last: str) -> None:
        """What the step said last: shown when it is told of again."""
        with self._lock:
            self._last = last

    def _watch(self) -> None:
        while not self._end.wait(self._silence / 20):
            with self._lock:
                if self._step and self.clock() - self.told >= self._silence:
                    self._say("still at it" + (f": {self._last}" if self._last else ""))

    def _say(self, doing: str) -> None:
        self.told = self.clock()
        text = ": ".join(filter(None, (DOING, self._step, doing)))
        self._notice(f"{text} ({self.told - self._began:.0f} s)")


def follow(steps: Iterable[dict[str, Any]], progress: Progress, secrets: Iterable[str] = ()) -> None:
    """Tells the build's steps and pulls. Raises NoSandbox with the build's last words when it failed.

    `secrets`: proxies, whose passwords are kept out of all that is told.
    """
    passwords = [userinfo for url in secrets if (userinfo := _netloc(url).rpartition("@")[0])]
    said: list[str] = []
    pull = Pull(progress)
    for step in steps:
        text = _masked(str(step.get("stream", "")).strip(), passwords)
        if found := re.match(r"Step (\d+/\d+) : ((?:FROM|COPY|ADD|RUN) .*)", text):  # the others take no time
            progress.tell(f"step {found[1]}", shortened(found[2]))
        elif text.startswith(NOTE):
            progress.tell(text.removeprefix(NOTE))
        elif text and not text.startswith(("Step ", "--->", "Removing intermediate")):
            progress.note(shortened(text.splitlines()[-1]))
        if text:
            said = [*said[-7:], text]
        if "status" in step:
            pull.take(step)
        if "error" in step:
            last = "\n  ".join(line[:200] for line in "\n".join(said).splitlines()[-8:])
            raise NoSandbox(
                f"the sandbox image could not be built: {_masked(str(step['error']).strip(), passwords)}",
                f"the build said last:\n  {last}\n"
                "if it reached no package index: sandbox.build_network (or ECOASSIST_BUILD_NETWORK), for example host",
            )


def shortened(text: str) -> str:
    return textwrap.shorten(text, 80, placeholder=" ...")


def _masked(text: str, passwords: Iterable[str]) -> str:
    for password in passwords:
        text = text.replace(password, "***")
    return text


class Pull:
    """How much of the base image has come. The engine tells it layer by layer."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._layers: dict[str, tuple[int, int]] = {}
        self._told = -PULL_SECONDS

    def take(self, step: Mapping[str, Any]) -> None:
        status, layer, detail = str(step["status"]), str(step.get("id", "")), step.get("progressDetail") or {}
        if status == "Downloading" and detail.get("total"):
            self._layers[layer] = int(detail.get("current", 0)), int(detail["total"])
        elif status in ("Download complete", "Pull complete") and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1],) * 2
        elif status.startswith("Status: Downloaded"):
            self._progress.tell("the base image has come", self._sum(1))
            return
        if self._layers and self._progress.clock() - self._told >= PULL_SECONDS:
            self._told = self._progress.clock()
            self._progress.tell("pulling the base image", f"{self._sum(0)} of {self._sum(1)}")

    def _sum(self, which: int) -> str:
        return size_of(sum(layer[which] for layer in self._layers.values()))


def _tar(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    return packed
