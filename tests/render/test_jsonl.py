from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from ecoassist.events import FLEETING, Event, decode
from ecoassist.render.jsonl import JsonlSink


def test_every_line_is_an_event_and_the_last_one_is_finished(solved: list[Event]) -> None:
    stream = io.StringIO()
    sink = JsonlSink(stream)
    for event in solved:
        sink.handle(event)
    assert [decode(line) for line in stream.getvalue().splitlines()] == [
        e for e in solved if not isinstance(e, FLEETING)
    ]
    assert json.loads(stream.getvalue().splitlines()[-1])["event"] == "Finished"


def test_json_lines_are_utf8_whatever_the_console_speaks(solved: list[Event]) -> None:
    raw = io.BytesIO()
    sink = JsonlSink(io.TextIOWrapper(raw, encoding="ascii"))
    for event in solved:
        sink.handle(event)
    assert "3 °C" in raw.getvalue().decode()


def test_hostile_text_is_escaped_and_comes_back_whole(hostile: Callable[[type], Any], every_event: list[type]) -> None:
    for kind in every_event:
        stream = io.StringIO()
        event = hostile(kind)
        JsonlSink(stream).handle(event)
        line = stream.getvalue().removesuffix("\n")
        assert line.isprintable()
        assert not line or decode(line) == event
