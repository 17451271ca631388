"""The decision over recorded answers: on a record made here, and on a published one where it is at hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARK = ROOT / "benchmarks" / "agreement.py"


def python(*words: str | Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)


def record(words: Any, program: Any, plan: Any, strong: Any = 4) -> dict[str, Any]:
    said = {
        name: [{"value": value, "usd": 1}] for name, value in (("words", words), ("programs", program), ("plans", plan))
    }
    return {"query": "q", "truth": 4, "strong": {"value": strong, "usd": 10}, **said}


def test_the_benchmark_says_what_pairs_cost_and_what_they_lose(tmp_path: Path) -> None:
    file = tmp_path / "answers.json"
    records = [record(4, "4.0", "four of them"), record(5, 5, 4), record(4, 5, 5), record(None, 4, None)]
    file.write_text(json.dumps(records))
    done = python("-m", "benchmarks.agreement", file, "--check")
    assert done.returncode == 1, done.stderr
    figures = dict(re.findall(r"^  (.+?)  +(-?[\d.]+) ", done.stdout, re.M))
    assert figures["words + program: cost / strong alone"] == f"{(2 + 2 + 12 + 11) / 40:.2f}"
    assert figures["words + program: accuracy lost"] == "25.00", "two that agree on a wrong value"
    assert figures["words + program: right of those accepted"] == "50.00"
    assert figures["two programs: escalated"] == "75.00"


@pytest.mark.parametrize("held", ["", "[]", "{}", '[{"query": "q"}]', "[1]"])
def test_the_benchmark_says_plainly_what_it_needs(tmp_path: Path, held: str) -> None:
    file = tmp_path / "answers.json"
    file.write_text(held)
    done = python("-m", "benchmarks.agreement", file)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert str(file) in done.stderr or "no words and programs to pair" in done.stderr


@pytest.mark.parametrize(("policy", "loss", "cost"), [("decide", 0.005, 0.40), ("two_programs", 0.02, 0.40)])
def test_on_published_answers_a_pair_is_as_good_as_the_strong_model_at_a_part_of_its_cost(
    shared_data: Callable[[str], Path], policy: str, loss: float, cost: float
) -> None:
    replay = shared_data("mot_replay.py")
    shared_data("mot_date.json")
    done = python(replay, "--norm", "raw", "--policy", f"{BENCHMARK}:{policy}", "--boot", "0", "--draws", "10")
    assert done.returncode == 0, done.stderr
    assert float(re.findall(r"vs strong (\S+)", done.stdout)[0]) >= -loss, done.stdout
    assert float(re.findall(r"cost/greedy (\S+)", done.stdout)[0]) <= cost, done.stdout
