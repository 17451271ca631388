"""Clients of HTTP as code in the sandbox uses them, none of them told of a proxy: all get out, and only by the gate."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ecoassist.config import environment, load
from ecoassist.egress.ca import SessionCA
from ecoassist.ports import Kernel
from ecoassist.sandboxes import Sandboxes
from ecoassist.types import CellResult

pytestmark = pytest.mark.docker
KEY = "k3y-that-is-real-0123456789"
NAMES = ("shop.example", "keyed.example", "index.example", "files.example")
TUNNELS = 200
SCHEMES = ("https", "http")
PRIVATE = (("named", "http", "localhost"), ("numbered", "http", "127.0.0.1"), ("secure", "https", "localhost"))
BIG = bytes(range(256)) * 20_000
CLIENTS = {
    "requests": """
import requests
def ask(method, url, body=None, headers={}):
    answer = requests.request(method, url, data=body, headers=headers, timeout=20)
    return answer.status_code, answer.content
""",
    "requests without environment": """
import requests
def ask(method, url, body=None, headers={}):
    with requests.Session() as session:
        session.trust_env = False
        answer = session.request(method, url, data=body, headers=headers, timeout=20)
        return answer.status_code, answer.content
""",
    "httpx": """
import httpx
def ask(method, url, body=None, headers={}):
    answer = httpx.request(method, url, content=body, headers=headers, timeout=20, follow_redirects=True)
    return answer.status_code, answer.content
""",
    "httpx without environment": """
import httpx
def ask(method, url, body=None, headers={}):
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=20) as client:
        answer = client.request(method, url, content=body, headers=headers)
        return answer.status_code, answer.content
""",
    "httpx async": """
import asyncio, httpx
async def asked(method, url, body, headers):
    async with httpx.AsyncClient(follow_redirects=True, timeout=20) as client:
        answer = await client.request(method, url, content=body, headers=headers)
        return answer.status_code, answer.content
def ask(method, url, body=None, headers={}): return in_a_loop(asked(method, url, body, headers))
""",
    "httpx async without environment": """
import asyncio, httpx
async def asked(method, url, body, headers):
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=20) as client:
        answer = await client.request(method, url, content=body, headers=headers)
        return answer.status_code, answer.content
def ask(method, url, body=None, headers={}): return in_a_loop(asked(method, url, body, headers))
""",
    "urllib": """
import urllib.error, urllib.request
def ask(method, url, body=None, headers={}):
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer: return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error: return error.code, error.read()
""",
    "urllib without proxies": """
import urllib.error, urllib.request
def ask(method, url, body=None, headers={}):
    request = urllib.request.Request(url, data=body, headers=headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=20) as answer: return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error: return error.code, error.read()
""",
    "aiohttp": """
import asyncio, aiohttp
async def asked(method, url, body, headers):
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()
def ask(method, url, body=None, headers={}): return in_a_loop(asked(method, url, body, headers))
""",
    "aiohttp with environment": """
