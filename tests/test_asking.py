"""Hosts that were refused become questions after the cell; scripted kernels and persons."""

from __future__ import annotations

import pytest

from ecoassist.asking import QUESTIONS, AskingKernel
from ecoassist.engine import Engine, Tier
from ecoassist.events import Answered, Asked, CellFinished, CellStarted
from ecoassist.play import Stop, nobody, play
from ecoassist.ports import Person
from ecoassist.testing import FixedJudge, MemoryStore, Recorder, ScriptedKernel, ScriptedModel
from ecoassist.types import Access, CellResult, Question, Task


def refused(*hosts: str, blocked: bool = True, status: str = "ok") -> CellResult:
    accesses = tuple(Access(host, "GET", refused="not listed", blocked=blocked) for host in hosts)
    return CellResult(status, "x", accesses=accesses)  # type: ignore[arg-type]


class Talk:
    """A person who answers in order, and an AskingKernel over a script."""

    def __init__(self, *script: CellResult, answers: tuple[str | None, ...] = (), unasked: str = "") -> None:
        self.answers, self.asked = list(answers), []  # type: list[str | None], list[str]
        self.opened: list[tuple[str, str]] = []
        self.inner = ScriptedKernel(*script)
        self.kernel = AskingKernel(self.inner, lambda host, span: self.opened.append((host, span)), unasked)

    def person(self, question: Question) -> str | None:
        assert (question.kind, question.choices) == ("host", ("once", "session", "always", "no"))
        self.asked.append(question.text)
        return self.answers.pop(0)

    def run(self, person: Person | None = None) -> CellResult:
        return play(self.kernel.run("code"), person=person or self.person)


@pytest.mark.parametrize("span", ["once", "session", "always"])
def test_a_yes_opens_the_host_and_the_result_says_so(span: str) -> None:
    talk = Talk(refused("a.org", "a.org"), answers=(span,))
    result = talk.run()

    assert (result.opened, result.denied, result.unasked) == (("a.org",), (), "")
    assert talk.opened == [("a.org", span)]
    assert talk.asked == ["a.org"]


@pytest.mark.parametrize("answer", ["no", None, "yes", "", "ALWAYS"])
def test_whatever_is_not_a_yes_leaves_the_host_closed(answer: str | None) -> None:
    talk = Talk(refused("a.org"), answers=(answer,))

    assert talk.run().denied == ("a.org",)
    assert talk.opened == []


def test_a_no_is_asked_for_once_in_a_question_and_again_in_the_next() -> None:
    talk = Talk(*[refused("a.org")] * 3, answers=("no", "session"))

    assert talk.run().denied == talk.run().denied == ("a.org",)
    assert talk.asked == ["a.org"]
    talk.kernel.begin()
    assert talk.run().opened == ("a.org",)


def test_what_was_opened_once_is_asked_for_in_the_next_question_and_what_was_opened_for_longer_is_not() -> None:
    talk = Talk(*[refused("a.org", "b.org", "c.org")] * 2, answers=("once", "session", "always", "no"))

    assert talk.run().opened == ("a.org", "b.org", "c.org")
    talk.kernel.begin()
    assert talk.run().opened == ("b.org", "c.org")
    assert talk.asked == ["a.org", "b.org", "c.org", "a.org"]


def test_code_cannot_bury_the_person_in_questions() -> None:
    talk = Talk(refused(*[f"h{n}.org" for n in range(40)]), answers=("no",) * 40)

    assert len(talk.run().denied) == len(talk.asked) == QUESTIONS


def test_only_what_a_person_may_open_is_asked_for() -> None:
    talk = Talk(refused("a.org", blocked=False), CellResult("ok", accesses=(Access("a.org", "GET", status=403),)))

    assert talk.run() == refused("a.org", blocked=False)
    assert talk.run().denied == ()
    assert talk.asked == []


@pytest.mark.parametrize("status", ["interrupted", "gone"])
def test_nobody_is_asked_after_a_cell_that_the_person_stopped(status: str) -> None:
    talk = Talk(refused("a.org", status=status))

    assert talk.run().denied == ()
    assert talk.asked == []


def test_where_nobody_can_be_asked_the_result_says_why_and_there_is_no_question() -> None:
    talk = Talk(refused("a.org"), CellResult("ok"), unasked="no terminal")

    assert (talk.run().unasked, talk.run().unasked) == ("no terminal", "")
    assert talk.asked == []


def test_a_person_who_is_gone_means_no() -> None:
    talk = Talk(refused("a.org"))

    assert talk.run(nobody).denied == ("a.org",)
    assert talk.opened == []


def test_ctrl_c_at_the_question_means_no_and_the_run_goes_on() -> None:
    def interrupt(question: Question) -> str | None:
        raise KeyboardInterrupt

    assert Talk(refused("a.org")).run(interrupt).denied == ("a.org",)


def test_an_interruption_before_the_question_asks_nobody() -> None:
    talk, stop = Talk(refused("a.org")), Stop()
    stop.request()

    assert play(talk.kernel.run("code"), person=talk.person, stop=stop).status == "interrupted"
    assert talk.asked == []


