"""What a prompt says of the enabled APIs, and which of them, and of their operations, belong to a question. Pure."""

from __future__ import annotations

from .choice import choose, demanded, hides
from .lines import card, head, listing, names

__all__ = ["card", "choose", "demanded", "head", "hides", "listing", "names"]
