"""Connection strings: what they say, and that no part of a password is told."""

from __future__ import annotations

import pytest

from ecoassist.errors import EnvironmentFault
from ecoassist.store.postgres.address import parsed


def test_a_connection_string_is_read_as_libpq_would_and_shown_without_its_password() -> None:
    address = parsed(" postgresql://eco:s3%40cret%2F@db.example:5433/eco?connect_timeout=7\n")
    assert address.parameters == {
        "host": "db.example",
        "port": "5433",
        "user": "eco",
        "password": "s3@cret/",
        "dbname": "eco",
        "hostaddr": "",
        "connect_timeout": "7",
        "sslmode": "require",
    }
    assert address.shown == "eco@db.example/eco"
    assert "s3" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://localhost/eco",
        "postgres://127.0.0.1/eco",
        "postgresql://[::1]:5432/eco",
        "postgresql:///eco",
        "postgresql:///eco?host=%2Frun%2Fpostgresql",
        "postgresql://%2Frun%2Fpostgresql/eco",
    ],
)
def test_on_this_machine_nothing_is_encrypted_that_need_not_be(url: str) -> None:
    assert parsed(url).parameters["sslmode"] == "prefer"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///eco?hostaddr=192.0.2.1",
        "postgresql://localhost/eco?hostaddr=192.0.2.1",
        "postgresql:///eco?service=team",
        "postgresql://localhost,db.example/eco",
    ],
)
def test_an_address_that_only_looks_like_this_machine_s_is_encrypted(url: str) -> None:
    assert parsed(url).parameters["sslmode"] == "require"


@pytest.mark.parametrize(
    ("said", "mode"), [("", "require"), ("?sslmode=disable", "disable"), ("?sslmode=verify-full", "verify-full")]
)
def test_across_a_network_only_whoever_says_so_goes_without_encryption(said: str, mode: str) -> None:
    assert parsed(f"postgresql://db.example/eco{said}").parameters["sslmode"] == mode


def test_a_password_of_another_program_s_variables_is_not_sent() -> None:
    assert parsed("postgresql://db.example/eco").parameters["password"] == ""


def test_a_password_may_stand_among_the_options() -> None:
    address = parsed("postgresql://eco@db.example/eco?password=p%40ss-word")
    assert (address.password, address.shown) == ("p@ss-word", "eco@db.example/eco")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2-pass",
        "mysql://eco:hunter2-pass@db.example/eco",
        "postgresql://eco:hunter2/pass@db.example/eco",
        "postgresql://eco:22/hunter2-pass@db.example/eco",
        "postgresql://eco:hunter2#pass@db.example/eco",
        "postgresql://eco:hunter2?pass@db.example/eco",
        "postgresql://[hunter2-pass/eco",
        "postgresql://eco:hunter2%00pass@db.example/eco",
        "postgresql://eco:hunter2\udcffpass@db.example/eco",
    ],
)
def test_what_cannot_be_read_is_quoted_nowhere(url: str) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        parsed(url)
    assert "hunter2" not in f"{caught.value} {caught.value.remedy} {caught.value.__cause__!r}"
    assert "%40" in caught.value.remedy
