"""An OpenAPI document gives hosts, keys and operations; what cannot be used is refused or left out, and told."""

from __future__ import annotations

from typing import Any

import pytest

from ecoassist.apis.openapi import MOST_OPERATIONS, Described, describe
from ecoassist.apis.security import variables
from ecoassist.config import ApiConfig
from ecoassist.errors import UsageFault
from ecoassist.render.plain import one_line
from tests.apis.documents import RATES, WEATHER, as_bytes, minimal, shop


def described(document: str | dict[str, Any], found: str = "openapi.yaml", **options: Any) -> Described:
    content = document.encode() if isinstance(document, str) else as_bytes(document)
    made = describe("mine", content, found, one_line, **options)
    ApiConfig.model_validate(made.settings)
    return made


def operations(document: str | dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = described(document, **options).settings["operations"]
    return found


def test_a_weather_service_with_a_query_key() -> None:
    assert described(WEATHER).settings == {
        "card": "Sky API: Forecasts, history and astronomy for any place.",
        "terms": "https://sky.example/terms, CC BY 4.0",
        "url": "https://eu.sky.example/v1",
        "secret": "MINE_KEY",
        "place": "query:key",
        "operations": [
            {
                "method": "GET",
                "path": "/forecast.json",
                "summary": "Forecast by city or coordinates",
                "parameters": ["q*", "days(1-14)", "aqi(yes|no)", "lang(de|no|en)", "dt(YYYY-MM-DD)"],
                "fields": [
                    "location.name",
                    "location.tz_id",
                    "nearest.name",
                    "nearest.tz_id",
                    "forecast.forecastday[].date",
                    "forecast.forecastday[].day.maxtemp_c",
                    "forecast.forecastday[].day.totalprecip_mm",
                    "forecast.forecastday[].day.maxwind_kph",
                ],
            }
        ],
    }


def test_a_service_with_a_token_and_three_hundred_operations() -> None:
    made = described(shop(300))
    assert (made.settings["secret"], made.settings["place"]) == ("MINE_KEY", "bearer")
    assert len(made.settings["operations"]) == 300
    get, post = made.settings["operations"][:2]
    assert get == {
        "method": "GET",
        "path": "/things0/{id}",
        "summary": "getThing0",
        "parameters": ["id(>=1)*"],
        "fields": ["id", "name", "parent", "owner.email", "owner.things[]"],
    }
    assert post["parameters"] == [
        "id(>=1)*",
        "body.name*",
        "body.secret",
        "body.parent",
        "body.owner.email",
        "body.owner.things[]",
    ]
    assert post["fields"][:2] == ["[].id", "[].name"]


def test_a_document_of_3_1_with_lists_of_types_a_relative_server_and_a_host_of_its_own_for_a_path() -> None:
    made = described(RATES, "https://rates.example/docs/openapi.yaml")
    assert made.settings["url"] == "https://rates.example/v2"
    assert made.settings["hosts"] == ["live.rates.example"]
    assert made.settings["card"] == "Rates: Exchange rates."
    assert made.settings["operations"] == [
        {
            "method": "GET",
            "path": "https://live.rates.example/v2/latest",
            "summary": "The latest rates.",
            "parameters": [
                "base(EUR)",
                "amount(>0)",
                "offset(-12.5..14)",
                "symbols(USD|GBP|JPY, comma-separated)",
                "header.X-Trace(true|false)",
                "filter(uuid)",
            ],
            "fields": ["date", "rates.<key>", "source.name"],
        }
    ]
    assert "secret" not in made.settings


# ── servers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_several_servers_the_first_usable_is_taken_and_the_others_are_told() -> None:
    made = described(
        minimal(servers=[{"url": "wss://a.example"}, {"url": "https://b.example/x/"}, {"url": "https://c.example"}])
    )
    assert made.settings["url"] == "https://b.example/x"
    assert "https://c.example" in made.notes[0]


@pytest.mark.parametrize(
    ("server", "says", "remedy"),
    [
        ("/v1", "not fetched from a URL", "--url"),
        ("wss://live.example", "WebSocket", "--url"),
        ("https://{tenant}.example", "variable without a value", "--url"),
        ("https://10.0.0.1/v1", "not a public host", "--private"),
        ("https://127.0.0.1/v1", "not a public host", "--private"),
        ("http://localhost:8080", "not a public host", "--private"),
        ("http://app.localhost", "not a public host", "--private"),
        ("https://[::1]/", "leads nowhere", "--private --url https://localhost/"),
        ("https://intranet/v1", "not a public host", "--private"),
        ("https://api.example:8443", "usual port", "--private"),
        ("https://me:secret@api.example", "no user name", "--url"),
        ("https://api.example/?key=1", "query", "--url"),
        ("https://a b.example", "is not a URL", "--url"),
        ("https://a_-.example/", "names no host", "--url"),
        ("https://[::2]/", "names no host", "--url"),
        ("https://[::1/", "not a URL", "--url"),
        ("https://x:99999999/", "not a URL", "--url"),
        ("file:///etc/passwd", "not http", "--url"),
        ("https://" + "a" * 64 + ".example", "names no host", "--url"),
        ("https://a\x1b[31m.example", "is not a URL", "--url"),
    ],
)
def test_a_server_that_cannot_be_reached_is_refused_with_a_remedy(server: str, says: str, remedy: str) -> None:
    with pytest.raises(UsageFault) as caught:
        described(minimal(servers=[{"url": server}]))
    assert says in str(caught.value)
    assert remedy in caught.value.remedy
    assert "secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_base_that_the_person_names_replaces_the_servers() -> None:
    assert (
        described(minimal(servers=[{"url": "/v1"}]), base="https://own.example/v1").settings["url"]
        == "https://own.example/v1"
    )


def test_plain_http_becomes_tls_but_not_for_a_private_server() -> None:
    assert described(minimal(servers=[{"url": "http://a.example:80/v1"}])).settings["url"] == "https://a.example/v1"
    private = described(minimal(servers=[{"url": "http://10.0.0.7:8080/v1"}]), private=True)
    assert private.settings["url"] == "http://10.0.0.7:8080/v1"


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keyed(security: list[Any], **schemes: dict[str, Any]) -> dict[str, Any]:
    return minimal(security=security, components={"securitySchemes": schemes})


HEADER = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
APP = {"type": "apiKey", "in": "header", "name": "X-App-Key"}
BASIC = {"type": "http", "scheme": "basic"}
OAUTH = {"type": "oauth2", "flows": {}}


def test_keys_that_belong_together_get_names_of_their_own() -> None:
    made = described(keyed([{"apiKey": [], "appKey": []}], apiKey=HEADER, appKey=APP))
    assert made.settings["secret"] == "MINE_API_KEY"
    assert made.settings["place"] == "header:X-Api-Key"
    assert made.settings["secrets"] == {"MINE_APP_KEY": "header:X-App-Key"}
    assert made.schemes == ("apiKey", "appKey")


def test_of_alternatives_the_first_that_is_supported_is_taken() -> None:
    made = described(
        keyed(
            [{"login": []}, {"both": [], "login": []}, {"plain": []}, {"key": []}], login=OAUTH, plain=BASIC, key=HEADER
        )
    )
    assert made.settings["place"] == "basic"


def test_a_key_that_an_operation_alone_needs_is_taken_and_one_that_serves_all_is_enough() -> None:
    document = keyed([], key=HEADER, plain=BASIC)
    document["paths"]["/b"] = {"get": {"security": [{"plain": []}, {"key": []}]}}
    document["paths"]["/c"] = {"get": {"security": [{"key": []}]}}
    made = described(document)
    assert made.settings["place"] == "header:X-Api-Key"
    assert "secrets" not in made.settings


@pytest.mark.parametrize("security", [[{}, {"key": []}], [{"key": []}, {}], []])
def test_a_key_that_is_not_required_is_not_asked_for_but_told(security: list[Any]) -> None:
    made = described(keyed(security, key=HEADER))
    assert "secret" not in made.settings
    assert "--place header:X-Api-Key" in made.notes[0]


@pytest.mark.parametrize(
    ("scheme", "says", "remedy"),
    [
        (OAUTH, "oauth2", "--place bearer"),
        ({"type": "openIdConnect", "openIdConnectUrl": "https://x"}, "openIdConnect", "--place bearer"),
        ({"type": "apiKey", "in": "cookie", "name": "sid"}, "a key in a cookie", "--place header:NAME"),
        ({"type": "mutualTLS"}, "mutualTLS", "not supported"),
        ({"type": "http", "scheme": "digest"}, "http digest", ""),
        ({"type": "apiKey", "in": "header", "name": "X Y\r\n"}, "a key without a name", ""),
        ({"type": "apiKey", "in": "query", "name": "a,bearer"}, "a key without a name", ""),
        ({"in": "query", "name": "a"}, "not well formed", ""),
        (None, "an unknown scheme", ""),
    ],
)
def test_what_cannot_be_put_into_a_request_is_refused_with_a_remedy(scheme: Any, says: str, remedy: str) -> None:
    with pytest.raises(UsageFault) as caught:
        described(keyed([{"only": []}], **({"only": scheme} if scheme else {})))
    assert says in str(caught.value)
    assert caught.value.remedy
    assert remedy in caught.value.remedy


def test_operations_that_need_what_is_not_supported_are_left_out_and_told() -> None:
    document = keyed([{"login": []}], login=OAUTH)
    document["paths"]["/free"] = {"get": {"security": []}}
    made = described(document)
    assert [one["path"] for one in made.settings["operations"]] == ["/free"]
    assert any("1 of 2 operations are left out" in note and "oauth2" in note for note in made.notes)


def test_places_that_the_person_names_replace_those_of_the_document() -> None:
    made = described(keyed([{"login": []}], login=OAUTH), places=["bearer"])
    assert (made.settings["secret"], made.settings["place"]) == ("MINE_KEY", "bearer")
    assert len(made.settings["operations"]) == 1


@pytest.mark.parametrize(
    ("name", "schemes", "made"),
    [
        ("open-weather.2", ["any"], ["OPEN_WEATHER_2_KEY"]),
        ("2gis", ["any"], ["API_2GIS_KEY"]),
        ("dd", ["apiKeyAuth", "AppKey"], ["DD_API_KEY_AUTH", "DD_APP_KEY"]),
        ("x", ["a-b", "a_b"], ["X_A_B_1", "X_A_B_2"]),
        ("x", ["é"], ["X_KEY"]),
    ],
)
def test_variables_are_named_after_the_api(name: str, schemes: list[str], made: list[str]) -> None:
    assert variables(name, schemes) == made


# ── documents that are not what they should be ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("document", "says", "remedy"),
    [
        ({"swagger": "2.0", "info": {}}, "Swagger 2.0", "convert it"),
        ({"openapi": "3.2.0"}, "'3.2.0'", "openapi: 3."),
        ({"openapi": "4\x1b[31m"}, "version '4'", "openapi: 3."),
        ({"info": {}}, "names no version", "openapi: 3."),
        (minimal(paths={}), "no operation", "paths"),
        (minimal(paths=[1]), "no operation", "paths"),
        (minimal(paths={"/a": {"$ref": "paths.yaml#/a"}}), "refers to another one: paths.yaml#/a", "one file"),
        (minimal(paths={"/a": {"$ref": "https://evil.example/x"}}), "refers to another one", "one file"),
    ],
)
def test_a_document_of_which_nothing_can_be_used_is_refused_with_a_remedy(
    document: dict[str, Any], says: str, remedy: str
) -> None:
    with pytest.raises(UsageFault) as caught:
        described(document)
    assert says in str(caught.value)
    assert remedy in caught.value.remedy


