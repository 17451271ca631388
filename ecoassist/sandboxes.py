"""Config -> kernels, each behind a gate of its own. The half of the wiring that is about running code."""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import cards, programs, prompts
from .apis.book import Book
from .borders import held, keys_of
from .config import Config
from .desk import WARNING
from .egress.cache import Cache, Seen
from .egress.grants import Grants
from .egress.places import placeholder
from .egress.policy import Policy
from .errors import UsageFault
from .index import index_of
from .masks import SHORTEST_KEY, Masks
from .ports import Kernel, Outbox
from .reach import apis_of, missing_keys, policy_of, summary
from .types import Api, Attachment

if TYPE_CHECKING:
    from .egress.ca import SessionCA
    from .egress.proxy import Gate
    from .kernel.box import DockerBox
    from .kernel.features import Feature
    from .kernel.link.mux import Mux
    from .kernel.local import LocalBox
    from .kernel.settings import BoxSettings
    from .kernel.shell import Shell

LISTING = ".apis.txt"
"""In the working directory of code: all operations of all APIs, where a prompt may not have room for them."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
"""Variables that name proxies."""
WAY_OUT = (
    *PROXIES,
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
"""Variables by which a program on this machine finds the network where only a proxy leads out."""

LOCAL = ("localhost", "127.0.0.1", "0.0.0.0", "::1")
"""Names and addresses of a machine for itself."""


class Sandboxes:
    """Makes the kernels of one session. They share the placeholders and the authority that signs for the gate.

    Raises UsageFault for an API whose host, place or key is unfit.
    """

    def __init__(
        self,
        config: Config,
        notice: Callable[[str], None],
        files: tuple[Attachment, ...],
        *,
        unsafe_local: bool = False,
        outbox: Outbox | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.notice, self.unsafe_local = config, notice, unsafe_local
        self.outbox, self.clock = outbox, clock
        self._making = threading.Lock()
        reach = config.network.policy
        if unsafe_local and reach == "none":
            raise UsageFault(
                "outside a sandbox nothing keeps code off the network", "leave out --unsafe-local, or none"
            )
        installed = prompts.PACKAGES[config.sandbox.flavour]
        self.packages, self.network = ("", prompts.OPEN) if unsafe_local else (installed, prompts.NETWORK[reach])
        self._index = None if unsafe_local else index_of(config)
        """Where code may install packages from."""
        if self._index:
            self.packages += prompts.INSTALLING
            if self._index.locked:
                notice("the package index of pip here asks for a password, which code is not given")
        for name, variable in missing_keys(config).items():
            notice(f"{variable} is not set: the API {name} is off")
        named = config.network.hosts if reach != "none" else ()
        self.apis = (*apis_of(config), *(Api(host, host) for host in named))
        """What a prompt tells of the network."""
        self.listing = repr(LISTING) if cards.hides(self.apis) else ""
        """As in a Task. The file is hidden, so that code which looks at the person's files passes over it."""
        self._policy = policy_of(config)
        self.attached = tuple(self._without_keys(file) for file in files)
        """What the person attached, without keys."""
        listing = [Attachment(LISTING, cards.listing(self.apis).encode())] if self.listing else []
        self.files = (*self.attached, *map(self._without_keys, listing))
        """What code finds in its working directory."""
        self.reach = "" if unsafe_local else summary(self._policy)
        """The policy of the network in a few words; empty where nothing enforces one."""
        if files and reach == "open" and not unsafe_local:
            names = ", ".join(file.name for file in files)
            notice(f"{WARNING}the network is open: code can send {names} to any public host")
        self._run = ""
        self._cache: Cache | None = None
        """Of the run, for the gate of the conversation's kernel."""

    @property
    def grants(self) -> Grants:
        """What the person opens to all kernels that are not for reading only."""
        return self._policy.grants

    def open(self, host: str, span: str) -> None:
        """The person lets code reach a host: once, session or always."""
        if span == "always":
            try:
                Book(self.config.added).remember(host)
            except UsageFault as error:
                self.notice(f"{WARNING}{host} is open for this session only: {error}; {error.remedy}")
        self.grants.open(host, "once" if span == "once" else "session")

    def prepare(self) -> object:
        """Raises NoSandbox."""
        return self._local.prepare() if self.unsafe_local else self._docker.prepare()

    def image(self) -> str:
        """The name of the image that kernels are made of; empty outside a sandbox. Costs nothing once one was started.

        Raises NoSandbox.
        """
        return "" if self.unsafe_local else self._docker.prepare()

    def features(self) -> tuple[Feature, ...]:
        """What the sandbox that was started last is confined by, and what it lacks."""
        return () if self.unsafe_local else self._docker.features()

    def begin(self, run: str) -> None:
        """A question begins: what the one before it was answered is forgotten, and what was open for it alone."""
        self._run, self._cache = run, Cache()
        self.grants.begin()

    def begin_attempt(self) -> None:
        """From now on code sees again what earlier attempts of the run were answered."""
        if self._cache:
            self._cache.begin_attempt()

    def start(self) -> Kernel:
        return self._start(self._policy, self.outbox, lambda: self._cache)

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        seen = self._cache.rerun() if self._cache and run == self._run else None
        return self._start(self._policy.readonly(hosts), None, lambda: seen)

    def start_keyless(self, hosts: tuple[str, ...]) -> Kernel:
        """The same for a program that nobody knows: without any key, not even a placeholder, and without private APIs.

        Raises NoSandbox.
        """
        return self._behind_gate(self._keyless(hosts), None, lambda: None)

    def start_replay(self, hosts: tuple[str, ...]) -> Kernel:
        """A kernel that may only read, from `hosts`, for a stored program that is to answer.

        What it makes is for the person, and what it is answered is seen again by the models that are asked after it.
        """
        return self._start(self._policy.readonly(hosts), self.outbox, lambda: self._cache)

    def closed(self, hosts: tuple[str, ...], *, keyless: bool = False) -> tuple[str, ...]:
        """Those of `hosts` that `start_readonly` leaves closed: they are on no list, or their API is off.

        `keyless`: those that `start_keyless` does.
        """
        policy = self._keyless(hosts) if keyless else self._policy.readonly(hosts)
        reached = {*policy.hosts, *(door.host for door in policy.doors)} if policy.reach != "none" else set()
        return tuple(host for host in hosts if host not in reached)

    def _keyless(self, hosts: tuple[str, ...]) -> Policy:
        policy = self._policy.readonly(hosts)
        return replace(policy, secrets=(), services=tuple(service for service in policy.services if not service.door))

    def shell(self, *, terminal: bool) -> Shell:
        """A shell for a person in a sandbox as code gets it. Raises NoSandbox."""
        from .kernel.container import Containers
        from .kernel.shell import open_shell

        containers = Containers(box_settings(self.config), self.notice)
        return open_shell(containers, terminal=terminal, **self._confined(self._gate(self._policy)))

    def boot(self, connection: Mapping[str, Any], sockets: Mapping[int, str]) -> Mux:
        """A container for a kernel that a Jupyter client manages, behind the same gate; see BoxProvisioner.

        Raises NoSandbox and UsageFault.
        """
        return self._docker.boot(connection, sockets, **self._confined(self._gate(self._policy)))

    def portable(self, program: str) -> str:
        """`program` without this session's placeholders, which mean nothing in the next one.

        Nor does it hold a real key: outside the sandbox code sees those.
        """
        names = {text: secret.name for secret in self._policy.secrets for text in (secret.placeholder, secret.value)}
        return programs.without_placeholders(program, names)

    def unmarked(self, text: str) -> str:
        """`text` with the names of variables in place of this session's placeholders, where it is no program."""
        for secret in self._policy.secrets:
            text = text.replace(secret.placeholder, f"[{secret.name}]")
        return text

    def _without_keys(self, file: Attachment) -> Attachment:
        """Keys replaced by what code sees under their variables; all others by some other text."""
        shown = {secret.name: secret.placeholder for secret in self._policy.secrets}
        known = [*keys_of(self.config).items(), *((name, value.strip()) for name, value in held(self.config))]
        for name, key in sorted(dict.fromkeys(known), key=lambda pair: -len(pair[1])):
            if len(key) < SHORTEST_KEY:
                continue
            mark = shown.get(name) or placeholder("x" * len(key))
            masks = Masks([(key, mark)])
            clean = Attachment(masks.cover(file.name.encode()).decode(), masks.cover(file.content))
            if clean != file:
                self.notice(f"{WARNING}{clean.name} holds the value of {name}: code gets a placeholder in its place")
                file = clean
        return file

    def _start(self, policy: Policy, outbox: Outbox | None, seen: Seen) -> Kernel:
        return self._unboxed(outbox) if self.unsafe_local else self._behind_gate(policy, outbox, seen)

    def _behind_gate(self, policy: Policy, outbox: Outbox | None, seen: Seen) -> Kernel:
        launched = self._docker.launch()  # the container boots while the gate is made
        try:
            gate = self._gate(policy, seen)
            confined = self._confined(gate)
            return self._docker.start(
                launched=launched, accesses=gate.drain, outbox=outbox, clock=self.clock, **confined
            )
        except BaseException:
            launched.drop()
            raise

    def _gate(self, policy: Policy, seen: Seen = lambda: None) -> Gate:
        from .egress.proxies import Proxies
        from .egress.proxy import Gate

        return Gate(policy, self._ca, self._upstream, proxies=Proxies.of(self.config.environ), seen=seen)

    def _confined(self, gate: Gate) -> dict[str, Any]:
        """What a container behind `gate` is given."""
        index = self._index.variables if self._index else {}
        variables = self._zone | gate.variables | index | _without_proxy(gate.policy)
        return {
            "serve": gate.serve,
            "variables": variables,
            "ca_pem": self._ca.pem,
            "files": self.files,
            "doors": sorted({(door.host, door.port) for door in gate.policy.doors}),
            "installs": "PIP_INDEX_URL" in variables,
        }

    def _unboxed(self, outbox: Outbox | None) -> Kernel:
        out = {name: value for name in WAY_OUT if (value := self.config.environ.get(name)) is not None}
        keys = {secret.name: secret.value for secret in self._policy.secrets}
        variables = self._zone | out | keys
        return self._local.start(variables=variables, files=self.files, outbox=outbox, clock=self.clock)

    @property
    def _zone(self) -> dict[str, str]:
        zone = _zone(self.config.environ)
        return {"TZ": zone} if zone else {}

    @cached_property
    def _local(self) -> LocalBox:
        from .kernel.local import LocalBox

        sandbox = self.config.sandbox
        return LocalBox(self.config.environ, sandbox.cell_seconds, in_bytes(sandbox.output))

    @cached_property
    def _docker(self) -> DockerBox:
        from .kernel.box import DockerBox

        return DockerBox(box_settings(self.config), self.notice)

    @property
    def _ca(self) -> SessionCA:
        with self._making:  # gates are made side by side, and their containers have to trust the one that signs
            return self._made_ca

    @cached_property
    def _made_ca(self) -> SessionCA:
        from .egress.ca import SessionCA

        return SessionCA()

    @cached_property
    def _upstream(self) -> ssl.SSLContext | None:
        from .egress.trust import verifying

        bundle, env = self.config.network.ca_bundle, self.config.environ
        file, folder = (bundle, None) if bundle else (env.get("SSL_CERT_FILE"), env.get("SSL_CERT_DIR"))
        if not (file or folder):
            return None
        try:
            return verifying(file or None, folder or None)
        except OSError as error:
            named = "network.ca_bundle" if bundle else "SSL_CERT_FILE or SSL_CERT_DIR"
            raise UsageFault(f"{named}: cannot use {file or folder}: {error}", "name a PEM file") from error


