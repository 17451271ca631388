"""What is remembered is foreign: text that a prompt delimits and caps, a program for a sandbox alone, an answer that
nobody sees unless it is found again.

Entries come from packs, from a team, and from models that read foreign pages. Each test here is an attack by an entry
that somebody wrote with care. With real containers: tests/e2e/test_memory_safety.py.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist import memory, prompts
from ecoassist.demo.endpoint import Endpoint, Scripted
from ecoassist.engine import Engine, Tier
from ecoassist.entries import Entry, FileShape, Match, Parameter, Solution
from ecoassist.memory import Limits, lifecycle, ranking
from ecoassist.models.openai import OpenAIModel
from ecoassist.play import play
from ecoassist.replay import fenced, read
from ecoassist.similarity import LONGEST, cosine, features, same
from ecoassist.store import rows
from ecoassist.store.sqlite import SqliteStore
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import Answer, CellResult, Code, Task
from tests.test_injection import IMITATIONS, outside

QUERY = "How much rain fell in Oslo?"
PROGRAM = "print(fetch('Oslo'))"
LONG = 10_000_000
DONE = "It is 7 mm.\nANSWER: 7"
SECRET = "the stored answer: 4711"


def entry(said: str = "", query: str = QUERY, program: str = PROGRAM, origin: str = "", **fields: object) -> Entry:
    """A proven one, all of whose texts are `said` but for its question and its program."""
    made = Solution(
        query,
        program,
        Answer(said or SECRET, said or SECRET),
        said or "cheap",
        said,
        files=(FileShape(said, (said,)),) if said else (),
        apis=(said,) if said else (),
        parameters=(Parameter("city", "text", said, repr(said)),) if said else (),
        shape=said,
        packages=(said,) if said else (),
        image=said,
        whole=said,
        origin=origin or said,
    )
    return replace(Entry(1, made, "verified", "2026-01-01T00:00:00Z", wins=1, note=said), **fields)  # type: ignore[arg-type]


def asked_with(found: Entry, task: Task | None = None) -> Task:
    """The task as it is after the memory was asked, with `found` as the entry that fits best."""
    return play(memory.recall(MemoryStore(Match(found, 1.0)), task or Task(QUERY, "today"), Limits()))


WORDS = st.sampled_from(
    ["rain", "Oslo", "2026-11-21", "three", "'", '"""', "{x}", "\n", "\r", "\x00", "\ud800", "\u202e", "`" * 4]
)
TEXTS = st.text(max_size=40) | st.lists(WORDS, max_size=12).map(" ".join)
PROGRAMS = TEXTS | TEXTS.map(lambda text: f"x = {text!r}\nprint(x)") | TEXTS.map(lambda text: f"print(f'{text}')")


@given(query=TEXTS, asked=TEXTS, program=PROGRAMS, said=TEXTS, state=st.sampled_from(["verified", "broken"]))
@settings(max_examples=150)
def test_whatever_an_entry_holds_it_costs_no_answer(
    query: str, asked: str, program: str, said: str, state: str
) -> None:
    """Found, ranked, shown, bound, put into a prompt, settled, and read again from its row."""
    found = entry(said, query, program, state=state)
    for question in (query, asked):
        assert len(ranking.ranked(question, [found], 0.0)) == 1
        task = asked_with(found, Task(question, "today"))
        assert len(prompts.messages(task, system="s")) == 2
        if task.replay:
            assert read(fenced(task.replay.program)) == Code(task.replay.program)
    for green in (True, False):
        near = [replace(found, id=2)]
        assert lifecycle.settled(replace(found, state="pending"), near, green, program, said, "2026-01-01T00:00:00Z")
    columns = rows.columns(found)
    assert rows.entry([1, *(columns[name] for name in rows.COLUMNS[1:])]).solution == found.solution


