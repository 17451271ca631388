from __future__ import annotations

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.render.plain import escaped, one_line, plain, tolerant

PIECES = [
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x1b]8;;http://a\x1b\\",
    "\x1b",
    "\x9b2J",
    "\x9d",
    "\r",
    "\n",
    "\u202e",
    "\ud800",
    "[0m",
]
foreign = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4), st.characters()), max_size=12).map("".join)
FORBIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
NUMBER_SIGNS = set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd")
"""Prepended_Concatenation_Mark: of category Cf, but visible."""


@given(foreign)
def test_no_control_bidirectional_or_invisible_character_survives(text: str) -> None:
    kept = {c for c in plain(text) if unicodedata.category(c) in FORBIDDEN}
    assert kept <= {"\n", "\t"} | NUMBER_SIGNS


@given(foreign)
def test_plain_text_is_plain(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_of_all_characters_that_exist_only_visible_ones_survive() -> None:
    kept = set(plain("".join(map(chr, range(sys.maxunicode + 1)))))
    assert {c for c in kept if unicodedata.category(c) in FORBIDDEN} == {"\n", "\t"} | NUMBER_SIGNS
    for visible in "aé漢ا🌧\ufe0f ~":
        assert visible in kept


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("3 °C\tand [bold]rain[/bold]\n", "3 °C\tand [bold]rain[/bold]\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\a link\x1b]8;;\x1b\\", "a link"),
        ("\x1bPq#0;2;0;0;0\x1b\\sixel", "sixel"),
        ("\x1bcreset\x1b(B", "reset"),
        ("unfinished \x1b]0;is shown", "unfinished 0;is shown"),
        ("10 %\r20 %\r\n", "10 %\n20 %\n"),
        ("next\x85line\u2028separated", "next\nline\nseparated"),
        ("bell\x07 back\x08space\x7f\x00", "bell backspace"),
        ("a\u202eb\u2066c\u200bd\ufeffe\u00adf\u061cg", "abcdefg"),
        ("tag\U000e0041\U000e007f filler\u3164", "tag filler"),
        ("\ud800half\udfff", "\ufffdhalf\ufffd"),
    ],
)
def test_what_is_shown(foreign: str, shown: str) -> None:
    assert plain(foreign) == shown


def test_long_runs_of_openers_take_linear_time() -> None:
    assert plain("\x1b]" * 200_000 + "\x9d" * 200_000 + "\x1b[" * 200_000) == ""


def test_one_line_is_one_line() -> None:
    assert one_line("  a\r\nb\t \x1b[2Jc\u2028d ") == "a b c d"


@given(st.recursive(foreign, lambda inner: st.lists(inner) | st.dictionaries(foreign, inner), max_leaves=5))
def test_escaped_json_means_the_same_and_holds_nothing_unsafe(value: object) -> None:
    line = escaped(json.dumps(value, ensure_ascii=False))
    assert json.loads(line) == json.loads(json.dumps(value))
    assert {c for c in line if unicodedata.category(c) in FORBIDDEN} <= NUMBER_SIGNS
    line.encode()


def test_a_tolerant_stream_replaces_what_its_encoding_lacks() -> None:
    raw = io.BytesIO()
    stream = tolerant(io.TextIOWrapper(raw, encoding="cp1252"))
    stream.write("3 °C ✓")
    stream.flush()
    assert raw.getvalue() == b"3 \xb0C ?"
