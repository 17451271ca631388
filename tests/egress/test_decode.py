"""Content codings, without any socket."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections import deque
from collections.abc import Callable
from itertools import chain

import brotli
import pytest

from ecoassist.egress.decode import Decoder, Undecodable, decoder_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1 << 30
Pack = Callable[[bytes], bytes]


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKS: list[tuple[str, Pack]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstd.compress),
    ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    ("Deflate , identity,,ZSTD", lambda data: zstd.compress(zlib.compress(data))),
    ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
]


def made(coding: str, limit: int = LIMIT) -> Decoder:
    decoder = decoder_of(coding, limit)
    assert decoder
    return decoder


def unpacked(coding: str, packed: bytes) -> bytes:
    decoder = made(coding)
    plain = b"".join(decoder.feed(packed))
    decoder.end()
    return plain


@pytest.mark.parametrize(("coding", "pack"), PACKS)
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_packed_bodies_are_unpacked_in_bounded_pieces(coding: str, pack: Pack, step: int) -> None:
    plain = b"".join(b"%d " % (n * n) for n in range(20_000))
    packed, decoder = pack(plain), made(coding)
    parts: list[bytes] = []

    for begin in range(0, len(packed), step):
        parts += decoder.feed(packed[begin : begin + step], 1000)
    decoder.end()

    assert b"".join(parts) == plain
    assert max(map(len, parts)) <= (40_000 if "br" in coding else 1000)


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_an_empty_body_and_a_body_of_nothing_are_whole(coding: str, pack: Pack) -> None:
    made(coding).end()

    assert unpacked(coding, pack(b"")) == b""


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_a_body_that_lacks_its_end_is_told_from_a_whole_one(coding: str, pack: Pack) -> None:
    packed = pack(b"".join(b"%d" % n for n in range(1000)))

    for left in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(Undecodable, match="ends in the middle"):
            unpacked(coding, packed[:left])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, zstd"])
def test_damage_is_noticed(coding: str) -> None:
    with pytest.raises(Undecodable, match="damaged"):
        list(made(coding).feed(b"this was never packed by anyone"))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_several_members_are_one_body(coding: str) -> None:
    pack = dict(PACKS)[coding]

    assert unpacked(coding, pack(b"one ") + pack(b"") + pack(b"two")) == b"one two"
    with pytest.raises(Undecodable, match="damaged"):
        unpacked(coding, pack(b"one ") + pack(bytes(range(256)) * 9000)[:-9] + bytes(9))


@pytest.mark.parametrize("garbage", [bytes(512), b"<!-- served by a cache -->"])
@pytest.mark.parametrize(("coding", "pack"), [pair for pair in PACKS if "br" not in pair[0]])
def test_what_follows_the_end_is_passed_over(coding: str, pack: Pack, garbage: bytes) -> None:
    assert unpacked(coding, pack(b"all of it") + garbage) == b"all of it"
    decoder = made(coding)
    assert b"".join([*decoder.feed(pack(b"all of it")), *decoder.feed(garbage), *decoder.feed(b"x")]) == b"all of it"


def test_what_follows_the_end_of_brotli_is_damage_as_it_is_for_clients() -> None:
    with pytest.raises(Undecodable, match="damaged"):
        unpacked("br", brotli.compress(b"all of it") + b"more")


@pytest.mark.parametrize(("coding", "pack"), PACKS)
def test_a_bomb_is_stopped_at_the_limit_and_takes_no_memory(coding: str, pack: Pack) -> None:
    bomb, decoder = pack(bytes(40_000_000)), made(coding, 5_000_000)
    tracemalloc.start()

    with pytest.raises(Undecodable, match="larger than 5000000 bytes"):
        deque(decoder.feed(bomb), maxlen=0)

    assert tracemalloc.get_traced_memory()[1] < 1_500_000
    tracemalloc.stop()


@pytest.mark.parametrize("inner", [gzip.compress(b""), zlib.compress(b""), b"\x50\x2a\x4d\x18\x00\x00\x00\x00"])
def test_a_bomb_of_which_nothing_remains_is_stopped_too(inner: bytes) -> None:
    coding = "zstd" if inner[0] == 0x50 else "gzip"  # an empty frame of zstd; garbage behind a member of gzip
    decoder = made(f"{coding}, gzip", 1_000_000)

    with pytest.raises(Undecodable, match="larger than 1000000 bytes"):
        list(decoder.feed(gzip.compress(gzip.compress(b"") * (coding == "gzip") + inner * 200_000)))


def test_what_is_never_unpacked_is_counted_as_well() -> None:
    decoder = made("gzip", 1_000_000)
    list(decoder.feed(gzip.compress(b"end")))

    with pytest.raises(Undecodable, match="larger than 1000000 bytes"):
        list(chain.from_iterable(decoder.feed(bytes(50_000)) for _ in range(100)))


def test_a_window_of_zstd_beyond_what_http_allows_is_refused() -> None:
    level: dict[int, int] = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
    packer = zstd.ZstdCompressor(options=level)
    packed = packer.compress(bytes(1_000_000)) + packer.flush()

    with pytest.raises(Undecodable, match="damaged"):
        unpacked("zstd", packed)


@pytest.mark.parametrize("coding", ["compress", "gzip, rot13", "aes128gcm"])
def test_a_coding_that_is_not_known_is_named(coding: str) -> None:
    with pytest.raises(Undecodable, match=f"encoded as {coding.rpartition(' ')[2]}, which cannot be searched"):
        decoder_of(coding, LIMIT)


def test_nothing_has_to_be_undone_where_nothing_was_done() -> None:
    assert decoder_of("", LIMIT) is None
    assert decoder_of("identity", LIMIT) is None


def test_codings_without_end_are_refused() -> None:
    with pytest.raises(Undecodable, match="encoded 9 times over"):
        decoder_of(",".join(["gzip"] * 9), LIMIT)
