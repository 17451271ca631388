"""What a cell asked of the network, for people and judges: complete, bounded, without keys, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from ecoassist.egress.record import Record, Tally
from ecoassist.egress.shape import Sketch
from ecoassist.types import Place, Secret

KEY, PLACEHOLDER = "k3y/of+weather", "x8w-ab4xcdefgh"
SECRET = Secret("WEATHER_KEY", KEY, PLACEHOLDER, ("api.test",), (Place("query", "key"),))


def noted(record: Record, path: str) -> str:
    record.note(Tally("api.test", "GET", path, 200))
    (access,) = record.drain()
    return access.path


@pytest.mark.parametrize(
    "form", [PLACEHOLDER, KEY, quote(KEY, safe=""), "".join(f"%{ord(letter):02X}" for letter in PLACEHOLDER)]
)
def test_a_key_or_its_placeholder_in_a_path_is_told_by_its_name(form: str) -> None:
    assert noted(Record([SECRET]), f"/v1/{form}/data") == "/v1/[WEATHER_KEY]/data"


@pytest.mark.parametrize(
    "path", ["/", "/v1/0a1b2c3d4e5f60718293a4b5c6d7e8f9/data", "/caf%C3%A9/\u00e9", "/" + "a" * 199]
)
def test_any_other_path_stays_as_it_was(path: str) -> None:
    assert noted(Record([SECRET]), path) == path
    assert noted(Record(), path) == path


def test_a_placeholder_that_a_response_has_as_a_name_is_told_by_the_variable() -> None:
    record, tally = Record([SECRET]), Tally("api.test", "GET", "/", 200, sketch=Sketch(""))
    assert tally.sketch
    tally.sketch.feed(f'{{"{PLACEHOLDER}": 1}}'.encode())
    record.note(tally)
    assert record.drain()[0].shape == "{[WEATHER_KEY]: number}"


def test_of_very_many_accesses_the_last_are_kept_and_each_is_told_once() -> None:
    record = Record()
    for number in range(12_000):
        tally = Tally("api.test", "GET", f"/{number}")
        record.note(tally)
        record.note(tally)
    assert [access.path for access in record.drain()] == [f"/{number}" for number in range(2_000, 12_000)]
    assert record.drain() == ()


def test_draining_while_others_write_loses_nothing_and_tells_nothing_twice() -> None:
    record = Record([SECRET])
    told: list[str] = []

    def write(part: int) -> None:
        for number in range(2_000):
            record.note(Tally("h", "GET", f"/{part}/{number}"))

    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, part) for part in range(3)]
        while not all(one.done() for one in writing):
            told += [access.path for access in record.drain()]
    told += [access.path for access in record.drain()]
    assert sorted(told) == sorted(f"/{part}/{n}" for part in range(3) for n in range(2_000))
