"""What a reply may cost at most, also where the endpoint ignores the limit it was given."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from ecoassist.budget import Budget, Metered
from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, count_tokens
from ecoassist.errors import ProviderError
from ecoassist.events import Event, Notice, Stream
from ecoassist.models.guard import Guard, asked
from ecoassist.models.openai import OpenAIModel
from ecoassist.types import Message, Price, Reply, Spending, Usage

Run: TypeAlias = Callable[[Stream[Reply]], tuple[Reply, list[Event]]]
Until: TypeAlias = Callable[[Callable[[], bool]], None]
HELLO = [Message("user", "hello")]
PRICE = Price(1.0, 10.0)
PROSE = "It was the best of times, it was the worst of times, it was the age of wisdom. "
TEXTS = {
    "prose": PROSE,
    "code": 'for name, value in table.items():\n    print(f"{name:>10} {value:.2f}")\n',
    "Russian": "Это было лучшее из времён, это было худшее из времён. ",
    "Chinese": "那是最美好的时代，那是最糟糕的时代。",
    "faces": "🙂🙃",
}


def worst(limit: int) -> float:
    """Dollars of a whole reply of `limit` tokens to HELLO, the prompt's bound included."""
    return ((5 + 8) * PRICE.input + limit * PRICE.output) / 1e6


def test_a_server_that_ignores_the_limit_never_sends_what_is_not_paid_for(run: Run, until: Until) -> None:
    def endless(request: ChatRequest) -> Scripted:
        kind, pieces = request.model.split("/")
        if kind == "thoughts":
            return Scripted("42", reasoning=PROSE * 400, obey=False, pieces=int(pieces))
        return Scripted(TEXTS[kind] * 400, obey=False, pieces=int(pieces))

    names = [f"{kind}/{pieces}" for kind in (*TEXTS, "thoughts") for pieces in (4, 12)]
    replies: dict[str, Reply] = {}
    with Endpoint(dict.fromkeys(names, endless)) as endpoint:

        def ask(name: str) -> None:
            budget = Budget(1.0, 10_000)
            model = Metered(OpenAIModel(name, endpoint.url, "k"), budget, PRICE)
            replies[name] = run(model.reply(HELLO, 100))[0]
            assert budget.spending.usd == pytest.approx(worst(100))

        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        until(lambda: all(served.hung_up for served in endpoint.log))
        sent = {served.request.model: served.completion_tokens for served in endpoint.log}
    assert {name: tokens for name, tokens in sent.items() if not 50 < tokens <= 100} == {}
    assert {(reply.finish, reply.usage) for reply in replies.values()} == {("length", None)}
    assert {reply.charge for reply in replies.values()} == {Spending(worst(100), 13, 100, 1, exact=False)}


@pytest.mark.parametrize("limit", [1, 16, 50, 400, 4096])
@pytest.mark.parametrize("pieces", [1, 4, 200])
def test_a_reply_that_ends_at_its_limit_is_not_cut_and_paid_for_as_it_was(limit: int, pieces: int, run: Run) -> None:
    budget = Budget(1.0, 10_000)
    with Endpoint({"small": [Scripted(PROSE * 200, pieces=pieces)]}) as endpoint:
        reply, _ = run(Metered(OpenAIModel("small", endpoint.url, "k"), budget, PRICE).reply(HELLO, limit))
    assert endpoint.log[0].request.limit == asked(limit)
    assert not endpoint.log[0].hung_up
    assert (reply.finish, reply.usage) == ("length", Usage(8, asked(limit)))
    assert budget.spending.usd == pytest.approx((8 * PRICE.input + asked(limit) * PRICE.output) / 1e6)


@pytest.mark.parametrize("limit", [600, 8192])
@pytest.mark.parametrize("kind", ["prose", "Russian"])
def test_a_long_reply_of_an_endpoint_that_counts_less_than_we_do_is_whole(limit: int, kind: str) -> None:
    guard = Guard(limit)
    text = TEXTS[kind] * int(0.85 * limit / count_tokens(TEXTS[kind]))
    for word in text.split(" "):
        assert not guard.sees({"choices": [{"delta": {"content": f" {word}"}}]}, ended=False)


