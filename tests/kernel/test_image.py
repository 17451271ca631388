from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from ecoassist import __version__
from ecoassist.errors import NoSandbox
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.image.image import _lock_file, ensure
from ecoassist.kernel.image.prune import Image, images, remove_replaced
from ecoassist.kernel.image.recipe import labels
from ecoassist.kernel.settings import BoxSettings

pytestmark = pytest.mark.docker
TINY = b"ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY sandbox /made\n"


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture
def apart(box_settings: BoxSettings, engine: Engine) -> Iterator[BoxSettings]:
    """Settings whose base image has a name of its own, so that nobody else's images are touched."""
    repository = f"ecoassist-test-{hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:12]}"
    ensure(engine, box_settings, print)
    engine.api.tag(box_settings.base_image, repository)
    settings = replace(box_settings, base_image=f"{repository}:latest")
    yield settings
    for image in made_with(engine, settings):
        engine.api.remove_image(image.tag or image.id)
    engine.api.remove_image(settings.base_image)


def made_with(engine: Engine, settings: BoxSettings) -> list[Image]:
    return [image for image in images(engine) if image.base == settings.base_image]


def tiny(content: str = "") -> dict[str, bytes]:
    """An image that is made in a second."""
    return {"Dockerfile": TINY, "sandbox/relay/loop.py": content.encode()}


def test_an_image_that_is_there_is_found_without_a_word(box_settings: BoxSettings, engine: Engine) -> None:
    told: list[str] = []
    name = ensure(engine, box_settings, told.append)
    assert engine.has_image(name)
    assert told == []


def test_an_image_that_is_not_there_is_built_and_each_step_is_told(apart: BoxSettings, engine: Engine) -> None:
    told: list[str] = []
    name = ensure(engine, apart, told.append, tiny())
    (image,) = made_with(engine, apart)
    assert image.tag == name
    assert image.labels == labels(apart)
    assert image.labels.keys() >= {"ecoassist.image", "ecoassist.flavour", "ecoassist.build-network"}
    assert (image.flavour, image.version, image.used) == ("core", __version__, False)
    assert "sending" in told[0]
    assert " kB to the engine" in told[0]
    assert any("step 3/" in line and "COPY sandbox /made" in line for line in told)
    assert told[-1].startswith(f"the sandbox image is ready: {name}, ")
    assert told[-1].endswith(" s")
    assert " MB, " in told[-1]


def test_a_rebuild_repeats_every_step_and_leaves_no_image_without_a_name(apart: BoxSettings, engine: Engine) -> None:
    name = ensure(engine, apart, print, tiny())
    (first,) = made_with(engine, apart)
    told: list[str] = []
    assert ensure(engine, apart, told.append, tiny(), rebuild=True) == name
    (second,) = made_with(engine, apart)
    assert second.tag == name
    assert second.id != first.id
    assert any(line.startswith("removed the image") and line.endswith(" freed") for line in told)


def test_an_upgrade_removes_what_it_replaces_unless_it_is_young_or_used(apart: BoxSettings, engine: Engine) -> None:
    told: list[str] = []
    old = ensure(engine, apart, print, tiny("1" * 300_000))
    data = ensure(engine, replace(apart, flavour="data"), print, tiny("1"))
    new = ensure(engine, apart, told.append, tiny("2"))
    assert {image.tag for image in made_with(engine, apart)} == {old, data, new}  # another process may just need it

    def later() -> set[str]:
        remove_replaced(engine, new, labels(apart), told.append, now=lambda: time.time() + 7200)
        return {image.tag for image in made_with(engine, apart)}

    container = engine.api.create_container(old, "true")["Id"]
    try:
        assert later() == {old, data, new}
    finally:
        engine.remove(container)
    assert not any("removed" in line for line in told)
    assert later() == {data, new}
    assert told[-1] == f"removed the image {old}: 300 kB freed"


def test_a_container_whose_image_was_removed_meanwhile_gets_it_made_anew(
    apart: BoxSettings, engine: Engine, soon: Callable[[Callable[[], bool]], bool]
) -> None:
    containers = Containers(apart)
    name = containers.prepare()
    engine.api.remove_image(name)
    containers.launch().stream.close()
    assert engine.has_image(name)
    assert soon(lambda: not any(image.used for image in made_with(engine, apart)))


def test_two_that_want_the_same_image_build_it_once(apart: BoxSettings, engine: Engine) -> None:
    waits, told = threading.Event(), []

    def second() -> None:
        def notice(text: str) -> None:
            told.append(text)
            waits.set()

        with closing(connect(apart)) as other:
            told.append(ensure(other, apart, notice, tiny()))

    thread = threading.Thread(target=second)

    def notice(text: str) -> None:
        if "step" in text and not thread.ident:
            thread.start()
            assert waits.wait(15)

    name = ensure(engine, apart, notice, tiny())
    thread.join(15)
    assert told == ["another process builds the sandbox image: waiting for it", name]


