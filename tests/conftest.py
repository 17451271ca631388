"""Tests marked `docker` run in real containers. Where no engine answers, or it cannot make the image, they are skipped
and say why; with ECOASSIST_REQUIRE=docker they fail instead, so that a green run cannot mean that nothing ran.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.docker import connect
from ecoassist.kernel.image.image import ensure
from ecoassist.kernel.settings import BASE_IMAGE, BoxSettings

WHY_NOT = pytest.StashKey[str]()
"""What keeps this machine from starting sandboxes; empty when nothing does."""

PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
"""How long an example takes tells of the machine."""
hypothesis.settings.register_profile("same", PATIENT, derandomize=True)
hypothesis.settings.register_profile("new", PATIENT)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: what tests start would ignore Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.load_profile("same")  # whoever looks for new cases says --hypothesis-profile=new


def settings_of_the_environment() -> BoxSettings:
    """The engine and the base image that the environment names."""
    return BoxSettings(
        docker_host=os.environ.get("DOCKER_HOST", ""),
        docker_context=os.environ.get("DOCKER_CONTEXT", ""),
        docker_config=os.environ.get("DOCKER_CONFIG", ""),
        base_image=os.environ.get("ECOASSIST_BASE_IMAGE") or BASE_IMAGE,
        build_network=os.environ.get("ECOASSIST_BUILD_NETWORK", ""),
    )


@pytest.fixture(scope="session")
def box_settings() -> BoxSettings:
    return settings_of_the_environment()


@pytest.fixture(scope="session")
def docker_box(box_settings: BoxSettings) -> DockerBox:
    """For tests marked `docker`."""
    return DockerBox(box_settings)


@pytest.fixture(autouse=True)
def nobodys_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the configuration, the data or the keys of whoever runs it."""
    for name in [name for name in os.environ if name.startswith("OPENAI_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("ECOASSIST_CONFIG", raising=False)
    monkeypatch.setenv("ECOASSIST_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Makes the image before the first test: a build takes longer than a test may."""
    if session.config.option.collectonly or not any(item.get_closest_marker("docker") for item in session.items):
        return
    settings = settings_of_the_environment()
    try:
        with closing(connect(settings)) as engine:
            ensure(engine, settings, lambda line: print(line, file=sys.__stderr__))
        session.config.stash[WHY_NOT] = ""
    except NoSandbox as error:
        session.config.stash[WHY_NOT] = str(error)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") and (reason := item.config.stash[WHY_NOT]):
        if "docker" in os.environ.get("ECOASSIST_REQUIRE", "").split(","):
            pytest.fail(f"ECOASSIST_REQUIRE names docker, but: {reason}", pytrace=False)
        pytest.skip(reason)
