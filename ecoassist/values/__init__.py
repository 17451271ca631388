"""The value of an answer, and whether two of them are the same. Pure.

The rules are those of the mixture-of-thought cascade (arXiv 2310.03094), which compares what different ways of thinking
came to. A wrong yes is served to the person and a wrong no costs a stronger model, so that doubt is neither: what can
be read in two ways, or only by somebody who understands it, is not comparable, and whoever judges decides.

What reads and compares is loaded when it is first needed: most questions are tried in one way.
"""

from __future__ import annotations

from ecoassist.types import JSON, Answer


def value_of(answer: Answer | None) -> JSON:
    """What the ANSWER line states, else the piece of the text that says it. None: there is no value to compare.

    Of a text counts, in this order: the whole, where it is short; the only piece in bold; a yes or no at its beginning;
    its last date, since a text reasons towards its end; its only number. One that tells of a failure says nothing,
    whatever else it mentions.
    """
    from .finding import value_of

    return value_of(answer)


def said_of(answer: Answer | None) -> JSON:
    """The value that was stated, else the text, prose included: something `same` may find a value in."""
    from .finding import said_of

    return said_of(answer)


def same(one: JSON, other: JSON, query: str = "") -> bool | None:
    """Whether two values that answer `query` are equal once normalised.

    None: they cannot be compared. That is so where one is missing, has to be understood (prose, recommendations), or
    says less than the other ("Paris" and "Paris, Texas"). Lists are sets; of names half is enough, of figures and
    dates all have to be there, and where the nearest is asked for, only the first counts.
    """
    from .comparing import same

    return same(one, other, query)


def shape_of(answer: Answer | None) -> str:
    """The kind of its value: number, text, yes or no, date or list; empty where it has no single value."""
    from .shapes import shape_of

    return shape_of(answer)


def tells(answer: Answer | None, shape: str) -> bool:
    """Whether an output can hold an answer of that shape: it says something, of that kind, and no failure."""
    from .shapes import tells

    return tells(answer, shape)
