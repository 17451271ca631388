"""In which order the entries come that are like a question. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ecoassist import templates
from ecoassist.entries import Entry, Match
from ecoassist.similarity import blended, cosine, features, same

from .merit import standing


def ranked(
    query: str, entries: Iterable[Entry], gate: float, meant: Mapping[int, float] | None = None, gate_meant: float = 1.0
) -> tuple[Match, ...]:
    """Those whose similarity reaches `gate`, best first.

    `meant`: by the ids of entries, how alike their vectors are to that of `query`; their similarity is that of words
    and vectors, and has to reach `gate_meant`. The rank is the similarity, less by what the record says; of equals the
    very question comes first, then what was found here, then the newest.
    """
    asked, key = features(query), same(query)
    found: list[tuple[float, bool, bool, int, Match]] = []
    for entry in entries:
        identical = same(entry.solution.query) == key
        score = 1.0 if identical else cosine(asked, features(entry.solution.query))
        needed = gate
        if meant and entry.id in meant and not identical:
            score, needed = blended(score, meant[entry.id]), gate_meant
        if score >= needed:
            rank = round(score * standing(entry), 6)
            very = identical and templates.key(entry.solution.query) == templates.key(query)
            found.append((rank, very, not entry.foreign, entry.id, Match(entry, score)))
    found.sort(key=lambda one: one[:4], reverse=True)
    return tuple(match for *_, match in found)
