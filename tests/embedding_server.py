"""A server of embeddings on this machine, whose vectors are of words: real HTTP, no model."""

from __future__ import annotations

import http.server
import json
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[[dict[str, Any]], tuple[int, object]]
"""Status and body of the answer to a request's body; a text goes out as it is."""
SIZE = 64


class EmbeddingServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.seen: list[dict[str, Any]] = []
        """The bodies of requests."""
        self.headers: list[dict[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: EmbeddingServer

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append({"path": self.path, **body})
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, answer = self.server.answer(body)
        data = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def by_words(body: dict[str, Any]) -> tuple[int, object]:
    """What a server answers: a vector that counts a text's words, and the tokens it says that it read."""
    texts: Sequence[str] = body["input"]
    rows = [{"object": "embedding", "index": index, "embedding": of_words(text)} for index, text in enumerate(texts)]
    tokens = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return 200, {"object": "list", "model": body["model"], "data": rows, "usage": usage}


def of_words(text: str) -> list[float]:
    numbers = [0.01] * SIZE
    for word in text.lower().split():
        numbers[zlib.crc32(word.strip("?.,!").encode()) % SIZE] += 1.0
    return numbers


@contextmanager
def serving(answer: Answer = by_words) -> Iterator[EmbeddingServer]:
    server = EmbeddingServer(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
