from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.image.recipe import context, recipe, tag
from ecoassist.kernel.settings import BASE_IMAGE, BoxSettings


def test_the_recipe_is_the_dockerfile_and_the_sandbox_folder_and_nothing_else() -> None:
    files = recipe()
    assert {
        "Dockerfile",
        "sandbox/requirements/core.txt",
        "sandbox/requirements/data.txt",
    } <= set(files)
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


def test_of_the_requirements_only_those_of_the_flavour_count() -> None:
    files, core, data = recipe(), BoxSettings(), BoxSettings(flavour="data")
    newer = {**files, "sandbox/requirements/data.txt": b"numpy==9", "sandbox/requirements/core.in": b"numpy"}
    assert tag(files, core, "amd64") == tag(newer, core, "amd64")
    assert tag(files, data, "amd64") != tag(newer, data, "amd64")
    assert {name for name in context(files, data) if "requirements" in name} == {"sandbox/requirements/data.txt"}
    assert set(context(files, core)) - set(context(files, data)) == {"sandbox/requirements/core.txt"}


def test_the_name_changes_with_whatever_the_image_is_made_of() -> None:
    files, settings = {"Dockerfile": b"FROM x", "sandbox/relay/loop.py": b"1"}, BoxSettings()
    names = [
        tag(files, settings, "amd64"),
        tag(files, settings, "arm64"),
        tag(files, replace(settings, base_image="other"), "amd64"),
        tag(files, replace(settings, build_network="host"), "amd64"),
        tag(files, replace(settings, flavour="data"), "amd64"),
        tag({**files, "sandbox/relay/loop.py": b"2"}, settings, "amd64"),
        tag({**files, "sandbox/more.py": b""}, settings, "amd64"),
    ]
    assert len(set(names)) == len(names)
    same = replace(settings, memory="2g", cpus=2.0, proxies={"HTTPS_PROXY": "http://proxy.invalid:1"})
    assert names[0] == tag(dict(reversed(files.items())), same, "amd64")
    assert all(len(name.removeprefix("ecoassist-sandbox:")) == 12 for name in names)


def test_the_default_base_image_is_the_dockerfile_s() -> None:
    assert f"ARG BASE_IMAGE={BASE_IMAGE}\n" in recipe()["Dockerfile"].decode()


def test_the_dockerfile_declares_no_proxy() -> None:
    """An engine keeps undeclared ones out of the image's history; a declared one would be in it with its password."""
    assert "proxy" not in recipe()["Dockerfile"].decode().lower()
