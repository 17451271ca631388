"""The redactor: texts, values, exceptions, and streams in which a key comes in pieces."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecoassist.config import ApiConfig, Config
from ecoassist.errors import Interrupted, ProviderError
from ecoassist.events import (
    FLEETING,
    AttemptFinished,
    CellFinished,
    CellStarted,
    Event,
    Finished,
    Notice,
    Output,
    Stream,
    TextDelta,
    Tick,
    encode,
)
from ecoassist.keys import Keys
from ecoassist.play import Stop, play
from ecoassist.redactor import Redactor
from ecoassist.types import Answer, Attempt, CellError, CellResult, Outcome, Reply, Turn, Verdict

KEY = "sk-l1ve/T0P+sécret=99"
PLAIN = "0123456789abcdef"
REDACTOR = Redactor([("A_KEY", KEY), ("B_KEY", PLAIN), ("SHORT", "abc")])
FORMS = [
    KEY,
    PLAIN,
    quote(KEY, safe=""),
    quote(quote(KEY, safe=""), safe=""),
    json.dumps(KEY, ensure_ascii=False)[1:-1],
    KEY.encode().hex(),
    KEY.encode().hex().upper(),
    base64.b64encode(PLAIN.encode()).decode().rstrip("="),
    "".join(f"\\u{ord(letter):04x}" for letter in PLAIN),
]


class Seen:
    """A sink that keeps what it is handed."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def handle(self, event: Event) -> None:
        self.events.append(event)

    def text(self, kind: type[TextDelta] | type[Output]) -> str:
        return "".join(
            event.text for event in self.events if isinstance(event, TextDelta | Output) and type(event) is kind
        )


def clean(text: str) -> bool:
    """Whether no form of a key is in it."""
    return not any(form in text for form in FORMS)


# ── texts and values ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_key_becomes_the_name_of_its_variable(form: str) -> None:
    said = REDACTOR.text(f"<{form}>")

    assert said.startswith(("<[A_KEY]", "<[B_KEY]"))
    assert clean(said)


def test_a_value_too_short_to_be_a_key_is_left_alone() -> None:
    assert REDACTOR.text("abc abc") == "abc abc"


def test_a_variable_that_holds_its_own_name_has_no_key() -> None:
    said = 'use os.environ["WEATHER_KEY"]'

    assert Redactor([("WEATHER_KEY", "WEATHER_KEY")]).text(said) == said


def test_text_without_a_key_is_the_same_object() -> None:
    for text in ("", "nothing here", "sk-l1ve", "\udc80 half a character", "é" * 99):
        assert REDACTOR.text(text) is text


def test_text_that_is_not_unicode_is_redacted_too() -> None:
    assert REDACTOR.text(f"\udc80{PLAIN}\ud800") == "\udc80[B_KEY]\ud800"


def test_a_key_copied_with_a_line_end_is_found_without_it() -> None:
    assert Redactor([("A_KEY", f"{PLAIN}\n")]).text(f"({PLAIN})") == "([A_KEY])"


@pytest.mark.parametrize("key", ["password", r".*+?^${}()|[]\x", "%%%%%%%%", '\\"\\"\\"\\"', "[A_KEY][A_KEY]"])
def test_odd_keys_are_only_text(key: str) -> None:
    redactor = Redactor([("A_KEY", key)])

    assert redactor.text(f"a {key} b {quote(key, safe='')} c") == "a [A_KEY] b [A_KEY] c"
    assert redactor.text("nothing of it") == "nothing of it"


def test_of_two_keys_the_longer_one_wins() -> None:
    redactor = Redactor([("SHORTER", PLAIN), ("LONGER", PLAIN + "xyz")])

    assert redactor.text(f"{PLAIN}xyz {PLAIN}xy") == "[LONGER] [SHORTER]xy"


def test_a_value_without_a_key_is_the_same_object() -> None:
    outcome = _outcome("nothing")

    assert REDACTOR.value(outcome) is outcome
    assert Redactor().value(outcome) is outcome


def test_keys_are_taken_out_of_every_depth_of_a_value() -> None:
    outcome = _outcome(KEY)

    cleaned = REDACTOR.value(outcome)

    assert clean(repr(cleaned))
    assert clean(encode(Finished(cleaned)))
    assert KEY in repr(outcome)
    assert cleaned.answer == Answer("it is [A_KEY]", {"[A_KEY]": ["[A_KEY]", 7, None]})


def test_bytes_are_left_as_they_are() -> None:
    assert REDACTOR.value((PLAIN.encode(), 3)) == (PLAIN.encode(), 3)


def test_exceptions_and_their_causes_lose_their_keys() -> None:
    try:
        try:
            raise ValueError("inner", KEY)
        except ValueError as cause:
            raise ProviderError(f"refused {KEY}", f"unset {quote(KEY)}") from cause
    except ProviderError as caught:
        error = caught
    REDACTOR.error(error)

    assert (str(error), error.remedy) == ("refused [A_KEY]", "unset [A_KEY]")
    assert error.__cause__
    assert error.__cause__.args == ("inner", "[A_KEY]")


def test_nothing_that_is_printed_of_a_configuration_holds_a_key() -> None:
    api = ApiConfig(host="api.example.com", secret="A_KEY")
    config = Config(apis={"x": api}, environ={"A_KEY": KEY}, keys=Keys({"A_KEY": KEY}, None, ["A_KEY"]))

    assert clean(f"{config!r} {config} {config.model_dump()} {config.model_dump_json()} {api!r} {REDACTOR!r}")


