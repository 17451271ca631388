"""What a cell leaves for the person: displays, files in the working directory, the whole of a long output."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from ecoassist.errors import NoSandbox
from ecoassist.kernel.displays.rich import Product
from ecoassist.kernel.link.files import MOST_LISTED, Listed, WorkFiles
from ecoassist.ports import Outbox
from ecoassist.types import Saved

from .cell import Cell
from .output import Spool

MOST_FILES = 50
MOST_BYTES = 256 << 20
"""Of the files of one cell together."""
GLANCE = 0.05
"""Seconds that a caller is held up by a look at the working directory; it takes about 0.001."""


class Halted(Exception):
    """A transfer was given up from another thread."""


class Harvest:
    """Puts what the cells of one kernel make into `outbox`; without one, nothing is looked for.

    `files` is asked for the working directory before each use; None: there is none to be had. `baseline` and `collect`
    block and are meant for a thread of their own. What fails is told in the cell's reason and is never its failure.
    """

    def __init__(self, outbox: Outbox | None, files: Callable[[], WorkFiles | None]) -> None:
        self._outbox, self._files = outbox, files
        self._known: dict[str, Listed] | None = None
        """What lay in the working directory before the cell; None: that is not known."""
        self._halt = threading.Event()

    @property
    def wanted(self) -> bool:
        return self._outbox is not None

    @property
    def ready(self) -> bool:
        """Whether the next cell's files can be told from those that were there."""
        return not self.wanted or self._known is not None

    def spool(self, most: int) -> Spool | None:
        return Spool(most) if self.wanted else None

    def keep(self, product: Product) -> Saved | None:
        """Raises OSError."""
        return self._outbox.display(product.stem, product.kind, [product.content]) if self._outbox else None

    def forget(self) -> None:
        """The working directory was filled anew."""
        self._known = None

    def baseline(self) -> None:
        """What lies there now is not made by the next cell."""
        files = self._files()
        try:
            self._known = {file.name: file for file in files.list()} if files else {}
        except NoSandbox:
            self._known = None  # the cell will run, and tell why its files are not known

    def nothing(self, cell: Cell) -> bool:
        """Whether the cell left nothing to collect, as most do: known at once, without the cost of a thread.

        False where that takes too long.
        """
        if self._known is None or (cell.spool and cell.text.omitted):
            return False
        files = self._files_after(cell)
        try:
            listed = files.list(GLANCE) if files else ()
        except NoSandbox:
            return False
        return len(listed) < MOST_LISTED and all(self._known.get(file.name) == file for file in listed)

    def collect(self, cell: Cell, halt: threading.Event) -> None:
        """Ends soon once `halt` is set."""
        self._halt = halt
        if cell.spool and cell.text.omitted:
            self._keep_whole(cell, cell.spool)
        if files := self._files_after(cell):
            self._fetch(cell, files)

    def _files_after(self, cell: Cell) -> WorkFiles | None:
        """None where the working directory went with the kernel."""
        return self._files() if cell.end != "gone" and not cell.state_lost else None

    def _keep_whole(self, cell: Cell, spool: Spool) -> None:
        assert self._outbox
        files = self._files() if cell.end != "gone" else None
        try:
            saved = self._outbox.display("output", "text/plain", self._halting(spool.chunks()))
            cell.files += [saved] if saved else []
            if files:
                cell.whole = files.put(f"output-{cell.number}.txt", self._halting(spool.chunks()))
        except Halted:
            pass
        except (OSError, NoSandbox) as error:
            cell.note(f"the whole output could not be kept: {error}")

    def _fetch(self, cell: Cell, files: WorkFiles) -> None:
        known = self._known
        try:
            listed = files.list()
        except NoSandbox as error:
            cell.note(f"the working directory could not be looked at: {error}")
            return
        self._known = {file.name: file for file in listed}
        if known is None:
            cell.note("files in the working directory were not looked at")
            return
        made = [file for file in listed if known.get(file.name) != file]
        room, left_out = MOST_BYTES, max(0, len(made) - MOST_FILES)
        for file in made[:MOST_FILES]:
            if file.size > room:
                left_out += 1
            elif not self._fetch_one(cell, files, file):
                break
            else:
                room -= file.size
        if len(listed) >= MOST_LISTED:
            cell.note(f"of the files in the working directory only {MOST_LISTED} are looked at")
        if left_out:
            most = f"{MOST_FILES} and {MOST_BYTES >> 20} MB"
            cell.note(f"{left_out:,} files were not fetched: at most {most} are after one cell")

    def _fetch_one(self, cell: Cell, files: WorkFiles, file: Listed) -> bool:
        """Whether it makes sense to go on."""
        assert self._outbox
        try:
            saved = self._outbox.file(file.name, self._halting(_all_of(file, files.get(file.name, file.size))))
            cell.files += [saved] if saved else []
        except Halted:
            return False
        except NoSandbox as error:
            cell.note(f"files could not be fetched: {error}")
            return False
        except OSError as error:
            cell.note(f"a file could not be fetched: {error}")
        return True

    def _halting(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            if self._halt.is_set():
                raise Halted
            yield chunk


def _all_of(file: Listed, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Raises OSError where less comes than was listed: then it is no good copy."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
    if size != file.size:
        raise OSError("it changed while it was read")
