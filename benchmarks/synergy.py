"""A simulation of how costs fall with use: questions in order, through the real engine, store, memory and sandbox.

    python -m benchmarks.synergy QUERIES.json PROGRAMS.json [--questions N] [--seed N] [--rounds N]

Only the models are scripted, and the web services emulated. The strong model plays a program that is known to answer
(benchmarks/known.py). The weak one plays it only if the demonstrations in its prompt call every endpoint that it
needs; otherwise it guesses, and the judge, which is the strong model, says no. So the figures say what the memory makes
of such models, not what real ones save. Every candidate is re-run before the next question, as after each answer.

QUERIES.json: {"queries": [{"query": ..., "domain": "places", "weather" or "stock"}, ...]}; PROGRAMS.json: published
programs by query. Neither is part of this project; they are EcoAssistant's (arXiv 2310.03046).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ecoassist.demo import roles
from ecoassist.demo.prompt import read, read_evidence
from ecoassist.demo.script import ChatRequest, Script, Scripted
from ecoassist.demo.stage import stage
from ecoassist.events import Stream
from ecoassist.play import play
from ecoassist.ports import Kernel
from ecoassist.prompts import JUDGE_SYSTEM
from ecoassist.session import Boxes, Session
from ecoassist.types import CellResult, Outcome
from ecoassist.wiring import open_session

from .known import endpoints_of, program_of

BLOCK = 50
DEMONSTRATION = re.compile(r"<data>\nQuestion: .*?\n</data>", re.DOTALL)
CLEAR = "get_ipython().run_line_magic('reset', '-f')"
GUESS = "print('I remember that it was 7')"
HOSTS = ("api.weatherapi.com", "www.alphavantage.co", "maps.googleapis.com")


@dataclass(frozen=True, slots=True)
class Asked:
    way: str
    """What solved it: replay, weak or strong; else "unsolved"."""
    usd: float
    tokens: int


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulation of how costs fall with use.")
    parser.add_argument("queries", type=Path)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--questions", type=int, default=None, help="only so many")
    parser.add_argument("--seed", type=int, default=None, help="in an order drawn with it; otherwise as they stand")
    parser.add_argument("--rounds", type=int, default=1, help="how often all of them are asked, in the same order")
    given = parser.parse_args()
    published: Mapping[str, str] = json.loads(given.programs.read_text("utf-8"))
    queries = json.loads(given.queries.read_text("utf-8"))["queries"]
    if given.seed is not None:
        random.Random(given.seed).shuffle(queries)
    queries = queries[: given.questions]
    known = {one["query"]: program_of(one["query"], one["domain"], published) for one in queries}
    with ThreadPoolExecutor(1) as beside:
        strong = beside.submit(strong_alone, list(known), known)
        asked, entries = together(list(known) * given.rounds, known)
        alone = strong.result() * given.rounds
    print("SIMULATION: scripted models, emulated services; real engine, memory, store, gate and sandbox\n")
    print(table(asked, alone))
    played = sum(query in published for query in known)
    print(f"\n{len(known)} questions, {played} with a published program, the others with one made up for them.")
    print("entries: " + ", ".join(f"{number} {state}" for state, number in sorted(entries.items())))


def together(queries: Sequence[str], known: Mapping[str, str]) -> tuple[list[Asked], Counter[str]]:
    """The cascade with its memory; and how many entries are in each state afterwards."""
    asked: list[Asked] = []
    with stage(os.environ, 0, models=scripts(known)) as built, open_session(built.config) as session:
        boxes = session.boxes = Reused(session.boxes)
        session.engine.kernel = Emptied(session.engine.kernel)
        for query in counted(queries):
            outcome = play(session.ask(query))
            for entry in session.pending():
                play(session.rerun(entry))
            begin_anew(session)
            asked.append(record(outcome))
        boxes.end()
        return asked, Counter(entry.state for entry in session.engine.store.entries())


def strong_alone(queries: Sequence[str], known: Mapping[str, str]) -> list[float]:
    """What each question costs without a weaker model, a verdict and a memory."""
    with stage(os.environ, 0, models=scripts(known)) as built, open_session(built.alone) as session:
        return [alone(session, query) for query in queries]


def alone(session: Session, query: str) -> float:
    outcome = play(session.ask(query))
    begin_anew(session)
    return outcome.spending.usd or 0.0


def begin_anew(session: Session) -> None:
    """The next question is none of this conversation. Its kernel stays as it is, which saves the time of a start."""
    session.history.clear()
    if session.steering:
        session.steering.reset()


def record(outcome: Outcome) -> Asked:
    spent = outcome.spending
    tier = {"cheap": "weak"}.get(outcome.tier or "", outcome.tier or "")
    way = "unsolved" if outcome.status != "solved" else "replay" if outcome.replayed else tier
    return Asked(way, spent.usd or 0.0, spent.prompt_tokens + spent.completion_tokens)


def counted(queries: Sequence[str]) -> Iterable[str]:
    """The queries one by one, with their number on the error stream."""
    for number, query in enumerate(queries, 1):
        sys.stderr.write(f"\rquestion {number} of {len(queries)}")
        sys.stderr.flush()
        yield query
    sys.stderr.write("\n")


def table(asked: Sequence[Asked], alone: Sequence[float]) -> str:
    """A row for each block of questions, and one for all."""
    rows = [
        f"{'questions':>11} {'replay':>7} {'weak':>7} {'strong':>7} {'none':>7} {'cost':>9} {'alone':>9} {'ratio':>6}"
    ]
    spans = [(first, min(first + BLOCK, len(asked))) for first in range(0, len(asked), BLOCK)]
    for first, last in [*spans, (0, len(asked))]:
        part = asked[first:last]
        ways = Counter(one.way for one in part)
        shares = "".join(f" {ways[way] / len(part):>7.0%}" for way in ("replay", "weak", "strong", "unsolved"))
        cost, before = sum(one.usd for one in part), sum(alone[first:last])
        rows.append(f"{first + 1:>5}-{last:<5}{shares} {cost:>9.5f} {before:>9.5f} {cost / before:>6.2f}")
    return "\n".join(rows)


# ── the models ──────────────────────────────────────────────────────────────────────────────────────────────────────


def scripts(known: Mapping[str, str]) -> Mapping[str, Script]:
    def weak(request: ChatRequest) -> Scripted:
        prompt = read(request.messages)
        needed = endpoints_of(known[prompt.question])
        seen = endpoints_of("".join(DEMONSTRATION.findall(request.messages[1].text)))
        return _by(request, known[prompt.question] if needed <= seen and needed else GUESS)

    def strong(request: ChatRequest) -> Scripted:
        if request.messages[0].text == JUDGE_SYSTEM:
            return _judge(request)
        return _by(request, known[read(request.messages).question])

    return {roles.WEAK: weak, roles.STRONG: strong}


def _by(request: ChatRequest, program: str) -> Scripted:
    """The program, then the last line of what it printed."""
    prompt = read(request.messages)
    if not prompt.turns:
        return Scripted(f"```python\n{program}\n```")
    if prompt.last.status != "ok" or not prompt.last.output:
        return Scripted("I cannot tell.\nANSWER: null")
    said = prompt.last.output.strip().splitlines()[-1][:200]
    return Scripted(f"{said}\nANSWER: {json.dumps(said)}")


def _judge(request: ChatRequest) -> Scripted:
    """Knows a guess when it sees one."""
    said = read_evidence(request.messages).answer.partition("\n")[0]
    solved = "I remember" not in said
    return Scripted(
        json.dumps({"evidence": said, "reason": "as it was printed" if solved else "a guess", "solved": solved})
    )


# ── kernels ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Emptied:
    """A kernel that forgets its variables where it would be restarted or ended: a start takes a second, this does not.

    The gate around it is the real one.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel, self.stale = kernel, False

    def run(self, code: str, seconds: float | None = None) -> Stream[CellResult]:
        if self.stale:
            self.stale = False
            yield from self.kernel.run(CLEAR)
        return (yield from self.kernel.run(code, seconds))

    def restart(self) -> None:
        self.stale = True

    close = restart


class Reused:
    """Boxes whose re-runs share one kernel, which may read from all three services."""

    def __init__(self, boxes: Boxes) -> None:
        self.boxes = boxes
        self.readonly: Emptied | None = None

    def prepare(self) -> object:
        return self.boxes.prepare()

    def start(self) -> Kernel:
        return self.boxes.start()

    def start_readonly(self, hosts: tuple[str, ...], run: str = "") -> Kernel:
        self.readonly = self.readonly or Emptied(self.boxes.start_readonly(HOSTS))
        return self.readonly

    def end(self) -> None:
        if self.readonly:
            self.readonly.kernel.close()


if __name__ == "__main__":
    main()
