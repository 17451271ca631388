"""What a person hands to the code: files by name, and piped input."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from ecoassist.errors import UsageFault
from ecoassist.types import Attachment

from .common import unicode

MOST = 100 * 1024 * 1024
"""Bytes of all files together: they live in the sandbox's memory."""
EVERY = 0.1
"""Seconds between two looks at a silent pipe."""


def attachments(
    paths: Sequence[Path], stdin: BinaryIO | None, waiting: Callable[[float], bool] = lambda seconds: True
) -> tuple[Attachment, ...]:
    """The named files, and what is piped in as stdin.txt (stdin.bin where it is not UTF-8).

    `waiting` is told for how many seconds the pipe has been silent; False: what came so far is all.
    Raises UsageFault for a file that cannot be read or named, two of one name, or more than MOST bytes.
    """
    files = [_read(path) for path in paths]
    if stdin is not None and _is_piped(stdin) and (content := _drained(stdin, waiting)):
        files.append(Attachment("stdin.txt" if _is_text(content) else "stdin.bin", content))
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise UsageFault(f"two files are called {name}", "rename one: the code sees them side by side")
    if sum(len(file.content) for file in files) > MOST:
        raise UsageFault(f"the files are larger than {MOST // 1024**2} MB together", "hand in a smaller part")
    return tuple(files)


def _read(path: Path) -> Attachment:
    if not unicode(path.name):
        raise UsageFault(f"the name of {path} is not Unicode", "rename the file")
    try:
        with path.open("rb") as file:
            return Attachment(path.name, file.read(MOST + 1))
    except OSError as error:
        raise UsageFault(f"cannot read {path}: {error.strerror}", "check --file") from error


def _is_piped(stdin: BinaryIO) -> bool:
    """A pipe or a redirected file. Not a terminal, not /dev/null, not the socket some supervisors leave there."""
    try:
        mode = os.fstat(stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)


def _drained(stdin: BinaryIO, waiting: Callable[[float], bool]) -> bytes:
    """All that comes, up to one byte more than is taken."""
    content, heard = bytearray(), time.monotonic()
    while len(content) <= MOST:
        if select.select([stdin], [], [], EVERY)[0]:
            part = os.read(stdin.fileno(), 1 << 16)
            if not part:
                break
            content += part
            heard = time.monotonic()
        elif not waiting(time.monotonic() - heard):
            break
    return bytes(content)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content
