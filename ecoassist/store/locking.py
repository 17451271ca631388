"""Waiting for the one lock of a SQLite file that whoever writes has to hold."""

from __future__ import annotations

import sqlite3
import time

BUSY_SECONDS = 10.0
NAP = 0.002
"""Seconds between two looks at a lock that another process holds."""


def begin(connection: sqlite3.Connection, patience: float = BUSY_SECONDS) -> None:
    """Begins a transaction that writes: one that reads first fails where another process wrote in between.

    SQLite waits for a lock in ever longer naps, of a tenth of a second in the end; among eight that write without a
    pause one may miss every moment for ten seconds. Short naps give each its turn. Raises sqlite3.OperationalError
    after `patience` seconds.
    """
    deadline = time.monotonic() + patience
    connection.execute("PRAGMA busy_timeout = 0")
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
            break
        except sqlite3.OperationalError as error:
            if not busy(error) or time.monotonic() >= deadline:
                raise
            time.sleep(NAP)
    connection.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")


def write_ahead(connection: sqlite3.Connection) -> None:
    """Switches the file to write-ahead logging. SQLite does not wait for locks here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(NAP)


def busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
