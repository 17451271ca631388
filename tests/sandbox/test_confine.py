"""The filter of system calls, read as the kernel reads it."""

from __future__ import annotations

import struct

import pytest

from sandbox.relay.confine import syscall_filter

ALLOW, DENY = 0x7FFF0000, 0x00050001


def decision(program: bytes, number: int, architecture: int, *arguments: int) -> int:
    """What the kernel would do with a call."""
    data = {0: number, 4: architecture, **dict(zip((16, 24, 32), (*arguments, 0, 0, 0), strict=False))}
    lines = list(struct.iter_unpack("=HBBI", program))
    value = at = 0
    while True:
        code, so, not_so, operand = lines[at]
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            value = data[operand]
        at += 1 + (so if (value == operand if code == 0x15 else value >= operand) else not_so) * (code != 0x20)


@pytest.mark.parametrize(
    ("machine", "architecture", "socket_call", "others"),
    [
        ("x86_64", 0xC000003E, 41, [248, 249, 250, 251, 298, 321, 323]),
        ("aarch64", 0xC00000B7, 198, [30, 217, 218, 219, 241, 280, 282]),
    ],
)
def test_the_filter_closes_vsock_io_uring_keys_perf_bpf_and_foreign_calls_and_nothing_else(
    machine: str, architecture: int, socket_call: int, others: list[int]
) -> None:
    allow, deny = ALLOW, DENY
    program = syscall_filter(machine)

    def asked(number: int, argument: int = 0, architecture: int = architecture) -> int:
        return decision(program, number, architecture, argument)

    assert [family for family in range(64) if asked(socket_call, family) == allow] == [1, 2, 10, 16]
    assert {asked(socket_call, family) for family in (0, 38, 40, 0xFFFFFFFF)} == {deny}
    setpriority = {"x86_64": 141, "aarch64": 140}[machine]
    refused = sorted([*others, setpriority, 425, 426, 427])  # with 2: of a user
    assert [number for number in range(600) if asked(number, 2) != allow] == refused
    assert asked(0x40000000 + socket_call, 1) == asked(0xFFFFFFFF) == deny
    assert asked(socket_call, 1, 0x40000003) == deny  # 32 bits, where socketcall() takes every family


@pytest.mark.parametrize(
    ("machine", "architecture", "calls", "setpriority"),
    [
        ("x86_64", 0xC000003E, (302, 142, 144, 203, 314), 141),
        ("aarch64", 0xC00000B7, (261, 118, 119, 122, 274), 140),
    ],
)
def test_the_filter_keeps_the_limits_and_the_priority_of_pid_1(
    machine: str, architecture: int, calls: tuple[int, ...], setpriority: int
) -> None:
    program = syscall_filter(machine)
    for call in calls:
        assert [decision(program, call, architecture, process, 1) for process in (0, 1, 2)] == [ALLOW, DENY, ALLOW]
    for which in (0, 1):
        assert [decision(program, setpriority, architecture, which, process) for process in (0, 1, 2)] == [
            ALLOW, DENY, ALLOW,
        ]  # fmt: skip
    assert {decision(program, setpriority, architecture, 2, user) for user in (0, 1, 10001)} == {DENY}


@pytest.mark.parametrize(
    ("machine", "architecture", "setsockopt"), [("x86_64", 0xC000003E, 54), ("aarch64", 0xC00000B7, 208)]
)
def test_the_filter_keeps_close_from_waiting(machine: str, architecture: int, setsockopt: int) -> None:
    program = syscall_filter(machine)
    options = [(level, option) for level in (0, 1, 6) for option in range(80)]
    refused = [pair for pair in options if decision(program, setsockopt, architecture, 13, *pair) != ALLOW]
    assert refused == [(1, 13)]  # SOL_SOCKET, SO_LINGER
