"""Files through the relay, out of folders in which code may have put anything."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.relay.files import MOST_LISTED, Listing
from sandbox.relay.folders import MOST_LOOKED_AT, walk, wipe
from tests.sandbox.conftest import HEADER, WINDOW, RelayProcess

ODD_NAMES = [
    "two\nlines",
    "\u202etxt.exe",
    "quote\"\\'",
    "A",
    "a",
    "é",
    "e\u0301",
    "\x01\x7f",
    " ",
    "x" * 255,
    "~",
    "-rf",
]
"""Names that a folder takes, and that may go out as they are: whoever shows or saves them has to mind."""


@pytest.fixture
def told(relay: RelayProcess) -> RelayProcess:
    """A relay that knows its folders; no kernel runs."""
    relay.hello(sys.executable, "-S", "-c", "")
    return relay


def write(folder: Path, name: str, content: bytes = b"x") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


# ── before the kernel starts ────────────────────────────────────────────────────────────────────────────────────────


def test_files_arrive_before_the_kernel_and_again_after_a_restart(relay: RelayProcess) -> None:
    program = "import os; print(sorted(os.listdir()), open('b').read()); open('left', 'w')"
    relay.hello(sys.executable, "-S", "-c", program)
    for _ in range(2):
        for frame in [(b"F", b"a"), (b"F", b"b"), (b"f", b"one "), (b"f", b"two")]:
            relay.send(frame[0], 0, frame[1])
        relay.go()
        assert relay.exit()[0] == "['a', 'b'] one two\n"
        relay.send(b"R")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x", "../x", "nul\0"])
def test_a_file_needs_a_plain_name(relay: RelayProcess, name: str) -> None:
    relay.hello(sys.executable, "-S", "-c", "")
    relay.send(b"F", 0, name.encode())
    relay.send(b"f", 0, b"content")
    relay.send(b"G")
    assert "not a plain file name" in json.loads(relay.expect(b"G")[1])["error"]
    relay.send(b"R")
    relay.go()  # a restart forgets the failure


def test_a_link_is_replaced_and_not_followed(relay: RelayProcess, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (relay.home / "a").symlink_to(tmp_path / "precious")
    relay.hello(sys.executable, "-S", "-c", "")
    relay.send(b"F", 0, b"a")
    relay.send(b"f", 0, b"overwritten")
    relay.go()
    assert (tmp_path / "precious").read_text() == "kept"
    assert (relay.home / "a").read_text() == "overwritten"
    assert not (relay.home / "a").is_symlink()


def test_texts_and_the_connection_file_lie_in_the_rundir(relay: RelayProcess) -> None:
    relay.hello(
        sys.executable, "-S", "-c", "import sys; print(open(sys.argv[1]).read())", "{connection_file}",
        texts={"ca.pem": "CERTIFICATE"},
    )  # fmt: skip
    relay.go()
    assert json.loads(relay.exit()[0])["transport"] == "ipc"
    assert (relay.rundir / "ca.pem").read_text() == "CERTIFICATE"
    assert (relay.rundir / "connection.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_is_emptied_whatever_the_sandbox_put_there(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    root.mkdir()
    (root / "link").symlink_to(outside)
    (root / "closed").mkdir()
    (root / "closed" / "file").write_text("")
    (root / "closed").chmod(0)
    os.mkfifo(root / "pipe")
    here = os.open(root, os.O_RDONLY)
    for _ in range(1500):  # deeper than a path may be long
        os.mkdir("deep", dir_fd=here)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    wipe(str(root))
    assert list(root.iterdir()) == []
    assert (outside / "precious").read_text() == "kept"


# ── what there is ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_regular_files_are_listed_with_size_and_time(told: RelayProcess) -> None:
    for name in ("b.csv", "a/b/c/deep.csv", ".hidden", ".folder/file", "a/.hidden", "a/b/c/d/too-deep"):
        write(told.home, name, b"12345")
    os.utime(told.home / "b.csv", ns=(0, 1_234_567_890_123_456_789))
    os.utime(told.home / "a/b/c/deep.csv", ns=(0, -5))
    os.mkfifo(told.home / "pipe")
    (told.home / "link").symlink_to("b.csv")
    (told.home / "folder-link").symlink_to("a")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(told.home / "socket"))
    assert told.list() == [["a/b/c/deep.csv", 5, -5], ["b.csv", 5, 1_234_567_890_123_456_789]]


def test_an_empty_and_a_missing_folder_have_no_files(told: RelayProcess) -> None:
    assert told.list() == []
    told.home.rmdir()
    assert told.list() == []
    told.home.symlink_to("/etc")
    assert told.list() == []


def test_names_go_out_as_they_are_and_come_back(told: RelayProcess) -> None:
    for number, name in enumerate(ODD_NAMES):
        write(told.home, name, bytes([number]))
    assert [row[0] for row in told.list()] == sorted(ODD_NAMES)
    assert [told.get(name) for name in ODD_NAMES] == [bytes([number]) for number in range(len(ODD_NAMES))]


def test_names_that_are_too_long_or_no_text_are_not_listed(told: RelayProcess) -> None:
    write(told.home, f"{'a' * 127}/{'b' * 127}")
    write(told.home, f"{'a' * 127}/{'b' * 128}")
    write(told.home, "\udcff\udcfe")
    write(told.home, "\udcff/inside")
    assert [row[0] for row in told.list()] == [f"{'a' * 127}/{'b' * 127}"]


def test_of_many_files_the_newest_are_listed(told: RelayProcess) -> None:
    for number in range(MOST_LISTED + 50):
        os.utime(write(told.home, f"{number:03}"), ns=(0, number))
    assert [row[0] for row in told.list()] == [f"{number:03}" for number in range(50, MOST_LISTED + 50)]


def test_a_long_listing_keeps_to_the_window(told: RelayProcess) -> None:
    for number in range(MOST_LISTED):
        write(told.home, f"{number:03}".ljust(255, "\x01"))  # in JSON six times as long
    told.send(b"O", 1, b"list")
    data = b""
    while len(data) < WINDOW:
        data += told.expect(b"D")[1]
    told.send(b"O", 2, b"get 000".ljust(4 + 255, b"\x01"))
    assert told.expect(b"D") == (2, b"x")  # nothing more came before
    assert told.expect(b"C") == (2, b"")
    told.send(b"W", 1, struct.pack("!I", WINDOW))
    assert len(json.loads(data + told.collect(1))) == MOST_LISTED


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with more entries than are looked at."""
    folder = tmp_path_factory.mktemp("full")
    for number in range(MOST_LOOKED_AT + 500):
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY))
    yield folder
    shutil.rmtree(folder)


