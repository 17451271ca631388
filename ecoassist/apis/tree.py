"""Ways through an OpenAPI document, which may be sloppy: an unfit part of it is as if it were missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

from openapi_pydantic.v3 import v3_0, v3_1
from pydantic import BaseModel

from ecoassist.errors import UsageFault

Clean = Callable[[str], str]
"""Foreign text on one line, without what a terminal would act on."""
Model = TypeVar("Model", bound=BaseModel)


class Tree:
    """A document of OpenAPI 3.0 or 3.1. Raises UsageFault for any other."""

    def __init__(self, root: dict[str, Any], clean: Clean) -> None:
        self.root, self.clean = root, clean
        version = str(root.get("openapi", ""))
        if "swagger" in root:
            raise UsageFault(
                f"Swagger {clean(str(root['swagger']))[:10]} documents are not read, only OpenAPI 3.0 and 3.1",
                "convert it to OpenAPI 3 first: the Swagger Editor does (Edit, Convert to OpenAPI 3)",
            )
        if not re.fullmatch(r"3\.[01](\.\d+)?", version):
            said = f"it is of version {clean(version)[:20]!r}" if version else "it names no version"
            raise UsageFault(
                f"only OpenAPI 3.0 and 3.1 documents are read; {said}", "name one that begins with openapi: 3."
            )
        self.models = v3_0 if version.startswith("3.0") else v3_1

    def follow(self, node: object) -> dict[str, Any]:
        """The mapping that `node` is or refers to; empty where there is none.

        Raises UsageFault for a reference to another document.
        """
        passed = set()
        while isinstance(node, dict) and isinstance(reference := node.get("$ref"), str):
            if reference in passed:
                return {}
            passed.add(reference)
            node = self._at(reference)
        return node if isinstance(node, dict) else {}

    def under(self, node: object, key: str) -> dict[str, Any]:
        """The mapping `key` of a mapping."""
        return self.follow(self.follow(node).get(key))

    def each(self, node: object, key: str) -> Iterator[dict[str, Any]]:
        """The mappings in the list `key` of a mapping."""
        listed = self.follow(node).get(key)
        for item in listed if isinstance(listed, list) else ():
            if found := self.follow(item):
                yield found

    def text(self, value: object, most: int) -> str:
        """`value` where it is a text, on one line and cut."""
        if not isinstance(value, str):
            return ""
        text = self.clean(value[: 4 * most])
        return text if len(text) <= most else text[: most - 1].rstrip() + "…"

    def _at(self, reference: str) -> object:
        """What a JSON pointer leads to; None where it leads nowhere."""
        if not reference.startswith("#"):
            raise UsageFault(
                f"the document refers to another one: {self.clean(reference[:200])}",
                "put them into one file first, for instance with: redocly bundle",
            )
        node: object = self.root
        for step in unquote(reference[1:]).split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict):
                node = node.get(name)
            elif isinstance(node, list) and name.isdecimal() and len(name) < 9 and int(name) < len(node):
                node = node[int(name)]
            else:
                return None
        return node


def checked(model: type[Model], node: dict[str, Any]) -> Model | None:
    """`node` as the library reads it; None where it is not of that kind."""
    try:
        return model.model_validate(node)
    except ValueError:
        return None