def test_a_lock_is_only_made_in_a_folder_that_nobody_else_can_write(tmp_path: Path) -> None:
    def in_a(folder: str) -> Path | None:
        base = tmp_path / folder
        base.mkdir()
        ours = base / f"ecoassist-{os.getuid()}"
        if folder == "link":
            (base / "elsewhere").mkdir(mode=0o700)
            ours.symlink_to(base / "elsewhere")
        elif folder == "file":
            ours.touch()
        elif folder == "shared":
            ours.mkdir()
            ours.chmod(0o777)
        return _lock_file("x", base)

    assert in_a("empty") == tmp_path / "empty" / f"ecoassist-{os.getuid()}" / "x.lock"
    assert [in_a(folder) for folder in ("link", "file", "shared")] == [None, None, None]


class Registry(ThreadingHTTPServer):
    """Has one image with one layer, of which it sends the second half when `more` is set."""

    def __init__(self, engine: Engine) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            entry = tarfile.TarInfo("noise")
            entry.size = 8_000_000
            tar.addfile(entry, io.BytesIO(Random(1).randbytes(entry.size)))
        layer = packed.getvalue()
        config = {
            "architecture": engine.arch(),
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
        }
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        inside = json.dumps(config).encode()
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": blob("application/vnd.docker.container.image.v1+json", inside),
            "layers": [blob("application/vnd.docker.image.rootfs.diff.tar", layer)],
        }
        self.blobs = {digest(inside): inside, digest(layer): layer}
        self.manifest, self.kind = json.dumps(manifest).encode(), kind
        self.more = threading.Event()
        super().__init__(("127.0.0.1", 0), Answer)


class Answer(BaseHTTPRequestHandler):
    server: Registry

    def do_GET(self) -> None:
        server = self.server
        body = b"{}" if self.path == "/v2/" else server.blobs.get(self.path.rpartition("/")[2], server.manifest)
        self.send_response(200)
        self.send_header("Content-Type", server.kind)
        self.send_header("Docker-Content-Digest", digest(body))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            half = len(body) // 2
            self.wfile.write(body[:half])
            assert half < 10_000 or server.more.wait(15)
            self.wfile.write(body[half:])

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": digest(content)}


def test_a_base_image_that_has_to_come_first_tells_how_much_of_it_has_come(
    box_settings: BoxSettings, engine: Engine
) -> None:
    registry = Registry(engine)
    threading.Thread(target=registry.serve_forever, daemon=True).start()
    settings = replace(box_settings, base_image=f"127.0.0.1:{registry.server_address[1]}/noise:1")
    told: list[str] = []

    def notice(text: str) -> None:
        told.append(text)
        if "pulling" in text:
            registry.more.set()

    try:
        ensure(engine, settings, notice, {"Dockerfile": TINY, "sandbox/relay/loop.py": b""})
    finally:
        registry.shutdown()
        registry.server_close()
        for image in made_with(engine, settings):
            engine.api.remove_image(image.tag)
        if engine.has_image(settings.base_image):
            engine.api.remove_image(settings.base_image)
    assert any("pulling the base image: " in line and " of 8.0 MB (" in line for line in told), told
    assert any("the base image has come: 8.0 MB (" in line for line in told), told


def test_a_base_image_that_nobody_has_is_told_at_once(box_settings: BoxSettings, engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(NoSandbox, match=r"registry\.invalid/nobody") as failure:
        ensure(engine, replace(box_settings, base_image="registry.invalid/nobody/has:this"), lambda line: None)
    assert time.monotonic() - began < 20
    assert "ECOASSIST_BASE_IMAGE" in failure.value.remedy


def test_a_registry_that_never_answers_is_given_up(box_settings: BoxSettings, engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"127.0.0.1:{silent.getsockname()[1]}/nobody/has:this"
        with pytest.raises(NoSandbox, match="within 1 s"):
            ensure(engine, replace(box_settings, base_image=base, registry_seconds=1), lambda line: None)
    assert engine.api.timeout == 30


@pytest.mark.filterwarnings("ignore:docker-credential-nowhere")
@pytest.mark.parametrize("base", ["registry.invalid/nobody/has:this", ""], ids=["looking for the base", "building"])
def test_a_credential_helper_that_is_not_there_is_named(
    box_settings: BoxSettings, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "nowhere"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    settings = replace(box_settings, base_image=base or box_settings.base_image)
    with closing(connect(settings)) as engine, pytest.raises(NoSandbox, match="docker-credential-nowhere") as failure:
        ensure(engine, settings, lambda line: None, {"Dockerfile": b"FROM scratch\n"})
    assert "credsStore" in failure.value.remedy
