"""The proxy defaults, each in a fresh interpreter with only the variables that the test names."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SANDBOX = Path(__file__).parents[2] / "sandbox"
PROXY = "http://127.0.0.1:3128"
STAND_IN = """
class ClientSession:
    def __init__(self, trust_env=False):
        self.trust_env = trust_env
"""


def output_of(program: str, folder: Path, **variables: str) -> str:
    """What a program prints that starts with our sitecustomize, as an image's Python does."""
    program = f"import runpy; runpy.run_path({str(SANDBOX / 'sitecustomize.py')!r})\n{program}"
    command = [sys.executable, "-S", "-c", program]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **variables}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def aiohttp(tmp_path: Path) -> Path:
    """A folder with a stand-in for aiohttp, which has its session in the same module under the same name."""
    package = tmp_path / "aiohttp"
    package.mkdir()
    (package / "__init__.py").write_text("from .client import ClientSession\n")
    (package / "client.py").write_text(STAND_IN)
    return tmp_path


def test_aiohttp_trusts_the_environment_when_a_proxy_is_set(aiohttp: Path) -> None:
    program = "import aiohttp; print(aiohttp.ClientSession().trust_env)"
    assert output_of(program, aiohttp, HTTPS_PROXY=PROXY) == "True"
    assert output_of(program, aiohttp) == "False"


def test_an_explicit_choice_of_the_code_stays(aiohttp: Path) -> None:
    program = "import aiohttp; print(aiohttp.ClientSession(trust_env=False).trust_env)"
    assert output_of(program, aiohttp, HTTPS_PROXY=PROXY) == "False"


def test_nothing_is_imported_and_nothing_hooked_without_need(aiohttp: Path) -> None:
    program = "import sys; print('http.client' in sys.modules, 'aiohttp' in sys.modules, len(sys.meta_path))"
    assert output_of(program, aiohttp) == "False False 3"
    assert output_of(program, aiohttp, HTTPS_PROXY=PROXY) == "False False 4"


def test_http_client_asks_the_proxy_for_a_tunnel(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(15)
        heard = []

        def answer() -> None:
            client, _ = proxy.accept()
            with client:
                heard.append(client.recv(4096).split(b"\r\n")[0])
                client.sendall(b"HTTP/1.1 403 not allowed\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        program = """
import http.client
try: http.client.HTTPSConnection("api.example.org").request("GET", "/")
except OSError as error: print(error)
"""
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        assert "403 not allowed" in output_of(program, tmp_path, HTTPS_PROXY=url)
        thread.join()
    assert heard == [b"CONNECT api.example.org:443 HTTP/1.0"] or heard == [b"CONNECT api.example.org:443 HTTP/1.1"]


def test_http_client_reaches_this_machine_directly(tmp_path: Path) -> None:
    program = """
import http.client
try: http.client.HTTPSConnection("127.0.0.1", 1, timeout=5).request("GET", "/")
except ConnectionRefusedError: print("refused by port 1")
"""
    with socket.create_server(("127.0.0.1", 0)) as proxy:  # would accept
        url = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        assert output_of(program, tmp_path, HTTPS_PROXY=url) == "refused by port 1"
