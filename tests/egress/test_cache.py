"""A run's memory of what it was answered: order, what makes two calls equal, bounds, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ecoassist.egress.cache import Asked, Cache, Kept, Rerun

HTML = ((b"content-type", b"text/html"),)


def asked(target: bytes = b"/data", host: str = "api.test", port: int = 443, tls: bool = True, **headers: str) -> Asked:
    """A header's name is written with _ for -."""
    sent = tuple((name.replace("_", "-").encode(), text.encode()) for name, text in headers.items())
    return Asked(host, port, tls, target, sent)


def answer(
    cache: Cache,
    request: Asked,
    body: bytes,
    headers: tuple[tuple[bytes, bytes], ...] = HTML,
    status: int = 200,
    complete: bool = True,
) -> None:
    """What a gate does with a response."""
    recording = cache.recording(request)
    recording.head(status, b"OK", headers)
    for start in range(0, len(body), 7):
        recording.feed(body[start : start + 7])
    if complete:
        recording.complete()
    recording.drop()


def body(kept: Kept | None) -> bytes | None:
    return kept.body if kept else None


def found(view: Cache | Rerun, request: Asked, times: int = 1) -> list[bytes | None]:
    return [body(view.find(request)) for _ in range(times)]


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_within_one_attempt_every_call_is_sent() -> None:
    cache = Cache()
    cache.begin_attempt()
    answer(cache, asked(), b"one")
    assert found(cache, asked()) == [None]


def test_the_next_attempt_gets_the_responses_in_their_order_and_then_the_host_is_asked() -> None:
    cache = Cache()
    cache.begin_attempt()
    answer(cache, asked(), b"one")
    answer(cache, asked(), b"two")
    cache.begin_attempt()
    assert found(cache, asked(), 3) == [b"one", b"two", None]
    answer(cache, asked(), b"three")
    assert found(cache, asked()) == [None]
    cache.begin_attempt()
    assert found(cache, asked(), 4) == [b"one", b"two", b"three", None]


def test_a_re_run_gets_the_same_and_the_last_one_again_and_has_an_order_of_its_own() -> None:
    cache = Cache()
    cache.begin_attempt()
    first = cache.rerun()
    assert found(first, asked()) == [None]
    answer(cache, asked(), b"one")
    answer(cache, asked(), b"two")
    assert found(cache.rerun(), asked(), 4) == [b"one", b"two", b"two", b"two"]
    assert found(first, asked(), 2) == [b"one", b"two"]
    assert first.recording(asked()) is None


def test_a_response_that_arrives_in_the_next_attempt_belongs_to_the_one_that_asked() -> None:
    cache = Cache()
    cache.begin_attempt()
    late = cache.recording(asked())
    late.head(200, b"OK", HTML)
    cache.begin_attempt()
    assert found(cache, asked()) == [None]
    late.feed(b"late")
    late.complete()
    assert found(cache, asked()) == [b"late"]


def test_an_attempt_that_changes_something_at_a_host_sees_what_became_of_it() -> None:
    cache = Cache()
    cache.begin_attempt()
    other = asked(host="other.test")
    answer(cache, asked(), b"one")
    answer(cache, other, b"other")
    cache.begin_attempt()
    cache.changes("api.test")
    assert found(cache, asked()) == [None]
    assert found(cache, other) == [b"other"]
    cache.begin_attempt()
    assert found(cache, asked()) == [b"one"]


# ── which calls are equal ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "other",
    [
        asked(b"/data?page=2"),
        asked(b"/Data"),
        asked(host="other.test"),
        asked(port=444),
        asked(port=443, tls=False),
        asked(accept="text/csv"),
        asked(authorization="Bearer another-placeholder"),
        asked(x_api_key="another-placeholder"),
        asked(cookie="session=2"),
        asked(range="bytes=0-9"),
        asked(accept_language="de"),
    ],
    ids=lambda one: f"{one.host}:{one.port} {one.target!r} {one.headers!r}",
)
def test_a_call_that_asks_for_something_else_is_sent(other: Asked) -> None:
    cache = Cache()
    answer(cache, asked(), b"one")
    cache.begin_attempt()
    assert found(cache, other) == [None]
    assert found(cache, asked()) == [b"one"]


@pytest.mark.parametrize(
    "same",
    [asked(user_agent="httpx"), asked(accept="*/*"), asked(accept_encoding="br"), asked(connection="close")],
    ids=lambda one: repr(one.headers),
)
def test_another_client_that_asks_for_the_same_gets_the_same(same: Asked) -> None:
    cache = Cache()
    answer(cache, asked(user_agent="requests", accept_encoding="gzip"), b"one", (*HTML, (b"vary", b"Accept-Encoding")))
    cache.begin_attempt()
    assert found(cache, same) == [b"one"]


def test_what_the_response_varies_with_makes_another_question() -> None:
    cache = Cache()
    answer(cache, asked(user_agent="phone"), b"small", (*HTML, (b"vary", b"Accept, User-Agent")))
    cache.begin_attempt()
    assert found(cache, asked(user_agent="desk")) == [None]
    assert found(cache, asked()) == [None]
    assert found(cache, asked(user_agent="phone")) == [b"small"]


