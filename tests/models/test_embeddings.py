"""The adapter of embeddings over real HTTP, against servers that are well-behaved and broken."""

from __future__ import annotations

import gc
import json
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from ecoassist.errors import Interrupted, ProviderError
from ecoassist.events import Event, Stream, Tick
from ecoassist.models.embeddings import LONGEST, Embedded, OpenAIEmbedder
from ecoassist.models.openai import Timeouts
from ecoassist.types import Usage
from ecoassist.vectors import cosines, packed
from tests.embedding_server import by_words, of_words, serving

Run: TypeAlias = Callable[[Stream[Embedded]], tuple[Embedded, list[Event]]]
KEY = "key-of-the-test"


def embedder(url: str, **more: Any) -> OpenAIEmbedder:
    return OpenAIEmbedder("small-embedding", url, KEY, key_name="SMALL_KEY", **more)


def row(embedding: object, index: object = 0) -> dict[str, object]:
    return {"object": "embedding", "index": index, "embedding": embedding}


def test_each_text_gets_its_vector_and_the_tokens_are_told(run: Run) -> None:
    with serving() as server:
        made, events = run(embedder(server.url).embed(["is it cold", "is it warm"]))
    assert made == Embedded((packed(of_words("is it cold")), packed(of_words("is it warm"))), Usage(6, 0))
    assert any(isinstance(event, Tick) for event in events)
    (body,) = server.seen
    assert body == {
        "path": "/v1/embeddings",
        "model": "small-embedding",
        "input": ["is it cold", "is it warm"],
        "encoding_format": "float",
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


def test_nothing_of_the_environment_reaches_the_endpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another-secret")
    monkeypatch.setenv("OPENAI_ORG_ID", "another-organisation")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-more: another-header")
    with serving() as server:
        run(embedder(server.url).embed(["a"]))
    assert "another" not in json.dumps([server.headers, server.seen])


def test_rows_that_come_in_another_order_are_put_in_that_of_the_texts(run: Run) -> None:
    with serving(lambda body: (200, {"data": [row([0.0, 1.0], 1), row([1.0, 0.0], 0)]})) as server:
        made, _ = run(embedder(server.url).embed(["a", "b"]))
    assert made == Embedded((packed([1.0, 0.0]), packed([0.0, 1.0])), None)


def test_rows_without_their_numbers_are_taken_as_they_come(run: Run) -> None:
    with serving(lambda body: (200, {"data": [row([1.0, 0.0]), row([0.0, 1.0])]})) as server:
        made, _ = run(embedder(server.url).embed(["a", "b"]))
    assert made.vectors == (packed([1.0, 0.0]), packed([0.0, 1.0]))


def test_a_long_text_is_cut_an_empty_one_is_none_and_half_a_character_is_a_mark(run: Run) -> None:
    with serving() as server:
        run(embedder(server.url).embed(["x" * 10_000_000, "", "a\ud800b"]))
    assert server.seen[0]["input"] == ["x" * LONGEST, "-", "a?b"]


@pytest.fixture
def no_collection() -> Iterator[None]:
    """What is collected where the stack is as deep as it may be cannot be closed, and pytest tells of it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "<html>Welcome</html>",
        "[]",
        "null",
        '"data"',
        {},
        {"data": None},
        {"data": []},
        {"data": [row([1.0]), row([1.0], 1)]},
        {"data": [row(None)]},
        {"data": [row([])]},
        {"data": [row([0.0, 0.0])]},
        {"data": [row(["1", "2"])]},
        {"data": [row([None, 1.0])]},
        {"data": [row([[1.0], [2.0]])]},
        {"data": [row("AACAPwAAAEA=")]},
        {"data": [row([0.1] * 9000)]},
        {"data": ["row"]},
        '{"data": [{"index": 0, "embedding": [NaN, 1.0]}]}',
        '{"data": [{"index": 0, "embedding": [1e999, 1.0]}]}',
        "[" * 100_000,
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_an_answer_that_holds_no_vectors_is_said_to_be_none(run: Run, answer: object, no_collection: None) -> None:
    with serving(lambda body: (200, answer)) as server, pytest.raises(ProviderError) as caught:
        run(embedder(server.url).embed(["a"]))
    assert "sent something that is not a list of embeddings" in str(caught.value)
    assert caught.value.billed


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}, "does not accept the key"),
        (404, {"error": {"message": "not found"}}, "has no embeddings there (HTTP 404)"),
        (404, {"error": {"message": "model 'small-embedding' not found"}}, "does not know this model"),
        (500, {"error": {"message": f"oh no, {KEY}"}}, "answered HTTP 500: oh no, [SMALL_KEY]"),
    ],
)
def test_a_refusal_is_told_in_words_without_the_key(run: Run, status: int, answer: object, said: str) -> None:
    with serving(lambda body: (status, answer)) as server, pytest.raises(ProviderError) as caught:
        run(embedder(server.url).embed(["a"]))
    assert said in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_server_that_does_not_answer_is_left(run: Run) -> None:
    leave = threading.Event()
    impatient = Timeouts(connect=5.0, read=0.2, total=5.0)

    def hang(body: dict[str, Any]) -> tuple[int, object]:
        leave.wait(15)
        return by_words(body)

    with serving(hang) as server:
        with pytest.raises(ProviderError, match=r"sent nothing for 0\.2 s"):
            run(embedder(server.url, timeouts=impatient).embed(["a"]))
        leave.set()


def test_an_interruption_passes_at_once() -> None:
    leave = threading.Event()

    def hang(body: dict[str, Any]) -> tuple[int, object]:
        leave.wait(15)
        return by_words(body)

    with serving(hang) as server:
        stream = embedder(server.url).embed(["a"])
        assert isinstance(next(stream), Tick)
        with pytest.raises(Interrupted):
            stream.throw(Interrupted())
        leave.set()


def test_an_endless_answer_is_not_read_to_its_end(run: Run) -> None:
    with serving(lambda body: (200, " " * (1 << 20))) as server, pytest.raises(ProviderError, match="not a list"):
        run(embedder(server.url, most=1 << 16).embed(["a"]))


def test_a_vector_has_the_same_direction_after_the_way(run: Run) -> None:
    with serving() as server:
        made, _ = run(embedder(server.url).embed(["how warm is it"]))
    (alike,) = cosines(made.vectors[0], [packed(of_words("how warm is it"))])
    assert math.isclose(alike, 1.0, abs_tol=2e-3)
