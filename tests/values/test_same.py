"""Whether two values are the same: each kind in the forms that people and programs write."""

from __future__ import annotations

import pytest

from ecoassist.types import JSON
from ecoassist.values import same

YES, NO, OPEN = True, False, None


def compared(one: JSON, other: JSON, query: str = "") -> bool | None:
    """The answer, which must not depend on the order."""
    found = same(one, other, query)
    assert same(other, one, query) is found, "it depends on the order"
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234", 1234),
        ("1.234,5", 1234.5),
        ("1.234.567", 1_234_567),
        ("1 234", 1234),
        ("1\u202f234,50 €", 1234.5),
        ("$1,234.50", "1234.5 USD"),
        ("12,34,567", 1_234_567),
        ("1'234.5", 1234.5),
        ("0,125", 0.125),
        (".5", 0.5),
        ("+5", 5),
        ("−5", -5),
        ("-$5.00", "$-5"),
        ("about 5", 5),
        ("~5", 5),
        ("3/4", 0.75),
        ("5e3", 5_000),
        ("5k", 5_000),
        ("5M", 5e6),
        ("$5m", "5 million dollars"),
        ("$5B", 5e9),
        ("5.2 billion", 5_234_567_890),
        ("45%", 45),
        ("45 percent", 0.45),
        ("45 %", "0.45"),
        ("3 people", 3),
        ("**42**", 42),
        ('"42"', 42),
        ("It is 42.", 42),
        ("Answer: 42", "42"),
        ("42", 42.0),
        ("minus 5", -5),
        ("negative 5", "-5"),
    ],
)
def test_a_number_is_the_same_in_all_its_spellings(one: JSON, other: JSON) -> None:
    assert compared(one, other) is YES


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1000.0, 1004.9, YES),
        (1000.0, 1005.1, NO),
        (-1000.0, -1004.9, YES),
        (21, 21.4, YES),
        (21, 21.6, NO),
        ("0.12", "0.124", YES),
        ("0.12", "0.126", NO),
        ("0.120", "0.122", NO),
        (0, 0, YES),
        (0, -0.0, YES),
        (0, 1, NO),
        ("0.00", "0.01", NO),
        (5, -5, NO),
        (1e300, 1e300, YES),
        (1e299, 1.1e299, NO),
        (10**400, 10**400, YES),
        (10**400, 10**400 + 1, NO),
        (1e-9, 2e-9, NO),
        (1e-7, 1e-7, YES),
        (2021, 2022, NO),
        ("1998", 1999, NO),
        ("3 Idiots", "3 Musketeers", OPEN),
    ],
)
def test_numbers_are_the_same_within_half_a_percent_or_the_coarser_last_digit_and_years_exactly(
    one: JSON, other: JSON, expected: bool | None
) -> None:
    assert compared(one, other) is expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("21 °C", "70 F"),
        ("21 °C", "294.15 K"),
        ("-40 C", "-40 degrees Fahrenheit"),
        ("0 °C", "32 °F"),
        ("100 km/h", "62.1 mph"),
        ("10 m/s", "36 kph"),
        ("10 knots", "18.5 km/h"),
        ("5 ft 11 in", "180 cm"),
        ("5'11\"", "1.80 m"),
        ("1 in", "25.4 mm"),
        ("5 miles", "8.05 kilometres"),
        ("10 lb", "4.54 kg"),
        ("1013 hPa", "29.91 inHg"),
        ("1 bar", "100 kPa"),
        ("1 gal", "3.785 l"),
        ("2 acres", "0.81 ha"),
        ("2h30m", "150 min"),
        ("1 hour and 30 minutes", "90 minutes"),
        ("2 years", "24 months"),
        ("$5 CAD", "5 Canadian dollars"),
        ("21 °C", 21),
        ("21 °C outside", "21 C"),
        ("21 °C", "21 degrees"),
        ({"value": 21, "unit": "°C"}, "70 °F"),
    ],
)
def test_units_are_converted(one: JSON, other: JSON) -> None:
    assert compared(one, other) is YES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 km", "5 kg"),
        ("5 km", "5 mi"),
        ("21 C", "21 F"),
        ("$5", "5 EUR"),
        ("$5 EUR", "$5"),
        ("5 m", "5 million"),
        ("0 °C", "0 °F"),
        ("1.234", 1234),
        ("1,234", 1.234),
        ("02134", 2134),
        ("007", "7"),
        ("minus 5", 5),
        ("minus 5 degrees", "5 degrees"),
        ("2004 CE", "1999 CE"),
    ],
)
def test_what_only_looks_like_the_same_number_is_not(one: JSON, other: JSON) -> None:
    assert compared(one, other) is NO


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("more than 5", 5),
        ("less than 5 km", "5 km"),
        ("at least 5", "5"),
        ("over 100", "100"),
        ("not 5", 5),
        ("<5", 5),
        ("≥ 5", 5),
        ("5+", 5),
        ("5 or more", 5),
        ("5 below zero", 5),
        ("down 5%", "5%"),
        ("down 5%", "-5%"),
        ("before 2020-05-01", "2020-05-01"),
        ("not May 1, 2020", "2020-05-01"),
    ],
)
def test_a_bound_or_a_denial_agrees_with_nothing_but_itself(one: JSON, other: JSON) -> None:
    assert compared(one, other) is OPEN
    assert compared(one, one) is YES


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 MW", "5 mW"),
        ("5 Mbps", "5 MBps"),
        ("48.2 N", "48.2 S"),
        ("5 kg", "5 apples"),
        ("44 BC", 44),
        ("500 BC", "500 AD"),
        ("0.5", "1%"),
        ("0.4", "0%"),
        ("10:00 EST", "10:00 PST"),
        ("10:00 EST", "15:00 UTC"),
        ("2021-05-14 10:00 EST", "2021-05-14 10:00 UTC"),
        ("Monday, March 4, 2024", "Tuesday, March 4, 2024"),
        ("Monday", "Monday, March 4, 2024"),
    ],
)
def test_equal_figures_of_what_may_be_different_things_are_not_comparable(one: JSON, other: JSON) -> None:
    assert compared(one, other) is OPEN


