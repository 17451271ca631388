"""Whatever a document says, it is read within bounds or refused in words."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecoassist.apis.document import read
from ecoassist.apis.openapi import MOST_OPERATIONS, Described, describe
from ecoassist.config import ApiConfig
from ecoassist.errors import UsageFault
from ecoassist.render.plain import one_line
from tests.apis.documents import RATES, WEATHER, as_bytes, minimal, shop

FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
WORDS = """
info title description summary servers url variables default paths get post parameters name in required
deprecated explode schema $ref type enum const format minimum maximum exclusiveMinimum items properties
additionalProperties allOf oneOf anyOf readOnly writeOnly requestBody content application/json responses 200
2XX components schemas securitySchemes security key scheme A B /a /b/{id} query header path cookie http bearer
basic apiKey oauth2 object array string integer date #/components/schemas/A #/components/schemas/B
#/paths/~1a/get # #/ #/components/securitySchemes/key other.yaml#/x https://a.example http://10.0.0.1:1 /v1
wss://a.example https://{x}.example \x1b[31m \u202e \ud800
"""
words = st.sampled_from(WORDS.split()) | st.text(max_size=5)
values = st.recursive(
    words | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=40,
)


def check(content: bytes) -> None:
    made: Described | None
    try:
        made = describe("mine", content, "https://docs.example/openapi.json", one_line)
    except UsageFault as refused:
        fault = refused
        made = None
    if made is None:
        assert fault.remedy
        assert one_line(str(fault)) == " ".join(str(fault).split())
        return
    api = ApiConfig.model_validate(made.settings)
    assert 0 < len(api.operations) <= MOST_OPERATIONS
    assert len(api.card) < 1_000
    for operation in api.operations:
        assert operation.path.startswith(("/", "https://"))
        for text in (operation.path, operation.summary, *operation.parameters, *operation.fields):
            assert one_line(text) == text
            assert len(text) < 1_000
        assert max(len(operation.parameters), len(operation.fields)) <= 40


@given(
    st.fixed_dictionaries(
        {"openapi": st.sampled_from(["3.0.3", "3.1.0"])},
        optional={
            "servers": values,
            "info": values,
            "security": values,
            "paths": st.dictionaries(
                st.sampled_from(["/a", "/b/{id}", "c"]), st.fixed_dictionaries({"get": values, "post": values})
            )
            | values,
            "components": st.fixed_dictionaries({"schemas": values, "securitySchemes": values}) | values,
        },
    )
)
@FUZZ
def test_any_shape_of_a_document_is_read_or_refused(document: dict[str, Any]) -> None:
    check(json.dumps(document).encode())


DOCUMENTS = [WEATHER.encode(), RATES.encode(), as_bytes(minimal()), as_bytes(shop(2))]


@given(
    st.sampled_from(DOCUMENTS),
    st.lists(st.tuples(st.integers(0), st.integers(0, 40), st.binary(max_size=12)), max_size=5),
)
@FUZZ
def test_a_document_that_was_damaged_anywhere_is_read_or_refused(
    document: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    for at, length, new in cuts:
        at %= len(document) + 1
        document = document[:at] + new + document[at + length :]
    check(document)


def paths_to(node: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [above] if above else []
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        found += paths_to(child, (*above, key))
    return found


@given(st.sampled_from(DOCUMENTS), st.lists(st.tuples(st.integers(0), values), min_size=1, max_size=4))
@FUZZ
def test_a_document_with_something_else_in_its_place_is_read_or_refused(
    document: bytes, changes: list[tuple[int, Any]]
) -> None:
    data = json.loads(json.dumps(read(document, "d")))
    for choice, value in changes:
        ways = paths_to(data)
        *above, last = ways[choice % len(ways)]
        node = data
        for step in above:
            node = node[step]
        node[last] = value
    check(json.dumps(data).encode())
