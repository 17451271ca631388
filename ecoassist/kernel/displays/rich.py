"""What code displays, from the MIME bundle of a Jupyter message: text for the model, tables, and files for the person.

A bundle comes from inside the sandbox: any shape, any content. It is at most as large as one message.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ecoassist.types import Table

from . import htmltables, svg

SAYS_NOTHING = re.compile(r"\s*<[^<>\n]{1,300}>\s*")
"""<Figure size 640x480 with 1 Axes>, <IPython.core.display.HTML object>: another form says more."""
MAGIC = {
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n....IHDR", re.S),
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/gif": re.compile(rb"GIF8[79]a"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.S),
    "application/pdf": re.compile(rb"%PDF-"),
}
"""How the content of a type begins. What begins otherwise is not kept."""
DRAWING = "image/svg+xml"
LARGEST_JSON = 1 << 20
"""Characters of JSON that are laid out for reading; deep nesting would blow up more than that."""
LONGEST_TEXT = 20_000
"""Characters of a text form other than text/plain."""
# The person opens the page on their own machine, with their network. The policy forbids scripts and loading; what it
# does not cover (a meta refresh, what <link> fetches ahead, frames) is turned into text; scripts, in case some reader
# knows no policy, into templates, which are not shown either.
GUARD = (
    '<!DOCTYPE html>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="'
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'"
    '">\n<meta http-equiv="x-dns-prefetch-control" content="off">\n<meta name="referrer" content="no-referrer">\n'
)
ACTS = re.compile(r"<(?=/?(?:meta|link|base|i?frame|frameset|object|embed|portal|fencedframe)\b)", re.I)
SCRIPT = re.compile(r"<(/?)script\b", re.I)


@dataclass(frozen=True, slots=True)
class Product:
    """A display worth a file."""

    stem: str
    """figure, document, table, page or data."""
    kind: str
    """Its media type."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Shown:
    text: str
    """For the model; may be long."""
    tables: tuple[Table, ...] = ()
    products: tuple[Product, ...] = ()


def shown(bundle: object) -> Shown:
    """What a bundle shows. It is one thing in several forms: at most one of them becomes a product."""
    forms = {kind: form for kind, form in bundle.items() if isinstance(kind, str)} if isinstance(bundle, dict) else {}
    texts = {kind: _text(form) for kind, form in forms.items() if kind.startswith("text/") or kind == DRAWING}
    plain = texts.get("text/plain", "")
    tables, prose = htmltables.parse(texts["text/html"]) if texts.get("text/html") else ([], "")
    product = _figure(forms, texts) or _page(texts, tables, prose) or _data(forms)
    parts = [] if SAYS_NOTHING.fullmatch(plain) else [plain]
    if product and product.stem in ("figure", "document"):
        parts.append(_described(product))
    if not any(part.strip() for part in parts):
        parts = [_other_text(texts, tables, prose, product) or (_described(product) if product else plain)]
    return Shown("\n".join(filter(None, parts)), tuple(table.table for table in tables), (product,) if product else ())


# ── products ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _figure(forms: Mapping[str, Any], texts: Mapping[str, str]) -> Product | None:
    for kind, magic in MAGIC.items():
        content = _decoded(forms.get(kind))
        if content and magic.match(content):
            return Product("document" if kind == "application/pdf" else "figure", kind, content)
    drawing = svg.drawing(texts[DRAWING]) if texts.get(DRAWING) else None
    return Product("figure", DRAWING, drawing.encode()) if drawing else None


def _page(texts: Mapping[str, str], tables: list[htmltables.Parsed], prose: str) -> Product | None:
    html = texts.get("text/html", "")
    if tables:
        return Product("table", "text/html", htmltables.page(tables, prose).encode())
    if not html.strip():
        return None
    return Product("page", "text/html", (GUARD + SCRIPT.sub(r"<\1template", ACTS.sub("&lt;", html))).encode())


def _data(forms: Mapping[str, Any]) -> Product | None:
    text = _json(forms["application/json"]) if "application/json" in forms else ""
    return Product("data", "application/json", f"{text}\n".encode()) if text else None


def _decoded(form: object) -> bytes | None:
    try:
        return base64.b64decode("".join(_text(form).split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _json(value: object) -> str:
    """Laid out for reading where that does not make it much larger; empty for what is no JSON."""
    try:
        short = json.dumps(value, ensure_ascii=False)
        pieces, size = [], 0
        for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_JSON:
                return _unicode(short)
        return _unicode("".join(pieces))
    except (ValueError, TypeError, RecursionError):
        return ""


# ── text forms ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _other_text(texts: Mapping[str, str], tables: list[htmltables.Parsed], prose: str, product: Product | None) -> str:
    """The best text where text/plain says nothing."""
    forms: tuple[Callable[[], str], ...] = (
        lambda: texts.get("text/markdown", ""),
        lambda: texts.get("text/latex", ""),
        lambda: product.content.decode() if product and product.stem == "data" else "",
        lambda: "\n\n".join([*(_lines(table.table) for table in tables), prose]).strip("\n"),
    )
    return next((text[:LONGEST_TEXT] for form in forms if (text := form()).strip()), "")


def _lines(table: Table) -> str:
    rows = [" | ".join(row) for row in ((table.columns,) if table.columns else ()) + table.rows]
    left = table.total - len(table.rows)
    return "\n".join([*rows, f"... {left:,} more rows"] if left > 0 else rows)


def _described(product: Product) -> str:
    size = _size(product)
    return f"[{product.stem}: {product.kind}" + (f", {size[0]} x {size[1]}]" if size else "]")


def _size(product: Product) -> tuple[int, int] | None:
    """Width and height in pixels, where the head of the file tells them."""
    if product.kind == "image/png" and len(product.content) >= 24:
        width, height = struct.unpack(">II", product.content[16:24])
        return width, height
    if product.kind == "image/gif" and len(product.content) >= 10:
        width, height = struct.unpack("<HH", product.content[6:10])
        return width, height
    return None


def _text(form: object) -> str:
    """A form as notebooks hold it: text, or a list of its lines."""
    if isinstance(form, list):
        form = "".join(line for line in form if isinstance(line, str))
    return _unicode(form) if isinstance(form, str) else ""


def _unicode(text: str) -> str:
    """Half surrogate pairs, which no file can encode, become question marks."""
    return text.encode("utf-8", "replace").decode()
