"""Numbers that look random and are the same in every run: derived from what they are about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def unit(*about: object) -> float:
    """A number in [0, 1), fixed by its arguments."""
    digest = hashlib.blake2b("\x1f".join(map(str, about)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def between(low: float, high: float, *about: object) -> float:
    return low + (high - low) * unit(*about)


def pick(choices: Sequence[T], *about: object) -> T:
    return choices[int(unit(*about) * len(choices))]
