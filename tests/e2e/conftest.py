"""The real command as a process of its own, asking a scripted endpoint over real HTTP on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import pexpect
import pytest
from docker.errors import APIError

from ecoassist.demo.endpoint import ChatRequest, Endpoint, Script, Scripted
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.reaper import LABEL
from ecoassist.kernel.settings import BoxSettings

PATIENCE = 15.0
"""Seconds until what should take one has failed."""
PASSED_ON = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "ECOASSIST_BASE_IMAGE",
    "ECOASSIST_BUILD_NETWORK",
    "PATH",
    "PYTHONPATH",
)
"""Of the environment of whoever runs the tests; coverage's own variables too. Nothing else reaches the command."""
ENGINE = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
ENGINE |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
"""Read before any test changes its environment."""
LOCAL = "--unsafe-local"
PRICE = "price = { input = 1.0, output = 2.0 }"


def python(source: str) -> Scripted:
    """A reply that acts."""
    return Scripted(f"```python\n{source.strip()}\n```")


def is_judge(request: ChatRequest) -> bool:
    return request.messages[0].text.startswith("You check")


def judged(solved: bool, reason: str = "as scripted") -> Scripted:
    return Scripted(f'{{"solved": {str(solved).lower()}, "reason": "{reason}"}}')


def judging(
    verdicts: Sequence[Scripted], answers: Sequence[Scripted] | Callable[[ChatRequest], Scripted] = ()
) -> Callable[[ChatRequest], Scripted]:
    """A model that judges with its verdicts, the last one for ever, and otherwise answers in order."""
    left, replies = list(verdicts), list(answers) if not callable(answers) else []

    def script(request: ChatRequest) -> Scripted:
        if is_judge(request):
            return left.pop(0) if len(left) > 1 else left[0]
        if callable(answers):
            return answers(request)
        return replies.pop(0) if replies else Scripted("the script has no more answers", 500)

    return script


def prompt(request: ChatRequest) -> str:
    """All that a model was sent, as one text."""
    return "\n".join(message.text for message in request.messages)


def wait_until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    pid: int


