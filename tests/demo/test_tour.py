from __future__ import annotations

import csv
import datetime
import io
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecoassist.demo import roles
from ecoassist.demo.emulators import weather
from ecoassist.demo.prompt import Evidence
from ecoassist.demo.scenes import scenes
from ecoassist.demo.script import Served
from ecoassist.demo.stage import Stage, sales, stage
from ecoassist.demo.tour import Tour, run
from ecoassist.render.console import stderr_console

ROOT = Path(__file__).parents[2]


@dataclass
class Given:
    """A tour that was given."""

    stage: Stage
    code: int
    text: str
    """What was on the console, with white space made single."""
    answers: list[str]

    def asked(self, question: str, model: str) -> list[Served]:
        """The requests to `model` for an answer to `question`."""
        return [
            one
            for one in self.stage.endpoint.log
            if one.request.model == model and one.request.messages[1].text.endswith(f"\nQuestion: {question}")
        ]


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def given() -> Iterator[Given]:
    """The whole tour in sandboxes."""
    console, out = io.StringIO(), io.StringIO()
    with stage(dict(os.environ), 0) as built:
        tour = Tour(built, stderr_console(console), out, 0)
        assert tour.missing() is None
        code = tour.give()
        yield Given(built, code, flat(console.getvalue()), out.getvalue().splitlines())


def today() -> datetime.date:
    return datetime.date.today()


def chance_of_rain(city: str, ahead: int) -> int:
    """What the emulated service says, asked without the tour."""
    now = datetime.datetime.now()
    params = {"key": "k", "q": city, "dt": (now.date() + datetime.timedelta(ahead)).isoformat()}
    _, body = weather.answer("/v1/forecast.json", params, "k", now)
    chance: int = body["forecast"]["forecastday"][0]["day"]["daily_chance_of_rain"]
    return chance


