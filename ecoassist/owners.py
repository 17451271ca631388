"""Marks of processes, by which another process tells whether the one that left something behind still lives.

Only here: on another machine, or in another pid namespace, a process id says nothing about whether its owner lives.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


def owner() -> str:
    """Boot id, pid namespace, process id and its start time; empty where the system does not tell (no /proc)."""
    started = _started(os.getpid())
    return f"{_place()} {os.getpid()} {started}" if _place() and started else ""


@cache
def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process started, in ticks since boot, so that a reused id is told apart; empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def dead(mark: str) -> bool:
    """Whether `mark` names an owner that ran here and runs no more. False for every other machine and container."""
    if elsewhere(mark):
        return False
    pid, _, started = mark.partition("] ")[2].partition(" ")
    return pid.isascii() and pid.isdigit() and _started(int(pid)) != started


def elsewhere(mark: str) -> bool:
    """Whether the owner that `mark` names ran where nothing can be told of it."""
    return not _place() or f"{mark.partition('] ')[0]}]" != _place()