def test_a_yaml_document_whose_version_is_a_number_is_read() -> None:
    assert operations("openapi: 3.0\nservers: [{url: 'https://a.example'}]\npaths: {/a: {get: {}}}\n") == [
        {"method": "GET", "path": "/a"}
    ]


def test_a_sloppy_corner_costs_that_corner_only() -> None:
    document = minimal(
        info="none",
        paths={
            "/a": {
                "get": {
                    "summary": ["not a text"],
                    "description": 3,
                    "parameters": [
                        "no",
                        {"in": "query"},
                        {"name": "b", "in": "query", "schema": {"type": "any", "minimum": "low"}},
                        {"name": "c", "in": "query", "required": "maybe"},
                        {"name": "d", "in": "query", "schema": {"enum": "not a list"}},
                        {"$ref": "#/components/parameters/missing"},
                    ],
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {
                                        "properties": {
                                            "x": {"type": "file", "required": True},
                                            "y": None,
                                            "z": {"$ref": "#/nowhere"},
                                            "w": {"properties": {"v": {"nullable": "perhaps"}}},
                                        }
                                    }
                                }
                            }
                        }
                    },
                },
                "post": "none",
            },
            "/b": None,
        },
    )
    assert operations(document) == [
        {"method": "GET", "path": "/a", "parameters": ["b", "d"], "fields": ["x", "y", "z", "w.v"]}
    ]


