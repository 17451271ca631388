"""Documents come from strangers: what is read of them is bounded, and nothing in them is more than data."""

from __future__ import annotations

import json

import pytest

from ecoassist.apis.document import DEEPEST, MOST_BYTES, MOST_PARTS, read
from ecoassist.errors import UsageFault


def test_json_and_yaml_of_the_same_document_are_the_same() -> None:
    data = {"openapi": "3.1.0", "a": [1, -2.5, True, None, "x: y"], "b": {"200": {"c": []}}}
    yaml = "openapi: 3.1.0\na: [1, -2.5, true, null, 'x: y']\nb:\n  200:\n    c: []\n"
    assert read(json.dumps(data).encode(), "d") == read(yaml.encode(), "d") == data
    assert read(b"\xef\xbb\xbf" + json.dumps(data).encode(), "d") == data


def test_words_of_yaml_stay_words_where_yaml_1_1_would_see_booleans_dates_and_times() -> None:
    text = "country: NO\non: off\nyes: y\ndate: 2020-01-01\ntime: 12:30\nocta: 0777\n"
    text += "version: 1.0.0\nempty:\nquoted: 'true'\n"
    assert read(text.encode(), "d") == {
        "country": "NO",
        "on": "off",
        "yes": "y",
        "date": "2020-01-01",
        "time": "12:30",
        "octa": "0777",
        "version": "1.0.0",
        "empty": None,
        "quoted": "true",
    }


def test_anchors_aliases_and_merges_are_followed() -> None:
    text = "base: &b {x: 1, y: 2}\none: *b\ntwo: {<<: *b, y: 3}\nthree: {<<: [*b, {z: 4}], x: 0}\n"
    found = read(text.encode(), "d")
    assert found["one"] == {"x": 1, "y": 2}
    assert found["two"] == {"y": 3, "x": 1}
    assert found["three"] == {"x": 0, "y": 2, "z": 4}


def bomb(merge: bool = False) -> str:
    lines = ["a0: &a0 {x0: 1}"]
    for level in range(1, 40):
        aliases = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(
            f"a{level}: &a{level} {{<<: [{aliases}], x{level}: 1}}" if merge else f"a{level}: &a{level} [{aliases}]"
        )
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{" + b'"a":{' * 200 + b"}" * 201, f"deeper than {DEEPEST}"),
        (b'{"a":' + b"[" * 100_000, "recursion"),
        (b"a: " + b"[" * 100_000, f"deeper than {DEEPEST}"),
        (b"".join(b" " * n + b"- \n" for n in range(300)), f"deeper than {DEEPEST}"),
        (b"".join(b" " * n + b"a:\n" for n in range(300)), f"deeper than {DEEPEST}"),
        (bomb().encode(), f"more than {MOST_PARTS:,} parts"),
        (bomb(merge=True).encode(), f"more than {MOST_PARTS:,} parts"),
        (b"a: &a [*a]", "refers to nothing, or to itself"),
        (b"a: *b", "refers to nothing, or to itself"),
        (b"? [a]\n: b", "a key is not a text"),
        (b"--- {a: 1}\n--- {b: 1}", "several documents"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "digits"),
        (b'{"a": 1', "cannot be read as JSON or YAML"),
        (b"a: [", "cannot be read as JSON or YAML"),
        (b"a: \x00", "cannot be read as JSON or YAML"),
        (b"\xff\xfe\x00", "cannot be read as JSON or YAML"),
        (b"", "is not an OpenAPI document"),
        (b"<!doctype html><p>Not found", "is not an OpenAPI document"),
        (b"- a", "is not an OpenAPI document"),
        (b"x" * (MOST_BYTES + 1), "more than 10 MB"),
    ],
    ids=lambda value: str(value[:12]) if isinstance(value, bytes) else "",
)
def test_a_hostile_or_broken_document_is_refused_in_words(content: bytes, says: str) -> None:
    with pytest.raises(UsageFault) as caught:
        read(content, "there.yaml")
    assert says in str(caught.value)
    assert "there.yaml" in str(caught.value)
    assert caught.value.remedy
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system [x]", "!!python/name:os.system", "!mine {a: 1}", "!!binary aGk="]
)
def test_a_tag_of_yaml_makes_nothing(tag: str) -> None:
    found = read(f"a: {tag}\n".encode(), "d")["a"]
    assert type(found) in (str, list, dict)


def test_a_number_of_very_many_digits_stays_a_text() -> None:
    assert read(b"a: " + b"9" * 10_000, "d") == {"a": "9" * 10_000}
