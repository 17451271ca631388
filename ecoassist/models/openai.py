"""Any OpenAI-compatible chat endpoint as a Model; the only importer of the openai client.

One try per call and one connection per try: retries and money are decorators, Retrying(Metered(OpenAIModel)).

Nothing of the process environment reaches an endpoint: the client's own defaults (OPENAI_API_KEY, OPENAI_BASE_URL,
OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY, OPENAI_WEBHOOK_SECRET) are all overridden, and the request's headers
are written anew just before it is sent, which also drops those of OPENAI_CUSTOM_HEADERS.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, cast

import httpx2  # what the client is built on
import openai  # noqa: TID251 - the one place

from ecoassist.errors import Interrupted, ProviderError
from ecoassist.events import Stream, TextDelta, Tick
from ecoassist.redactor import Redactor
from ecoassist.types import Message, Reply

from .failures import Place, is_filtered, is_over_limit, is_too_long
from .guard import Guard, asked
from .heard import Heard, is_last
from .line import MOST, Line
from .prices import is_local
from .pump import pump
from .quirks import LIMITS, Quirks, limit_names, named

FOREIGN = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError)
"""What the client raises. It lets some of httpx2's own errors through, where the body of an error breaks off, and what
JSON raises: ValueError, and RecursionError where it is nested too deep."""
LEAST = 512
"""Tokens: an endpoint that has no room for so short a reply has none for the conversation."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds."""

    connect: float = 5.0
    read: float = 120.0
    """Between two pieces of an answer; also how long a model may think before the first."""
    total: float = 600.0
    """For a whole reply."""


class OpenAIEndpoint:
    """What is asked of a model at an OpenAI-compatible endpoint, whatever the model is for.

    key: the bearer key itself; it is in no message and no repr. key_name: the variable it came from, for remedies.
    organization, project: OpenAI's; empty: none is sent. most: bytes of an answer.
    """

    SERVES, GIVES = "chat", "a chat completion"
    """What the endpoint is asked for and what it should give, in the words of errors."""

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
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST,
    ) -> None:
        self.name, self.base_url, self.key_name = name, base_url.rstrip("/"), key_name
        self.timeouts, self.clock = timeouts or Timeouts(), clock
        self.most = most
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
                event_hooks={
                    "request": [lambda request: self._here.line.prepare(request)],
                    "response": [lambda response: self._here.line.answered(response)],
                },
            ),
        )

    # ── what went wrong ─────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _place(self) -> Place:
        return Place(self.name, self.base_url, self._key, self.key_name, self._redactor, self.SERVES)

    def _translate(self, error: Exception, line: Line) -> ProviderError:
        place = self._place
        if isinstance(error, openai.APIStatusError):
            return place.status(error.status_code, error.body, error.response.headers)
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            if line.sent:
                return place.broken(f"sent nothing for {self.timeouts.read:g} s", billed=True)
            return place.broken(f"could not be reached within {self.timeouts.connect:g} s", billed=False)
        if isinstance(error, openai.APIConnectionError | httpx2.TransportError):
            what = "broke the connection" if line.sent else "could not be reached"
        elif isinstance(error, openai.APIError):
            what = f"reported an error: {place.said(error.body or error.message)}"
        else:
            what = f"sent something that is not {self.GIVES}"
        return place.broken(what, billed=line.sent)

    def _late(self, line: Line) -> ProviderError:
        message = f"{self._place.where} was not done after {self.timeouts.total:g} s"
        return ProviderError(message, "use a faster model for this", billed=line.sent)


