"""Nobody's time runs out over a question."""

from __future__ import annotations

from ecoassist.clock import Clock
from ecoassist.events import Stream, Tick, ask
from ecoassist.play import Stop, play
from ecoassist.types import Question


class Wall:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_stands_still_while_somebody_is_asked() -> None:
    wall = Wall()
    clock = Clock(wall)
    before = clock()
    with clock.paused():
        wall.now += 50
        assert clock() == before
        with clock.paused():  # another thread's question
            wall.now += 50
        wall.now += 50
        assert clock() == before
    wall.now += 3
    assert clock() == before + 3


def test_a_question_takes_nothing_off_a_time_limit_however_long_the_answer_takes() -> None:
    wall = Wall()
    stop = Stop(10, Clock(wall))

    def thinks(question: Question) -> str:
        wall.now += 1_000
        return "yes"

    def asking() -> Stream[str | None]:
        answer = yield from ask(Question("verdict", "?", ("yes",)))
        yield Tick()
        return answer

    assert play(asking(), person=thinks, stop=stop) == "yes"
    assert not stop.requested
    wall.now += 11
    assert stop.requested
