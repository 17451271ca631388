"""The number of a solution, as a person types it."""

from __future__ import annotations

import pytest
import typer

from ecoassist.cli.numbers import number, typed


@pytest.mark.parametrize(("text", "id"), [("5", 5), ("#5", 5), ("team:5", -5), ("007", 7)])
def test_one_s_own_is_a_number_and_the_team_s_says_so(text: str, id: int) -> None:
    assert number(text) == id == number(typed(id))


@pytest.mark.parametrize("text", ["", "team:", "team:x", "-1", "1.5", "team:-1", "#", "\u0663", "5 ", "9" * 19])
def test_what_is_no_number_of_a_solution_is_wrong_usage(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no number of a solution"):
        number(text)
