from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from ecoassist.demo.emulators import Emulators
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.kernelspec import install
from ecoassist.kernel.reaper import MARK, PREFIX
from ecoassist.kernel.settings import BoxSettings
from ecoassist.owners import owner

KEY = "0123456789abcdef0123456789abcde"
HOST = "api.weatherapi.com"
SETTINGS = """\
[apis.weather]
host = "@host"
secret = "WEATHERAPI_KEY"
place = "query:key"

[network]
ca_bundle = @authority
addresses = { "@host" = "@address" }
"""


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in which Jupyter finds our kernel and keeps what it writes; nobody's own folders are touched."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(home / name))
        patch.setenv("JUPYTER_PATH", str(home / "share/jupyter"))
        patch.setenv("WEATHERAPI_KEY", KEY)
        yield home


@pytest.fixture(scope="module")
def weather() -> Iterator[Emulators]:
    """A weather service on this machine, under its real name, which wants the key."""
    with Emulators({HOST: KEY}, datetime.datetime.now()) as emulators:
        yield emulators


@pytest.fixture(scope="module", autouse=True)
def kernel(home: Path, weather: Emulators) -> str:
    """The name of the kernel, which is allowed to ask the weather service and nothing else."""
    authority, file, there = home / "authority.pem", home / "config.toml", weather.overrides[HOST]
    authority.write_bytes(weather.pem)
    text = SETTINGS.replace("@host", HOST).replace("@authority", json.dumps(str(authority)))
    file.write_text(text.replace("@address", f"{there.address}:{there.tls_port}:{there.plain_port}"))
    install("ecoassist", prefix=home, settings={"config_file": str(file)})
    return "ecoassist"


@pytest.fixture
def start(kernel: str) -> Iterator[Callable[[], KernelManager]]:
    """Starts a kernel as any Jupyter client does; the test's end ends it."""
    with ExitStack() as running:

        def start() -> KernelManager:
            manager = KernelManager(kernel_name=kernel)
            manager.start_kernel()
            running.callback(manager.shutdown_kernel, now=True)
            return manager

        yield start


@pytest.fixture
def client() -> Iterator[Callable[[KernelManager], BlockingKernelClient]]:
    """The client of a kernel, which has answered it. The same after a restart: two of one manager share an identity."""
    with ExitStack() as running:
        clients: dict[KernelManager, BlockingKernelClient] = {}

        def client(manager: KernelManager) -> BlockingKernelClient:
            if manager not in clients:
                clients[manager] = manager.client()
                clients[manager].start_channels()
                running.callback(clients[manager].stop_channels)
            clients[manager].wait_for_ready(timeout=60)
            return clients[manager]

        yield client


@pytest.fixture
def folders() -> Callable[[], list[Path]]:
    """The socket folders of this process."""

    def ours(folder: Path) -> bool:
        try:
            return (folder / MARK).read_text() == owner()
        except OSError:
            return False

    return lambda: [folder for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if ours(folder)]


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine
