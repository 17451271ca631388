"""Every kind of endpoint, well and misbehaving, over real HTTP: text, end, charge, and nothing left behind.

What a person uses is what is tested: Retrying(Metered(OpenAIModel)), with the real client and a clock of its own.
"""

from __future__ import annotations

import email.utils
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from ecoassist.budget import Budget, Metered
from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, count_tokens
from ecoassist.demo.kinds import AZURE, DEEPSEEK, GEMINI, KINDS, OPENROUTER, VLLM, Kind
from ecoassist.errors import ProviderError
from ecoassist.events import Event, Notice, Stream, TextDelta
from ecoassist.models.openai import OpenAIModel, Timeouts
from ecoassist.models.retry import Retrying
from ecoassist.types import Message, Price, Reply, Usage

Run: TypeAlias = Callable[[Stream[Reply]], tuple[Reply, list[Event]]]
Until: TypeAlias = Callable[[Callable[[], bool]], None]
HELLO = [Message("system", "You are brief."), Message("user", "Say hello.")]
TEXT = "Hello to all of the world, and to everything that is in it."
THOUGHTS = "The user wants to be greeted; a greeting is short. "
FINE = Scripted(TEXT)
PRICE = Price(1.0, 10.0)
LIMIT = 200
SCHEMA = {"type": "object", "properties": {"solved": {"type": "boolean"}}, "required": ["solved"]}
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


class Time:
    """Of Retrying: passes only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Asked:
    """One question to an endpoint of a kind, its script of replies, and what came of it."""

    def __init__(
        self,
        run: Run,
        kind: Kind,
        replies: Sequence[Scripted],
        timeouts: Timeouts | None = None,
        schema: Any = None,
        tries: int = 3,
    ) -> None:
        self.budget, self.time = Budget(1.0, 10_000), Time()
        self.reply: Reply | None = None
        self.error: ProviderError | None = None
        with Endpoint({"small": replies}, kind=kind) as endpoint:
            model = OpenAIModel("small", endpoint.url, "key-of-the-test", key_name="SMALL_KEY", timeouts=timeouts)
            metered = Metered(model.structured(schema) if schema else model, self.budget, PRICE)
            clock = self.time
            retrying = Retrying(metered, tries, clock=lambda: clock.now, sleep=clock.sleep, chance=lambda: 0.0)
            self.events: list[Event] = []
            try:
                self.reply, self.events = run(retrying.reply(HELLO, LIMIT))
            except ProviderError as error:
                self.error = error
        self.log = endpoint.log

    @property
    def text(self) -> str:
        """As it was streamed, from the last time that it was dropped."""
        dropped = [at for at, event in enumerate(self.events) if isinstance(event, Notice) and event.drop_live]
        live = self.events[dropped[-1] :] if dropped else self.events
        return "".join(event.text for event in live if isinstance(event, TextDelta))

    def is_charged(self, served: int, in_full: int) -> None:
        """Holds that `served` calls cost what the server counted, and `in_full` all that was reserved for them."""
        tokens = [(one.prompt_tokens, one.completion_tokens) for one in self.log[len(self.log) - served :]] * bool(
            served
        )
        exact = sum(prompt * PRICE.input + completion * PRICE.output for prompt, completion in tokens)
        bound = sum(len(message.text) + 8 for message in HELLO) * PRICE.input + LIMIT * PRICE.output
        assert self.budget.spending.usd == pytest.approx((exact + in_full * bound) / 1e6)
        assert self.budget.spending.exact is (in_full == 0)
        assert self.budget.held == (0.0, 0.0)


def sockets() -> int:
    """How many this process has open."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += os.readlink(link).startswith("socket:")
        except FileNotFoundError:  # the listing's own
            continue
    return found


@pytest.fixture(autouse=True)
def nothing_is_left(until: Until) -> Iterator[None]:
    """No socket and no thread outlives a question, whatever came of it."""
    before = sockets()
    yield
    until(lambda: not any(thread.name in ("pump", "endpoint") for thread in threading.enumerate()))
    until(lambda: sockets() <= before)


# ── well-behaved ────────────────────────────────────────────────────────────────────────────────────────────────────


@every_kind
@pytest.mark.parametrize("pieces", [1, 5, 500])
def test_a_reply_of_any_kind_is_read_and_paid_for_as_the_endpoint_counts_it(kind: Kind, pieces: int, run: Run) -> None:
    asked = Asked(run, kind, [Scripted(TEXT, reasoning=THOUGHTS, pieces=pieces)])
    assert asked.reply is not None
    assert (asked.reply.text, asked.text, asked.reply.finish) == (TEXT, TEXT, "stop")
    assert asked.log[0].completion_tokens == count_tokens(TEXT) + count_tokens(THOUGHTS)
    asked.is_charged(1, 0)


@every_kind
def test_structure_is_asked_for_as_far_as_a_kind_knows_it(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted('{"solved": true}')], schema=SCHEMA)
    assert asked.reply is not None
    assert asked.reply.text == '{"solved": true}'
    form = asked.log[0].request.body["response_format"]["type"]
    assert form == ("json_object" if "json_schema" in kind.refuse else "json_schema")


@every_kind
def test_what_a_kind_refuses_costs_nothing_and_the_limit_is_never_lost(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [FINE])
    body = asked.log[0].request.body
    assert not [name for name in kind.refuse if body.get(name)]
    assert asked.log[0].request.limit is not None
    assert "temperature" not in body  # OpenAI's reasoning models know but one
    asked.is_charged(1, 0)


@every_kind
def test_a_cached_prompt_is_cheaper_where_the_endpoint_says_so(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted(TEXT, usage=Usage(100, 20, 80))])
    assert asked.reply is not None
    assert asked.reply.usage == Usage(100, 20, 80)


def test_what_a_provider_charges_for_writing_its_cache_is_reserved_and_paid(run: Run) -> None:
    budget, dear = Budget(1.0, 10_000), Price(2.0, 10.0, 0.1, 2.5)
    replies = [Scripted(TEXT, usage=Usage(100, 20, 60, 40)), Scripted(TEXT, usage="missing")]
    with Endpoint({"small": replies}) as endpoint:
        model = Metered(OpenAIModel("small", endpoint.url, "k"), budget, dear)
        run(model.reply(HELLO, LIMIT))
        assert budget.spending.usd == pytest.approx((60 * 0.1 + 40 * 2.5 + 20 * 10.0) / 1e6)
        run(model.reply([Message("user", "something else")], LIMIT))
    more = ((14 + 8) * 2.5 + LIMIT * 10.0) / 1e6
    assert budget.spending.usd == pytest.approx((60 * 0.1 + 40 * 2.5 + 20 * 10.0) / 1e6 + more)


# ── misbehaving ─────────────────────────────────────────────────────────────────────────────────────────────────────


@every_kind
@pytest.mark.parametrize("usage", ["missing", Usage(0, 0)])
def test_usage_that_is_not_told_is_paid_for_in_full(kind: Kind, usage: Any, run: Run) -> None:
    asked = Asked(run, kind, [Scripted(TEXT, usage=usage)])
    assert asked.reply is not None
    assert (asked.reply.text, asked.reply.finish, asked.reply.usage) == (TEXT, "stop", None)
    asked.is_charged(0, 1)


@every_kind
def test_a_reply_that_is_filtered_is_no_failure_of_the_endpoint(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted(TEXT, finish="content_filter")])
    assert asked.reply is not None
    assert asked.reply.finish == "filter"
    asked.is_charged(1, 0)


@every_kind
def test_a_prompt_that_is_filtered_is_not_tried_again_and_may_have_been_billed(kind: Kind, run: Run) -> None:
    said = "The response was filtered due to the prompt triggering the content management policy."
    asked = Asked(run, kind, [Scripted(said, 400)])
    assert asked.reply is not None
    assert (asked.reply.text, asked.reply.finish, len(asked.log)) == ("", "filter", 1)
    asked.is_charged(0, 1)


GARBAGE = {
    "bytes that are not UTF-8": b"data: \xff\xfe\xfd\n\n",
    "a broken line": b'data: {"choices": [{"delta": {"content": "x\n\n',
    "no JSON": b"data: <html></html>\n\n",
    "deep nesting": b"data: " + b"[" * 100_000 + b"\n\n",
}
BROKEN = {
    "cut after two chunks": Scripted(TEXT, cut=2),
    "cut before the first": Scripted(TEXT, cut=0),
    "no choices at all": Scripted(TEXT, empty=True, usage="missing"),
    "an error in the midst": Scripted(TEXT, failure="the model fell over"),
    "a page of HTML": Scripted(body="<html><title>Login</title></html>", headers={"content-type": "text/html"}),
    "nothing": Scripted(body=""),
    **{name: Scripted(TEXT, garbage=garbage) for name, garbage in GARBAGE.items()},
}


@every_kind
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_reply_is_paid_for_in_full_dropped_and_asked_for_again(name: str, kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [BROKEN[name], FINE])
    assert asked.error is None
    assert asked.reply is not None
    assert (asked.reply.text, asked.text, asked.reply.finish) == (TEXT, TEXT, "stop")
    (notice,) = (event for event in asked.events if isinstance(event, Notice))
    assert "small at 127.0.0.1:" in notice.text
    if "error" in name:
        assert "the model fell over" in notice.text
    asked.is_charged(1, 1)


@pytest.mark.parametrize("stray", [b"5", b"null", b"[1, 2]", b'{"choices": 7}', b'{"choices": [{"delta": 7}]}', b'""'])
def test_a_stray_line_of_json_is_passed_over(stray: bytes, run: Run) -> None:
    asked = Asked(run, VLLM, [Scripted(TEXT, garbage=b"data: " + stray + b"\n\n")])
    assert asked.reply is not None
    assert asked.reply.text == TEXT
    asked.is_charged(1, 0)


@pytest.mark.parametrize(("name", "kind"), list(zip(BROKEN, KINDS * 2, strict=False)))
def test_what_stays_broken_is_a_provider_error_with_a_remedy(name: str, kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [BROKEN[name]] * 3)
    assert asked.error is not None
    assert "small at 127.0.0.1:" in str(asked.error)
    assert asked.error.remedy
    assert "key-of-the-test" not in f"{asked.error} {asked.error.remedy}"
    assert asked.error.billed
    asked.is_charged(0, len(asked.log))


@every_kind
@pytest.mark.parametrize("reply", [Scripted(TEXT, stall=2), Scripted(TEXT, hang=60)], ids=["midst", "start"])
def test_silence_ends_and_is_paid_for_in_full(reply: Scripted, kind: Kind, run: Run) -> None:
    """By the read timeout; by the total one where a kind keeps the line open."""
    asked = Asked(run, kind, [reply], Timeouts(connect=5.0, read=0.1, total=0.3), tries=1)
    assert "sent nothing for 0.1 s" in str(asked.error) or "was not done after 0.3 s" in str(asked.error)
    asked.is_charged(0, 1)


@pytest.mark.parametrize("kind", [DEEPSEEK, OPENROUTER], ids=lambda kind: kind.name)
def test_endless_keep_alives_do_not_keep_anybody(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted(TEXT, stall=2)], Timeouts(connect=5.0, read=60.0, total=0.4))
    assert "was not done after 0.4 s" in str(asked.error)
    asked.is_charged(0, 1)


# ── errors before anything is billed ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "kind"), [*((429, kind) for kind in KINDS), *((status, VLLM) for status in (500, 502, 503, 504, 529))]
)
def test_a_bad_moment_passes_and_costs_nothing(status: int, kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted("busy", status), Scripted("busy", status), FINE])
    assert asked.reply is not None
    assert asked.reply.text == TEXT
    assert asked.time.now == pytest.approx(3.0, abs=0.2)
    asked.is_charged(1, 0)


AFTER: dict[str, tuple[Mapping[str, str], float]] = {
    "none": ({}, 1.0),
    "seconds": ({"Retry-After": "7"}, 7.0),
    "a fraction": ({"Retry-After": "0.5"}, 0.5),
    "milliseconds, which go first": ({"Retry-After-Ms": "2500", "Retry-After": "9"}, 2.5),
    "a date": ({"Retry-After": "{30}"}, 30.0),
    "a date that has passed": ({"Retry-After": "{-30}"}, 0.0),
    "too long": ({"Retry-After": "86400"}, 60.0),
    "endless": ({"Retry-After": "inf"}, 60.0),
    "no number": ({"Retry-After": "nan"}, 0.0),
    "negative": ({"Retry-After": "-5"}, 0.0),
    "nonsense": ({"Retry-After": "soon"}, 1.0),
    "a date of nonsense": ({"Retry-After": "Mon, 99 Foo 99999 99:99:99 GMT"}, 1.0),
}