import asyncio, aiohttp
async def asked(method, url, body, headers):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.request(method, url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()
def ask(method, url, body=None, headers={}): return in_a_loop(asked(method, url, body, headers))
""",
    "urllib3": """
import urllib3
def ask(method, url, body=None, headers={}):
    answer = urllib3.request(method, url, body=body, headers=headers, timeout=20)
    return answer.status, answer.data
""",
    "urllib3 pool": """
import urllib3
pool = urllib3.PoolManager(timeout=20)
def ask(method, url, body=None, headers={}):
    answer = pool.request(method, url, body=body, headers=headers)
    return answer.status, answer.data
""",
    "http.client": """
import http.client
from urllib.parse import urljoin, urlsplit
def ask(method, url, body=None, headers={}):
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=20)
    connection.request(method, f"{parts.path}?{parts.query}", body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status == 302: return ask(method, urljoin(url, answer.headers["Location"]))
    return answer.status, content
""",
    "curl": """
import subprocess
def ask(method, url, body=None, headers={}):
    words = ["curl", "-sSL", "-X", method, "-w", "%{stderr}%{http_code}", url]
    for name, value in headers.items(): words += ["-H", f"{name}: {value}"]
    if body is not None: words += ["--data-binary", "@-"]
    done = subprocess.run(words, input=body, capture_output=True, timeout=30)
    return int(done.stderr), done.stdout
""",
    "curl without proxy": """
import subprocess
def ask(method, url, body=None, headers={}):
    words = ["curl", "-sSL", "--noproxy", "*", "-X", method, "-w", "%{stderr}%{http_code}", url]
    for name, value in headers.items(): words += ["-H", f"{name}: {value}"]
    if body is not None: words += ["--data-binary", "@-"]
    done = subprocess.run(words, input=body, capture_output=True, timeout=30)
    return int(done.stderr), done.stdout
""",
    "python in a process": """
import subprocess, sys
PROGRAM = '''
import sys, urllib3
method, url, *more = sys.argv[1:]
answer = urllib3.request(method, url, body=sys.stdin.buffer.read() or None, headers=dict([more] if more else []))
sys.stderr.write(str(answer.status))
sys.stdout.buffer.write(answer.data)
'''
def ask(method, url, body=None, headers={}):
    words = [sys.executable, "-c", PROGRAM, method, url, *(word for pair in headers.items() for word in pair)]
    done = subprocess.run(words, input=body or b"", capture_output=True, timeout=30)
    return int(done.stderr), done.stdout
""",
    "a thread": """
import http.client, threading, requests
def ask(method, url, body=None, headers={}):
    found = []
    def work():
        answer = requests.request(method, url, data=body, headers=headers, timeout=20)
        found.append((answer.status_code, answer.content))
    thread = threading.Thread(target=work)
    thread.start(); thread.join()
    return found[0]
""",
}
AROUND = """
import asyncio, concurrent.futures, hashlib, json, os
def in_a_loop(work):  # a cell has a running loop of its own
    with concurrent.futures.ThreadPoolExecutor() as pool: return pool.submit(asyncio.run, work).result()
def told(*args, **named):
    status, content = ask(*args, **named)
    return status, content.decode() if len(content) < 2000 else [len(content), hashlib.sha256(content).hexdigest()]
"""
LOCAL = """
import http.server, threading
class Here(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "4"); self.end_headers(); self.wfile.write(b"here")
    def log_message(self, *args): pass
here = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
threading.Thread(target=here.serve_forever, daemon=True).start()
"""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Upstream

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        heard = {"method": self.command, "path": path, "body": body.decode(), "host": self.headers["Host"]}
        if key := self.headers.get("Authorization"):
            heard["key"] = key
        self.server.heard.append(heard)
        if page := self.server.pages.get(path):
            self.answer(200, page, **{"Content-Type": "text/html" if path.endswith("/") else "application/zip"})
        elif path == "/together":
            self.server.together.wait(15)
            self.answer(200, b"together")
        elif path == "/redirect":
            self.answer(302, b"", Location="/redirected")
        elif path == "/missing" or path.startswith("/simple/"):
            self.answer(404, b"no such thing")
        elif path == "/big":
            self.answer(200, BIG)
        elif path == "/table.csv":
            self.answer(200, b"city,rain\nOslo,3\nBergen,9\n")
        else:
            self.answer(200, json.dumps(heard).encode())

    do_GET = do_POST = handle_any

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Upstream(ThreadingHTTPServer):
    """A host on loopback that tells what it heard."""

    daemon_threads = True
    request_queue_size = TUNNELS

    def __init__(self, outside: Outside, name: str = "", authority: SessionCA | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard, self.pages, self.together = outside.heard, outside.pages, outside.together
        if authority:
            # the handshake belongs to the thread that answers
            context = authority.context(name)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is no news."""


@dataclass
class Outside:
    """Hosts on loopback, and kernels that find them under their names."""

    folder: Path
    authority: SessionCA = field(default_factory=SessionCA)
    heard: list[dict[str, str]] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    """By path; what they hold beside what they always do."""
    together: threading.Barrier = field(default_factory=lambda: threading.Barrier(TUNNELS))
    """Where requests for /together wait for one another."""
    addresses: str = ""
    servers: list[Upstream] = field(default_factory=list)
    own: dict[str, str] = field(default_factory=dict)
    """Base URLs of private APIs on this machine, by their names."""
    kernels: list[Kernel] = field(default_factory=list)

    def host(self, name: str) -> str:
        """The line of the configuration that leads `name` to new servers."""
        pair = Upstream(self, name, self.authority), Upstream(self)
        for server in pair:
            threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        self.servers += pair
        return f'"{name}" = "127.0.0.1:{pair[0].server_port}:{pair[1].server_port}"'

    def private(self, name: str, scheme: str, host: str) -> str:
        """The lines of the configuration that let a private API on this machine be called."""
        server = Upstream(self, host, self.authority if scheme == "https" else None)
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        self.servers.append(server)
        self.own[name] = f"{scheme}://{host}:{server.server_port}"
        return f'[apis.{name}]\nprivate = true\nurl = "{self.own[name]}"\nsecret = "KEYED_KEY"\n'

    def kernel(self, network: str = "", flavour: str = "core") -> Kernel:
        (bundle := self.folder / "authority.pem").write_bytes(self.authority.pem)
        self.addresses = self.addresses or ", ".join(map(self.host, NAMES))
        private = "".join(self.private(*own) for own in PRIVATE) if not self.own else ""
        (config := self.folder / "config.toml").write_text(
            f"""
[sandbox]
flavour = "{flavour}"
[apis.keyed]
host = "keyed.example"
secret = "KEYED_KEY"
place = "bearer"
{private}
[network]
{network}
hosts = ["shop.example"]
addresses = {{ {self.addresses} }}
ca_bundle = "{bundle}"
"""
        )
        settings = load(config, environ={**environment(), "KEYED_KEY": KEY})
        self.kernels.append(Sandboxes(settings, lambda text: None, ()).start())
        return self.kernels[-1]

    def close(self) -> None:
        for kernel in self.kernels:
            kernel.close()
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    made = Outside(tmp_path_factory.mktemp("outside"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(outside: Outside) -> Kernel:
    kernel = outside.kernel()
    says(kernel, AROUND)
    says(kernel, LOCAL)
    return kernel


def cell(kernel: Kernel, code: str) -> CellResult:
    stream = kernel.run(code)
    try:
        while True:
            next(stream)
    except StopIteration as end:
        result: CellResult = end.value
        return result


def says(kernel: Kernel, code: str) -> str:
    result = cell(kernel, code)
    assert result.status == "ok", result
    return result.text


@pytest.fixture(params=CLIENTS)
def kernel(request: pytest.FixtureRequest, shared: Kernel, outside: Outside) -> Kernel:
    """With one client as `ask`."""
    says(shared, CLIENTS[request.param])
    outside.heard.clear()
    return shared


def asked(kernel: Kernel, *calls: str) -> list[Any]:
    found: list[Any] = json.loads(says(kernel, f"print(json.dumps([{', '.join(f'told({call})' for call in calls)}]))"))
    return found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_client_gets_and_posts_and_follows_and_is_told_of_errors(
    kernel: Kernel, outside: Outside, scheme: str
) -> None:
    base = f"{scheme}://shop.example"
    got, posted, followed, missing = asked(
        kernel,
        f'"GET", "{base}/get?a=1"',
        f'"POST", "{base}/post", b"a body"',
        f'"GET", "{base}/redirect"',
        f'"GET", "{base}/missing"',
    )
    assert got[0] == posted[0] == followed[0] == 200
    assert json.loads(got[1]) == {"method": "GET", "path": "/get", "body": "", "host": "shop.example"}
    assert json.loads(posted[1])["body"] == "a body"
    assert json.loads(followed[1])["path"] == "/redirected"
    assert missing == [404, "no such thing"]


def test_a_client_that_is_refused_reads_why(kernel: Kernel, outside: Outside) -> None:
    for scheme in SCHEMES:
        [(status, why)] = asked(kernel, f'"GET", "{scheme}://elsewhere.example/"')
        assert status == 403
        assert "elsewhere.example is not on the allow-list" in why
    assert outside.heard == []


def test_a_client_s_placeholder_becomes_the_key_on_its_way_only(kernel: Kernel, outside: Outside) -> None:
    [(status, echo)] = asked(
        kernel,
        '"GET", "https://keyed.example/", headers={"Authorization": "Bearer " + os.environ["KEYED_KEY"]}',
    )
    assert status == 200
    assert [heard["key"] for heard in outside.heard] == [f"Bearer {KEY}"]
    assert KEY not in echo
    assert json.loads(echo)["key"] == "Bearer " + says(kernel, 'print(os.environ["KEYED_KEY"])').strip()


def test_a_client_downloads_much(kernel: Kernel) -> None:
    [(status, told)] = asked(kernel, '"GET", "https://shop.example/big"')
    assert (status, told) == (200, [len(BIG), hashlib.sha256(BIG).hexdigest()])


def test_a_client_reaches_servers_in_the_sandbox_directly(kernel: Kernel, outside: Outside) -> None:
    found = asked(kernel, *(f'"GET", f"http://{host}:{{here.server_port}}/"' for host in ("localhost", "127.0.0.1")))
    assert found == [[200, "here"], [200, "here"]]
    assert outside.heard == []


@pytest.mark.parametrize("name", [name for name, *_ in PRIVATE])
def test_a_client_reaches_a_private_api_on_the_person_s_machine(kernel: Kernel, outside: Outside, name: str) -> None:
    base = outside.own[name]
    key = 'headers={"Authorization": "Bearer " + os.environ["KEYED_KEY"]}'
    got, posted, followed = asked(
        kernel, f'"GET", "{base}/get", {key}', f'"POST", "{base}/post", b"a body"', f'"GET", "{base}/redirect"'
    )
    assert got[0] == posted[0] == followed[0] == 200
    assert json.loads(got[1])["path"] == "/get"
    assert outside.heard[0]["key"] == f"Bearer {KEY}"
    assert outside.heard[0]["host"] == base.partition("://")[2]
    assert KEY not in got[1]
    assert json.loads(posted[1])["body"] == "a body"
    assert json.loads(followed[1])["path"] == "/redirected"


def test_pandas_reads_an_address(outside: Outside) -> None:
    kernel = outside.kernel(flavour="data")
    code = 'import pandas; print(pandas.read_csv("https://shop.example/table.csv").rain.sum())'
    assert says(kernel, code) == "12\n"
