"""The emulators on the air: one https and one plain http port on loopback, for all hosts at once."""

from __future__ import annotations

import contextlib
import datetime
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ecoassist.egress.ca import SessionCA
from ecoassist.egress.policy import Override

from . import places, stock, weather

Service = Callable[[str, Mapping[str, str], str, datetime.datetime], tuple[int, Any]]
"""Path, query parameters, the accepted key and the time -> status and JSON body."""

SERVICES: Mapping[str, Service] = {
    "api.weatherapi.com": weather.answer,
    "www.alphavantage.co": stock.answer,
    "maps.googleapis.com": places.answer,
}
_IDLE = 60
"""Seconds that a connection is kept without a request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One line of the log."""

    host: str
    method: str
    path: str
    params: Mapping[str, str]
    """Of the query, the key included."""
    tls: bool


class Emulators:
    """Context manager: the services answer from entering to leaving.

    `keys` holds the accepted key of each host; `services` says what answers under a host name; `now` is the time of day
    of every answer and stands still. Nothing but loopback is listened on.
    """

    overrides: Mapping[str, Override]
    """For egress Policy: where the host names are found."""
    upstream: ssl.SSLContext
    """A client's TLS context that trusts these servers, and no other."""
    log: Mapping[str, list[Request]]
    """By host, in order of arrival."""

    def __init__(
        self, keys: Mapping[str, str], now: datetime.datetime, services: Mapping[str, Service] = SERVICES
    ) -> None:
        self._keys, self._now, self._services = keys, now, services
        self.log = {host: [] for host in services}
        self._ca = SessionCA()
        self._contexts = {host: self._ca.context(host) for host in services}
        self.upstream = ssl.create_default_context(cadata=self.pem.decode())

    @property
    def pem(self) -> bytes:
        """The certificate that signed those of the hosts."""
        return self._ca.pem

    def __enter__(self) -> Emulators:
        servers = _Server(self, self._server_context()), _Server(self, None)
        self._servers = [(server, threading.Thread(target=server.serve_forever, args=(0.05,))) for server in servers]
        for _, thread in self._servers:
            thread.start()
        tls, plain = (server.server_address[1] for server in servers)
        self.overrides = {host: Override("127.0.0.1", tls, plain) for host in self._services}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for server, thread in self._servers:
            server.shutdown()
            thread.join()
            server.hang_up()
            server.server_close()

    def answer(self, request: Request) -> tuple[int, Any]:
        service = self._services.get(request.host)
        if service is None:
            return 421, {"error": f"no service under the name {request.host!r}"}
        self.log[request.host].append(request)
        return service(request.path, request.params, self._keys.get(request.host, ""), self._now)

    def _server_context(self) -> ssl.SSLContext:
        """Shows the certificate of the host that the client names."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> int | None:
            if name not in self._contexts:
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            connection.context = self._contexts[name]
            return None

        context.sni_callback = choose
        return context


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 64

    def __init__(self, emulators: Emulators, tls: ssl.SSLContext | None) -> None:
        self.emulators, self.tls = emulators, tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        request.settimeout(_IDLE)
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        stream = request
        with contextlib.suppress(OSError):  # the client went away, or did not trust us
            try:
                if self.tls:
                    with self._lock:
                        stream = self.tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
                        self._open.add(stream)
                    stream.do_handshake()
                super().finish_request(stream, client_address)
            finally:
                with self._lock:
                    self._open -= {request, stream}
                stream.close()

    def hang_up(self) -> None:
        """Ends idle connections, so that server_close() need not wait for them. After shutdown()."""
        with self._lock:
            for stream in self._open:
                with contextlib.suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    server: _Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if "transfer-encoding" in self.headers:
            return self._send(411, {"error": "a length is required"})
        target = urlsplit(self.path)
        params = dict(parse_qsl(target.query, keep_blank_values=True))
        host = (self.headers.get("host") or "").partition(":")[0].lower()
        request = Request(host, self.command, target.path, params, self.server.tls is not None)
        return self._send(*self.server.emulators.answer(request))

    do_POST = do_GET

    def _send(self, status: int, body: Any) -> None:
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        if status == 411:
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """The log is Emulators.log."""
