"""A seccomp filter of our own, on top of the engine's: what it closes is closed whatever the engine leaves open."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from itertools import accumulate

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
PR_SET_NO_NEW_PRIVS = 38
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
ARCHITECTURES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
"""By machine: what seccomp calls it, and its number of socket()."""
IO_URING = (425, 426, 427)
OTHERS = {"x86_64": (248, 249, 250, 251, 298, 321, 323), "aarch64": (30, 217, 218, 219, 241, 280, 282)}
"""By machine: in some order add_key, request_key, keyctl, ioprio_set, perf_event_open, bpf, userfaultfd."""
OF_PROCESSES = {"x86_64": (302, 142, 144, 203, 314), "aarch64": (261, 118, 119, 122, 274)}
"""By machine: prlimit64, sched_setparam, sched_setscheduler, sched_setaffinity, sched_setattr, whose first argument
names a process."""
SETPRIORITY, SETSOCKOPT = {"x86_64": 141, "aarch64": 140}, {"x86_64": 54, "aarch64": 208}
X32 = 0x40000000
"""From here on x86_64 numbers its calls with short pointers."""
LOAD, EQUAL, AT_LEAST, GIVE = 0x20, 0x15, 0x35, 0x06
NUMBER, ARCHITECTURE, FIRST, SECOND, THIRD = 0, 4, 16, 24, 32
"""Where to find them: the number of a call, the architecture, the lower halves of the arguments."""
DENY, ALLOW = 0x00050000 | errno.EPERM, 0x7FFF0000


def syscall_filter(machine: str) -> bytes:
    """The program, for the kernel's virtual machine. Raises KeyError for a machine that it does not know.

    Refused with EPERM are sockets of families that need no network, such as VSOCK, which leads out of a virtual
    machine; io_uring, which gets round every filter; calls with a long record of holes in the kernel; the calls of
    other architectures; what takes files, memory or time from PID 1, which has the user of the code in here; and
    SO_LINGER: a socket that waits in close() and is sent along with a message holds up whoever drops it, PID 1 too.
    """
    architecture, socket_call = ARCHITECTURES[machine]
    # code, where to go if so and if not ("on" is the next line), operand
    blocks = {
        "begin": [
            (LOAD, "on", "on", ARCHITECTURE),
            (EQUAL, "on", "deny", architecture),
            (LOAD, "on", "on", NUMBER),
            (AT_LEAST, "deny", "on", X32),
            *((EQUAL, "deny", "on", call) for call in (*IO_URING, *OTHERS[machine])),
            *((EQUAL, "process", "on", call) for call in OF_PROCESSES[machine]),
            (EQUAL, "priority", "on", SETPRIORITY[machine]),
            (EQUAL, "option", "on", SETSOCKOPT[machine]),
            (EQUAL, "family", "allow", socket_call),
        ],
        "process": [(LOAD, "on", "on", FIRST), (EQUAL, "deny", "allow", 1)],
        "priority": [
            (LOAD, "on", "on", FIRST),
            (EQUAL, "deny", "on", os.PRIO_USER),
            (LOAD, "on", "on", SECOND),
            (EQUAL, "deny", "allow", 1),
        ],
        "option": [
            (LOAD, "on", "on", SECOND),
            (EQUAL, "on", "allow", socket.SOL_SOCKET),
            (LOAD, "on", "on", THIRD),
            (EQUAL, "deny", "allow", socket.SO_LINGER),
        ],
        "family": [(LOAD, "on", "on", FIRST), *((EQUAL, "allow", "on", int(family)) for family in FAMILIES)],
        "deny": [(GIVE, "on", "on", DENY)],
        "allow": [(GIVE, "on", "on", ALLOW)],
    }
    starts = dict(zip(blocks, accumulate(map(len, blocks.values()), initial=0), strict=False))
    lines = [line for block in blocks.values() for line in block]
    return b"".join(
        struct.pack("=HBBI", code, *(starts.get(goal, at + 1) - at - 1 for goal in (so, not_so)), operand)
        for at, (code, so, not_so, operand) in enumerate(lines)
    )


def restrict() -> None:
    """For this process and all that it will start. Raises OSError or KeyError."""
    program = syscall_filter(os.uname().machine)
    lines = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HP", len(program) // 8, ctypes.addressof(lines))
    libc = ctypes.CDLL(None, use_errno=True)
    # who has no capability may filter only where no program gains rights, and not every engine saw to that
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, head, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
