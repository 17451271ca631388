"""A document comes from a file or over real HTTP, within bounds of size and time."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ecoassist.apis.document import MOST_BYTES
from ecoassist.apis.fetch import fetch
from ecoassist.egress.ca import SessionCA
from ecoassist.errors import EnvironmentFault, UsageFault

trusting = ssl.create_default_context
DOCUMENT = b"openapi: 3.0.0"


class Site(ThreadingHTTPServer):
    """Answers each path with a status, headers and a body; `asked` are the request lines."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {"/openapi.yaml": (200, {}, DOCUMENT)}
        self.wait = threading.Event()
        scheme = "https" if context else "http"
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append(self.requestline)
        if self.path == "/slow":
            self._drip()
            return
        status, headers, body = self.server.pages.get(self.path, (404, {}, b"no"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # they have read enough

    def _drip(self) -> None:
        """One byte at a time, each in good time, until the test is over."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        try:
            while not self.server.wait.wait(0.05):
                self.wfile.write(b"x")
        except OSError:
            pass

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Callable[..., Site]]:
    """Starts servers."""
    running: list[Site] = []

    def start(context: ssl.SSLContext | None = None) -> Site:
        running.append(Site(context))
        threading.Thread(target=running[-1].serve_forever, daemon=True).start()
        return running[-1]

    yield start
    for one in running:
        one.wait.set()
        one.shutdown()
        one.server_close()


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_bytes(DOCUMENT)
    assert fetch(str(file), trusting) == (DOCUMENT, str(file))


@pytest.mark.parametrize("source", ["none.yaml", ".", "a\x00b", "ftp://x.example/openapi.yaml", "file:///etc/passwd"])
def test_what_is_no_file_and_no_url_is_refused(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageFault) as caught:
        fetch(source, trusting)
    assert "URL" in caught.value.remedy or "name one" in caught.value.remedy


def test_of_a_file_without_end_no_more_is_read_than_a_document_may_have() -> None:
    assert len(fetch("/dev/zero", trusting)[0]) == MOST_BYTES + 1


def test_a_url_is_fetched_and_where_it_leads_is_told(site: Callable[..., Site]) -> None:
    there = site()
    there.pages["/old"] = 302, {"Location": "/openapi.yaml"}, b""
    assert fetch(f"{there.url}/old", trusting) == (DOCUMENT, f"{there.url}/openapi.yaml")


def test_over_tls_the_given_authority_is_trusted_and_no_other(site: Callable[..., Site]) -> None:
    authority = SessionCA()
    there = site(authority.context("127.0.0.1"))
    ours = lambda: ssl.create_default_context(cadata=authority.pem.decode())  # noqa: E731
    assert fetch(f"{there.url}/openapi.yaml", ours)[0] == DOCUMENT
    with pytest.raises(EnvironmentFault, match="certificate") as caught:
        fetch(f"{there.url}/openapi.yaml", trusting)
    assert "network.ca_bundle" in caught.value.remedy


def test_the_proxy_of_the_environment_is_used(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = site()
    proxy.pages["http://docs.example/openapi.yaml"] = 200, {}, DOCUMENT
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "")
    assert fetch("http://docs.example/openapi.yaml", trusting) == (DOCUMENT, "http://docs.example/openapi.yaml")
    assert proxy.asked == ["GET http://docs.example/openapi.yaml HTTP/1.1"]


def test_from_https_no_redirect_leads_to_http(site: Callable[..., Site]) -> None:
    authority = SessionCA()
    there, plain = site(authority.context("127.0.0.1")), site()
    there.pages["/old"] = 302, {"Location": f"{plain.url}/openapi.yaml"}, b""
    with pytest.raises(EnvironmentFault, match="leads from https to http"):
        fetch(f"{there.url}/old", lambda: ssl.create_default_context(cadata=authority.pem.decode()))
    assert plain.asked == []


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:text/plain,x"])
def test_no_redirect_leads_to_anything_but_http(to: str, site: Callable[..., Site]) -> None:
    there = site()
    there.pages["/old"] = 302, {"Location": to}, b""
    with pytest.raises(EnvironmentFault):
        fetch(f"{there.url}/old", trusting)


def test_a_body_without_end_is_cut_at_the_bound(site: Callable[..., Site]) -> None:
    there = site()
    there.pages["/big"] = 200, {}, b"x" * (MOST_BYTES + 5_000_000)
    assert len(fetch(f"{there.url}/big", trusting)[0]) == MOST_BYTES + 1


def test_a_host_that_drips_does_not_hold_us_up(site: Callable[..., Site]) -> None:
    there = site()
    began = time.monotonic()
    with pytest.raises(EnvironmentFault, match="more than 1 s"):
        fetch(f"{there.url}/slow", trusting, seconds=1.0)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ((500, {}, b""), "answered 500"),
        ((404, {}, b""), "answered 404"),
        ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"), "compressed"),
        ((200, {"Content-Length": "100"}, b"short"), "cannot be fetched"),
    ],
)
def test_what_is_not_the_document_is_an_error_with_a_remedy(
    page: tuple[int, dict[str, str], bytes], says: str, site: Callable[..., Site]
) -> None:
    there = site()
    there.pages["/x"] = page
    with pytest.raises(EnvironmentFault, match=says) as caught:
        fetch(f"{there.url}/x", trusting)
    assert "download the document" in caught.value.remedy


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://127.0.0.1:99999/x", "https://", "http://[::1"])
def test_a_url_where_nobody_is_is_an_error_with_a_remedy(url: str) -> None:
    with pytest.raises((EnvironmentFault, UsageFault)) as caught:
        fetch(url, trusting)
    assert caught.value.remedy


def test_a_url_with_a_password_is_not_fetched_nor_shown() -> None:
    with pytest.raises(UsageFault) as caught:
        fetch("https://me:pass-word-1@docs.example/openapi.yaml", trusting)
    assert "pass-word-1" not in str(caught.value) + caught.value.remedy
