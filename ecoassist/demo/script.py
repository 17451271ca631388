"""What a scripted endpoint is told to say, what it is asked, and how it counts tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ecoassist.cards.tokens import PIECE, count_tokens, weight
from ecoassist.types import Message, Usage

PER_MESSAGE, PER_PROMPT = 4, 3
"""Tokens a chat template adds, as in OpenAI's cookbook on counting tokens."""


def count_prompt(messages: Sequence[Message]) -> int:
    return sum(count_tokens(message.text) + PER_MESSAGE for message in messages) + PER_PROMPT


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a script is called with, and a line of the log once it was answered."""

    model: str
    messages: tuple[Message, ...]
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    """Names in lower case."""
    number: int
    """How many requests this model got before."""

    @property
    def limit(self) -> int | None:
        """The most tokens that the caller accepts."""
        limit = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        return limit if isinstance(limit, int) else None


@dataclass(frozen=True, slots=True)
class Scripted:
    """One scripted reply. The defaults make a well-behaved server."""

    text: str = ""
    status: int = 200
    """Anything else is an HTTP error with `body`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | Mapping[str, Any] | Sequence[Any] | None = None
    """Sent instead of all else; None: for an error, the endpoint's usual shape with `text` as message."""
    usage: Usage | Literal["count", "missing"] = "count"
    """What is reported: figures, what was counted, or nothing."""
    finish: str | None = None
    """None: "stop", or "length" where the caller's limit cut the text."""
    reasoning: str = ""
    """Streamed as `reasoning_content` before the text, and counted."""
    delay: float = 0.0
    """Seconds before each chunk."""
    pieces: int = 4
    """Tokens in each chunk, about."""
    hang: float = 0.0
    """Seconds before anything at all is sent."""
    cut: int | None = None
    """The connection breaks after this many chunks."""
    stall: int | None = None
    """Nothing more is said after this many chunks, but for what keeps the line open."""
    garbage: bytes = b""
    """Sent as it is after the first chunk."""
    failure: str = ""
    """An error in the midst of the stream, after the first chunk, which ends it."""
    empty: bool = False
    """No chunk has any choices."""
    obey: bool = True
    """Whether the caller's token limit is kept. Where it is not, each chunk waits until the client has read the one
    before: what is sent in vain then tells of the client, and not of the speed of the machine."""


Script: TypeAlias = "Callable[[ChatRequest], Scripted] | Sequence[Scripted]"


@dataclass(slots=True)
class Served:
    """What a request came to."""

    request: ChatRequest
    status: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    """Of what was really sent: a chunk that a client no longer waited for is not."""
    hung_up: bool = False
    """The client left before the end."""


def within(limit: int | None, reply: Scripted) -> tuple[list[str], str]:
    """The pieces of the text that the caller's limit lets through, and why it ends."""
    pieces, left = PIECE.findall(reply.text), limit
    if left is None or not reply.obey:
        return pieces, reply.finish or "stop"
    left -= count_tokens(reply.reasoning)
    kept: list[str] = []
    for piece in pieces:
        left -= weight(piece)
        if left < 0:
            return kept, "length"
        kept.append(piece)
    return kept, reply.finish or "stop"


def tokens(pieces: Sequence[str]) -> list[str]:
    """The pieces as a model sends them: a single space goes with what follows it."""
    found: list[str] = []
    for piece in pieces:
        if found and found[-1] == " ":
            found[-1] += piece
        else:
            found.append(piece)
    if found[1:] and found[-1] == " ":
        found[-2:] = ["".join(found[-2:])]
    return found
