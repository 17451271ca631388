"""What a cell leaves for the person: displays, files in the working directory, the whole of long output."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Stream
from ecoassist.kernel.cell.cell import MOST_DISPLAYS, MOST_TABLES, Cell
from ecoassist.kernel.cell.harvest import MOST_BYTES, MOST_FILES, Harvest
from ecoassist.kernel.cell.output import Spool
from ecoassist.kernel.link.files import MOST_LISTED, Listed
from ecoassist.outbox import FolderOutbox
from ecoassist.ports import Kernel
from ecoassist.types import Attachment, CellResult, Saved

Start = Callable[..., Kernel]
Run = Callable[..., CellResult]


class Box:
    """An Outbox in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def display(self, stem: str, kind: str, content: Iterable[bytes]) -> Saved | None:
        return self._keep(f"{stem}-{len(self.kept) + 1}", kind, content)

    def file(self, name: str, content: Iterable[bytes]) -> Saved | None:
        return self._keep(name, "file", content)

    def _keep(self, name: str, kind: str, content: Iterable[bytes]) -> Saved:
        data = b"".join(content)
        self.kept[name] = data
        return Saved(f"/out/{name}", name, kind, len(data))


class Files:
    """A working directory in memory; `broken` says why nothing works."""

    def __init__(self, **content: bytes) -> None:
        self.content: dict[str, bytes] = dict(content)
        self.stamps: dict[str, int] = {}
        self.placed: dict[str, bytes] = {}
        self.short: set[str] = set()
        self.broken = ""
        self.listings = 0

    def list(self, within: float = 10.0) -> tuple[Listed, ...]:
        self.listings += 1
        self._check()
        return tuple(Listed(name, len(data), self.stamps.get(name, 0)) for name, data in self.content.items())

    def get(self, name: str, most: int) -> Iterator[bytes]:
        self._check()
        yield self.content[name][: 0 if name in self.short else most]

    def put(self, name: str, content: Iterable[bytes]) -> str:
        self._check()
        self.placed[name] = b"".join(content)
        return f"/tmp/{name}"

    def _check(self) -> None:
        if self.broken:
            raise NoSandbox(self.broken)


def collected(harvest: Harvest, cell: Cell | None = None) -> Cell:
    cell = cell or Cell(1, 0.0)
    harvest.collect(cell, threading.Event())
    return cell


def test_new_and_changed_files_are_kept_and_others_are_not() -> None:
    box, files = Box(), Files(attached=b"1", touched=b"2", same=b"3")
    harvest = Harvest(box, lambda: files)
    harvest.baseline()
    files.content |= {"new": b"4", "same": b"33"}
    files.stamps["touched"] = 7
    assert [saved.name for saved in collected(harvest).files] == ["touched", "same", "new"]
    assert box.kept == {"touched": b"2", "same": b"33", "new": b"4"}
    assert collected(harvest).files == []


def test_without_an_outbox_nothing_is_looked_for() -> None:
    files = Files()
    harvest = Harvest(None, lambda: files)
    assert (harvest.wanted, harvest.ready, harvest.spool(1)) == (False, True, None)
    assert files.listings == 0


def test_after_a_restart_what_is_there_is_not_made_by_a_cell() -> None:
    files = Files()
    harvest = Harvest(Box(), lambda: files)
    harvest.baseline()
    harvest.forget()
    assert not harvest.ready
    files.content["attached"] = b"1"
    harvest.baseline()
    assert collected(harvest).files == []


def test_only_so_many_files_are_fetched_and_the_rest_is_told() -> None:
    files = Files()
    harvest = Harvest(Box(), lambda: files)
    harvest.baseline()
    files.content |= {f"f{n}": b"" for n in range(MOST_FILES + 3)}
    cell = collected(harvest)
    assert len(cell.files) == MOST_FILES
    assert "3 files were not fetched" in cell.notes[0]


