"""What an endpoint's errors mean: the words for the person, the remedy, and whether to try again.

Shapes differ: {"error": {...}} (OpenAI), {"message": ...} (Mistral, vLLM), {"detail": ...} (Mistral), {"error": "..."}
(LM Studio), [{"error": {...}}] (Gemini), a page of HTML (gateways). The openai client has mostly taken "error" off.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ecoassist.errors import ProviderError
from ecoassist.redactor import Redactor

RETRYABLE = {408, 409, 429}
"""Beside all of 500 and above; the same set the openai client retries."""
MOST = 200
"""Characters of an endpoint's own words."""
TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|prompt is too long|too many tokens|request too large"
    r"|reduce (the|your) (message|prompt|length)|input token count",
    re.IGNORECASE,
)
LIMIT = re.compile(r"max_(completion_|output_|new_)?tokens|maxOutputTokens|in the completion")
TOO_MUCH = re.compile(
    r"too (large|big|high|many)|at most|less than or equal|greater than|exceed|maximum|between|range", re.IGNORECASE
)
BAD_KEY = re.compile(r"api.?key (not valid|expired|not found)|API_KEY_INVALID|invalid.{0,10}api.?key", re.IGNORECASE)
NO_CREDIT = re.compile(r"insufficient.?(quota|balance|credit)|credit balance is too low", re.IGNORECASE)
FILTERED = re.compile(
    r"content_filter|content.?policy|content management policy|ResponsibleAIPolicy|invalid_prompt|flagged_input"
    r"|data_inspection_failed|content exists risk",
    re.IGNORECASE,
)
DELAY = re.compile(r"retryDelay\W+(\d+(?:\.\d+)?)s")
"""How Gemini says when to come back: google.rpc.RetryInfo in the body."""


def is_too_long(status: int, body: Any) -> bool:
    """The conversation does not fit into what the model can read, or into what the account may send at once."""
    return status in (400, 413, 422) and bool(TOO_LONG.search(str(body)))


def is_over_limit(body: Any) -> bool:
    """The tokens that the reply was given are more than the model has, or has left after the prompt."""
    return bool(LIMIT.search(str(body)) and TOO_MUCH.search(str(body)))


def is_filtered(status: int, body: Any) -> bool:
    """The prompt was refused for what it says: the endpoint is in order, and another model may answer it."""
    return status in (400, 403) and bool(FILTERED.search(str(body)))


@dataclass(frozen=True, slots=True)
class Place:
    """Whose errors they are."""

    model: str
    base_url: str
    key: str = field(repr=False)
    key_name: str
    redactor: Redactor
    """Knows the key in its other forms: half a key, cut short, is not found later."""
    serves: str = "chat"
    """What it was asked for."""

    @property
    def where(self) -> str:
        return f"{self.model} at {urlsplit(self.base_url).netloc}"

    def said(self, body: Any) -> str:
        """The endpoint's own words: one short line without our key, should it echo that."""
        words = self.redactor.text(_words(body)).replace(self.key, "***").split()
        return " ".join(words)[:MOST] or "no reason given"

    def broken(self, what: str, *, billed: bool) -> ProviderError:
        remedy = f"check that {self.base_url} is running and is the right base_url: ecoassist doctor"
        return ProviderError(f"{self.where} {what}", remedy, retryable=True, billed=billed)

    def status(self, status: int, body: Any, headers: Mapping[str, str]) -> ProviderError:
        """What an HTTP error means."""
        where, text = self.where, str(body)
        if status == 401 or (status in (400, 403) and BAD_KEY.search(text)):
            return ProviderError(f"{where} does not accept the key", f"set {self.key_name} to a valid key")
        if status == 402 or (status in (400, 403, 429) and NO_CREDIT.search(text)):
            return ProviderError(f"{where} says that the account has no credit left", "add credit, or use another key")
        if status == 403:
            return ProviderError(f"{where} forbids this", f"check what the key in {self.key_name} may do there")
        if (status == 404 and "model" in text.lower()) or "DeploymentNotFound" in text:
            remedy = "name a model that the endpoint serves: ecoassist doctor lists them"
            return ProviderError(f"{where} does not know this model", remedy)
        if status < 400 or status == 404:
            return ProviderError(
                f"{where} has no {self.serves} there (HTTP {status})", "check base_url; most end in /v1"
            )
        if is_too_long(status, body):
            remedy = "ask with less text or smaller files, or use a model with a longer context"
            return ProviderError(f"{where} says that the conversation is too long for it", remedy)
        return ProviderError(
            f"{where} answered HTTP {status}: {self.said(body)}",
            *(["it is asked too often: wait, or give this tier another endpoint"] if status == 429 else []),
            retryable=status in RETRYABLE or status >= 500,
            retry_after=retry_after(headers, text),
            billed=status == 408,  # Azure says that it may charge for one
        )


def retry_after(headers: Mapping[str, str], body: str = "") -> float | None:
    """Seconds that the endpoint asks for: retry-after-ms (Azure), Retry-After as a number or an HTTP date (RFC 9110,
    10.2.3), or the body's retryDelay; None: it asks for nothing that can be read."""
    delay = DELAY.search(body)
    for value, unit in (
        (headers.get("retry-after-ms"), 1e-3),
        (headers.get("retry-after"), 1.0),
        (delay and delay[1], 1.0),
    ):
        if value and (seconds := _seconds(value)) is not None:
            return max(0.0, seconds * unit)
    return None


def _seconds(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None


def _words(body: Any) -> str:
    if isinstance(body, list) and body:
        return _words(body[0])
    body = body.to_dict() if hasattr(body, "to_dict") else body  # one that the client took for a chunk
    if isinstance(body, dict):
        found = next((body[name] for name in ("message", "error", "detail") if body.get(name)), None)
        return str(body) if found is None else _words(found)
    text = str(body or "")
    if text.lstrip()[:1] == "<":
        title = re.search(r"<title[^>]*>([^<]{1,100})", text, re.IGNORECASE)
        return "a web page" + (f" ({title[1]})" if title else "")
    return text
