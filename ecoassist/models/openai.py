"""Any OpenAI-compatible chat endpoint as a Model; the only importer of the openai client.

One try per call and one connection per try: retries and money are decorators, Retrying(Metered(OpenAIModel)).

Nothing of the process environment reaches an endpoint: the client's own defaults (OPENAI_API_KEY, OPENAI_BASE_URL,
OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY, OPENAI_WEBHOOK_SECRET) are all overridden, and the request's headers
are written anew just before it is sent, which also drops those of OPENAI_CUSTOM_HEADERS.
"""

from __future__ import annotations

import copy
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlsplit

import openai  # noqa: TID251 - the one place

from ecoassist.errors import Interrupted, ProviderError
from ecoassist.events import Stream, TextDelta, Tick
from ecoassist.redactor import Redactor
from ecoassist.types import Finish, Message, Reply

from .heard import Heard
from .line import Line
from .prices import is_local
from .pump import pump
from .quirks import Quirks, limit_names, named

RETRYABLE = {408, 409, 429}
"""Beside all of 500 and above; the same set the openai client retries."""
CHARACTERS_PER_TOKEN = 16
"""Reading stops at the caller's limit times this. English has about 4: only a server that ignores limits gets there."""
FINISH: dict[str, Finish] = {"length": "length", "max_tokens": "length", "content_filter": "filter"}
"""Any other finish_reason is "stop"."""
TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|prompt is too long|too many tokens", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 5.0
    read: float = 120.0
    """Between two pieces of an answer; also how long a model may think before the first."""
    total: float = 600.0
    """For a whole reply."""