class OpenAIModel(OpenAIEndpoint):
    """A model of an OpenAI-compatible endpoint. quirks: may be shared between models."""

    def __init__(self, name: str, base_url: str, key: str, *, quirks: Quirks | None = None, **more: Any) -> None:
        """`more`: as for OpenAIEndpoint."""
        super().__init__(name, base_url, key, **more)
        self.quirks = quirks or Quirks()
        self.schema: Mapping[str, Any] | None = None

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
        line, heard, guard = Line(self._headers, self.most), Heard(), Guard(limit)
        deadline = self.clock() + self.timeouts.total
        try:
            with closing(pump(lambda: self._chunks(line, messages, limit, guard), line.hang_up)) as items:
                for item in items:
                    if isinstance(item, Tick):
                        yield item
                    elif text := heard.add(item):
                        yield TextDelta(text)
                    if self.clock() > deadline:
                        raise self._late(line)
        except Interrupted:
            return Reply(heard.text, "interrupted", model=self.name)
        except FOREIGN as error:
            if isinstance(error, openai.APIStatusError) and is_filtered(error.status_code, error.body):
                return Reply("", "filter", model=self.name)
            raise self._translate(error, line) from error
        if guard.passed:
            return Reply(heard.text, "length", model=self.name)
        if heard.failed:
            raise self._place.broken(f"reported an error: {self._place.said(heard.error)}", billed=line.sent)
        if not heard.ended:
            raise self._place.broken("ended its answer before it was complete", billed=line.sent)
        return Reply(heard.text, heard.finish, heard.usage, model=self.name)

    # ── the request, in the pump's thread ───────────────────────────────────────────────────────────────────────────

    def _chunks(self, line: Line, messages: Sequence[Message], limit: int | None, guard: Guard) -> Iterator[Any]:
        self._here.line = line
        answer = self._open(messages, limit)
        if not isinstance(answer, openai.Stream):
            yield answer
            return
        with answer:
            ended = False
            for chunk in answer:
                ended = ended or is_last(chunk)
                if guard.sees(chunk, ended=ended):
                    line.hang_up()  # here, not where it is read: nobody waits for a reader that is slow
                yield chunk
                if guard.passed:
                    return

    def _open(self, messages: Sequence[Message], limit: int | None) -> Any:
        """The endpoint's answer, streamed where it can. What it refuses is left out, or made less, and remembered."""
        create = cast(Any, self._client.chat.completions).create
        while True:
            refused = self.quirks.refused(self.base_url, self.name)
            parameters = self._parameters(limit, refused)
            given = next((parameters[name] for name in LIMITS if name in parameters), None)
            if limit is not None and given is None and "stream" not in parameters and not is_local(self.base_url):
                raise self._boundless()
            roles = {message.role for message in messages} if "system" not in refused else {"user"}
            form = parameters.get("response_format", {}).get("type")
            try:
                return create(model=self.name, messages=_plain(messages, "system" in refused), **parameters)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if given is not None and given >= 2 * LEAST and is_over_limit(error.body):
                    self.quirks.lower(self.base_url, self.name, given // 2)
                    continue
                sent = {**dict.fromkeys(parameters, True), str(form): True, "system": "system" in roles}
                clear = not is_too_long(error.status_code, error.body) and not is_filtered(400, error.body)
                name = named(str(error.body), error.param, sent) if clear else None
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
            parameters[name] = min(asked(limit), self.quirks.most(self.base_url, self.name))
        if self.schema is not None and "json_schema" not in refused:
            form = {"name": "answer", "schema": self.schema, "strict": True}
            parameters["response_format"] = {"type": "json_schema", "json_schema": form}
        elif self.schema is not None and "json_object" not in refused:
            parameters["response_format"] = {"type": "json_object"}
        return parameters

    def _boundless(self) -> ProviderError:
        message = f"{self._place.where} takes no limit for a reply and cannot stream: what one costs has no bound"
        return ProviderError(message, "use another model or endpoint for this tier")


def _plain(messages: Sequence[Message], fold: bool) -> list[dict[str, str]]:
    """The messages as the API wants them; `fold`: system text at the head of the first other message.

    Half a character, which output, files and stored programs may hold, is none that UTF-8 has: it becomes a "?".
    """
    messages = [Message(one.role, one.text.encode("utf-8", "replace").decode()) for one in messages]
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    if not (fold and system):
        return [{"role": message.role, "content": message.text} for message in messages]
    first, *rest = [message for message in messages if message.role != "system"] or [Message("user", "")]
    return [{"role": first.role, "content": f"{system}\n\n{first.text}".rstrip()}, *_plain(rest, False)]
