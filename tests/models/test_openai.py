"""The endpoint adapter over real HTTP, against an endpoint that plays well-behaved and broken servers."""

from __future__ import annotations

import email.utils
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, TypeAlias

import pytest

from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted, count_prompt, count_tokens
from ecoassist.errors import Interrupted, ProviderError
from ecoassist.events import Event, Stream, TextDelta, Tick
from ecoassist.models.guard import asked
from ecoassist.models.openai import OpenAIModel, Timeouts
from ecoassist.models.quirks import Quirks
from ecoassist.types import Message, Reply, Usage

Run: TypeAlias = Callable[[Stream[Reply]], tuple[Reply, list[Event]]]
Until: TypeAlias = Callable[[Callable[[], bool]], None]
Quickly: TypeAlias = Callable[[], AbstractContextManager[None]]

HELLO = [Message("system", "You are brief."), Message("user", "Say hello.")]
TEXT = "Hello to all of the world, and to everything that is in it."
SCHEMA = {
    "type": "object",
    "properties": {"solved": {"type": "boolean"}},
    "required": ["solved"],
    "additionalProperties": False,
}


def model(endpoint: Endpoint, **more: Any) -> OpenAIModel:
    return OpenAIModel("small", endpoint.url, "key-of-the-test", key_name="SMALL_KEY", **more)


def failure(run: Run, model: OpenAIModel) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        run(model.reply(HELLO, 50))
    return caught.value


