from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.image import _follow, ensure, recipe, tag
from ecoassist.kernel.settings import BASE_IMAGE, BoxSettings


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


def test_the_recipe_is_the_dockerfile_and_the_sandbox_folder_and_nothing_else() -> None:
    files = recipe()
    assert {"Dockerfile", "sandbox/relay.py", "sandbox/sitecustomize.py", "sandbox/requirements/core.txt"} <= set(files)
    assert {name.split("/")[0] for name in files} == {"Dockerfile", "sandbox"}
    assert not any(name.endswith(".pyc") for name in files)


def test_an_installed_package_finds_the_recipe_inside_itself(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "ecoassist"
    for name, content in recipe().items():
        (package / "_image" / name).parent.mkdir(parents=True, exist_ok=True)
        (package / "_image" / name).write_bytes(content)
    assert recipe(package) == recipe()


def test_a_package_without_the_recipe_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoSandbox, match="missing"):
        recipe(tmp_path / "site-packages" / "ecoassist")


def test_the_name_changes_with_whatever_the_image_is_made_of() -> None:
    files, settings = {"Dockerfile": b"FROM x", "sandbox/relay.py": b"1"}, BoxSettings()
    names = [
        tag(files, settings, "amd64"),
        tag(files, settings, "arm64"),
        tag(files, replace(settings, base_image="other"), "amd64"),
        tag(files, replace(settings, build_network="host"), "amd64"),
        tag({**files, "sandbox/relay.py": b"2"}, settings, "amd64"),
        tag({**files, "sandbox/more.py": b""}, settings, "amd64"),
    ]
    assert len(set(names)) == len(names)
    assert names[0] == tag(dict(reversed(files.items())), replace(settings, memory="2g", cpus=2.0), "amd64")
    assert all(len(name.removeprefix("ecoassist-sandbox:")) == 12 for name in names)


def test_the_default_base_image_is_the_dockerfile_s() -> None:
    assert f"ARG BASE_IMAGE={BASE_IMAGE}\n" in recipe()["Dockerfile"].decode()


def test_a_build_tells_its_steps_and_its_failure_with_the_last_words() -> None:
    told: list[str] = []
    with pytest.raises(NoSandbox, match="returned a non-zero code: 1") as failure:
        _follow(
            [
                {"stream": "Step 1/2 : FROM x\n"},
                {"stream": "\n"},
                {"stream": "Step 2/2 : RUN pip install \\\n  y\n"},
                {"stream": "ERROR: no matching distribution\n"},
                {"errorDetail": {"code": 1}, "error": "The command returned a non-zero code: 1"},
            ],
            told.append,
        )
    assert [line.partition("step ")[2] for line in told] == ["1/2: FROM x", "2/2: RUN pip install \\"]
    assert "no matching distribution" in failure.value.remedy
    assert "ECOASSIST_BUILD_NETWORK" in failure.value.remedy


@pytest.mark.docker
def test_an_image_that_is_there_is_found_without_a_word(box_settings: BoxSettings, engine: Engine) -> None:
    told: list[str] = []
    name = ensure(engine, box_settings, told.append)
    assert engine.has_image(name)
    assert told == []


@pytest.mark.docker
def test_an_image_that_is_not_there_is_built_and_each_step_is_told(box_settings: BoxSettings, engine: Engine) -> None:
    base = ensure(engine, box_settings, print)
    alias = f"ecoassist-test-{hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:12]}:latest"
    engine.api.tag(base, alias.removesuffix(":latest"))
    told: list[str] = []
    files = {"Dockerfile": b"ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY sandbox /made\n", "sandbox/relay.py": b""}
    settings, name = replace(box_settings, base_image=alias), ""
    try:
        name = ensure(engine, settings, told.append, files)
        assert engine.has_image(name)
        assert engine.api.inspect_image(name)["Config"]["Labels"] == {"ecoassist.image": "1"}  # type: ignore[no-untyped-call]
    finally:
        for image in filter(None, (name, alias)):
            engine.api.remove_image(image)
    assert "step 3/" in "".join(told)
    assert told[-1].endswith(name)


@pytest.mark.docker
def test_a_base_image_that_nobody_has_is_told_at_once(box_settings: BoxSettings, engine: Engine) -> None:
    began = time.monotonic()
    with pytest.raises(NoSandbox, match=r"registry\.invalid/nobody") as failure:
        ensure(engine, replace(box_settings, base_image="registry.invalid/nobody/has:this"), lambda line: None)
    assert time.monotonic() - began < 20
    assert "ECOASSIST_BASE_IMAGE" in failure.value.remedy


@pytest.mark.docker
def test_a_registry_that_never_answers_is_given_up(box_settings: BoxSettings, engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"127.0.0.1:{silent.getsockname()[1]}/nobody/has:this"
        with pytest.raises(NoSandbox, match="within 1 s"):
            ensure(engine, replace(box_settings, base_image=base, registry_seconds=1), lambda line: None)
    assert engine.api.timeout == 30


@pytest.mark.docker
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
