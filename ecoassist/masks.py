"""Keys out of bytes: every form of a key that is known is replaced, wherever chunks are cut. Pure.

Best effort: whoever knows a key can write it reversed, hashed or encrypted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.entities import codepoint2name
from itertools import islice, product
from typing import TypeAlias
from urllib.parse import quote

Step: TypeAlias = Mapping[int, tuple[bytes, ...]]
"""What may stand for one character of a form, by its first byte."""

SHORTEST_KEY = 8
"""Characters. A shorter value turns up in unrelated text, where masking it would garble answers and confirm guesses."""


@dataclass(frozen=True, slots=True, repr=False)  # it spells a key
class _Form:
    """A key, or a key packed into base64 or hexadecimal digits; each character as it is or behind an escape."""

    steps: tuple[Step, ...]
    mask: bytes

    def at(self, text: bytes, place: int) -> tuple[int, bool]:
        """Where the form that begins at `place` ends (-1: none does), and whether one could with more text.

        All readings are followed side by side, so that no text takes more than a look per step and reading.
        """
        size, places, cut = len(text), {place}, False
        for step in self.steps:
            reached = set()
            for here in places:
                if here == size:
                    cut = True
                    continue
                for token in step.get(text[here], ()):
                    if text.startswith(token, here):
                        reached.add(here + len(token))
                    elif here + len(token) > size and token.startswith(text[here:]):
                        cut = True
            if not reached:
                return -1, cut
            places = reached
        return max(places), cut


class _Likely:
    """Where a form could begin, told in a few passes at the speed of memory; no form begins anywhere else.

    A form is spelt by characters that folding leaves alike (_folded), or holds an escape that folding does not undo.
    """

    def __init__(self, forms: Sequence[_Form]) -> None:
        spelt = {b"".join(_plain(step) for step in form.steps) for form in forms}
        self._spelt = sorted(set(map(_folded, spelt)))
        self._longest = max((sum(map(_longest, form.steps)) for form in forms), default=0)
        """Bytes of a form."""
        self._beside = _neighbours(forms)
        self._escapes = {
            introducer: re.compile(_tree([token for token in self._beside if token[:1] == introducer]))
            for introducer in {token[:1] for token in self._beside}
        }

    def places(self, text: bytes, *, whole: bool) -> Iterator[tuple[int, int]]:
        """Stretches of `text`, the first byte of each and the one after it, in order; they may overlap.

        Unless `text` is the `whole`, its end is one, as what follows could complete a form there.
        """
        size = len(text)
        end = size if whole else max(0, size - self._longest)
        folded = _folded(text)
        if any(spelt in folded for spelt in self._spelt):
            yield 0, size
            return
        enough = size // max(1, self._longest)
        escaped = sorted(islice(self._escaped(text), enough + 1))
        if len(escaped) > enough:  # one by one they would take longer than the whole at once
            yield 0, size
            return
        for begin, stop in escaped:
            yield max(0, begin - self._longest), stop
        yield end, size

    def _escaped(self, text: bytes) -> Iterator[tuple[int, int]]:
        """The escapes beside which stands what stands beside them in a form, or nothing."""
        for introducer, escapes in self._escapes.items():
            found = escapes.search(text) if introducer in text else None
            while found:
                begin, end = found.span()
                before, after = self._beside[found[0]]
                if text[max(0, begin - 1) : begin] in before and text[end : end + 1] in after:
                    yield begin, end
                found = escapes.search(text, begin + 1)


class Masks:
    """Finds keys as they are, in base64 and in hexadecimal digits; percent-encoded once or twice, or behind JSON's,
    Python's or HTML's escapes, in part or whole.
    """

    def __init__(self, pairs: Sequence[tuple[str, str]], *, encoded: bool = True) -> None:
        """`pairs`: each key and what stands in its place; for an encoded key encoded likewise, unless told otherwise.

        A key must not be empty.
        """
        self._forms: dict[int, list[_Form]] = {}
        """By the bytes that they begin with."""
        beginnings: set[bytes] = set()
        forms = list(_forms(pairs, encoded))
        for form in forms:
            beginnings.update(_beginnings(form.steps))
            for first in form.steps[0]:
                self._forms.setdefault(first, []).append(form)
        self._begins = re.compile(_any_of(beginnings))
        self._likely = _Likely(forms)

    def cover(self, text: bytes) -> bytes:
        """All of `text`, masked."""
        return self.cover_decided(text, whole=True)[0]

    def cover_decided(self, text: bytes, *, whole: bool = False) -> tuple[bytes, int]:
        """Masks `text` as far as what follows cannot change it. Returns that, and how much of `text` it stands for.

        whole: nothing follows.
        """
        done = 0
        parts: list[bytes] = []
        for place, end, mask, cut in self._found(text, whole):
            if cut:
                return b"".join([*parts, text[done:place]]), place
            parts += [text[done:place], mask]
            done = end
        return b"".join([*parts, text[done:]]) if parts else text, len(text)

    def _found(self, text: bytes, whole: bool) -> Iterator[tuple[int, int, bytes, bool]]:
        """The forms from left to right, none within another: place, end, mask, and whether one is cut off there."""
        place = 0
        for begin, stop in self._likely.places(text, whole=whole):
            place = max(place, begin)
            while (found := self._begins.search(text, place, stop + _DEPTH)) and found.start() < stop:
                place = found.start()
                end, mask, cut = self._at(text, place)
                if end >= 0 or (cut and not whole):
                    yield place, end, mask, cut and not whole
                place = max(place + 1, end)
            place = max(place, stop)

    def _at(self, text: bytes, place: int) -> tuple[int, bytes, bool]:
        """The longest form at `place`, the first key's where two are equal: its end, its mask, and whether one is cut
        off there."""
        best, mask, cut = -1, b"", False
        for form in self._forms[text[place]]:
            end, open_ended = form.at(text, place)
            cut = cut or open_ended
            if end > best:
                best, mask = end, form.mask
        return best, mask, cut


class MaskedStream:
    """Masks a body piece by piece. Held back is only what may be the beginning of a form of a key."""

    def __init__(self, masks: Masks) -> None:
        self._masks, self._held = masks, b""

    def feed(self, data: bytes) -> bytes:
        text = self._held + data
        covered, stop = self._masks.cover_decided(text)
        self._held = text[stop:]
        return covered

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return self._masks.cover(held)


# ── forms ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _forms(pairs: Sequence[tuple[str, str]], encoded: bool) -> Iterator[_Form]:
    for key, stand_in in sorted(pairs, key=lambda pair: -len(pair[0])):
        value, mask = key.encode(), stand_in.encode()
        packed = {value: mask} | dict(_in_base64(value, mask))
        for text, its_mask in packed.items():
            yield _Form(_steps(text, wrapped=text != value), its_mask if encoded else mask)
        digits = value.hex().encode()
        yield _Form(tuple(map(_either_case, digits)), mask.hex().encode() if encoded else mask)


def _in_base64(value: bytes, mask: bytes) -> Iterator[tuple[bytes, bytes]]:
    """At each of the three alignments: the characters that the key alone decides, and the placeholder's for them."""
    for form in dict.fromkeys([value, quote(value, safe="").encode()]):
        stand_in = (mask * (len(form) // len(mask) + 1))[: len(form)]
        for before in range(3):
            first, last = -(-8 * before // 6), 8 * (before + len(form)) // 6
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                yield encode(bytes(before) + form)[first:last], encode(bytes(before) + stand_in)[first:last]


_UNWRAPPED = 4
"""Characters of base64 before which no line end is looked for: a stream must not wait for what follows each line."""


def _steps(text: bytes, *, wrapped: bool) -> tuple[Step, ...]:
    """wrapped: lines may end anywhere in it."""
    return tuple((_wrapped if wrapped and at >= _UNWRAPPED else _escaped)(byte) for at, byte in enumerate(text))


@cache
def _escaped(byte: int) -> Step:
    """A character itself, %2f, %252f, \\u002f, \\x2f; punctuation also as \\/, &#47; and &#x2f;.

    In JSON within JSON the backslashes are doubled.
    """
    codes = [bytes(pair) for pair in product(*(sorted({*b"%c" % d, *(b"%c" % d).upper()}) for d in b"%02x" % byte))]
    tokens = [b"%c" % byte]
    for code in codes:
        tokens += [b"%" + code, b"%25" + code]
        tokens += [slashes + name + code for slashes in (b"\\", b"\\\\") for name in (b"u00", b"x")]
    if not chr(byte).isalnum():
        tokens += [b"\\" * number + b"%c" % byte for number in (1, 2, 3)]
        tokens += [b"&#%d;" % byte, *(b"&#%c%s;" % (x, code) for x in b"xX" for code in codes)]
        tokens += [b"&%s;" % codepoint2name[byte].encode()] if byte in codepoint2name else []
    return _by_first(tokens)


@cache
def _wrapped(byte: int) -> Step:
    """A character of base64, also at the beginning of a line."""
    own = [token for tokens in _escaped(byte).values() for token in tokens]
    return _by_first([*own, *(end + b"%c" % byte for end in (b"\n", b"\r\n", b"\\n", b"\\r\\n"))])


@cache
def _either_case(digit: int) -> Step:
    return _by_first([b"%c" % digit, (b"%c" % digit).upper()])


def _by_first(tokens: Iterable[bytes]) -> Step:
    found: dict[int, tuple[bytes, ...]] = {}
    for token in dict.fromkeys(tokens):
        found[token[0]] = (*found.get(token[0], ()), token)
    return found


# ── what no text with a form lacks ──────────────────────────────────────────────────────────────────────────────────

_LOWER = bytes(range(256)).lower()
_DROPPED = b"\r\n\\rRnN"


def _folded(text: bytes) -> bytes:
    """`text` in lower case, and without the characters of which line ends are made, as they are or behind backslashes.

    Whatever folding does to text it does to each of its bytes alone: what is part of a text stays part of it.
    """
    return text.translate(_LOWER, _DROPPED)


def _plain(step: Step) -> bytes:
    """The character that a step stands for, as it is."""
    return next(token for tokens in step.values() for token in tokens if len(token) == 1)


def _longest(step: Step) -> int:
    return max(len(token) for tokens in step.values() for token in tokens)


def _escapes(step: Step) -> Iterator[bytes]:
    """What may stand for the character and is not that character when it is folded."""
    alike = _folded(_plain(step))
    return (token for tokens in step.values() for token in tokens if _folded(token) != alike)


_Bytes: TypeAlias = frozenset[bytes]
_ANY: _Bytes = frozenset([b"", *(b"%c" % byte for byte in range(256))])


def _neighbours(forms: Iterable[_Form]) -> dict[bytes, tuple[_Bytes, _Bytes]]:
    """For each escape: the bytes that may stand before and after it in a form; empty where text begins or ends."""
    found: dict[bytes, tuple[_Bytes, _Bytes]] = {}
    for form in forms:
        last = [_ANY, *(frozenset([b"", *(t[-1:] for ts in step.values() for t in ts)]) for step in form.steps[:-1])]
        first = [*(frozenset([b"", *(b"%c" % byte for byte in step)]) for step in form.steps[1:]), _ANY]
        for step, before, after in zip(form.steps, last, first, strict=True):
            for token in _escapes(step):
                had = found.get(token, (frozenset(), frozenset()))
                found[token] = had[0] | before, had[1] | after
    for token in found:
        if any(token[:size] in found for size in range(1, len(token))):
            found[token] = _ANY, _ANY  # only the longer of two that begin alike is looked at
    return found


def _tree(words: Collection[bytes]) -> bytes:
    """A pattern for the longest of the words; it looks at each byte once."""
    tree: dict[int, set[bytes]] = {}
    for word in filter(None, words):
        tree.setdefault(word[0], set()).add(word[1:])
    if not tree:
        return b""
    branches = b"|".join(re.escape(b"%c" % first) + _tree(rests) for first, rests in sorted(tree.items()))
    return b"(?:" + branches + (b")?" if b"" in words else b")") if len(tree) > 1 or b"" in words else branches


# ── where a form may begin ──────────────────────────────────────────────────────────────────────────────────────────

_DEPTH = 3
"""Bytes of its beginning by which a form is looked for: few places of other text share them."""


def _beginnings(steps: Sequence[Step], had: bytes = b"") -> set[bytes]:
    """The first bytes of all that the steps can spell."""
    if len(had) >= _DEPTH or not steps:
        return {had[:_DEPTH]}
    tokens = {token[: _DEPTH - len(had)] for tokens in steps[0].values() for token in tokens}
    return {found for token in tokens for found in _beginnings(steps[1:], had + token)}


def _any_of(words: Iterable[bytes]) -> bytes:
    """A pattern for words of _DEPTH bytes, or their beginnings at the end of the text.

    Branches that begin with different bytes let `re` pass over all others at the speed of memory.
    """
    tree: dict[int, set[bytes]] = {}
    for word in words:
        tree.setdefault(word[0], set()).add(word[1:])
    return b"|".join(
        re.escape(b"%c" % first) + (b"" if b"" in rests else b"(?:" + _any_of(rests) + b"|\\Z)")
        for first, rests in sorted(tree.items())
    )
