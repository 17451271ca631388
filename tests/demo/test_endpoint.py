"""The scripted endpoint itself, over real HTTP with a client that is not ours."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, count_prompt, count_tokens
from ecoassist.types import Message, Usage


def ask(endpoint: Endpoint, model: str = "small", text: str = "hello", **more: Any) -> requests.Response:
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return requests.post(f"{endpoint.url}/chat/completions", json=body, timeout=15)


def events(response: requests.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_models_of_the_script_are_listed() -> None:
    with Endpoint({"small": [], "large": []}) as endpoint:
        listed = requests.get(f"{endpoint.url}/models", timeout=15).json()["data"]
    assert [one["id"] for one in listed] == ["small", "large"]


def test_an_endpoint_may_have_no_list() -> None:
    with Endpoint({"small": []}, listed=()) as endpoint:
        assert requests.get(f"{endpoint.url}/models", timeout=15).status_code == 404


def test_a_script_sees_the_request_and_its_reply_is_streamed_with_usage_last() -> None:
    def script(request: ChatRequest) -> Scripted:
        return Scripted(f"{request.number}: {request.messages[-1].text.upper()} and some more words to fill chunks")

    with Endpoint({"small": script}) as endpoint:
        ask(endpoint)
        chunks = events(ask(endpoint, stream=True, stream_options={"include_usage": True}))
        assert [served.request.number for served in endpoint.log] == [0, 1]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])
    assert text == "1: HELLO and some more words to fill chunks"
    assert len(chunks) > 4
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == count_tokens(text) == endpoint.log[1].completion_tokens


def test_without_include_usage_a_stream_reports_none() -> None:
    with Endpoint({"small": [Scripted("hi")]}) as endpoint:
        assert not any("usage" in chunk for chunk in events(ask(endpoint, stream=True)))


def test_a_list_is_consumed_in_order_and_its_end_is_said() -> None:
    with Endpoint({"small": [Scripted("one"), Scripted("two")]}) as endpoint:
        texts = [ask(endpoint).json()["choices"][0]["message"]["content"] for _ in range(2)]
        third = ask(endpoint)
    assert texts == ["one", "two"]
    assert third.status_code == 500
    assert "exhausted after 2 replies" in third.json()["error"]["message"]


def test_the_callers_limit_cuts_the_text() -> None:
    with Endpoint({"small": lambda _: Scripted("one two six ten")}) as endpoint:
        short = ask(endpoint, max_tokens=2).json()["choices"][0]
        long = ask(endpoint, max_completion_tokens=9).json()["choices"][0]
    assert short["message"]["content"].split() == ["one", "two"]
    assert short["finish_reason"] == "length"
    assert long == {"index": 0, "message": {"role": "assistant", "content": "one two six ten"}, "finish_reason": "stop"}


def test_a_missing_key_is_401_and_the_right_one_is_not() -> None:
    with Endpoint({"small": [Scripted("hi")]}, key="right") as endpoint:
        assert ask(endpoint).status_code == 401
        assert requests.get(f"{endpoint.url}/models", headers={"Authorization": "Bearer right"}, timeout=15).ok
        assert endpoint.log == []
        assert endpoint.seen[1][1]["authorization"] == "Bearer right"


@pytest.mark.parametrize(
    ("name", "status", "sent"),
    [
        ("max_tokens", 400, {"max_tokens": 5}),
        ("stream_options", 422, {"stream": True, "stream_options": {"include_usage": True}}),
        ("json_schema", 400, {"response_format": {"type": "json_schema"}}),
    ],
)
def test_a_refused_parameter_is_named(name: str, status: int, sent: dict[str, Any]) -> None:
    with Endpoint({"small": lambda _: Scripted("hi")}, refuse={name: status}) as endpoint:
        refused = ask(endpoint, **sent)
        assert refused.status_code == status
        assert name in refused.text
        assert ask(endpoint).ok


def test_scripted_errors_carry_their_headers_and_body() -> None:
    reply = Scripted("slow down", 429, {"Retry-After": "7"})
    with Endpoint({"small": [reply, Scripted(status=503, body="<html>")]}) as endpoint:
        first, second = ask(endpoint), ask(endpoint)
    assert (first.status_code, first.headers["retry-after"]) == (429, "7")
    assert first.json()["error"]["message"] == "slow down"
    assert (second.status_code, second.text) == (503, "<html>")


def test_a_cut_breaks_the_connection() -> None:
    with (
        Endpoint({"small": [Scripted("many words that take several chunks to send", cut=2)]}) as endpoint,
        pytest.raises(requests.exceptions.ChunkedEncodingError),
    ):
        ask(endpoint, stream=True)


def test_a_client_that_leaves_is_noticed_and_closing_does_not_wait_for_the_script() -> None:
    began = time.monotonic()
    with Endpoint({"small": lambda _: Scripted("word " * 5000, delay=0.01)}) as endpoint:
        body = {"model": "small", "messages": [], "stream": True}
        with requests.post(f"{endpoint.url}/chat/completions", json=body, stream=True, timeout=15) as response:
            next(response.iter_content(10))
        until(lambda: endpoint.log[0].hung_up)
    with Endpoint({"small": lambda _: Scripted("never", hang=600)}) as endpoint:
        with contextlib.suppress(requests.exceptions.ReadTimeout):
            requests.post(f"{endpoint.url}/chat/completions", json=body, timeout=0.2)
        until(lambda: bool(endpoint.log))
    assert time.monotonic() - began < 60


def test_usage_can_be_scripted_or_left_out() -> None:
    with Endpoint({"small": [Scripted("a", usage=Usage(9, 8, 7)), Scripted("b", usage="missing")]}) as endpoint:
        told, untold = ask(endpoint).json(), ask(endpoint).json()
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": 7}
    assert "usage" not in untold


@given(st.text())
def test_a_text_never_counts_more_tokens_than_bytes(text: str) -> None:
    assert count_tokens(text) <= len(text.encode())


def test_the_counter_follows_its_rule() -> None:
    assert [count_tokens(text) for text in ("", "words", "wordier", "a b", "a  b", "12345", "x = f(1)")] == [
        0,
        1,
        2,
        2,
        3,
        2,
        6,
    ]
    assert [count_tokens(text) for text in ("é", "привет", "你好", "🙂", "\ud800")] == [1, 3, 2, 4, 1]
    assert count_prompt([Message("user", "word"), Message("user", "")]) == 1 + 2 * 4 + 3
