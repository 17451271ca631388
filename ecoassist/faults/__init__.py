"""What went wrong in a turn, what follows from it, and what is handed to the next tier. Pure.

A fault is read off the execution, the egress record and the form of a reply, never off a model's own words.
"""

from .digest import digest, handed
from .guard import Guard
from .kinds import POLICY, Policy, key_refused, of_cell, of_reply
from .obstacle import held, needs_person
from .policy import ending, taken

__all__ = [
    "POLICY",
    "Guard",
    "Policy",
    "digest",
    "ending",
    "handed",
    "held",
    "key_refused",
    "needs_person",
    "of_cell",
    "of_reply",
    "taken",
]
