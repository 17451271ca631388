"""Where a request of the sandbox goes, and which of its headers travel on. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import h11

from .places import Headers
from .policy import is_address, is_name
from .wire import Limits, Refused

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, section 7.6.1."""
_REWRITTEN = frozenset((b"host", b"content-length", b"expect"))
_HIDES_ECHOES = frozenset((b"accept-encoding", b"range", b"if-range", b"request-range"))
"""Not sent to a host with a key: a packed body cannot be scanned, and half a key per range would pass the masks."""
_ABOUT_OTHER_PORTS = frozenset((b"alt-svc",))
_LENGTH_AND_CODING = frozenset(b"content-length content-encoding content-md5 digest repr-digest content-digest".split())
_NOT_LAST = frozenset(b"authorization cache-control content-range content-type host location set-cookie".split())
"""Trailers that would change how what came before them is read: RFC 9110, section 6.5.1."""
_AMBIGUOUS = re.compile(rb"(?<!\r)\n|\r(?!\n)|\n[ \t]|\0")
"""Lone line ends, folded lines and NUL: two readers of such a head may see two different requests."""
METHOD = 32
"""Characters of the longest: no method that is registered has more than 17."""
_SIGNATURES = (b"aws4-", b"signature ", b"hmac ", b"oauth ")
"""How Authorization begins where its value was worked out from a key."""


class Tunnel(NamedTuple):
    """What a CONNECT has opened."""

    host: str
    port: int
    tls: bool
    asked: str = ""
    """The server name of the client's handshake; empty where it named none."""


@dataclass(frozen=True, slots=True)
class Route:
    host: str
    """In lower case."""
    port: int
    tls: bool
    """Whether the client speaks TLS."""
    method: str
    target: bytes
    """In origin form: path and query."""

    @property
    def authority(self) -> bytes:
        """For the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}").encode()

    @property
    def path(self) -> str:
        """For the record: without the query, and not longer than a line."""
        return self.target.partition(b"?")[0].decode("latin-1")[:200]


def tunnel_of(target: bytes) -> tuple[str, int]:
    """Host and port of a CONNECT request. Raises Refused."""
    host, _, port = target.decode("latin-1").rpartition(":")
    host = host.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if not port.isdecimal() or not (is_name(host) or is_address(host)):
        raise Refused(400, "CONNECT needs host:port")
    return host, int(port)


def strict(head: bytes, request: h11.Request, limits: Limits) -> None:
    """Raises Refused for a head that may mean something else to another reader. `head`: the request's, as sent."""
    names = [name for name, _ in request.headers]
    if request.http_version not in (b"1.1", b"1.0"):
        raise Refused(505, "HTTP/2 is not supported; speak HTTP/1.1")
    if len(request.method) > METHOD:
        raise Refused(501, "there is no such method")
    if len(head) > limits.head or len(names) > limits.headers:
        raise Refused(431, f"a request may have {limits.headers} headers and {limits.head} bytes of them")
    if _AMBIGUOUS.search(head):
        raise Refused(400, "not well-formed HTTP: a lone line end, a folded line or NUL among the headers")
    if b"transfer-encoding" in names and (b"content-length" in names or request.http_version == b"1.0"):
        raise Refused(400, "not well-formed HTTP: two ways to tell where the body ends")


def route_of(request: h11.Request, tunnel: Tunnel | None) -> Route:
    """Raises Refused where the request names no place, or another than its tunnel."""
    method, target = request.method.decode("ascii"), bytes(request.target)
    if tunnel:
        if method == "CONNECT" or not target.startswith(b"/"):
            raise Refused(400, "inside a tunnel the request line holds a path only")
        if tunnel.asked.removesuffix(".") not in ("", tunnel.host):
            raise Refused(421, f"the TLS handshake asked for another host than {tunnel.host}, where the tunnel leads")
        # A fragment is not for hosts; those that get one drop it, and a path must not hide behind it.
        return Route(tunnel.host, tunnel.port, tunnel.tls, method, target.partition(b"#")[0])
    try:
        url = urlsplit(target.decode("ascii"))
        host, port = (url.hostname or "").removesuffix("."), url.port or 80
    except ValueError:
        raise Refused(400, "the URL is not well-formed") from None
    if url.scheme != "http" or not (is_name(host) or is_address(host)):
        raise Refused(400, "this is a proxy: it takes absolute http:// URLs, and CONNECT for https")
    return Route(
        host, port, False, method, (url.path or "/").encode() + (b"?" + url.query.encode() if url.query else b"")
    )


def check(route: Route, headers: Headers, *, keyed: bool) -> None:
    """Raises Refused for what does not belong to the route or is not supported. `keyed`: the host has keys."""
    fields = dict(headers)
    if fields.get(b"upgrade", b"h2c").strip().lower() != b"h2c":  # an offer of HTTP/2 may be passed over
        raise Refused(501, "protocol upgrades and websockets are not supported")
    named, port = _host_and_port(fields.get(b"host", route.authority).decode("latin-1").lower())
    if named.removesuffix(".") != route.host or port not in ("", str(route.port)):
        raise Refused(421, f"the Host header does not match {route.host}")
    signed = fields.get(b"authorization", b"").lower().startswith(_SIGNATURES)
    if keyed and (signed or b"x-amz-signature=" in route.target.lower()):
        raise Refused(501, "request signing is not supported: code has a placeholder, and signs with it")


def has_body(headers: Headers) -> bool:
    """Whether the request says that one follows its headers."""
    fields = dict(headers)
    return b"transfer-encoding" in fields or fields.get(b"content-length", b"0").strip(b"0") != b""


def request_headers(route: Route, headers: Headers, *, keyed: bool) -> Headers:
    """`keyed`: the host has keys. The length of the body is added when it is sent."""
    dropped = _HOP_BY_HOP | _REWRITTEN | _listed(headers) | (_HIDES_ECHOES if keyed else frozenset())
    kept = [(name, value) for name, value in headers if name not in dropped]
    if keyed:
        kept.append((b"accept-encoding", b"identity"))
    return ((b"host", route.authority), *kept)


def response_headers(headers: Headers, *, rewritten: bool) -> Headers:
    """`rewritten`: the body's length and coding may change on its way."""
    dropped = _HOP_BY_HOP | _ABOUT_OTHER_PORTS | _listed(headers)
    if rewritten:
        dropped |= _LENGTH_AND_CODING
    elif any(name == b"transfer-encoding" for name, _ in headers):
        dropped |= {b"content-length"}  # a host that sends both means the other
    return tuple((name, value) for name, value in headers if name not in dropped)


def trailers(headers: Headers) -> Headers:
    """Those of a response that may follow its body."""
    dropped = _HOP_BY_HOP | _REWRITTEN | _ABOUT_OTHER_PORTS | _LENGTH_AND_CODING | _NOT_LAST
    return tuple((name, value) for name, value in headers if name not in dropped)


def _host_and_port(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    return host.removeprefix("[").removesuffix("]"), port


def _listed(headers: Headers) -> frozenset[bytes]:
    """What the Connection header declares to be for this hop only."""
    listed = b",".join(value for name, value in headers if name == b"connection")
    return frozenset(name.strip().lower() for name in listed.split(b","))
