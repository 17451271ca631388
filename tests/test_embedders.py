"""Who tells what questions mean: as configured, metered, sent no key, and never in the way of an answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ecoassist.budget import Budget
from ecoassist.config import Config, load
from ecoassist.demo.endpoint import Endpoint, Scripted
from ecoassist.embedders import MeteredEmbedder, meanings_of
from ecoassist.entries import Solution
from ecoassist.errors import BudgetSpent, Interrupted, ProviderError, UsageFault
from ecoassist.events import Notice, Stream, Tick
from ecoassist.memory import Meanings
from ecoassist.memory.meanings import UNRELATED
from ecoassist.models.embeddings import Embedded, OpenAIEmbedder
from ecoassist.models.prices import price_of_reading
from ecoassist.play import play
from ecoassist.redactor import Redactor
from ecoassist.store.sqlite import SqliteStore
from ecoassist.testing import MemoryLedger, Recorder
from ecoassist.types import Answer, Price, Usage
from ecoassist.wiring import open_session
from tests.embedding_server import by_words, of_words, serving

KEY = "sk-embeddings-0123456789abcdef"
CENT = Price(10_000, 0)
"""A cent for each token."""


class Replying(OpenAIEmbedder):
    """Gives what it was given, without any endpoint."""

    def __init__(self, *script: Embedded | Exception) -> None:
        self.name, self.base_url, self.script = "small-embedding", "http://127.0.0.1:9/v1", list(script)

    def embed(self, texts: Sequence[str]) -> Stream[Embedded]:
        yield Tick()
        item = self.script.pop(0)
        if isinstance(item, Exception):
            raise item
        return item


def metered(
    ledger: MemoryLedger, *script: Embedded | Exception, price: Price | None = CENT, usd: float = 1.0
) -> MeteredEmbedder:
    budget = Budget(usd, 1_000, ledger=ledger)
    budget.open("run")
    return MeteredEmbedder(Replying(*script), budget, price, 0.4)


MADE = Embedded((b"12", b"34"), Usage(3, 0))
TEXTS = ["warm", "red"]


# ── money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_is_reserved_at_its_bytes_and_settled_at_its_tokens() -> None:
    ledger = MemoryLedger()
    embedder = metered(ledger, MADE)
    stream = embedder.embed(TEXTS)
    assert isinstance(next(stream), Tick)
    (held,) = ledger.calls.values()
    assert (held.tier, held.model, held.purpose, held.prompt, held.run) == (
        "embeddings",
        "small-embedding",
        "embed",
        len("warmred") + 2 * 8,
        "run",
    )
    assert play(stream) == MADE.vectors
    (call,) = ledger.calls.values()
    assert (call.prompt, call.completion, call.usd, call.exact) == (3, 0, 0.03, True)
    assert embedder.budget.spending.usd == 0.03
    assert embedder.budget.judging.calls == 0
    assert ledger.held == set()


def test_a_call_that_tells_no_usage_or_is_interrupted_is_charged_at_its_worst() -> None:
    for answer in (Embedded(MADE.vectors, None), MADE):
        ledger = MemoryLedger()
        stream = metered(ledger, answer).embed(TEXTS)
        next(stream)
        if answer is MADE:
            with pytest.raises(Interrupted):
                stream.throw(Interrupted())
        else:
            play(stream)
        (call,) = ledger.calls.values()
        assert (call.prompt, call.usd, call.exact) == (23, 0.23, False)


def test_a_call_that_was_not_billed_costs_nothing() -> None:
    ledger = MemoryLedger()
    for billed in (False, True):
        with pytest.raises(ProviderError):
            play(metered(ledger, ProviderError("no", billed=billed)).embed(TEXTS))
        assert len(ledger.calls) == billed


@pytest.mark.parametrize("price", [CENT, None])
def test_a_call_that_does_not_fit_is_not_made(price: Price | None) -> None:
    ledger = MemoryLedger()
    embedder = metered(ledger, MADE, price=price, usd=0.2)
    with pytest.raises(BudgetSpent):
        play(embedder.embed(["x" * 2_000]))
    assert ledger.calls == {}


def test_a_model_that_only_reads_has_a_price() -> None:
    """The published price of text-embedding-3-small, which has not changed since 2024."""
    assert price_of_reading("text-embedding-3-small", "https://api.openai.com/v1") == Price(0.02, 0.0, 0.02)
    assert price_of_reading("nobodys-embedding", "https://api.openai.com/v1") is None
    assert price_of_reading("nomic-embed-text", "http://localhost:11434/v1") == Price(0.0, 0.0, 0.0)


# ── the configuration ───────────────────────────────────────────────────────────────────────────────────────────────


def configured(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return load(file, environ={"ECOASSIST_DATA": str(tmp_path / "data"), **environ})


def chosen(config: Config) -> tuple[Meanings | None, list[str]]:
    said: list[str] = []
    return meanings_of(config, Budget(1.0, 1_000), Redactor(), said.append), said


def test_without_the_section_nobody_is_asked(tmp_path: Path) -> None:
    assert chosen(configured(tmp_path, "")) == (None, [])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("", "either of them"),
        ('model = "m"\nfolder = "weights"', "either of them"),
        ('folder = "weights"\nbase_url = "http://localhost/v1"', "no base_url"),
        ('model = "m"\ngate = 1.5', "gate"),
        (f'model = "m"\nkey = "{KEY}"', "never the key itself"),
        ('modle = "m"', "did you mean 'model'"),
    ],
)
def test_a_section_that_does_not_fit_is_refused(tmp_path: Path, section: str, said: str) -> None:
    with pytest.raises(UsageFault) as caught:
        configured(tmp_path, f"[solutions.embeddings]\n{section}\n")
    assert said in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('model = "m"\nbase_url = "https://llm.example/v1"\nkey = "NOBODYS_KEY"', "NOBODYS_KEY is not set"),
        ('folder = "/nowhere/at/all"', "there is no model.onnx"),
    ],
)
def test_what_cannot_be_used_costs_a_notice(tmp_path: Path, section: str, said: str) -> None:
    meanings, (notice,) = chosen(configured(tmp_path, f"[solutions.embeddings]\n{section}\n"))
    assert meanings is None
    assert notice.startswith("solutions are found by words alone: ")
    assert said in notice


def test_the_gate_is_that_of_the_section_and_vectors_of_another_place_have_another_name(tmp_path: Path) -> None:
    names = set()
    for url in ("http://localhost:1/v1", "http://localhost:2/v1"):
        section = f'[solutions.embeddings]\nmodel = "m"\nbase_url = "{url}"\ngate = 0.5\n'
        meanings, _ = chosen(configured(tmp_path, section))
        assert meanings
        assert meanings.embedder.gate == 0.5
        names.add(meanings.embedder.name)
    assert len(names) == 2


# ── a whole session, over HTTP ──────────────────────────────────────────────────────────────────────────────────────

SESSION = """
[[tiers]]
name = "only"
model = "chat"
base_url = "{chat}"
[solutions.embeddings]
model = "small-embedding"
base_url = "{vectors}"
key = "VECTOR_KEY"
[judge]
model = "none"
"""
STORED, ASKED = "what is the temperature in Oslo", "temperature Oslo, sk-embeddings-0123456789abcdef?"


def remembered(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "data" / "solutions.db")) as store:
        store.settle(store.keep(Solution(STORED, "print('from the store')", Answer(""), "cheap")), True)


Answering = Callable[[dict[str, Any]], tuple[int, object]]


def asked(tmp_path: Path, answer: Answering, questions: int = 1) -> tuple[list[dict[str, Any]], list[str], Recorder]:
    """What the server of embeddings saw, what the model was told, and the events."""
    recorder = Recorder()
    with serving(answer) as vectors, Endpoint({"chat": lambda request: Scripted("It is 4.\nANSWER: 4")}) as chat:
        text = SESSION.format(chat=chat.url, vectors=vectors.url)
        with open_session(configured(tmp_path, text, VECTOR_KEY=KEY), unsafe_local=True) as session:
            for _ in range(questions):
                play(session.ask(ASKED), [recorder])
        return vectors.seen, [one.request.messages[-1].text for one in chat.log], recorder


def alike(body: dict[str, Any]) -> tuple[int, object]:
    """Every text means the same."""
    return 200, {
        "data": [{"index": i, "embedding": of_words("one")} for i in range(len(body["input"]))],
        "usage": {"prompt_tokens": 5},
    }


def test_a_question_is_embedded_over_http_and_the_solution_shown_and_the_money_counted(tmp_path: Path) -> None:
    remembered(tmp_path)
    seen, told, recorder = asked(tmp_path, alike, questions=2)
    assert [len(body["input"]) for body in seen] == [2 + len(UNRELATED), 1]
    assert KEY not in json.dumps(seen)
    assert all("print('from the store')" in text for text in told)
    outcome = recorder.events[-1].outcome  # type: ignore[union-attr]
    assert (outcome.spending.calls, outcome.spending.usd, outcome.spending.exact) == (2, 0.0, True)
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.db")) as ledger:
        rows = ledger.execute("SELECT model, prompt, exact FROM calls WHERE purpose = 'embed'").fetchall()
    assert rows == [("small-embedding", 5, 1)] * 2


def test_an_endpoint_that_fails_costs_a_notice_and_no_answer(tmp_path: Path) -> None:
    remembered(tmp_path)
    seen, told, recorder = asked(tmp_path, lambda body: (500, "oh"), questions=2)
    assert len(seen) == 1
    assert len(told) == 2
    notices = [event.text for event in recorder.events if isinstance(event, Notice) and "by words alone" in event.text]
    assert len(notices) == 1
    assert "HTTP 500" in notices[0]


def test_a_private_question_leaves_no_run_and_stored_ones_still_get_their_vectors(tmp_path: Path) -> None:
    remembered(tmp_path)
    with serving(by_words) as vectors, Endpoint({"chat": [Scripted("4\nANSWER: 4")]}) as chat:
        text = SESSION.format(chat=chat.url, vectors=vectors.url)
        with open_session(configured(tmp_path, text, VECTOR_KEY=KEY), unsafe_local=True, private=True) as session:
            play(session.ask("Where is it cold?"))
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.db")) as ledger:
        assert ledger.execute("SELECT run FROM calls").fetchall() == [("",), ("",)]
