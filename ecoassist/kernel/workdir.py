"""Files of a kernel on this machine, under the rules of the sandbox: whatever stands there, no link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from ecoassist.errors import NoSandbox

from .link.files import MOST_LISTED, Listed
from .link.transfer import DEEPEST, PIECE, fit

MOST_SEEN = 10_000
"""Entries of folders that a listing looks at: code decides how many there are."""
LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""A pipe without a writer does not hold us, and a link is an error."""


class LocalFiles:
    """WorkFiles of the working directory `work`; put() places files in `spool`. Both may be missing at times."""

    def __init__(self, work: Path, spool: Path) -> None:
        self._work, self._spool = work, spool

    def list(self, within: float = 0.0) -> tuple[Listed, ...]:
        """As WorkFiles has it, at once."""
        found: list[Listed] = []
        seen = 0
        folders = [""]
        while folders:
            folder = folders.pop(0)
            for name, status in self._entries(folder):
                seen += 1
                if seen > MOST_SEEN or len(found) == MOST_LISTED:
                    return tuple(found)
                if not fit(name):
                    continue
                if stat.S_ISDIR(status.st_mode) and name.count("/") < DEEPEST - 1:
                    folders.append(name)
                elif stat.S_ISREG(status.st_mode):
                    found.append(Listed(name, status.st_size, status.st_mtime_ns))
        return tuple(found)

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """As WorkFiles has it."""
        if not fit(name):
            return
        folder, _, last = name.rpartition("/")
        with ExitStack() as opened:
            try:
                file = self._open(opened, folder)
                file = os.open(last, LOOK, dir_fd=file)
                opened.callback(os.close, file)
                status = os.fstat(file)
                left = min(most, status.st_size) if stat.S_ISREG(status.st_mode) else 0
                while left > 0 and (data := os.read(file, min(PIECE, left))):
                    left -= len(data)
                    yield data
            except OSError:
                return  # not there any more, or no regular file

    def put(self, name: str, content: Iterable[bytes]) -> str:
        """As WorkFiles has it."""
        if not fit(name) or "/" in name:
            raise NoSandbox(f"{name!r} is not a plain file name", "choose another name")
        path = self._spool / name
        try:
            self._spool.mkdir(mode=0o700, exist_ok=True)
            path.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(path, flags, 0o600), "wb") as file:
                for piece in content:
                    file.write(piece)
        except OSError as error:
            raise NoSandbox(
                f"no file at {path}: {error.strerror}", "make room in the folder for temporary files"
            ) from error
        return str(path)

    def _entries(self, folder: str) -> Iterator[tuple[str, os.stat_result]]:
        """What is in a folder below the working directory, links as links; nothing when it is no folder (now)."""
        with ExitStack() as opened:
            try:
                for entry in opened.enter_context(os.scandir(self._open(opened, folder))):
                    with suppress(OSError):  # gone again
                        yield f"{folder}/{entry.name}".lstrip("/"), entry.stat(follow_symlinks=False)
            except OSError:
                return

    def _open(self, opened: ExitStack, folder: str) -> int:
        """The descriptor of a folder below the working directory, part by part; `opened` closes it."""
        current = -1
        for part in [str(self._work), *filter(None, folder.split("/"))]:
            current = os.open(part, LOOK | os.O_DIRECTORY, dir_fd=None if current < 0 else current)
            opened.callback(os.close, current)
        return current
