"""What no real kernel does on demand; what every kernel does is in test_contract.py."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from ecoassist.errors import Interrupted, NoSandbox
from ecoassist.events import Tick
from ecoassist.kernel.cell.cells import CellKernel
from ecoassist.kernel.cell.client import Said
from ecoassist.kernel.cell.host import Death, KernelHost
from ecoassist.kernel.cell.names import names
from ecoassist.types import CellResult

Run = Callable[..., CellResult]
STARTED, IDLE = Said("started"), Said("idle")


class MuteClient:
    """Says what is in `script`, then nothing. `replies` when asked often enough."""

    def __init__(self, *script: Said, replied: bool = False, broken: str = "", flood: bool = False) -> None:
        self.script, self.replied, self.broken, self.flood = list(script), replied, broken, flood
        self.read = 0

    def execute(self, code: str) -> str:
        return "1"

    def evaluate(self, expression: str) -> str:
        return "2"

    def hear(self, request: str, seconds: float) -> Said | None:
        if self.script:
            return self.script.pop(0)
        return Said("stdout", size=1 << 20) if self.flood else None

    def reply(self, request: str, seconds: float = 0.0) -> dict[str, object] | None:
        return {} if self.replied else None

    def close(self) -> None:
        pass


class FakeHost:
    """A kernel is dead while `dead` is set; a restart waits for `go`, and fails after `gone`."""

    def __init__(self, client: MuteClient | None = None) -> None:
        self.client = client or MuteClient()
        self.dead: Death | None = None
        self.go = threading.Event()
        self.go.set()
        self.gone = False
        self.interrupts = self.restarts = 0

    def start(self) -> MuteClient:
        return self.client

    def death(self) -> Death | None:
        return self.dead

    def restart(self) -> MuteClient:
        self.restarts += 1
        self.go.wait(15)
        if self.gone:
            raise NoSandbox("the sandbox is gone")
        self.dead = None
        return MuteClient(STARTED, IDLE)

    def interrupt(self) -> None:
        self.interrupts += 1

    def files(self) -> None:
        return None

    def close(self) -> None:
        pass


class Seconds:
    """A clock that goes on by `step` whenever it is looked at."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def kernel_over(host: FakeHost, **given: object) -> CellKernel:
    return CellKernel(cast(KernelHost, host), **given)  # type: ignore[arg-type]


def test_an_interruption_while_the_kernel_restarts_is_not_lost() -> None:
    host = FakeHost()
    stream = kernel_over(host).run("1")
    next(stream)
    next(stream)
    host.dead = Death("killed", "it ended")
    host.go.clear()
    while not host.restarts:
        assert isinstance(next(stream), Tick)
    assert isinstance(stream.throw(Interrupted()), Tick)
    host.go.set()
    result = None
    try:
        while True:
            next(stream)
    except StopIteration as end:
        result = end.value
    assert result
    assert (result.status, result.cause, result.state_lost) == ("interrupted", "person", True)


@pytest.mark.parametrize(
    ("death", "cause"),
    [
        (Death("oom", "too much memory"), "memory"),
        (Death("killed", "exit code 7"), "exit"),
        (Death("gone", "no container"), "sandbox"),
    ],
)
def test_each_death_of_a_kernel_has_its_cause(run: Run, death: Death, cause: str) -> None:
    host = FakeHost(MuteClient(STARTED))
    kernel = kernel_over(host)
    stream = kernel.run("1")
    next(stream)
    next(stream)
    host.dead, host.gone = death, death.status == "gone"
    result = None
    try:
        while True:
            next(stream)
    except StopIteration as end:
        result = end.value
    assert result
    assert (result.status, result.cause, result.state_lost) == (death.status, cause, True)
    assert death.reason in result.reason


def test_a_kernel_that_cannot_be_restarted_is_gone(run: Run) -> None:
    host = FakeHost(MuteClient(STARTED, broken="it does not keep to ZMTP"))
    host.gone = True
    result = run(kernel_over(host, clock=Seconds(0.2)), "1")
    assert (result.status, result.cause, result.state_lost) == ("gone", "sandbox", True)
    assert "ZMTP" in result.reason


