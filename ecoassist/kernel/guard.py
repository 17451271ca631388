"""Cleans up after us when we cannot: a shell that waits for our death.

Its standard input closes when we die, however that happens; no other process of ours inherits that pipe, or its end
would never be seen. It has a session of its own, so that no Ctrl-C or Ctrl-Z of our terminal reaches it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ecoassist.errors import NoSandbox

from .reaper import GARBAGE, private_folder, remove

SCRIPT = f"""
while read -r line; do group=$line; done
if [ -n "$group" ]; then kill -s KILL -- "-$group"; fi
mv -- "$0" "$0{GARBAGE}"
exec rm -rf -- "$0{GARBAGE}"
"""
"""Each line is the process group to end from then on; an empty one: none."""


class Guard:
    """A new private folder, which goes with us. Raises NoSandbox."""

    def __init__(self) -> None:
        try:
            self.folder: Path = private_folder()
        except OSError as error:
            raise NoSandbox(f"no folder for the kernel's sockets: {error}", "choose a writable one: TMPDIR") from error
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT, str(self.folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": "/usr/bin:/bin"},
                start_new_session=True,
            )
        except OSError as error:
            remove(self.folder)
            raise NoSandbox(f"/bin/sh does not start: {error}", "end other programs, then try again") from error

    def watch(self, group: int | None) -> None:
        """From now on also this process group ends with us; None: no more."""
        assert self._shell.stdin
        try:
            self._shell.stdin.write(b"%d\n" % group if group else b"\n")
            self._shell.stdin.flush()
        except (OSError, ValueError):
            pass  # somebody ended the guard, or we did

    def close(self) -> None:
        """Removes the folder; the guard has no purpose then. May be called twice."""
        remove(self.folder)
        self._shell.kill()
        if self._shell.stdin and not self._shell.stdin.closed:
            self._shell.communicate()
