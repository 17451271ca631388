"""The gate itself: an HTTP proxy that runs on the streams it is handed and listens nowhere.

CONNECT is accepted for any target and refused inside the tunnel, because clients throw away the body of a refused
CONNECT, and the code in the sandbox should learn why.
"""

from __future__ import annotations

import asyncio

from ecoassist.types import Access

from .common import Common
from .conversation import Conversation


class Gate(Common):
    """One session's way out. `serve` is called once per client connection, always on the same event loop."""

    _serving = 0

    @property
    def variables(self) -> dict[str, str]:
        """For the environment of the sandbox: the names of the keys, with their placeholders."""
        return {secret.name: secret.placeholder for secret in self.policy.secrets}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client connection until either side ends it."""
        self._serving += 1
        try:
            await Conversation(self, reader, writer, full=self._serving > self.limits.connections).run()
        finally:
            self._serving -= 1

    def drain(self) -> tuple[Access, ...]:
        """What happened since the last drain, oldest first. May be called from any thread."""
        return self.record.drain()

    async def close(self) -> None:
        """Lets go of idle connections to hosts. A loop that cancels its tasks at its end does so as well."""
        await self.pool.close()
