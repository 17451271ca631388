"""The container engine: where it is, and the few calls that a sandbox needs.

Failures are NoSandbox, each with its remedy.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ecoassist.errors import NoSandbox

from .settings import BoxSettings
from .sources import seccomp

if TYPE_CHECKING:
    from docker import APIClient

DEFAULT = "unix:///var/run/docker.sock"
HELPERS = "install that helper, or remove it from credsStore and credHelpers in docker's config.json"
HOME = "/home/sbx"
"""The kernel's working directory."""
RUN = "/run/eco"
"""Sockets and the CA certificate; not for the person's files."""
NAMES: dict[str, Any] = {
    "dns": ["127.0.0.1"],
    "dns_search": ["."],  # none; else the engine tells the container this machine's
    "sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
}
"""Settings of a container in which the relay answers for hosts; not every engine has those ports open to users."""


# ── where it is ─────────────────────────────────────────────────────────────────────────────────────────────────────


def endpoint(settings: BoxSettings) -> str:
    """DOCKER_HOST, else the endpoint of the docker context in force, else the default socket.

    Raises NoSandbox for a context that does not exist.
    """
    if settings.docker_host:
        return settings.docker_host
    folder = Path(settings.docker_config or os.path.expanduser("~/.docker"))
    name = str(settings.docker_context or _read(folder / "config.json").get("currentContext") or "default")
    if name == "default":
        return DEFAULT
    # docker names the folder of a context after the hash of its name
    meta = folder / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest() / "meta.json"
    host: Any = _read(meta)
    for key in ("Endpoints", "docker", "Host"):
        host = host.get(key) if isinstance(host, dict) else None
    if not host:
        raise NoSandbox(f"the docker context {name!r} has no endpoint", "choose another: docker context use default")
    return str(host)


