"""The relay by its frames, outside a container: it may touch nothing but its own child."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SLEEPER = """
import os, time
with open("pid", "w") as out: print(os.getpid(), file=out)
time.sleep(600)
"""


def test_a_bystander_survives_a_restart(relay, bystander, alive):
    relay.python(SLEEPER)
    first = relay.kernel_pid()

    relay.send(b"R")
    relay.send(b"G")
    assert relay.expect(b"G") == {}

    second = relay.kernel_pid()
    assert not alive(first)
    assert alive(second)
    assert bystander.poll() is None
