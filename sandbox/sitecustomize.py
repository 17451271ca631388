"""Sends clients that ignore the proxy variables through the proxy, for there is no other way out.

aiohttp reads them only with trust_env=True; http.client never does. Both are patched when something imports them.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing is slow to import, and this runs at every start of Python
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def aiohttp_client(module: Any) -> None:
    begin = module.ClientSession.__init__

    def __init__(self: Any, *args: Any, **named: Any) -> None:
        named.setdefault("trust_env", True)
        begin(self, *args, **named)

    module.ClientSession.__init__ = __init__


def http_client(module: Any) -> None:
    connect = module.HTTPSConnection.connect

    def through_proxy(self: Any) -> None:
        if not self._tunnel_host and self.host not in ("127.0.0.1", "localhost", "::1"):
            proxy, _, port = PROXY.rpartition("/")[2].partition(":")
            self.set_tunnel(self.host, self.port)
            self.host, self.port = proxy, int(port)
        connect(self)

    module.HTTPSConnection.connect = through_proxy


class Patches:
    """An import hook that acts once for each module in `waiting`."""

    def __init__(self, waiting: dict[str, Callable[[Any], None]]) -> None:
        self.waiting = waiting

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        patch = self.waiting.pop(name, None)
        finders: list[Any] = [finder for finder in sys.meta_path if finder is not self] if patch else []
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)
        if spec and patch:
            spec.loader.exec_module = then(spec.loader.exec_module, patch)
        return spec


def then(first: Callable[[Any], None], second: Callable[[Any], None]) -> Callable[[Any], None]:
    def both(module: Any) -> None:
        first(module)
        second(module)

    return both


PROXY = os.environ.get("HTTPS_PROXY", "").rstrip("/")
if PROXY:
    sys.meta_path.insert(0, Patches({"aiohttp.client": aiohttp_client, "http.client": http_client}))