def test_a_full_folder_is_looked_at_up_to_a_limit(full: Path) -> None:
    assert len(list(walk(str(full)))) == MOST_LOOKED_AT


def test_a_full_folder_is_looked_at_in_short_turns(full: Path) -> None:
    sent: list[bytes] = []
    link: Any = SimpleNamespace(send=lambda kind, number, payload=b"": sent.append(kind))
    listing, turns = Listing(link, {}, 1, str(full)), 0
    while listing.walking:
        assert not sent
        listing.step()
        turns += 1
    assert turns > 30
    assert sent == [b"D", b"C"]


def test_a_full_folder_holds_nothing_else_up(relay: RelayProcess, full: Path) -> None:
    relay.hello(sys.executable, "-S", "-c", "", cwd=str(full))
    both = [(1, b"list"), (2, b"get 0")]
    relay.socket.sendall(b"".join(HEADER.pack(b"O", number, len(what)) + what for number, what in both))
    assert relay.expect(b"C") == (2, b"")
    assert len(json.loads(relay.collect(1))) == MOST_LISTED


def test_a_listing_can_be_given_up_and_asked_for_again(relay: RelayProcess, full: Path) -> None:
    relay.hello(sys.executable, "-S", "-c", "", cwd=str(full), wipe=[])
    for end in ((b"C", 1), (b"R", 0)):
        frames = [(b"O", 1, b"list"), (*end, b"")]
        relay.socket.sendall(b"".join(HEADER.pack(kind, number, len(what)) + what for kind, number, what in frames))
    assert relay.expect(b"C") == (1, b"")  # of the restart
    assert len(relay.list()) == MOST_LISTED
    opened = [os.readlink(link) for link in Path(f"/proc/{relay.process.pid}/fd").iterdir()]
    assert opened
    assert str(full) not in opened


