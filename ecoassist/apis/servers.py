"""The base URLs of an OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, urljoin, urlsplit

from ecoassist.errors import UsageFault

from .fetch import is_url
from .tree import Tree, checked

HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
NO_ADDRESS = re.compile(r"0\.0\.0\.0|::1|::|127(?:\.[0-9]+){0,2}")
"""This machine, in a form in which the sandbox cannot stand in for it."""
OWN = "if it is on this machine or in your own network, add --private"
OTHERWISE = "say where it is: --url https://HOST/BASE"


class Servers:
    """Reads `servers` wherever they stand. `found`: where the document was found, for relative ones."""

    def __init__(self, tree: Tree, found: str, *, private: bool) -> None:
        self._tree, self._found, self._private = tree, found, private
        self.notes: list[str] = []

    def main(self) -> str:
        """The first server of the document that can be used, without a slash at its end. Raises UsageFault."""
        usable: list[str] = []
        fault = UsageFault("the document names no server", OTHERWISE)
        for url in self._urls(self._tree.root, default="/"):
            try:
                usable.append(self._checked(url))
            except UsageFault as error:
                fault = fault if usable else error
        if not usable:
            raise fault
        usable = list(dict.fromkeys(usable))
        if len(usable) > 1:
            others = ", ".join(usable[1:4]) + (f" and {len(usable) - 4} more" if len(usable) > 4 else "")
            self.notes.append(f"it names several servers: the first is taken, {usable[0]}, not {others} (see --url)")
        return usable[0]

    def of(self, node: dict[str, object]) -> str:
        """The server of a path or an operation that names its own; empty where it does not, or none can be used."""
        for url in self._urls(node, default=""):
            try:
                return self._checked(url)
            except UsageFault:
                continue
        return ""

    def _urls(self, node: dict[str, object], default: str) -> Iterator[str]:
        listed = list(self._tree.each(node, "servers"))
        if not listed and default:
            yield default
        for one in listed[:50]:
            server = checked(self._tree.models.Server, one)
            if server is None:
                continue
            url = server.url[:2000]
            for name, variable in (server.variables or {}).items():
                url = url.replace("{" + name + "}", variable.default)[:2000]
            yield url

    def _checked(self, url: str) -> str:
        """`url` as a base for paths. Raises UsageFault where it cannot be one."""
        shown = self._tree.clean(url)[:200]
        if "{" in url:
            raise UsageFault(f"the server {shown} has a variable without a value", OTHERWISE)
        if is_url(self._found):
            url = urljoin(self._found, url)
            shown = self._tree.clean(url)[:200]
        return check_base(url, private=self._private, shown=shown)


def check_base(url: str, *, private: bool, shown: str = "") -> str:
    """`url` as an API's base: http only where it is private. Raises UsageFault for what the gate could never open."""
    shown = shown or url
    if not (url.isascii() and url.isprintable()) or " " in url.strip():
        raise UsageFault(f"{shown} is not a URL", OTHERWISE)
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        raise UsageFault(f"{shown} is not a URL", OTHERWISE) from None
    if parts.scheme in ("ws", "wss"):
        raise UsageFault(f"{shown} is a WebSocket server, which is not supported", OTHERWISE)
    if parts.scheme not in ("http", "https"):
        where = "the document was not fetched from a URL" if not parts.scheme else "it is not http"
        raise UsageFault(f"the server {shown} says no host: {where}" if not host else f"{shown}: {where}", OTHERWISE)
    if parts.username is not None or parts.query or parts.fragment:
        raise UsageFault("a base URL holds no user name, password, query or fragment", OTHERWISE)
    if NO_ADDRESS.fullmatch(host):
        name = f"localhost:{port}" if port else "localhost"
        remedy = f"write --private --url {parts.scheme}://{name}{parts.path}"
        raise UsageFault(f"{host} leads nowhere from inside the sandbox", remedy)
    if not HOST.fullmatch(host) and not (private and ":" in host):
        raise UsageFault(f"{shown} names no host", OTHERWISE)
    if not private:
        parts = _public(parts, host, port, shown)
    return parts.geturl().rstrip("/")


def _public(parts: SplitResult, host: str, port: int | None, shown: str) -> SplitResult:
    """Over TLS, on its usual port."""
    last = host.rpartition(".")[2]
    if last.isdecimal() or last == "localhost" or "." not in host:
        raise UsageFault(f"{shown} is not a public host name", OWN)
    if port not in (None, 443 if parts.scheme == "https" else 80):
        raise UsageFault(f"{shown} is not on the usual port", OWN)
    return parts._replace(scheme="https", netloc=host)
