"""Which models are used: the rules as tables, and the list over real HTTP."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar, TypeAlias

import pytest

from ecoassist.demo.endpoint import Endpoint as ScriptedEndpoint
from ecoassist.demo.endpoint import Scripted
from ecoassist.errors import NoModel
from ecoassist.keys import MODEL_KEYS
from ecoassist.models.choose import Choice, Declared, choose
from ecoassist.models.listing import Endpoint, list_models
from ecoassist.models.prices import price_of
from ecoassist.models.providers import DEFAULTS, OPENAI, Provider, of_key
from ecoassist.types import Price

OLLAMA = "http://127.0.0.1:11434/v1"
LOCAL = "http://127.0.0.1:8000/v1"
LM_STUDIO = "http://127.0.0.1:1234/v1"
AZURE = "https://mine.openai.azure.com/openai/v1"
KEY = {"OPENAI_API_KEY": "sk-test"}
GROQ, DEEPSEEK = (provider for name in ("GROQ_API_KEY", "DEEPSEEK_API_KEY") if (provider := of_key(name)))


class Web:
    """The endpoints there are: base URL to models, None where it has no list. All others refuse the connection."""

    def __init__(self, endpoints: Mapping[str, Sequence[str] | None] | None = None) -> None:
        self.endpoints, self.asked = endpoints or {}, list[Endpoint]()

    def __call__(self, endpoint: Endpoint) -> tuple[str, ...] | None:
        self.asked.append(endpoint)
        if endpoint.base_url not in self.endpoints:
            raise NoModel(f"{endpoint.base_url} cannot be reached", "start it")
        listed = self.endpoints[endpoint.base_url]
        return None if listed is None else tuple(listed)


def price(name: str) -> Price | None:
    """ "m3" costs 3; anything else is not in the list."""
    return Price(float(name[1:]), 1.0) if name[:1] == "m" and name[1:].isdigit() else None


def names(choices: Sequence[Choice]) -> list[tuple[str, str, str]]:
    return [(choice.name, choice.model, choice.base_url) for choice in choices]


# ── nothing configured ──────────────────────────────────────────────────────────────────────────────────────────────

CHEAP, STRONG = DEFAULTS[0].cheap, DEFAULTS[0].strong
Case: TypeAlias = tuple[str, dict[str, str], dict[str, Sequence[str] | None], list[tuple[str, str, str]]]
EACH: list[Case] = [
    (
        f"{name} alone means its provider",
        {name: "k"},
        {provider.base_url: [f"models/{model}" for model in (*provider.cheap, *provider.strong)]},
        [("cheap", provider.cheap[0], provider.base_url), ("strong", provider.strong[0], provider.base_url)],
    )
    for provider in DEFAULTS
    for name in provider.key_names
]
CASES: list[Case] = [
    (
        "a key alone means OpenAI and its defaults",
        KEY,
        {OPENAI: [*CHEAP, *STRONG, "whisper-1"]},
        [("cheap", CHEAP[0], OPENAI), ("strong", STRONG[0], OPENAI)],
    ),
    (
        "a default that is not listed falls to the next",
        KEY,
        {OPENAI: [CHEAP[2], STRONG[1], STRONG[3]]},
        [("cheap", CHEAP[2], OPENAI), ("strong", STRONG[1], OPENAI)],
    ),
    (
        "defaults are used unseen where there is no list",
        KEY,
        {OPENAI: None},
        [("cheap", CHEAP[0], OPENAI), ("strong", STRONG[0], OPENAI)],
    ),
    (
        "a base URL of the environment is used, without a key on this machine",
        {"OPENAI_BASE_URL": LOCAL + "/"},
        {LOCAL: ["mine"], OLLAMA: ["llama"]},
        [("only", "mine", LOCAL)],
    ),
    (
        "a known provider behind OPENAI_BASE_URL has its own defaults",
        {**KEY, "OPENAI_BASE_URL": DEEPSEEK.base_url},
        {DEEPSEEK.base_url: None},
        [
            ("cheap", DEEPSEEK.cheap[0], DEEPSEEK.base_url),
            ("strong", DEEPSEEK.strong[0], DEEPSEEK.base_url),
        ],
    ),
    (
        "several models are ordered by their prices",
        {"OPENAI_BASE_URL": LOCAL},
        {LOCAL: ["m3", "m1", "m9", "some-embedding"]},
        [("cheap", "m1", LOCAL), ("strong", "m9", LOCAL)],
    ),
    *EACH,
    (
        "of several keys the first in order counts",
        {"GROQ_API_KEY": "g", "MISTRAL_API_KEY": "m", "ANTHROPIC_API_KEY": "a"},
        {"https://api.anthropic.com/v1": ["claude-haiku-4-5-20251001", "claude-opus-5"]},
        [
            ("cheap", "claude-haiku-4-5", "https://api.anthropic.com/v1"),
            ("strong", "claude-opus-5", "https://api.anthropic.com/v1"),
        ],
    ),
    (
        "a provider's own key is preferred behind OPENAI_BASE_URL",
        {**KEY, "OPENAI_BASE_URL": GROQ.base_url, "GROQ_API_KEY": "g"},
        {GROQ.base_url: None},
        [("cheap", GROQ.cheap[0], GROQ.base_url), ("strong", GROQ.strong[0], GROQ.base_url)],
    ),
    ("without any key a local Ollama is found", {}, {OLLAMA: ["llama:latest"]}, [("only", "llama:latest", OLLAMA)]),
    ("then vLLM", {}, {LOCAL: ["qwen"], LM_STUDIO: ["phi"]}, [("only", "qwen", LOCAL)]),
    ("then LM Studio", {}, {LM_STUDIO: ["phi", "text-embedding-x"]}, [("only", "phi", LM_STUDIO)]),
    ("an empty Ollama does not hide them", {}, {OLLAMA: [], LOCAL: ["qwen"]}, [("only", "qwen", LOCAL)]),
    ("nor does one whose choice is not clear", {}, {OLLAMA: ["a", "b"], LOCAL: ["qwen"]}, [("only", "qwen", LOCAL)]),
    (
        "something at a port that lists nothing is passed over",
        {},
        {LOCAL: None, LM_STUDIO: ["phi"]},
        [("only", "phi", LM_STUDIO)],
    ),
    (
        "embeddings do not chat",
        {},
        {OLLAMA: ["nomic-embed-text:latest", "llama:latest"]},
        [("only", "llama:latest", OLLAMA)],
    ),
]


@pytest.mark.parametrize(("environ", "web", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_without_configuration(
    environ: dict[str, str], web: dict[str, Sequence[str] | None], expected: list[tuple[str, str, str]]
) -> None:
    assert names(choose((), environ, Web(web), price)) == expected


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", OLLAMA),
        ("0.0.0.0", OLLAMA),
        ("0.0.0.0:1234", "http://127.0.0.1:1234/v1"),
        ("gpu.example.org", "http://gpu.example.org:11434/v1"),
        ("https://gpu.example.org:443/", "https://gpu.example.org:443/v1"),
        ("[::1]:99", "http://[::1]:99/v1"),
    ],
)
def test_the_address_of_ollama_is_read_as_ollama_does(host: str, url: str) -> None:
    assert choose((), {"OLLAMA_HOST": host}, Web({url: ["llama"]}), price)[0].base_url == url


REFUSED: list[tuple[str, dict[str, str], dict[str, Sequence[str] | None], tuple[str, ...]]] = [
    ("nothing there: the ways out", {}, {}, ("no model to ask", "OPENAI_API_KEY", "ollama pull", "[[tiers]]")),
    ("who says where Ollama is wants nothing else", {"OLLAMA_HOST": "127.0.0.1:9"}, {LOCAL: ["x"]}, ("no model",)),
    ("several local models have to be named", {}, {OLLAMA: ["a", "b"]}, ("serves a, b", "[[tiers]]", OLLAMA)),
    (
        "deployments of Azure have to be named",
        {"AZURE_OPENAI_API_KEY": "z", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/", "GROQ_API_KEY": "g"},
        {},
        ("which of your Azure deployments", f'base_url = "{AZURE}"', "[[tiers]]", "price"),
    ),
    ("an Ollama without models is none", {}, {OLLAMA: []}, ("no model to ask", "ollama pull")),
    ("an OLLAMA_HOST that is no address is none", {"OLLAMA_HOST": "host:port"}, {}, ("no model to ask",)),
    (
        "several models without a price have to be named",
        {"OPENAI_BASE_URL": LOCAL},
        {LOCAL: ["a", "b"]},
        ("serves a, b", "[[tiers]]", LOCAL),
    ),
    (
        "one unknown price among several is enough",
        {"OPENAI_BASE_URL": LOCAL},
        {LOCAL: ["m1", "m2", "b"]},
        ("m1, m2, b", "[[tiers]]"),
    ),
    (
        "many models have to be named",
        {"OPENAI_BASE_URL": LOCAL},
        {LOCAL: [f"m{number}" for number in range(20)]},
        ("and 12 more", "[[tiers]]"),
    ),
    ("no list and no defaults", {"OPENAI_BASE_URL": LOCAL}, {LOCAL: None}, ("cannot list its models", "[[tiers]]")),
    ("a key that is not accepted ends it, Ollama or not", KEY, {OLLAMA: ["llama"]}, (OPENAI, "start it")),
    (
        "a foreign base URL needs its key",
        {"OPENAI_BASE_URL": "https://llm.example.org/v1"},
        {},
        ("OPENAI_API_KEY is not set", "export OPENAI_API_KEY"),
    ),
    (
        "a base URL with a password is refused, and not shown",
        {**KEY, "OPENAI_BASE_URL": "https://me:hunter2@llm.example.org/v1"},
        {},
        ("a base URL holds no user name and no password", "variable"),
    ),
    ("a base URL is checked", {**KEY, "OPENAI_BASE_URL": "llm.example.org"}, {}, ("not a base URL", "https://")),
]


@pytest.mark.parametrize(("environ", "web", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_there_may_be_no_model(
    environ: dict[str, str], web: dict[str, Sequence[str] | None], words: tuple[str, ...]
) -> None:
    with pytest.raises(NoModel) as caught:
        choose((), environ, Web(web), price)
    said = f"{caught.value} {caught.value.remedy}"
    assert [word for word in words if word not in said] == []
    assert "hunter2" not in said


# ── tiers of the configuration ──────────────────────────────────────────────────────────────────────────────────────


def test_the_configuration_goes_before_everything() -> None:
    declared = (
        Declared("one", "tiny", LOCAL, max_turns=3, price=Price(1, 2)),
        Declared("two", "big", "https://llm.example.org/v1", "BIG_KEY"),
    )
    web = Web({LOCAL: ["tiny"], "https://llm.example.org/v1": ["big"], OPENAI: CHEAP})
    one, two = choose(declared, {**KEY, "BIG_KEY": "  secret\n"}, web, price)
    assert (one.name, one.model, one.key, one.key_name, one.max_turns, one.price) == (
        "one",
        "tiny",
        "none",
        "",
        3,
        Price(1, 2),
    )
    assert (two.base_url, two.key, two.key_name, two.price) == ("https://llm.example.org/v1", "secret", "BIG_KEY", None)
    assert "secret" not in repr((two, web.asked))
    assert one.why == f"named in the configuration; {LOCAL} serves it."


def test_an_endpoint_is_asked_once_for_all_its_tiers() -> None:
    web = Web({OPENAI: ["a", "b"]})
    choose((Declared("one", "a"), Declared("two", "b"), Declared("three", "a")), KEY, web, price)
    assert [endpoint.base_url for endpoint in web.asked] == [OPENAI]


ENDPOINTS = [
    ("no base URL and no key: OpenAI", None, None, KEY, OPENAI, "sk-test"),
    ("the environment's base URL", None, None, {**KEY, "OPENAI_BASE_URL": LOCAL}, LOCAL, "sk-test"),
    (
        "a provider is known by the name of its key",
        None,
        "GROQ_API_KEY",
        {"GROQ_API_KEY": "g"},
        GROQ.base_url,
        "g",
    ),
    (
        "a provider's key is not sent to the environment's base URL",
        None,
        "GROQ_API_KEY",
        {**KEY, "GROQ_API_KEY": "g", "OPENAI_BASE_URL": LOCAL},
        GROQ.base_url,
        "g",
    ),
    (
        "a provider is known by its host",
        DEEPSEEK.base_url,
        None,
        {**KEY, "DEEPSEEK_API_KEY": "d"},
        DEEPSEEK.base_url,
        "d",
    ),
    ("OpenAI's key does not go to this machine", LOCAL, None, KEY, LOCAL, "none"),
    ("unless it is the environment's base URL", LOCAL, None, {**KEY, "OPENAI_BASE_URL": LOCAL}, LOCAL, "sk-test"),
    ("a key can be named for this machine", LOCAL, "MINE", {"MINE": "m"}, LOCAL, "m"),
    ("also a provider's, for a gateway of one's own", LOCAL, "GROQ_API_KEY", {"GROQ_API_KEY": "g"}, LOCAL, "g"),
    ("without OpenAI's key, the provider whose key is set", None, None, {"GROQ_API_KEY": "g"}, GROQ.base_url, "g"),
    (
        "Azure, by its variables alone",
        None,
        None,
        {"AZURE_OPENAI_API_KEY": "z", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/openai/v1/"},
        AZURE,
        "z",
    ),
    (
        "Azure, by the name of its key",
        None,
        "AZURE_OPENAI_API_KEY",
        {**KEY, "AZURE_OPENAI_API_KEY": "z", "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"},
        AZURE,
        "z",
    ),
    ("Azure, by its host", AZURE, None, {**KEY, "AZURE_OPENAI_API_KEY": "z"}, AZURE, "z"),
    (
        "Gemini, by either of its keys",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        None,
        {"GOOGLE_API_KEY": "g"},
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "g",
    ),
]


@pytest.mark.parametrize(
    ("base_url", "key", "environ", "url", "sent"), [case[1:] for case in ENDPOINTS], ids=[case[0] for case in ENDPOINTS]
)
def test_where_a_tier_is_asked_and_with_which_key(
    base_url: str | None, key: str | None, environ: dict[str, str], url: str, sent: str
) -> None:
    (choice,) = choose((Declared("one", "a", base_url, key),), environ, Web({url: ["a"]}), price)
    assert (choice.base_url, choice.key) == (url, sent)


MISSING = [
    ("no key in the environment", Declared("two", "a"), {}, ("OPENAI_API_KEY is not set", "export OPENAI_API_KEY")),
    ("an empty key is none", Declared("two", "a", key="MINE"), {"MINE": " "}, ("MINE is not set",)),
    ("a key with other things in it", Declared("two", "a", key="MINE"), {"MINE": "a\nb"}, ("MINE holds characters",)),
    ("no key named", Declared("two", "a", "https://llm.example.org/v1"), KEY, ("no key is named", "key =")),
    ("Azure without its address", Declared("two", "a", key="AZURE_OPENAI_API_KEY"), KEY, ("AZURE_OPENAI_ENDPOINT",)),
]


@pytest.mark.parametrize(
    ("tier", "environ", "words"), [case[1:] for case in MISSING], ids=[case[0] for case in MISSING]
)
def test_a_missing_key_is_told_before_any_endpoint_is_asked(
    tier: Declared, environ: dict[str, str], words: tuple[str, ...]
) -> None:
    web = Web({LOCAL: ["a"], OPENAI: ["a"]})
    with pytest.raises(NoModel) as caught:
        choose((Declared("one", "a", LOCAL), tier), environ, web, price)
    said = f"{caught.value} {caught.value.remedy}"
    assert [word for word in words if word not in said] == []
    assert web.asked == []
    assert "sk-test" not in said


EVERY_KEY = {name: f"key-in-{name}" for name in MODEL_KEYS}
STRANGERS = [
    "https://llm.example.org/v1",
    "https://api.openai.com.example.org/v1",
    "https://example.org/api.openai.com/v1",
    "https://api.groq.com@example.org/v1",
    "https://theirs.openai.azure.com/openai/v1",
    "https://mine.openai.azure.com.example.org/openai/v1",
    "https://xopenrouter.ai/api/v1",
    "http://10.0.0.7:8000/v1",
    "http://gpu.lan:11434/v1",
    *(provider.base_url for provider in DEFAULTS),
]


@pytest.mark.parametrize("url", STRANGERS)
@pytest.mark.parametrize("named", [None, *MODEL_KEYS])
def test_the_key_of_one_provider_is_never_sent_to_another(url: str, named: str | None) -> None:
    environ = {**EVERY_KEY, "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}
    web = Web({url: ["a"]})
    with contextlib.suppress(NoModel):
        choose((Declared("one", "a", url, named),), environ, web, price)
    provider = next((one for one in DEFAULTS if one.base_url == url), None)
    own = {EVERY_KEY[name] for name in provider.key_names} if provider else set()
    assert {endpoint.key for endpoint in web.asked} <= own | {"none"}
    if named and not (provider and named in provider.key_names):
        assert web.asked == []


@pytest.mark.parametrize("key_named", [False, True])
@pytest.mark.parametrize("provider", [*DEFAULTS, None])
def test_no_key_of_a_provider_travels_in_clear(provider: Provider | None, key_named: bool) -> None:
    url = (provider.base_url if provider else AZURE).replace("https:", "http:")
    named = (provider.key_names[0] if provider else "AZURE_OPENAI_API_KEY") if key_named else None
    environ = {**EVERY_KEY, "AZURE_OPENAI_ENDPOINT": "http://mine.openai.azure.com", "OPENAI_BASE_URL": url}
    web = Web({url: ["a"]})
    with pytest.raises(NoModel):
        choose((Declared("one", "a", url, named),), environ, web, price)
    with pytest.raises(NoModel):
        choose((), environ, web, price)
    assert web.asked == []


@pytest.mark.parametrize("url", [LOCAL, OLLAMA, LM_STUDIO])
def test_what_is_found_at_a_port_gets_no_key(url: str) -> None:
    web = Web({url: ["a"]})
    choose((), {"SOME_API_KEY": "secret"}, web, price)
    assert {(endpoint.key, endpoint.key_name, endpoint.found) for endpoint in web.asked} == {("none", "", True)}


@pytest.mark.parametrize(
    ("model", "listed"),
    [
        ("llama", ["llama:latest"]),
        ("gemini", ["models/gemini"]),
        ("claude-x", ["claude-x-20251001"]),
        ("a", ["b", "a"]),
    ],
)
def test_a_model_is_found_under_the_names_that_lists_give_it(model: str, listed: list[str]) -> None:
    (choice,) = choose((Declared("one", model, LOCAL),), {}, Web({LOCAL: listed}), price)
    assert choice.model == model


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (["gpt-5-mini", "gpt-5", "qwen"], "did you mean gpt-5-mini"),
        (["qwen", "llama"], "it serves qwen, llama"),
        ([], "no model at all"),
    ],
)
def test_a_model_that_is_not_served_is_told_with_those_that_are(listed: list[str], words: str) -> None:
    with pytest.raises(NoModel, match="does not serve 'gpt-5-mni'") as caught:
        choose((Declared("one", "gpt-5-mni", LOCAL),), {}, Web({LOCAL: listed}), price)
    assert words in caught.value.remedy


@pytest.mark.parametrize(
    ("base_url", "listed"), [(LOCAL, None), ("https://mine.openai.azure.com/openai/v1", ["gpt-5", "gpt-4o"])]
)
def test_an_endpoint_that_cannot_say_what_it_serves_is_believed(base_url: str, listed: list[str] | None) -> None:
    (choice,) = choose((Declared("one", "my-own", base_url, "K"),), {"K": "k"}, Web({base_url: listed}), price)
    assert choice.model == "my-own"
    assert "cannot say whether it serves it" in choice.why


# ── the defaults ────────────────────────────────────────────────────────────────────────────────────────────────────


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""Some endpoints sell their older models for less at night."""