@pytest.mark.parametrize(
    "path", ["a", "", "/a b", "/a\n", "/\x1b[31m", "/a?b=c", "/a#b", "/" + "a" * 400, "//\u202e", "/a\\b"]
)
def test_a_path_that_is_none_is_left_out_and_told(path: str) -> None:
    document = minimal()
    document["paths"][path] = {"get": {}}
    made = described(document)
    assert [one["path"] for one in made.settings["operations"]] == ["/a"]
    assert "1 of 2 operations are left out" in made.notes[0]


def test_control_characters_and_gigantic_texts_do_not_get_through() -> None:
    document = minimal(
        info={"title": "T\x1b]0;x\x07\u202e" + "i" * 9_000, "description": "<b>" * 100_000 + "d" * 900_000}
    )
    node = document["paths"]["/a"]["get"]
    node["summary"] = "s\x1b[2J\n" * 100_000
    node["parameters"] = [
        {"name": "bad\x1b[31m", "in": "query"},
        {"name": "n" * 5_000, "in": "query"},
        {"name": "good", "in": "query", "schema": {"enum": ["v\x1b[31m", "w" * 9_000, *map(str, range(9_000))]}},
        *({"name": f"p{number}", "in": "query"} for number in range(9_000)),
    ]
    node["responses"] = {
        "200": {
            "content": {
                "application/json": {
                    "schema": {
                        "properties": {
                            "f\x1b[0m": {},
                            "f" * 5_000: {},
                            "sp ace": {},
                            **{f"f{number}": {} for number in range(9_000)},
                        }
                    }
                }
            }
        }
    }
    made = described(document)
    (one,) = made.settings["operations"]
    assert len(made.settings["card"]) < 600
    assert len(one["summary"]) <= 160
    assert len(one["parameters"]) == len(one["fields"]) == 40
    assert one["parameters"][0].startswith("good(v|")
    assert max(map(len, one["parameters"])) < 200
    text = repr(made)
    assert "\\x1b" not in text
    assert "\\u202e" not in text


