"""What a run made, kept in a folder of the person: `base`/<run>/, made when the first file comes.

Names and content are foreign, and other programs may change the folder meanwhile. Nothing is overwritten that this run
did not write itself, and no link is followed below the folder that holds `base`. Folders and files get the permissions
of any new document (the person's umask): they are the person's to share.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from .filenames import DEVICE, as_compared, kind_of, numbered, plain_name
from .types import Saved

MOST_FILES = 100
MOST_BYTES = 256 << 20
"""Of one run."""
OTHER_NAME = "or name another folder: files in the section [sandbox]"
ENDING = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/svg+xml": "svg",
    "application/pdf": "pdf",
    "application/json": "json",
    "text/html": "html",
    "text/plain": "txt",
}
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderOutbox:
    """The Outbox over a folder. Safe from any thread.

    `notice` tells the person, once a run and reason, why something was not kept.
    """

    def __init__(
        self,
        base: Path,
        notice: Callable[[str], None],
        most_files: int = MOST_FILES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._base, self._notice, self._most_files, self._most_bytes = base, notice, most_files, most_bytes
        self._run = self._new("run")

    def begin(self, run: str, unkept: str = "") -> None:
        """What comes from now on belongs to `run`, a plain word. Raises ValueError for another one.

        unkept: why nothing of this run is kept, if so.
        """
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", run) or DEVICE.fullmatch(run):
            raise ValueError(f"not the name of a run: {run[:80]!r}")
        self._run = self._new(run, unkept)

    def display(self, stem: str, kind: str, content: Iterable[bytes]) -> Saved | None:
        """As in ports.Outbox."""
        return self._run.keep(None, f"{plain_name(stem)}.{ENDING.get(kind, 'bin')}", kind, content)

    def file(self, name: str, content: Iterable[bytes]) -> Saved | None:
        """As in ports.Outbox."""
        called = name.encode("utf-8", "replace").decode()[:1_000]
        plain = plain_name(name)
        return self._run.keep(called, plain, kind_of(plain), content)

    def _new(self, run: str, unkept: str = "") -> _Run:
        return _Run(self._base, run, self._notice, self._most_files, self._most_bytes, unkept)


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file as we left it."""

    name: str
    stamp: tuple[int, int, int, int]
    """Device, inode, size and time of modification: another one is somebody else's."""


class _Disk(Exception):
    """The disk did not take it; in contrast to what the content's source raises."""


class _Full(Exception):
    """More than a run may keep."""


