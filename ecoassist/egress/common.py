"""What all connections of one gate share."""

from __future__ import annotations

import ssl
from functools import cached_property

from ecoassist.masks import Masks
from ecoassist.types import Secret

from .ca import SessionCA
from .cache import Seen
from .dial import Dialer
from .policy import Policy
from .pool import Pool
from .proxies import Proxies
from .record import Record
from .resolve import Resolver, lookup
from .trust import verifying
from .upload import Room
from .wire import Limits


class Common:
    def __init__(
        self,
        policy: Policy,
        ca: SessionCA,
        upstream: ssl.SSLContext | None = None,
        *,
        resolve: Resolver = lookup,
        limits: Limits | None = None,
        proxies: Proxies | None = None,
        seen: Seen = lambda: None,
    ) -> None:
        """`upstream`: verifies the real hosts; by default with the system's roots. `proxies`: this machine's own.

        `seen`: asked for every request, what the run was answered before.
        """
        self.policy, self.ca, self.resolve, self.limits = policy, ca, resolve, limits or Limits()
        self.seen = seen
        self._upstream = upstream
        self.dialer = Dialer(policy, lambda: self.upstream, resolve, self.limits, proxies)
        self.pool = Pool(self.limits)
        self.record = Record(policy.secrets)
        self.room = Room(self.limits.whole_bodies)
        self._masks: dict[tuple[Secret, ...], Masks] = {}

    @cached_property
    def upstream(self) -> ssl.SSLContext:
        """Made on first use: reading the roots takes 20 ms."""
        return self._upstream or verifying()

    def masks(self, secrets: tuple[Secret, ...]) -> Masks | None:
        if secrets and secrets not in self._masks:
            self._masks[secrets] = Masks([(secret.value, secret.placeholder) for secret in secrets])
        return self._masks.get(secrets)