def _without_proxy(policy: Policy) -> dict[str, str]:
    """For a private API on this machine where nothing can listen inside in its place: clients ask the proxy for it."""
    from .kernel.settings import PROXY_PORT

    asked = {door.host for door in policy.doors if door.host == "::1" or door.port == PROXY_PORT}
    if not asked & set(LOCAL):
        return {}
    return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(host for host in LOCAL if host not in asked))


def box_settings(config: Config) -> BoxSettings:
    """What containers and their image are made with."""
    from .kernel.settings import BASE_IMAGE, BoxSettings

    env, sandbox = config.environ, config.sandbox
    return BoxSettings(
        docker_host=env.get("DOCKER_HOST", ""),
        docker_context=env.get("DOCKER_CONTEXT", ""),
        docker_config=env.get("DOCKER_CONFIG", ""),
        base_image=sandbox.base_image or BASE_IMAGE,
        build_network=sandbox.build_network or "",
        memory=sandbox.memory,
        cpus=sandbox.cpus,
        cell_seconds=sandbox.cell_seconds,
        output_bytes=in_bytes(sandbox.output),
        flavour=sandbox.flavour,
        proxies={name: env[name] for name in PROXIES if env.get(name)},
    )


def in_bytes(size: str) -> int:
    """Bytes of a size as docker writes it: 16m is 16 * 1024 ** 2."""
    digits, unit = (size, "b") if size[-1].isdigit() else (size[:-1], size[-1].lower())
    return int(digits) << 10 * "bkmg".index(unit)


def _zone(environ: Mapping[str, str]) -> str:
    """The name of the time zone here, so that "today" means the same in the sandbox; empty where it has none."""
    if environ.get("TZ"):
        return environ["TZ"]
    _, found, name = os.path.realpath("/etc/localtime").partition("zoneinfo/")
    return name if found else ""
