"""A scripted OpenAI-compatible endpoint on this machine: real HTTP and real streaming, answers from a script.

    with Endpoint({"small": lambda request: Scripted("Paris"), "large": [Scripted("Paris")]}) as endpoint:
        ...  # base URL: endpoint.url; what was asked: endpoint.log

Serves GET /v1/models and POST /v1/chat/completions, streamed or not. Shapes follow the OpenAI API reference, and where
a `kind` is named those of another provider; refusals of parameters follow OpenAI (400, with `param`) and Mistral (422,
with `loc`).
"""

from __future__ import annotations

import contextlib
import http.server
import json
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from ecoassist.cards.tokens import count_tokens
from ecoassist.types import Message, Usage

from .frames import chunks, failed, whole
from .kinds import OPENAI, Kind
from .pace import wait_until_read
from .script import ChatRequest, Script, Scripted, Served, count_prompt

__all__ = ["ChatRequest", "Endpoint", "Script", "Scripted", "Served", "count_prompt", "count_tokens"]


class Endpoint:
    """The server, running between `__enter__` and `__exit__`.

    `key`: the bearer key every request must show; None: none. `refuse`: what is answered with an error, and its status
    (400 in OpenAI's shape, 422 in Mistral's): a parameter's name, "system" for that role, or "json_schema".
    `kind`: whose endpoint it plays, and what that refuses unless `refuse` says otherwise.
    `listed`: the models that GET /v1/models names; None: those of the script; (): there is no such list (404).
    """

    def __init__(
        self,
        scripts: Mapping[str, Script],
        *,
        key: str | None = None,
        refuse: Mapping[str, int] | None = None,
        listed: Sequence[str] | None = None,
        kind: Kind = OPENAI,
    ) -> None:
        self.scripts: dict[str, Callable[[ChatRequest], Scripted]] = {
            name: script if callable(script) else _in_order(name, script) for name, script in scripts.items()
        }
        self.key, self.kind, self.refuse = key, kind, dict(kind.refuse if refuse is None else refuse)
        self.listed = tuple(scripts) if listed is None else tuple(listed)
        self.log: list[Served] = []
        """Chat requests that reached a script, in order."""
        self.seen: list[tuple[str, dict[str, str]]] = []
        """Method and path, and the headers, of every request."""
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Endpoint:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="endpoint", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()

    @property
    def spent(self) -> Usage:
        """All tokens served so far."""
        with self.lock:
            return Usage(sum(one.prompt_tokens for one in self.log), sum(one.completion_tokens for one in self.log))

    def enter(self, model: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Served:
        """Puts a request on the log."""
        messages = tuple(Message(one["role"], _text(one.get("content"))) for one in body.get("messages", ()))
        with self.lock:
            number = sum(one.request.model == model for one in self.log)
            served = Served(ChatRequest(model, messages, body, headers, number))
            self.log.append(served)
        return served


def _in_order(model: str, replies: Sequence[Scripted]) -> Callable[[ChatRequest], Scripted]:
    left = deque(replies)

    def script(_: ChatRequest) -> Scripted:
        try:
            return left.popleft()
        except IndexError:
            return Scripted(f"the script of {model!r} is exhausted after {len(replies)} replies", 500)

    return script


def _text(content: Any) -> str:
    """A message's text, also where it came as a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return str(content or "")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # joined by server_close(), so that nothing outlives the endpoint

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = endpoint
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; the log has it."""

    def hang_up(self) -> None:
        for request in list(self.open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""

    def do_GET(self) -> None:
        endpoint = self._arrived()
        if not self._allowed(endpoint):
            return
        if self.path == "/v1/models" and endpoint.listed:
            models = [{"id": name, "object": "model", "created": 0, "owned_by": "script"} for name in endpoint.listed]
            self._json(200, {"object": "list", "data": models})
        else:
            self._error(404, f"there is nothing at {self.path}")

    def do_POST(self) -> None:
        endpoint = self._arrived()
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        if not self._allowed(endpoint):
            return
        if self.path == "/v1/chat/completions":
            self._chat(endpoint, json.loads(raw))
        else:
            self._error(404, f"there is nothing at {self.path}")

    def _chat(self, endpoint: Endpoint, body: Mapping[str, Any]) -> None:
        model = str(body.get("model"))
        refused = next((name for name in endpoint.refuse if _asks_for(body, name)), None)
        if refused:
            self._refuse(refused, endpoint.refuse[refused])
        elif model not in endpoint.scripts:
            self._error(404, f"The model `{model}` does not exist", param="model", code="model_not_found")
        else:
            served = endpoint.enter(model, body, self._lower())
            reply = endpoint.scripts[model](served.request)
            endpoint.closing.wait(reply.hang)
            served.status = reply.status
            try:
                self._answer(served, reply)
            except OSError:
                served.hung_up = True
                self.close_connection = True

    def _arrived(self) -> Endpoint:
        with self.server.endpoint.lock:
            self.server.endpoint.seen.append((f"{self.command} {self.path}", self._lower()))
        return self.server.endpoint

    def _lower(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _allowed(self, endpoint: Endpoint) -> bool:
        if endpoint.key is None or self.headers.get("authorization") == f"Bearer {endpoint.key}":
            return True
        self._error(401, "Incorrect API key provided", code="invalid_api_key")
        return False

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, served: Served, reply: Scripted) -> None:
        if reply.body is not None:
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            self._send(reply.status, text, "application/json", reply.headers)
            return
        if reply.status != 200:
            self._error(reply.status, reply.text, headers=reply.headers)
            return
        served.prompt_tokens = count_prompt(served.request.messages)
        if served.request.body.get("stream"):
            self._stream(served, reply)
        else:
            self._json(200, whole(self.server.endpoint.kind, served, reply), reply.headers)

    def _stream(self, served: Served, reply: Scripted) -> None:
        self.send_response(200)
        fixed = {"content-type": "text/event-stream", "transfer-encoding": "chunked", "connection": "close"}
        for name, value in {**fixed, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        kind = self.server.endpoint.kind
        for number, chunk in enumerate(chunks(kind, served, reply, lambda: self._due(reply))):
            if number == reply.cut:
                self.close_connection = True
                return
            if number == reply.stall:
                self._stall(kind.comment)
            if number == 1 and reply.garbage:
                self._raw(reply.garbage)
            if number == 1 and reply.failure:
                self._event(json.dumps(failed(kind, served, reply.failure)))
                self.wfile.write(b"0\r\n\r\n")
                return
            if kind.comment:
                self._raw(f": {kind.comment}\n\n".encode())
            self._event(json.dumps({**chunk, "choices": []} if reply.empty else chunk))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _stall(self, comment: str) -> None:
        """Until the client has had enough of it."""
        while not self.server.endpoint.closing.wait(0.02):
            self._still_there()
            if comment:
                self._raw(f": {comment}\n\n".encode())
        raise BrokenPipeError

    def _due(self, reply: Scripted) -> None:
        self.server.endpoint.closing.wait(reply.delay)
        if not reply.obey:
            wait_until_read(self.connection)
        self._still_there()

    def _still_there(self) -> None:
        """Raises BrokenPipeError once the client has hung up, of which a write alone learns one chunk too late."""
        if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
            raise BrokenPipeError

    def _event(self, data: str) -> None:
        self._raw(f"data: {data}\n\n".encode())

    def _raw(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _refuse(self, name: str, status: int) -> None:
        if status == 422:
            detail = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}]
            self._json(422, {"object": "error", "detail": detail})
            return
        instead = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
        param = {"system": "messages[0].role", "json_schema": "response_format", "json_object": "response_format"}.get(
            name, name
        )
        self._error(status, f"Unsupported: '{name}' does not work with this model.{instead}", param=param)

    def _error(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._json(status, self.server.endpoint.kind.failure(status, message, param, code), headers)

    def _json(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        self._send(status, json.dumps(body), "application/json", headers or {})

    def _send(self, status: int, text: str, kind: str, headers: Mapping[str, str]) -> None:
        data = text.encode()
        self.send_response(status)
        fixed = {"content-type": kind, "content-length": str(len(data)), "connection": "close"}
        for name, value in {**fixed, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def _asks_for(body: Mapping[str, Any], name: str) -> bool:
    if name == "system":
        return any(one["role"] == "system" for one in body.get("messages", ()))
    if name in ("json_schema", "json_object"):
        return (body.get("response_format") or {}).get("type") == name
    return bool(body.get(name))
