"""How alike two questions are, from their words alone. Pure Python, no model, no state.

Cosine of weighted features: words, and runs of three to five characters within a word, so that "price" and "prices"
meet. Names and numbers are masked: two questions that differ in nothing else are solved by the same program. Function
words, and those that frame a request ("provide information"), count little, but they count: dropping them lost
endpoints when it was measured. Their weight is fixed, not learnt from the stored questions, so a gate means the same in
a store of five as in one of five thousand. One word in common is little among several.

Measured on the 300 queries of EcoAssistant (arXiv 2310.03046), leave one out: the nearest is of the same domain for
99 % and shares an API endpoint for 81 %. At gate 0.35 it serves 87 % of them, and 1 % of those whose domain is not
stored. The weights were chosen on the same queries; benchmarks/retrieval.py measures them.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache

GATE = 0.35
"""A cosine below it is no similarity. Belongs to these features: an embedding needs its own."""
FUNCTION_WEIGHT = 0.1
LONGEST = 4_000
"""Characters of a question that are looked at: a stored one may be as long as whoever wrote it liked."""
WORD_WEIGHT = 3.0
"""Of a whole word, against 1 for each of its character runs."""
STEM, STEM_LENGTH = "~", 4
"""Words with the same first letters are one: "close" and "closing"."""
USUAL = 40
"""Characters of a word whose features are kept for the next question."""
LONE = 0.6
"""What is left of a cosine that rests on a single word."""

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a an the i me my we our you your he she it its they them their this that these those what which who whom
        whose when where why how is are was were be been being am do does did can could will would shall should
        may might must have has had to of in on at by for from with about into over after before between through
        during up down out and or but if than then as so not no any some there here please tell give show find
        get let know want need like looking also just provide information info details
        """,
    )
)
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_PART = re.compile(r"\w+")


def same(query: str) -> str:
    """A form equal for questions that differ in case, spacing and punctuation only."""
    words = _PART.findall(unicodedata.normalize("NFKC", query).casefold())
    return " ".join(words) or query.strip()


def masked(query: str) -> str:
    """Lower case; numbers become "0", and capitalised words "X" unless they begin a sentence or all words are so."""
    words = _WORD.findall(query)
    shouted = sum(word[0].isupper() for word in words) * 2 > len(words) + 1

    def mask(match: re.Match[str]) -> str:
        word = match[0]
        if any(character.isdigit() for character in word):
            return "0"
        if not word[0].isupper():
            return word.lower()
        before = query[max(0, match.start() - 8) : match.start()].rstrip()
        begins = not before or before[-1] in ".?!:"
        return word.lower() if begins or shouted or re.match(r"I\b", word) else "X"

    return _WORD.sub(mask, query)


def features(query: str) -> dict[str, float]:
    """Feature -> weight, of length 1 as a vector; empty for a question without words.

    Features that begin with STEM weigh nothing: they say which words the question is about.
    """
    weights: dict[str, float] = {}
    for word in _PART.findall(masked(query[:LONGEST])):
        for feature, weight in _known(word) if len(word) <= USUAL else _of_word(word):
            weights[feature] = weights.get(feature, 0.0) + weight
    norm = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {feature: weight / norm for feature, weight in weights.items()}


def _of_word(word: str) -> tuple[tuple[str, float], ...]:
    """Features and weights of one word, as often as they occur in it."""
    name = word.lower()
    weight = FUNCTION_WEIGHT if name in FUNCTION_WORDS or len(name) == 1 else 1.0
    found = [("=" + word, WORD_WEIGHT * weight)]
    if weight == 1:
        found.append((STEM + name[:STEM_LENGTH], 0.0))
    padded = f" {name} "
    for length in (3, 4, 5):
        found += [(padded[at : at + length], weight) for at in range(max(1, len(padded) - length + 1))]
    return tuple(found)


_known = lru_cache(maxsize=4096)(_of_word)  # questions that are alike are made of the same words


def cosine(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Of two results of features(): 0 for nothing in common, 1 for the same question but for names and numbers.

    Less where two questions that are about several things share one of them at most: "is 2027 a prime number" and "the
    phone number of the museum" have half of their words in common.
    """
    common = min(1.0, sum(weight * b[feature] for feature, weight in a.items() if feature in b))
    ours, theirs = _stems(a), _stems(b)
    return common * LONE if len(ours & theirs) <= 1 < min(len(ours), len(theirs)) else common


def _stems(features: Mapping[str, float]) -> set[str]:
    return {feature for feature in features if feature[0] == STEM}


def blended(words: float, meaning: float) -> float:
    """The similarity of two questions of which vectors are known as well: the mean of both cosines.

    Measured on the same queries with vectors of all-MiniLM-L6-v2, made of masked text. The nearest is of the same
    domain for all 300 and shares an endpoint for 78 of 98, where words alone have 82. In small stores it is ahead: of 5
    solutions the nearest is of the same domain for 95 % against 70 %, of 50 for 99 % against 94 %.

    It has a gate of its own, the embedder's. At 0.40 it serves 92 %, and 1 % of those whose domain is not stored. At
    0.35 it serves 96 % and 4 %: none of the five of the 98 that are served then gets the right endpoint, and prompts of
    unrelated questions grow by 5.6 % (benchmarks/memory_tokens.py), which at 0.40 do not grow.
    """
    return (words + meaning) / 2