def _outcome(text: str) -> Outcome:
    result = CellResult("error", f"a {text}", error=CellError("KeyError", text, f"Traceback: {text}"), value=text)
    turn = Turn(Reply(f"use {text}"), f"print({text!r})", result)
    answer = Answer(f"it is {text}", {text: [text, 7, None]})
    return Outcome("solved", answer, Verdict(True, "model", text), (Attempt("cheap", (turn,), "answered"),))


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def streamed(*events: Event, result: object = None) -> Seen:
    def source() -> Stream[object]:
        yield from events
        return result

    seen = Seen()
    play(REDACTOR.events(source()), [seen])
    return seen


@settings(deadline=None)
@given(st.sampled_from(FORMS), st.lists(st.integers(1, 9), max_size=30), st.booleans())
def test_a_key_that_comes_in_pieces_is_never_shown(form: str, sizes: list[int], output: bool) -> None:
    said, pieces = f"it is {form}, they say", []
    for size in sizes:
        pieces.append(said[:size])
        said = said[size:]
    kind = Output if output else TextDelta
    seen = streamed(*[kind(piece) for piece in [*pieces, said]], CellStarted("x"))

    assert clean(seen.text(kind))
    assert seen.text(kind) == REDACTOR.text(f"it is {form}, they say")


def test_what_was_held_back_comes_before_the_next_durable_event() -> None:
    seen = streamed(TextDelta("it is sk-"), Output("0123", "stderr"), Notice("wait"), CellStarted("x"))

    assert seen.events[:3] == [TextDelta("it is "), Tick(), Notice("wait")]
    assert seen.events[3:5] == [TextDelta("sk-"), Output("0123", "stderr")]
    assert seen.events[5:] == [CellStarted("x")]


def test_the_two_outputs_do_not_mix() -> None:
    seen = streamed(Output(PLAIN[:8]), Output("x", "stderr"), Output(PLAIN[8:]), CellStarted("x"))

    assert [event for event in seen.events if event != Tick()] == [
        Output("x", "stderr"),
        Output("[B_KEY]"),
        CellStarted("x"),
    ]


def test_a_notice_between_two_halves_of_a_key_does_not_set_them_free() -> None:
    seen = streamed(TextDelta(PLAIN[:8]), Notice("a retry?"), TextDelta(PLAIN[8:]), CellStarted("x"))

    assert seen.text(TextDelta) == "[B_KEY]"


def test_text_that_will_be_sent_again_is_dropped_with_what_was_held_back() -> None:
    seen = streamed(TextDelta(PLAIN[:8]), Notice("again", drop_live=True), TextDelta(PLAIN), CellStarted("x"))

    assert seen.text(TextDelta) == "[B_KEY]"


def test_the_result_of_a_stream_and_its_end_are_clean() -> None:
    def source() -> Stream[str]:
        yield TextDelta("0123")
        return KEY

    seen = Seen()

    assert play(REDACTOR.events(source()), [seen]) == "[A_KEY]"
    assert seen.text(TextDelta) == "0123"


def test_what_a_stream_raises_is_clean() -> None:
    def source() -> Stream[None]:
        yield CellFinished(CellResult("ok", KEY))
        raise ProviderError(f"401: {KEY}")

    seen = Seen()
    with pytest.raises(ProviderError, match=r"401: \[A_KEY\]"):
        play(REDACTOR.events(source()), [seen])
    assert seen.events == [CellFinished(CellResult("ok", "[A_KEY]"))]


@pytest.mark.parametrize("stop_at", range(8))
def test_an_interruption_reaches_the_stream_only_where_the_stream_is_fleeting(stop_at: int) -> None:
    met: list[Event] = []

    def source() -> Stream[str]:
        for event in (
            TextDelta("a 0123"),
            AttemptFinished(Attempt("t", (), "answered")),
            Tick(),
            Output("0123"),
            Tick(),
        ):
            try:
                yield event
            except Interrupted:
                met.append(event)
                return "stopped"
        return "done"

    stop = Stop()

    class Stopping(Seen):
        def handle(self, event: Event) -> None:
            super().handle(event)
            if len(self.events) > stop_at:
                stop.request()

    result = play(REDACTOR.events(source()), [Stopping()], stop=stop)

    assert all(isinstance(event, FLEETING) for event in met)
    assert result == ("stopped" if met else "done")
    assert bool(met) == (stop_at < 6)


def test_an_interruption_that_waits_for_a_fleeting_event_takes_nothing_from_it() -> None:
    def source() -> Stream[str]:
        yield TextDelta("0123")
        yield CellStarted("x")
        try:
            yield Output("all of it")
        except Interrupted:
            return "stopped"
        return "done"

    stop = Stop()

    class Stopping(Seen):
        def handle(self, event: Event) -> None:
            super().handle(event)
            if event == TextDelta("0123"):
                stop.request()

    seen = Stopping()

    assert play(REDACTOR.events(source()), [seen], stop=stop) == "stopped"
    assert seen.text(Output) == "all of it"


def test_a_redactor_that_knows_nothing_hands_events_through_untouched() -> None:
    event = TextDelta("sk-")
    seen = Seen()

    def source() -> Stream[None]:
        yield event

    play(Redactor().events(source()), [seen])

    assert seen.events[0] is event
