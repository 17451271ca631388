"""Files in and out of a sandbox, against a peer that may answer anything, and on this machine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.errors import NoSandbox
from ecoassist.kernel.link.files import LONGEST_NAME, MOST_LISTED, Listed
from ecoassist.kernel.link.frames import CHUNK, WINDOW, Violation
from ecoassist.kernel.link.transfer import DEEPEST, MOST_TOLD, fit, listed
from ecoassist.kernel.workdir import MOST_SEEN, LocalFiles
from tests.kernel.peers import DEADLINE, Connect, Peer

STALL = 0.3


def give(peer: Peer, number: int, data: bytes) -> None:
    """Sends `data` as an honest relay does, within the window, and closes."""
    credit, at = WINDOW, 0
    while at < len(data):
        if not credit:
            credit += int.from_bytes(peer.expect(b"W")[1], "big")
        piece = data[at : at + min(CHUNK, credit)]
        peer.send(b"D", number, piece)
        at, credit = at + len(piece), credit - len(piece)
    peer.send(b"C", number)


def take(peer: Peer, number: int, size: int) -> bytes:
    """Receives `size` bytes as an honest relay does."""
    got = b""
    while len(got) < size:
        channel, data = peer.expect(b"D")
        assert channel == number
        got += data
        peer.send(b"W", number, len(data).to_bytes(4, "big"))
    return got


def rows(*names: str) -> bytes:
    return json.dumps([[name, 1, 2] for name in names]).encode()


# ── what is there ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_listing_is_asked_for_and_read(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    for number in (1, 2):
        listing = pool.submit(mux.files.list)
        assert peer.expect(b"O") == (number, b"list")
        give(peer, number, b'[["a.csv", 3, 1700000000000000000], ["plots/b.png", 0, -5]]')
        assert listing.result(DEADLINE) == (Listed("a.csv", 3, 1700000000000000000), Listed("plots/b.png", 0, -5))


def test_a_full_listing_of_the_longest_names_is_read(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    listing = pool.submit(mux.files.list)
    peer.expect(b"O")
    give(peer, 1, rows(*(f"{number:03}{chr(1) * (LONGEST_NAME - 3)}" for number in range(MOST_LISTED))))
    assert len(listing.result(DEADLINE)) == MOST_LISTED


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "..",
        "../a",
        "a/../../b",
        "a/./b",
        "a//b",
        "a/",
        "",
        ".hidden",
        "a/.git/config",
        "a\0b",
        "x" * (LONGEST_NAME + 1),
        "ä" * (LONGEST_NAME // 2 + 1),
        "/".join("a" * (DEEPEST + 1)),
        "\ud800",
    ],
)
def test_a_name_that_is_not_fit_is_left_out_and_costs_nothing_else(name: str) -> None:
    assert not fit(name)
    assert [file.name for file in listed(rows("good", name, "better"))] == ["good", "better"]


def test_a_name_counts_once() -> None:
    assert listed(b'[["a", 1, 1], ["b", 2, 2], ["a", 3, 3]]') == (Listed("a", 1, 1), Listed("b", 2, 2))


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"null",
        b"[",
        b"\xff",
        b"[" * 100_000,
        b"[1]",
        b"[[]]",
        b'[["a", 1]]',
        b'[["a", 1, 2, 3]]',
        b"[[1, 1, 1]]",
        b'[["a", true, 1]]',
        b'[["a", 1.0, 1]]',
        b'[["a", -1, 1]]',
        b'[["a", 1e400, 1]]',
        b'[["a", 9223372036854775808, 1]]',
        b'[["a", 1, 1' + b"0" * 100 + b"]]",
        b'[["a", 1' + b"0" * 5000 + b", 1]]",
        rows(*map(str, range(MOST_LISTED + 1))),
        b" " * (MOST_TOLD + 1),
    ],
)
def test_a_listing_of_another_shape_ends_the_link(connect: Connect, pool: ThreadPoolExecutor, answer: bytes) -> None:
    mux, peer = connect()
    listing = pool.submit(mux.files.list)
    peer.expect(b"O")
    try:
        give(peer, 1, answer)
    except OSError:
        pass  # the link ended before we did
    with pytest.raises(NoSandbox, match="broke the protocol"):
        listing.result(DEADLINE)
    assert mux.gone.wait(DEADLINE)


def test_a_relay_that_cannot_look_tells_of_nothing(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    listing = pool.submit(mux.files.list)
    peer.expect(b"O")
    peer.send(b"C", 1)
    assert listing.result(DEADLINE) == ()
    assert not mux.gone.is_set()


NAMES = st.text(max_size=6) | st.sampled_from(["a", "..", "a/b", "\ud800"])
ROWS = st.lists(st.one_of(NAMES, st.integers(), st.floats(), st.booleans(), st.none()), max_size=4)
ANSWERS = st.binary(max_size=60) | st.lists(
    st.tuples(NAMES, st.integers(0, 1 << 62), st.integers(-(1 << 70), 1 << 70)) | ROWS, max_size=5
).map(lambda rows: json.dumps(rows).encode())


@given(ANSWERS)
def test_any_answer_is_a_violation_or_a_listing_of_fit_names(answer: bytes) -> None:
    try:
        files = listed(answer)
    except Violation:
        return
    assert len({file.name for file in files}) == len(files)
    for file in files:
        file.name.encode()
        assert not os.path.isabs(file.name)
        assert ".." not in file.name.split("/")
        assert file.size >= 0


# ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_comes_out_byte_for_byte(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    content = os.urandom(5_000_001)
    getting = pool.submit(lambda: b"".join(mux.files.get("über/a b.bin", 1 << 30)))
    assert peer.expect(b"O") == (1, b"get \xc3\xbcber/a b.bin")
    give(peer, 1, content)
    assert getting.result(DEADLINE) == content


def test_what_is_no_file_comes_out_empty(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    getting = pool.submit(lambda: list(mux.files.get("gone", 100)))
    peer.expect(b"O")
    peer.send(b"C", 1)
    assert getting.result(DEADLINE) == []
    assert list(mux.files.get("../etc/passwd", 100)) == []  # and nobody is asked
    mux.signal(2)
    peer.expect(b"S")


def test_no_more_than_asked_for_comes_out(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    getting = pool.submit(lambda: b"".join(mux.files.get("a", 100_000)))
    peer.expect(b"O")
    for _ in range(4):
        peer.send(b"D", 1, bytes(CHUNK))
    assert getting.result(DEADLINE) == bytes(100_000)
    assert peer.expect(b"C") == (1, b"")


def test_a_reader_that_stops_half_way_closes_the_channel(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    content = iter(mux.files.get("a", 1 << 30))
    first = pool.submit(next, content)
    peer.expect(b"O")
    for _ in range(4):
        peer.send(b"D", 1, bytes(CHUNK))
    assert first.result(DEADLINE)
    del first, content
    assert peer.expect(b"C") == (1, b"")
    peer.send(b"W", 1, b"\0\0\0\1")  # crossed the close
    peer.send(b"C", 1)
    listing = pool.submit(mux.files.list)
    peer.expect(b"O")
    give(peer, 2, b"[]")
    assert listing.result(DEADLINE) == ()


def test_a_reader_that_pauses_is_sent_no_more_than_a_window(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    content = iter(mux.files.get("a", 1 << 30))
    first = pool.submit(next, content)
    peer.expect(b"O")
    for _ in range(WINDOW // CHUNK):
        peer.send(b"D", 1, bytes(CHUNK))
    first.result(DEADLINE)
    peer.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        peer.receive()
    peer.send(b"D", 1, b"too much")
    assert mux.gone.wait(DEADLINE)
    with pytest.raises(NoSandbox, match="more data than the window"):
        next(content)


# ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_goes_in_byte_for_byte(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect(hello={"spool": "/tmp"})
    content = os.urandom(1_000_001)
    putting = pool.submit(mux.files.put, "cell-1.txt", [content[:7], b"", content[7:]])
    assert peer.expect(b"O") == (1, b"put 1000001 cell-1.txt")
    assert take(peer, 1, len(content)) == content
    give(peer, 1, b"ok")
    assert putting.result(DEADLINE) == "/tmp/cell-1.txt"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"error: no space", "no space"),
        (b"", "no answer"),
        (b"okay", "okay"),
        (b"\xff\x1b" * 1000, "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_an_answer_that_is_not_ok_is_an_error(
    connect: Connect, pool: ThreadPoolExecutor, answer: bytes, says: str
) -> None:
    mux, peer = connect()
    putting = pool.submit(mux.files.put, "a", [b"1"])
    peer.until(b"D")
    give(peer, 1, answer)
    with pytest.raises(NoSandbox, match=says) as caught:
        putting.result(DEADLINE)
    assert len(str(caught.value)) < 400
    assert not mux.gone.is_set()


def test_a_refusal_half_way_ends_the_sending(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    putting = pool.submit(mux.files.put, "a", [bytes(20 * WINDOW)])
    peer.until(b"D")
    give(peer, 1, b"error: no space")
    with pytest.raises(NoSandbox, match="no space"):
        putting.result(DEADLINE)


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0", "x" * 256, ".hidden", "\ud800"])
def test_only_plain_names_go_in(connect: Connect, name: str) -> None:
    mux, _ = connect()
    with pytest.raises(NoSandbox, match="plain file name"):
        mux.files.put(name, [b""])


# ── nothing waits for ever ──────────────────────────────────────────────────────────────────────────────────────────


def dribble(peer: Peer, number: int) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            peer.send(b"D", number, b" ")
            time.sleep(STALL / 10)
        except OSError:
            return


@pytest.mark.parametrize("act", ["list", "get", "put", "window"])
def test_a_peer_that_says_nothing_is_given_up(connect: Connect, pool: ThreadPoolExecutor, act: str) -> None:
    mux, peer = connect(stall=STALL)
    work: dict[str, Callable[[], object]] = {
        "list": mux.files.list,
        "get": lambda: list(mux.files.get("a", 100)),
        "put": lambda: mux.files.put("a", [b"x"]),
        "window": lambda: mux.files.put("a", [bytes(WINDOW + 1)]),
    }
    doing = pool.submit(work[act])
    with pytest.raises(NoSandbox, match="passed no file on"):
        doing.result(DEADLINE)
    peer.until(b"C")
    assert not mux.gone.is_set()


@pytest.mark.parametrize("act", ["list", "get"])
def test_a_peer_that_dribbles_is_given_up(connect: Connect, pool: ThreadPoolExecutor, act: str) -> None:
    mux, peer = connect(stall=STALL)
    doing = pool.submit(lambda: mux.files.list() if act == "list" else list(mux.files.get("a", 100)))
    peer.expect(b"O")
    dribbling = pool.submit(dribble, peer, 1)
    with pytest.raises(NoSandbox, match="passed no file on"):
        doing.result(DEADLINE)
    mux.close()
    dribbling.result(DEADLINE)


def test_the_time_that_a_reader_takes_for_itself_does_not_count(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect(stall=STALL)
    content = iter(mux.files.get("a", 1 << 30))
    first = pool.submit(next, content)
    peer.expect(b"O")
    peer.send(b"D", 1, bytes(CHUNK))
    peer.send(b"D", 1, bytes(CHUNK))
    first.result(DEADLINE)
    time.sleep(2 * STALL)
    peer.send(b"D", 1, b"rest")
    peer.send(b"C", 1)
    assert list(content) == [b"rest"]


@pytest.mark.parametrize("end", ["close", "restart", "vanish"])
def test_a_transfer_that_is_under_way_ends_with_its_link(connect: Connect, pool: ThreadPoolExecutor, end: str) -> None:
    mux, peer = connect()
    getting = pool.submit(lambda: list(mux.files.get("a", 1 << 30)))
    listing = pool.submit(mux.files.list)
    putting = pool.submit(mux.files.put, "a", [bytes(2 * WINDOW)])
    for _ in range(3):
        peer.until(b"O")
    if end == "restart":
        restarting = pool.submit(mux.restart)
        peer.until(b"G")
        peer.send(b"G", 0, b"{}")
        restarting.result(DEADLINE)
    elif end == "close":
        mux.close()
    else:
        peer.socket.close()
    for doing in (getting, listing, putting):
        with pytest.raises(NoSandbox):
            doing.result(DEADLINE)
    assert mux.gone.wait(0 if end == "restart" else DEADLINE) is (end != "restart")


def test_channels_for_files_are_few_and_given_back(connect: Connect, pool: ThreadPoolExecutor) -> None:
    mux, peer = connect()
    for number in range(1, 500):
        getting = pool.submit(lambda: list(mux.files.get("a", 10)))
        assert peer.expect(b"O")[0] == number
        give(peer, number, b"x")
        assert getting.result(DEADLINE) == [b"x"]


def test_before_a_start_there_are_no_files(pair: Connect) -> None:
    mux, _ = pair()
    with pytest.raises(NoSandbox):
        _ = mux.files


# ── on this machine ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def local(tmp_path: Path) -> LocalFiles:
    (tmp_path / "work").mkdir()
    (tmp_path / "secret").write_text("of the host")
    return LocalFiles(tmp_path / "work", tmp_path / "spool")


def names(files: LocalFiles) -> list[str]:
    return sorted(file.name for file in files.list())


def test_local_files_are_listed_and_read(local: LocalFiles, tmp_path: Path) -> None:
    deep = tmp_path / "work" / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "d.txt").write_text("deep")
    (deep / "e").mkdir()
    (deep / "e" / "too deep").write_text("")
    (tmp_path / "work" / "x.bin").write_bytes(bytes(1_000_000))
    assert names(local) == ["a/b/c/d.txt", "x.bin"]
    assert b"".join(local.get("a/b/c/d.txt", 100)) == b"deep"
    assert b"".join(local.get("x.bin", 1 << 30)) == bytes(1_000_000)
    assert b"".join(local.get("x.bin", 999)) == bytes(999)


def test_no_local_link_pipe_or_hidden_file_is_listed_or_opened(local: LocalFiles, tmp_path: Path) -> None:
    work = tmp_path / "work"
    (work / "link").symlink_to(tmp_path / "secret")
    (work / "folder").symlink_to(tmp_path)
    os.mkfifo(work / "pipe")
    (work / ".hidden").write_text("x")
    (work / ".git").mkdir()
    (work / ".git" / "config").write_text("x")
    (work / os.fsdecode(b"\xff")).write_text("x")
    assert names(local) == []
    for name in ("link", "folder/secret", "pipe", ".hidden", ".git/config", "../secret", "folder", "none", ""):
        assert list(local.get(name, 100)) == []


def test_a_local_listing_is_bounded(local: LocalFiles, tmp_path: Path) -> None:
    for number in range(MOST_LISTED + 5):
        (tmp_path / "work" / str(number)).touch()
    assert len(local.list()) == MOST_LISTED
    for number in range(MOST_SEEN):
        os.link(tmp_path / "work" / "0", tmp_path / "work" / f".{number}")
    assert len(local.list()) <= MOST_LISTED


def test_a_local_file_replaces_what_stands_there(local: LocalFiles, tmp_path: Path) -> None:
    assert Path(local.put("a", [b"1", b"2"])).read_bytes() == b"12"
    (tmp_path / "spool" / "a").unlink()
    (tmp_path / "spool" / "a").symlink_to(tmp_path / "secret")
    path = Path(local.put("a", [b"new"]))
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "secret").read_text() == "of the host"
    (tmp_path / "spool" / "b").mkdir()
    for name in ("b", "../a", ""):
        with pytest.raises(NoSandbox):
            local.put(name, [b""])