# ── text for a prompt ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", ["verified", "broken"])
@pytest.mark.parametrize("where", ["question", "program", "all else"])
def test_ten_megabytes_in_an_entry_make_no_long_prompt(where: str, state: str) -> None:
    said = "rain fell in Oslo " * (LONG // 18)
    query = said if where == "question" else QUERY
    program = f"print({said!r})" if where == "program" else PROGRAM
    found = entry(said if where == "all else" else "", query, program, state=state)
    asked = prompts.messages(asked_with(found), system="s")
    assert sum(len(message.text) for message in asked) < 8_000


@pytest.mark.parametrize("state", ["verified", "broken"])
@pytest.mark.parametrize("imitation", IMITATIONS)
def test_nothing_of_an_entry_stands_outside_the_data_marks(imitation: str, state: str) -> None:
    said = IMITATIONS[imitation]
    found = entry(said, said, f"print({said!r})\n{said}", state=state)
    told = outside(prompts.messages(asked_with(found), system="s"))
    assert not [line for line in said.splitlines() if len(line) >= 12 and line in told]
    assert "Solved: yes" not in told


def test_half_a_character_in_an_entry_costs_no_answer() -> None:
    """JSON may hold one, and UTF-8 may not: the request could not be sent."""
    found = entry(query="How much rain fell in \ud800?", program="print('\udfff')")
    with Endpoint({"small": [Scripted(DONE)]}) as endpoint:
        model = OpenAIModel("small", endpoint.url, "key-of-the-test", key_name="SMALL_KEY")
        reply = play(model.reply(prompts.messages(asked_with(found), system="s")))
        assert reply.text == DONE
        assert "print('?')" in endpoint.log[0].request.messages[-1].text


def test_a_stored_question_of_megabytes_is_compared_as_soon_as_any() -> None:
    """It would be looked at with each question that shares a word with it."""
    long = "rain snow " * (LONG // 100)
    assert features(long) == features(long[:LONGEST])
    assert 0 < cosine(features(QUERY), features(long)) < 1
    assert same(QUERY) != same(long)


# ── an answer that is never shown without running ───────────────────────────────────────────────────────────────────


def test_what_an_entry_says_that_the_answer_is_reaches_neither_a_model_nor_the_person() -> None:
    model, sink = ScriptedModel("```python\nprint(1)\n```", DONE), Recorder()
    store = MemoryStore(Match(entry(), 1.0))
    engine = Engine([Tier("cheap", model)], ScriptedKernel(CellResult("ok", "7")), store, FixedJudge())
    outcome = play(engine.run(Task(QUERY)), [sink])
    assert outcome.examples
    assert SECRET not in str(sink.events)
    assert SECRET not in str(model.seen)


def test_a_candidate_is_neither_shown_nor_run() -> None:
    store = MemoryStore()
    store.keep(entry().solution)
    model = ScriptedModel(DONE)
    engine = Engine([Tier("cheap", model)], ScriptedKernel(), store, FixedJudge())
    outcome = play(engine.run(Task(QUERY)))
    assert (outcome.examples, outcome.replay) == ((), None)
    assert PROGRAM not in str(model.seen)


# ── what others wrote ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("found", [entry(origin="a pack"), entry(id=-1)], ids=["a pack's", "a team's"])
def test_outside_a_sandbox_no_model_is_shown_and_nothing_runs_what_others_wrote(found: Entry) -> None:
    store, task = MemoryStore(Match(found, 1.0)), Task(QUERY)
    inside = play(memory.recall(store, task, Limits()))
    assert inside.examples
    outside = play(memory.recall(store, task, Limits(foreign=False)))
    assert (outside.examples, outside.replay) == ((), None)
    own = play(memory.recall(MemoryStore(Match(entry(), 1.0)), task, Limits(foreign=False)))
    assert own.examples


def test_a_pack_does_not_push_out_what_was_found_here(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "s.db")) as store:
        own = store.keep(entry().solution)
        store.settle(own, True)
        foreign = store.keep(entry(origin="a pack", program="print(fetch('Oslo', 'evil'))").solution)
        store.settle(foreign, True)
        assert [(one.id, one.state) for one in store.entries()] == [(own, "verified"), (foreign, "verified")]
        later = store.keep(entry(program="print(fetch_better('Oslo'))").solution)
        store.settle(later, True)
        assert [one.id for one in store.entries("verified")] == [later], "what is found here does"
