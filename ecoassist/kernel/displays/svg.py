"""Which SVG may be kept for a person to open: drawings, without anything that acts or loads."""

from __future__ import annotations

import re
from xml.etree.ElementTree import ParseError, XMLParser

LARGEST = 4 << 20
"""Characters."""
# The declaration names an encoding and the DTD is one that nothing loads: a kept drawing goes without both.
PROLOGUE = re.compile(r"\ufeff?\s{0,99}(?:<\?xml[^<>?]{0,200}\?>)?\s{0,99}(?:<!DOCTYPE\s[^<>\[\]]{0,500}>)?", re.I)
SVG = "{http://www.w3.org/2000/svg}"
NOTES = (
    "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}",
    "{http://creativecommons.org/ns#}",
    "{http://purl.org/dc/elements/1.1/}",
)
"""What plotting libraries describe a drawing with."""
_NAMES = """
    svg g path rect circle ellipse line polyline polygon text tspan textPath defs use symbol marker clipPath mask
    pattern linearGradient radialGradient stop title desc metadata style image filter feBlend feColorMatrix
    feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDropShadow feFlood feFuncA
    feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset feTile feTurbulence"""
DRAWN = frozenset(_NAMES.split())
"""Elements that draw. Not animate and set: they can change an attribute after it was looked at."""
EMBEDDED = re.compile(r"#|data:image/(?:png|jpeg|gif|webp);base64,", re.I)
LOADS = re.compile(r"url\s*\((?!\s*[\"']?#)|image-set|@import|\\|script\s*:|expression\s*\(", re.I)
"""In style and presentation attributes: addresses but for parts of the drawing itself, and what could spell one."""


def drawing(text: str) -> str | None:
    """`text` as an SVG document without prologue; None where it is none, or holds more than a drawing."""
    if len(text) > LARGEST:
        return None
    begin = PROLOGUE.match(text)
    body = text[begin.end() :].strip() if begin else ""
    # Entities and processing instructions are refused before anything is expanded.
    if "<!DOCTYPE" in body.upper() or "<!ENTITY" in body.upper():
        return None
    reader = _Reader()
    parser = XMLParser(target=reader)
    try:
        parser.feed(body)
        parser.close()
    except (ParseError, _Refused, ValueError):
        return None
    return body


class _Refused(Exception):
    """More than a drawing."""


class _Reader:
    """Looks at one element after another; keeps nothing but the names of those that are open."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._style: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        within = self._open[-1] if self._open else ""
        if within == f"{SVG}style" or (not within and tag != f"{SVG}svg"):
            raise _Refused
        if not tag.startswith(NOTES):
            if tag.removeprefix(SVG) not in DRAWN:
                raise _Refused
            for name, value in attributes.items():
                _check(name, value)
        self._open.append(tag)

    def end(self, tag: str) -> None:
        if tag == f"{SVG}style" and LOADS.search("".join(self._style)):
            raise _Refused
        self._style.clear()
        self._open.pop()

    def data(self, text: str) -> None:
        if self._open[-1] == f"{SVG}style":
            self._style.append(text)

    def pi(self, target: str, text: str | None = None) -> None:
        raise _Refused  # <?xml-stylesheet?> loads

    def close(self) -> None:
        pass


def _check(name: str, value: str) -> None:
    local = name.rpartition("}")[2].lower()
    if local.startswith("on") or local == "base":
        raise _Refused
    if local in ("href", "src"):
        if not EMBEDDED.match(value.strip()):
            raise _Refused
    elif LOADS.search(value):
        raise _Refused
