"""`ecoassist api` as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ecoassist.egress.ca import SessionCA
from tests.apis.documents import WEATHER, as_bytes, minimal, shop

PASSED_ON = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "ECOASSIST_BASE_IMAGE", "ECOASSIST_BUILD_NETWORK")
ENVIRONMENT = {name: os.environ[name] for name in (*PASSED_ON, "PATH", "PYTHONPATH") if name in os.environ}
ENVIRONMENT |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
COMMAND = [sys.executable, "-m", "ecoassist", "api"]
KEY = "k3y-0f-the-weather-9184"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text("")
    return file


@pytest.fixture
def environment(tmp_path: Path, config: Path) -> dict[str, str]:
    return {**ENVIRONMENT, "HOME": str(tmp_path), "ECOASSIST_CONFIG": str(config), "LANG": "C.UTF-8"}


@pytest.fixture
def api(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Runs a subcommand, without a terminal."""

    def api(*arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        env = {**environment, **more}
        given = [*COMMAND, *arguments]
        return subprocess.run(given, env=env, cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=120)

    return api


def kept(config: Path, name: str) -> Any:
    return json.loads((config.with_suffix(".d") / f"{name}.json").read_text())


# ── adding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_api_of_the_catalogue_is_switched_on_by_its_name_alone(api: Run, config: Path) -> None:
    ran = api("add", "open-meteo")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith("added open-meteo: https://api.open-meteo.com/")
    assert "terms: " in ran.stderr
    assert kept(config, "open-meteo") == {}  # a newer version may say more of it


def test_a_name_that_is_nowhere_is_refused_with_a_near_one_and_the_other_ways(api: Run) -> None:
    ran = api("add", "open-metoe")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "'open-meteo'" in ran.stderr
    assert "--openapi" in ran.stderr


def test_an_api_is_added_by_its_host_with_keys_and_places_in_order(api: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "card.txt").write_text("Weather of the world.\nGET /v1\n")
    options = "--host Api.Weather.example --secret A_KEY --place query:key --secret B_KEY --place header:X-B,bearer"
    ran = api(
        "add", "weather", *options.split(), "--card", "@card.txt", "--acts", "/send*", "--acts", "/x", "--terms", "T"
    )
    assert ran.returncode == 0, ran.stderr
    assert "A_KEY (query:key) is not set yet: export A_KEY=..., or keep it with: ecoassist api key A_KEY" in ran.stderr
    assert kept(config, "weather") == {
        "host": "api.weather.example",
        "secret": "A_KEY",
        "place": "query:key",
        "secrets": {"B_KEY": "header:X-B,bearer"},
        "card": "Weather of the world.\nGET /v1",
        "acts": ["/send*", "/x"],
        "terms": "T",
    }


def test_a_private_api_may_have_a_port_and_plain_http(api: Run, config: Path) -> None:
    ran = api("add", "wiki", "--private", "--url", "http://10.1.2.3:8080/api/")
    assert ran.returncode == 0, ran.stderr
    assert kept(config, "wiki") == {"url": "http://10.1.2.3:8080/api", "private": True}
    assert "private" in api("list").stdout


@pytest.mark.parametrize(
    ("url", "note"),
    [
        ("http://localhost:8080", ""),
        ("http://127.0.0.1:8080/v1", ""),
        ("http://wiki.corp:8080", ""),
        ("http://10.1.2.3:8080", "note: 10.1.2.3 is an address: only clients that use HTTP_PROXY get there"),
        ("http://localhost:3128", "note: 3128 is the gate's own port inside the sandbox: only clients"),
    ],
)
def test_of_a_private_api_that_not_every_client_finds_one_line_says_so(url: str, note: str, api: Run) -> None:
    ran = api("add", "mine", "--private", "--url", url)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith(note or "added mine: ")
    assert url in api("show", "mine", "--card").stdout


@pytest.mark.parametrize(
    ("options", "says", "remedy"),
    [
        (["--host", "https://api.example.com"], "not a host name", "no scheme"),
        (["--host", "10.1.2.3"], "not a host name", "no address"),
        (["--host", "a b"], "not a host name", "lower case"),
        (["--host", "h.example", "--secret", "A_KEY"], "1 --secret and 0 --place", "query:NAME"),
        (["--host", "h.example", "--place", "bearer"], "0 --secret and 1 --place", "query:NAME"),
        (["--host", "h.example", "--secret", "A_KEY", "--place", "cookie:a"], "not a place", "query:NAME"),
        (["--host", "h.example", "--secret", "A_KEY", "--place", "header:Host"], "cannot carry a key", "query:NAME"),
        (
            ["--host", "h.example", *["--secret", "A_KEY", "--place", "bearer"] * 2],
            "A_KEY is named twice",
            "--place bearer,bearer",
        ),
        (["--url", "http://10.1.2.3:8080"], "not a public host", "--private"),
        (["--url", "http://localhost:8080"], "not a public host", "on this machine"),
        (["--private", "--url", "http://[::1]:8080/v1"], "leads nowhere", "--private --url http://localhost:8080/v1"),
        (["--private", "--url", "http://0.0.0.0"], "leads nowhere", "--private --url http://localhost"),
        (["--url", "https://h.example:8443"], "usual port", "--private"),
        (["--url", "https://h.example/?key=1"], "query", "--url"),
        (["--url", "h.example"], "no host", "--url"),
        (["--url", "https://h.example/v1", "--host", "other.example"], "is not on other.example", "leave out --host"),
        (["--host", "*.h.example"], "stands for many hosts", "--url https://HOST"),
        (["--host", "intranet"], "not a public host", "--private"),
        (["--private"], "nothing about where", "--url http://HOST:PORT"),
        (["--host", "h.example", "--card", "@none.txt"], "cannot read none.txt", "text file"),
        (["--host", "h.example", "--card", "x" * 20_001], "20,000 characters", "shorten"),
        (["--openapi", "none.yaml"], "cannot read none.yaml", "URL"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_remedy_and_nothing_is_kept(
    options: list[str], says: str, remedy: str, api: Run, config: Path
) -> None:
    ran = api("add", "mine", *options)
    assert (ran.returncode, ran.stdout) == (2, "")
    first, *rest = ran.stderr.splitlines()
    assert says in first
    assert remedy in "".join(rest)
    assert not config.with_suffix(".d").exists()


@pytest.mark.parametrize("name", ["../x", "A", "a/b", ".x", "é"])
def test_a_name_that_could_be_a_path_is_refused(name: str, api: Run) -> None:
    ran = api("add", name, "--host", "h.example")
    assert ran.returncode == 2
    assert "is not a name for an API" in ran.stderr


@pytest.mark.parametrize("key", ["sk-proj-0123456789abcdef", "AKIA0123456789ABCDEF", "0123456789abcdef", "my key 0123"])
def test_a_key_on_the_command_line_is_refused_with_the_reason_and_not_repeated(key: str, api: Run) -> None:
    for ran in (api("add", "mine", "--host", "h.example", "--secret", key, "--place", "bearer"), api("key", key)):
        assert ran.returncode == 2
        assert "by the NAME of a variable" in ran.stderr
        assert key not in ran.stderr + ran.stdout


def test_a_key_among_the_other_settings_is_found(api: Run, config: Path) -> None:
    options = ["--host", "h.example", "--secret", "A_KEY", "--place", "bearer", "--card", f"use {KEY} for it"]
    ran = api("add", "mine", *options, A_KEY=KEY)
    assert ran.returncode == 2
    assert "stands among the settings" in ran.stderr
    assert KEY not in ran.stderr
    assert not config.with_suffix(".d").exists()


def test_a_key_that_is_too_short_to_be_masked_is_refused_with_the_reason(api: Run) -> None:
    ran = api("add", "mine", "--host", "h.example", "--secret", "A_KEY", "--place", "bearer", A_KEY="7-chars")
    assert ran.returncode == 2
    assert "A_KEY: a key of 7 characters cannot be kept secret" in ran.stderr
    assert "at least 8" in ran.stderr
    assert "7-chars" not in ran.stderr


def test_a_name_that_is_taken_is_refused_unless_forced(api: Run, config: Path) -> None:
    assert api("add", "mine", "--host", "a.example").returncode == 0
    ran = api("add", "mine", "--host", "b.example")
    assert ran.returncode == 2
    assert "--force" in ran.stderr
    assert kept(config, "mine") == {"host": "a.example"}
    assert api("add", "mine", "--host", "b.example", "--force").returncode == 0
    assert kept(config, "mine") == {"host": "b.example"}


def test_a_name_of_the_configuration_file_is_refused(api: Run, config: Path) -> None:
    config.write_text('[apis.mine]\nhost = "a.example"\n')
    ran = api("add", "mine", "--host", "b.example")
    assert ran.returncode == 2
    assert str(config) in ran.stderr


# ── by an OpenAPI document ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_in_a_file_gives_host_key_and_operations(api: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "sky.yaml").write_text(WEATHER)
    ran = api("add", "sky", "--openapi", "sky.yaml")
    assert ran.returncode == 0, ran.stderr
    assert "added sky: https://eu.sky.example/v1, 1 operation" in ran.stderr
    assert "SKY_KEY (query:key) is not set yet" in ran.stderr
    assert kept(config, "sky")["document"] == str(tmp_path / "sky.yaml")
    assert api("list").stdout.split() == ["sky", "eu.sky.example", "SKY_KEY", "missing", "1", "operation", "openapi"]


def test_a_document_at_a_url_gives_a_relative_server_its_host(api: Run, config: Path) -> None:
    document = as_bytes(minimal(servers=[{"url": "/v3"}]))
    with serving({"/docs/openapi.json": (200, document)}) as (port, _):
        source = f"http://127.0.0.1:{port}/docs/openapi.json"
        itself = api("add", "itself", "--openapi", source, "--private")
        assert itself.returncode == 0, itself.stderr
        assert kept(config, "itself")["url"] == f"http://127.0.0.1:{port}/v3"
        ran = api("add", "mine", "--openapi", source, "--host", "mine.example")
        assert ran.returncode == 0, ran.stderr
        assert kept(config, "mine")["url"] == "https://mine.example/v3"
        assert kept(config, "mine")["document"] == source
        missing = api("add", "other", "--openapi", f"http://127.0.0.1:{port}/none")
        assert missing.returncode == 3
        assert "answered 404" in missing.stderr


def test_host_and_variables_of_a_document_can_be_replaced(api: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "sky.yaml").write_text(WEATHER)
    ran = api("add", "sky", "--openapi", "sky.yaml", "--host", "us.sky.example", "--secret", "MY_SKY")
    assert ran.returncode == 0, ran.stderr
    made = kept(config, "sky")
    assert (made["url"], made["secret"], made["place"]) == ("https://us.sky.example/v1", "MY_SKY", "query:key")
    ran = api("add", "sky", "--openapi", "sky.yaml", "--force", "--secret", "MY_SKY", "--secret", "MORE")
    assert ran.returncode == 2
    assert "1 places for keys (query:key), and 2 variables" in ran.stderr
    ran = api("add", "sky", "--openapi", "sky.yaml", "--force", "--secret", "MY_SKY", "--place", "bearer")
    assert kept(config, "sky")["place"] == "bearer"


def test_a_relative_server_of_a_file_gets_the_host_that_is_named(api: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(as_bytes(minimal(servers=[{"url": "/v3"}])))
    ran = api("add", "mine", "--openapi", "a.json")
    assert (ran.returncode, "--url" in ran.stderr) == (2, True)
    assert api("add", "mine", "--openapi", "a.json", "--host", "h.example").returncode == 0
    assert kept(config, "mine")["url"] == "https://h.example/v3"


def test_three_hundred_operations_are_added_listed_and_shown(api: Run, tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_bytes(as_bytes(shop(300)))
    ran = api("add", "shop", "--openapi", "shop.json")
    assert ran.returncode == 0, ran.stderr
    assert "300 operations" in api("list").stdout
    shown = api("show", "shop").stdout
    assert "POST /things149/{id}" in shown
    assert "body.name*" in shown


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_list_tells_which_keys_are_set_and_where_each_api_is_from(api: Run, config: Path) -> None:
    config.write_text('[apis.ours]\nhost = "ours.example"\nsecret = "OUR_KEY"\n')
    api("add", "open-meteo")
    api("add", "mine", "--host", "mine.example", "--secret", "MY_KEY", "--place", "basic")
    ran = api("list", MY_KEY=KEY)
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in ran.stdout.splitlines()}
    assert rows["mine"] == "mine.example MY_KEY set 0 operations added"
    assert rows["ours"] == "ours.example OUR_KEY missing 0 operations config"
    assert rows["open-meteo"].startswith("api.open-meteo.com no key")
    assert rows["open-meteo"].endswith("catalogue")
    listed = {row["name"]: row for row in json.loads(api("list", "--json", MY_KEY=KEY).stdout)}
    assert listed["mine"]["keys"] == [{"variable": "MY_KEY", "place": "basic", "set": True, "from": "environment"}]
    assert listed["ours"]["keys"][0]["set"] is False
    assert KEY not in ran.stdout + ran.stderr


def test_without_any_api_the_list_names_the_catalogue(api: Run) -> None:
    ran = api("list")
    assert (ran.returncode, ran.stdout) == (0, "")
    assert "--catalogue" in ran.stderr
    assert json.loads(api("list", "--json").stdout) == []


def test_the_catalogue_is_listed_with_purpose_and_terms(api: Run) -> None:
    api("add", "open-meteo")
    text = api("list", "--catalogue").stdout
    rows = {row["name"]: row for row in json.loads(api("list", "--catalogue", "--json").stdout)}
    assert rows["open-meteo"]["on"] is True
    assert rows["frankfurter"]["on"] is False
    for row in rows.values():
        assert row["purpose"] in text
        assert row["terms"] in text


@pytest.mark.parametrize("words", [["list", "--catalogue"], ["list"], ["show", "open-meteo"]])
def test_on_a_terminal_no_word_is_broken_by_its_edge(words: list[str], environment: dict[str, str], api: Run) -> None:
    api("add", "the-weather-of-our-own-station", "--host", "a.very-long-name.of-the-station.example")
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], *words], env=environment, encoding="utf-8", dimensions=(24, 80))
    child.expect(pexpect.EOF)
    lines = child.before.splitlines()
    assert len(lines) > 1
    for line in lines:
        assert len(line) <= 80 or " " not in line.strip(), line


def test_an_api_is_shown_with_everything_but_its_key(api: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "sky.yaml").write_text(WEATHER)
    api("add", "sky", "--openapi", "sky.yaml", "--acts", "/send*")
    ran = api("show", "sky", SKY_KEY=KEY)
    assert ran.returncode == 0, ran.stderr
    for said in ("https://eu.sky.example/v1", "query:key, set (environment)", "/send*", "https://sky.example/terms"):
        assert said in ran.stdout
    for said in (str(tmp_path / "sky.yaml"), "GET /forecast.json", "days(1-14)", "forecast.forecastday[].date"):
        assert said in ran.stdout
    assert KEY not in ran.stdout + ran.stderr


def test_an_api_of_the_catalogue_is_shown_before_it_is_switched_on(api: Run) -> None:
    ran = api("show", "open-meteo")
    assert ran.returncode == 0
    assert "ecoassist api add open-meteo" in ran.stdout


def test_the_card_is_what_a_model_reads(api: Run) -> None:
    ran = api("show", "open-meteo", "--card")
    assert ran.returncode == 0
    assert ran.stdout.startswith("- open-meteo (")
    assert "<data>" in ran.stdout
    assert "terms" not in ran.stdout


@pytest.mark.parametrize("command", ["show", "rm", "test"])
def test_an_api_that_is_nowhere_is_refused_with_a_near_one(command: str, api: Run) -> None:
    api("add", "weather", "--host", "h.example")
    ran = api(command, "wether")
    assert ran.returncode == 2
    assert "did you mean weather?" in ran.stderr


def test_control_characters_of_a_document_do_not_reach_the_terminal(api: Run, tmp_path: Path) -> None:
    document = minimal(info={"title": "T\x1b[31m\u202e", "termsOfService": "\x1b]0;x\x07terms"})
    (tmp_path / "a.json").write_bytes(as_bytes(document))
    added = api("add", "mine", "--openapi", "a.json")
    assert added.returncode == 0, added.stderr
    for ran in (added, api("show", "mine"), api("show", "mine", "--card"), api("list")):
        assert "\x1b" not in ran.stdout + ran.stderr
        assert "\u202e" not in ran.stdout + ran.stderr


# ── removing ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_added_api_is_removed_and_one_of_the_configuration_names_its_file(api: Run, config: Path) -> None:
    config.write_text('[apis.ours]\nhost = "ours.example"\n')
    api("add", "mine", "--host", "mine.example")
    ran = api("rm", "mine")
    assert (ran.returncode, ran.stderr) == (0, "removed mine\n")
    ran = api("rm", "ours")
    assert ran.returncode == 2
    assert f"remove [apis.ours] from {config}" in ran.stderr
    ran = api("rm", "open-meteo")
    assert ran.returncode == 2
    assert "not switched on" in ran.stderr


def test_a_file_that_a_person_put_there_is_removed_under_its_name(api: Run, config: Path) -> None:
    folder = config.with_suffix(".d")
    folder.mkdir()
    (folder / "My API.json").write_text('{"host": "h.example"}')
    assert "My API" in api("list").stdout
    assert api("rm", "My API").returncode == 0
    assert list(folder.iterdir()) == []


def test_a_damaged_file_is_named_by_every_command_and_can_be_removed(api: Run, config: Path) -> None:
    api("add", "mine", "--host", "mine.example")
    damaged = config.with_suffix(".d") / "mine.json"
    damaged.write_text("{")
    ran = api("list")
    assert ran.returncode == 2
    assert str(damaged) in ran.stderr
    assert "ecoassist api rm mine" in ran.stderr
    assert api("rm", "mine").returncode == 0
    assert api("list").returncode == 0


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_from_stdin_is_kept_where_only_its_owner_reads_it_and_forgotten_again(api: Run, config: Path) -> None:
    api("add", "mine", "--host", "mine.example", "--secret", "MY_KEY", "--place", "bearer")
    ran = api("key", "MY_KEY", stdin=f"{KEY}\n")
    assert ran.returncode == 0, ran.stderr
    file = config.with_suffix(".d") / "keys.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert KEY in file.read_text()
    assert KEY not in ran.stdout + ran.stderr
    assert "MY_KEY set" in api("list").stdout
    assert "set (file)" in api("show", "mine").stdout
    assert api("key", "MY_KEY", "--remove").stderr.endswith("forgot MY_KEY\n")
    assert api("key", "MY_KEY", "--remove").stderr.endswith("no MY_KEY was kept here\n")
    assert "MY_KEY missing" in api("list").stdout


@pytest.mark.parametrize(
    ("stdin", "says"), [("", "no key"), ("\n", "no key"), ("short", "5 characters"), ("with a space in it", "space")]
)
def test_a_key_that_is_none_or_cannot_be_masked_is_not_kept(stdin: str, says: str, api: Run, config: Path) -> None:
    ran = api("key", "MY_KEY", stdin=stdin)
    assert ran.returncode == 2
    assert says in ran.stderr
    assert not config.with_suffix(".d").exists()


def test_a_key_that_the_environment_has_as_well_is_told(api: Run) -> None:
    ran = api("key", "MY_KEY", stdin=KEY, MY_KEY="another-key-0123")
    assert "goes first" in ran.stderr
    assert "another-key-0123" not in ran.stderr


def test_in_a_terminal_a_key_is_asked_for_and_not_shown(environment: dict[str, str], config: Path) -> None:
    child = pexpect.spawn(COMMAND[0], [*COMMAND[1:], "key", "MY_KEY"], env=environment, encoding="utf-8", timeout=30)
    child.expect("MY_KEY: ")
    child.sendline(KEY)
    child.expect("kept MY_KEY in ")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert KEY not in str(child.before)
    assert KEY in (config.with_suffix(".d") / "keys.toml").read_text()


# ── trying ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def serving(pages: dict[str, tuple[int, bytes]], authority: SessionCA | None = None, name: str = "") -> Iterator[Any]:
    """A host on loopback: its port, and what it was asked with which Authorization."""
    asked: list[tuple[str, str]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers.get("Authorization", "")))
            status, body = pages.get(self.path.partition("?")[0], (404, b"nothing here"))
            body = body.replace(b"<path>", self.path.encode())
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        if authority:
            server.socket = authority.context(name).wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], asked
        server.shutdown()


