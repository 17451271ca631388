"""Files of the working directory in the sandbox, as the host may have them: by name and content, never by path.

The host opens no path that code controls. Names and sizes that come out are checked here; where a file is opened,
inside, no link is followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

MOST_LISTED = 200
"""Files that a listing names at most; further ones are as good as not there."""
LONGEST_NAME = 255
"""Bytes of a relative path."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A regular file below the working directory; hidden ones and what is below hidden folders are not listed."""

    name: str
    """Relative, with "/" between folders. Foreign text."""
    size: int
    stamp: int
    """Changes whenever the file does: its time of modification in ns."""


class WorkFiles(Protocol):
    """All methods block, from any thread, and raise NoSandbox when the sandbox is gone or does not answer in time."""

    def list(self, within: float = 10.0) -> tuple[Listed, ...]:
        """At most MOST_LISTED. Raises NoSandbox also when the answer is not there `within` so many seconds."""

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """The content of a listed file, at most `most` bytes of it. Nothing comes of what is no regular file (now)."""

    def put(self, name: str, content: Iterable[bytes]) -> str:
        """Puts a file of a plain name beside the working directory, in the folder for temporary files.

        Returns its path in there. Raises NoSandbox also where no space is left.
        """
