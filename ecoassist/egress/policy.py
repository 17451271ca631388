"""What may leave the sandbox. Pure: no sockets here.

A host is reached by its name, over https on 443 and http on 80, at a public address. The one exception is a private
API: one host, one port and one scheme that the person named, at whatever address it has.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import urlsplit

from ecoassist.errors import UsageFault
from ecoassist.types import API_OFF, NETWORK_OFF, Reach, Secret

from .acts import acts
from .grants import Grants

READ_ONLY = "read-only re-run"
"""How every refusal begins that is for a re-run alone."""
_LONGEST = 253
"""Characters of a host."""
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PATTERN = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.{_LABEL}\.)?{_LABEL}(?:\.{_LABEL})*")


class Override(NamedTuple):
    """Where a host name is found instead of by DNS; the address may then be a private one."""

    address: str
    tls_port: int = 443
    plain_port: int = 80


class Door(NamedTuple):
    """One port of one host, and how it is spoken to."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Refusal(NamedTuple):
    reason: str
    """For the code that made the request."""
    blocked: bool = False
    """Only because the host is not on the list: a person may open it."""


@dataclass(frozen=True, slots=True)
class Service:
    """What an API adds to a policy beside its hosts and keys."""

    name: str
    """Of the API; empty where it is none that answers questions."""
    hosts: tuple[str, ...] = ()
    """As in Policy."""
    door: Door | None = None
    """It is private: nothing but this is open, and its address may be in the person's own networks."""
    acts: tuple[str, ...] = ()
    """Patterns of paths that change something when they are read; see acts.py."""
    reads: bool = False
    """GET and HEAD only, always. Its hosts need not be among those of the policy."""
    base: str = ""
    """Of its paths; tells it from other APIs of the same host: "/v1"."""

    def has(self, host: str, port: int) -> bool:
        if self.door:
            return (host, port) == (self.door.host, self.door.port)
        return any(_matches(host, pattern) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Policy:
    """Raises UsageFault for a host that is not a plain host name."""

    hosts: tuple[str, ...] = ()
    """Exact names, and "*.example.com" for every name below example.com (not itself)."""
    secrets: tuple[Secret, ...] = ()
    """The hosts of one that belongs to a private API are its door, as text."""
    read_only: bool = False
    """Only GET and HEAD that do not act: a re-run must have no second effect."""
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """By exact host name."""
    reach: Reach = "allowlist"
    services: tuple[Service, ...] = ()
    off: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Hosts of APIs that are off, each with the API's name and the variable of the key that is not set."""
    grants: Grants = field(default_factory=Grants, compare=False)
    """What the person opened meanwhile; shared by all gates of a session."""

    def __post_init__(self) -> None:
        doors = tuple(service.door for service in self.services if service.door)
        for door in doors:
            if not is_name(door.host) and not _is_written_address(door.host):
                raise UsageFault(f"{door.host!r} is not a host", "write a name in lower case, or an IP address")
        named = (*self.hosts, *(host for service in self.services for host in service.hosts))
        private = set(map(str, doors))
        keyed = (host for secret in self.secrets for host in secret.hosts if host not in private)
        for host in (*named, *keyed):
            if not _PATTERN.fullmatch(host) or is_address(host):
                raise UsageFault(
                    f"{host!r} is not a host name",
                    "write a name such as api.example.com or *.example.com: lower case, no scheme, no port, no address",
                )

    # ── what the gate asks ──────────────────────────────────────────────────────────────────────────────────────────

    def refusal(
        self, host: str, port: int, method: str, *, tls: bool, target: str = "/", body: bool = False
    ) -> Refusal | None:
        """Why the request may not leave; None where it may. `target`: path and query. `body`: whether it has one.

        For CONNECT only the way counts: the requests inside the tunnel are asked about one by one.
        """
        refused = self._no_way(host, port, tls=tls)
        if refused or method == "CONNECT":
            return refused
        if method not in ("GET", "HEAD"):
            if self.read_only:
                return Refusal(f"{READ_ONLY}: {method} is not sent again")
            if not self._open(host, port, tls=tls):
                return Refusal(f"{host} is open for reading packages only: {method} is refused")
        if self.read_only and body:
            return Refusal(f"{READ_ONLY}: a {method} with a body is not sent")
        if self.read_only and self.acts(host, port, target):
            return Refusal(f"{READ_ONLY}: this {method} changes something, it is not sent again")
        return None

    def upstream(self, host: str, port: int, *, tls: bool) -> Door:
        """Where an admitted request is sent: with a key over TLS, unless a private API has it otherwise."""
        if self.private(host, port, tls=tls):
            return Door(host, port, tls)
        secure = tls or bool(self.secrets_of(host, port))
        return Door(host, 443 if secure else 80, secure)

    def private(self, host: str, port: int, *, tls: bool) -> bool:
        """Whether it is a private API: its address may be one that is not public."""
        return any(service.door == (host, port, tls) for service in self.services)

    def secrets_of(self, host: str, port: int = 443) -> tuple[Secret, ...]:
        """The keys that belong to the host, or to the private API at that port of it."""
        door = next((str(s.door) for s in self.services if s.door and s.has(host, port)), "")
        return tuple(
            secret
            for secret in self.secrets
            if (door in secret.hosts if door else any(_matches(host, pattern) for pattern in secret.hosts))
        )

    def api_of(self, host: str, port: int = 443, path: str = "") -> str:
        """The name of the API that the host belongs to, of several the one below whose base `path` is; else empty."""

        def fit(service: Service) -> tuple[bool, int]:
            below = f"{path}/".startswith(f"{service.base}/")
            return service.door is not None, len(service.base) if below else -1

        found = [service for service in self.services if service.name and service.has(host, port)]
        return max(found, key=fit).name if found else self.off.get(host, ("", ""))[0]

    def acts(self, host: str, port: int, target: str) -> bool:
        """Whether a GET of it changes something."""
        return any(acts(target, service.acts) for service in self.services if service.has(host, port))

    # ── what others ask ─────────────────────────────────────────────────────────────────────────────────────────────

    def allows(self, host: str) -> bool:
        """Whether the host may be reached in public, with every method."""
        if self.reach == "none" or is_address(host):
            return False
        return self._named(host) or (self.reach == "open" and is_name(host))

    def listed(self, host: str) -> bool:
        """Whether the person named it, which is more than not to have forbidden it."""
        return self._named(host) or self._reads(host)

    def readonly(self, hosts: tuple[str, ...]) -> Policy:
        """For a re-run: those of `hosts` that are open now, for reading only. What is opened later stays closed."""
        listed = tuple(host for host in hosts if self.allows(host) or self._reads(host))
        services = tuple(s for s in self.services if (s.door.host in hosts if s.door else not s.reads))
        reach: Reach = "none" if self.reach == "none" else "allowlist"
        shut = {str(service.door) for service in self.services if service.door and service not in services}
        secrets = tuple(replace(s, hosts=tuple(host for host in s.hosts if host not in shut)) for s in self.secrets)
        return replace(
            self, hosts=listed, secrets=secrets, services=services, reach=reach, read_only=True, grants=Grants()
        )

    @property
    def doors(self) -> tuple[Door, ...]:
        """Of the private APIs."""
        return tuple(service.door for service in self.services if service.door)

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _no_way(self, host: str, port: int, *, tls: bool) -> Refusal | None:
        if self.reach == "none":
            return Refusal(f"{NETWORK_OFF}: its policy is none")
        if self.private(host, port, tls=tls) or ((self.allows(host) or self._reads(host)) and _usual(port, tls=tls)):
            return None
        if doors := [door for door in self.doors if door.host == host]:
            ways = ", ".join(f"{'https' if door.tls else 'http'} on {door.port}" for door in doors)
            return Refusal(f"port {port} of {host} is closed; open is only {ways}")
        if is_address(host):
            return Refusal(f"{host} is an IP address; only host names can be reached")
        if not self.allows(host) and not self._reads(host):
            if self.read_only:
                return Refusal(f"{READ_ONLY}: host {host} is not one of its recorded hosts ({self._listed()})")
            if host in self.off:
                name, variable = self.off[host]
                return Refusal(f"{API_OFF}: {name} has no key; the person can set it: ecoassist api key {variable}")
            return Refusal(
                f"host {host} is not on the allow-list ({self._listed()})", is_name(host) and _usual(port, tls=tls)
            )
        return Refusal(f"port {port} of {host} is closed; only https on 443 and http on 80 are open")

    def _open(self, host: str, port: int, *, tls: bool) -> bool:
        """For every method."""
        if self.private(host, port, tls=tls):
            return any(not service.reads for service in self.services if service.door == (host, port, tls))
        return self.allows(host)

    def _named(self, host: str) -> bool:
        return host in self.grants or any(_matches(host, pattern) for pattern in self.hosts)

    def _reads(self, host: str) -> bool:
        return any(_matches(host, pattern) for s in self.services if s.reads for pattern in s.hosts)

    def _listed(self) -> str:
        named = (*self.hosts, *(host for host in self.grants.hosts if host not in self.hosts), *map(str, self.doors))
        shown, more = named[:8], len(named) - 8
        listed = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        return f"allowed: {listed}" if listed else "it is empty"


def door_of(url: str) -> Door:
    """Where an http or https URL leads. Raises UsageFault for any other."""
    try:
        parts = urlsplit(url)
        tls, host, port = parts.scheme == "https", parts.hostname or "", parts.port
    except ValueError:
        raise UsageFault(f"{url!r} is not a URL", "write one such as https://api.example.com/v1") from None
    if parts.scheme not in ("http", "https") or not host:
        raise UsageFault(f"{url!r} is no http or https URL", "write one such as https://api.example.com/v1")
    with suppress(ValueError):
        host = str(ipaddress.ip_address(host))
    return Door(host, port or (443 if tls else 80), tls)


def is_name(host: str) -> bool:
    """Whether it is a well-formed host name, in lower case."""
    return bool(_NAME.fullmatch(host)) and not is_address(host)


def is_address(host: str) -> bool:
    """Also for the short and numeric forms of IPv4 that C libraries accept, such as 127.1, 2130706433 and 0x7f.1."""
    if len(host) > _LONGEST:  # of no host: it would be kept, and told of, at its length
        return False
    if re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2], re.IGNORECASE):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_written_address(host: str) -> bool:
    """Whether it is an IP address in its usual form, which has no second spelling."""
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def _usual(port: int, *, tls: bool) -> bool:
    return port == (443 if tls else 80)


def _matches(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))