def test_folders_that_change_while_they_are_looked_at_break_nothing(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for name in ("a/1", "a/2", "b/1", "c/1", "d/1"):
        write(root, name)
    steps = walk(str(root))
    for _ in range(5):  # the folders at the top, and the first file below one of them
        next(steps)
    for name in "abcd":
        shutil.rmtree(root / name)
    write(outside, "1")
    (root / "a").symlink_to(outside)
    (root / "b").symlink_to(outside)
    os.mkfifo(root / "c")
    assert [found for found in steps if found] == []


# ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_content_of_a_file_comes_out_whole(told: RelayProcess) -> None:
    content = os.urandom(3_000_000)
    write(told.home, "a/b/c/big", content)
    write(told.home, "empty", b"")
    assert told.get("a/b/c/big") == content
    assert told.get("empty") == b""


@pytest.mark.parametrize(
    "name",
    [
        "missing", "a", "", ".", "..", "../precious", "a/../file", "a//file", "/etc/passwd", "file/", "./file",
        ".hidden", "a/.hidden", "link", "a-link/file", "loop", "pipe", "pipe/file", "socket", "file/file", "nul\0",
        "a/b/c/d/file", "x" * 256, "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_listed_does_not_come_out_and_holds_nothing_up(told: RelayProcess, name: str) -> None:
    for file in ("file", ".hidden", "a/.hidden", "a/file", "a/b/c/d/file", "../precious"):
        write(told.home, file, b"precious")
    (told.home / "link").symlink_to("file")
    (told.home / "a-link").symlink_to("a")
    (told.home / "loop").symlink_to("loop")
    os.mkfifo(told.home / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(told.home / "socket"))
    assert told.get(name) == b""
    assert told.get("file") == b"precious"


def test_a_file_under_a_lease_is_not_waited_for(
    relay: RelayProcess, eventually: Callable[[Callable[[], object]], None]
) -> None:
    program = """
import fcntl, signal, time
signal.signal(signal.SIGIO, signal.SIG_IGN)  # the kernel asks for the lease back, and waits 45 s for it
leased = open("leased", "w")
leased.write("x")
leased.flush()
fcntl.fcntl(leased, fcntl.F_SETLEASE, fcntl.F_WRLCK)
open("ready", "w").close()
time.sleep(600)
"""
    relay.run(program)
    eventually((relay.home / "ready").exists)
    assert relay.get("leased") == b""


@contextmanager
def under_way(relay: RelayProcess, size: int) -> Iterator[list[bytes]]:
    """The first window of the file "big" has come; what a test does then is followed by the rest, added to the list."""
    write(relay.home, "big", b"1" * size)
    relay.send(b"O", 1, b"get big")
    came = [relay.expect(b"D")[1] for _ in range(4)]
    assert sum(map(len, came)) == WINDOW
    yield came
    relay.send(b"W", 1, struct.pack("!I", WINDOW))
    came.append(relay.collect(1))


def test_a_file_that_shrinks_ends_where_it_ends(told: RelayProcess) -> None:
    with under_way(told, 3 * WINDOW) as came:
        os.truncate(told.home / "big", WINDOW + 7)
    assert b"".join(came) == b"1" * (WINDOW + 7)
    with under_way(told, 3 * WINDOW) as came:
        os.truncate(told.home / "big", 0)
    assert b"".join(came) == b"1" * WINDOW


def test_of_a_file_that_grows_no_more_comes_than_it_had(told: RelayProcess) -> None:
    with under_way(told, WINDOW + 10) as came, open(told.home / "big", "ab") as file:
        file.write(b"2" * WINDOW)
    assert b"".join(came) == b"1" * (WINDOW + 10)


def test_a_file_that_is_replaced_or_removed_comes_as_it_was_opened(told: RelayProcess, tmp_path: Path) -> None:
    precious = write(tmp_path, "precious", b"2" * 2 * WINDOW)
    with under_way(told, 2 * WINDOW) as came:
        (told.home / "big").unlink()
        (told.home / "big").symlink_to(precious)
    assert b"".join(came) == b"1" * 2 * WINDOW
    assert told.get("big") == b""


def test_a_folder_that_became_a_link_since_it_was_listed_is_not_followed(told: RelayProcess, tmp_path: Path) -> None:
    write(told.home, "a/file")
    write(tmp_path, "outside/file", b"precious")
    assert [row[0] for row in told.list()] == ["a/file"]
    shutil.rmtree(told.home / "a")
    (told.home / "a").symlink_to(tmp_path / "outside")
    assert told.get("a/file") == b""


def test_files_that_nobody_waits_for_are_closed(told: RelayProcess) -> None:
    write(told.home, "big", bytes(2 * WINDOW))
    descriptors = Path(f"/proc/{told.process.pid}/fd")
    told.list()
    before = len(list(descriptors.iterdir()))
    for number in range(1, 201):
        told.send(b"O", number, b"get big")
        told.send(b"C", number)
    told.send(b"O", 300, b"list")
    while told.next()[:2] != (b"C", 300):
        pass
    assert len(list(descriptors.iterdir())) == before


def test_a_restart_ends_what_is_under_way(told: RelayProcess) -> None:
    write(told.home, "big", bytes(2 * WINDOW))
    told.send(b"O", 1, b"get big")
    for _ in range(4):
        told.expect(b"D")
    told.send(b"O", 2, b"put 10 half")
    told.send(b"D", 2, b"12345")
    told.send(b"R")
    assert [told.expect(b"C")[0] for _ in range(2)] == [1, 2]
    assert told.list() == []
    assert list(told.spool.iterdir()) == []


# ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_put_whole_whatever_its_size(told: RelayProcess) -> None:
    content = os.urandom(3_000_000)
    assert told.put("big name.bin", content) == "ok"
    assert (told.spool / "big name.bin").read_bytes() == content
    assert (told.spool / "big name.bin").stat().st_mode & 0o777 == 0o600
    assert told.put("empty", b"") == "ok"
    assert (told.spool / "empty").read_bytes() == b""


def test_files_go_in_and_out_at_the_same_time(told: RelayProcess) -> None:
    content = os.urandom(WINDOW)
    write(told.home, "out", content)
    told.send(b"O", 1, b"get out")
    told.send(b"O", 2, f"put {WINDOW} in".encode())
    for at in range(0, WINDOW, 65536):
        told.send(b"D", 2, content[at : at + 65536])
    came: dict[int, bytes] = {1: b"", 2: b""}
    closed = 0
    while closed < 2:
        kind, number, payload = told.next()
        came[number] += payload if kind == b"D" else b""
        closed += kind == b"C"
    assert came == {1: content, 2: b"ok"}
    assert (told.spool / "in").read_bytes() == content


@pytest.mark.parametrize("there", ["file", "link", "pipe", "socket"])
def test_what_has_the_name_of_a_file_that_is_put_is_replaced(told: RelayProcess, tmp_path: Path, there: str) -> None:
    precious, goal = write(tmp_path, "precious", b"kept"), told.spool / "name"
    if there == "file":
        os.link(precious, goal)
    elif there == "link":
        goal.symlink_to(precious)
    elif there == "pipe":
        os.mkfifo(goal)
    else:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(goal))
    assert told.put("name", b"new") == "ok"
    assert goal.read_bytes() == b"new"
    assert precious.read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/x", "../x", "nul\0", "x" * 256, "folder"])
def test_a_file_that_cannot_be_put_is_an_answer(told: RelayProcess, name: str) -> None:
    (told.spool / "folder").mkdir()
    assert told.put(name, b"content").startswith("error: ")
    assert [path.name for path in told.spool.iterdir()] == ["folder"]
    assert told.put("good", b"content") == "ok"


def test_a_file_for_which_there_is_no_space_is_an_answer_and_is_removed(told: RelayProcess) -> None:
    told.list()  # it runs
    resource.prlimit(told.process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    assert told.put("big", bytes(5_000_000)) == "error: [Errno 27] File too large"
    assert list(told.spool.iterdir()) == []
    assert told.put("small", bytes(100_000)) == "ok"


def test_a_file_that_is_not_as_long_as_announced_is_removed(told: RelayProcess) -> None:
    assert told.put("long", b"12345", size=4) == "error: more came than was announced"
    told.send(b"O", 1, b"put 6 short")
    told.send(b"D", 1, b"12345")
    told.send(b"C", 1)
    told.list()
    assert list(told.spool.iterdir()) == []


def test_a_file_that_code_removes_while_it_is_put_breaks_nothing(told: RelayProcess) -> None:
    told.send(b"O", 1, b"put 10 name")
    told.send(b"D", 1, b"12345")
    told.list()
    (told.spool / "name").unlink()
    write(told.spool, "name", b"code's own")
    told.send(b"D", 1, b"67890")
    assert told.collect(1) == b"ok"
    assert (told.spool / "name").read_bytes() == b"code's own"