def test_of_more_than_five_thousand_operations_the_first_are_kept_and_it_is_told() -> None:
    made = described(shop(MOST_OPERATIONS + 200))
    assert len(made.settings["operations"]) == MOST_OPERATIONS
    assert any("only the first 5,000" in note for note in made.notes)


def test_schemas_that_refer_to_each_other_without_end_are_cut() -> None:
    loops = {"$ref": "#/components/schemas/B"}
    twice = {f"S{n}": {"allOf": [{"$ref": f"#/components/schemas/S{n + 1}"}] * 2} for n in range(60)}
    wide = {
        f"W{n}": {"properties": {k: {"$ref": f"#/components/schemas/W{n + 1}"} for k in "abcdefgh"}} for n in range(60)
    }
    document = minimal(components={"schemas": {"A": loops, "B": {"$ref": "#/components/schemas/A"}, **twice, **wide}})
    for name in ("A", "S0", "W0"):
        schema = {"$ref": f"#/components/schemas/{name}"}
        document["paths"][f"/{name}"] = {
            "post": {
                "parameters": [{"name": "p", "in": "query", "schema": schema}],
                "requestBody": {"content": {"application/json": {"schema": schema}}},
                "responses": {"200": {"content": {"application/json": {"schema": schema}}}},
            }
        }
    by_path = {one["path"]: one for one in operations(document)}
    assert by_path["/A"]["parameters"] == ["p", "body"]
    assert by_path["/S0"]["parameters"] == ["p", "body"]
    assert 0 < len(by_path["/W0"]["fields"]) <= 40


def test_forms_are_told_as_forms_and_other_bodies_by_one_word() -> None:
    document = minimal()
    schema = {"properties": {"q": {}, "file": {"format": "binary"}}, "required": ["file"]}
    document["paths"]["/form"] = {"post": {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}}
    document["paths"]["/raw"] = {"put": {"requestBody": {"content": {"text/csv": {}}}}}
    document["paths"]["/list"] = {
        "put": {"requestBody": {"content": {"application/json": {"schema": {"items": schema}}}}}
    }
    found = {one["path"]: one.get("parameters") for one in operations(document)}
    assert found == {
        "/a": None,
        "/form": ["form.file*", "form.q"],
        "/raw": ["body"],
        "/list": ["body[].file*", "body[].q"],
    }
