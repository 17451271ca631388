"""Foreign names of files, made plain: what they say stays readable, and on no system they do or mean anything else."""

from __future__ import annotations

import mimetypes
import re
import unicodedata

LONGEST = 240
"""Bytes of a name: file systems take 255, and a number may have to go in."""
KINDS = mimetypes.MimeTypes()
"""Python's own table, the same on every machine, and what it lacks."""
for _ending, _kind in (("webp", "image/webp"), ("parquet", "application/vnd.apache.parquet"), ("md", "text/markdown")):
    KINDS.add_type(_kind, f".{_ending}")
KINDS.add_type("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx")
SEPARATORS = re.compile(r"[/\\]+")
"""Of any system."""
UNFIT = re.compile(r"[:*?\"<>|／＼：∕⁄⧵⧸﹨]")
"""What Windows does not take in a name, and what looks like a separator."""
DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³]|CONIN\$|CONOUT\$)", re.I)
"""On Windows no file can be called so, whatever its ending."""
INVISIBLE_LETTERS = "\u115f\u1160\u3164\uffa0"


def plain_name(foreign: str) -> str:
    """A name made of `foreign` that is one visible, ordinary file name on every system."""
    text = unicodedata.normalize("NFC", foreign.encode("utf-8", "replace").decode()[:4_000])
    *folders, last = map(_plain_part, SEPARATORS.split(text))
    name = "-".join(filter(None, [*(folder.rstrip("-") for folder in folders), last])).rstrip(" .") or "file"
    if DEVICE.fullmatch(name.partition(".")[0].strip()):
        name = f"file-{name}"
    return _shortened(name, LONGEST)


def kind_of(name: str) -> str:
    """The media type that a plain file name stands for."""
    kind, packed = KINDS.guess_type(name)
    return f"application/{packed}" if packed else kind or "application/octet-stream"


def _plain_part(part: str) -> str:
    """Without what is not seen, nor what means something at either end: -option, ~home, .hidden, the dot of Windows."""
    fit = UNFIT.sub("-", part)
    seen = (" " if letter.isspace() else letter for letter in fit if letter not in INVISIBLE_LETTERS)
    shown = "".join(letter for letter in seen if unicodedata.category(letter)[0] != "C")
    return shown.lstrip(" .-~").rstrip(" .")


def numbered(name: str, number: int) -> str:
    """`name` with the number before its ending."""
    stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
    return f"{stem}-{number}{dot}{ending}"


def _shortened(name: str, most: int) -> str:
    """Of at most `most` bytes; the ending stays."""
    if len(name.encode()) <= most:
        return name
    stem, dot, ending = name.rpartition(".")
    tail = f"{dot}{ending}" if stem and len(ending.encode()) <= 20 else ""
    head = (stem if tail else name).encode()[: most - len(tail.encode())].decode("utf-8", "ignore")
    return head.rstrip(" .") + tail


def as_compared(name: str) -> str:
    """Equal for names that some file system takes for one: case and the composition of letters do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
