"""The server that tests of the team's store are run against."""

from __future__ import annotations

import pytest

from tests.postgres import Server

pytestmark = pytest.mark.postgres


def test_each_database_of_the_server_is_a_new_one(postgres: Server) -> None:
    first, second = postgres.database(), postgres.database()
    postgres.execute("CREATE TABLE t (n integer)", first)
    assert postgres.execute("SELECT to_regclass('t')", second) == [(None,)]


def test_the_server_listens_on_no_network_and_comes_back_with_its_data(postgres: Server) -> None:
    url = postgres.database()
    postgres.execute("CREATE TABLE t (n integer)", url)
    postgres.stop()
    postgres.start()
    assert postgres.execute("SELECT count(*) FROM t", url) == [(0,)]
    assert postgres.execute("SHOW listen_addresses") == [("",)]
