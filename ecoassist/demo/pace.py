"""Whether a client on this machine has read all that was sent to it, as the kernel knows."""

from __future__ import annotations

import socket
import time
from pathlib import Path

TABLE = Path("/proc/net/tcp")
STEP = 0.001
"""Seconds between two looks."""


def wait_until_read(connection: socket.socket, seconds: float = 15.0) -> None:
    """Returns once the other end has nothing left to read, has gone, or `seconds` are over; at once without a table."""
    here, there = (_written(end) for end in (connection.getsockname(), connection.getpeername()))
    until = time.monotonic() + seconds
    while _unread(here, there) and time.monotonic() < until:
        time.sleep(STEP)


def _unread(here: str, there: str) -> bool:
    try:
        lines = TABLE.read_text().splitlines()
    except OSError:
        return False
    for line in lines:
        fields = line.split()
        if fields[1:3] == [there, here]:
            return int(fields[4].partition(":")[2], 16) > 0
    return False


def _written(end: tuple[str, int]) -> str:
    """An address as the table writes it: the bytes of the address in the machine's order, a colon, the port."""
    address = int.from_bytes(socket.inet_aton(end[0]), "little")
    return f"{address:08X}:{end[1]:04X}"