def test_files_that_are_too_large_are_left_and_told() -> None:
    class Large(Files):
        def list(self, within: float = 10.0) -> tuple[Listed, ...]:
            return tuple(Listed(name, size, 0) for name, size in sizes.items())

        def get(self, name: str, most: int) -> Iterator[bytes]:
            yield from [bytes(1 << 20)] * (most >> 20)

    sizes: dict[str, int] = {}
    harvest = Harvest(Counting(), lambda: Large())
    harvest.baseline()
    sizes |= {"a": MOST_BYTES - (1 << 20), "b": 2 << 20, "c": 1 << 20}
    cell = collected(harvest)
    assert [saved.name for saved in cell.files] == ["a", "c"]
    assert "1 files were not fetched" in cell.notes[0]


class Counting(Box):
    def _keep(self, name: str, kind: str, content: Iterable[bytes]) -> Saved:
        return Saved(name, name, kind, sum(map(len, content)))


def test_a_file_of_which_less_comes_than_was_listed_is_not_kept_and_the_others_are() -> None:
    files, box = Files(), Box()
    harvest = Harvest(box, lambda: files)
    harvest.baseline()
    files.content |= {"pipe": b"123", "good": b"4"}
    files.short.add("pipe")
    cell = collected(harvest)
    assert box.kept == {"good": b"4"}
    assert "changed while it was read" in cell.notes[0]


def test_a_broken_transfer_is_told_and_is_no_failure() -> None:
    files = Files()
    harvest = Harvest(Box(), lambda: files)
    harvest.baseline()
    files.broken = "it did not answer in time"
    cell = collected(harvest)
    assert "did not answer" in cell.notes[0]
    assert cell.result(0, "", ()).status == "ok"
    harvest.forget()
    harvest.baseline()
    assert not harvest.ready
    files.broken = ""
    assert "not looked at" in collected(harvest).notes[0]
    assert harvest.ready


def test_a_full_disk_is_told_and_is_no_failure() -> None:
    class Full(Box):
        def _keep(self, name: str, kind: str, content: Iterable[bytes]) -> Saved:
            raise OSError(28, "No space left on device")

    files = Files()
    harvest = Harvest(Full(), lambda: files)
    harvest.baseline()
    files.content["a"] = b"1"
    spool = Spool(100)
    cell = Cell(3, 0.0, spool=spool)
    cell.text.add("x" * 5_000)
    collected(harvest, cell)
    spool.close()
    assert all("No space left" in note for note in cell.notes)
    assert len(cell.notes) == 2


def test_a_transfer_that_nobody_waits_for_ends_soon() -> None:
    begun = threading.Event()

    class Endless(Files):
        def get(self, name: str, most: int) -> Iterator[bytes]:
            while True:
                begun.set()
                yield b"x"

    files = Endless()
    harvest = Harvest(Counting(), lambda: files)
    harvest.baseline()
    files.content["endless"] = b"1"
    cell = Cell(1, 0.0)
    halt = threading.Event()
    thread = threading.Thread(target=harvest.collect, args=(cell, halt))
    thread.start()
    assert begun.wait(15)
    halt.set()
    thread.join(15)
    assert not thread.is_alive()
    assert cell.files == []


def test_a_transfer_that_was_given_up_before_it_began_does_not_begin() -> None:
    files, box, halt = Files(), Box(), threading.Event()
    harvest = Harvest(box, lambda: files)
    harvest.baseline()
    files.content["a"] = b"1"
    halt.set()
    harvest.collect(Cell(1, 0.0), halt)
    assert box.kept == {}


def test_a_directory_with_more_files_than_are_listed_is_told_each_time() -> None:
    files = Files(**{f"f{n}": b"" for n in range(MOST_LISTED)})
    harvest = Harvest(Box(), lambda: files)
    harvest.baseline()
    assert not harvest.nothing(Cell(1, 0.0))
    assert f"only {MOST_LISTED} are looked at" in collected(harvest).notes[0]


