"""The Store of a team."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ecoassist.memory.shelving import ShelfStore
from ecoassist.similarity import GATE

from .connection import CONNECT_SECONDS, SECONDS, Database
from .rows import LARGE, PostgresRows


class PostgresStore(ShelfStore):
    """A Store in the database that the connection string of `where` names; its tables are made on first use.

    `where` raises EnvironmentFault where there is none, as every method does where the database cannot be used, or
    does not answer within `patience` seconds, and `connecting` to connect. `large`: above so many entries only the
    rarest words of a question are looked up.
    """

    def __init__(
        self,
        where: Callable[[], str],
        gate: float = GATE,
        *,
        patience: float = SECONDS,
        connecting: float = CONNECT_SECONDS,
        large: int = LARGE,
    ) -> None:
        self.database = Database(where, patience=patience, connecting=connecting)
        super().__init__(PostgresShelf(self.database, large), gate)

    def warm(self) -> None:
        """Connects, in whatever thread this is. Raises nothing."""
        self.database.warm()

    def shown(self) -> str:
        """Where it is, for the person. Raises EnvironmentFault."""
        return self.database.address().shown


class PostgresShelf:
    def __init__(self, database: Database, large: int = LARGE) -> None:
        self._database, self._large = database, large

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[PostgresRows]:
        with self._database.transaction(write=write) as link:
            yield PostgresRows(link, self._large)

    def close(self) -> None:
        self._database.close()
