"""The memory of the host: whatever a sandbox sends, and however slowly the host reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecoassist.kernel.settings import BoxSettings

LEAST = 100_000_000
"""Bytes: by so much and no more the host may grow."""

FLOODS = """
import threading, time
from IPython import get_ipython
kernel = get_ipython().kernel

def flood(parent, count, seconds, kind, content):
    for _ in range(count):
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent)
        time.sleep(seconds)

def start(*arguments):
    threading.Thread(target=flood, args=(kernel.get_parent(), *arguments), daemon=True).start()

WIDE = {"name": "stdout", "text": "x" + "\\\\U0001f600" * 1_400_000}
SHOWN = {"data": {"text/plain": "y" * 5_000_000, "text/html": "<table>" + "<tr><td>1</td></tr>" * 20_000 + "</table>"},
         "metadata": {}, "transient": {}}
MANY = {"data": {"text/plain": "z", "application/json": [[]] * 1_500_000}, "metadata": {}, "transient": {}}
ok = True
"""
COMBINED = """
start(8, 0.05, "stream", WIDE)
start(8, 0.05, "display_data", SHOWN)
start(8, 0.05, "display_data", MANY)
for _ in range(100): print("p" * 100_000, flush=True); time.sleep(0.01)
"v" * 200_000_000
"""

PROGRAM = """
import re, sys, tempfile, time
from pathlib import Path
from ecoassist.events import Output
from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.settings import BoxSettings
from ecoassist.outbox import FolderOutbox

def figure(name):
    return int(re.search(rf"{{name}}:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

def run(code, slow=False):
    stream, stalled = kernel.run(code), False
    try:
        while True:
            shown = isinstance(next(stream), Output)
            if slow and shown and not stalled:
                stalled = True
                time.sleep(3)  # nobody advances the stream
    except StopIteration as end:
        print(end.value.status, end.value.cause, end.value.reason, file=sys.stderr)
        return end.value

with tempfile.TemporaryDirectory() as folder:
    kernel = DockerBox({settings!r}).start(outbox=FolderOutbox(Path(folder), print))
    assert run({floods!r}).status == "ok"
    before = figure("VmRSS")
    first = run({combined!r}, slow=True)
    time.sleep(1)  # and what comes between cells waits where it is
    assert run({floods!r}).status == "ok"
    again = run({combined!r})
    assert run("1").status == "ok"
    grown = figure("VmHWM") - before
    kernel.close()
print(grown, first.cause, again.cause)
"""


@pytest.mark.docker
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_no_flood_makes_the_host_grow_by_a_hundred_megabytes(box_settings: BoxSettings) -> None:
    """Prints, displays, one value of 200 MB, the widest text, what grows when it is parsed, and a host that stalls."""
    code = PROGRAM.format(settings=box_settings, floods=FLOODS, combined=COMBINED)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=150, env=environ)
    assert done.returncode == 0, done.stderr
    grown, first, again = done.stdout.split()[-3:]
    assert int(grown) < LEAST, done.stderr
    assert {first, again} == {"output"}