@pytest.mark.parametrize(
    "written",
    [
        "2021-05-14",
        "2021/05/14",
        "2021.05.14",
        "20210514",
        "05/14/2021",
        "5/14/21",
        "14.05.2021",
        "14-05-2021",
        "14/05/2021.",
        "May 14, 2021",
        "May 14th, 2021",
        "may 14 2021",
        "14 May 2021",
        "14-May-2021",
        "the 14th of May, 2021",
        "Friday, May 14, 2021",
        "Fri 14 May 2021",
        "2021 May 14",
        "2021-05-14T00:00:00",
        "It was May 14, 2021.",
        "**May 14, 2021**",
    ],
)
def test_a_day_is_the_same_in_all_its_spellings(written: str) -> None:
    assert compared(written, "2021-05-14") is YES
    assert compared(written, "2021-05-15") is NO
    assert compared(written, "2020-05-14") is NO


@pytest.mark.parametrize(
    ("one", "other", "query", "expected"),
    [
        ("03/04/2021", "2021-03-04", "", OPEN),
        ("03/04/2021", "2021-04-03", "", OPEN),
        ("03/04/2021", "2021-05-03", "", NO),
        ("03/04/2021", "3/4/2021", "", YES),
        ("03/04/2021", "04/03/2021", "", NO),
        ("03/03/2021", "2021-03-03", "", YES),
        ("04.03.2021", "2021-03-04", "", YES),
        ("03/04/2021", "2021-03-04", "Which day, in MM/DD/YYYY?", YES),
        ("03/04/2021", "2021-04-03", "Which day, in MM/DD/YYYY?", NO),
        ("03/04/2021", "2021-04-03", "Which day (day/month/year)?", YES),
        ("03/04/2021", "2021-03-04", "Which day, in dd-mm-yyyy?", NO),
    ],
)
def test_a_date_that_may_be_read_in_two_ways_agrees_with_neither_unless_the_question_says_which(
    one: JSON, other: JSON, query: str, expected: bool | None
) -> None:
    assert compared(one, other, query) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("1:45 pm", "13:45", YES),
        ("1:45 p.m.", "13:45:30", YES),
        ("13h45", "13:46", NO),
        ("5 PM", "17:00", YES),
        ("noon", "12:00", YES),
        ("midnight", "00:00", YES),
        ("12:10 AM", "0:10", YES),
        ("May 14, 2021 at 1:45 PM", "2021-05-14T13:45:00Z", YES),
        ("2021-05-14 13:45", "2021-05-14 14:45", NO),
        ("2021-05-14 13:45", "2021-05-14", YES),
        ("2021-05-01T23:30-05:00", "2021-05-02T04:30Z", YES),
        ("2021-05-01T23:30-05:00", "2021-05-02T05:30Z", NO),
        ("9999-12-31T23:59-12:00", "9999-12-31T23:59-12:00", YES),
        ("25:00", "13:45", NO),
        ("May 14", "2021-05-14", YES),
        ("May 2021", "2021-05-14", OPEN),
        ("June 2021", "2021-05-14", NO),
        (2021, "2021-05-14", OPEN),
        (2020, "2021-05-14", NO),
        ("2021-02-30", "2021-03-02", NO),
        ("2021-05-14 to 2021-05-16", "2021-05-14", OPEN),
    ],
)
def test_times_and_what_is_told_only_in_part(one: JSON, other: JSON, expected: bool | None) -> None:
    assert compared(one, other) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (True, "yes", YES),
        ("No.", False, YES),
        ("TRUE", "y", YES),
        ("yes", "no", NO),
        (True, 1, NO),
        (False, 0, NO),
        ("1", True, NO),
        ("Yes, it will rain in the morning and again late in the evening.", True, YES),
        ("Yes, it will rain in the morning and again late in the evening.", False, NO),
        ("Take an umbrella, since the morning and the evening will both be wet.", True, OPEN),
    ],
)
def test_yes_and_no_are_no_numbers(one: JSON, other: JSON, expected: bool | None) -> None:
    assert compared(one, other) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Café Zürich!", "cafe zurich", YES),
        ("The Louvre", "louvre", YES),
        ("ST. JOHN'S", "St Johns", YES),
        ("web-site", "website", YES),
        ("Straße 5", "STRASSE 5", YES),
        ("東京", "東京", YES),
        ("東京", "大阪", NO),
        ("€", "€", YES),
        ("416-555-0123", "(416) 555 0123", YES),
        ("+1 416-555-0123", "4165550123", YES),
        ("+1 416-555-0123", 4165550123, YES),
        ("416-555-0123", "416-555-0124", NO),
        ("COVID-19", "COVID 19", YES),
        ("Paris - France", "Paris, France", YES),
        ("C++", "C#", OPEN),
        ("C", "C++", OPEN),
        ("A+", "A-", OPEN),
        ("A", "A-", OPEN),
        ("E♭", "E", OPEN),
        ("UTC+2", "UTC-2", OPEN),
        ("x = -3", "x = 3", OPEN),
        ("x < 3", "x > 3", OPEN),
        ("Tuesday", "Monday, March 4, 2024", NO),
        ("Paris", "London", NO),
        ("Paris", 5, NO),
        ("Paris", "Paris, France", OPEN),
        ("Einstein", "Albert Einstein", OPEN),
        ("10 Main St, Springfield, IL", "12 Main St, Springfield, IL", NO),
    ],
)
def test_names_are_free_of_case_accents_and_punctuation(one: JSON, other: JSON, expected: bool | None) -> None:
    assert compared(one, other) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (["a", "b"], ["B", "A"], YES),
        (["a", "b", "b"], ["a", "b"], YES),
        (["a", "b", "c"], ["a", "b", "d"], YES),
        (["a", "b", "c"], ["a", "d", "e"], NO),
        ([1, 2], [2, 1.001], YES),
        (["Oslo", 21, "Bergen", 12], ["Oslo", 21, "Bergen", 14], OPEN),
        (["Oslo", 21, "Bergen", 12], ["Bergen", 12, "Oslo", 21], YES),
        ([["Oslo", 21], ["Bergen", 12], ["Bodo", 9]], [["Oslo", 21], ["Bergen", 14], ["Bodo", 9]], OPEN),
        ([{"a": 1}, {"a": 2}, {"a": 3}], [{"a": 1}, {"a": 2}, {"a": 4}], OPEN),
        ([{"a": 1}, {"a": 2}], [{"a": 3}, {"a": 4}], NO),
        ([1, 2, 3], [1, 2, 4], NO),
        (["2021-05-14"], ["May 14, 2021"], YES),
        ("['a', 'b']", ["b", "a"], YES),
        ("A, B and C", ["c", "b", "a"], YES),
        ("1. Alpha\n2. Beta", ["Alpha", "Beta"], YES),
        ("red, green, blue", "blue, red, green", YES),
        (["a"], "a", YES),
        ([], [], OPEN),
        ([None], [None], OPEN),
        ([[1, 2], [3]], [[3], [2, 1]], YES),
    ],
)
def test_lists_are_sets_of_which_names_need_half_and_figures_all(one: JSON, other: JSON, expected: bool | None) -> None:
    assert compared(one, other) is expected


