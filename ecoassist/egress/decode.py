"""Response bodies out of their content codings, in pieces of bounded size. Pure.

Nothing is worked out ahead: a piece is made when it is taken, so that a slow client holds a host back, and a small body
that unpacks to much costs no more memory than any other.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import Protocol

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 1 << 16
"""Bytes that a coding gives at once; brotli may give twice as many."""
_CODINGS_AT_MOST = 4
"""One after the other. Nobody means more, and each multiplies what a byte can unpack to."""
_ZSTD_WINDOW = 23
"""As a power of two: RFC 9659 lets no content be packed with a larger one, and it is memory here."""


class Undecodable(Exception):
    """The reason is for the code in the sandbox to read."""


class Stage(Protocol):
    """One coding."""

    def feed(self, data: bytes, piece: int) -> Iterator[bytes]:
        """What `data` unpacks to. Raises ValueError where it is not what it says."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the data could end here."""
        ...


class Decoder:
    """Undoes all codings of one body."""

    def __init__(self, stages: Sequence[Stage], limit: int) -> None:
        """`limit`: bytes that may go into each stage, and come out."""
        self._stages, self._limit = tuple(stages), limit
        self._passed = [0] * (len(stages) + 1)

    def feed(self, data: bytes, piece: int = PIECE) -> Iterator[bytes]:
        """Raises Undecodable for damaged data, and where there is too much of it."""
        try:
            yield from self._through(0, data, piece)
        except ValueError:
            raise Undecodable("the response's compressed body is damaged") from None

    def end(self) -> None:
        """Raises Undecodable where the body lacks its end."""
        if not all(stage.complete for stage in self._stages):
            raise Undecodable("the response ends in the middle of its compressed body")

    def _through(self, number: int, data: bytes, piece: int) -> Iterator[bytes]:
        self._passed[number] += len(data)
        if self._passed[number] > self._limit:
            raise Undecodable(f"the response is larger than {self._limit} bytes")
        if number == len(self._stages):
            yield data
            return
        for plain in self._stages[number].feed(data, piece):
            yield from self._through(number + 1, plain, piece)


def decoder_of(header: str, limit: int) -> Decoder | None:
    """For the value of a Content-Encoding header; None where nothing has to be undone.

    `limit`: bytes. Raises Undecodable for a coding that is not known.
    """
    names = [name for part in header.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if unknown := [name for name in names if name not in CODINGS]:
        raise Undecodable(f"the response is encoded as {unknown[0][:40]}, which cannot be searched for keys")
    if len(names) > _CODINGS_AT_MOST:
        raise Undecodable(f"the response is encoded {len(names)} times over")
    return Decoder([CODINGS[name]() for name in reversed(names)], limit) if names else None


class _Gzip:
    """Any number of members; what follows the last and is none is passed over, as clients do."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj(31)
        self._begun = self._later = self._over = False
        self._given = 0
        """Bytes of the member under way."""

    def feed(self, data: bytes, piece: int) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        more = False
        while (data or more) and not self._over:
            if self._decoder.eof:
                self._decoder, self._later, self._given = zlib.decompressobj(31), True, 0
            try:
                plain = self._decoder.decompress(data, piece)
            except zlib.error as error:
                if not self._later or self._given:
                    raise ValueError(str(error)) from error
                self._over = True
                return
            self._given += len(plain)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            more = len(plain) == piece and not self._decoder.eof
            yield plain

    @property
    def complete(self) -> bool:
        return self._over or self._decoder.eof or not self._begun


class _Deflate:
    """With the header of zlib, or without: many servers mean the raw form. What follows the end is passed over."""

    def __init__(self) -> None:
        self._decoder = zlib.decompressobj()
        self._begun = False

    def feed(self, data: bytes, piece: int) -> Iterator[bytes]:
        if data and not self._begun:
            self._begun = True
            if not _has_zlib_header(data):
                self._decoder = zlib.decompressobj(-15)
        more = False
        while (data or more) and not self._decoder.eof:
            try:
                plain = self._decoder.decompress(data, piece)
            except zlib.error as error:
                raise ValueError(str(error)) from error
            data, more = self._decoder.unconsumed_tail, len(plain) == piece
            yield plain

    @property
    def complete(self) -> bool:
        return self._decoder.eof or not self._begun


class _Brotli:
    """What follows the end counts as damage, as it does for clients. Its window is 16 MB at most."""

    def __init__(self) -> None:
        self._decoder = brotli.Decompressor()
        self._begun = False

    def feed(self, data: bytes, piece: int) -> Iterator[bytes]:
        if not data:
            return
        self._begun = True
        try:
            yield (plain := self._decoder.process(data, output_buffer_limit=piece))
            # It accepts more data while it still holds what came of the last.
            while not self._decoder.is_finished() and (plain or not self._decoder.can_accept_more_data()):
                yield (plain := self._decoder.process(b"", output_buffer_limit=piece))
        except brotli.error as error:
            raise ValueError(str(error)) from error

    @property
    def complete(self) -> bool:
        return self._decoder.is_finished() or not self._begun


class _Zstd:
    """Any number of frames; what follows the last and is none is passed over."""

    def __init__(self) -> None:
        self._decoder = _zstd()
        self._begun = self._later = self._over = False
        self._given = 0
        """Bytes of the frame under way."""

    def feed(self, data: bytes, piece: int) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        more = False
        while (data or more) and not self._over:
            if self._decoder.eof:
                self._decoder, self._later, self._given = _zstd(), True, 0
            try:
                plain = self._decoder.decompress(data, piece)
            except zstd.ZstdError as error:
                if not self._later or self._given:
                    raise ValueError(str(error)) from error
                self._over = True
                return
            self._given += len(plain)
            data, more = self._decoder.unused_data, not (self._decoder.eof or self._decoder.needs_input)
            yield plain

    @property
    def complete(self) -> bool:
        return self._over or self._decoder.eof or not self._begun


CODINGS: dict[str, type[Stage]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


def _zstd() -> zstd.ZstdDecompressor:
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW})


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
