"""A connection to a team's database that keeps nobody waiting: whatever server and network do, it ends in time."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from ecoassist.errors import EnvironmentFault, Locked

from .address import Address, parsed
from .schema import TAKE_LOCK, migrate

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 3.0
"""To connect, name resolution and TLS included."""
SECONDS = 10.0
"""For a transaction, others' included that it waits for."""
LONGEST = 200
"""Characters that are told of a server's own words: they are foreign."""

UNREACHED = "see that its server runs and can be reached from here, or correct [solutions] team"
UNENCRYPTED = "have it encrypt, or add ?sslmode=disable to its connection string if nobody can listen in between"

Link: TypeAlias = "psycopg.Connection[tuple[Any, ...]]"


class Database:
    """The database that the connection string of `where` names; its tables are made on first use.

    `where` raises EnvironmentFault where there is no connection string. One connection is used by all threads in turn,
    each for `patience` seconds at most, and `connecting` to connect.
    """

    def __init__(
        self, where: Callable[[], str], *, patience: float = SECONDS, connecting: float = CONNECT_SECONDS
    ) -> None:
        self._where, self.patience, self.connecting = where, patience, connecting
        self._turn = threading.Lock()
        self._link: Link | None = None
        self._fault: EnvironmentFault | None = None
        """Why it could not be connected to in the background; nobody was told yet."""
        self._over = False

    def address(self) -> Address:
        """Raises EnvironmentFault."""
        return parsed(self._where())

    def warm(self) -> None:
        """Connects, so that the first question need not wait for it. What fails is told by the first use."""
        try:
            with self._alone(), self._translated():
                if not self._over:
                    self._connected()
        except EnvironmentFault as fault:
            self._fault = fault

    def close(self) -> None:
        """Ends the connection, or has whoever uses it right now end it. The next use would connect again."""
        self._over = True
        self._leave()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Link]:
        """The connection, within one transaction; of those that write there is one at a time. Raises EnvironmentFault.

        A connection that broke while it was idle is made anew.
        """
        with self._alone(), self._translated():
            if fault := self._fault:
                self._fault = None
                raise fault
            link = self._begun(write=write)
            try:
                with _bounded(link, self.patience):
                    if write:
                        link.execute(TAKE_LOCK)
                    yield link
                    link.execute("COMMIT")
            except BaseException:
                self._give_up(link)
                raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self.patience):
            raise Locked("another thread keeps its connection", "try again")
        try:
            yield
        finally:
            self._turn.release()
            self._leave()

    def _leave(self) -> None:
        if self._over and self._link and self._turn.acquire(blocking=False):
            self._link.close()
            self._link = None
            self._turn.release()

    def _begun(self, *, write: bool) -> Link:
        import psycopg

        limit = round(self.patience * 500)  # milliseconds: sooner than ours, so that the server says what is wrong
        begin = (
            f"BEGIN {'READ WRITE' if write else 'READ ONLY'};"
            f"SET LOCAL statement_timeout = {limit}; SET LOCAL lock_timeout = {limit};"
            "SET LOCAL jit = off"  # to compile a statement takes longer than it does
        )
        link, fresh = self._connected()
        try:
            self._say(link, begin)
        except psycopg.OperationalError:
            if fresh:
                raise
            link, _ = self._connected()  # that one had broken while it was idle
            self._say(link, begin)
        return link

    def _say(self, link: Link, statement: str) -> None:
        try:
            with _bounded(link, self.patience):
                link.execute(statement.encode())
        except BaseException:
            self._give_up(link)
            raise

    def _connected(self) -> tuple[Link, bool]:
        """The connection, and whether it is a new one."""
        if self._link is not None and not self._link.closed:
            return self._link, False
        self._link = _connect(self.address(), self.connecting)
        try:
            with _bounded(self._link, self.patience):
                migrate(self._link)
        except BaseException:
            self._give_up(self._link)
            raise
        return self._link, True

    def _give_up(self, link: Link) -> None:
        """Nothing of its transaction happens. What cannot say so in time is no connection any more."""
        import psycopg

        try:
            with _bounded(link, 1.0):
                link.execute("ROLLBACK")
        except psycopg.Error:
            link.close()
            self._link = None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raises EnvironmentFault, with what can be done, for every way in which the database can fail."""
        try:
            import psycopg
        except ImportError as error:
            remedy = "pip install 'ecoassist[postgres]'"
            raise EnvironmentFault("there is no support for PostgreSQL", remedy) from error
        try:
            yield
        except psycopg.errors.InsufficientPrivilege as error:
            remedy = "have its owner grant your user the schema `ecoassist` and its tables"
            raise EnvironmentFault(f"it does not let you: {_said(error)}", remedy) from error
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            raise Locked("somebody keeps it busy", "try again") from error
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn) as error:
            remedy = "drop its schema `ecoassist`, and a new one is begun"
            raise EnvironmentFault("its tables are damaged; nothing was deleted", remedy) from error
        except UnicodeError as error:
            raise EnvironmentFault(
                "what stands in it is not UTF-8", "create its database with that encoding"
            ) from error
        except psycopg.Error as error:
            said = _said(error)
            raise EnvironmentFault(said, UNENCRYPTED if "SSL was required" in said else UNREACHED) from error


def _connect(address: Address, seconds: float) -> Link:
    """A new connection. In a thread of its own: to look up a name cannot be interrupted. Raises EnvironmentFault."""
    import psycopg
    from psycopg.conninfo import make_conninfo

    made: Future[Link] = Future()

    def work() -> None:
        try:
            usual = {"application_name": "ecoassist", "connect_timeout": f"{max(2, seconds):.0f}"}
            text = make_conninfo(**usual | address.parameters | {"client_encoding": "utf8"})
            # nothing is prepared: a pooler between would hand the statement to another connection
            link = psycopg.connect(text, autocommit=True, prepare_threshold=None)
        except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
            made.set_exception(error)
            return
        with lock:
            if not given_up:
                made.set_result(link)
                return
        link.close()

    lock, given_up = threading.Lock(), False
    threading.Thread(target=work, name="team-connect", daemon=True).start()
    wait([made], seconds)
    with lock:
        given_up = not made.done()
    if given_up:
        raise EnvironmentFault(f"it did not answer within {seconds:g} s", UNREACHED)
    return made.result()


@contextmanager
def _bounded(link: Link, seconds: float) -> Iterator[None]:
    """Breaks the connection after `seconds`: a server or a network that says nothing any more cannot be waited for."""
    try:
        own = socket.socket(fileno=os.dup(link.fileno()))
    except _broken_errors():
        yield  # it has ended already, and says so
        return
    overdue = threading.Timer(seconds, _break, (own,))
    overdue.daemon = True
    overdue.start()
    try:
        yield
    finally:
        overdue.cancel()
        overdue.join()
        own.close()


def _break(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _broken_errors() -> tuple[type[BaseException], ...]:
    import psycopg

    return psycopg.OperationalError, OSError


def _said(error: psycopg.Error) -> str:
    """The server's first line, or that of the library."""
    text = error.diag.message_primary or str(error).strip() or type(error).__name__
    line = text.splitlines()[0].removeprefix("connection failed: ")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."