@pytest.mark.parametrize("name", AFTER)
def test_a_storm_is_waited_out_as_long_as_the_endpoint_asks(name: str, run: Run) -> None:
    headers, seconds = AFTER[name]
    for gap in ("30", "-30"):
        date = email.utils.formatdate(time.time() + int(gap), usegmt=True)
        headers = {key: value.replace(f"{{{gap}}}", date) for key, value in headers.items()}
    asked = Asked(run, AZURE, [Scripted("slow down", 429, headers), FINE])
    assert asked.reply is not None
    assert asked.time.now == pytest.approx(seconds, abs=15 if name == "a date" else 0.1)
    asked.is_charged(1, 0)


def test_gemini_says_in_the_body_how_long_to_wait(run: Run) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]
    body = [{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}}]
    asked = Asked(run, GEMINI, [Scripted(status=429, body=body), FINE])
    assert asked.time.now == pytest.approx(34.5, abs=0.1)


@every_kind
def test_a_storm_that_does_not_end_costs_nothing_and_says_what_to_do(kind: Kind, run: Run) -> None:
    asked = Asked(run, kind, [Scripted("slow down", 429)] * 9)
    assert "HTTP 429: slow down" in str(asked.error)
    assert asked.error is not None
    assert "asked too often" in asked.error.remedy
    assert len(asked.log) == 3
    asked.is_charged(0, 0)


PAGE = Scripted(status=502, body="<html><title>Bad Gateway</title></html>", headers={"content-type": "text/html"})
STAYS: list[tuple[Kind, Scripted, str, str]] = [
    (OPENROUTER, Scripted("Insufficient credits", 402), "no credit left", "add credit"),
    (DEEPSEEK, Scripted("Insufficient Balance", 402), "no credit left", "add credit"),
    (KINDS[3], Scripted("Your credit balance is too low to access the API", 400), "no credit left", "add credit"),
    (GEMINI, Scripted("API key not valid. Please pass a valid API key.", 400), "does not accept the key", "SMALL_KEY"),
    (AZURE, Scripted(status=404, body={"error": {"code": "DeploymentNotFound", "message": "none"}}), "model", "doctor"),
    (KINDS[8], Scripted("Request too large for model `x` on tokens per minute (TPM)", 413), "too long", "less text"),
    (VLLM, Scripted("This model's maximum context length is 4096 tokens, you sent 5000", 400), "too long", "less text"),
    (KINDS[9], Scripted('model "x" not found, try pulling it first', 404), "does not know this model", "doctor lists"),
]


@pytest.mark.parametrize(("kind", "reply", "words", "remedy"), STAYS)
def test_what_will_not_pass_is_not_tried_again(kind: Kind, reply: Scripted, words: str, remedy: str, run: Run) -> None:
    asked = Asked(run, kind, [reply] * 3)
    assert asked.error is not None
    assert words in str(asked.error)
    assert remedy in asked.error.remedy
    assert len(asked.log) == 1
    asked.is_charged(0, 0)


def test_a_page_of_html_is_named_and_not_shown(run: Run) -> None:
    asked = Asked(run, AZURE, [PAGE] * 3)
    assert "HTTP 502: a web page (Bad Gateway)" in str(asked.error)


def test_an_error_in_place_of_a_whole_reply_is_told(run: Run) -> None:
    body = {"error": {"code": 502, "message": "the provider is down"}}
    with Endpoint({"small": [Scripted(body=body)]}, refuse={"stream": 400}) as endpoint:
        model = OpenAIModel("small", endpoint.url, "k")
        with pytest.raises(ProviderError, match="the provider is down") as caught:
            run(model.reply(HELLO))
    assert (caught.value.retryable, caught.value.billed) == (True, True)


def test_a_kind_may_change_from_model_to_model_of_one_endpoint(run: Run) -> None:
    def short(request: ChatRequest) -> Scripted:
        return Scripted(TEXT) if request.limit else Scripted("no limit", 500)

    with Endpoint({"one": short, "two": short}, refuse={"max_tokens": 400}) as endpoint:
        one = OpenAIModel("one", endpoint.url, "k")
        assert [run(model.reply(HELLO, 50))[0].text for model in (one, one.named("two"), one)] == [TEXT] * 3
    assert len(endpoint.seen) == 5
