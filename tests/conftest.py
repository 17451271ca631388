"""Tests marked `docker` run in real containers, those marked `postgres` ask a real PostgreSQL server. Where no engine
answers or it cannot make the image, or where no server is installed, they are skipped and say why; with
ECOASSIST_REQUIRE=docker,postgres they fail instead, so that a green run cannot mean that nothing ran.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import hypothesis
import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.docker import connect
from ecoassist.kernel.image.image import ensure
from ecoassist.kernel.settings import BASE_IMAGE, BoxSettings
from tests import postgres as postgres_server

WHY_NOT = pytest.StashKey[dict[str, str]]()
"""By mark: what keeps this machine from running its tests; absent when nothing does."""

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[postgres_server.Server]:
    """For tests marked `postgres`: a server that runs."""
    server = postgres_server.Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def team_url(postgres: postgres_server.Server) -> str:
    """For tests marked `postgres`: a database without anything of ours."""
    return postgres.emptied()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Looks before the first test for what marks ask for; an image is made here: that takes longer than a test may."""
    session.config.stash[WHY_NOT] = reasons = dict[str, str]()
    if session.config.option.collectonly:
        return
    for mark, why_not in {"docker": why_no_sandbox, "postgres": postgres_server.why_not}.items():
        if any(item.get_closest_marker(mark) for item in session.items) and (reason := why_not()):
            reasons[mark] = reason


def why_no_sandbox() -> str:
    """What keeps this machine from starting sandboxes; empty when nothing does."""
    settings = settings_of_the_environment()
    try:
        with closing(connect(settings)) as engine:
            ensure(engine, settings, lambda line: print(line, file=sys.__stderr__))
    except NoSandbox as error:
        return str(error)
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark, reason in item.config.stash[WHY_NOT].items():
        if item.get_closest_marker(mark):
            if mark in os.environ.get("ECOASSIST_REQUIRE", "").split(","):
                pytest.fail(f"ECOASSIST_REQUIRE names {mark}, but: {reason}", pytrace=False)
            pytest.skip(reason)
