"""The parsers take whatever comes: any split, any bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.kernel.link.frames import (
    FROM_PEER,
    MAX_FRAME,
    Attached,
    Frame,
    Frames,
    KernelExit,
    Violation,
    exit_of,
    pack,
    started_of,
    window_of,
)

KINDS = st.sampled_from([bytes([kind]) for kind in FROM_PEER])
FRAMES = st.lists(st.builds(Frame, KINDS, st.integers(0, 2**32 - 1), st.binary(max_size=300)), max_size=8)


@st.composite
def splits(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(FRAMES, st.data())
def test_frames_survive_any_split(frames: list[Frame], data: st.DataObject) -> None:
    parser = Frames()
    pieces = data.draw(splits(b"".join(pack(*frame) for frame in frames)))
    assert [frame for piece in pieces for frame in parser.feed(piece)] == frames


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.binary(max_size=300)), max_size=8), st.data())
def test_attached_streams_survive_any_split(parts: list[tuple[int, bytes]], data: st.DataObject) -> None:
    parser = Attached()
    pieces = data.draw(splits(b"".join(struct.pack("!BxxxI", stream, len(part)) + part for stream, part in parts)))
    got = [found for piece in pieces for found in parser.feed(piece)]
    for mine in (True, False):
        expected = b"".join(part for stream, part in parts if (stream == 1) is mine)
        assert b"".join(part for is_mine, part in got if is_mine is mine) == expected


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_garbage_is_a_violation_or_frames_and_nothing_else(pieces: list[bytes]) -> None:
    for parse in (Frames().feed, Attached().feed):
        try:
            for piece in pieces:
                list(parse(piece))
        except Violation:
            pass


@given(st.binary(max_size=200))
def test_payloads_are_read_or_refused(payload: bytes) -> None:
    for read in (window_of, exit_of, started_of):
        try:
            read(payload)
        except Violation:
            pass


def test_an_oversized_frame_is_refused_by_its_header() -> None:
    with pytest.raises(Violation, match="131073 bytes"):
        list(Frames().feed(struct.pack("!cII", b"D", 1, MAX_FRAME + 1)))


def test_we_send_no_oversized_frame() -> None:
    with pytest.raises(ValueError, match="131073 bytes"):
        pack(b"H", 0, bytes(MAX_FRAME + 1))


def test_an_exit_is_read_strictly() -> None:
    assert exit_of(b'{"code": -9, "oom": true, "more": 1}') == KernelExit(-9, oom=True)
    for bad in (b"", b"[]", b"{}", b'{"code": true, "oom": true}', b'{"code": 1e3, "oom": true}', b'{"code": 999}'):
        with pytest.raises(Violation):
            exit_of(bad)


def test_deep_json_is_a_violation_too() -> None:
    with pytest.raises(Violation):
        exit_of(b"[" * 100_000)