class OpenAIModel:
    """A model of an OpenAI-compatible endpoint.

    key: the bearer key itself; it is in no message and no repr. key_name: the variable it came from, for remedies.
    organization, project: OpenAI's; empty: none is sent. quirks: may be shared between models.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        key: str,
        *,
        key_name: str = "the key's variable",
        organization: str = "",
        project: str = "",
        timeouts: Timeouts | None = None,
        quirks: Quirks | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.base_url, self.key_name = name, base_url.rstrip("/"), key_name
        self.timeouts, self.quirks, self.clock = timeouts or Timeouts(), quirks or Quirks(), clock
        self.schema: Mapping[str, Any] | None = None
        self._key = key = key or "none"  # an empty one is not a valid header
        self._redactor = Redactor([(key_name or "key", key)])  # here as well: half a key, cut short, is not found later
        self._headers = {
            "authorization": f"Bearer {key}",
            **({"openai-organization": organization} if organization else {}),
            **({"openai-project": project} if project else {}),
        }
        self._here = threading.local()
        self._client = openai.OpenAI(
            api_key=key,
            base_url=self.base_url,
            organization=organization,
            project=project,
            admin_api_key="",
            webhook_secret="",
            max_retries=0,
            timeout=openai.Timeout(self.timeouts.read, connect=self.timeouts.connect),
            http_client=openai.DefaultHttpxClient(
                verify=not self.base_url.startswith("http://"),  # reading the certificates takes 40 ms
                trust_env=not is_local(self.base_url),  # a proxy of the environment is for the world outside
                follow_redirects=False,  # a key goes where it was told to go
                event_hooks={"request": [lambda request: self._here.line.prepare(request)]},
            ),
        )

    def named(self, name: str) -> OpenAIModel:
        """Another model of the same endpoint, over the same client."""
        other = copy.copy(self)
        other.name = name
        return other

    def structured(self, schema: Mapping[str, Any]) -> OpenAIModel:
        """The same model, asked for JSON of this JSON Schema as far as the endpoint can: validate what comes."""
        other = copy.copy(self)
        other.schema = schema
        return other

    def reply(self, messages: Sequence[Message], limit: int | None = None) -> Stream[Reply]:
        line, heard = Line(self._headers), Heard()
        deadline = self.clock() + self.timeouts.total
        most = float("inf") if limit is None else limit * CHARACTERS_PER_TOKEN
        try:
            with closing(pump(lambda: self._chunks(line, messages, limit), line.hang_up)) as items:
                for item in items:
                    if isinstance(item, Tick):
                        yield item
                    elif text := heard.add(item):
                        yield TextDelta(text)
                    if heard.size > most:
                        return Reply(heard.text, "length", model=self.name)
                    if self.clock() > deadline:
                        raise self._late(line)
        except Interrupted:
            return Reply(heard.text, "interrupted", model=self.name)
        except (openai.OpenAIError, ValueError) as error:
            raise self._translate(error, line) from error
        if heard.finish is None and heard.usage is None:
            raise self._broken("ended its answer before it was complete", line)
        return Reply(heard.text, FINISH.get(heard.finish or "", "stop"), heard.usage, model=self.name)

    # ── the request, in the pump's thread ───────────────────────────────────────────────────────────────────────────

    def _chunks(self, line: Line, messages: Sequence[Message], limit: int | None) -> Iterator[Any]:
        self._here.line = line
        answer = self._open(messages, limit)
        if isinstance(answer, openai.Stream):
            with answer:
                yield from answer
        else:
            yield answer

    def _open(self, messages: Sequence[Message], limit: int | None) -> Any:
        """The endpoint's answer, streamed where it can. What it refuses is left out and remembered."""
        create = cast(Any, self._client.chat.completions).create
        while True:
            refused = self.quirks.refused(self.base_url, self.name)
            parameters = self._parameters(limit, refused)
            roles = {message.role for message in messages} if "system" not in refused else {"user"}
            form = parameters.get("response_format", {}).get("type")
            try:
                return create(model=self.name, messages=_plain(messages, "system" in refused), **parameters)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                sent = {**dict.fromkeys(parameters, True), str(form): True, "system": "system" in roles}
                name = None if _is_too_long(error) else named(str(error.body), error.param, sent)
                if name is None:
                    raise
                self.quirks.remember(self.base_url, self.name, name)

    def _parameters(self, limit: int | None, refused: frozenset[str]) -> dict[str, Any]:
        parameters: dict[str, Any] = {}
        if "stream" not in refused:
            parameters["stream"] = True
            if "stream_options" not in refused:
                parameters["stream_options"] = {"include_usage": True}
        name = next((name for name in limit_names(self.base_url) if name not in refused), None)
        if limit is not None and name:
            parameters[name] = limit
        if self.schema is not None and "json_schema" not in refused:
            form = {"name": "answer", "schema": self.schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.schema is not None and "json_object" not in refused:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    # ── what went wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    def _translate(self, error: Exception, line: Line) -> ProviderError:
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, openai.APITimeoutError):
            if line.sent:
                return self._broken(f"sent nothing for {self.timeouts.read:g} s", line)
            return self._broken(f"could not be reached within {self.timeouts.connect:g} s", line)
        if isinstance(error, openai.APIConnectionError):
            return self._broken("broke the connection" if line.sent else "could not be reached", line)
        if isinstance(error, openai.APIError):
            return self._broken(f"reported an error: {self._said(error)}", line)
        return self._broken("sent something that is not a chat completion", line)

    def _broken(self, what: str, line: Line) -> ProviderError:
        remedy = f"check that {self.base_url} is running and is the right base_url: ecoassist doctor"
        return ProviderError(f"{self._where} {what}", remedy, retryable=True, billed=line.sent)

    def _late(self, line: Line) -> ProviderError:
        message = f"{self._where} was not done after {self.timeouts.total:g} s"
        return ProviderError(message, "use a faster model for this tier", billed=line.sent)

    def _status(self, error: openai.APIStatusError) -> ProviderError:
        status, where = error.status_code, self._where
        if status == 401:
            return ProviderError(f"{where} does not accept the key", f"set {self.key_name} to a valid key")
        if status == 403:
            return ProviderError(f"{where} forbids this", f"check what the key in {self.key_name} may do there")
        if status == 404 and "model" in str(error.body).lower():
            remedy = "name a model that the endpoint serves: ecoassist doctor lists them"
            return ProviderError(f"{where} does not know this model", remedy)
        if status < 400 or status == 404:
            return ProviderError(f"{where} has no chat there (HTTP {status})", "check base_url; most end in /v1")
        if _is_too_long(error):
            remedy = "ask with less text or smaller files, or use a model with a longer context"
            return ProviderError(f"{where} says that the conversation is too long for it", remedy)
        if error.code == "insufficient_quota":
            return ProviderError(f"{where} says that the account has no credit left", "add credit, or use another key")
        return ProviderError(
            f"{where} answered HTTP {status}: {self._said(error)}",
            retryable=status in RETRYABLE or status >= 500,
            retry_after=_retry_after(error.response.headers.get("retry-after")),
        )

    @property
    def _where(self) -> str:
        return f"{self.name} at {urlsplit(self.base_url).netloc}"

    def _said(self, error: openai.APIError) -> str:
        """The endpoint's own words: one short line without our key, should it echo that."""
        body = error.body
        said = str(body.get("message") or body) if isinstance(body, dict) else str(body or "no reason given")
        return " ".join(self._redactor.text(said).replace(self._key, "***").split())[:200]


def _plain(messages: Sequence[Message], fold: bool) -> list[dict[str, str]]:
    """The messages as the API wants them; `fold`: system text at the head of the first other message."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    if not (fold and system):
        return [{"role": message.role, "content": message.text} for message in messages]
    first, *rest = [message for message in messages if message.role != "system"] or [Message("user", "")]
    return [{"role": first.role, "content": f"{system}\n\n{first.text}".rstrip()}, *_plain(rest, False)]


def _is_too_long(error: openai.APIStatusError) -> bool:
    return error.code == "context_length_exceeded" or (
        error.status_code in (400, 413, 422) and bool(TOO_LONG.search(str(error.body)))
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header: a number or an HTTP date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None
