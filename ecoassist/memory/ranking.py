"""In which order the entries come that are like a question. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ecoassist.entries import Entry, Match
from ecoassist.similarity import cosine, features, same

from .merit import standing


def ranked(query: str, entries: Iterable[Entry], gate: float) -> tuple[Match, ...]:
    """Those whose similarity reaches `gate`, best first.

    The rank is the similarity, less by what the record says; of equals the very question comes first, then the newest.
    """
    asked, key = features(query), same(query)
    found: list[tuple[float, bool, int, Match]] = []
    for entry in entries:
        identical = same(entry.solution.query) == key
        score = 1.0 if identical else cosine(asked, features(entry.solution.query))
        if score >= gate:
            found.append((round(score * standing(entry), 6), identical, entry.id, Match(entry, score)))
    found.sort(key=lambda one: one[:3], reverse=True)
    return tuple(match for *_, match in found)