def test_more_than_was_paid_for_in_one_piece_is_charged_as_it_is_and_said(run: Run) -> None:
    budget = Budget(1.0, 10_000)
    with Endpoint({"small": [Scripted(PROSE * 20, obey=False)]}, refuse={"stream": 400}) as endpoint:
        reply, events = run(Metered(OpenAIModel("small", endpoint.url, "k"), budget, PRICE).reply(HELLO, 50))
    assert reply.usage == Usage(8, count_tokens(PROSE * 20))
    assert budget.spending.completion_tokens == count_tokens(PROSE * 20)
    (notice,) = (event for event in events if isinstance(event, Notice))
    assert "took more than it was allowed" in notice.text


def test_an_endpoint_that_neither_streams_nor_takes_a_limit_is_not_used_for_money(run: Run) -> None:
    refuse = {"stream": 400, "max_tokens": 400, "max_completion_tokens": 400}
    with Endpoint({"small": lambda _: Scripted("hi")}, refuse=refuse) as endpoint:
        url = endpoint.url.replace("127.0.0.1", "127.1")  # which is this machine, and does not look like it
        model = OpenAIModel("small", url, "k")
        with pytest.raises(ProviderError, match="takes no limit") as caught:
            run(model.reply(HELLO, 50))
    assert not caught.value.retryable
    assert endpoint.log == []


@pytest.mark.parametrize(
    "said",
    [
        "max_tokens is too large: {}. This model supports at most 4096 completion tokens",
        "`max_tokens` must be less than or equal to `4096`",
        "This model's maximum context length is 4096 tokens. However, you requested {} tokens in the completion.",
    ],
)
def test_a_limit_that_is_more_than_the_model_has_is_made_less_and_never_left_out(said: str, run: Run) -> None:
    def short(request: ChatRequest) -> Scripted:
        limit = request.limit or 10**6
        return Scripted("hi") if limit <= 4096 else Scripted(said.format(limit), 400)

    with Endpoint({"small": short}) as endpoint:
        model = OpenAIModel("small", endpoint.url, "k")
        replies = [run(model.reply(HELLO, 8192))[0].text for _ in range(2)]
    assert replies == ["hi", "hi"]
    limits = [served.request.limit for served in endpoint.log]
    assert limits == [asked(8192), asked(8192) // 2, asked(8192) // 2]


def test_a_model_that_goes_on_in_blanks_is_cut_as_well() -> None:
    guard, blank = Guard(100), {"choices": [{"delta": {"content": " "}}]}
    assert [guard.sees(blank, ended=False) for _ in range(100)].index(True) <= 100 - 32


@pytest.mark.parametrize(
    "called", [{"tool_calls": [{"index": 0, "function": {"arguments": " x"}}]}, {"function_call": {"arguments": " x"}}]
)
def test_a_model_that_calls_functions_which_nobody_offered_is_cut_as_well(called: Any) -> None:
    guard, chunk = Guard(100), {"choices": [{"delta": called}]}
    assert [guard.sees(chunk, ended=False) for _ in range(100)].index(True) <= 100 - 32


def test_a_chunk_of_anything_is_counted_without_complaint() -> None:
    hostile: list[Any] = [None, 5, {}, {"choices": 7}, {"choices": [7]}, {"choices": [{"delta": 5}]}, {"choices": [{}]}]
    hostile += [{"choices": [{"delta": {"content": content}}]} for content in (7, [7], [{"text": 5}], {"a": "b"})]
    of_calls: list[Any] = [7, [7], [{}], [{"function": 7}], {}]
    hostile += [{"choices": [{"delta": {"tool_calls": calls}}]} for calls in of_calls]
    guard = Guard(10)
    assert [guard.sees(chunk, ended=False) for chunk in hostile] == [False] * len(hostile)
