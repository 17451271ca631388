"""What a cell that ended well came to, where no model puts it into words."""

from __future__ import annotations

import pytest

from ecoassist.outputs import MAX_LINES, answer_like, told
from ecoassist.types import Answer, CellResult


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        ("Paris: 3 mm\n", "", Answer("Paris: 3 mm")),
        ("", "'Paris'", Answer("Paris")),
        ("Rain in Paris:\n", "3", Answer("Rain in Paris:\n3")),
        ("", "15.3", Answer("15.3", 15.3)),
        ("True\n", "", Answer("True", True)),
        ("['Louvre', 'Orsay']", "", Answer("['Louvre', 'Orsay']", ["Louvre", "Orsay"])),
        ("3 mm of rain\nANSWER: 3\n", "", Answer("3 mm of rain", 3)),
        ("It rains.", "", Answer("It rains.")),
        ("", "'cut [...] off", Answer("'cut [...] off")),
    ],
)
def test_all_that_a_program_says_is_its_answer(text: str, value: str, said: Answer) -> None:
    assert told(CellResult("ok", text, value)) == said


def test_silence_is_no_answer() -> None:
    assert told(CellResult("ok", " \n")) is None


def test_what_a_cell_said_that_failed_is_no_answer() -> None:
    assert told(CellResult("error", "3")) is None


def test_data_is_no_answer() -> None:
    assert answer_like("3 mm of rain")
    assert not answer_like("x" * 2_001)
    assert not answer_like("\n".join(["row"] * (MAX_LINES + 1)))