def test_without_its_key_nothing_is_tried_and_the_way_to_set_it_is_told(api: Run) -> None:
    api("add", "mine", "--host", "mine.example", "--secret", "MY_KEY", "--place", "bearer")
    ran = api("test", "mine", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert ran.returncode == 3
    assert "MY_KEY is not set" in ran.stderr
    assert "ecoassist api key MY_KEY" in ran.stderr


def test_without_an_engine_it_says_so(api: Run) -> None:
    api("add", "mine", "--host", "mine.example")
    ran = api("test", "mine", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert ran.returncode == 3
    assert "start Docker" in ran.stderr


def test_where_every_operation_needs_something_a_path_is_asked_for(api: Run, tmp_path: Path) -> None:
    (tmp_path / "sky.yaml").write_text(WEATHER)
    api("add", "sky", "--openapi", "sky.yaml")
    ran = api("test", "sky", SKY_KEY=KEY)
    assert ran.returncode == 2
    assert "ecoassist api test sky '/forecast.json?name=value'" in ran.stderr
    ran = api("test", "sky", "no-path", SKY_KEY=KEY)
    assert ran.returncode == 2
    assert "is not a path" in ran.stderr


@pytest.mark.docker
def test_an_api_is_called_through_the_sandbox_and_the_gate_with_its_key(api: Run, config: Path, tmp_path: Path) -> None:
    authority = SessionCA()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    document = minimal(
        servers=[{"url": "https://api.sky.example/v1"}],
        security=[{"key": []}],
        components={"securitySchemes": {"key": {"type": "apiKey", "in": "query", "name": "key"}}},
        paths={
            "/needs": {"get": {"parameters": [{"name": "q", "in": "query", "required": True}]}},
            "/now": {"get": {}},
        },
    )
    (tmp_path / "sky.json").write_bytes(as_bytes(document))
    pages = {"/v1/now": (200, b'{"you asked":\n "<path>"}'), "/v1/closed": (401, b"{}"), "/v1/down": (503, b"{}")}
    with serving(pages, authority, "api.sky.example") as (port, asked):
        network = (
            f'[network]\nca_bundle = "{tmp_path}/ca.pem"\naddresses = {{"api.sky.example" = "127.0.0.1:{port}"}}\n'
        )
        config.write_text(network)
        assert api("add", "sky", "--openapi", "sky.json").returncode == 0
        fine = api("test", "sky", SKY_KEY=KEY)
        closed = api("test", "sky", "/closed", SKY_KEY=KEY)
        down = api("test", "sky", "/down?x=1", SKY_KEY=KEY)
        config.write_text(network.replace("ca_bundle", "# ca_bundle"))
        untrusted = api("test", "sky", SKY_KEY=KEY)
        config.write_text(network + 'policy = "none"\n')
        off = api("test", "sky", SKY_KEY=KEY)
        config.write_text('[network]\naddresses = {"api.sky.example" = "127.0.0.1:1"}\n')
        away = api("test", "sky", SKY_KEY=KEY)
    assert fine.returncode == 0, fine.stdout + fine.stderr
    assert asked[0][0] == f"/v1/now?key={KEY}"
    assert "ok  key SKY_KEY: set (environment)" in fine.stdout
    assert "ok  GET https://api.sky.example/v1/now: 200 in " in fine.stdout
    assert '|  "/v1/now?key=' in fine.stdout  # the echo of the key is masked
    assert closed.returncode == 1
    assert "does not accept the key: check SKY_KEY (query:key)" in closed.stdout
    assert down.returncode == 1
    assert "503" in down.stdout
    assert asked[2][0] == f"/v1/down?x=1&key={KEY}"
    assert untrusted.returncode == 3
    assert "certificate" in untrusted.stderr
    assert off.returncode == 3
    assert "the network is off" in off.stderr
    assert away.returncode == 3
    assert "could not be reached" in away.stderr
    for ran in (fine, closed, down, untrusted, off, away):
        assert KEY not in ran.stdout + ran.stderr


@pytest.mark.docker
def test_a_private_api_is_called_at_its_port_over_plain_http(api: Run, config: Path) -> None:
    config.write_text('[network]\naddresses = {"wiki.internal" = "127.0.0.1"}\n')
    with serving({"/base": (200, b"[1, 2]"), "/base/": (200, b"[1, 2]")}) as (port, asked):
        added = ["--private", "--url", f"http://wiki.internal:{port}/base", "--secret", "MY_KEY", "--place", "bearer"]
        assert api("add", "mine", *added).returncode == 0
        ran = api("test", "mine", MY_KEY=KEY)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "| [1, 2]" in ran.stdout
    assert asked == [("/base/", f"Bearer {KEY}")]