def test_a_broken_connection_costs_the_kernel_not_the_next_cell(run: Run) -> None:
    kernel = kernel_over(FakeHost(MuteClient(STARTED, broken="it does not keep to ZMTP")), clock=Seconds(0.2))
    result = run(kernel, "1")
    assert (result.status, result.cause, result.state_lost) == ("killed", "exit", True)
    assert "ZMTP" in result.reason
    assert run(kernel, "1").status == "ok"


def test_a_cell_whose_end_is_never_said_ends_after_its_reply(run: Run) -> None:
    host = FakeHost(MuteClient(STARTED, Said("stdout", "hi\n"), replied=True))
    result = run(kernel_over(host, clock=Seconds(0.2)), "1")
    assert (result.status, result.text, result.state_lost) == ("ok", "hi\n", False)
    assert "lost" in result.reason
    assert host.restarts == 0


class Overtaken(MuteClient):
    """Silent for long; its reply is there before the end of its output, which takes two more looks."""

    looks = 0

    def hear(self, request: str, seconds: float) -> Said | None:
        self.looks += self.replied
        if self.looks == 3:
            self.script = [Said("stdout", "late\n"), IDLE]
        return super().hear(request, seconds)

    def reply(self, request: str, seconds: float = 0.0) -> dict[str, object] | None:
        self.replied = True
        return super().reply(request, seconds)


def test_a_reply_that_overtakes_the_output_of_a_silent_cell_loses_none_of_it(run: Run) -> None:
    client = Overtaken(STARTED)
    result = run(kernel_over(FakeHost(client), clock=Seconds(0.1)), "1")
    assert (result.status, result.text, result.reason) == ("ok", "late\n", "")
    assert client.looks >= 3


def test_a_reply_does_not_help_a_kernel_whose_output_never_ends(run: Run) -> None:
    host = FakeHost(MuteClient(STARTED, replied=True, flood=True))
    result = run(kernel_over(host, seconds=5, clock=Seconds(0.2)), "1")
    assert (result.status, result.cause, result.state_lost) == ("error", "output", True)
    assert host.restarts == 1


def test_a_cell_is_interrupted_twice_before_its_kernel_is_killed(run: Run) -> None:
    host = FakeHost(MuteClient(STARTED))
    result = run(kernel_over(host, seconds=5, clock=Seconds(0.1)), "1")
    assert (result.status, result.cause, result.state_lost) == ("timeout", "deadline", True)
    assert (host.interrupts, host.restarts) == (2, 1)


def test_a_kernel_that_does_not_name_its_variables_is_not_waited_for(run: Run) -> None:
    result = run(
        kernel_over(FakeHost(MuteClient(STARTED, *[Said("stdout", "x" * 100, size=100)] * 2, IDLE)), most=50), "1"
    )
    assert (result.status, result.cause, result.survived) == ("error", "output", ())


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("'a,b_1,é'", ("a", "b_1", "é")),
        ("''", ()),
        ("'a,rm -rf,\\x1b[31m,1x,b'", ("a", "b")),
        ("'" + ",".join(f"n{n}" for n in range(60)) + "'", tuple(f"n{n}" for n in range(40))),
        (f"'{'x' * 101},y'", ("y",)),
        ("x" * 1_000_000, ()),
        (None, ()),
        (["a"], ()),
    ],
)
def test_names_are_identifiers_and_few(told: object, expected: tuple[str, ...]) -> None:
    assert names({"user_expressions": {"value": {"status": "ok", "data": {"text/plain": told}}}}) == expected


@pytest.mark.parametrize("reply", [{}, {"user_expressions": []}, {"user_expressions": {"value": {"data": 1}}}])
def test_a_reply_of_another_shape_names_nothing(reply: dict[str, object]) -> None:
    assert names(reply) == ()
