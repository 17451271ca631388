"""Whether what a row says has the types and the bounds that it should have: a row may be written by anybody."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

MOST = 2**53
"""Of a number: what every database and JSON can hold."""


def sound(made: Any) -> bool:
    """Whether each field of a dataclass, and of those in it, is what it is declared to be.

    Numbers count something: they are not negative, nor beyond counting. What may be any JSON is not looked at.
    """
    return all(_fits(getattr(made, name), hint) for name, hint in _hints(made.__class__))


@cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name]) for field in fields(kind))


def _fits(value: object, hint: Any) -> bool:
    if hint in (str, bool):
        return isinstance(value, hint)
    if hint is int:
        return type(value) is int and 0 <= value < MOST
    if hint is float:
        return type(value) in (int, float) and math.isfinite(value) and 0 <= value < MOST  # type: ignore[arg-type, operator]
    if hint is type(None):
        return value is None
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(one, inner[0]) for one in value)
    if is_dataclass(hint):
        return type(value) is hint and sound(value)
    if isinstance(hint, UnionType) and not any(get_origin(one) is list for one in inner):
        return any(_fits(value, one) for one in inner)
    return True
