"""The event stream as JSON lines."""

from __future__ import annotations

from typing import TextIO

from ecoassist.events import FLEETING, Event, encode

from .plain import escaped, tolerant


class JsonlSink:
    """One durable event, notice or question per line; the last line of a question is Finished."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = tolerant(stream, "utf-8")

    def handle(self, event: Event) -> None:
        if not isinstance(event, FLEETING):
            self._stream.write(escaped(encode(event)) + "\n")
            self._stream.flush()
