"""A notebook's kernel lives, is interrupted, restarted and ended as Jupyter asks, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from ecoassist.kernel.docker import Engine
from ecoassist.kernel.reaper import LABEL

pytestmark = pytest.mark.docker

Start: TypeAlias = "Callable[[], KernelManager]"
Client: TypeAlias = "Callable[[KernelManager], BlockingKernelClient]"


def soon(ask: Callable[[], object]) -> bool:
    """Whether it becomes true within 15 s."""
    end = time.monotonic() + 15
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(answer)


def said(client: BlockingKernelClient, code: str, answer: str = "") -> str:
    """What the cell printed, returned and raised; `answer` is typed at every prompt."""
    heard = []

    def hear(message: dict[str, Any]) -> None:
        body = message["content"]
        heard.append(body.get("text") or body.get("data", {}).get("text/plain") or body.get("ename") or "")

    def type_in(message: dict[str, Any]) -> None:
        client.input(answer)

    client.execute_interactive(code, allow_stdin=True, stdin_hook=type_in, output_hook=hear, timeout=60)
    return "".join(heard)


def owned(engine: Engine, pid: int | None = None) -> list[str]:
    """Containers that the process with this id owns; without one: this process."""
    return [
        row for row, labels in engine.containers(LABEL) if labels[LABEL].split()[-2:-1] == [str(pid or os.getpid())]
    ]


def test_a_person_is_asked_by_input(start: Start, client: Client) -> None:
    assert said(client(start()), "print('hello ' + input('your name? '))", "Ada") == "hello Ada\n"


def test_an_interrupt_ends_the_cell_and_keeps_the_state(start: Start, client: Client) -> None:
    manager = start()
    asking = client(manager)
    said(asking, "x = 1")
    request = asking.execute("print('begun', flush=True)\nimport time; time.sleep(60)", stop_on_error=False)
    while asking.get_iopub_msg(timeout=15)["msg_type"] != "stream":
        pass
    manager.interrupt_kernel()
    reply = asking.get_shell_msg(timeout=15)
    assert (reply["parent_header"]["msg_id"], reply["content"]["ename"]) == (request, "KeyboardInterrupt")
    assert said(asking, "x") == "1"


@pytest.mark.parametrize("now", [False, True], ids=["asked", "killed"])
def test_a_restart_begins_anew_in_the_same_container(now: bool, start: Start, client: Client, engine: Engine) -> None:
    manager = start()
    said(client(manager), "x = 1; open('/tmp/left', 'w').write('x')")
    before = owned(engine)
    manager.restart_kernel(now=now)
    assert said(client(manager), "import os; print('x' in globals(), os.path.exists('/tmp/left'))") == "False False\n"
    assert owned(engine) == before


def test_a_shutdown_is_asked_for_and_leaves_nothing(
    start: Start, client: Client, engine: Engine, folders: Callable[[], list[Path]]
) -> None:
    manager = start()
    client(manager)
    assert (len(owned(engine)), len(folders())) == (1, 1)
    manager.shutdown_kernel()
    assert not manager.is_alive()
    assert soon(lambda: not owned(engine))
    assert folders() == []


def test_kernels_at_once_share_nothing(start: Start, client: Client, engine: Engine) -> None:
    one, other = client(start()), client(start())
    said(one, "x = 1; open('/tmp/mine', 'w').write('x')")
    assert said(other, "import os; print('x' in globals(), os.path.exists('/tmp/mine'))") == "False False\n"
    key = "import os; print(os.environ['WEATHERAPI_KEY'])"
    assert said(one, key) != said(other, key)
    assert len(owned(engine)) == 2


def test_the_death_of_a_kernel_is_noticed_and_a_restart_helps(start: Start, client: Client) -> None:
    manager = start()
    client(manager).execute("import os; os.kill(os.getpid(), 9)")
    assert soon(lambda: not manager.is_alive())
    manager.restart_kernel(now=True)
    assert said(client(manager), "1 + 1") == "2"


def test_a_container_that_vanished_is_replaced_by_a_restart(
    start: Start, client: Client, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    manager = start()
    client(manager)
    (container,) = owned(engine)
    engine.remove(container)
    assert soon(lambda: not manager.is_alive())
    assert "ecoassist: " in caplog.text
    manager.restart_kernel(now=True)
    assert said(client(manager), "1 + 1") == "2"
    assert owned(engine) not in ([], [container])


OWNER = """
import sys, time
from jupyter_client.manager import KernelManager
manager = KernelManager(kernel_name=sys.argv[1])
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("sum(range(10**13))")
print("busy", flush=True)
time.sleep(600)
"""


def test_no_container_outlives_a_jupyter_server_that_is_killed(kernel: str, engine: Engine) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, kernel], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == "busy\n"
            assert owned(engine, process.pid)
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait(15)
        assert soon(lambda: not owned(engine, process.pid))
