"""Foreign text made harmless for a terminal.

Models, web pages and the code's own output can hold sequences that recolour, retitle, overwrite or hide what a
terminal shows (ECMA-48 control sequences), and characters that reorder or hide text for whoever reads it (bidirectional
overrides, CVE-2021-42574; invisible tags). Callers hand the result to `rich.text.Text`, never to Rich markup.
"""

from __future__ import annotations

import json
import re
from typing import TextIO

SEQUENCE = re.compile(
    r"(?:\x1b[PX\]^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\n\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"  # strings: titles, hidden links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor movements
    r"|\x1b[ -/]*[0-~]"  # character sets, resets
)
CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d"
    r"\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Default_Ignorable_Code_Point and Bidi_Control of the Unicode Character Database, the line and paragraph separators,
and format controls of scripts that terminals cannot lay out. U+FE0E and U+FE0F stay: they choose an emoji's look."""
SURROGATES = r"\ud800-\udfff"
UNWANTED = re.compile(f"[{CONTROLS}{INVISIBLE}]")
UNSAFE = re.compile(f"[{CONTROLS}{INVISIBLE}{SURROGATES}]")
LINE_END = re.compile(r"\r\n|[\r\x85\u2028\u2029]")
SURROGATE = re.compile(f"[{SURROGATES}]")


def plain(text: str) -> str:
    """`text` without control sequences, control characters (except newline and tab) and invisible characters.

    Every kind of line end becomes a newline, lone surrogates become U+FFFD. Idempotent.
    """
    if text.isascii() and text.isprintable():
        return text
    text = LINE_END.sub("\n", SEQUENCE.sub("", text))
    return SURROGATE.sub("\ufffd", UNWANTED.sub("", text))


def one_line(text: str) -> str:
    """`plain` text on a single line, for names, reasons and error messages."""
    return " ".join(plain(text).split())


def escaped(line: str) -> str:
    """A line of JSON with the same meaning in which nothing unsafe stands raw."""
    return UNSAFE.sub(lambda match: json.dumps(match[0])[1:-1], line)


def tolerant(stream: TextIO, encoding: str | None = None) -> TextIO:
    """`stream`, which from now on replaces what its encoding cannot express instead of raising."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure:
        reconfigure(encoding=encoding, errors="replace")
    return stream
