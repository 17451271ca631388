"""A PostgreSQL server of the tests' own: Debian's binaries on a temporary folder, as a user without rights.

It listens on a socket in that folder only. A service of this machine is neither needed nor touched.
"""

from __future__ import annotations

import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import quote

FOLDERS = Path("/usr/lib/postgresql")
"""Where Debian puts the servers, one folder for each major version."""
PLACE = "/tmp"
"""Not TMPDIR: the path of a socket ends at 107 bytes, and whoever the server belongs to has to get there."""
USER = "eco"
STARTUP = 60.0
"""Seconds."""
SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=30")


def binaries() -> Path | None:
    """The folder with `initdb` and `postgres` of the newest version; None: there is none."""
    found = [path.parent for path in FOLDERS.glob("*/bin/initdb") if (path.parent / "postgres").exists()]
    if found:
        return max(found, key=lambda path: float(re.sub(r"[^0-9.]", "", path.parent.name) or 0))
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def why_not() -> str:
    """What keeps this machine from starting a server; empty when nothing does."""
    if binaries() is None:
        return f"no PostgreSQL server under {FOLDERS} or in PATH (on Debian: apt install postgresql)"
    try:
        import psycopg  # noqa: F401 - only whether it is there
    except ImportError as error:
        return f"the extra `postgres` is not installed: {error}"
    return ""


class Server:
    """Runs from `start` to `stop`; may be started again on the same data."""

    def __init__(self) -> None:
        found = binaries()
        assert found, why_not()
        self.bin = found
        self.user = _nobody()
        self.folder = Path(mkdtemp(prefix="eco-pg-", dir=PLACE))
        self._databases = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if self.user:
            os.chown(self.folder, pwd.getpwnam(self.user).pw_uid, -1)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """Of its first process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres", user: str = USER) -> str:
        return f"postgresql://{user}@/{database}?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        """Returns once it takes connections."""
        settings = [part for setting in SETTINGS for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.folder, *settings],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as_user(),
            )
        deadline = time.monotonic() + STARTUP
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise AssertionError("the server does not start:\n" + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, as if the machine had lost it; its connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)  # "immediate shutdown" of its manual
            self._process.wait(timeout=STARTUP)
            self._process = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self) -> str:
        """The URL of a new, empty one."""
        name = f"t{next(self._databases)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def emptied(self) -> str:
        """The URL of one that every test may have for itself: whoever is still connected is thrown out."""
        self.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        self.execute("DROP SCHEMA IF EXISTS ecoassist CASCADE")
        return self.url()

    def execute(self, statement: str, url: str = "") -> list[tuple[object, ...]]:
        """What a superuser says, in a connection of its own."""
        import psycopg

        with psycopg.connect(url or self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, name: str, *args: str | Path) -> None:
        done = subprocess.run([self.bin / name, *args], cwd=self.folder, capture_output=True, **self._as_user())
        assert done.returncode == 0, done.stderr.decode()

    def _as_user(self) -> dict[str, Any]:
        """A server refuses to run as root."""
        return {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []} if self.user else {}


def _nobody() -> str:
    """Whom the server belongs to where this process is root's: Debian's user for it, else nobody. Empty: no need."""
    if os.geteuid():
        return ""
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
