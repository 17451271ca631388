"""What a run keeps on the person's machine: foreign names, foreign content, a folder that others change meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import threading
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ecoassist.filenames import DEVICE, LONGEST, kind_of, plain_name
from ecoassist.outbox import FolderOutbox
from ecoassist.types import Saved


class Said(list[str]):
    """What the person was told."""

    def __call__(self, text: str) -> None:
        self.append(text)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def box(tmp_path: Path, said: Said) -> FolderOutbox:
    made = FolderOutbox(tmp_path / "out", said)
    made.begin("1a2b")
    return made


def kept(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_displays_are_numbered_by_what_they_are(box: FolderOutbox, tmp_path: Path, said: Said) -> None:
    assert not (tmp_path / "out").exists(), "made before the first file"
    saved = [
        box.display("figure", "image/png", [b"a", b"b"]),
        box.display("figure", "image/jpeg", [b"c"]),
        box.display("table", "text/html", []),
        box.display("output", "text/plain", [b"x"]),
        box.display("odd", "some/thing", [b"x"]),
    ]
    names = ["figure-1.png", "figure-1.jpg", "table-1.html", "output-1.txt", "odd-1.bin"]
    assert [one and one.name for one in saved] == names
    assert saved[0] == Saved(str(tmp_path / "out/1a2b/figure-1.png"), "figure-1.png", "image/png", 2)
    assert set(kept(tmp_path / "out/1a2b")) == set(names)
    again = box.display("figure", "image/png", [b"z"])
    assert again
    assert again.name == "figure-2.png"
    assert not said


def test_a_path_is_told_as_the_person_would_type_it(tmp_path: Path, said: Said) -> None:
    base = Path(os.path.relpath(tmp_path)) / "mine"
    saved = FolderOutbox(base, said).file("a.csv", [b"1"])
    assert saved
    assert saved.path == str(base / "run" / "a.csv")


def test_permissions_are_those_of_any_new_document(box: FolderOutbox, tmp_path: Path) -> None:
    box.file("a.csv", [b"1"])
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/file").touch()
    for made, usual in (("out", "plain"), ("out/1a2b", "plain"), ("out/1a2b/a.csv", "plain/file")):
        assert (tmp_path / made).stat().st_mode == (tmp_path / usual).stat().st_mode


def test_a_file_that_comes_again_takes_the_place_of_its_earlier_copy(box: FolderOutbox, tmp_path: Path) -> None:
    first, again = box.file("d/a.csv", [b"one"]), box.file("d/a.csv", [b"three"])
    assert first
    assert again
    assert (first.path, first.name, first.kind, again.size) == (again.path, "d/a.csv", "text/csv", 5)
    assert kept(tmp_path / "out/1a2b") == {"d-a.csv": b"three"}


def test_names_that_some_file_system_takes_for_one_stay_apart(box: FolderOutbox, tmp_path: Path) -> None:
    names = ["a.txt", "A.txt", "b/c.txt", "b-c.txt", "é.txt", "e\u0301.txt", "É.txt", "straße", "STRASSE", "..", "."]
    for number, name in enumerate(names):
        assert box.file(name, [b"%d" % number])
    files = os.listdir(tmp_path / "out/1a2b")
    assert len({unicodedata.normalize("NFD", name).casefold() for name in files}) == len(names)
    assert box.display("a", "text/plain", [b""])
    assert box.file("a-1.txt", [b"x"])
    assert len(kept(tmp_path)) == len(names) + 2


def test_nothing_is_overwritten_that_the_run_did_not_write(box: FolderOutbox, tmp_path: Path, said: Said) -> None:
    box.file("a.csv", [b"one"])
    folder = tmp_path / "out/1a2b"
    (folder / "a.csv").write_text("edited by the person")
    (folder / "b.csv").write_text("the person's")
    (folder / "figure-1.png").symlink_to(tmp_path / "elsewhere")
    box.file("a.csv", [b"two"])
    box.file("b.csv", [b"b"])
    box.display("figure", "image/png", [b"f"])
    box.begin("1a2b")
    box.file("a.csv", [b"next run"])
    assert kept(tmp_path / "out") == {
        "1a2b/a.csv": b"edited by the person",
        "1a2b/a-2.csv": b"two",
        "1a2b/b.csv": b"the person's",
        "1a2b/b-2.csv": b"b",
        "1a2b/figure-2.png": b"f",
        "1a2b-2/a.csv": b"next run",
    }
    assert not (tmp_path / "elsewhere").exists()
    assert not said


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("part", ["out", "out/1a2b"])
def test_a_link_in_the_way_is_not_followed(
    moment: str, part: str, box: FolderOutbox, tmp_path: Path, said: Said
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    if moment == "after":
        assert box.file("first", [b""])
        (tmp_path / part).rename(tmp_path / "moved")
    (tmp_path / part).parent.mkdir(exist_ok=True)
    (tmp_path / part).symlink_to(precious)
    saved = [box.file("a.csv", [b"1"]), box.display("figure", "image/png", [b"1"])]
    assert os.listdir(precious) == []
    if (moment, part) == ("before", "out/1a2b"):
        assert [Path(one.path).parent.name for one in saved if one] == ["1a2b-2", "1a2b-2"]
    else:
        assert saved == [None, None]
        assert len(said) == 1
        assert "[sandbox]" in said[0]


def test_a_folder_that_takes_the_place_of_ours_is_left_alone(box: FolderOutbox, tmp_path: Path, said: Said) -> None:
    box.file("a", [b""])
    (tmp_path / "out/1a2b").rename(tmp_path / "moved")
    (tmp_path / "out/1a2b").mkdir()
    assert box.file("b", [b""]) is None
    assert kept(tmp_path) == {"moved/a": b""}
    assert "was replaced" in said[0]


def test_half_a_file_is_not_kept_and_the_exception_passes(box: FolderOutbox, tmp_path: Path, said: Said) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise OSError("the sandbox is gone")

    with pytest.raises(OSError, match="the sandbox is gone"):
        box.file("a.csv", broken())
    assert os.listdir(tmp_path) == [], "nor is an empty folder"
    box.file("a.csv", [b"whole"])
    with pytest.raises(OSError, match="the sandbox is gone"):
        box.file("a.csv", broken())
    assert kept(tmp_path / "out") == {"1a2b/a.csv": b"whole"}
    assert not said


def test_a_run_keeps_so_many_files_and_bytes_and_says_so_once(tmp_path: Path, said: Said) -> None:
    few = FolderOutbox(tmp_path / "few", said, most_files=2)
    assert [bool(few.file(name, [b"1"])) for name in ("a", "b", "c", "a", "d")] == [True, True, False, True, False]
    small = FolderOutbox(tmp_path / "small", said, most_bytes=10)
    forever = iter(lambda: b"xxxx", b"")
    assert small.file("endless", forever) is None
    assert small.file("a", [b"x" * 10])
    assert small.file("b", [b"x"]) is None
    assert small.file("a", [b"y" * 10]), "the earlier copy makes room"
    assert kept(tmp_path / "small") == {"run/a": b"y" * 10}
    assert [text.partition(":")[0] for text in said] == [
        "a run keeps at most 2 files and 256 MB",
        "a run keeps at most 100 files and 9.53674e-06 MB",
    ]
    few.begin("next")
    assert few.file("a", [b"1"]), "each run has its own"


def test_a_folder_that_cannot_be_written_is_said_once_with_what_to_do(tmp_path: Path, said: Said) -> None:
    (tmp_path / "file").write_text("in the way")
    box = FolderOutbox(tmp_path / "file" / "out", said)
    assert [box.file("a", [b"1"]), box.display("figure", "image/png", [b"1"])] == [None, None]
    assert FolderOutbox(tmp_path / "file", said).file("a", [b"1"]) is None
    assert len(said) == 2
    assert all("cannot keep files in" in text and "files in the section [sandbox]" in text for text in said)


def test_a_disk_that_fills_up_leaves_nothing_half(box: FolderOutbox, tmp_path: Path, said: Said) -> None:
    """A limit on the size of files stands for a full disk: writing fails half way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        assert box.file("large", [b"x" * 60_000] * 3) is None
        assert box.file("small", [b"x"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert kept(tmp_path / "out") == {"1a2b/small": b"x"}
    assert len(said) == 1


@pytest.mark.parametrize("run", ["", "..", "a/b", "-x", ".x", "a\n", "é", "x" * 65, "nul"])
def test_a_run_is_a_plain_word(run: str, box: FolderOutbox) -> None:
    with pytest.raises(ValueError, match="not the name of a run"):
        box.begin(run)


def test_many_threads_get_as_many_files(box: FolderOutbox, tmp_path: Path) -> None:
    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            for _ in range(5):
                box.display("figure", "image/png", [b"%d" % number])
            box.file(f"{number % 2}.csv", [b"x" * 1_000])

        return run

    threads = [threading.Thread(target=work(number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    files = kept(tmp_path / "out/1a2b")
    assert len(files) == 42
    assert sorted(files)[:2] == ["0.csv", "1.csv"]


@pytest.mark.parametrize(
    ("foreign", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Users\\me\\a.txt", "C-Users-me-a.txt"),
        ("//server/share/a.txt", "server-share-a.txt"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a\x00\x1b[31m\n b.txt", "a[31m  b.txt"),
        ("what?.txt", "what-.txt"),
        ("a／b.txt", "a-b.txt"),
        ("-rf", "rf"),
        ("--.-.bashrc", "bashrc"),
        ("~root", "root"),
        ("report. . ", "report"),
        ("con", "file-con"),
        ("a/NUL.tar.gz", "a-NUL.tar.gz"),
        ("Com1.txt", "file-Com1.txt"),
        ("\u3164\u200b", "file"),
        ("", "file"),
        ("..", "file"),
        ("x" * 300 + ".csv", "x" * 236 + ".csv"),
        ("é" * 300 + ".csv", "é" * 118 + ".csv"),
        ("a." + "x" * 300, "a." + "x" * 238),
    ],
)
def test_a_foreign_name_becomes_plain(foreign: str, name: str) -> None:
    assert plain_name(foreign) == name


@example("0.:\\")
@given(st.text() | st.text("./\\-~ \u202e\ud800éCONaux.:", max_size=400))
def test_any_name_becomes_one_visible_ordinary_part(foreign: str) -> None:
    name = plain_name(foreign)
    assert 0 < len(name.encode()) <= LONGEST
    assert name == unicodedata.normalize("NFC", name)
    assert not set(name) & set('/\\:*?"<>|\0')
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)
    assert name[0] not in ".-~ "
    assert name[-1] not in ". "
    assert not DEVICE.fullmatch(name.partition(".")[0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "text/csv"),
        ("a.PNG", "image/png"),
        ("a.webp", "image/webp"),
        ("a.tar.gz", "application/gzip"),
        ("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("a", "application/octet-stream"),
        ("a.nonsense", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_ending(name: str, kind: str) -> None:
    assert kind_of(name) == kind