@dataclass(slots=True)
class _Run:
    base: Path
    name: str
    notice: Callable[[str], None]
    most_files: int
    most_bytes: int
    unkept: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    folder: str = ""
    """The name below `base`; empty before the first file."""
    identity: tuple[int, int] = (0, 0)
    """Device and inode of the folder."""
    kept: dict[str, _Kept] = field(default_factory=dict)
    """By the name that code gave it."""
    taken: set[str] = field(default_factory=set)
    """Names given, as a file system compares them that makes the fewest differences."""
    files: int = 0
    size: int = 0
    told: set[str] = field(default_factory=set)

    def keep(self, called: str | None, name: str, kind: str, content: Iterable[bytes]) -> Saved | None:
        """`called`: under which the file is replaced when it comes again; None: it never is."""
        with self.lock:
            if self.unkept:
                self._tell(self.unkept)
                return None
            try:
                if called not in self.kept and self.files >= self.most_files:
                    raise _Full
                with self._opened() as folder:
                    done = self._write(folder, called, name, content)
            except _Full:
                most = f"{self.most_files:,} files and {self.most_bytes / (1 << 20):g} MB"
                self._tell(f"a run keeps at most {most}: not all that this one made was kept")
                return None
            except _Disk as error:
                self._tell(str(error))
                return None
            if called is not None:
                self.kept[called] = done
            return Saved(str(self.base / self.folder / done.name), called or done.name, kind, done.stamp[2])

    def _write(self, folder: int, called: str | None, name: str, content: Iterable[bytes]) -> _Kept:
        """Under a temporary name first, so that nobody meets half a file."""
        before = self.kept.get(called) if called is not None else None
        most = self.most_bytes - self.size + (before.stamp[2] if before else 0)
        temporary = f".{secrets.token_hex(8)}.part"
        try:
            with _disk(self.base):
                file = os.open(temporary, NEW, 0o666, dir_fd=folder)
            try:
                size = _pour(file, content, most, self.base)
                stat = os.fstat(file)
            finally:
                os.close(file)
            with _disk(self.base):
                mine = before is not None and _stamp(folder, before.name) == before.stamp
                place = before.name if before and mine else self._place(folder, name, always=called is None)
                try:
                    os.rename(temporary, place, src_dir_fd=folder, dst_dir_fd=folder)
                except OSError:
                    if not mine:
                        os.unlink(place, dir_fd=folder)
                    raise
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if before and mine:
            self.size -= before.stamp[2]
        else:
            self.files += 1
        self.size += size
        return _Kept(place, (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))

    def _place(self, folder: int, name: str, always: bool) -> str:
        """`name`, with a number where that or `always` demands one: nothing has it yet. An empty file holds it."""
        for number in range(1, 10_000):
            tried = numbered(name, number) if number > 1 or always else name
            key = as_compared(tried)
            if key in self.taken:
                continue
            try:
                os.close(os.open(tried, NEW, 0o666, dir_fd=folder))
            except FileExistsError:
                continue
            self.taken.add(key)
            return tried
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The run's folder, made where it is not there yet; it is the one that we made, or none."""
        with _disk(self.base):
            made_base = not self.folder and not os.path.lexists(self.base)
            if not self.folder:
                self.base.mkdir(parents=True, exist_ok=True)
            base = os.open(self.base, FOLDER)
        try:
            folder = self._folder(base)
            try:
                yield folder
            finally:
                os.close(folder)
                if not self.files:  # nothing came of the first file
                    with suppress(OSError):
                        os.rmdir(self.folder, dir_fd=base)
                    self.folder = ""
        finally:
            os.close(base)
            if made_base and not self.files:
                with suppress(OSError):
                    self.base.rmdir()

    def _folder(self, base: int) -> int:
        with _disk(self.base):
            new = not self.folder
            if new:
                self.folder = _make(base, self.name)
            folder = os.open(self.folder, FOLDER, dir_fd=base)
            stat = os.fstat(folder)
            if new:
                self.identity = stat.st_dev, stat.st_ino
        if self.identity != (stat.st_dev, stat.st_ino):
            os.close(folder)
            raise _Disk(f"{self.base / self.folder} was replaced meanwhile: no more files of this run are kept")
        return folder

    def _tell(self, why: str) -> None:
        if why not in self.told:
            self.told.add(why)
            self.notice(why)


def _make(base: int, name: str) -> str:
    """A new folder of this name, or of the first one with a number that is free."""
    for number in range(1, 10_000):
        tried = name if number == 1 else f"{name}-{number}"
        try:
            os.mkdir(tried, dir_fd=base)
        except FileExistsError:
            continue
        return tried
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)


@contextmanager
def _disk(base: Path) -> Iterator[None]:
    """OSError becomes _Disk, with what the person can do."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = f"free some space, {OTHER_NAME}"
        elif error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EEXIST):
            why, what = "a link or no folder stands in the way", f"remove it, {OTHER_NAME}"
        else:
            what = f"make it writable, {OTHER_NAME}"
        raise _Disk(f"cannot keep files in {base} ({why}): {what}") from error


def _pour(file: int, content: Iterable[bytes], most: int, base: Path) -> int:
    size = 0
    for chunk in content:  # may raise whatever its source raises
        size += len(chunk)
        if size > most:
            raise _Full
        rest = memoryview(chunk)
        with _disk(base):
            while rest:
                rest = rest[os.write(file, rest) :]
    return size


def _stamp(folder: int, name: str) -> tuple[int, int, int, int] | None:
    try:
        stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
