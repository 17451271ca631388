from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ecoassist.kernel.output import Ends, both_ends, without_ansi


@given(st.lists(st.text(max_size=30)), st.integers(1, 10))
def test_whatever_comes_both_ends_are_kept_and_the_rest_is_counted(pieces: list[str], half: int) -> None:
    ends, whole = Ends(half), "".join(pieces)
    for piece in pieces:
        ends.add(piece)
    assert ends.omitted == max(0, len(whole) - 2 * half)
    if ends.omitted:
        assert str(ends) == f"{whole[:half]}\n... {ends.omitted:,} characters left out ...\n{whole[-half:]}"
    else:
        assert str(ends) == whole


def test_short_text_stays_as_it_is() -> None:
    assert both_ends("x" * 4_000) == "x" * 4_000


def test_colours_and_links_and_other_escapes_go() -> None:
    assert without_ansi("\x1b[0;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1bMup") == "red link up"