def test_a_number_too_long_to_be_printed_is_the_same_only_exactly() -> None:
    assert compared(10**5000, 10**5000) is YES
    assert compared(10**5000, 10**5000 + 1) is NO
    assert compared([10**5000] * 2, 10**5000) is YES
    assert compared([10**5000] * 400, 5) is OPEN


def test_where_the_nearest_is_asked_for_the_first_counts() -> None:
    query = "What is the nearest pharmacy?"
    assert compared(["Alpha", "Beta", "Gamma"], ["Alpha", "Delta", "Epsilon"], query) is YES
    assert compared(["Alpha", "Beta"], ["Beta", "Alpha"], query) is NO
    assert compared(["Alpha", "Beta"], "Beta", query) is NO


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"High": 21, "low": 12}, {"low": 12.0, "high": "21 °C"}, YES),
        ({"high": 21, "low": 12}, {"low": 12, "high": 25}, NO),
        ({"high": 21, "low": 12}, {"high": 21}, YES),
        ({"high": 21}, {"max": 21}, OPEN),
        ({"temperature": 21}, 21, YES),
        ({"name": "Alpha", "rating": 4.5}, "alpha", YES),
        ({"high": 21, "low": 12}, 21, OPEN),
        ({}, {}, OPEN),
        ({"a": None}, {"a": None}, OPEN),
        ({"a": {"b": [1, {"c": "x"}]}}, {"A": {"B": [{"C": "X"}, 1]}}, YES),
    ],
)
def test_objects_are_compared_by_key(one: JSON, other: JSON, expected: bool | None) -> None:
    assert compared(one, other) is expected


