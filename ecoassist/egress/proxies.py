"""The proxy by which this machine itself reaches the internet, as its environment names it. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
"""Each also in lower case, which comes first."""
_PORTS = {"http": 80, "https": 443}


class Unusable(ValueError):
    """What is named is no proxy that can be used. The reason is for the code in the sandbox to read."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A proxy on the way."""

    host: str
    port: int
    tls: bool
    """Whether the proxy itself is spoken to over TLS."""
    authorization: bytes = field(default=b"", repr=False)
    """Value of Proxy-Authorization; empty for none."""


@dataclass(frozen=True, slots=True, repr=False)  # their URLs may hold a password
class Proxies:
    """URLs, empty for none."""

    http: str = ""
    https: str = ""
    bypass: str = ""
    """Hosts that are reached directly, as NO_PROXY has them."""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Proxies:
        found = {name: environ.get(name.lower()) or environ.get(name) or "" for name in VARIABLES}
        every = found["ALL_PROXY"]
        return cls(found["HTTP_PROXY"] or every, found["HTTPS_PROXY"] or every, found["NO_PROXY"])

    @property
    def passwords(self) -> tuple[str, ...]:
        """For whoever keeps secrets out of texts; as they are, and as their URLs have them."""
        found = []
        for url in (self.http, self.https):
            _, _, rest = url.rpartition("://")
            written = rest.partition("/")[0].rpartition("@")[0].partition(":")[2]
            found += [written, unquote(written)]
        return tuple(dict.fromkeys(filter(None, found)))

    def hop(self, host: str, port: int, addresses: Sequence[str], *, tls: bool) -> Hop | None:
        """The proxy on the way to a host; None for the direct way. `addresses`: of the host, as far as they are known.

        Raises Unusable for a proxy that cannot be used.
        """
        url = self.https if tls else self.http
        return _parsed(url) if url and not self._bypassed(host, port, addresses) else None

    def _bypassed(self, host: str, port: int, addresses: Sequence[str]) -> bool:
        entries = re.split(r"[\s,]+", self.bypass.strip().lower())
        return any(_meets(entry, host, port, addresses) for entry in entries if entry)


def _parsed(url: str) -> Hop:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host:
        raise Unusable("the proxy in this machine's environment is not a URL")
    if parts.scheme not in _PORTS:
        kind = "a SOCKS proxy" if parts.scheme.startswith("socks") else "a proxy of another kind"
        raise Unusable(f"this machine's environment names {kind}; only http:// and https:// proxies are supported")
    return Hop(host, port or _PORTS[parts.scheme], parts.scheme == "https", _authorization(parts))


def _authorization(parts: SplitResult) -> bytes:
    if parts.username is None:
        return b""
    plain = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return b"Basic " + base64.b64encode(plain.encode())


def _meets(entry: str, host: str, port: int, addresses: Sequence[str]) -> bool:
    """Whether an entry of NO_PROXY is about the host: "*", a name and all below it, a network; perhaps with a port."""
    if entry == "*":
        return True
    try:
        network = ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        name, _, of_port = entry.rpartition(":") if re.search(r":\d+\Z", entry) else (entry, "", "")
        name = name.removeprefix("*").strip(".")
        return of_port in ("", str(port)) and bool(name) and (host == name or host.endswith(f".{name}"))
    return any(ip_address(address.partition("%")[0]) in network for address in addresses)
