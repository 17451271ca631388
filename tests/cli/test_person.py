"""What a person reads before a host is opened, and which keys open it."""

from __future__ import annotations

import io

import pytest

from ecoassist import catalogue
from ecoassist.cli.person import about_host, at_terminal
from ecoassist.types import Attachment, Question

HOST = Question("host", "news.example.com", ("once", "session", "always", "no"))


def answers(typed: str, question: Question = HOST) -> str | None:
    return at_terminal((), io.StringIO(typed), io.StringIO())(question)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("\n", "no"),
        ("n\n", "no"),
        ("o\n", "once"),
        (" S \n", "session"),
        ("always\n", "always"),
        ("yes\ny\n1\nsure\ns\n", "session"),
        ("all\n\n", "no"),
        ("yes\n", None),
        ("", None),
    ],
)
def test_only_a_named_span_opens_a_host(typed: str, answer: str | None) -> None:
    assert answers(typed) == answer


def test_a_verdict_is_still_asked_for_with_its_own_keys() -> None:
    question = Question("verdict", "It is 4.", ("yes", "no", "escalate"))
    assert answers("s\ne\n", question) == "escalate"


def test_the_person_reads_who_asks_for_what_and_what_it_may_cost() -> None:
    screen = io.StringIO()
    at_terminal((Attachment("sales.csv", b""), Attachment("\x1b[2Jb.csv", b"")), io.StringIO("\n"), screen)(HOST)
    said = screen.getvalue()
    assert said.startswith("code wants to reach news.example.com\n")
    assert "whatever the code knows: sales.csv, b.csv too\n" in said
    assert said.endswith("[N]o: ")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("\x1b[2J\x1b[1;1Hgood.example\x07", "good.example"),
        ("goog\u04cfe.com", "goog\\u04cfe.com"),
        ("good.example\u202e\nopen it? yes", "good.example open it? yes"),
        ("a.example\r" + " " * 90 + "evil.example", "a.example evil.example"),
    ],
)
def test_a_hostile_name_is_shown_as_what_it_is(host: str, shown: str) -> None:
    said = about_host(host)
    assert said.splitlines()[0] == f"code wants to reach {shown}"
    assert said.isascii()
    assert said.replace("\n", "").isprintable()


def test_a_very_long_name_shows_both_ends() -> None:
    said = about_host("bank.example." + "a." * 5_000 + "evil.example").splitlines()[0]
    assert said.startswith("code wants to reach bank.example.")
    assert said.endswith("evil.example")
    assert len(said) < 300


def test_a_name_in_other_letters_is_spoken_of() -> None:
    assert "may imitate another name" in about_host("xn--googe-95a.com")
    assert "imitate" not in about_host("google.com")


def test_a_host_of_the_catalogue_is_named_with_the_command_that_enables_it() -> None:
    host, name = next(iter(catalogue.hosts().items()))
    assert f"ecoassist api add {name}" in about_host(host)


@pytest.mark.parametrize(
    ("typed", "answer"), [("\n", "no"), ("n\n", "no"), ("y\n", "yes"), ("sure\nYES\n", "yes"), ("", None)]
)
def test_a_key_is_in_order_only_by_a_named_yes(typed: str, answer: str | None) -> None:
    assert answers(typed, Question("key", "weather", ("yes", "no"))) == answer


def test_the_person_reads_which_api_refused_its_key_and_how_to_replace_it() -> None:
    screen = io.StringIO()
    at_terminal((), io.StringIO("\n"), screen)(Question("key", "wea\x1b[2Jther", ("yes", "no")))
    said = screen.getvalue()
    assert said.startswith("weather refused its key\n")
    assert "ecoassist api key VARIABLE" in said
    assert said.endswith("[N]o: ")
