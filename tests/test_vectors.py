"""Vectors as they are stored, and how near they are to each other."""

from __future__ import annotations

import math
import random

import pytest

from ecoassist.vectors import above, background, comparable, cosines, packed


def test_a_vector_keeps_its_direction_and_loses_its_length() -> None:
    assert packed([3.0, 4.0]) == packed([30.0, 40.0])
    assert cosines(packed([3.0, 4.0]), [packed([4.0, 3.0])]) == [pytest.approx(0.96, abs=1e-3)]


def test_vectors_that_point_apart_have_nothing_in_common_and_equal_ones_all() -> None:
    assert cosines(packed([1.0, 0.0]), [packed([-1.0, 0.0]), packed([0.0, 1.0])]) == [0.0, 0.0]
    assert cosines(packed([0.1] * 7), [packed([0.1] * 7)]) == [pytest.approx(1.0, abs=2e-3)]


def test_a_vector_of_another_size_is_like_none() -> None:
    assert cosines(packed([1.0, 0.0]), [packed([1.0, 0.0, 0.0]), packed([1.0, 0.0]), b""]) == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "numbers", [[], [0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0], [1.7e308, 1.7e308], [0.1] * 8193]
)
def test_what_is_no_vector_is_refused(numbers: list[float]) -> None:
    with pytest.raises(ValueError, match="a vector"):
        packed(numbers)


def test_what_holds_no_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="numbers"):
        packed(["1", None])  # type: ignore[list-item]


def test_long_lists_are_compared_with_the_same_result() -> None:
    pytest.importorskip("numpy")
    chance = random.Random(1)
    some = [packed([chance.uniform(-1, 1) for _ in range(64)]) for _ in range(50)]
    plain = cosines(some[0], some)
    assert cosines(some[0], some, few=0) == pytest.approx(plain, abs=1e-3)


def test_a_few_vectors_can_always_be_compared() -> None:
    assert comparable(768, 10_000)


def test_what_unrelated_vectors_have_in_common_is_the_mean_of_their_cosines() -> None:
    three = [packed([1.0, 0.0]), packed([0.0, 1.0]), packed([1.0, 1.0])]
    assert background(three) == pytest.approx((0 + 2 * math.sqrt(0.5)) / 3, abs=1e-3)
    assert background(three[:1]) == background([]) == 0.0


def test_a_cosine_counts_from_what_unrelated_texts_have_in_common() -> None:
    assert (above(0.7, 0.7), above(0.2, 0.7), above(1.0, 0.7)) == (0.0, 0.0, 1.0)
    assert above(0.85, 0.7) == pytest.approx(0.5)
    assert above(1.0, 1.0) == 0.0
