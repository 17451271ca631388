"""What values are once they are read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no value, and what says so: null, "unknown", an empty list."""


@dataclass(frozen=True, slots=True)
class Truth:
    yes: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """A value in it, times `factor`, plus `offset`, is the value in the base of its dimension."""

    dimension: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Quantity:
    number: float
    step: float
    """One in the last printed digit; 0: exact."""
    unit: Unit | None = None
    noun: str = ""
    """What is counted, where it is no unit."""
    year: bool = False
    """Written as calendar years are: four digits and nothing else."""


@dataclass(frozen=True, slots=True)
class Day:
    year: int | None
    month: int
    day: int | None
    swapped: tuple[int | None, int, int | None] | None = None
    """Year, month and day if what was taken for the month is the day. None: there is no doubt."""

    weekday: str = field(default="", compare=False)
    """Its first letters, where it is told."""

    @property
    def parts(self) -> tuple[int | None, int, int | None]:
        return self.year, self.month, self.day


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day."""

    seconds: int
    step: int
    """60 where no seconds were written, else 1."""
    offset: int | None = None
    """Minutes ahead of UTC; None: local, or not told."""
    zone: str = ""
    """Its letters, where those are told; empty for UTC."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A day, a time of day, or both."""

    day: Day | None
    clock: Clock | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A few words that stand for something."""

    words: str
    """Without case, accents and punctuation."""
    text: str = field(compare=False)
    """As written."""


@dataclass(frozen=True, slots=True)
class Prose:
    """Text that has to be understood, and cannot be compared as it stands."""

    words: str
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Several:
    """A list, each thing once."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Record:
    fields: tuple[tuple[str, Value], ...]
    """By name, without case and punctuation."""


@dataclass(frozen=True, slots=True)
class TooMuch:
    """A value too large to be compared in its parts."""

    digest: str


Value: TypeAlias = Missing | Truth | Quantity | Moment | Name | Prose | Several | Record | TooMuch
