"""Containers with a relay inside: made, hardened, linked."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ecoassist.errors import NoSandbox
from ecoassist.owners import owner
from ecoassist.types import Attachment

from .docker import HOME, RUN, Engine, connect
from .features import missing
from .image.image import ensure
from .launch import LAUNCH
from .link.frames import Facts
from .reaper import LABEL, reap_in_background, remove_after
from .settings import PROXY_PORT, BoxSettings

if TYPE_CHECKING:
    from .link.mux import Mux, Serve

PYTHON = "/opt/venv/bin/python"
OVERLAY = f"{HOME}/.venv"
"""A venv on top of the image's, for what code installs."""
COMMAND = [PYTHON, "-c", LAUNCH, "-f", "{connection_file}"]
PATH = "/opt/venv/bin:/usr/local/bin:/usr/bin:/bin"
ENVIRONMENT = {
    "PATH": PATH,
    "HOME": HOME,
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",
    "IPYTHONDIR": "/tmp/.ipython",
    "MPLCONFIGDIR": "/tmp/.matplotlib",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_RETRIES": "0",
    "PIP_DEFAULT_TIMEOUT": "15",
    "PIP_NO_INPUT": "1",
    "PIP_NO_CACHE_DIR": "1",
    "PIP_NO_COMPILE": "1",  # modules that are used are compiled then, and space is scarce
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_PROGRESS_BAR": "off",
}
NO_PACKAGES = {"PIP_CONSTRAINT": "installing-packages-is-off-in-this-sandbox"}
"""No such file: pip says so at once, with this name, instead of that it finds no version."""
PROXY = f"http://127.0.0.1:{PROXY_PORT}"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
WITHOUT_PROXY = dict.fromkeys(("NO_PROXY", "no_proxy"), "localhost,127.0.0.1,0.0.0.0,::1")
PORTS_OF_HOSTS = (80, 443)
CA_FILE = f"{RUN}/ca.pem"
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
UNFILTERED = "the engine refused our seccomp profile: more system calls are open to code than they should be"
NAMELESS = "the engine sets no name server without a network: clients that ignore HTTPS_PROXY find no host"
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
        self._names = True
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
        doors: Sequence[tuple[str, int]] = (),
        installs: bool = False,
    ) -> Mux:
        """Starts a container and the link into it, which listens at `sockets`.

        `started`: gives a container that was started before. `doors`: hosts with a port of their own. `installs`:
        code may install packages, from the index that `variables` name. Raises NoSandbox, and leaves nothing then.
        """
        from .link.mux import Mux

        running = (started or self.launch)()
        hello = _hello(connection, variables, doors if serve else None, ca_pem, installs)
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
        while True:
            try:
                return self._open(image)
            except NoSandbox as error:
                if not self._yields(str(error)):
                    raise

    def _yields(self, refusal: str) -> bool:
        """Whether we can do without what the engine refused."""
        # podman takes the name of a file instead of a profile, and an engine without seccomp takes none
        if self._profile is None and "seccomp" in refusal:
            self._profile, without = "", UNFILTERED
        # podman takes neither a name server without a network, nor a setting that its host keeps to itself
        elif self._names and ("dns" in refusal or "sysctl" in refusal):
            self._names, without = False, NAMELESS
        else:
            return False
        self._notice(f"warning: {without} ({' '.join(refusal.split())[:200]})")
        return True

    def _open(self, image: str) -> Running:
        engine = self._engine
        assert engine is not None
        try:
            container = self._create(engine, image)
        except NoSandbox:
            if engine.has_image(image):
                raise
            ensure(engine, self.settings, self._notice)  # another process upgraded and removed ours meanwhile
            container = self._create(engine, image)
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

    def _create(self, engine: Engine, image: str) -> str:
        return engine.create(image, self.settings, {LABEL: owner()}, profile=self._profile, names=self._names)


def environment(variables: Mapping[str, str], *, proxied: bool, ca: bool, installs: bool = False) -> dict[str, str]:
    """Of all that runs for code in a sandbox. `ca`: there is a certificate at CA_FILE. `installs`: as for boot()."""
    found = dict(ENVIRONMENT)
    if proxied:
        found.update(dict.fromkeys(PROXY_VARIABLES, PROXY), **WITHOUT_PROXY)
    if ca:
        found.update(dict.fromkeys(CA_VARIABLES, CA_FILE))
    if installs:
        found.update(PATH=f"{OVERLAY}/bin:{PATH}", VIRTUAL_ENV=OVERLAY)
    else:
        found.update(NO_PACKAGES)
    return {**found, **variables}


def _hello(
    connection: Mapping[str, Any],
    variables: Mapping[str, str],
    doors: Sequence[tuple[str, int]] | None,
    ca_pem: bytes,
    installs: bool,
) -> dict[str, object]:
    """What the relay is told first; its docstring has the fields. `doors`: None where there is no gate."""
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
        "argv": [f"{OVERLAY}/bin/python", *COMMAND[1:]] if installs else COMMAND,
        "env": environment(variables, proxied=doors is not None, ca=bool(ca_pem), installs=installs),
        "cwd": HOME,
        "rundir": RUN,
        "wipe": [HOME, "/tmp", "/dev/shm"],
        "connection": inside,
        "texts": {"ca.pem": ca_pem.decode("ascii")} if ca_pem else {},
        **(_ways(doors) if doors is not None else {}),
        **({"overlay": [PYTHON, OVERLAY]} if installs else {}),
    }


def _ways(doors: Sequence[tuple[str, int]]) -> dict[str, object]:
    """Where the relay takes connections to hosts."""
    here = {f"{address}:{port}": f"{host}:{port}" for host, port in doors if (address := _address(host))}
    return {"ports": sorted({*PORTS_OF_HOSTS, *(port for _, port in doors)}), "here": here}


def _address(host: str) -> str:
    """Where code connects to for a host that means this very machine; empty for any other."""
    if host.rpartition(".")[2] == "localhost" or host == "0.0.0.0":
        return "127.0.0.1"
    return host if re.fullmatch(r"127(\.[0-9]+){3}", host) else ""
