"""Response bodies out of their content coding, in pieces of bounded size."""

from __future__ import annotations

import zlib
from collections.abc import Iterator


class Inflate:
    """Decodes gzip and deflate in pieces of bounded size."""

    codings = ("gzip", "x-gzip", "deflate")

    def __init__(self, coding: str) -> None:
        self._gzip = "gzip" in coding
        self._decoder = zlib.decompressobj(31 if self._gzip else 15)
        self._begun = False

    def feed(self, data: bytes, piece: int = 65536) -> Iterator[bytes]:
        """Raises zlib.error where the data is not what it says."""
        if data and not self._begun:
            self._begun = True
            if not self._gzip and not _has_zlib_header(data):
                self._decoder = zlib.decompressobj(-15)  # many servers mean raw deflate
        more = False
        while data or more:
            if self._decoder.eof:
                if not self._gzip:
                    raise zlib.error("data after the end")
                self._decoder = zlib.decompressobj(31)
            plain = self._decoder.decompress(data, piece)
            data = self._decoder.unconsumed_tail or self._decoder.unused_data
            more = len(plain) == piece and not self._decoder.eof
            yield plain

    @property
    def complete(self) -> bool:
        """Whether the data could end here."""
        return self._decoder.eof or not self._begun


def _has_zlib_header(data: bytes) -> bool:
    return data[0] & 0x0F == 8 and (len(data) < 2 or (data[0] << 8 | data[1]) % 31 == 0)
