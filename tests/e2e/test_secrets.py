"""A scan after full runs: no key is anywhere but in the environment of the command and on its way to its own host."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ecoassist.demo.endpoint import ChatRequest, Endpoint, Scripted
from ecoassist.kernel.docker import Engine
from tests.e2e.conftest import LOCAL, PRICE, Command, is_judge, judged, prompt, python
from tests.egress.conftest import Net, Reply, Seen

KEY = "sk-l1ve/T0P+secret=99"
MODEL_KEY = "mk-0123456789abcdefXYZ"
KEYS = {"ECHO_KEY": KEY, "MODEL_KEY": MODEL_KEY}
QUESTION = f"What does the echo say to {KEY}, and to {MODEL_KEY}?"


def forms(key: str) -> list[str]:
    """All that the masks promise to find."""
    raw = key.encode()
    over = "".join(f"%{byte:02x}" for byte in raw)
    packed = [
        encode(bytes(before) + raw).decode()[-(-8 * before // 6) : 8 * (before + len(raw)) // 6]
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for before in range(3)
    ]
    quoted = quote(key, safe="")
    escaped = ["".join(f"\\u{byte:04x}" for byte in raw), key.replace("/", "\\/")]
    return [key, quoted, quote(quoted, safe=""), over, over.upper(), raw.hex(), raw.hex().upper(), *packed, *escaped]


FORMS = {form for key in KEYS.values() for form in forms(key)}


def leaks(text: str | bytes) -> list[str]:
    """The forms of keys that are in it."""
    found = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return [form for form in FORMS if form.encode() in found]


def echo(seen: Seen) -> Reply:
    """An API that says the key back in every form, in small pieces; or in an error page."""
    said = json.dumps({"you": seen.target, "again": forms(KEY)})
    headers = {"set-cookie": f"k={KEY}; Path=/", "x-key": quote(KEY, safe=""), "content-type": "application/json"}
    pieces = [said[begin : begin + 7].encode() for begin in range(0, len(said), 7)]
    return Reply(401 if "error" in seen.target else 200, headers, pieces)


CALL = """
import json, os, urllib.request, urllib.error
key = os.environ["ECHO_KEY"]
answer = urllib.request.urlopen(urllib.request.Request("https://api.echo.example/x?key=" + key, headers={"X-Key": key}))
said = answer.read().decode() + str(answer.headers)
try:
    urllib.request.urlopen("https://api.echo.example/error?key=" + key)
except urllib.error.HTTPError as error:
    said += error.read().decode() + str(error.headers)
open("echo.txt", "w").write(said)
print(len(said) > 500, said)
"""
SEARCH = f"""
import glob, os
needles = [form[::-1].encode() for form in {[form[::-1] for form in sorted(FORMS)]!r}]
met, files = [], 0
SYSTEM = ("/proc", "/sys", "/usr", "/opt")
def look(name, data):
    met.extend(name for needle in needles if needle in data)
look("environment", repr(dict(os.environ)).encode())
for top in ("/", "/proc/self", "/proc/1", *glob.glob("/proc/[0-9]*")):
    for folder, folders, names in os.walk(top):
        if top != "/":
            folders.clear()
        if top == "/":
            folders[:] = [name for name in folders if os.path.join(folder, name) not in SYSTEM]
        for name in names:
            if top != "/" and name not in ("environ", "cmdline", "maps", "mountinfo", "status", "cgroup"):
                continue
            path = os.path.join(folder, name)
            try:
                if not os.path.isfile(path) or (top == "/" and os.path.getsize(path) > 10_000_000):
                    continue
                with open(path, "rb") as file:
                    look(path, file.read())
                files += 1
            except OSError:
                pass
print("searched", files > 50, "found", sorted(set(met)))
"""
FAIL = f"""
key = {KEY[::-1]!r}[::-1]
print(key[:9], end="", flush=True); print(key[9:], {MODEL_KEY[::-1]!r}[::-1])
def call(token):
    raise ValueError("refused: " + token + " " + token.encode().hex())
call(key)
"""
"""What a program could do that has found another way to a key."""
DONE = Scripted(f"It is {KEY}.\nANSWER: {json.dumps({'key': KEY, MODEL_KEY: [1]})}")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    made = Net(tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def api(net: Net, run: Command) -> str:
    """The part of a configuration that names the echo."""
    host = net.host("api.echo.example", echo)
    (run.folder / "authority.pem").write_bytes(net.authority.pem)
    run.env |= KEYS
    return f"""