MISSING: list[JSON] = [
    *(None, "", "null", "None", "unknown", "N/A", "not found", [], {}, float("nan")),
    *("I don't know", "I do not know.", "cannot be determined", "It could not be found", "not enough information"),
    *("insufficient data", "undetermined", "TBD", "None found", "No information available", "I'm unable to tell"),
    *("error", "Error: timeout", "I'm sorry, but I can't help with that."),
]
MISSING += [["I don't know"], {"error": "timeout"}, {"error": "timeout", "status": 500}]


@pytest.mark.parametrize("one", ["No one", "Nobody", "Unknown Pleasures", "No Country for Old Men", "not rainy"])
def test_a_name_that_only_sounds_like_nothing_is_one(one: str) -> None:
    assert compared(one, one) is YES


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_missing_never_agrees_with_anything(missing: JSON) -> None:
    assert compared(missing, missing) is OPEN
    assert compared(missing, 5) is OPEN


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_after_all_never_agrees(number: float) -> None:
    assert compared(number, number) is OPEN
    assert compared([number, 1], [number, 2]) is NO


WARM = "The temperature in Paris will be around 21 °C tomorrow, so take a light jacket."
FULL = "It will be 21 °C with 60 % humidity and 12 km/h of wind, which is pleasant."


@pytest.mark.parametrize(
    ("prose", "other", "expected"),
    [
        (WARM, 21, YES),
        (WARM, 25, NO),
        (WARM, "70 F", YES),
        (WARM, "Lyon", OPEN),
        (FULL, 21, OPEN),
        (FULL, "70 F", YES),
        (FULL, WARM, OPEN),
        (WARM, WARM.upper(), YES),
        ("Today is May 15, 2021, and so the day before it was a Friday: May 14, 2021.", "2021-05-14", YES),
        ("I would go to the Alpha because it is lovely, and it is close to the station.", ["Alpha", "Beta"], OPEN),
    ],
)
def test_prose_is_not_comparable_unless_it_says_one_thing_of_the_kind(
    prose: str, other: JSON, expected: bool | None
) -> None:
    assert compared(prose, other) is expected


def test_a_value_that_is_too_large_is_the_same_only_as_a_whole() -> None:
    large: list[JSON] = list(range(10_000))
    assert compared(large, list(large)) is YES
    assert compared(large, large[::-1]) is OPEN
    deep: JSON = 1
    for _ in range(500):
        deep = [deep]
    assert compared(deep, 1) is OPEN
