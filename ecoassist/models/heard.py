"""What a reply has come to, from the chunks of any endpoint. They differ and err: nothing is taken for granted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ecoassist.cards.tokens import count_tokens
from ecoassist.types import Finish, Usage

FINISH: Mapping[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the end of its context
    "content_filter": "filter",
    "safety": "filter",
    "refusal": "filter",
}
"""Any other finish_reason is "stop"."""
FAILED = {"error", "insufficient_system_resource"}
"""A finish_reason that is a failure in the midst of a reply: OpenRouter and Mistral, DeepSeek."""
MOST_TOKENS = 10**9
"""A call that is said to have taken more was not counted: no model reads or writes as much."""
REASONING = ("reasoning_content", "reasoning")
"""Where endpoints put a model's thoughts: DeepSeek and vLLM; OpenRouter, Groq, Ollama. Some send the same in both."""


@dataclass(slots=True)
class Heard:
    """What came of a reply so far."""

    parts: list[str] = field(default_factory=list)
    reason: str = ""
    """The endpoint's finish_reason; empty: the reply is not over."""
    usage: Usage | None = None
    counted: bool = False
    """The last chunk held nothing but the usage, which ends a reply as well."""
    error: Any = None
    """What the endpoint says went wrong, where it says so in the midst of a reply."""

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def ended(self) -> bool:
        return bool(self.reason) or self.counted

    @property
    def failed(self) -> bool:
        return self.error is not None or self.reason in FAILED

    @property
    def finish(self) -> Finish:
        return FINISH.get(self.reason, "stop")

    def add(self, chunk: Any) -> str:
        """Takes a chunk of a stream, or a whole completion; returns its text. Reasoning is left out."""
        choices = _choices(chunk)
        text = ""
        for choice in [one for one in choices if _get(one, "index") in (0, None)][:1]:
            message = _message(choice)
            text = _words(_get(message, "content")) or _words(_get(message, "refusal"))
            reason = _get(choice, "finish_reason")
            self.reason = reason.lower() if isinstance(reason, str) else self.reason
        usage = _usage(_get(chunk, "usage")) or _usage(_get(_get(chunk, "x_groq"), "usage"))
        self.counted = usage is not None and not choices
        self.usage = usage or self.usage
        self.error = self.error or _error(chunk)
        self.parts.append(text)
        return text


def written(chunk: Any) -> int:
    """How many tokens a chunk has at most, thoughts included: at least one where there is any text, for a model that
    goes on and on in blanks is paid for it."""
    return sum(count_tokens(text) or 1 for text in _all_words(chunk) if text)


def is_last(chunk: Any) -> bool:
    """Whether a chunk says that the reply is over."""
    return any(isinstance(_get(choice, "finish_reason"), str) for choice in _choices(chunk))


def _all_words(chunk: Any) -> Iterator[str]:
    for choice in _choices(chunk):
        message = _message(choice)
        yield _words(_get(message, "content"), thoughts=True)
        yield _words(_get(message, "refusal"))
        yield next(filter(None, (_words(_get(message, name)) for name in REASONING)), "")
        yield from (_words(_get(one, "name")) + _words(_get(one, "arguments")) for one in _functions(message))


def _functions(message: Any) -> list[Any]:
    """What a message calls. Nobody offered it any function, and it is paid for all the same."""
    calls = _get(message, "tool_calls")
    called = [_get(one, "function") for one in calls] if isinstance(calls, list) else []
    return [*called, _get(message, "function_call")]


def _error(chunk: Any) -> Any:
    """What went wrong, in the shapes that the client does not know: Gemini's list, the flat one of Mistral and vLLM."""
    if isinstance(chunk, list):
        return next((found for part in chunk if (found := _error(part)) is not None), None)
    return chunk if _get(chunk, "object") == "error" else _get(chunk, "error")


def _choices(chunk: Any) -> list[Any]:
    choices = _get(chunk, "choices")
    return choices if isinstance(choices, list) else []


def _message(choice: Any) -> Any:
    return _get(choice, "delta") or _get(choice, "message")


def _words(content: Any, *, thoughts: bool = False) -> str:
    """The text of a content: a string, or a list of typed parts (Mistral's reasoning models)."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict)]
        inner = "".join(_words(part.get("thinking")) for part in parts) if thoughts else ""
        return inner + "".join(str(part.get("text", "")) for part in parts)
    return content if isinstance(content, str) else ""


def _usage(raw: Any) -> Usage | None:
    """The reported usage, where it is one. All zeros are a server that does not count."""
    prompt, completion = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    # xAI and Gemini leave reasoning tokens out of completion_tokens, but not out of the total and the bill
    total = max(prompt + completion, _count(raw, "total_tokens"))
    if prompt + completion == 0 or total > MOST_TOKENS:
        return None
    completion = total - prompt
    details = _get(raw, "prompt_tokens_details")
    cached = max(_count(details, "cached_tokens"), _count(raw, "prompt_cache_hit_tokens"))  # the latter: DeepSeek
    written = _count(details, "cache_write_tokens")  # OpenAI's newer models, OpenRouter
    return Usage(prompt, completion, min(cached, prompt), max(0, min(written, prompt - cached)))


def _count(raw: Any, name: str) -> int:
    value = _get(raw, name)
    return value if isinstance(value, int) and value is not True and value > 0 else 0


def _get(raw: Any, name: str) -> Any:
    """What the client has read into a class of its own, or left as it came."""
    return raw.get(name) if isinstance(raw, dict) else getattr(raw, name, None)
