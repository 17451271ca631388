from __future__ import annotations

import resource
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.kernel.cell.output import Ends, Spool, both_ends, without_ansi


@given(st.lists(st.text(max_size=30)), st.integers(1, 10))
def test_whatever_comes_both_ends_are_kept_and_the_rest_is_counted(pieces: list[str], half: int) -> None:
    ends, whole = Ends(half), "".join(pieces)
    for piece in pieces:
        ends.add(piece)
    assert ends.omitted == max(0, len(whole) - 2 * half)
    if ends.omitted:
        assert str(ends) == f"{whole[:half]}\n... {ends.omitted:,} characters left out ...\n{whole[-half:]}"
    else:
        assert str(ends) == whole


def test_short_text_stays_as_it_is() -> None:
    assert both_ends("x" * 4_000) == "x" * 4_000


def test_colours_and_links_and_other_escapes_go() -> None:
    assert without_ansi("\x1b[0;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1bMup") == "red link up"


@given(st.lists(st.text(max_size=30)), st.integers(0, 60))
def test_a_spool_keeps_the_beginning_as_it_was(pieces: list[str], most: int) -> None:
    spool, whole = Spool(most), "".join(pieces).encode()
    for piece in pieces:
        spool.add(piece)
    kept = whole[:most].decode(errors="ignore").encode()
    assert b"".join(spool.chunks()) == kept
    assert b"".join(spool.chunks()) == kept
    spool.close()


def test_a_spool_on_a_full_disk_says_so_and_can_be_closed() -> None:
    spool = Spool(10_000_000)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 21, before[1]))
    try:
        for _ in range(4_000):
            spool.add("x" * 1_000)
        with pytest.raises(OSError, match="too large"):
            next(spool.chunks())
        spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_spool_holds_more_than_memory_should() -> None:
    spool = Spool(10_000_000)
    for _ in range(5):
        spool.add("é" * 500_000)
    assert sum(map(len, spool.chunks())) == 5_000_000
    spool.close()
