"""A venv on top of another, which is read-only: what is installed goes here, and what is there is found as well."""

from __future__ import annotations

import os
import sys

PIP = """#!{python}
import sys
from pip._internal.cli.main import main
sys.exit(main())
"""


def lay(python: str, folder: str) -> None:
    """Makes a venv of this Python's version in `folder`, on top of the one that `python` belongs to. Raises OSError.

    To pip what is below is not its own: a newer version is installed here and comes first, and the old one stays.
    """
    below = os.path.dirname(os.path.dirname(python))
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    own = f"{folder}/bin/python"
    os.makedirs(f"{folder}/{packages}")
    os.makedirs(f"{folder}/bin")
    with open(f"{below}/pyvenv.cfg") as settings:
        write(f"{folder}/pyvenv.cfg", settings.read())
    write(f"{folder}/{packages}/below.pth", f"import site; site.addsitedir({f'{below}/{packages}'!r})\n")
    for name in ("python", "python3"):
        os.symlink(python, f"{folder}/bin/{name}")
    for name in ("pip", "pip3"):
        write(f"{folder}/bin/{name}", PIP.format(python=own), 0o700)


def write(path: str, text: str, mode: int = 0o600) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