@contextmanager
def raw_server(answer: bytes) -> Iterator[str]:
    """Answers every request with these bytes, whatever they are, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    received = b""
                    while b"messages" not in received:
                        received += connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


# ── a well-behaved server ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_reply_is_streamed_and_its_usage_is_the_endpoints(run: Run) -> None:
    with Endpoint({"small": [Scripted(TEXT)]}) as endpoint:
        reply, events = run(model(endpoint).reply(HELLO, 50))
    assert reply == Reply(TEXT, "stop", Usage(count_prompt(HELLO), count_tokens(TEXT)), None, "small")
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(deltas) == TEXT
    assert len(deltas) > 3
    assert events[0] == Tick()


def test_the_request_says_what_it_must_and_nothing_else(run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted("hi")}) as endpoint:
        run(model(endpoint).reply(HELLO, 50))
        run(model(endpoint).reply(HELLO))
    limited, unlimited = (served.request for served in endpoint.log)
    assert dict(limited.body) == {
        "model": "small",
        "messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Say hello."}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": asked(50),
    }
    assert "max_tokens" not in unlimited.body
    assert set(limited.headers) == {
        "host",
        "authorization",
        "content-type",
        "content-length",
        "accept",
        "accept-encoding",
        "user-agent",
        "connection",
    }
    assert limited.headers["authorization"] == "Bearer key-of-the-test"


def test_organization_and_project_are_sent_where_they_are_given(run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted("hi")}) as endpoint:
        run(model(endpoint, organization="org-1", project="proj-1").reply(HELLO))
    headers = endpoint.log[0].request.headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


@pytest.mark.parametrize(
    ("finish", "meaning"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "filter"), ("tool_calls", "stop")],
)
def test_the_reason_for_the_end_is_translated(finish: str, meaning: str, run: Run) -> None:
    with Endpoint({"small": [Scripted("x", finish=finish)]}) as endpoint:
        assert run(model(endpoint).reply(HELLO))[0].finish == meaning


def test_a_limit_that_the_server_keeps_ends_by_length(run: Run) -> None:
    with Endpoint({"small": [Scripted(TEXT)]}) as endpoint:
        reply, _ = run(model(endpoint).reply(HELLO, 5))
    assert reply.finish == "length"
    assert reply.usage == Usage(count_prompt(HELLO), asked(5))
    assert count_tokens(reply.text) == asked(5) < 5


def test_reasoning_is_paid_for_but_not_part_of_the_reply(run: Run) -> None:
    with Endpoint({"small": [Scripted("42", reasoning="think " * 20)]}) as endpoint:
        reply, events = run(model(endpoint).reply(HELLO))
    assert reply.text == "42"
    assert reply.usage is not None
    assert reply.usage.completion > 20
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["42"]


def test_cached_tokens_are_told_apart(run: Run) -> None:
    with Endpoint({"small": [Scripted("x", usage=Usage(100, 5, 80))]}) as endpoint:
        assert run(model(endpoint).reply(HELLO))[0].usage == Usage(100, 5, 80)


@pytest.mark.parametrize("usage", ["missing", Usage(0, 0), Usage(10**25, 5), Usage(5, 10**400), Usage(2**31, 5)])
def test_usage_that_is_missing_all_zero_or_absurd_is_unknown(usage: Any, run: Run) -> None:
    with Endpoint({"small": [Scripted(TEXT, usage=usage)]}) as endpoint:
        reply, _ = run(model(endpoint).reply(HELLO))
    assert (reply.text, reply.usage) == (TEXT, None)


# ── the environment ─────────────────────────────────────────────────────────────────────────────────────────────────


def environment_variables_of_the_client() -> set[str]:
    """Those that the source of the installed client reads for its settings."""
    import re
    from pathlib import Path

    import openai

    folder = Path(openai.__file__).parent
    files = [folder / "_client.py", folder / "_base_client.py", folder / "lib" / "_client_auth.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    return set(re.findall(r'os\.environ\.get\(\s*"(OPENAI_\w+)"', text))


def test_nothing_of_the_environment_reaches_another_endpoint() -> None:
    variables = environment_variables_of_the_client()
    assert variables >= {"OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"}
    leaks = {name: f"leak-{name.lower().replace('_', '-')}" for name in variables}
    script = (
        "from ecoassist.models.openai import OpenAIModel; from ecoassist.types import Message; import sys\n"
        "for _ in OpenAIModel('small', sys.argv[1], 'mine').reply([Message('user', 'hi')]): pass"
    )
    with (
        Endpoint({"small": lambda _: Scripted("hi")}) as first,
        Endpoint({"small": lambda _: Scripted("hi")}) as second,
    ):
        leaks["OPENAI_BASE_URL"] = first.url
        leaks["OPENAI_CUSTOM_HEADERS"] = (
            "X-Leak: leak-header\nAuthorization: Bearer leak-bearer\nUser-Agent: leak-agent"
        )
        leaks["HTTP_PROXY"] = leaks["http_proxy"] = first.url  # not for this machine
        run = [sys.executable, "-c", script, second.url]
        subprocess.run(run, env={**os.environ, **leaks}, check=True, timeout=60)
    assert first.seen == []
    assert len(second.seen) == 1
    assert "leak" not in json.dumps([second.seen, dict(second.log[0].request.body)])
    assert second.seen[0][1]["authorization"] == "Bearer mine"


# ── what servers refuse ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", ["stream_options", "max_tokens", "stream"])
def test_a_refused_parameter_is_left_out_and_remembered(name: str, status: int, run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted(TEXT)}, refuse={name: status}) as endpoint:
        ours = model(endpoint)
        replies = [run(ours.reply(HELLO, 50))[0].text for _ in range(2)]
    assert replies == [TEXT, TEXT]
    assert len(endpoint.seen) == 3, "asked in vain more than once"
    assert all(name not in served.request.body for served in endpoint.log)


def test_a_model_that_knows_only_the_newer_name_of_the_limit_gets_it(run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted(TEXT)}, refuse={"max_tokens": 400}) as endpoint:
        reply, _ = run(model(endpoint).reply(HELLO, 5))
    assert endpoint.log[0].request.body["max_completion_tokens"] == asked(5)
    assert reply.finish == "length"


def test_a_server_that_refuses_everything_optional_is_still_used(run: Run) -> None:
    refuse = {"stream_options": 422, "max_tokens": 400, "max_completion_tokens": 400, "stream": 400, "system": 400}
    refuse["response_format"] = 422
    with Endpoint({"small": lambda _: Scripted(TEXT)}, refuse=refuse) as endpoint:
        reply, events = run(model(endpoint).structured(SCHEMA).reply(HELLO, 50))
    assert reply == Reply(TEXT, "stop", reply.usage, None, "small")
    assert TextDelta(TEXT) in events
    assert dict(endpoint.log[0].request.body) == {
        "model": "small",
        "messages": [{"role": "user", "content": "You are brief.\n\nSay hello."}],
    }


def test_refusals_are_remembered_for_the_endpoint_and_model_they_came_from(run: Run) -> None:
    quirks = Quirks()
    script: Mapping[str, Callable[[ChatRequest], Scripted]] = {"small": lambda _: Scripted("hi")}
    with Endpoint(script, refuse={"stream_options": 422}) as strict, Endpoint(script) as lenient:
        run(model(strict, quirks=quirks).reply(HELLO))
        run(model(strict, quirks=quirks).reply(HELLO))
        run(model(lenient, quirks=quirks).reply(HELLO))
    assert len(strict.seen) == 3
    assert "stream_options" in lenient.log[0].request.body


@pytest.mark.parametrize(
    ("refuse", "form"),
    [({}, "json_schema"), ({"json_schema": 400}, "json_object"), ({"response_format": 400}, None)],
)
def test_structure_is_asked_for_as_far_as_the_endpoint_can(refuse: dict[str, int], form: str | None, run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted('{"solved": true}')}, refuse=refuse) as endpoint:
        plain = model(endpoint)
        run(plain.structured(SCHEMA).reply(HELLO))
        run(plain.structured(SCHEMA).reply(HELLO))
        run(plain.reply(HELLO))
    forms = [served.request.body.get("response_format", {}).get("type") for served in endpoint.log]
    assert forms == [form, form, None]
    if form == "json_schema":
        assert endpoint.log[0].request.body["response_format"]["json_schema"]["schema"] == SCHEMA


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_errors_that_may_pass_are_retryable_and_hardly_ever_billed(status: int, run: Run) -> None:
    body = '{"error": {"message": "busy"}}'
    with raw_server(f"HTTP/1.1 {status} Busy\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()) as url:
        error = failure(run, OpenAIModel("small", url, "k"))
    assert (error.retryable, error.billed) == (True, status == 408)  # Azure may charge for one that timed out
    assert f"HTTP {status}: busy" in str(error)


@pytest.mark.parametrize("after", ["7", "date", "soon", None])
def test_retry_after_is_read_as_seconds_or_as_a_date(after: str | None, run: Run) -> None:
    value = email.utils.formatdate(time.time() + 30, usegmt=True) if after == "date" else after
    reply = Scripted("slow down", 429, {"Retry-After": value} if value else {})
    with Endpoint({"small": [reply]}) as endpoint:
        seconds = failure(run, model(endpoint)).retry_after
    if after == "date":
        assert seconds is not None
        assert 15 < seconds <= 30
    else:
        assert seconds == {"7": 7.0}.get(str(after))


def test_a_storm_of_503_is_one_error_for_each_call(run: Run) -> None:
    with Endpoint({"small": lambda _: Scripted("storm", 503)}) as endpoint:
        assert all(failure(run, model(endpoint)).retryable for _ in range(3))
    assert len(endpoint.log) == 3, "the client itself tried again"


@pytest.mark.parametrize(
    ("reply", "words", "remedy"),
    [
        (Scripted("no such key", 401), "does not accept the key", "SMALL_KEY"),
        (Scripted("not yours", 403), "forbids", "SMALL_KEY"),
        (Scripted("The model does not exist", 404), "does not know this model", "doctor lists"),
        (Scripted("page not found", 404), "no chat there", "/v1"),
        (Scripted(status=302, headers={"location": "http://127.0.0.1:1/"}, body=""), "no chat there", "base_url"),
        (Scripted("This model's maximum context length is 8192 tokens", 400), "too long", "smaller files"),
        (Scripted("max_tokens is too large for the context window", 400), "too long", "smaller files"),
        (
            Scripted(status=429, body={"error": {"message": "quota", "code": "insufficient_quota"}}),
            "no credit",
            "add credit",
        ),
        (Scripted("what?", 418), "HTTP 418: what?", "doctor"),
    ],
)
def test_errors_that_stay_have_their_own_words_and_remedy(reply: Scripted, words: str, remedy: str, run: Run) -> None:
    with Endpoint({"small": [reply]}) as endpoint:
        error = failure(run, model(endpoint))
    assert words in str(error)
    assert remedy in error.remedy
    assert (error.retryable, error.billed) == (False, False)
    assert len(endpoint.seen) == 1


def test_no_message_holds_the_key_even_where_the_endpoint_echoes_it(run: Run) -> None:
    with Endpoint({"small": lambda r: Scripted(f"bad {r.headers['authorization']}", 400 + 100 * r.number)}) as endpoint:
        for _ in range(2):
            error = failure(run, model(endpoint))
            assert "key-of-the-test" not in f"{error} {error.remedy}"
            assert "[SMALL_KEY]" in str(error)
    assert "key-of-the-test" not in repr(model(endpoint))


def test_a_key_in_another_form_is_not_cut_in_two_by_the_length_of_a_message(run: Run) -> None:
    said = "x" * 180 + " " + b"key-of-the-test".hex()
    with Endpoint({"small": [Scripted(said, 400)]}) as endpoint:
        error = failure(run, model(endpoint))
    assert b"key-".hex() not in str(error)


def test_nothing_listening_is_retryable_and_not_billed(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(run, OpenAIModel("small", f"http://127.0.0.1:{port}/v1", "k"))
    assert "could not be reached" in str(error)
    assert (error.retryable, error.billed) == (True, False)


def test_a_stream_that_breaks_may_have_been_billed(run: Run) -> None:
    with Endpoint({"small": [Scripted(TEXT, cut=2)]}) as endpoint:
        error = failure(run, model(endpoint))
    assert "broke the connection" in str(error)
    assert (error.retryable, error.billed) == (True, True)


GARBAGE = [
    b"data: {not json\n\n",
    b"data: 5\n\n",
    b"data: null\n\n",
    b'data: {"choices": 5}\n\n',
    b'data: {"choices": [{"delta": 7, "finish_reason": 9}]}\n\n',
    b'data: {"error": {"message": "overloaded"}}\n\n',
    b"\xff\xfe\xfd",
    b"<html>hello</html>",
    b'data: {"choices": [{"delta": {"content": "half"}}]}\n\n',
    b'data: {"choices": [{"delta": {"content": "half"}}], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}\n\n',
    b'data: [{"error": {"message": "overloaded"}}]\n\n',
    b'data: {"object": "error", "message": "overloaded"}\n\n',
    b"",
]


@pytest.mark.parametrize("body", GARBAGE)
def test_garbage_is_a_provider_error(body: bytes, run: Run) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body) as url:
        error = failure(run, OpenAIModel("small", url, "k"))
    assert (error.retryable, error.billed) == (True, True)


@pytest.mark.parametrize("status", [200, 400, 404, 429, 500, 999])
@pytest.mark.parametrize(
    "rest",
    [b"content-encoding: gzip\r\n\r\nnot gzip", b"content-length: 99\r\n\r\nhalf", b"x\r\n\r\n", b"\r\n\xff\xfe"],
)
def test_an_answer_that_breaks_anywhere_is_a_provider_error(status: int, rest: bytes, run: Run) -> None:
    with raw_server(b"HTTP/1.1 %d X\r\n" % status + rest) as url:
        failure(run, OpenAIModel("small", url, "k"))


@pytest.mark.parametrize("kind", [b"text/event-stream", b"application/json"])
@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("line", [b"x", b": still here\n\n", b'data: {"choices": []}\n\n'])
def test_an_answer_without_an_end_does_not_fill_the_memory(kind: bytes, status: int, line: bytes, run: Run) -> None:
    head = b"HTTP/1.1 %d X\r\ncontent-type: %b\r\ncontent-length: 9999999\r\n\r\n" % (status, kind)
    with raw_server(head + line * (300_000 // len(line))) as url:
        error = failure(run, OpenAIModel("small", url, "k", most=200_000))
    assert "not a chat completion" in str(error)
    assert error.billed


def packed(data: bytes, wbits: int = 31) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("kind", [b"text/event-stream", b"application/json"])
@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_unpacks_to_more_than_fits_does_not_fill_the_memory(kind: bytes, status: int, run: Run) -> None:
    body = packed(b" " * 300_000)
    head = b"HTTP/1.1 %d X\r\ncontent-type: %b\r\ncontent-encoding: gzip\r\n\r\n" % (status, kind)
    with raw_server(head + body) as url:
        error = failure(run, OpenAIModel("small", url, "k", most=200_000))
    assert len(body) < 1_000
    assert "not a chat completion" in str(error)


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("GZIP", 31), ("x-gzip", 31), ("deflate", 15)])
def test_an_endpoint_that_packs_unasked_is_understood(encoding: str, wbits: int, run: Run) -> None:
    body = b'data: {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}\n\n'
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: {encoding}\r\n\r\n".encode()
    with raw_server(head + packed(body, wbits)) as url:
        reply, _ = run(OpenAIModel("small", url, "k").reply(HELLO))
    assert reply.text == "hi"


def test_an_encoding_that_nobody_asked_for_and_nobody_knows_is_a_provider_error(run: Run) -> None:
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: br\r\n\r\nx") as url:
        assert "not a chat completion" in str(failure(run, OpenAIModel("small", url, "k")))


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10**400, "completion_tokens": 1},
        {"prompt_tokens": 1, "completion_tokens": 10**19},
        {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 10**19},
        {"prompt_tokens": True, "completion_tokens": True},
        {"prompt_tokens": -5, "completion_tokens": "9"},
        {"prompt_tokens": 1.5, "completion_tokens": [9]},
    ],
)
def test_figures_that_no_reply_can_have_are_no_usage(usage: Any, run: Run) -> None:
    chunk = {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}], "usage": usage}
    body = f"data: {json.dumps(chunk)}\n\n".encode()
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body) as url:
        reply, _ = run(OpenAIModel("small", url, "k").reply(HELLO))
    assert (reply.text, reply.usage) == ("hi", None)


def test_of_several_choices_the_first_is_the_reply_in_whatever_order_they_come(run: Run) -> None:
    said: list[list[tuple[int, str | None]]] = [
        [(1, "no"), (0, "It ")],
        [(1, "pe")],
        [(0, "is 4")],
        [(1, None), (0, None)],
    ]
    body = b""
    for chunk in said:
        choices = [
            {"index": index, "delta": {"content": text}, "finish_reason": None if text else "stop"}
            for index, text in chunk
        ]
        body += f"data: {json.dumps({'choices': choices})}\n\n".encode()
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body) as url:
        reply, _ = run(OpenAIModel("small", url, "k").reply(HELLO))
    assert (reply.text, reply.finish) == ("It is 4", "stop")


@pytest.mark.parametrize("answer", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nx"])
def test_what_is_not_even_http_is_a_provider_error(answer: bytes, run: Run) -> None:
    with raw_server(answer) as url:
        assert failure(run, OpenAIModel("small", url, "k")).billed


def test_content_in_parts_and_unusual_totals_are_understood(run: Run) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "42"}]
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 31, "prompt_cache_hit_tokens": 4}
    chunk = {"choices": [{"delta": {"content": parts}, "finish_reason": "stop"}], "usage": usage}
    body = f"data: {json.dumps(chunk)}\n\n".encode()
    with raw_server(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + body) as url:
        reply, _ = run(OpenAIModel("small", url, "k").reply(HELLO))
    assert reply == Reply("42", "stop", Usage(10, 21, 4), None, "small")


# ── waiting, stopping, leaving ──────────────────────────────────────────────────────────────────────────────────────


def test_silence_ends_by_the_read_timeout(run: Run, quickly: Quickly) -> None:
    with quickly(), Endpoint({"small": [Scripted(TEXT, hang=600)]}) as endpoint:
        error = failure(run, model(endpoint, timeouts=Timeouts(read=0.3)))
    assert "sent nothing for 0.3 s" in str(error)
    assert (error.retryable, error.billed) == (True, True)


def test_a_reply_that_never_ends_is_ended_by_the_total_deadline(run: Run, until: Until, quickly: Quickly) -> None:
    with quickly(), Endpoint({"small": [Scripted("word " * 10_000, delay=0.2)]}) as endpoint:
        error = failure(run, model(endpoint, timeouts=Timeouts(total=0.5)))
        until(lambda: endpoint.log[0].hung_up)
    assert "not done after 0.5 s" in str(error)
    assert (error.retryable, error.billed) == (False, True)


def test_it_ticks_while_the_endpoint_thinks() -> None:
    with Endpoint({"small": [Scripted(TEXT, hang=600)]}) as endpoint:
        stream = model(endpoint).reply(HELLO)
        with closing(stream):
            assert list(itertools.islice(stream, 5)) == [Tick()] * 5


@pytest.mark.parametrize("reply", [Scripted("word " * 10_000, delay=0.02), Scripted(TEXT, hang=600)])
@pytest.mark.parametrize("leave", ["interrupt", "close"])
def test_leaving_keeps_what_came_and_hangs_up_at_once(
    reply: Scripted, leave: str, until: Until, quickly: Quickly
) -> None:
    with quickly(), Endpoint({"small": [reply]}) as endpoint:
        before = threading.active_count()
        stream = model(endpoint).reply(HELLO)
        until(lambda: bool(next(stream) and endpoint.log))
        seen = "" if reply.hang else next(event.text for event in stream if isinstance(event, TextDelta))
        if leave == "interrupt":
            with pytest.raises(StopIteration) as end:
                stream.throw(Interrupted())
            partial = end.value.value
            assert (partial.finish, partial.usage) == ("interrupted", None)
            assert bool(partial.text) == bool(seen)
        else:
            stream.close()
        until(lambda: not any(thread.name == "pump" for thread in threading.enumerate()))
        if not reply.hang:
            until(lambda: endpoint.log[0].hung_up)
    assert threading.active_count() <= before


def test_replies_of_one_model_can_run_side_by_side(run: Run) -> None:
    def echo(request: ChatRequest) -> Scripted:
        return Scripted(request.messages[-1].text * 20, delay=0.005)

    results: dict[str, str] = {}
    with Endpoint({"small": echo}) as endpoint:
        ours = model(endpoint)

        def ask(word: str) -> None:
            results[word] = run(ours.reply([Message("user", word)]))[0].text

        threads = [threading.Thread(target=ask, args=(f"w{number} ",)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == {f"w{number} ": f"w{number} " * 20 for number in range(8)}
