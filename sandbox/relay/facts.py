"""What the container sees of its own walls: whether the engine has put up what it was asked for.

Reads both versions of cgroups, as a container finds its own. None: without limit, or not to be read.
"""

from __future__ import annotations

import os

STATUS, CGROUP, NETWORK = "/proc/self/status", "/sys/fs/cgroup", "/sys/class/net"
CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
UNLIMITED = 1 << 62
"""Version 1 has no word for it, but a number about twice as large."""
TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any


def read(status: str = STATUS, cgroup: str = CGROUP, network: str = NETWORK) -> dict[str, Any]:
    """seccomp (2: a filter is on), no_new_privs, capabilities (any that a process in here could have, as one bit mask),
    memory in bytes, pids, cpus, interfaces of the network.
    """
    fields = {name: value for name, _, value in (line.partition(":") for line in text(status).splitlines())}
    held = [int(fields[name], 16) for name in CAPABILITIES if name in fields]
    seccomp, privileges = (number(fields.get(name, "")) for name in ("Seccomp", "NoNewPrivs"))
    try:
        interfaces = sorted(os.listdir(network))
    except OSError:
        interfaces = None
    return {
        "seccomp": seccomp,
        "no_new_privs": None if privileges is None else privileges == 1,
        "capabilities": sum_of_bits(held) if held else None,
        "memory": number(text(f"{cgroup}/memory.max", f"{cgroup}/memory/memory.limit_in_bytes")),
        "pids": number(text(f"{cgroup}/pids.max", f"{cgroup}/pids/pids.max")),
        "cpus": cpus(cgroup),
        "interfaces": interfaces,
    }


def cpus(cgroup: str) -> float | None:
    words = text(f"{cgroup}/cpu.max").split()
    if not words:
        words = [text(f"{cgroup}/cpu/cpu.cfs_{name}_us") for name in ("quota", "period")]
    quota, period = (number(word) for word in words)
    return quota / period if quota and period else None


def text(*paths: str) -> str:
    """The first of these files that can be read; empty if none can."""
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            continue
    return ""


def number(word: str) -> int | None:
    """None for "max", for -1 and for what stands for no limit."""
    word = word.strip()
    return int(word) if word.isdecimal() and int(word) < UNLIMITED else None


def sum_of_bits(masks: list[int]) -> int:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole
