"""JSON Schemas in few words: what fits a parameter, and which fields a response has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from .tree import Tree, checked

MOST_FIELDS = 40
"""Of one response or one body."""
DEEPEST_FIELD = 5
MOST_STEPS = 400
"""Schemas that are looked at for one list of fields: references can multiply without end."""
STEPS_IN_ALL = 1_000_000
LONGEST_NAME = 60
MOST_VALUES, LONGEST_VALUES = 8, 80
PARTS = """
properties items allOf oneOf anyOf not additionalProperties patternProperties prefixItems $defs definitions
dependentSchemas if then else contains propertyNames unevaluatedItems unevaluatedProperties contentSchema
discriminator xml externalDocs example examples default
"""
WITHIN = frozenset(PARTS.split())
"""Parts of a schema that are looked at by themselves, or not at all."""
TELLING = {"date": "YYYY-MM-DD", "date-time": "ISO 8601", "uuid": "uuid", "email": "email", "binary": "file"}
"""Formats that say more than the name of a parameter."""


class Schemas:
    def __init__(self, tree: Tree) -> None:
        self._tree, self._left, self._steps = tree, STEPS_IN_ALL, 0

    def fits(self, schema: object) -> str:
        """What a value may be: "a|b", "1-14", "YYYY-MM-DD"; empty where there is nothing to say."""
        self._steps = MOST_STEPS
        return self._fits(schema, ())

    def fields(self, schema: object) -> tuple[str, ...]:
        """Dotted names: "days[].rain_mm", "rates.*" where the keys are not known."""
        return tuple(name.removesuffix("*") for name in self._listed(schema, writing=False))

    def body(self, schema: object) -> tuple[str, ...]:
        """Dotted names of what is sent; "*" marks what is required, first."""
        names = self._listed(schema, writing=True)
        return tuple(sorted(names, key=lambda name: not name.endswith("*")))

    def _listed(self, schema: object, *, writing: bool) -> list[str]:
        self._steps = MOST_STEPS
        found = list(dict.fromkeys(islice(self._walk(schema, "", (), writing, ""), MOST_FIELDS * 3)))
        # of alternatives one may be a plain value where another has fields
        whole = [name for name in found if not any(other.startswith((f"{name}.", f"{name}[")) for other in found)]
        return whole[:MOST_FIELDS]

    def _walk(self, schema: object, name: str, above: tuple[int, ...], writing: bool, mark: str) -> Iterator[str]:
        node = self._tree.follow(schema)
        self._steps -= 1
        self._left -= 1
        if min(self._steps, self._left) < 0:
            return
        depth = name.count(".") + name.count("[]")
        if id(node) in above or depth >= DEEPEST_FIELD:
            yield from [name + mark] if name else []
            return
        inner = list(self._inner(node, name, writing))
        for part, called, required in inner:
            yield from self._walk(part, called, (*above, id(node)), writing, mark if called == name else required)
        if not inner and name:
            yield name + mark

    def _inner(self, node: dict[str, Any], name: str, writing: bool) -> Iterator[tuple[object, str, str]]:
        """The schemas within one: each with the name of its values, and "*" where they are required."""
        for key in ("allOf", "oneOf", "anyOf"):
            yield from ((part, name, "") for part in self._tree.each(node, key) if part.get("type") != "null")
        shape = self._shape(node)
        required = (getattr(shape, "required", None) or []) if writing else []
        properties = node.get("properties")
        for key, child in properties.items() if isinstance(properties, dict) else ():
            one = self._tree.follow(child)
            if one.get("readOnly" if writing else "writeOnly") is True or one.get("deprecated") is True:
                continue
            if self._tree.text(key, LONGEST_NAME) == key and key and " " not in key:
                yield child, f"{name}.{key}" if name else key, "*" if key in required else ""
        if isinstance(items := node.get("items"), dict):
            yield items, f"{name}[]", ""
        if isinstance(more := node.get("additionalProperties"), dict) and more:
            yield more, f"{name}.<key>" if name else "<key>", ""

    def _fits(self, schema: object, above: tuple[int, ...]) -> str:
        node = self._tree.follow(schema)
        self._steps -= 1
        if self._steps < 0 or id(node) in above:
            return ""
        shape = self._shape(node)
        if shape is None:
            return ""
        said = self._values(shape) or _range(shape) or TELLING.get(shape.schema_format or "", "")
        if said:
            return said
        if node.get("type") == "boolean":
            return "true|false"
        below = (*above, id(node))
        if isinstance(items := node.get("items"), dict):
            return self._fits(items, below)
        parts = (part for key in ("allOf", "oneOf", "anyOf") for part in self._tree.each(node, key))
        return next((said for part in parts if (said := self._fits(part, below))), "")

    def _values(self, shape: Any) -> str:
        values = shape.enum or ([shape.const] if getattr(shape, "const", None) is not None else [])
        told: list[str] = []
        for value in values[:MOST_VALUES]:
            text = self._tree.text(value if isinstance(value, str) else _written(value), 30)
            if text and sum(map(len, told)) + len(text) <= LONGEST_VALUES:
                told.append(text)
        return "|".join([*told, *(["..."] if told and len(told) < len(values) else [])])

    def _shape(self, node: dict[str, Any]) -> Any:
        """What the schema itself says, without those within; None where that is not well formed."""
        return checked(self._tree.models.Schema, {key: node[key] for key in node.keys() - WITHIN})


def _range(shape: Any) -> str:
    low, over = _bound(shape.minimum, shape.exclusiveMinimum)
    high, under = _bound(shape.maximum, shape.exclusiveMaximum)
    if low and high and not over and not under:
        return f"{low}..{high}" if low.startswith("-") else f"{low}-{high}"
    told = [f">{'' if over else '='}{low}" if low else "", f"<{'' if under else '='}{high}" if high else ""]
    return " ".join(filter(None, told))


def _bound(limit: float | None, other: float | bool | None) -> tuple[str, bool]:
    """A bound, and whether it is no value itself: OpenAPI 3.0 marks such a one, 3.1 has a bound of that kind."""
    if limit is None and other is not None and not isinstance(other, bool):
        return _written(other), True
    return ("", False) if limit is None else (_written(limit), other is True)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, int) else ""
