"""A process that asks several questions at once: each a conversation of its own in a thread of its own.

    python askers.py CONFIG RESULTS QUESTION...

Endpoints, retries, money and the ledger are the real ones, wired as for a command; kernels are scripted, so that fifty
questions at once say something about money on a small machine. A line of JSON for each answer is appended to RESULTS.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from pathlib import Path

from ecoassist import day
from ecoassist.budget import Budget
from ecoassist.config import Config, load
from ecoassist.desk import Desk
from ecoassist.engine import Engine
from ecoassist.play import play
from ecoassist.ports import Kernel
from ecoassist.recording import Recording
from ecoassist.redactor import Redactor
from ecoassist.session import Session
from ecoassist.starting import StartingKernel
from ecoassist.testing import MemoryStore, ScriptedKernel
from ecoassist.tiers import Models, choices_of, price_of
from ecoassist.types import CellResult
from ecoassist.wiring import ledger_of


class Boxes:
    """A scripted kernel that has run `6 * number`."""

    def __init__(self, number: int) -> None:
        self.number = number

    def prepare(self) -> None:
        """It can always be had."""

    def start(self) -> Kernel:
        return ScriptedKernel(CellResult("ok", value=str(6 * self.number)))

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        return ScriptedKernel()


def ask(config: Config, question: str, tell: Callable[[dict[str, object]], None]) -> None:
    choices = choices_of(config)
    boxes, desk = Boxes(int(question.split()[-1])), Desk()
    kernel = StartingKernel(boxes.start, boxes.prepare)
    caps = config.budget
    with closing(ledger_of(config)) as ledger:
        budget = Budget(
            caps.question, caps.tokens, session_usd=caps.session, day_usd=caps.day, ledger=ledger, notice=desk.notice
        )
        models = Models(budget, Redactor(), price_of(choices[-1]))
        judge = models.judge(config, choices, chat=False, person=False)
        engine = Engine(models.tiers(choices), kernel, MemoryStore(), judge, short=budget.short)
        engine.spending = lambda: (budget.spending, budget.judging)
        session = Session(engine, kernel, boxes, desk, begin=budget.open, judged=False, recording=Recording(ledger))
        with closing(session):
            outcome = play(session.ask(question))
    spent = outcome.spending
    tell(
        {
            "question": question,
            "status": outcome.status,
            "value": outcome.answer.value if outcome.answer else None,
            "tokens": [spent.prompt_tokens, spent.completion_tokens],
            "calls": spent.calls,
            "judging": outcome.judging.calls,
        }
    )


def main(config: Path, results: Path, questions: list[str]) -> None:
    settings, lock = load(config), threading.Lock()
    day.PATIENCE = 300.0  # a question that waits longer than a person would tells of a slow machine, not of money

    def tell(record: dict[str, object]) -> None:
        with lock, results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    with ThreadPoolExecutor(len(questions)) as threads:
        for asked in as_completed([threads.submit(ask, settings, question, tell) for question in questions]):
            if error := asked.exception():
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                sys.stderr.flush()
                os._exit(1)  # a question that never ends would keep the process


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
