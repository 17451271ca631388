"""Entries as rows of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, get_args

from ecoassist.entries import Entry, State
from ecoassist.store import rows
from ecoassist.store.rows import COLUMNS, plain
from ecoassist.vectors import MOST_NUMBERS

from .connection import Link

LARGE = 3000
"""Above so many entries only the RARE rarest words of a question are looked up."""
RARE = 6
MANY = 2000
"""Entries with a word that are counted: one in more is a common word, however many there are."""
ROWS = 5000
"""That those words may occur in, all in all, as they are counted. The rarest one may occur in more."""
VECTORS = 5000
"""That come over the network for a question, those of the newest entries: about 4 MB."""
LARGEST = 1 << 20
"""Bytes of a row's texts that are read. What is larger was not made by answering a question."""

MOST = 200
"""Entries for the very same question that are read, unreadable ones among them."""

_NAMES = ", ".join(f"solutions.{name}" for name in COLUMNS)
_TEXTS = " + ".join(f"octet_length(solutions.{name})" for name in ("solution", "note", "created", "verified"))
_READABLE = f"{_TEXTS} <= {LARGEST}"
_SERVED = f"solutions.state IN ('verified', 'broken') AND {_READABLE}"
_OF = f"SELECT {_NAMES} FROM ecoassist.solutions WHERE same = %s AND {_SERVED} ORDER BY id DESC LIMIT {MOST}"
_SHARING = f"""
    WITH asked AS (
        SELECT DISTINCT plainto_tsquery('english', word)::text AS word FROM unnest(%(words)s::text[]) AS word
    ), counted AS MATERIALIZED (
        SELECT word::tsquery AS word, (
            SELECT count(*) FROM (
                SELECT FROM ecoassist.solutions WHERE words @@ asked.word::tsquery LIMIT {MANY}
            ) AS having_it
        ) AS number FROM asked WHERE word <> ''
    ), known AS (
        SELECT coalesce(max(id), 0) AS entries FROM ecoassist.solutions
    ), weighed AS MATERIALIZED (
        SELECT word, ln(1 + known.entries::float / number) AS weight, number,
            sum(number) OVER (ORDER BY number, word::text) AS total
        FROM counted, known WHERE number > 0
        ORDER BY number, word::text LIMIT (SELECT CASE WHEN entries > %(large)s THEN {RARE} END FROM known)
    ), looked_up AS (
        SELECT string_agg(word::text, ' | ')::tsquery AS words FROM weighed, known
        WHERE entries <= %(large)s OR total = number OR total <= {ROWS}
    ), best AS (
        SELECT id, (
            SELECT sum(weight) FROM weighed WHERE solutions.words @@ weighed.word
        ) / (1.3 + 0.075 * length(solutions.words)) AS relevance
        FROM ecoassist.solutions WHERE solutions.words @@ (SELECT words FROM looked_up) AND {_SERVED}
        ORDER BY relevance DESC, id DESC LIMIT %(limit)s
    )
    SELECT {_NAMES} FROM best JOIN ecoassist.solutions USING (id) ORDER BY relevance DESC, id DESC
"""
"""BM25 (Robertson and Zaragoza) of texts in which each word occurs once, and of which twelve words are usual: k1 = 1.2,
b = 0.75. The highest number that was given stands for how many entries there are: to count them would take longer."""
_VECTORS = f"""
    SELECT vectors.id, vectors.vector FROM ecoassist.vectors JOIN ecoassist.solutions USING (id)
    WHERE vectors.embedder = %s AND octet_length(vectors.vector) <= {2 * MOST_NUMBERS} AND {_SERVED}
    ORDER BY id DESC LIMIT {VECTORS}
"""
_LACKING = f"""
    SELECT {_NAMES} FROM ecoassist.solutions WHERE {_SERVED} AND NOT EXISTS (
        SELECT FROM ecoassist.vectors WHERE vectors.id = solutions.id AND vectors.embedder = %s
    ) ORDER BY id DESC LIMIT %s
"""
_PUT_VECTOR = """
    INSERT INTO ecoassist.vectors (embedder, id, vector) SELECT %s, id, %s FROM ecoassist.solutions WHERE id = %s
    ON CONFLICT (embedder, id) DO UPDATE SET vector = excluded.vector
"""


class PostgresRows:
    """Rows over `link`, which is in a transaction. A row that cannot be read is passed over: others write here."""

    def __init__(self, link: Link, large: int = LARGE) -> None:
        self._link, self._large = link, large

    def add(self, entry: Entry) -> int:
        values = rows.columns(entry)
        marks = ", ".join(["%s"] * len(values))
        statement = f"INSERT INTO ecoassist.solutions ({', '.join(values)}) VALUES ({marks}) RETURNING id"
        found = self._select(statement, *values.values())
        return int(found[0][0])

    def put(self, entry: Entry) -> None:
        values = rows.columns(entry)
        changes = ", ".join(f"{name} = %s" for name in values)
        self._change(f"UPDATE ecoassist.solutions SET {changes} WHERE id = %s", *values.values(), entry.id)

    def remove(self, id: int) -> bool:
        return _storable(id) and self._change("DELETE FROM ecoassist.solutions WHERE id = %s", id)

    def get(self, id: int) -> Entry | None:
        if not _storable(id):
            return None
        found = self._select(f"SELECT {_NAMES} FROM ecoassist.solutions WHERE id = %s AND {_READABLE}", id)
        return next(_entries(found), None)

    def all(self, state: State | None) -> list[Entry]:
        statement = f"SELECT {_NAMES} FROM ecoassist.solutions WHERE {_READABLE} AND state = ANY (%s) ORDER BY id"
        return [*_entries(self._select(statement, [state] if state else list(get_args(State))))]

    def of(self, key: str) -> list[Entry]:
        return [*_entries(self._select(_OF, plain(key)))]

    def sharing(self, words: Sequence[str], limit: int) -> list[Entry]:
        asked = {"words": [plain(word) for word in words], "large": self._large, "limit": limit}
        return [*_entries(self._link.execute(_SHARING.encode(), asked))]

    def vectors(self, embedder: str) -> list[tuple[int, bytes]]:
        return [(id, bytes(vector)) for id, vector in self._select(_VECTORS, plain(embedder))]

    def lacking(self, embedder: str, limit: int) -> list[Entry]:
        return [*_entries(self._select(_LACKING, plain(embedder), limit))]

    def put_vector(self, id: int, embedder: str, vector: bytes) -> None:
        self._change(_PUT_VECTOR, plain(embedder), vector, id)

    def _select(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._link.execute(statement.encode(), values).fetchall()

    def _change(self, statement: str, *values: object) -> bool:
        return self._link.execute(statement.encode(), values).rowcount > 0


def _entries(found: Iterable[tuple[Any, ...]]) -> Iterator[Entry]:
    for row in found:
        with suppress(ValueError):
            if len(row[1]) <= LARGEST:
                yield rows.entry(row)


def _storable(id: int) -> bool:
    return -(2**63) <= id < 2**63
