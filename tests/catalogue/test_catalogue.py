"""The shipped catalogue: each entry is a fit configuration, says under which terms, and is told apart by its hosts."""

from __future__ import annotations

import re

import pytest

from ecoassist import catalogue
from ecoassist.cards import card, head
from ecoassist.cards.lines import CUT
from ecoassist.cards.tokens import count_tokens
from ecoassist.config import ApiConfig
from ecoassist.errors import UsageFault
from ecoassist.types import Api, Operation

NAMES = """
arxiv crossref deps-dev dictionary frankfurter github-public hacker-news iss nager-holidays nasa-images nominatim
open-food-facts open-library open-meteo open-meteo-geocoding open-meteo-history overpass rest-countries sunrise-sunset
timeapi usgs-earthquakes wikidata wikipedia world-bank
"""


def test_no_entry_goes_unnoticed() -> None:
    assert catalogue.names() == tuple(NAMES.split())


@pytest.mark.parametrize("name", catalogue.names())
def test_an_entry_takes_little_room_in_a_prompt_and_loses_nothing_there(name: str) -> None:
    entry = ApiConfig(**catalogue.entry(name))
    operations = tuple(Operation(o.method, o.path, o.summary, o.parameters, o.fields) for o in entry.operations)
    api = Api(name, entry.host, "", entry.card, entry.url, "", operations, len(operations))
    assert count_tokens(f"{head(api)}\n{card(api)}") <= 650
    assert len(entry.card) <= 400
    assert CUT not in card(api)
    assert "&..." not in card(api)


@pytest.mark.parametrize("name", catalogue.names())
def test_every_entry_is_a_fit_configuration_with_terms(name: str) -> None:
    api = ApiConfig(**catalogue.entry(name))
    assert re.fullmatch(r"[a-z][a-z0-9-]*", name)
    assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", api.host)
    assert (api.url or f"https://{api.host}").startswith(f"https://{api.host}")
    assert api.terms
    assert "https://" in api.terms
    assert not api.keys
    assert not api.private
    assert api.operations
    assert not api.acts
    assert all(one.method == "GET" and one.path.startswith("/") and one.summary for one in api.operations)
    assert catalogue.purpose(name)[0].isupper()


def test_hosts_belong_to_one_entry_each() -> None:
    own = [host for name in catalogue.names() for host in (catalogue.entry(name)["host"],)]
    assert len(own) == len(set(own))
    assert catalogue.hosts()["api.open-meteo.com"] == "open-meteo"
    assert set(catalogue.hosts().values()) == set(catalogue.names())


def test_a_wrong_name_is_told_with_the_nearest_one() -> None:
    with pytest.raises(UsageFault, match="no API 'open-meto'") as raised:
        catalogue.entry("open-meto")
    assert "open-meteo" in raised.value.remedy
    with pytest.raises(UsageFault):
        catalogue.entry("../egress")


def test_who_changes_an_entry_changes_only_its_own_copy() -> None:
    catalogue.entry("open-meteo")["host"] = "elsewhere.example"
    assert catalogue.entry("open-meteo")["host"] == "api.open-meteo.com"
