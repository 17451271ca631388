"""What may leave the sandbox. Pure: no sockets here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ecoassist.errors import UsageFault
from ecoassist.types import Secret

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_PATTERN = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.{_LABEL}\.)?{_LABEL}(?:\.{_LABEL})*")


class Override(NamedTuple):
    """Where a host name is found instead of by DNS; the address may then be a private one."""

    address: str
    tls_port: int = 443
    plain_port: int = 80


@dataclass(frozen=True, slots=True)
class Policy:
    """Raises UsageFault for a host that is not a plain host name."""

    hosts: tuple[str, ...] = ()
    """Exact names, and "*.example.com" for every name below example.com (not itself)."""
    secrets: tuple[Secret, ...] = ()
    read_only: bool = False
    """GET and HEAD only: a re-run must have no second effect."""
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """By exact host name."""

    def __post_init__(self) -> None:
        for host in (*self.hosts, *(host for secret in self.secrets for host in secret.hosts)):
            if not _PATTERN.fullmatch(host) or is_address(host):
                raise UsageFault(
                    f"{host!r} is not a host name",
                    "write a name such as api.example.com or *.example.com: lower case, no scheme, no port, no address",
                )

    def allows(self, host: str) -> bool:
        return any(_matches(host, pattern) for pattern in self.hosts)

    def secrets_of(self, host: str) -> tuple[Secret, ...]:
        return tuple(secret for secret in self.secrets if any(_matches(host, pattern) for pattern in secret.hosts))

    def refusal(self, host: str, port: int, method: str, *, tls: bool) -> str:
        """Why the request may not leave, for the code that made it; empty where it may."""
        if is_address(host):
            return f"{host} is an IP address; only host names on the allow-list can be reached"
        if not self.allows(host):
            return f"host {host} is not on the allow-list ({self._listed()})"
        if port != (443 if tls else 80):
            return f"port {port} of {host} is closed; only https on 443 and http on 80 are open"
        if self.read_only and method not in ("GET", "HEAD", "CONNECT"):
            return f"read-only re-run: {method} is not sent again"
        return ""

    def _listed(self) -> str:
        shown, more = self.hosts[:8], len(self.hosts) - 8
        listed = ", ".join(shown) + (f" and {more} more" if more > 0 else "")
        return f"allowed: {listed}" if listed else "it is empty"


def is_name(host: str) -> bool:
    """Whether it is a well-formed host name, in lower case."""
    return bool(_NAME.fullmatch(host)) and not is_address(host)


def is_address(host: str) -> bool:
    """Also for the short and numeric forms of IPv4 that C libraries accept, such as 127.1, 2130706433 and 0x7f.1."""
    if re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2], re.IGNORECASE):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _matches(host: str, pattern: str) -> bool:
    return host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:]))
