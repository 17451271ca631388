"""What the sandbox is made with. Plain values: whoever builds them has read the configuration and the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PROXY_PORT = 3128
"""Where programs inside find the gate, on 127.0.0.1."""
BASE_IMAGE = "python:3.12-slim"
"""The Dockerfile's own default."""
Flavour = Literal["core", "data"]
"""What is installed: sandbox/requirements/FLAVOUR.txt."""


@dataclass(frozen=True, slots=True)
class BoxSettings:
    docker_host: str = ""
    """The value of DOCKER_HOST; empty: the docker context decides."""
    docker_context: str = ""
    """The value of DOCKER_CONTEXT; empty: the current context of `docker_config`."""
    docker_config: str = ""
    """The folder of docker's config.json; empty: ~/.docker."""
    base_image: str = BASE_IMAGE
    """A Debian-like image with Python 3.11 or newer and its venv module."""
    build_network: str = ""
    """Network of the image build, for instance "host"; empty: the engine's default."""
    memory: str = "1g"
    """Of kernel and temporary files together, as docker writes sizes."""
    cpus: float = 1.0
    pids: int = 128
    cell_seconds: float = 60.0
    """After this a cell is interrupted."""
    output_bytes: int = 16 << 20
    """After writing so much text and displays a cell is interrupted."""
    flavour: Flavour = "core"
    proxies: Mapping[str, str] = field(default_factory=dict)
    """HTTPS_PROXY and the like of the host, for the image build alone. They may hold passwords."""
    registry_seconds: int = 20
    """How long a registry may take to say whether it has the base image."""
