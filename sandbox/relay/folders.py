"""The sandbox's folders, in which code may have put anything: what is looked at, opened, made and removed there.

Nothing in here follows a link below the given folder or waits for the other end of a pipe, for the end of a lease or
for a device.
"""

from __future__ import annotations

import io
import os
import stat
from collections import deque
from collections.abc import Generator, Sequence
from itertools import islice

DEEPEST = 4
"""Parts of a name at most: three folders and a file."""
LONGEST_NAME = 255
"""Bytes of a relative path."""
MOST_LOOKED_AT = 20_000
"""Entries of folders in one walk, as many as the file system of the working directory holds."""
LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK

Found = tuple[int, str, int]
"""Time of modification in ns, relative name, size."""


def walk(root: str) -> Generator[Found | None, None, None]:
    """The regular files that the host may know of, top folders first. One step looks at one entry; None: no such file.

    What cannot be read, or goes while it is looked at, is as good as not there.
    """
    looked_at = 0
    waiting: deque[tuple[str, ...]] = deque([()])
    while waiting and looked_at < MOST_LOOKED_AT:
        above = waiting.popleft()
        try:
            folder = open_folder(root, above)
        except OSError:
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in islice(entries, MOST_LOOKED_AT - looked_at):
                    looked_at += 1
                    parts = (*above, entry.name)
                    yield found(parts, entry)
                    if len(parts) < DEEPEST and listable(parts) and entry.is_dir(follow_symlinks=False):
                        waiting.append(parts)
        except OSError:
            pass
        finally:
            os.close(folder)


def found(parts: Sequence[str], entry: os.DirEntry[str]) -> Found | None:
    if not listable(parts):
        return None
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None
    return (status.st_mtime_ns, "/".join(parts), status.st_size) if stat.S_ISREG(status.st_mode) else None


def listable(parts: Sequence[str]) -> bool:
    """Whether this is a path that the host may know of: short, not deep, UTF-8, nothing hidden and no way up."""
    try:
        size = len("/".join(parts).encode())
    except UnicodeEncodeError:
        return False
    return size <= LONGEST_NAME and len(parts) <= DEEPEST and all(part[:1] not in ("", ".") for part in parts)


def open_folder(root: str, parts: Sequence[str]) -> int:
    """The descriptor of a folder below `root`. Raises OSError."""
    folder = os.open(root, LOOK | os.O_DIRECTORY)
    for part in parts:
        try:
            inner = os.open(part, LOOK | os.O_DIRECTORY, dir_fd=folder)
        finally:
            os.close(folder)
        folder = inner
    return folder


def open_regular(root: str, name: str) -> io.FileIO:
    """A file by its name, if `walk` would list it as it stands now. Raises OSError or ValueError for anything else."""
    *above, last = name.split("/")
    if not listable([*above, last]):
        raise ValueError("not a name that was listed")
    folder = open_folder(root, above)
    try:
        opened = os.open(last, LOOK, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise ValueError("not a regular file")
    return io.FileIO(opened)


def create(folder: str, name: str) -> io.FileIO:
    """A new file, by a plain name only, in place of what has that name. Raises OSError or ValueError."""
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"not a plain file name: {name!r}")
    path = f"{folder}/{name}"
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    return io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w")


def write_all(file: io.FileIO, data: bytes) -> None:
    """Raises OSError where no space is left."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def wipe(root: str) -> None:
    """Empties a folder. Folders inside are moved up before they are emptied, so that no nesting is too deep."""
    if os.stat(root).st_uid == os.getuid():
        os.chmod(root, 0o700)
    folders = [root]
    while folders:
        folder = folders.pop()
        for entry in list(os.scandir(folder)):
            if entry.is_dir(follow_symlinks=False):
                os.chmod(entry.path, 0o700)  # to move and to empty a folder takes the right to write to it
                folders.append(f"{root}/{os.urandom(8).hex()}")
                os.rename(entry.path, folders[-1])
            else:
                os.unlink(entry.path)
        if folder != root:
            os.rmdir(folder)
