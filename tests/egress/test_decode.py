"""Content codings, without any socket."""

from __future__ import annotations

import gzip
import zlib

import pytest

from ecoassist.egress.decode import Inflate


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_packed_bodies_are_unpacked_in_bounded_pieces(coding: str, pack: object, step: int) -> None:
    assert callable(pack)
    plain = b"".join(b"%d " % (n * n) for n in range(20_000))
    packed, inflate = pack(plain), Inflate(coding)
    parts: list[bytes] = []

    for begin in range(0, len(packed), step):
        parts += inflate.feed(packed[begin : begin + step], 1000)

    assert b"".join(parts) == plain
    assert max(map(len, parts)) <= 1000
    assert inflate.complete


def test_several_gzip_members_are_one_body() -> None:
    assert b"".join(Inflate("gzip").feed(gzip.compress(b"one ") + gzip.compress(b"two"))) == b"one two"


def test_a_body_that_ends_early_is_not_complete() -> None:
    inflate = Inflate("gzip")
    list(inflate.feed(gzip.compress(b"x" * 1000)[:-9]))

    assert not inflate.complete


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_damage_is_noticed(coding: str) -> None:
    with pytest.raises(zlib.error):
        list(Inflate(coding).feed(b"this was never packed by anyone"))
