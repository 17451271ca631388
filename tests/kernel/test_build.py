from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ecoassist.errors import NoSandbox
from ecoassist.kernel.docker import connect
from ecoassist.kernel.image.build import Progress, build, follow, reachable, size_of
from ecoassist.kernel.settings import BoxSettings


def said(steps: list[dict[str, Any]], *secrets: str) -> list[str]:
    """What is told of these steps, without the seconds."""
    told: list[str] = []
    ticks = iter(range(0, 10_000, 5))
    follow(steps, Progress(told.append, clock=lambda: float(next(ticks))), secrets)
    return [line.partition("once: ")[2].rpartition(" (")[0] for line in told]


def test_a_build_tells_its_steps_and_its_failure_with_the_last_words() -> None:
    told: list[str] = []
    with pytest.raises(NoSandbox, match="returned a non-zero code: 1") as failure:
        follow(
            [
                {"stream": "Step 1/3 : FROM x\n"},
                {"stream": "\n"},
                {"stream": "Step 2/3 : USER y\n"},
                {"stream": "Step 3/3 : RUN pip install \\\n  y\n"},
                {"stream": "ERROR: no matching distribution\n"},
                {"errorDetail": {"code": 1}, "error": "The command returned a non-zero code: 1"},
            ],
            Progress(told.append, clock=lambda: 0.0),
        )
    assert [line.partition("once: ")[2] for line in told] == [
        "step 1/3: FROM x (0 s)",
        "step 3/3: RUN pip install \\ (0 s)",
    ]
    assert "no matching distribution" in failure.value.remedy
    assert "ECOASSIST_BUILD_NETWORK" in failure.value.remedy


def test_a_pull_tells_how_much_has_come_of_what_is_known() -> None:
    def layer(name: str, current: int, total: int) -> dict[str, Any]:
        return {"status": "Downloading", "id": name, "progressDetail": {"current": current, "total": total}}

    assert said(
        [
            {"status": "Pulling from library/python", "id": "3.12-slim"},
            {"status": "Downloading", "id": "odd", "progressDetail": {}},
            layer("a", 1_000_000, 30_000_000),
            layer("b", 500_000, 3_400_000),
            {"status": "Download complete", "id": "b", "progressDetail": {}},
            {"status": "Status: Downloaded newer image for python:3.12-slim"},
        ]
    ) == [
        "pulling the base image: 1.0 MB of 30 MB",
        "pulling the base image: 1.5 MB of 33 MB",
        "pulling the base image: 4.4 MB of 33 MB",
        "the base image has come: 33 MB",
    ]


def test_a_step_that_takes_long_is_told_of_again_with_its_last_words() -> None:
    told: list[str] = []
    began, twice = time.monotonic(), threading.Event()

    def notice(text: str) -> None:
        told.append(text)
        if len(told) == 3:
            twice.set()

    with Progress(notice, silence=0.1) as progress:
        progress.tell("step 5/9", "RUN pip")
        progress.note("Downloading numpy")
        assert twice.wait(15)
    assert time.monotonic() - began >= 0.2
    assert told[0] == "building the sandbox image, once: step 5/9: RUN pip (0 s)"
    assert told[1] == "building the sandbox image, once: step 5/9: still at it: Downloading numpy (0 s)"


def test_the_password_of_a_proxy_is_in_nothing_that_is_told() -> None:
    proxy = "http://me:geheim@proxy.invalid:8080"
    steps: list[dict[str, Any]] = [
        {"stream": f"Step 1/1 : RUN x {proxy}\n"},
        {"stream": f"cannot connect to {proxy}\n"},
        {"error": f"failed: {proxy}"},
    ]
    told: list[str] = []
    with pytest.raises(NoSandbox) as failure:
        follow(steps, Progress(told.append), [proxy, "http://other.invalid"])
    everything = f"{told} {failure.value} {failure.value.remedy}"
    assert "geheim" not in everything
    assert everything.count("http://***@proxy.invalid:8080") == 4


def test_a_proxy_on_the_host_s_loopback_is_only_for_a_build_on_the_host_s_network() -> None:
    proxies = {
        "HTTPS_PROXY": "http://me:geheim@127.0.0.1:3128",
        "https_proxy": "http://me:geheim@127.0.0.1:3128",
        "HTTP_PROXY": "localhost:3129",
        "ALL_PROXY": "socks5://proxy.invalid:1080",
        "NO_PROXY": "localhost,127.0.0.1",
    }
    told: list[str] = []
    settings = BoxSettings(proxies=proxies)
    assert set(reachable(settings, told.append)) == {"ALL_PROXY", "NO_PROXY"}
    assert len(told) == 2
    assert "127.0.0.1:3128 (HTTPS_PROXY)" in told[0]
    assert "ECOASSIST_BUILD_NETWORK=host" in told[0]
    assert "geheim" not in "".join(told)
    assert reachable(replace(settings, build_network="host"), told.append) == proxies
    assert len(told) == 2


def test_sizes_are_counted_as_docker_counts_them() -> None:
    assert [size_of(count) for count in (0, 12_345, 1_250_000, 351_000_000)] == ["0 kB", "12 kB", "1.2 MB", "351 MB"]


class Proxy(ThreadingHTTPServer):
    """Refuses every tunnel and keeps who asked for which."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        super().__init__(("127.0.0.1", 0), Refusal)


class Refusal(BaseHTTPRequestHandler):
    server: Proxy

    def do_CONNECT(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_error(403)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.docker
def test_a_proxy_of_the_host_reaches_the_build_and_is_not_kept_in_the_image(
    box_settings: BoxSettings, proxy: Proxy
) -> None:
    name = f"ecoassist-test-{hashlib.sha256(str(time.time_ns()).encode()).hexdigest()[:12]}:latest"
    address = f"http://me:geheim@127.0.0.1:{proxy.server_address[1]}"
    settings = replace(box_settings, build_network="host", proxies={"HTTPS_PROXY": address, "ALL_PROXY": address})
    fetch = f"python3 -c 'import urllib.request as r; r.urlopen(\"https://{name[:-7]}.invalid/\")' || true"
    files = {"Dockerfile": f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nRUN {fetch}\n".encode()}
    told: list[str] = []
    with closing(connect(settings)) as engine:
        try:
            build(engine, settings, files, name, {"ecoassist-test": "1"}, told.append)
            history: list[dict[str, Any]] = engine.api.history(name)  # type: ignore[no-untyped-call]
            ids = [row["Id"] for row in history if row["Id"] != "<missing>"]
            kept = [engine.api.inspect_image(id) for id in ids]  # type: ignore[no-untyped-call]
        finally:
            if engine.has_image(name):
                engine.api.remove_image(name)
    login = "Basic " + base64.b64encode(b"me:geheim").decode()
    assert proxy.asked == [(f"{name[:-7]}.invalid:443", login)]
    assert len(kept) > 1
    for text in (json.dumps(history), json.dumps(kept), " ".join(told)):
        assert "geheim" not in text
        assert str(proxy.server_address[1]) not in text
