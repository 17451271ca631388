"""Masking, without any socket."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ecoassist.masks import MaskedStream, Masks

KEY, MARK = 'aA/+=&k%2f"\\9z', "ZqZqZqZqZqZqZq"
OTHER, OTHER_MARK = "abababab", "WxWxWxWx"
MASKS = Masks([(KEY, MARK), (OTHER, OTHER_MARK)])


def over(text: str) -> str:
    """Every byte percent-encoded, in lower case."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


FORMS = [KEY, quote(KEY, safe=""), over(KEY), quote(quote(KEY, safe=""), safe=""), json.dumps(KEY)[1:-1]]
FORMS += [KEY.replace("/", "\\/"), OTHER, over(OTHER).upper(), OTHER[:4] + over(OTHER[4:])]

bodies = st.lists(
    st.sampled_from([*FORMS, KEY[:5], KEY[5:], OTHER[:3], OTHER[1:], "%", "\\", "a", "ab", "%6"]).map(str.encode)
    | st.binary(max_size=12),
    max_size=12,
).map(b"".join)
cuts = st.lists(st.integers(1, 20), min_size=1, max_size=60)


def streamed(body: bytes, sizes: list[int], masks: Masks = MASKS) -> bytes:
    stream, parts, begin = MaskedStream(masks), [], 0
    for size in sizes:
        parts.append(stream.feed(body[begin : begin + size]))
        begin += size
    return b"".join([*parts, stream.feed(body[begin:]), stream.end()])


@settings(deadline=None)
@given(bodies, cuts)
@example(b"ab" + OTHER.encode() + b"ab", [1] * 12)
def test_any_split_of_a_body_gives_the_same_masked_text(body: bytes, sizes: list[int]) -> None:
    assert streamed(body, sizes) == MASKS.cover(body)


@settings(deadline=None)
@given(bodies, cuts)
def test_no_key_is_left_as_it_is_or_percent_encoded(body: bytes, sizes: list[int]) -> None:
    masked = streamed(body, sizes)

    for key in (KEY, OTHER):
        assert key.encode() not in masked
        assert key.encode() not in unquote_to_bytes(masked)


@settings(deadline=None)
@given(st.binary(max_size=300), cuts)
def test_text_without_a_key_is_not_touched(body: bytes, sizes: list[int]) -> None:
    if b"abab" not in body.lower():
        assert streamed(body, sizes) == body


@pytest.mark.parametrize("form", FORMS)
def test_each_form_becomes_the_placeholder(form: str) -> None:
    mark = MARK if form[:2] not in (OTHER[:2], over(OTHER).upper()[:2]) or form == over(KEY) else OTHER_MARK

    assert MASKS.cover(f"<{form}>".encode()) == f"<{mark}>".encode()


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(3))
@pytest.mark.parametrize("form", [KEY, quote(KEY, safe="")])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_key_in_base64_is_masked_at_every_alignment(before: int, after: int, form: str, encode: object) -> None:
    assert callable(encode)
    packed = encode(b"u" * before + form.encode() + b"v" * after)

    masked = streamed(packed, [3] * 10)

    assert len(masked) == len(packed)
    plain = base64.b64decode(masked, altchars=b"-_") if b"-" in masked or b"_" in masked else base64.b64decode(masked)
    assert plain.startswith(b"u" * before)
    assert form[1:-1].encode() not in plain
    assert MARK[1:8].encode() in plain


def test_the_longer_of_two_keys_wins_where_one_begins_the_other() -> None:
    masks = Masks([("abcdefgh", "11111111"), ("abcdefghij", "2222222222")])

    assert masks.cover(b"abcdefghij abcdefghi") == b"2222222222 11111111i"


def test_a_mask_shows_no_key() -> None:
    assert KEY not in repr(MASKS)


# ── packed bodies ───────────────────────────────────────────────────────────────────────────────────────────────────
