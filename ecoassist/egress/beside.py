"""Two things at once, where the end of one is the end of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Beside:
    """Has `work` done beside the block, and ends the block when the work ends: with its error, or ConnectionResetError.

    The work begins after `delay` seconds, so that a short block pays nothing for it.
    """

    def __init__(self, work: Callable[[], Awaitable[None]], delay: float) -> None:
        self._work, self._delay = work, delay
        self._block: asyncio.Task[object] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._working: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._block = asyncio.current_task()
        self._later = asyncio.get_running_loop().call_later(self._delay, self._begin)

    def _begin(self) -> None:
        self._working = asyncio.ensure_future(self._run())
        self._working.add_done_callback(self._over)

    async def _run(self) -> None:
        await self._work()

    def _over(self, working: asyncio.Task[None]) -> None:
        if self._block and not working.cancelled():
            self._block.cancel()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        block, self._block = self._block, None
        assert block
        assert self._later
        self._later.cancel()
        if not (working := self._working):
            return
        if not working.done():
            working.cancel()
            await asyncio.wait([working])
            if not working.cancelled():
                working.exception()
            return
        if working.cancelled() or kind is not asyncio.CancelledError:
            return
        if block.uncancel() == 0:
            raise working.exception() or ConnectionResetError("the client is gone") from None
