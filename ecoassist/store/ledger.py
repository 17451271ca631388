"""The ledger of one person: money and runs in one SQLite file, for any number of processes and threads at once."""

from __future__ import annotations

from pathlib import Path

from .accounting import Accounting
from .database import Database
from .migrations import LEDGER
from .money import Money
from .runlog import RunLog


class SqliteLedger(Money, RunLog, Accounting):
    """A Ledger in the file `path`; the file and its folder are made on first use, for their owner only.

    Every method raises EnvironmentFault where the file cannot be used; nothing is ever deleted because of that.
    """

    def __init__(self, path: Path) -> None:
        self.path, database = path, Database(path, LEDGER)
        Money.__init__(self, database)
        RunLog.__init__(self, database)
        Accounting.__init__(self, database)

    def close(self) -> None:
        """Ends the connections of all threads. The next use would open a new one."""
        self._database.close()