def _read(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NoSandbox(f"cannot read {path}: {error}", "repair or remove that file") from error
    return body if isinstance(body, dict) else {}


def connect(settings: BoxSettings) -> Engine:
    """The engine at `endpoint(settings)`, which has answered. Raises NoSandbox."""
    url = endpoint(settings)
    _probe(url)
    with translated():
        from docker import APIClient

        return Engine(APIClient(base_url=url, version="auto", timeout=30))


def _probe(url: str) -> None:
    """Opens and closes a connection: tells "not there" from "not allowed" before the docker package blurs them."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(5)
                probe.connect(parts.path)
        elif parts.scheme in ("tcp", "http"):
            socket.create_connection((parts.hostname or "localhost", parts.port or 2375), timeout=5).close()
        else:
            raise NoSandbox(
                f"engines at {parts.scheme}:// addresses are not supported ({url})",
                "set DOCKER_HOST to a unix:// or tcp:// address; on Windows run ecoassist inside WSL",
            )
    except PermissionError as error:
        raise NoSandbox(
            f"no permission to use the Docker engine at {url}",
            "join the docker group (sudo usermod -aG docker $USER, then log in again) or use rootless Docker",
        ) from error
    except (OSError, ValueError) as error:
        raise NoSandbox(
            f"no Docker engine answers at {url} ({error})",
            "start Docker, or point DOCKER_HOST at a running engine; ask and chat can do without: --unsafe-local",
        ) from error


@contextmanager
def translated(what: str = "the Docker engine failed") -> Iterator[None]:
    """Turns what the docker package raises into NoSandbox."""
    from docker.credentials.errors import StoreError
    from docker.errors import APIError, DockerException
    from requests import RequestException

    try:
        yield
    except APIError as error:
        raise NoSandbox(f"{what}: {error.explanation or error}", "see: docker info") from error
    except (DockerException, StoreError, RequestException, OSError) as error:
        remedy = HELPERS if "docker-credential" in str(error) else "see: docker info"
        raise NoSandbox(f"{what}: {error}", remedy) from error


# ── what it does ────────────────────────────────────────────────────────────────────────────────────────────────────


class Engine:
    """A Docker engine that has answered. Every method may raise NoSandbox."""

    def __init__(self, api: APIClient) -> None:
        self.api = api

    def arch(self) -> str:
        with translated():
            return str(self.api.version()["Arch"])

    def has_image(self, name: str) -> bool:
        from docker.errors import ImageNotFound

        with translated():
            try:
                self.api.inspect_image(name)  # type: ignore[no-untyped-call]
            except ImageNotFound:
                return False
            return True

    def create(
        self,
        image: str,
        settings: BoxSettings,
        labels: Mapping[str, str],
        *,
        profile: str | None = None,
        names: bool = True,
    ) -> str:
        """A hardened container, not yet started, which removes itself when it ends. Returns its id.

        `profile` is a seccomp profile as JSON; empty: the engine's own; None: ours. `names`: names of hosts are asked
        of the relay in it.
        Standard input closes with the first attached connection: that is how the container learns of our death. The
        docker package asks for that only with detach=False.
        """
        with translated("the sandbox container could not be created"):
            container = self.api.create_container(
                image,
                user="10001:10001",
                hostname="sandbox",
                detach=False,
                stdin_open=True,
                environment={},
                labels=dict(labels),
                host_config=self.api.create_host_config(
                    **self.limits(settings, seccomp() if profile is None else profile),
                    **(NAMES if names else {}),
                ),
                use_config_proxy=False,  # proxies of the person's docker configuration may hold passwords
            )
            return str(container["Id"])

    def limits(self, settings: BoxSettings, profile: str) -> dict[str, Any]:
        """No network, no capabilities, nothing writable but bounded memory, nothing of the host."""
        from docker.types import LogConfig, Ulimit

        scratch = "rw,nosuid,nodev,size=256m,nr_inodes=20k"
        ours = "uid=10001,gid=10001,mode=0700"
        return {
            "network_mode": "none",
            "read_only": True,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true", *([f"seccomp={profile}"] if profile else [])],
            "pids_limit": settings.pids,
            "mem_limit": settings.memory,
            "memswap_limit": settings.memory,  # equal: no swap
            "nano_cpus": round(settings.cpus * 1e9),
            "ipc_mode": "private",
            "shm_size": "16m",
            "tmpfs": {
                "/tmp": f"{scratch},mode=1777",
                HOME: f"{scratch},exec,{ours}",  # for compiled modules, which code may install
                RUN: f"rw,nosuid,nodev,noexec,size=4m,{ours}",
                "/dev/shm": "rw,nosuid,nodev,noexec,size=16m",
            },
            "ulimits": [
                Ulimit(name="nofile", soft=1024, hard=1024),
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="fsize", soft=1 << 30, hard=1 << 30),
                Ulimit(name="msgqueue", soft=0, hard=0),  # a queue would outlive a restart
            ],
            "oom_score_adj": 500,
            "log_config": LogConfig(type="none"),  # standard output is the link: it must not be written to disk
            "auto_remove": True,
            "init": False,
        }

    def attach(self, container: str) -> socket.socket:
        """The container's standard streams, as a plain socket of our own. Before start, so that nothing is lost."""
        with translated("the sandbox container could not be attached"):
            params = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            hijacked = self.api.attach_socket(container, params=params)  # a SocketIO; requests holds its socket, too
            theirs: socket.socket = hijacked._sock
            try:
                return theirs.dup()
            finally:
                # the only open descriptor has to be ours, or closing it would not end the container
                hijacked._response.close()
                theirs.close()

    def start(self, container: str) -> None:
        with translated("the sandbox container could not be started"):
            self.api.start(container)

    def remove(self, container: str) -> None:
        """Ends and removes it; one that is gone or about to go is fine."""
        from docker.errors import APIError

        with translated("the sandbox container could not be removed"):
            try:
                self.api.remove_container(container, force=True)
            except APIError as error:
                if error.status_code not in (404, 409):  # 409: its removal is already in progress
                    raise

    def containers(self, label: str) -> list[tuple[str, dict[str, str]]]:
        """Id and labels of all containers with `label`. One call: the package's richer list races with removals."""
        with translated():
            found = self.api.containers(all=True, filters={"label": label})
            return [(row["Id"], row["Labels"] or {}) for row in found]

    def close(self) -> None:
        self.api.close()
