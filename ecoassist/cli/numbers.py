"""How a person types the number of a solution: one's own as 5, a team's as team:5."""

from __future__ import annotations

import re
from typing import Annotated

import typer


def number(text: str) -> int:
    """The number of a solution, below 0 for one of the team's. Raises typer.BadParameter."""
    found = re.fullmatch(r"(team:|#)?([0-9]{1,18})", text, re.ASCII)
    if not found:
        raise typer.BadParameter(f"{text!r} is no number of a solution: 5, or team:5 for one of the team's")
    return -int(found[2]) if found[1] == "team:" else int(found[2])


def numbered(id: int) -> str:
    """As a person reads it. What it takes is imported only here: --help does not wait for it."""
    from ecoassist import entries

    return entries.numbered(id)


def typed(id: int) -> str:
    """As `number` reads it."""
    return f"team:{-id}" if id < 0 else str(id)


Number = Annotated[
    int, typer.Argument(parser=number, metavar="N", help="The solution's number, as in the list; team:N: the team's.")
]
