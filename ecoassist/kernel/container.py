"""Containers with a relay inside: made, hardened, linked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecoassist.errors import NoSandbox
from ecoassist.types import Attachment

from .docker import HOME, RUN, Engine, connect
from .features import missing
from .image.image import ensure
from .launch import LAUNCH
from .link.frames import Facts
from .reaper import LABEL, owner, reap_in_background, remove_after
from .settings import BoxSettings

if TYPE_CHECKING:
    from .link.mux import Mux, Serve

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
    "PYTHONDONTWRITEBYTECODE": "1",
}
PROXY = "http://127.0.0.1:3128"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
CA_FILE = f"{RUN}/ca.pem"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
UNFILTERED = "the engine refused our seccomp profile: more system calls are open to code than they should be"
PORTS = ("shell_port", "iopub_port", "stdin_port", "hb_port", "control_port")
"""Of a connection file, in the order of the numbers that stand for them inside."""


@dataclass(frozen=True, slots=True)
class Running:
    """A container whose relay waits to be told what to do."""

    stream: socket.socket
    """It ends when this is closed."""
    engine: Engine
    container: str
    """Its id."""


class Containers:
    """Starts containers, on `engine` or the one that the settings name.

    `notice` is told what takes long: looking for and building the image; and warnings, which begin with "warning: ".
    """

    def __init__(
        self,
        settings: BoxSettings,
        notice: Callable[[str], None] = lambda text: None,
        engine: Engine | None = None,
    ) -> None:
        self.settings, self._notice = settings, notice
        self._lock = threading.Lock()
        self._engine = engine
        self._image = ""
        self._profile: str | None = None
        self._told: set[str] = set()
        self.facts = Facts()
        """Of the sandbox that was booted last."""

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
        started: Callable[[], Running] | None = None,
        serve: Serve | None = None,
        variables: Mapping[str, str] = {},
        ca_pem: bytes = b"",
        files: Sequence[Attachment] = (),
    ) -> Mux:
        """Starts a container and the link into it, which listens at `sockets`.

        `started`: gives a container that was started before. Raises NoSandbox, and leaves nothing then.
        """
        from .link.mux import Mux

        running = (started or self.launch)()
        hello = _hello(connection, variables, bool(serve), ca_pem)
        mux = Mux(running.stream, framed=True, hello=hello, channels=dict(sockets), files=files, serve=serve)
        remove_after(mux.gone, running.engine, running.container)
        mux.start()  # closes the stream if it fails, and with that ends the container
        self._tell(mux.facts)
        return mux

    def _tell(self, facts: Facts) -> None:
        """Warns of what a sandbox lacks, of each thing once."""
        self.facts = facts
        for text in missing(facts, self.settings):
            if text not in self._told:
                self._told.add(text)
                self._notice(f"warning: {text}")

    def launch(self) -> Running:
        """Raises NoSandbox, and leaves nothing then."""
        image = self.prepare()
        try:
            return self._open(image)
        except NoSandbox as error:
            # podman takes the name of a file instead of a profile, and an engine without seccomp takes none
            if self._profile == "" or "seccomp" not in str(error):
                raise
            self._profile = ""
            self._notice(f"warning: {UNFILTERED} ({' '.join(str(error).split())[:200]})")
        return self._open(image)

    def _open(self, image: str) -> Running:
        engine = self._engine
        assert engine is not None
        try:
            container = engine.create(image, self.settings, {LABEL: owner()}, profile=self._profile)
        except NoSandbox:
            if engine.has_image(image):
                raise
            ensure(engine, self.settings, self._notice)  # another process upgraded and removed ours meanwhile
            container = engine.create(image, self.settings, {LABEL: owner()}, profile=self._profile)
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
        return Running(stream, engine, container)


def environment(variables: Mapping[str, str], *, proxied: bool, ca: bool) -> dict[str, str]:
    """Of all that runs for code in a sandbox. `ca`: there is a certificate at CA_FILE."""
    found = dict(ENVIRONMENT)
    if proxied:
        found.update(dict.fromkeys(PROXY_VARIABLES, PROXY), no_proxy="localhost,127.0.0.1")
    if ca:
        found.update(dict.fromkeys(CA_VARIABLES, CA_FILE))
    return {**found, **variables}


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
    return {
        "argv": COMMAND,
        "env": environment(variables, proxied=proxied, ca=bool(ca_pem)),
        "cwd": HOME,
        "rundir": RUN,
        "wipe": [HOME, "/tmp", "/dev/shm"],
        "connection": inside,
        "texts": {"ca.pem": ca_pem.decode("ascii")} if ca_pem else {},
    }
