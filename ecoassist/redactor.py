"""One redactor for every border: each form of a key becomes the name of its variable in brackets. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from operator import is_
from typing import TypeVar, cast

from .errors import EcoassistError, Interrupted
from .events import FLEETING, Answered, Asked, Event, Notice, Output, R, Stream, TextDelta, Tick, through
from .masks import SHORTEST_KEY, MaskedStream, Masks

T = TypeVar("T")


class Redactor:
    """Knows keys by the names of their variables.

    Left alone are values shorter than SHORTEST_KEY, and a name that stands in for its own value: prompts tell names.
    """

    def __init__(self, keys: Iterable[tuple[str, str]] = ()) -> None:
        """`keys`: pairs of name and value."""
        stripped = ((name, value.strip()) for name, value in keys)
        marks = {value: f"[{name}]" for name, value in stripped if len(value) >= SHORTEST_KEY and value != name}
        self._masks = Masks(tuple(marks.items()), encoded=False) if marks else None

    def text(self, text: str) -> str:
        """`text` with [NAME] in place of each form of a key."""
        if not self._masks or len(text) < SHORTEST_KEY:
            return text
        raw = text.encode("utf-8", "surrogatepass")
        clean = self._masks.cover(raw)
        return text if clean is raw else clean.decode("utf-8", "surrogatepass")

    def value(self, value: T) -> T:
        """The same for every text in dataclasses, tuples, lists and dictionaries; the very object where none has a key.

        Bytes are left as they are.
        """
        return cast(T, self._walked(value)) if self._masks else value

    def error(self, error: BaseException) -> None:
        """Takes keys out of an exception, and of all that it is chained to, in place."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            one.args = self.value(one.args)
            if isinstance(one, EcoassistError):
                one.remedy = self.text(one.remedy)
            waiting += [one.__cause__, one.__context__]

    def events(self, stream: Stream[R]) -> Stream[R]:
        """`stream` with keys taken out of its events, its result and what it raises; also where one comes in pieces."""
        if not self._masks:
            return (yield from stream)
        live = _Live(self, self._masks)
        try:
            result = yield from through(stream, live.each)
        except EcoassistError as error:
            self.error(error)
            raise
        yield from live.flush()
        return self.value(result)

    def _walked(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, tuple | list):
            items = list(map(self._walked, value))  # map takes one level of the stack: JSON may be nested deeply
            same = all(map(is_, items, value))
            return value if same else tuple(items) if isinstance(value, tuple) else items
        if isinstance(value, dict):
            keys, items = list(map(self._walked, value)), list(map(self._walked, value.values()))
            same = all(map(is_, keys, value)) and all(map(is_, items, value.values()))
            return value if same else dict(zip(keys, items, strict=True))
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._rebuilt(value)
        return value

    def _rebuilt(self, value: object) -> object:
        changed = {}
        for field in dataclasses.fields(value):  # type: ignore[arg-type] # the caller has looked
            old = getattr(value, field.name)
            if (new := self._walked(old)) is not old:
                changed[field.name] = new
        return dataclasses.replace(value, **changed) if changed else value  # type: ignore[type-var]


class _Live:
    """The texts that come in pieces. Held back is what may be the beginning of a key, until a durable event."""

    def __init__(self, redactor: Redactor, masks: Masks) -> None:
        self._redactor, self._masks = redactor, masks
        self._held: dict[str, MaskedStream] = {}
        """By the name of the output; "" is the reply's."""
        self._stopped: Interrupted | None = None
        """Was thrown where the stream itself cannot be interrupted; it follows at its next fleeting event."""

    def each(self, event: Event) -> Stream[str | None]:
        if isinstance(event, TextDelta | Output):
            event = self._piece(event)
        elif isinstance(event, Notice) and event.drop_live:
            self._held.pop("", None)
        elif not isinstance(event, Notice | Asked | Answered | Tick):
            yield from self.flush()
        answer = yield self._redactor.value(event)
        if self._stopped and isinstance(event, FLEETING):
            stop, self._stopped = self._stopped, None
            raise stop
        return answer

    def flush(self) -> Stream[None]:
        """All that was held back."""
        while self._held:
            name = next(iter(self._held))  # in the order in which they began
            stream = self._held.pop(name)
            if text := _decoded(stream.end()):
                try:
                    yield _piece_of(name, text)
                except Interrupted as stop:
                    self._stopped = stop

    def _piece(self, event: TextDelta | Output) -> Event:
        name = event.stream if isinstance(event, Output) else ""
        stream = self._held.setdefault(name, MaskedStream(self._masks))
        text = _decoded(stream.feed(event.text.encode("utf-8", "surrogatepass")))
        return _piece_of(name, text) if text else Tick()


def _piece_of(name: str, text: str) -> Event:
    return Output(text, "stderr" if name == "stderr" else "stdout") if name else TextDelta(text)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
