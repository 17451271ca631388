"""Lines of a chat over scripted models: what commands change and say, and what the worst answer was."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing

import pytest

from ecoassist.cli.conversation import Conversation
from ecoassist.engine import Tier
from ecoassist.errors import BudgetSpent, NoModel, ProviderError
from ecoassist.render.console import ConsoleSink, stderr_console
from ecoassist.session import Session
from ecoassist.steering import Steering
from ecoassist.testing import FixedJudge, ScriptedKernel, ScriptedModel
from ecoassist.types import CellResult, Spending
from tests.test_session import DONE, OK, ScriptedBoxes, code, session


class Talk:
    """A conversation, whose models answer the same for ever."""

    def __init__(self, *verdicts: bool | None, tiers: Sequence[str] = ("weak", "strong"), results: int = 0) -> None:
        replies = [code("x = 1"), DONE] * results or [DONE] * 9
        self.models = [ScriptedModel(*replies, name=f"{name}-model") for name in tiers]
        kernel = ScriptedKernel(*[CellResult("ok", "4\n")] * 9)
        self.session: Session = session(self.models[0], ScriptedBoxes(kernel, fresh=[ScriptedKernel(OK)] * 9))
        self.session.engine.tiers = [Tier(name, model) for name, model in zip(tiers, self.models, strict=True)]
        self.session.engine.judge = FixedJudge(*verdicts)
        self.session.steering = Steering(self.session.engine.tiers)
        self.said: list[str] = []
        self.screen = io.StringIO()
        sink = ConsoleSink(stderr_console(self.screen), None)
        self.it = Conversation(
            self.session,
            sink,
            self.said.append,
            header=lambda private: "hush" if private else "aloud",
            story=lambda run: f"the story of {run}",
        )

    def say(self, *lines: str) -> str:
        """What was said to the last line."""
        with closing(self.session):
            self.lines(*lines)
            self.it.leave()
        return self.said[-1] if self.said else ""

    def lines(self, *lines: str) -> None:
        for line in lines:
            assert self.it.take(line)

    @property
    def asked(self) -> list[int]:
        """How often each model was."""
        return [len(model.seen) for model in self.models]


# ── commands ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_command_of_the_help_is_one_and_every_command_is_in_the_help() -> None:
    talk = Talk(True)
    listed = [line.split()[0] for line in talk.say("/help").splitlines() if line.startswith("/")]
    talk = Talk(True)
    talk.say(*listed[:-1])
    assert not any("there is no /" in said for said in talk.said)
    assert listed[-1] == "/quit"
    assert not talk.it.take("/quit")
    assert set(talk.it.commands.names) | {"/quit"} == set(listed)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/privat", "there is no /privat; did you mean /private? /help lists the commands"),
        ("/QIUT now", "there is no /qiut; did you mean /quit? /help lists the commands"),
        ("/xyzzy", "there is no /xyzzy; /help lists the commands"),
        ("/", "there is no /; /help lists the commands"),
        ("/etc/passwd has how many lines?", "there is no /etc/passwd; /help lists the commands"),
        ("/tier nobody", "there is no tier 'nobody'; choose one of: weak, strong"),
        ("a \udcff", "that is not Unicode text"),
    ],
)
def test_what_is_no_command_is_told_and_counts_as_wrong_usage(line: str, said: str) -> None:
    talk = Talk(True)
    assert talk.say(line) == said
    assert talk.it.worst == 2
    assert talk.asked == [0, 0]


def test_up_and_down_say_where_questions_begin_and_where_it_ends() -> None:
    talk = Talk(True)
    talk.say("/down", "/up", "/up", "x", "/down", "x")
    assert talk.said == [
        "weak is the lowest tier already",
        "from now on questions begin at strong; /down begins lower",
        "strong is the highest tier already",
        "from now on questions begin at weak",
    ]
    assert talk.asked == [1, 1]


def test_a_chosen_tier_is_marked_and_auto_leads_back() -> None:
    talk = Talk(False)
    assert talk.say("/tier weak", "/tier") == "weak    weak-model  (answers alone)\nstrong  strong-model"
    talk = Talk(False)
    talk.say("/tier weak", "x", "/strong", "x", "/TIER auto", "x")
    assert talk.asked == [2, 2]
    assert talk.said[-1] == "from now on questions begin at weak"


def test_a_tier_that_is_called_auto_is_a_tier() -> None:
    talk = Talk(True, tiers=("weak", "auto"))
    talk.say("/tier auto", "x")
    assert talk.asked == [0, 1]


def test_with_one_tier_there_is_no_way_up_or_down() -> None:
    talk = Talk(True, tiers=("only",))
    talk.say("/up", "/down", "x", "/bad")
    assert talk.said == [
        "only is the highest tier already",
        "only is the lowest tier already",
        "noted: it will not be used again",
    ]


def test_a_bad_answer_points_to_the_next_tier() -> None:
    assert Talk(True).say("x", "/bad") == (
        "noted: it will not be used again; /up begins the next question a tier higher"
    )


def test_where_the_next_questions_begin_is_said_once() -> None:
    talk = Talk(False, True)
    talk.say("x", "y")
    assert talk.said == ["the next questions begin at strong, which solved this one; /down begins lower"]
    assert talk.asked == [1, 2]
    assert "strong · strong-model · it solved an earlier question of this conversation" in talk.screen.getvalue()


def test_reset_begins_at_the_first_tier_again() -> None:
    talk = Talk(False, True)
    talk.say("x", "/reset", "y")
    assert talk.asked == [2, 1]


def test_cost_tells_the_part_that_judging_took() -> None:
    talk = Talk(True)
    assert talk.say("/cost") == "no model call, $0"
    talk.session.total, talk.session.judging = lambda: Spending(0.5, 900, 90, 3), lambda: Spending(0.2, 300, 30, 1)
    assert talk.say("/cost") == "900 + 90 tokens, $0.50, of which judging $0.20"


def test_why_is_about_the_last_question_of_the_conversation_or_a_named_run() -> None:
    talk = Talk(True)
    assert talk.say("x", "/why 12ab") == "the story of 12ab"
    talk = Talk(True)
    assert talk.say("x", "/why") == f"the story of {talk.session.run}"
    talk = Talk(True)
    assert talk.say("/private", "x", "/why") == "nothing is kept of a private question: there is nothing to tell"


# ── private ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_private_is_said_before_each_question_and_ends_with_the_command() -> None:
    talk = Talk(True)
    talk.say("one", "/private", "two", "/private", "three")
    headers = [line for line in talk.screen.getvalue().splitlines() if line in ("hush", "aloud")]
    assert headers == ["aloud", "hush", "aloud"]
    assert talk.said[1].startswith("questions are kept again; forgotten")


def test_what_was_asked_before_can_still_be_judged_in_private_and_what_was_asked_in_private_cannot() -> None:
    talk = Talk(True, results=3)
    talk.say("one", "/private", "/bad", "two", "/good", "/bad", "/private", "/good", "/bad")
    assert talk.said[1].startswith("noted")
    assert [said.split(":")[0] for said in talk.said[2:4]] == ["nothing is kept of a private question"] * 2
    assert talk.said[-2:] == [
        "nothing to remember: no answer that code found, or it is remembered already",
        "there is no answer to take back",
    ]


def test_where_nothing_is_kept_at_all_leaving_private_says_so() -> None:
    talk = Talk(True)
    talk.session.keeps = False
    assert talk.say("/private", "/private") == (
        "no longer private, but runs.keep = false: nothing is kept all the same"
    )


# ── the worst answer ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lines", "verdicts", "worst"),
    [
        ((), [True], 0),
        (("/cost", "/help", "", "  "), [True], 0),
        (("one", "two"), [True], 0),
        (("one", "two"), [None, True], 5),
        (("one", "two"), [False, False, True], 1),
        (("one", "two"), [False, False, None], 1),
        (("one", "/hlep"), [False, False], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_answer(
    lines: tuple[str, ...], verdicts: list[bool | None], worst: int
) -> None:
    talk = Talk(*verdicts)
    talk.session.steering = talk.it.steering = talk.it.commands.steering = Steering(talk.session.engine.tiers)
    talk.it.steering.sticky = False
    talk.say(*lines)
    assert talk.it.worst == worst


@pytest.mark.parametrize(
    ("error", "code"), [(NoModel("none", "one"), 3), (BudgetSpent("spent", "more"), 4), (ProviderError("down"), 3)]
)
def test_a_question_without_an_outcome_counts_by_its_error(error: NoModel | BudgetSpent, code: int) -> None:
    talk = Talk(None)
    talk.it.failed(error)
    talk.say("one")
    assert talk.it.worst == code