# ── with real kernels ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["local", pytest.param("box", marks=pytest.mark.docker)])
def start(request: pytest.FixtureRequest) -> Start:
    found: Start = request.getfixturevalue(f"start_{request.param}")
    return found


def test_what_cells_make_comes_out_and_long_output_can_be_paged(start: Start, run: Run, tmp_path: Path) -> None:
    told: list[str] = []
    kernel = start(outbox=FolderOutbox(tmp_path, told.append), files=[Attachment("given.csv", b"1,2\n")])
    assert run(kernel, "open('given.csv').read()").files == ()
    made = run(kernel, "import os; os.mkdir('plots'); n = open('plots/a.txt', 'w').write('hello'); print(n)")
    assert [(file.name, file.size) for file in made.files] == [("plots/a.txt", 5)]
    assert Path(made.files[0].path).read_text() == "hello"
    changed = run(kernel, "n = open('given.csv', 'a').write('3,4\\n')")
    assert [file.name for file in changed.files] == ["given.csv"]
    assert run(kernel, "1").files == ()

    long = run(kernel, "print('é' * 10_000); {}['key']")
    assert (long.status, long.omitted) == ("error", 6_001)
    assert [(Path(file.path).read_text(), file.kind) for file in long.files] == [("é" * 10_000 + "\n", "text/plain")]
    assert run(kernel, f"open({long.whole!r}, encoding='utf-8').read() == 'é' * 10_000 + '\\n'").value == "True"
    kernel.restart()
    again = run(kernel, "open('given.csv').read()")
    assert (again.value, again.files) == ("'1,2\\n'", ())
    assert told == []


DISPLAYS = """
from IPython.display import HTML, display
import base64
png = base64.b64encode(b"\\x89PNG\\r\\n\\x1a\\n" + bytes(4) + b"IHDR" + bytes(4) + b"\\x01" + bytes(20)).decode()
for _ in range({count}):
    display({{"text/plain": "<Figure>", "image/png": png}}, raw=True)
for _ in range({count}):
    display(HTML("<table><tr><th>a</th></tr><tr><td>1</td></tr></table>"))
handle = display("before", display_id=True)
handle.update("after")
"""


def test_displays_are_kept_and_tables_are_told_up_to_a_number(start_local: Start, run: Run, tmp_path: Path) -> None:
    kernel = start_local(outbox=FolderOutbox(tmp_path, lambda text: None))
    few = run(kernel, DISPLAYS.format(count=1))
    assert few.files[0].kind == "image/png"
    assert Path(few.files[0].path).read_bytes().startswith(b"\x89PNG")
    assert [(table.columns, table.rows) for table in few.tables] == [(("a",), (("1",),))]
    assert few.text.index("before") < few.text.index("after")
    many = run(kernel, DISPLAYS.format(count=MOST_DISPLAYS + 5))
    assert (len(many.tables), len([file for file in many.files if file.kind == "image/png"])) == (
        MOST_TABLES,
        MOST_DISPLAYS,
    )
    assert f"first {MOST_DISPLAYS} displays" in many.reason


def test_an_interruption_while_files_are_fetched_ends_the_cell_at_once(start_local: Start, tmp_path: Path) -> None:
    class Slow(FolderOutbox):
        def file(self, name: str, content: Iterable[bytes]) -> Saved | None:
            fetching.set()
            for _ in content:
                interrupted.wait(15)
            return None

    fetching, interrupted = threading.Event(), threading.Event()
    kernel = start_local(outbox=Slow(tmp_path, lambda text: None))
    stream: Stream[CellResult] = kernel.run("n = open('large', 'wb').write(bytes(3_000_000))")
    result = None
    began = time.monotonic()
    try:
        while not fetching.is_set():
            next(stream)
        stream.throw(Interrupted())
        interrupted.set()
        while True:
            next(stream)
    except StopIteration as end:
        result = end.value
    assert result
    assert (result.status, result.cause, result.files) == ("interrupted", "person", ())
    assert time.monotonic() - began < 15
