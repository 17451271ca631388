"""The objects that a scripted reply is sent as, whole or in chunks; tokens are counted as they go out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ecoassist.cards.tokens import PIECE, count_tokens, weight

from .kinds import Kind, message, thought, told, usage
from .script import Scripted, Served, tokens, within


def whole(kind: Kind, served: Served, reply: Scripted) -> dict[str, Any]:
    """A reply that is not streamed."""
    pieces, finish = within(served.request.limit, reply)
    served.completion_tokens = sum(map(weight, pieces)) + count_tokens(reply.reasoning)
    said = message(kind, "".join(pieces), reply.reasoning)
    choice = {"index": 0, "message": said, "finish_reason": finish, **kind.choice}
    answer = _frame(served, "chat.completion", [] if reply.empty else [choice])
    counted = usage(kind, served, reply)
    return {**answer, "usage": counted} if counted else answer


def chunks(kind: Kind, served: Served, reply: Scripted, due: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """A reply in chunks. `due` is called before each, waits until it is due and raises where nobody is there for it."""
    if kind.opening is not None:
        yield dict(kind.opening)
    pieces, finish = within(served.request.limit, reply)
    for is_thought, parts in ((True, PIECE.findall(reply.reasoning)), (False, pieces)):
        sent = tokens(parts)
        for at in range(0, len(sent), reply.pieces):
            due()
            text = "".join(sent[at : at + reply.pieces])
            served.completion_tokens += count_tokens(text)
            if delta := thought(kind, text) if is_thought else {"content": text}:
                yield _chunk(kind, served, delta, None)
    yield {**_chunk(kind, served, {}, finish), **told(kind, served, reply)}
    options = served.request.body.get("stream_options") or {}
    counted = usage(kind, served, reply)
    if counted and kind.usage == "asked" and options.get("include_usage"):
        yield {**_frame(served, "chat.completion.chunk", []), "usage": counted}


def failed(kind: Kind, served: Served, failure: str) -> object:
    """The chunk that ends a stream in an error."""
    error = kind.failure(502, failure, None, None)
    frame = _chunk(kind, served, {"content": ""}, "error")
    return {**frame, **error} if isinstance(error, dict) else error


def _chunk(kind: Kind, served: Served, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    return _frame(
        served, "chat.completion.chunk", [{"index": 0, "delta": delta, "finish_reason": finish, **kind.choice}]
    )


def _frame(served: Served, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    model, number = served.request.model, served.request.number
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 0, "model": model, "choices": choices}
