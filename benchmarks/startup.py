"""How long `ecoassist --help` takes, beside an interpreter that only imports typer.

A person takes 150 ms for immediate. That target depends on the machine; the ratio does not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .common import alternately, command, milliseconds, ratio, report

ROUNDS = 15


def main() -> None:
    samples = alternately(
        {
            "python -c pass": command(sys.executable, "-c", "pass"),
            "python -c 'import typer'": command(sys.executable, "-c", "import typer"),
            "ecoassist --help": command(str(Path(sys.executable).with_name("ecoassist")), "--help"),
        },
        ROUNDS,
    )
    bare, typer, ours = samples.values()
    report(
        "Start-up, from a new process to its exit",
        [
            milliseconds("python -c pass", bare),
            milliseconds("python -c 'import typer'", typer),
            milliseconds("ecoassist --help", ours, at_most=150),
            ratio("ecoassist --help / import typer", ours, typer, at_most=2.5),
        ],
    )


if __name__ == "__main__":
    main()
