from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ecoassist.cli.ask import ask


def run_main(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """main() with an app of one command."""
    code = f"""
import typer
from ecoassist.cli.main import main
app = typer.Typer(pretty_exceptions_enable=False)
@app.command()
def command() -> None:
    {command}
main(app)
"""
    return subprocess.run(
        [sys.executable, "-c", code], env={"HOME": str(folder)}, cwd=folder, capture_output=True, text=True, timeout=60
    )


def test_a_bug_ends_with_70_and_its_traceback(tmp_path: Path) -> None:
    ran = run_main("raise RuntimeError('a bug')", tmp_path)
    assert (ran.returncode, ran.stdout) == (70, "")
    assert "Traceback" in ran.stderr
    assert ran.stderr.endswith("RuntimeError: a bug\n")


LOADED = """
    import os, pathlib, threading, logging
    os.environ["OPENAI_API_KEY"] = key = "sk-0123456789/abc"
    os.environ["ECOASSIST_CONFIG"] = "none.toml"
    pathlib.Path("none.toml").touch()
    from ecoassist.cli.common import load_config
    load_config(None)
"""
"""A command that has loaded a configuration, with a key in the environment."""


@pytest.mark.parametrize(
    "then",
    [
        """
    try:
        raise ValueError("inner", key)
    except ValueError as error:
        raise RuntimeError("a bug: " + key.encode().hex()) from error""",
        """
    thread = threading.Thread(target=lambda: open(key.replace("/", "%2F")))
    thread.start(); thread.join()""",
        """
    logging.getLogger("somebody").error("it broke: %s", key)""",
        """
    class Odd:
        def __del__(self): raise KeyError(key)
    Odd()""",
        """
    logging.getLogger("somebody").error("%d times", key)""",
        """
    import warnings
    warnings.warn(f"{key} is deprecated")""",
        """
    raise ExceptionGroup("many", [ValueError(key)])""",
        """
    import asyncio
    raise asyncio.CancelledError(key)""",
        """
    raise BaseExceptionGroup(key, [KeyboardInterrupt(key)])""",
    ],
    ids=["a bug", "a thread", "a log", "a destructor", "a bad log", "a warning", "a group", "a cancellation", "groups"],
)
def test_tracebacks_and_logs_hold_no_key(then: str, tmp_path: Path) -> None:
    ran = run_main(LOADED.strip() + then, tmp_path)
    assert "[OPENAI_API_KEY]" in ran.stderr
    for form in ("sk-0123456789/abc", "sk-0123456789%2Fabc", b"sk-0123456789/abc".hex()):
        assert form not in ran.stdout + ran.stderr


def test_a_traceback_holds_no_password_of_a_proxy(tmp_path: Path) -> None:
    proxy = 'os.environ["https_proxy"] = "http://me:a-hidden-passw0rd@127.0.0.1:9"\n    '
    loaded = LOADED.strip().replace('os.environ["ECO', f'{proxy}os.environ["ECO', 1)
    ran = run_main(
        loaded
        + """
    raise RuntimeError(os.environ["https_proxy"])""",
        tmp_path,
    )
    assert ran.stderr.endswith("RuntimeError: http://me:[PROXY_PASSWORD]@127.0.0.1:9\n")


@pytest.mark.parametrize("bug", ["asyncio.CancelledError()", "BaseExceptionGroup('x', [KeyboardInterrupt()])"])
def test_what_is_no_exception_ends_with_70_as_well(bug: str, tmp_path: Path) -> None:
    assert run_main(f"import asyncio; raise {bug}", tmp_path).returncode == 70


def test_a_thread_that_ends_itself_is_no_bug(tmp_path: Path) -> None:
    ran = run_main("import threading, sys; t = threading.Thread(target=sys.exit); t.start(); t.join()", tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("code", [0, 1, 5, 124])
def test_a_command_chooses_its_exit_code(code: int, tmp_path: Path) -> None:
    assert run_main(f"raise typer.Exit({code})", tmp_path).returncode == code


def test_a_command_without_a_code_ends_with_0(tmp_path: Path) -> None:
    ran = run_main("print('said')", tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "said\n", "")


def test_a_reader_that_went_away_is_no_unsolved_question(tmp_path: Path) -> None:
    ran = run_main("raise BrokenPipeError(32, 'Broken pipe')", tmp_path)
    assert (ran.returncode, ran.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="takes a device that is always full")
def test_a_full_disk_under_the_output_is_told_in_one_line_and_is_no_bug(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "ecoassist", "--version"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )
    told = "ecoassist: cannot write: No space left on device\n  make room, then try again\n"
    assert (ran.returncode, ran.stderr) == (3, told)


def test_ctrl_c_outside_a_question_ends_with_130(tmp_path: Path) -> None:
    ran = run_main("import os, signal; os.kill(os.getpid(), signal.SIGINT)", tmp_path)
    assert (ran.returncode, ran.stderr) == (130, "")


def test_sigterm_outside_a_question_leaves_by_its_finally_clauses(tmp_path: Path) -> None:
    ran = run_main(
        """
    import os, signal
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        print("closed")""",
        tmp_path,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (143, "closed\n", "")


def test_a_bug_is_an_object_of_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(type(tmp_path)):  # type: ignore[misc]
        def open(self, *args: Any, **kw: Any) -> Any:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ZeroDivisionError):
        ask("x", file=[Broken(tmp_path)], json=True, timeout=60)
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["error"] == {"kind": "internal", "message": "ZeroDivisionError: a bug", "remedy": ""}


def test_standard_streams_that_are_closed_are_stood_in_for(tmp_path: Path) -> None:
    code = """
import os
from pathlib import Path
from ecoassist.cli.main import main
def look() -> None:
    print("lost")
    Path("seen").write_text(repr([os.readlink(f"/proc/self/fd/{n}") for n in range(3)]))
main(look)
"""
    closed = [(os.POSIX_SPAWN_CLOSE, number) for number in range(3)]
    arguments = [sys.executable, "-c", f"import os; os.chdir({str(tmp_path)!r}){code}"]
    pid = os.posix_spawn(sys.executable, arguments, {}, file_actions=closed)
    assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / "seen").read_text() == "['/dev/null', '/dev/null', '/dev/null']"
