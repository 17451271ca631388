"""An embedder beside the words of questions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ecoassist.engine import Engine, Tier
from ecoassist.entries import Entry, Solution
from ecoassist.errors import BudgetSpent, EnvironmentFault, Interrupted, ProviderError
from ecoassist.events import Finished, Notice, Recalled, Stream, Tick
from ecoassist.memory import Limits, Meanings, recall
from ecoassist.memory.meanings import UNRELATED
from ecoassist.play import play
from ecoassist.testing import (
    FixedJudge,
    MemoryStore,
    Recorder,
    ScriptedEmbedder,
    ScriptedKernel,
    ScriptedModel,
)
from ecoassist.types import Answer, Task

GERMAN, TEXT, SIMILAR = "Wie warm wird es heute?", "wie warm wird es heute?", "what is the temperature in X?"
TASK = Task(GERMAN)
WARM: dict[str, Sequence[float] | Exception] = {TEXT: (1.0, 0.0), SIMILAR: (0.9, 0.1)}


def store_of(*queries: str) -> MemoryStore:
    store = MemoryStore()
    for number, query in enumerate(queries):
        store.settle(store.keep(Solution(query, f"answer_{number}()", Answer(""), "cheap")), True)
    return store


def from_nothing(embedder: ScriptedEmbedder) -> Meanings:
    """For which unrelated texts have nothing in common."""
    meanings = Meanings(embedder)
    meanings.base = 0.0
    return meanings


def recalled(
    store: MemoryStore, meanings: Meanings, task: Task = TASK, limits: Limits | None = None
) -> tuple[Task, list[str]]:
    recorder = Recorder()
    found = play(recall(store, task, limits or Limits(), meanings), [recorder])
    return found, [event.text for event in recorder.events if isinstance(event, Notice)]


def test_a_solution_is_found_by_its_meaning_where_no_word_is_shared() -> None:
    embedder = ScriptedEmbedder(WARM, (0.0, 1.0))
    store = store_of("What is the temperature in Oslo?", "Who owns the red house?")
    task, said = recalled(store, from_nothing(embedder))
    assert [example.query for example in task.examples] == ["What is the temperature in Oslo?"]
    assert said == []


def test_what_all_questions_have_in_common_for_an_embedder_is_no_likeness() -> None:
    """Vectors of which any two have a cosine of 0.9 or more, as some embedders make them."""
    tilted = {text: [30.0] * 9 for text in UNRELATED}
    for place, text in enumerate(UNRELATED):
        tilted[text][place] += 10
    store = store_of("Who owns the red house?", "What is the temperature in Oslo?")
    script = {**tilted, "who owns the red house?": [30.0] * 8 + [40.0], SIMILAR: [29.0] * 8 + [60.0]}
    task, _ = recalled(store, Meanings(ScriptedEmbedder({**script, TEXT: [30.0] * 8 + [60.0]})), limits=Limits(3))
    assert [example.query for example in task.examples] == ["What is the temperature in Oslo?"]
    plain = from_nothing(ScriptedEmbedder({**script, TEXT: [30.0] * 8 + [60.0]}))
    assert len(recalled(store, plain, limits=Limits(3))[0].examples) == 2


def test_what_is_embedded_names_no_place_and_no_day() -> None:
    embedder = ScriptedEmbedder({})
    recalled(store_of("What is the temperature in Oslo on 3 May?"), Meanings(embedder), Task("And how is it in Rome?"))
    assert embedder.seen == [("and how is it in X?", *UNRELATED, "what is the temperature in X on 0 X?")]


def test_stored_questions_get_their_vectors_with_the_next_question_once() -> None:
    embedder = ScriptedEmbedder({}, batch=len(UNRELATED) + 3)
    store = store_of("How deep is the lake?", "Who wrote the book?", "What does the ticket cost?")
    meanings = Meanings(embedder)
    for _ in range(3):
        recalled(store, meanings)
    assert [len(texts) for texts in embedder.seen] == [1 + len(UNRELATED) + 2, 2, 1]
    assert store.lacking("scripted", 9) == ()


@pytest.mark.parametrize(
    "trouble",
    [
        ProviderError("it is gone", "start it", retryable=True),
        EnvironmentFault("it is gone", "start it"),
        BudgetSpent("it is gone", "start it"),
    ],
)
def test_an_embedder_that_fails_costs_one_notice_and_is_left_alone(trouble: Exception) -> None:
    embedder = ScriptedEmbedder({TEXT: trouble})
    store, meanings = store_of("Wie warm wird es morgen?"), Meanings(embedder)
    task, said = recalled(store, meanings)
    assert [example.id for example in task.examples] == [1]
    assert said == ["solutions are found by words alone: it is gone; start it"]
    assert recalled(store, meanings) == (task, [])
    assert len(embedder.seen) == 1


class Choosy(ScriptedEmbedder):
    """Refuses every request that holds the word "bomb", and as a whole."""

    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        made = yield from super().embed(texts)
        if any("bomb" in text for text in texts):
            raise ProviderError("it answered HTTP 400", "ask otherwise")
        return made


def test_a_stored_question_that_is_refused_takes_nothing_from_the_others() -> None:
    store, embedder = store_of("How deep is the lake?", "Where is the bomb?", "Who wrote the book?"), Choosy({})
    embedder.batch = 64
    meanings = Meanings(embedder)
    assert recalled(store, meanings)[1] == []
    assert [len(texts) for texts in embedder.seen] == [4 + len(UNRELATED), 1 + len(UNRELATED), 1, 1, 1]
    assert recalled(store, meanings)[1] == []
    assert [len(texts) for texts in embedder.seen[5:]] == [1]
    with store.shelf.transaction() as rows:
        assert [len(vector) for _, vector in sorted(rows.vectors("scripted"))] == [2, 0, 2]


def test_a_question_that_is_refused_itself_is_found_by_its_words() -> None:
    embedder, store = Choosy({}), store_of("How deep is the lake?")
    _, said = recalled(store, Meanings(embedder), Task("Is the bomb in the lake?"))
    assert said == ["solutions are found by words alone: it answered HTTP 400; ask otherwise"]


def test_a_store_that_cannot_be_written_to_is_read_all_the_same() -> None:
    class Locked(MemoryStore):
        def describe(self, id: int, embedder: str, vector: bytes) -> None:
            raise EnvironmentFault("locked", "wait")

    store = Locked()
    store.settle(store.keep(Solution(GERMAN + " Sag es!", "p", Answer(""), "cheap")), True)
    task, said = recalled(store, Meanings(ScriptedEmbedder({})))
    assert ([example.id for example in task.examples], said) == ([1], [])


def test_nobody_is_asked_where_the_words_tell_which_program_to_run() -> None:
    embedder = ScriptedEmbedder(WARM)
    store = store_of(GERMAN)
    store.credit(1, True)
    task, _ = recalled(store, Meanings(embedder))
    assert task.replay
    assert embedder.seen == []
    recalled(store, Meanings(embedder), limits=Limits(replay=False))
    assert len(embedder.seen) == 1


def test_a_store_that_breaks_while_it_is_asked_costs_a_notice() -> None:
    class Broken(MemoryStore):
        def lacking(self, embedder: str, most: int) -> tuple[Entry, ...]:
            raise EnvironmentFault("disk gone", "find it")

    task, said = recalled(Broken(), Meanings(ScriptedEmbedder({})))
    assert (task, said) == (TASK, ["no memory: disk gone; find it"])


class Slow(ScriptedEmbedder):
    def embed(self, texts: Sequence[str]) -> Stream[tuple[bytes, ...]]:
        while True:
            yield Tick()


def test_ctrl_c_while_the_embedder_is_asked_ends_the_question() -> None:
    model = ScriptedModel()
    engine = Engine([Tier("a", model)], ScriptedKernel(), MemoryStore(), FixedJudge(), meanings=Meanings(Slow({})))
    stream = engine.run(TASK)
    events = [next(stream), next(stream)]
    assert isinstance(events[-1], Tick)
    event = stream.throw(Interrupted())
    assert isinstance(event, Recalled)
    event = next(stream)
    assert isinstance(event, Finished)
    assert (event.outcome.status, model.seen) == ("interrupted", [])
