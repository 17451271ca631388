"""What an endpoint turned out to refuse, so that it is asked for only once.

OpenAI-compatible endpoints differ in the parameters they accept and say so only by refusing a request (400 or 422 that
names the parameter). The rule for all of them: leave it out, ask again, remember. Reported refusals that this covers:
stream_options (Mistral, old Azure API versions), max_tokens (OpenAI's reasoning models), max_completion_tokens (most
others), response_format json_schema (DeepSeek), the system role (Gemma's chat templates), streaming (OpenAI without a
verified organization). A limit that is too large for the model is halved until it fits: without one, nothing would
bound what a reply costs.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from ecoassist.keys import AZURE

LIMITS = ("max_completion_tokens", "max_tokens")
NAMED = {
    "stream_options": r"stream_options|include_usage",
    "max_completion_tokens": r"max_completion_tokens",
    "max_tokens": r"max_tokens",
    "json_schema": r"response_format|json_schema|structured.outputs?",
    "json_object": r"response_format|json_object",
    "system": r"system.{0,20}role|role.{0,40}system|messages\[0\]\.role",
    "stream": r"\bstream\b(?! ?options)",
}
"""What can be refused and how an error message names it; the first that was sent and is named is meant."""


class Quirks:
    """Refusals per endpoint and model, for the life of the process; shared by threads."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str], frozenset[str]] = {}
        self._most: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def refused(self, base_url: str, model: str) -> frozenset[str]:
        return self._refused.get((base_url, model), frozenset())

    def remember(self, base_url: str, model: str, name: str) -> None:
        with self._lock:
            self._refused[base_url, model] = self.refused(base_url, model) | {name}

    def most(self, base_url: str, model: str) -> float:
        """The longest reply that may be asked for, in tokens: infinite until one was too long."""
        return self._most.get((base_url, model), math.inf)

    def lower(self, base_url: str, model: str, most: int) -> None:
        with self._lock:
            self._most[base_url, model] = most


def limit_names(base_url: str) -> tuple[str, ...]:
    """What the endpoint probably calls the limit of a reply, best guess first.

    OpenAI and Azure know max_completion_tokens, and their reasoning models nothing else; others document max_tokens.
    """
    host = urlsplit(base_url).hostname or ""
    return LIMITS if host == "api.openai.com" or host.endswith(AZURE) else LIMITS[::-1]


def named(message: str, param: str | None, sent: Mapping[str, bool]) -> str | None:
    """The one of the things we sent that a refusal names; None: it is about something else.

    message: the error's body as text. param: the parameter that the error states by itself, which then decides.
    """
    for text in filter(None, (param, message)):
        for name, pattern in NAMED.items():
            if sent.get(name) and re.search(pattern, text, re.IGNORECASE):
                return name
    return None
