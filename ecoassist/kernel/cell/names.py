"""Which variables a cell that was stopped half way left behind, as the kernel itself tells. Foreign text."""

from __future__ import annotations

from collections.abc import Mapping

MOST_NAMES = 40
LONGEST = 100
EXPRESSION = f"','.join(__import__('IPython').get_ipython().run_line_magic('who_ls', '')[:{MOST_NAMES}])"
"""Evaluated among the cell's own names, which may include get_ipython."""


def names(reply: Mapping[str, object]) -> tuple[str, ...]:
    """What a kernel replied that was asked for EXPRESSION; empty where that is nothing of use."""
    at: object = reply
    for key in ("user_expressions", "value", "data", "text/plain"):
        at = at.get(key) if isinstance(at, Mapping) else None
    if not isinstance(at, str) or len(at) > MOST_NAMES * (LONGEST + 1) + 2:
        return ()
    found = at.strip("'\"").split(",")
    return tuple(name for name in found if name.isidentifier() and len(name) <= LONGEST)[:MOST_NAMES]
