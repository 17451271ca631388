"""What a reply has come to, from the chunks of any endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ecoassist.types import Usage


@dataclass(slots=True)
class Heard:
    """What came of a reply so far. Endpoints differ and err: nothing about a chunk is taken for granted."""

    parts: list[str] = field(default_factory=list)
    size: int = 0
    finish: str | None = None
    usage: Usage | None = None

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def add(self, chunk: Any) -> str:
        """Takes a chunk of a stream, or a whole completion; returns its text. Reasoning is left out."""
        choices = getattr(chunk, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(choice, "delta", None) or getattr(choice, "message", None)
        text = _words(getattr(message, "content", None)) or _words(getattr(message, "refusal", None))
        finish = getattr(choice, "finish_reason", None)
        self.finish = finish if isinstance(finish, str) else self.finish
        self.usage = _usage(getattr(chunk, "usage", None)) or self.usage
        self.parts.append(text)
        self.size += len(text)
        return text


def _words(content: Any) -> str:
    """The text of a content: a string, or a list of typed parts (Mistral's reasoning models)."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(raw: Any) -> Usage | None:
    """The reported usage, where it is one. All zeros are a server that does not count."""
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    if prompt + completion == 0:
        return None
    # xAI and Gemini leave reasoning tokens out of completion_tokens, but not out of the total and the bill
    completion = max(completion, _count(raw, "total_tokens") - prompt)
    details = getattr(raw, "prompt_tokens_details", None)
    cached = max(_count(details, "cached_tokens"), _count(raw, "prompt_cache_hit_tokens"))  # the latter: DeepSeek
    return Usage(prompt, completion, min(cached, prompt))


def _count(raw: Any, name: str) -> int:
    value = getattr(raw, name, None)
    return value if isinstance(value, int) and value > 0 else 0