@pytest.mark.docker
def test_a_hard_question_is_repaired_once_refused_escalated_solved_and_stored(given: Given) -> None:
    assert given.code == 0
    question = scenes(today())[0].question
    assert len(given.asked(question, roles.WEAK)) == 3  # a program, its repair, an answer
    assert len(given.asked(question, roles.STRONG)) == 2
    first = given.text.partition("2 of 5:")[0]
    steps = [
        "KeyError: 'chance_of_rain'",
        f"{today()} rain:",
        "the cheap tier did not solve it (asked about",
        "escalating to strong",
        f"{today() + datetime.timedelta(3)} rain:",
        "stored as solution #1",
        "solved by strong after cheap in 5 turns",
        "solution #1 confirmed by its re-run",
    ]
    places = [first.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.docker
def test_a_similar_question_is_solved_by_the_weak_model_with_the_demonstration_in_its_prompt(given: Given) -> None:
    first, second = (scene.question for scene in scenes(today())[:2])
    assert all("solved by this program" not in one.request.messages[1].text for one in given.asked(first, roles.WEAK))
    for one in given.asked(second, roles.WEAK):
        shown = one.request.messages[1].text.partition("solved by this program")[2]
        assert f"Question: {first.replace('Ghent', '<name>')}" in shown
        assert 'os.environ["WEATHERAPI_KEY"]' in shown
    assert len(given.asked(second, roles.WEAK)) == 2
    assert not given.asked(second, roles.STRONG)
    assert "solved by cheap in 2 turns" in given.text.partition("2 of 5:")[2]
    assert "with solution #1" in given.text


@pytest.mark.docker
def test_a_third_question_is_answered_by_the_stored_program_without_any_model(given: Given) -> None:
    question = scenes(today())[2].question
    assert not given.asked(question, roles.WEAK)
    assert not given.asked(question, roles.STRONG)
    third = given.text.partition("3 of 5:")[2].partition("4 of 5:")[0]
    assert "replayed solution #1, 0 tokens · " in third
    assert "stored as" not in third


@pytest.mark.docker
def test_the_answers_are_what_the_services_and_the_file_say(given: Given) -> None:
    rows = list(csv.DictReader(io.StringIO(sales().content.decode())))
    revenue: dict[str, float] = defaultdict(float)
    for row in rows:
        revenue[row["region"]] += int(row["units"]) * float(row["price"])
    best = max(revenue, key=lambda region: revenue[region])
    assert len(given.answers) == 5
    assert given.answers[0].endswith(f" is {chance_of_rain('Ghent', 3)} %.")
    assert given.answers[1].endswith(f" is {chance_of_rain('Lisbon', 4)} %.")
    assert given.answers[2].endswith(f" rain: {chance_of_rain('Porto', 3)} %")
    assert given.answers[3] == f"{best}, with {revenue[best]:,.2f}."
    assert given.answers[4].startswith("IBM closed at $")


@pytest.mark.docker
def test_the_file_question_takes_three_cells_on_the_same_variables(given: Given) -> None:
    messages = given.asked(scenes(today())[3].question, roles.WEAK)[-1].request.messages
    cells = [message.text for message in messages if message.role == "assistant"]
    assert len(cells) == 3
    assert ["rows = " in cell for cell in cells] == [True, False, False]
    assert ["revenue = " in cell for cell in cells] == [False, True, False]
    assert all(message.text.startswith("[ok]") for message in messages[3::2])


@pytest.mark.docker
def test_a_host_that_is_not_listed_is_refused_with_the_reason(given: Given) -> None:
    assert "blocked: query1.finance.yahoo.com: host query1.finance.yahoo.com is not on the allow-list" in given.text


@pytest.mark.docker
def test_real_keys_reach_the_services_and_nothing_else(given: Given) -> None:
    log = given.stage.endpoint.log
    sent = [f"{one.request.headers} {one.request.body}" for one in log]
    for variable, key in given.stage.keys.items():
        assert not any(key in text for text in [given.text, *given.answers, *sent])
        assert variable == "GOOGLE_MAPS_KEY" or given.stage.accepted(variable) > 0
    placeholder = given.answers[4].removesuffix(".").rpartition(" ")[2]
    assert len(placeholder) == len(given.stage.keys["ALPHAVANTAGE_KEY"])
    assert f"We have detected your API key as {placeholder}" in given.text
    assert "no real key appears" in given.text


def test_a_real_key_in_sight_of_the_code_would_be_called_a_bug() -> None:
    console = io.StringIO()
    with stage({}, 0) as built:
        tour = Tour(built, stderr_console(console), io.StringIO(), 0)
        assert tour.keys_kept()
        tour.heard.texts.append(f"url: https://x/?key={built.keys['WEATHERAPI_KEY']}&q=1")
        assert not tour.keys_kept()
    assert "The real WEATHERAPI_KEY was seen by code or models. This is a bug." in console.getvalue()


@pytest.mark.docker
def test_the_bill_is_what_the_endpoint_counted(given: Given) -> None:
    bill = given.text.partition("What it cost")[2]
    tokens = sum(one.prompt_tokens + one.completion_tokens for one in given.stage.endpoint.log)
    price = {roles.WEAK: (0.1, 0.5), roles.STRONG: (2.0, 10.0)}
    cost = sum(
        (one.prompt_tokens * price[one.request.model][0] + one.completion_tokens * price[one.request.model][1]) / 1e6
        for one in given.stage.endpoint.log
    )
    total = re.search(r"together (\d+) ([\d,]+) \$([\d.]+) \$([\d.]+)", bill)
    assert total
    assert total[1] == "15"
    assert int(total[2].replace(",", "")) == tokens
    assert float(total[3]) == pytest.approx(cost, abs=1e-5)
    rows = re.findall(r"(?:cheap, strong|cheap|replay) (\d) ([\d,]+) \$([\d.]+) \$([\d.]+)", bill)
    assert len(rows) == 5
    assert rows[2][:3] == ("1", "0", "0.00000")
    assert float(rows[0][2]) > float(rows[0][3])  # it paid for both tiers and two verdicts
    assert all(float(row[2]) < float(row[3]) for row in rows[1:])
    assert float(total[4]) == pytest.approx(sum(float(row[3]) for row in rows), abs=5e-5)


# ── without a sandbox ───────────────────────────────────────────────────────────────────────────────────────────────


def without_engine(folder: Path) -> dict[str, str]:
    return {**os.environ, "DOCKER_HOST": f"unix://{folder}/none.sock", "no_proxy": "*"}


def test_without_a_sandbox_it_says_so_runs_in_a_local_kernel_and_skips_the_gate(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    console, out = io.StringIO(), io.StringIO()
    assert run(stderr_console(console), out, environ=without_engine(tmp_path), pace=0) == 0
    text = flat(console.getvalue().replace("┃", " "))
    assert "NO SANDBOX" in text
    assert "no Docker engine answers at" in text
    assert "UNSAFE: a local kernel runs on this machine, outside any sandbox" in text
    assert "Skipped: an answer without any model." in text
    assert "5 of 5: What code cannot do" in text
    assert "Skipped: the blocked host and the masked key." in text
    assert "solved by strong after cheap in 5 turns" in text
    assert "solution #1 confirmed by its re-run" in text
    assert "with solution #1" in text
    assert "together 11" in text
    assert len(out.getvalue().splitlines()) == 3
    assert out.getvalue().splitlines()[0].endswith(f" is {chance_of_rain('Ghent', 3)} %.")


SCRIPT = """
import os, sys
{before}
from ecoassist.demo.tour import run
from ecoassist.errors import EcoassistError
from ecoassist.render.console import stderr_console
from ecoassist.render.result import exit_code
try:
    code = run(stderr_console(sys.stderr), sys.stdout, environ=dict(os.environ), pace={pace})
except EcoassistError as error:
    print(error, error.remedy, file=sys.stderr)
    code = exit_code(error=error)
sys.exit(code)
"""


def process(environ: dict[str, str], before: str = "", pace: float = 0) -> subprocess.Popen[str]:
    script = SCRIPT.format(before=before, pace=pace)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        env=environ,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def test_with_neither_sandbox_nor_local_kernel_it_ends_with_both_remedies(tmp_path: Path) -> None:
    with process(without_engine(tmp_path), before="sys.modules['ipykernel'] = None") as child:
        _, text = child.communicate(timeout=60)
    assert child.returncode == 3
    assert "no Docker engine answers at" in text
    assert 'pip install "ecoassist[unsafe-local]"' in text


def test_ctrl_c_leaves_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    pytest.importorskip("ipykernel")
    folder = tmp_path / "t"
    folder.mkdir()
    with process({**without_engine(tmp_path), "TMPDIR": str(folder)}, pace=1) as child:
        assert child.stderr
        assert any("KeyError" in line for line in child.stderr), "no first cell"
        assert list(folder.glob("ecoassist-demo-*"))
        child.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert child.wait(timeout=15) == 130
        assert time.monotonic() - began < 15
        child.stderr.read()
    assert not list(folder.iterdir())


# ── on any day ──────────────────────────────────────────────────────────────────────────────────────────────────────


def days() -> list[datetime.date]:
    return [datetime.date(2027, 12, 1) + datetime.timedelta(ahead) for ahead in range(100)]


@pytest.mark.parametrize("day", days(), ids=str)
def test_no_day_asked_about_is_today_and_the_judge_knows_which_it_is(day: datetime.date) -> None:
    for scene, ahead in zip(scenes(day)[:2], (3, 4), strict=True):
        said = [
            roles.judge(Evidence(f"{day:%A, %-d %B %Y}, 23:59 (UTC)", scene.question, f"{of} rain: 7 %", "It is 7 %."))
            for of in (day, day + datetime.timedelta(ahead))
        ]
        assert ['"solved": false' in one for one in said] == [True, False]


def test_the_judge_misses_a_figure_that_no_program_printed() -> None:
    assert '"solved": false' in roles.judge(Evidence("", "How much?", "12 apples", "13 apples"))
    assert '"solved": true' in roles.judge(Evidence("", "How much?", "1234.50 apples", "1,234.50 apples"))


def test_lines_fit_into_80_columns() -> None:
    for scene in scenes(datetime.date(2026, 9, 6)):  # three days before a Wednesday, the longest of names
        assert max(map(len, [scene.command, *scene.about.splitlines()])) < 80
