"""The driver: one Ctrl-C stops the question, a second one leaves, a deadline and SIGTERM end it as well."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading

import pytest

from ecoassist.clock import Clock
from ecoassist.errors import Interrupted
from ecoassist.events import Event, Notice, Stream, Tick, ask
from ecoassist.play import Stop, play
from ecoassist.testing import Recorder
from ecoassist.types import Question

QUESTION = Question("verdict", "right?", ("yes", "no"))


def waiting() -> Stream[str]:
    """Ticks until it is interrupted."""
    try:
        while True:
            yield Tick()
    except Interrupted:
        return "interrupted"


class At:
    """At event number `at`, does something."""

    def __init__(self, at: int, *actions: signal.Signals) -> None:
        self.at, self.actions, self.seen = at, actions, 0

    def handle(self, event: Event) -> None:
        if self.seen == self.at:
            for number in self.actions:
                os.kill(os.getpid(), number)
        self.seen += 1


@pytest.mark.parametrize(("number", "why"), [(signal.SIGINT, "interrupt"), (signal.SIGTERM, "terminated")])
def test_a_signal_interrupts_the_stream_once_and_says_why(number: signal.Signals, why: str) -> None:
    before = signal.getsignal(number)
    stop = Stop()
    assert play(waiting(), [At(2, number)], stop=stop) == "interrupted"
    assert stop.why == why
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_leaves_a_stream_that_does_not_end() -> None:
    def stubborn() -> Stream[str]:
        while True:
            try:
                yield Tick()
            except Interrupted:
                os.kill(os.getpid(), signal.SIGINT)

    stream = stubborn()
    with pytest.raises(KeyboardInterrupt):
        play(stream, [At(0, signal.SIGINT)])
    assert inspect.getgeneratorstate(stream) == inspect.GEN_CLOSED


def test_ctrl_c_twice_leaves_a_stream_that_outlives_its_time_limit() -> None:
    def stubborn() -> Stream[str]:
        while True:
            try:
                yield Tick()
            except Interrupted:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    stop = Stop(5, Clock(iter(range(100)).__next__))
    with pytest.raises(KeyboardInterrupt):
        play(stubborn(), stop=stop)
    assert stop.why == "timeout"


def test_an_interruption_waits_for_a_fleeting_event() -> None:
    def durable_first() -> Stream[str]:
        yield Notice("a")
        yield Notice("b")
        return (yield from waiting())

    recorder = Recorder()
    assert play(durable_first(), [At(0, signal.SIGINT), recorder]) == "interrupted"
    assert recorder.events[:2] == [Notice("a"), Notice("b")]


def test_a_deadline_interrupts_and_says_so() -> None:
    now = iter(range(1_000))
    stop = Stop(5, Clock(lambda: float(next(now))))
    assert play(waiting(), stop=stop) == "interrupted"
    assert stop.why == "timeout"


def test_the_person_is_asked_and_nobody_means_none() -> None:
    def asking() -> Stream[str | None]:
        return (yield from ask(QUESTION))

    assert play(asking()) is None
    assert play(asking(), person=lambda question: question.choices[1]) == "no"


@pytest.mark.parametrize("raised", [KeyboardInterrupt, EOFError])
def test_a_person_who_leaves_the_prompt_gave_no_answer(raised: type[BaseException]) -> None:
    def asking() -> Stream[str | None]:
        return (yield from ask(QUESTION))

    def person(question: Question) -> str | None:
        raise raised

    assert play(asking(), person=person) is None


def test_a_termination_ends_the_typing() -> None:
    def asking() -> Stream[str | None]:
        return (yield from ask(QUESTION))

    def person(question: Question) -> str | None:
        os.kill(os.getpid(), signal.SIGTERM)
        return "typed after all"

    stop = Stop()
    assert play(asking(), person=person, stop=stop) is None
    assert stop.why == "terminated"


def test_after_a_stop_nobody_is_asked() -> None:
    def asking() -> Stream[str | None]:
        return (yield from ask(QUESTION))

    stop = Stop()
    stop.request()
    assert play(asking(), person=lambda question: "yes", stop=stop) is None


def test_a_failing_sink_closes_the_stream() -> None:
    class Broken:
        def handle(self, event: Event) -> None:
            raise BrokenPipeError

    stream = waiting()
    with pytest.raises(BrokenPipeError):
        play(stream, [Broken()])
    assert inspect.getgeneratorstate(stream) == inspect.GEN_CLOSED


def test_a_stream_in_another_thread_is_not_interrupted_with_the_question() -> None:
    done: list[str] = []
    go = threading.Event()

    def patient() -> Stream[str]:
        while not go.is_set():
            yield Tick()
        return "whole"

    thread = threading.Thread(target=lambda: done.append(play(patient())))
    thread.start()
    assert play(waiting(), [At(1, signal.SIGINT)]) == "interrupted"
    go.set()
    thread.join(15)
    assert done == ["whole"]


NOHUP = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
from ecoassist.play import play
from ecoassist.events import Tick
def stream():
    for i in range(3):
        if i == 1:
            os.kill(os.getpid(), signal.SIGINT)
        yield Tick()
    return "unharmed"
print(play(stream()))
"""


def test_an_inherited_ignored_ctrl_c_stays_ignored() -> None:
    child = subprocess.run([sys.executable, "-c", NOHUP], capture_output=True, text=True, timeout=60, check=False)
    assert child.stdout == "unharmed\n", child.stderr