@dataclass
class Command:
    """`ecoassist` with an environment, a home, a configuration and data of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    started: ExitStack = field(default_factory=ExitStack)
    python: str = sys.executable

    def __post_init__(self) -> None:
        for name in ("home", "tmp"):
            (self.folder / name).mkdir()
        self.env = {
            **ENGINE,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.tmp),
            "LANG": "C.UTF-8",
            "ECOASSIST_CONFIG": str(self.config),
            "ECOASSIST_DATA": str(self.data),
            "OLLAMA_HOST": "127.0.0.1:9",  # the discard port: nobody's models are found by chance
        }
        if "DOCKER_CONFIG" not in self.env and "DOCKER_HOST" not in self.env:
            self.env["DOCKER_CONFIG"] = str(Path.home() / ".docker")  # names the docker context in force
        self.config.write_text("", encoding="utf-8")

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def tmp(self) -> Path:
        return self.folder / "tmp"

    def configure(self, url: str, tiers: Mapping[str, str], *, settings: str = PRICE, more: str = "") -> None:
        """One tier for each name and model, all at `url` and with `settings`; `more` is the rest of the file."""
        parts = [
            f'[[tiers]]\nname = "{name}"\nmodel = "{model}"\nbase_url = "{url}"\n{settings}\n'
            for name, model in tiers.items()
        ]
        self.config.write_text("\n".join([*parts, more]), encoding="utf-8")

    def start(
        self,
        *args: str | bytes | Path,
        env: Mapping[str, str | None] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        cwd: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """The running process, ended with the test at the latest. None takes a variable out of the environment."""
        variables = {name: value for name, value in {**self.env, **(env or {})}.items() if value is not None}
        process = subprocess.Popen(
            [self.python, "-m", "ecoassist", *args],
            env=variables,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd=cwd or self.folder,
        )
        self.started.callback(_end, process)
        return process

    def __call__(
        self,
        *args: str | bytes | Path,
        stdin: bytes | None = None,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        seconds: float = 60,
    ) -> Ran:
        """Runs it to its end. Without `stdin` there is none."""
        process = self.start(*args, env=env, cwd=cwd, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
        return finish(process, stdin, seconds)

    def kernels(self) -> list[str]:
        """Processes of kernels that run on this machine, and what they started: their working folder is ours."""
        return [str(path) for path in Path("/proc").glob("[0-9]*") if _works_in(path, self.tmp)]

    def sockets(self) -> list[Path]:
        return list(self.tmp.glob("eco-*"))


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return os.readlink(process / "cwd").startswith(str(folder))
    except OSError:  # it has ended, or belongs to somebody else
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.communicate()


def finish(process: subprocess.Popen[bytes], stdin: bytes | None = None, seconds: float = 60) -> Ran:
    """What the process said, once it has ended by itself."""
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"still running after {seconds:g} s\nstdout: {_text(out)}\nstderr: {_text(err)}")
    return Ran(process.returncode, _text(out), _text(err), process.pid)


def read_until(process: subprocess.Popen[bytes], said: str, stream: IO[bytes] | None = None) -> str:
    """Lines of stdout, or of `stream`, up to the first that contains `said`."""
    stream = stream or process.stdout
    assert stream is not None
    lines: list[str] = []
    overdue = threading.Timer(PATIENCE, process.kill)  # ends the reading
    overdue.start()
    try:
        for raw in iter(stream.readline, b""):
            lines.append(_text(raw))
            if said in lines[-1]:
                return "".join(lines)
    finally:
        overdue.cancel()
        overdue.join()
    pytest.fail(f"ended, or not within {PATIENCE:g} s: {said!r} in {''.join(lines)}")


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "surrogateescape")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    with command.started:
        yield command


class Serve(Protocol):
    def __call__(self, scripts: Mapping[str, Script], *, more: str = "", key: str | None = None) -> Endpoint:
        """Starts an endpoint."""


@pytest.fixture
def serve(run: Command) -> Iterator[Serve]:
    """Starts an endpoint with a script for each model, and names it in the configuration: one tier for each model."""
    with ExitStack() as running:

        def start(scripts: Mapping[str, Script], *, more: str = "", key: str | None = None) -> Endpoint:
            endpoint = running.enter_context(Endpoint(scripts, key=key))
            run.configure(endpoint.url, {name: name for name in scripts}, more=more)
            return endpoint

        yield start


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    """For tests marked `docker`."""
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture
def containers(engine: Engine) -> Callable[[int], list[str]]:
    """The containers whose label says that the process with this id made them."""

    def of(pid: int) -> list[str]:
        return [id for id, labels in engine.containers(LABEL) if labels[LABEL].split()[-2:-1] == [str(pid)]]

    return of


MARK = "98765432"


@pytest.fixture
def working(run: Command, request: pytest.FixtureRequest) -> Callable[[int], bool]:
    """Whether the cell of the process with this id is under way: it started `sleep MARK`, for that purpose."""
    if request.node.get_closest_marker("docker"):
        engine: Engine = request.getfixturevalue("engine")
        containers: Callable[[int], list[str]] = request.getfixturevalue("containers")
        return lambda pid: any(MARK in _top(engine, id) for id in containers(pid))
    return lambda pid: any(MARK in _command_line(process) for process in run.kernels())


def _top(engine: Engine, container: str) -> str:
    try:
        return str(engine.api.top(container))
    except APIError:  # it does not run yet, or no more
        return ""


def _command_line(process: str) -> str:
    try:
        return Path(process, "cmdline").read_text()
    except OSError:
        return ""


# ── a person at a terminal ──────────────────────────────────────────────────────────────────────────────────────────

VERDICT = "right? ["
CTRL_C, CTRL_D, ESC = "\x03", "\x04", "\x1b"


class Terminal:
    """A person at a terminal."""

    def __init__(self, command: Command, *args: str, env: dict[str, str] | None = None) -> None:
        self.child: Any = pexpect.spawn(
            command.python,
            ["-m", "ecoassist", "chat", *args],
            env={**command.env, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", **(env or {})},
            cwd=str(command.folder),
            dimensions=(24, 80),
            encoding="utf-8",
            timeout=PATIENCE,
        )
        self.child.delaybeforesend = None

    @property
    def pid(self) -> int:
        return int(self.child.pid)

    def sees(self, text: str) -> str:
        """Waits for `text`; returns what came before it."""
        try:
            self.child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF):
            pytest.fail(f"not seen: {text!r} after {self.child.before!r}")
        return str(self.child.before)

    def at_prompt(self) -> str:
        before = self.sees(f"{ESC}[?2004h")  # bracketed paste is on while a line is edited
        self.sees(">")
        return before

    def types(self, keys: str) -> None:
        self.child.send(keys)

    def asks(self, question: str) -> None:
        self.types(question + "\r")

    def leaves(self) -> int:
        """The exit code."""
        self.child.expect(pexpect.EOF)
        self.child.wait()
        assert "Traceback" not in self.child.before
        return -self.child.signalstatus if self.child.signalstatus else int(self.child.exitstatus)


class Open(Protocol):
    def __call__(self, *args: str, env: dict[str, str] | None = None) -> Terminal:
        """Starts a chat, which is at its prompt on return."""


@pytest.fixture
def chat(run: Command) -> Iterator[Open]:
    with ExitStack() as opened:

        def start(*args: str, env: dict[str, str] | None = None) -> Terminal:
            terminal = Terminal(run, *(args or (LOCAL,)), env=env)
            opened.callback(terminal.child.close, force=True)
            terminal.sees("/help lists the commands")
            terminal.at_prompt()
            return terminal

        yield start


def unasked(request: object) -> Scripted:
    return Scripted("nobody was to ask me", 400)
