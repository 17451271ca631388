"""Whether what a row says has the types and the bounds that it should have: a row may be written by anybody."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

MOST = 2**53
"""Of a number: what every database and JSON can hold."""


Check: TypeAlias = Callable[[Any], bool]


def sound(made: Any) -> bool:
    """Whether each field of a dataclass, and of those in it, is what it is declared to be.

    Numbers count something: they are not negative, nor beyond counting. What may be any JSON is not looked at.
    """
    return all(check(getattr(made, name)) for name, check in _checks(made.__class__))


@cache
def _checks(kind: type) -> tuple[tuple[str, Check], ...]:
    """Of its fields: made once, because a search checks some hundred of them."""
    hints = get_type_hints(kind)
    return tuple((field.name, _check(hints[field.name])) for field in fields(kind))


def _check(hint: Any) -> Check:
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return lambda value: value in inner
    if origin is tuple:
        one = _check(inner[0])
        return lambda value: isinstance(value, tuple) and all(map(one, value))
    if is_dataclass(hint):
        return lambda value: type(value) is hint and sound(value)
    if isinstance(hint, UnionType) and not any(get_origin(one) is list for one in inner):
        arms = [*map(_check, inner)]
        return lambda value: any(arm(value) for arm in arms)
    return lambda value: True


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < MOST


def _amount(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value < MOST


_SIMPLE: dict[Any, Check] = {
    str: lambda value: isinstance(value, str),
    bool: lambda value: isinstance(value, bool),
    int: _count,
    float: _amount,
    NoneType: lambda value: value is None,
}