@pytest.mark.parametrize("provider", DEFAULTS, ids=lambda provider: provider.host)
def test_every_default_has_a_price_and_the_cheap_ones_cost_less(provider: Provider) -> None:
    cheap, strong = (
        [price_of(name, provider.base_url, NOON) for name in names] for names in (provider.cheap, provider.strong)
    )
    assert None not in cheap + strong
    assert max(cost.output for cost in cheap if cost) < min(cost.output for cost in strong if cost)


# ── the list over HTTP ──────────────────────────────────────────────────────────────────────────────────────────────


def endpoint(url: str, key: str = "right") -> Endpoint:
    return Endpoint(url, key, "SOME_KEY")


def test_the_models_are_read_with_the_key() -> None:
    with ScriptedEndpoint({"small": [], "large": []}, key="right") as server:
        assert list_models(endpoint(server.url)) == ("small", "large")
        with pytest.raises(NoModel, match="does not accept the key") as caught:
            list_models(endpoint(server.url, "wrong"))
    assert "SOME_KEY" in caught.value.remedy
    assert "wrong" not in f"{caught.value} {caught.value.remedy}"


def test_an_endpoint_without_a_list_is_not_an_error() -> None:
    with ScriptedEndpoint({"small": []}, listed=()) as server:
        assert list_models(endpoint(server.url)) is None


