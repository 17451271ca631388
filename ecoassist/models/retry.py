"""A model that is asked again when its endpoint has a bad moment.

Outermost of the decorators, Retrying(Metered(endpoint)): each try is reserved and settled by itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from ecoassist.errors import ProviderError
from ecoassist.events import Notice, Stream, Tick
from ecoassist.ports import Model
from ecoassist.types import Message, Reply

TRIES = 3
FIRST_WAIT = 1.0
"""Seconds before the second try; doubled for each further one, and cut by up to a half at random, so that clients that
failed together do not return together."""
LONGEST_WAIT = 60.0
"""Seconds, whatever the endpoint asks for."""
EVERY = 0.05
"""Seconds between two Ticks."""


class Retrying:
    """`model`, tried up to `tries` times on errors that may pass; says so before each further try.

    Raises the last ProviderError. Interrupted passes through while it waits: there is no partial reply to keep.
    """

    def __init__(
        self,
        model: Model,
        tries: int = TRIES,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model, self.name, self.tries = model, model.name, tries
        self.clock, self.sleep, self.chance = clock, sleep, chance

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        for number in range(1, self.tries):
            try:
                return (yield from self.model.reply(messages, limit))
            except ProviderError as error:
                if not error.retryable:
                    raise
                seconds = self._pause(number, error.retry_after)
                yield Notice(f"{error}; trying again in {seconds:.0f} s", "warning", drop_live=True)
            yield from self._wait(seconds)
        return (yield from self.model.reply(messages, limit))

    def _pause(self, number: int, asked: float | None) -> float:
        """Seconds to wait after failure `number`."""
        own = FIRST_WAIT * 2 ** (number - 1) * (1 - self.chance() / 2)
        return min(LONGEST_WAIT, own if asked is None else asked)

    def _wait(self, seconds: float) -> Stream[None]:
        until = self.clock() + seconds
        yield Tick()
        while (left := until - self.clock()) > 0:
            self.sleep(min(EVERY, left))
            yield Tick()
