"""How the endpoints of each provider differ from one another, for a scripted one that plays any of them.

After their own references, and the reports of what they refuse: github.com/openai/openai-agents-python/issues/442
(Mistral), github.com/openai/openai-python/issues/1469 (Azure), openrouter.ai/docs/errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ecoassist.cards.tokens import count_tokens
from ecoassist.types import Usage

from .script import Scripted, Served

Failure: TypeAlias = Callable[[int, str, "str | None", "str | None"], object]
"""The body of an error, of its HTTP status, message, parameter and code."""


def _openai(status: int, message: str, param: str | None, code: str | None) -> object:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _flat(status: int, message: str, param: str | None, code: str | None) -> object:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": param, "code": code or status}


def _listed(status: int, message: str, param: str | None, code: str | None) -> object:
    return [{"error": {"code": status, "message": message, "status": code or "INVALID_ARGUMENT"}}]


def _numbered(status: int, message: str, param: str | None, code: str | None) -> object:
    return {"error": {"code": status, "message": message, "metadata": {"provider_name": "someone"}}}


def _plain(status: int, message: str, param: str | None, code: str | None) -> object:
    return {"error": message}


@dataclass(frozen=True, slots=True)
class Kind:
    """The defaults are OpenAI's models that do not reason."""

    name: str = "OpenAI"
    refuse: Mapping[str, int] = field(default_factory=dict)
    """As for Endpoint."""
    usage: Literal["asked", "end", "groq"] = "asked"
    """In a chunk of its own where it is asked for; always in the last chunk; there, in a field of Groq's."""
    thoughts: Literal["reasoning_content", "reasoning", "both", "parts", "hidden"] = "reasoning_content"
    """Where reasoning stands: in one of two fields or in both, as a part of the content, nowhere."""
    apart: bool = False
    """Reasoning counts in the total only."""
    hits: bool = False
    """The cached part of a prompt stands where DeepSeek puts it."""
    comment: str = ""
    """What keeps the line open between chunks."""
    opening: Mapping[str, Any] | None = None
    """A chunk before all others."""
    choice: Mapping[str, Any] = field(default_factory=dict)
    """What else each choice holds."""
    failure: Failure = _openai


SAFE = {"hate": {"filtered": False, "severity": "safe"}, "violence": {"filtered": False, "severity": "safe"}}
OPENAI = Kind()
REASONING = Kind("OpenAI, reasoning", {"max_tokens": 400, "temperature": 400}, thoughts="hidden")
AZURE = Kind(
    "Azure",
    {"max_tokens": 400},
    thoughts="hidden",
    opening={
        "id": "",
        "object": "",
        "created": 0,
        "model": "",
        "choices": [],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
    },
    choice={"content_filter_results": SAFE},
)
ANTHROPIC = Kind("Anthropic", thoughts="hidden")
GEMINI = Kind("Gemini", usage="end", thoughts="hidden", apart=True, failure=_listed)
MISTRAL = Kind("Mistral", {"stream_options": 422}, usage="end", thoughts="parts", failure=_flat)
DEEPSEEK = Kind("DeepSeek", {"json_schema": 400}, hits=True, comment="keep-alive")
OPENROUTER = Kind("OpenRouter", thoughts="reasoning", comment="OPENROUTER PROCESSING", failure=_numbered)
GROQ = Kind("Groq", usage="groq", thoughts="reasoning")
OLLAMA = Kind("Ollama", thoughts="reasoning")
VLLM = Kind("vLLM", thoughts="both", failure=_flat)
LM_STUDIO = Kind("LM Studio", {"json_object": 400}, thoughts="reasoning", failure=_plain)
KINDS = (
    OPENAI,
    REASONING,
    AZURE,
    ANTHROPIC,
    GEMINI,
    MISTRAL,
    DEEPSEEK,
    OPENROUTER,
    GROQ,
    OLLAMA,
    VLLM,
    LM_STUDIO,
)


def thought(kind: Kind, text: str) -> dict[str, Any] | None:
    """What a delta or a message says of reasoning; None: nothing."""
    if kind.thoughts == "hidden":
        return None
    if kind.thoughts == "parts":
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
    names = ("reasoning_content", "reasoning") if kind.thoughts == "both" else (kind.thoughts,)
    return dict.fromkeys(names, text)


def message(kind: Kind, text: str, reasoning: str) -> dict[str, Any]:
    """A whole one."""
    thoughts = (thought(kind, reasoning) if reasoning else None) or {}
    if "content" in thoughts:
        return {"role": "assistant", "content": [*thoughts["content"], {"type": "text", "text": text}]}
    return {"role": "assistant", "content": text, **thoughts}


def usage(kind: Kind, served: Served, reply: Scripted) -> dict[str, Any] | None:
    """The tokens of a reply, as far as it was served; None: they are not told."""
    if reply.usage == "missing":
        return None
    counted = Usage(served.prompt_tokens, served.completion_tokens) if reply.usage == "count" else reply.usage
    details = {"cached_tokens": counted.cached, **({"cache_write_tokens": counted.written} if counted.written else {})}
    return {
        "prompt_tokens": counted.prompt,
        "completion_tokens": counted.completion - (count_tokens(reply.reasoning) if kind.apart else 0),
        "total_tokens": counted.prompt + counted.completion,
        **({"prompt_cache_hit_tokens": counted.cached} if kind.hits else {"prompt_tokens_details": details}),
    }


def told(kind: Kind, served: Served, reply: Scripted) -> dict[str, Any]:
    """What the last chunk of a stream says of its tokens."""
    counted = usage(kind, served, reply)
    if counted is None or kind.usage == "asked":
        return {}
    return {"usage": counted} if kind.usage == "end" else {"x_groq": {"id": "req_1", "usage": counted}}
