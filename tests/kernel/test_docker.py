"""Where the engine is, and what is said when it is not there."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from docker.credentials.errors import InitializationError

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import connect, endpoint, translated
from ecoassist.kernel.settings import BoxSettings


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder of docker's configuration with one context, "remote", which is the current one."""
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "remote"}))
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"remote").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": "remote", "Endpoints": {"docker": {"Host": "unix:///run/remote.sock"}}}))
    return tmp_path


def test_docker_host_goes_before_the_context(config: Path) -> None:
    assert endpoint(BoxSettings(docker_host="tcp://h:1", docker_config=str(config))) == "tcp://h:1"


def test_the_current_context_goes_before_the_default_socket(config: Path) -> None:
    assert endpoint(BoxSettings(docker_config=str(config))) == "unix:///run/remote.sock"
    assert endpoint(BoxSettings(docker_config=str(config), docker_context="default")) == "unix:///var/run/docker.sock"


def test_without_a_configuration_it_is_the_default_socket(tmp_path: Path) -> None:
    assert endpoint(BoxSettings(docker_config=str(tmp_path / "none"))) == "unix:///var/run/docker.sock"


def test_a_context_that_does_not_exist_is_named(config: Path) -> None:
    with pytest.raises(NoSandbox, match="'elsewhere'"):
        endpoint(BoxSettings(docker_config=str(config), docker_context="elsewhere"))


def test_a_configuration_that_is_not_json_is_named(config: Path) -> None:
    (config / "config.json").write_text("{")
    with pytest.raises(NoSandbox, match=r"config\.json"):
        endpoint(BoxSettings(docker_config=str(config)))


@pytest.mark.parametrize("meta", ["null", "[]", "{}", '{"Endpoints": null}', '{"Endpoints": {"docker": []}}'])
def test_a_context_of_another_shape_has_no_endpoint(config: Path, meta: str) -> None:
    next(config.rglob("meta.json")).write_text(meta)
    with pytest.raises(NoSandbox, match="'remote' has no endpoint"):
        endpoint(BoxSettings(docker_config=str(config)))


def test_a_context_whose_name_is_no_text_does_not_exist(config: Path) -> None:
    (config / "config.json").write_text('{"currentContext": 5}')
    with pytest.raises(NoSandbox, match="'5' has no endpoint"):
        endpoint(BoxSettings(docker_config=str(config)))


def test_a_missing_credential_helper_is_named_and_so_is_the_way_out() -> None:
    with pytest.raises(NoSandbox, match="no image: docker-credential-desktop") as failure, translated("no image"):
        raise InitializationError("docker-credential-desktop.exe not installed or not available in PATH")
    assert "credsStore" in failure.value.remedy


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, who may open everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_nothing_listening_names_the_address_and_how_to_go_on(short: Path) -> None:
    with pytest.raises(NoSandbox, match=r"no Docker engine answers at unix:///.*/none\.sock") as failure:
        connect(BoxSettings(docker_host=f"unix://{short}/none.sock"))
    assert "--unsafe-local" in failure.value.remedy
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoSandbox, match="no Docker engine answers"):
        connect(BoxSettings(docker_host=f"tcp://127.0.0.1:{port}"))


def test_a_socket_we_may_not_open_has_its_own_remedy(short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/shut.sock")
        server.listen()
        os.chmod(f"{short}/shut.sock", 0o000)
        with as_nobody(), pytest.raises(NoSandbox, match="permission") as failure:
            connect(BoxSettings(docker_host=f"unix://{short}/shut.sock"))
    assert "docker group" in failure.value.remedy


def test_an_address_of_another_kind_is_refused() -> None:
    with pytest.raises(NoSandbox, match="ssh:// addresses are not supported"):
        connect(BoxSettings(docker_host="ssh://host"))


def test_something_that_is_no_engine_is_told_from_no_engine(short: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{short}/other.sock")
        server.listen(8)
        server.settimeout(10)

        def hang_up() -> None:
            for _ in range(2):  # the probe, then the first request
                server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NoSandbox, match="the Docker engine failed"):
            connect(BoxSettings(docker_host=f"unix://{short}/other.sock"))
        thread.join()


@pytest.mark.docker
def test_an_engine_that_answers_knows_its_architecture(box_settings: BoxSettings) -> None:
    engine = connect(box_settings)
    assert engine.arch() in ("amd64", "arm64")
    engine.close()


@pytest.mark.docker
def test_what_the_engine_refuses_is_a_sandbox_failure(box_settings: BoxSettings) -> None:
    engine = connect(box_settings)
    try:
        with pytest.raises(NoSandbox, match=r"could not be created.*No such image"):
            engine.create("ecoassist-sandbox:neverbuilt", box_settings, {})
        engine.remove("no-such-container")
    finally:
        engine.close()