def test_a_refused_connection_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(NoModel, match="cannot be reached"):
        list_models(endpoint(f"http://127.0.0.1:{port}/v1"))


class Something(BaseHTTPRequestHandler):
    """Whatever may listen at a port: answers every GET with `answer`, an HTTP status, type and body."""

    answer: ClassVar[tuple[int, str, bytes]]
    seen: ClassVar[list[dict[str, str]]]

    def do_GET(self) -> None:
        status, kind, body = self.answer
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(status)
        self.send_header("location" if status == 302 else "content-type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Prints nothing."""


@contextlib.contextmanager
def dripping(head: bytes) -> Iterator[str]:
    """The base URL of a server that sends `head`, and then a byte at a time without an end."""
    closing = threading.Event()

    def serve(server: socket.socket) -> None:
        with contextlib.suppress(OSError), server.accept()[0] as line:
            line.recv(10_000)
            line.sendall(head)
            while not closing.wait(0.01):
                line.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            closing.set()
            thread.join()


@contextlib.contextmanager
def something(status: int, kind: str, body: bytes) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Its base URL, and the headers of what it was asked."""
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Something,), {"answer": (status, kind, body), "seen": seen})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", seen
        finally:
            server.shutdown()
            thread.join()


MODELS = {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm"}]}
NO_SERVERS_OF_MODELS = [
    (200, "text/html", b"<html>a wiki</html>"),
    (200, "application/json", b'{"data": [{"id": "users"}]}'),
    (200, "application/json", b'{"object": "list", "data": [{"id": 7, "object": "model"}]}'),
    (200, "application/json", b'{"object": "list", "data": [{"id": "x", "object": "user"}]}'),
    (200, "application/json", b"[1, 2]"),
    (200, "application/json", b"7"),
    (200, "application/json", b"[" * 100_000),
    (200, "application/json", b"\xff\xfe"),
    (404, "text/plain", b"nothing here"),
    (500, "text/plain", b""),
]


@pytest.mark.parametrize(("status", "kind", "body"), NO_SERVERS_OF_MODELS)
def test_something_else_at_the_port_of_a_server_of_models_is_not_taken_for_one(
    status: int, kind: str, body: bytes
) -> None:
    with something(status, kind, body) as (url, seen):
        assert list_models(Endpoint(url, "none", "", found=True)) is None
    assert "authorization" not in seen[0]


def test_a_server_of_models_at_its_port_is_found_and_gets_no_key() -> None:
    with something(200, "application/json", json.dumps(MODELS).encode()) as (url, seen):
        assert list_models(Endpoint(url, "none", "", found=True)) == ("m",)
    assert set(seen[0]) == {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_list_is_read_from_nobody_but_the_endpoint_itself() -> None:
    with (
        something(200, "application/json", json.dumps(MODELS).encode()) as (elsewhere, seen),
        something(302, f"{elsewhere}/models", b"") as (url, _),
    ):
        assert list_models(endpoint(url)) is None
    assert seen == []


def test_a_server_that_says_nothing_is_waited_for_a_second_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        began = time.monotonic()
        assert list_models(Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/v1", "none", "", found=True)) is None
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("found", [True, False])
def test_a_server_that_never_comes_to_an_end_is_not_waited_for(head: bytes, found: bool) -> None:
    with dripping(head) as url:
        assert list_models(Endpoint(url, "none", "", found=found), longest=0.3) is None


def test_a_key_that_gemini_does_not_accept_is_told() -> None:
    body = b'[{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}]'
    with something(400, "application/json", body) as (url, _), pytest.raises(NoModel, match="does not accept the key"):
        list_models(endpoint(url))


def test_a_real_endpoint_can_be_chosen_and_nothing_is_paid_for_it() -> None:
    with ScriptedEndpoint({"small": lambda _: Scripted("x")}) as server:
        (choice,) = choose((), {"OPENAI_BASE_URL": server.url})
        assert (choice.model, choice.name, server.log) == ("small", "only", [])
        assert choice.why == f"the only model that {server.url} serves; OPENAI_BASE_URL names it."


def test_the_reason_says_which_keys_were_passed_over() -> None:
    environ = {"MISTRAL_API_KEY": "m", "GROQ_API_KEY": "g", "OPENROUTER_API_KEY": "o"}
    (choice, _) = choose((), environ, Web({"https://api.mistral.ai/v1": None}), price)
    assert choice.why == (
        "the default for api.mistral.ai; MISTRAL_API_KEY is set, and goes before OPENROUTER_API_KEY, GROQ_API_KEY."
    )


def test_choosing_loads_no_client() -> None:
    code = (
        "import sys, ecoassist.models.choose\n"
        "assert not {'openai', 'httpx2', 'pydantic', 'genai_prices'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