[apis.echo]
host = "api.echo.example"
secret = "ECHO_KEY"
place = "query:key, header:X-Key"
card = "says everything back"
[network]
addresses = {{ "api.echo.example" = "127.0.0.1:{host.tls_port}" }}
ca_bundle = "{run.folder / "authority.pem"}"
"""


def scan(run: Command, *told: str | bytes) -> None:
    """Fails for a key in what was told, or in any file that the command left."""
    for text in told:
        assert not leaks(text), text
    files = [path for path in run.folder.rglob("*") if path.is_file() and path.name != "notes.txt"]
    assert {"solutions.db", "echo.txt"} <= {path.name for path in files}
    for path in files:
        assert not leaks(path.read_bytes()), path


@pytest.mark.docker
@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_after_a_full_run_no_key_is_anywhere(
    form: str, run: Command, net: Net, api: str, engine: Engine, request: pytest.FixtureRequest
) -> None:
    containers = request.getfixturevalue("containers")
    inspected: list[str] = []
    said: list[str] = []
    process_id: list[int] = []

    def weak(request: ChatRequest) -> Scripted:
        said.append(prompt(request))
        if process_id and request.number:
            inspected.extend(json.dumps(engine.api.inspect_container(id)) for id in containers(process_id[0]))
            inspected.extend(
                path.read_bytes().decode("utf-8", "replace")
                for path in Path("/proc").glob("[0-9]*/cmdline")
                if path.parent.name != str(process_id[0])  # the person's own words stand there
                and _is_child(path.parent, process_id[0])
            )
        steps = [
            python(CALL),
            python(SEARCH),
            python("print(open('notes.txt').read())"),
            python(FAIL),
            python("print(7)"),
        ]
        return (*steps, DONE)[request.number]

    def strong(request: ChatRequest) -> Scripted:
        said.append(prompt(request))
        return judged(True, f"it says {KEY}")

    notes = run.folder / "notes.txt"
    notes.write_text(f"my key is {KEY}\nand {MODEL_KEY.encode().hex()}\n" + base64.b64encode(KEY.encode()).decode())
    with Endpoint({"weak": weak, "strong": strong}, key=MODEL_KEY) as endpoint:
        settings = PRICE + '\nkey = "MODEL_KEY"'
        run.configure(endpoint.url, {"weak": "weak", "strong": "strong"}, settings=settings, more=api)
        process = run.start("ask", QUESTION, form, "--verbose", "--file", notes)
        process_id.append(process.pid)
        out, err = process.communicate(timeout=120)
    text = err.decode()

    scan(run, out, err, *inspected, *said)
    assert process.returncode == 0, text
    assert "True" in text
    assert "searched True found []" in text
    assert "notes.txt holds the value of ECHO_KEY" in text
    assert "notes.txt holds the value of MODEL_KEY" in text
    assert "refused: [ECHO_KEY] [ECHO_KEY]" in text
    assert "[ECHO_KEY]" in out.decode()
    assert "[MODEL_KEY]" in out.decode()
    assert any("refused: [ECHO_KEY]" in one for one in said)
    assert any("What does the echo say to [ECHO_KEY], and to [MODEL_KEY]?" in one for one in said)
    assert any('"Env"' in one for one in inspected)
    (host,) = net.hosts
    assert any(quote(KEY, safe="") in seen.target and seen.headers.get("x-key") == KEY for seen in host.seen)
    listed = run("solutions", "show", "1")
    assert not leaks(listed.out + listed.err)


def _is_child(process: Path, parent: int) -> bool:
    try:
        return f"PPid:\t{parent}\n" in (process / "status").read_text()
    except OSError:
        return False


def test_outside_a_sandbox_code_sees_keys_and_still_nobody_is_told_them(run: Command, api: str) -> None:
    said: list[str] = []
    tell = (
        "import os\nopen('echo.txt', 'w').write('made')\nkey = os.environ['ECHO_KEY']\nprint(key, key.encode().hex())"
    )

    def model(request: ChatRequest) -> Scripted:
        said.append(prompt(request))
        return judged(True) if is_judge(request) else (python(tell), DONE)[request.number]

    with Endpoint({"weak": model}, key=MODEL_KEY) as endpoint:
        run.configure(endpoint.url, {"weak": "weak"}, settings=PRICE + '\nkey = "MODEL_KEY"', more=api)
        ran = run("ask", QUESTION, LOCAL, "--verbose")

    scan(run, ran.out, ran.err, *said)
    assert ran.code == 0, ran.err
    assert "[ECHO_KEY] [ECHO_KEY]" in ran.err
    assert ran.out.startswith("It is [ECHO_KEY].")


@pytest.mark.parametrize("form", [(), ("--json",), ("--jsonl",)])
def test_an_error_of_an_endpoint_that_repeats_the_key_is_told_without_it(form: tuple[str, ...], run: Command) -> None:
    run.env |= KEYS

    def refuse(request: ChatRequest) -> Scripted:
        return Scripted(f"Incorrect API key provided: {MODEL_KEY.encode().hex()}", 400)

    with Endpoint({"weak": refuse}) as endpoint:
        run.configure(endpoint.url, {"weak": "weak"}, settings=PRICE + '\nkey = "MODEL_KEY"')
        ran = run("ask", "x", LOCAL, *form)

    assert ran.code == 3, ran.err
    assert "[MODEL_KEY]" in ran.err
    assert not leaks(ran.out + ran.err)