def test_restart_and_close_pass_through() -> None:
    talk = Talk()
    talk.kernel.restart()
    talk.kernel.close()

    assert (talk.inner.restarts, talk.inner.closed) == (1, 1)


def test_the_question_stands_between_the_cell_and_its_result_and_the_model_is_told() -> None:
    talk = Talk(refused("a.org", "b.org"), CellResult("ok", "4"), answers=("session", "no"))
    model = ScriptedModel("```python\nget()\n```", "```python\nget()  # again\n```", "It is 4.\nANSWER: 4")
    recorder = Recorder()
    engine = Engine([Tier("t", model)], talk.kernel, MemoryStore(), FixedJudge(True))

    outcome = play(engine.run(Task("q")), [recorder], talk.person)

    assert outcome.status == "solved"
    kinds = [type(e) for e in recorder.events if isinstance(e, CellStarted | Asked | Answered | CellFinished)]
    assert kinds[:6] == [CellStarted, Asked, Answered, Asked, Answered, CellFinished]
    told = model.seen[1][-1].text
    assert "a.org is open now: run it again." in told
    assert "The person did not open b.org." in told


def told_of(result: CellResult) -> str:
    from ecoassist.prompts import observation
    from ecoassist.types import Reply, Turn

    return observation(Turn(Reply(""), "c", result))


def test_without_a_person_the_model_is_told_why() -> None:
    talk = Talk(refused("a.org"), unasked="nobody is at a terminal to be asked")

    assert "No host can be opened: nobody is at a terminal to be asked." in told_of(talk.run())


def test_the_next_tier_learns_that_a_host_is_open_now() -> None:
    from ecoassist.faults import digest
    from ecoassist.types import Attempt, Reply, Turn

    def facts(result: CellResult) -> str:
        return digest([Attempt("t", (Turn(Reply(""), "c", result),), "turn_limit")])

    assert facts(Talk(refused("a.org"), answers=("once",)).run()) == "a.org is open"
    assert facts(Talk(refused("a.org"), answers=("no",)).run()) == "a.org is refused: not listed"


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def keyless(*apis: str, status: str = "error", answered: bool = False) -> CellResult:
    accesses = tuple(Access(f"{api}.org", "GET", status=401, api=api, key="sent") for api in apis)
    more = (Access("other.org", "GET", status=200),) if answered else ()
    return CellResult(status, "x", accesses=more + accesses)  # type: ignore[arg-type]


class Keeper:
    """A person who answers about keys in order."""

    def __init__(self, *script: CellResult, answers: tuple[str | None, ...] = (), unasked: str = "") -> None:
        self.answers, self.asked = list(answers), []  # type: list[str | None], list[str]
        self.kernel = AskingKernel(ScriptedKernel(*script), lambda host, span: None, unasked)

    def person(self, question: Question) -> str | None:
        assert (question.kind, question.choices) == ("key", ("yes", "no"))
        self.asked.append(question.text)
        return self.answers.pop(0)

    def run(self, person: Person | None = None) -> CellResult:
        return play(self.kernel.run("code"), person=person or self.person)


def test_a_key_that_the_person_has_put_in_order_is_tried_again() -> None:
    result = Keeper(keyless("weather"), answers=("yes",)).run()
    assert (result.keyed, result.unkeyed) == (("weather",), ())
    assert "weather refused its key; the person says that it is in order now: run it again." in told_of(result)


@pytest.mark.parametrize("answer", ["no", None, "", "YES", "always"])
def test_whatever_is_not_a_yes_leaves_the_key_refused(answer: str | None) -> None:
    result = Keeper(keyless("weather"), answers=(answer,)).run()
    assert (result.keyed, result.unkeyed) == ((), ("weather",))
    assert "do not call weather again" in told_of(result)


def test_a_key_is_asked_about_once_in_a_question_and_again_in_the_next() -> None:
    keeper = Keeper(*[keyless("weather")] * 3, answers=("yes", "no"))
    assert keeper.run().keyed == ("weather",)
    assert keeper.run().unkeyed == ("weather",)
    assert keeper.asked == ["weather"]
    keeper.kernel.begin()
    assert keeper.run().unkeyed == ("weather",)
    assert keeper.asked == ["weather", "weather"]


def test_nobody_is_asked_about_a_key_where_there_is_nobody_or_the_program_found_another_way() -> None:
    keeper = Keeper(keyless("weather"), keyless("weather", status="ok", answered=True), unasked="no terminal")
    assert keeper.run().unkeyed == ("weather",)
    assert keeper.run().unkeyed == ()
    there = Keeper(keyless("weather", status="ok", answered=True))
    assert there.run().unkeyed == ()


def test_code_cannot_bury_the_person_in_questions_about_keys() -> None:
    keeper = Keeper(keyless(*[f"a{n}" for n in range(40)]), answers=("no",) * 40)
    assert len(keeper.run().unkeyed) == 40
    assert len(keeper.asked) == QUESTIONS


def test_a_request_that_carried_no_key_is_the_codes_to_mend() -> None:
    access = Access("w.org", "GET", status=401, api="weather", key="unsent")
    keeper = Keeper(CellResult("error", accesses=(access,)))
    result = keeper.run()
    assert keeper.asked == []
    assert "A request to weather carried no key" in told_of(result)
