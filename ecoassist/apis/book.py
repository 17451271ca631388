"""The APIs that commands have added: NAME.json per API, in a folder beside the configuration file.

Each holds the settings of [apis.NAME]; an empty one stands for the API of that name in the catalogue. `config` reads
them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ecoassist.errors import UsageFault

FIT = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
"""Names of APIs: they become names of files, on systems too where Upper.json and upper.json are one."""


class Book:
    """Every change is one file, put in its place as a whole: two processes that add at once both succeed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __contains__(self, name: str) -> bool:
        """Also under a name that a person gave to a file of their own, but no way leads out of the folder."""
        try:
            return f"{name}.json" in os.listdir(self.folder)
        except OSError:
            return False

    def add(self, name: str, settings: Mapping[str, object], *, replace: bool = False) -> Path:
        """Keeps the settings of an API; returns their file.

        Raises UsageFault for an unfit name, for one that is there already unless `replace`, and where nothing can be
        written.
        """
        file = self._file(check_name(name))
        text = json.dumps(settings, indent=1, ensure_ascii=False) + "\n"
        try:
            written = self._written(text)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            if replace:
                os.replace(written, file)
            else:
                _place(written, file)
        except FileExistsError:
            raise UsageFault(
                f"there is an API {name!r} already", f"see: ecoassist api show {name}; --force replaces it"
            ) from None
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        finally:
            Path(written).unlink(missing_ok=True)
        return file

    def remove(self, name: str) -> bool:
        """Whether there was one of that name. Raises UsageFault where it cannot be removed."""
        if name not in self:
            return False
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return True

    def remember(self, host: str) -> bool:
        """Keeps a host that a person opened for good, as an API without a key. False: it is there already."""
        name = host if FIT.fullmatch(host) else _short(host)
        if name in self:
            return False
        self.add(name, {"host": host})
        return True

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _written(self, text: str) -> str:
        """A new file in the folder, complete and readable by its owner alone."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)  # whatever the umask, and whoever made it
        number, path = tempfile.mkstemp(prefix=".", suffix=".new", dir=self.folder)
        try:
            with open(number, "w", encoding="utf-8", errors="replace") as file:
                os.fchmod(number, 0o600)
                file.write(text)
                file.flush()
                os.fsync(number)
        except BaseException:
            Path(path).unlink(missing_ok=True)
            raise
        return path


def _short(host: str) -> str:
    """A name for a host that is too long to be one, or begins with an underscore; another host's is another."""
    return f"{host.strip('._-')[:50].rstrip('._-')}-{hashlib.sha256(host.encode()).hexdigest()[:12]}"


def _place(written: str, file: Path) -> None:
    """Raises FileExistsError where the name is taken, even if only just now: a renaming would not."""
    try:
        os.link(written, file)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        file.open("x").close()
        os.replace(written, file)


def check_name(name: str) -> str:
    """Raises UsageFault for what cannot be the name of an API."""
    if not FIT.fullmatch(name):
        near = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("._-")[:64]
        remedy = f"for instance {near!r}" if near else "for instance 'weather'"
        raise UsageFault(f"{name!r} is not a name for an API: lower case letters, digits, - _ and . only", remedy)
    return name


def _unwritable(folder: Path, error: OSError) -> UsageFault:
    return UsageFault(f"cannot write in {folder}: {error.strerror}", "make that folder yours, or choose --config")