def test_a_packed_body_is_for_those_who_take_its_packing() -> None:
    cache = Cache()
    answer(cache, asked(accept_encoding="gzip"), b"packed", (*HTML, (b"content-encoding", b"gzip")))
    cache.begin_attempt()
    assert found(cache, asked()) == [None]
    assert found(cache, asked(accept_encoding="gzip")) == [b"packed"]


# ── what is kept ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 301, 304, 404, 429, 500])
def test_only_a_200_is_kept(status: int) -> None:
    cache = Cache()
    answer(cache, asked(), b"one", status=status)
    assert found(cache.rerun(), asked()) == [None]


@pytest.mark.parametrize("name", [b"text/event-stream", b"Text/Event-Stream; charset=utf-8"])
def test_an_event_stream_is_not_kept(name: bytes) -> None:
    cache = Cache()
    answer(cache, asked(), b"one", ((b"content-type", name),))
    assert found(cache.rerun(), asked()) == [None]


def test_a_response_that_varies_with_everything_is_not_kept() -> None:
    cache = Cache()
    answer(cache, asked(), b"one", ((b"vary", b"accept"), (b"vary", b"*")))
    assert found(cache.rerun(), asked()) == [None]


def test_a_response_that_broke_off_is_not_kept_and_takes_no_room() -> None:
    cache = Cache()
    answer(cache, asked(), b"half of it", complete=False)
    assert found(cache.rerun(), asked()) == [None]
    assert cache.held == 0


@pytest.mark.parametrize("control", [b"private", b"no-store", b"max-age=0, must-revalidate"])
def test_the_host_s_word_on_caching_does_not_count_in_the_memory_of_one_run(control: bytes) -> None:
    cache = Cache()
    answer(cache, asked(), b"one", (*HTML, (b"cache-control", control)))
    assert found(cache.rerun(), asked()) == [b"one"]


def test_head_and_body_come_back_as_they_were_sent() -> None:
    cache = Cache()
    headers = (*HTML, (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"))
    answer(cache, asked(), bytes(range(256)), headers)
    assert cache.rerun().find(asked()) == Kept(b"OK", headers, bytes(range(256)))


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_response_larger_than_one_may_be_is_not_kept() -> None:
    cache = Cache(most_of_one=1_000)
    answer(cache, asked(), b"x" * 1_001)
    assert cache.held == 0
    answer(cache, asked(), b"x" * 900)
    assert found(cache.rerun(), asked()) == [b"x" * 900]


def test_a_response_for_which_there_is_no_room_is_not_kept_and_those_before_it_stay() -> None:
    cache = Cache(most=1_000)
    answer(cache, asked(b"/1"), b"x" * 700)
    answer(cache, asked(b"/2"), b"x" * 700)
    answer(cache, asked(b"/3"), b"x" * 100)
    assert found(cache.rerun(), asked(b"/1")) == [b"x" * 700]
    assert found(cache.rerun(), asked(b"/2")) == [None]
    assert found(cache.rerun(), asked(b"/3")) == [b"x" * 100]
    assert 800 < cache.held <= 1_000


def test_responses_under_way_count_before_they_are_complete() -> None:
    cache = Cache(most=1_000)
    recordings = [cache.recording(asked(b"/%d" % number)) for number in range(20)]
    for recording in recordings:
        recording.head(200, b"OK", ())
        recording.feed(b"x" * 400)
    assert cache.held <= 1_000
    for recording in recordings:
        recording.drop()
    assert cache.held == 0


def test_there_are_only_so_many_responses_and_heads_count_as_well() -> None:
    cache = Cache(entries=3, most=10_000)
    for number in range(5):
        answer(cache, asked(b"/%d" % number), b"")
    assert [found(cache.rerun(), asked(b"/%d" % number))[0] for number in range(5)] == [b"", b"", b"", None, None]
    answer(crowded := Cache(most=100), asked(), b"", ((b"x-long", b"x" * 200),))
    assert found(crowded.rerun(), asked()) == [None]


def test_a_body_in_tiny_pieces_takes_no_more_than_its_bytes() -> None:
    cache = Cache()
    recording = cache.recording(asked())
    recording.head(200, b"OK", ())
    for _ in range(100_000):
        recording.feed(b"x")
    recording.complete()
    assert found(cache.rerun(), asked()) == [b"x" * 100_000]
    assert cache.held == 100_000 + len(b"/data")


def test_many_threads_at_once_lose_no_response_and_serve_none_twice() -> None:
    cache = Cache()
    cache.begin_attempt()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: answer(cache, asked(), b"%d" % number), range(400)))
        cache.begin_attempt()
        served = list(pool.map(lambda _: body(cache.find(asked())), range(400)))
    assert sorted(int(one or -1) for one in served) == list(range(400))
    assert found(cache, asked()) == [None]
