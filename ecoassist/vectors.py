"""Vectors of embedders as they are stored: of length 1, as float16 in little-endian order. Pure.

Measured elsewhere: half precision moves a cosine by less than 0.001. numpy makes long lists fast where it is installed;
nothing needs it.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from collections.abc import Sequence

MOST_NUMBERS = 8192
"""Of a vector."""
FEW = 1 << 20
"""Numbers in all up to which plain Python takes a tenth of a second, as loading numpy does."""
MANY = 1 << 23
"""Numbers in all above which plain Python would take a second: without numpy they are not compared."""


def packed(numbers: Sequence[float]) -> bytes:
    """A vector as it is stored. Raises ValueError for what is none: empty, endless, without a length or a direction."""
    if not 0 < len(numbers) <= MOST_NUMBERS:
        raise ValueError(f"a vector of {len(numbers)} numbers")
    try:
        length = math.hypot(*numbers)
    except TypeError as error:
        raise ValueError("a vector of something else than numbers") from error
    if not 0 < length < math.inf:  # false for nan as well
        raise ValueError("a vector without a length")
    return struct.pack(f"<{len(numbers)}e", *(number / length for number in numbers))


def comparable(size: int, number: int) -> bool:
    """Whether `number` vectors of `size` bytes can be compared in good time."""
    return size * number <= 2 * MANY or importlib.util.find_spec("numpy") is not None


def cosines(asked: bytes, others: Sequence[bytes], few: int = FEW) -> list[float]:
    """Of one vector with others, from 0 to 1; 0 for a vector of another size, or where they point apart.

    Those of more than `few` numbers in all are left to numpy, where it is installed.
    """
    alike = [other for other in others if len(other) == len(asked)]
    found = iter(_products(asked, alike, few))
    return [min(1.0, max(0.0, next(found))) if len(other) == len(asked) else 0.0 for other in others]


def background(others: Sequence[bytes]) -> float:
    """What vectors of texts that have nothing to do with each other have in common: the mean cosine of two of them."""
    found = [one for at, vector in enumerate(others) for one in cosines(vector, others[at + 1 :])]
    return math.fsum(found) / len(found) if found else 0.0


def above(cosine: float, base: float) -> float:
    """A cosine, from 0 for `base` to 1."""
    return max(0.0, (cosine - base) / (1 - base)) if base < 1 else 0.0


def _products(asked: bytes, others: Sequence[bytes], few: int) -> list[float]:
    form = f"<{len(asked) // 2}e"
    if len(asked) // 2 * len(others) > few and importlib.util.find_spec("numpy"):
        import numpy

        matrix = numpy.frombuffer(b"".join(others), "<f2").reshape(len(others), -1)
        return [float(one) for one in matrix.astype("f4") @ numpy.frombuffer(asked, "<f2").astype("f4")]
    ours = struct.unpack(form, asked)
    return [sum(map(float.__mul__, ours, struct.unpack(form, other))) for other in others]  # fsum refuses infinities
