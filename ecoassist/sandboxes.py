"""Config -> kernels, each behind a gate of its own. The half of the wiring that is about running code."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from . import programs, prompts
from .config import Config
from .egress.policy import Override, Policy, parse_place, placeholder
from .errors import UsageFault
from .ports import Kernel
from .types import Api, Attachment, Secret, Solution

if TYPE_CHECKING:
    from .egress.ca import SessionCA
    from .kernel.box import DockerBox
    from .kernel.local import LocalBox

WAY_OUT = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
"""Variables by which a program on this machine finds the network where only a proxy leads out."""


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
    ) -> None:
        self.config, self.notice, self.files, self.unsafe_local = config, notice, files, unsafe_local
        self.packages, self.network = ("", prompts.OPEN) if unsafe_local else (prompts.PACKAGES, prompts.CLOSED)
        for name, variable in missing_keys(config).items():
            notice(f"{variable} is not set: the API {name} is off")
        self.apis = (*apis_of(config), *(Api(host, host) for host in config.network.hosts))
        """What a prompt tells of the network."""
        self._policy = policy_of(config)

    def prepare(self) -> object:
        """Raises NoSandbox."""
        return self._local.prepare() if self.unsafe_local else self._docker.prepare()

    def start(self) -> Kernel:
        return self._start(self._policy)

    def start_readonly(self, solution: Solution) -> Kernel:
        hosts = tuple(host for host in solution.hosts if self._policy.allows(host))
        return self._start(replace(self._policy, read_only=True, hosts=hosts))

    def portable(self, program: str) -> str:
        """`program` without this session's placeholders, which mean nothing in the next one.

        Nor does it hold a real key: outside the sandbox code sees those.
        """
        names = {text: secret.name for secret in self._policy.secrets for text in (secret.placeholder, secret.value)}
        return programs.without_placeholders(program, names)

    def _start(self, policy: Policy) -> Kernel:
        variables = {"TZ": zone} if (zone := _zone(self.config.environ)) else {}
        return self._unboxed(variables) if self.unsafe_local else self._behind_gate(policy, variables)

    def _behind_gate(self, policy: Policy, variables: dict[str, str]) -> Kernel:
        launched = self._docker.launch()  # the container boots while the gate is made
        try:
            from .egress.proxy import Gate

            ca = self._ca
            gate = Gate(policy, ca, self._upstream)
            return self._docker.start(
                launched=launched,
                serve=gate.serve,
                variables=variables | gate.variables,
                ca_pem=ca.pem,
                files=self.files,
                accesses=gate.drain,
            )
        except BaseException:
            launched.drop()
            raise

    def _unboxed(self, variables: dict[str, str]) -> Kernel:
        out = {name: value for name in WAY_OUT if (value := self.config.environ.get(name)) is not None}
        keys = {secret.name: secret.value for secret in self._policy.secrets}
        return self._local.start(variables=variables | out | keys, files=self.files)

    @cached_property
    def _local(self) -> LocalBox:
        from .kernel.local import LocalBox

        return LocalBox(self.config.environ, self.config.sandbox.cell_seconds)

    @cached_property
    def _docker(self) -> DockerBox:
        from .kernel.box import DockerBox
        from .kernel.settings import BASE_IMAGE, BoxSettings

        env, sandbox = self.config.environ, self.config.sandbox
        settings = BoxSettings(
            docker_host=env.get("DOCKER_HOST", ""),
            docker_context=env.get("DOCKER_CONTEXT", ""),
            docker_config=env.get("DOCKER_CONFIG", ""),
            base_image=sandbox.base_image or BASE_IMAGE,
            build_network=sandbox.build_network or "",
            memory=sandbox.memory,
            cpus=sandbox.cpus,
            cell_seconds=sandbox.cell_seconds,
        )
        return DockerBox(settings, self.notice)

    @cached_property
    def _ca(self) -> SessionCA:
        from .egress.ca import SessionCA

        return SessionCA()

    @cached_property
    def _upstream(self) -> ssl.SSLContext | None:
        bundle = self.config.network.ca_bundle
        if bundle is None:
            return None
        try:
            return ssl.create_default_context(cafile=str(bundle))
        except OSError as error:
            raise UsageFault(f"network.ca_bundle: cannot use {bundle}: {error}", "name a PEM file") from error


def missing_keys(config: Config) -> dict[str, str]:
    """API names and the variables of their keys that are not set. Such an API is left out: no model tries it."""
    wanted = {name: api.secret for name, api in config.apis.items() if api.secret}
    return {name: variable for name, variable in wanted.items() if not config.environ.get(variable)}


def apis_of(config: Config) -> tuple[Api, ...]:
    """The enabled APIs as a prompt tells of them."""
    off = missing_keys(config)
    return tuple(
        Api(name, api.host, api.secret or "", api.card) for name, api in config.apis.items() if name not in off
    )


def policy_of(config: Config) -> Policy:
    """Hosts and keys of the enabled APIs. Each key gets a new placeholder. Raises UsageFault for an unfit one."""
    enabled = {name: api for name, api in config.apis.items() if name not in missing_keys(config)}
    shown: dict[str, str] = {}
    secrets = []
    for name, api in enabled.items():
        if api.secret:
            value = config.environ[api.secret]
            try:
                places = tuple(parse_place(part) for part in api.place.split(","))
                mark = shown.setdefault(api.secret, placeholder(value))
            except UsageFault as error:
                raise UsageFault(f"apis.{name}: {error}", error.remedy) from error
            secrets.append(Secret(api.secret, value, mark, (api.host,), places))
    hosts = dict.fromkeys([*(api.host for api in enabled.values()), *config.network.hosts])
    return Policy(tuple(hosts), tuple(secrets), overrides=_overrides(config.network.addresses))


def _overrides(addresses: Mapping[str, str]) -> dict[str, Override]:
    found = {}
    for host, text in addresses.items():
        address, *ports = text.split(":")
        if len(ports) > 2 or not all(port.isdecimal() for port in ports):
            raise UsageFault(
                f"network.addresses: {text!r} is not an address",
                "write ADDRESS, ADDRESS:TLS_PORT or ADDRESS:TLS_PORT:HTTP_PORT",
            )
        found[host] = Override(address, *(int(port) for port in ports))
    return found


def _zone(environ: Mapping[str, str]) -> str:
    """The name of the time zone here, so that "today" means the same in the sandbox; empty where it has none."""
    if environ.get("TZ"):
        return environ["TZ"]
    _, found, name = os.path.realpath("/etc/localtime").partition("zoneinfo/")
    return name if found else ""
