"""Containers with a relay inside: made, hardened, linked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ecoassist.errors import NoSandbox
from ecoassist.types import Attachment

from .docker import HOME, RUN, Engine, connect
from .image import ensure
from .reaper import LABEL, owner, reap_in_background
from .settings import LAUNCH, BoxSettings

if TYPE_CHECKING:
    from .mux import Mux, Serve

PYTHON = "/opt/venv/bin/python"
COMMAND = [PYTHON, "-c", LAUNCH, "-f", "{connection_file}"]
ENVIRONMENT = {
    "PATH": "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": HOME,
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
    "IPYTHONDIR": "/tmp/.ipython",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "MPLBACKEND": "agg",
    "PYTHONDONTWRITEBYTECODE": "1",
}
PROXY = "http://127.0.0.1:3128"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
CA_FILE = f"{RUN}/ca.pem"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
"""Of a connection file, in the order of the numbers that stand for them inside."""


class Containers:
    """Starts containers. `notice` is told what takes long: looking for and building the image."""

    def __init__(self, settings: BoxSettings, notice: Callable[[str], None] = lambda text: None) -> None:
        self.settings, self._notice = settings, notice
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._image = ""

    def prepare(self) -> str:
        """Finds the engine and the image, and builds the image if need be. Returns its name; again costs nothing.

        Raises NoSandbox.
        """
        with self._lock:
            if not self._image:
                self._engine = self._engine or connect(self.settings)
                self._image = ensure(self._engine, self.settings, self._notice)
                reap_in_background(self._engine)
            return self._image

    def boot(
        self,
        connection: Mapping[str, Any],
        sockets: Mapping[int, str],
        *,
        started: Callable[[], socket.socket] | None = None,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
    ) -> Mux:
        """Starts a container and the link into it, which listens at `sockets`.

        `started`: gives the stream of a container that was started before. Raises NoSandbox, and leaves nothing then.
        """
        from .mux import Mux

        stream = (started or self.launch)()
        hello = _hello(connection, variables, bool(serve), ca_pem)
        mux = Mux(stream, framed=True, hello=hello, channels=dict(sockets), files=files, serve=serve)
        mux.start()  # closes the stream if it fails, and with that ends the container
        return mux

    def launch(self) -> socket.socket:
        """Starts a container whose relay waits to be told what to do. It ends when the returned stream is closed.

        Raises NoSandbox, and leaves nothing then.
        """
        image = self.prepare()
        engine = self._engine
        assert engine is not None
        container = engine.create(image, self.settings, {LABEL: owner()})
        try:
            stream = engine.attach(container)
            try:
                engine.start(container)
            except BaseException:
                stream.close()
                raise
        except BaseException:
            with suppress(NoSandbox):  # the first failure is the one to tell
                engine.remove(container)
            raise
        return stream


def _hello(
    connection: Mapping[str, Any], variables: Mapping[str, str], proxied: bool, ca_pem: bytes
) -> dict[str, object]:
    """What the relay is told first; its docstring has the fields."""
    key = connection["key"]
    inside = {
        "transport": "ipc",
        "ip": f"{RUN}/k",
        **{name: number for number, name in enumerate(PORTS, 1)},
        "key": key.decode() if isinstance(key, bytes) else key,
        "signature_scheme": connection["signature_scheme"],
        "kernel_name": "",
    }
    environment = dict(ENVIRONMENT)
    if proxied:
        environment.update(dict.fromkeys(PROXY_VARIABLES, PROXY), no_proxy="localhost,127.0.0.1")
    if ca_pem:
        environment.update(dict.fromkeys(CA_VARIABLES, CA_FILE))
    return {
        "argv": COMMAND,
        "env": {**environment, **variables},
        "cwd": HOME,
        "rundir": RUN,
        "wipe": [HOME, "/tmp", "/dev/shm"],
        "connection": inside,
        "texts": {"ca.pem": ca_pem.decode("ascii")} if ca_pem else {},
    }
