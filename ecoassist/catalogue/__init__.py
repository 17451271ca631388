"""Public web APIs that need no key, described by us: one NAME.toml each, in the form of an ApiConfig.

The first line of a card is the API's purpose. Nothing here is enabled before a person names it.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ecoassist.errors import UsageFault

FOLDER = Path(__file__).parent


@cache
def names() -> tuple[str, ...]:
    """Of all entries, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def entry(name: str) -> dict[str, Any]:
    """The settings of one entry; the caller's own copy. Raises UsageFault where there is none of that name."""
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known are: {', '.join(names())}"
        raise UsageFault(f"there is no API {name!r} in the catalogue", known)
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def purpose(name: str) -> str:
    """What the entry is for, in one line. Raises UsageFault where there is none of that name."""
    return str(entry(name)["card"]).strip().partition("\n")[0]


@cache
def hosts() -> dict[str, str]:
    """Every host of every entry, and the entry's name."""
    found: dict[str, str] = {}
    for name in names():
        one = entry(name)
        own = (one.get("host") or urlsplit(one.get("url", "")).hostname or "", *one.get("hosts", ()))
        found |= dict.fromkeys(own, name)
    return found
