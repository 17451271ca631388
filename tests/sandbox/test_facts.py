"""What the relay says of the container's walls, out of made-up ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.relay import facts

STATUS = """Name:\tpython
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t{effective}
CapBnd:\t{bounding}
CapAmb:\t0000000000000000
NoNewPrivs:\t{privileges}
Seccomp:\t{seccomp}
Seccomp_filters:\t1
"""
NONE = "0" * 16


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "limits"),
    [
        ({"memory.max": "1073741824\n", "pids.max": "128\n", "cpu.max": "150000 100000\n"}, (1 << 30, 128, 1.5)),
        ({"memory.max": "max\n", "pids.max": "max\n", "cpu.max": "max 100000\n"}, (None, None, None)),
        (
            {
                "memory/memory.limit_in_bytes": "536870912\n",
                "pids/pids.max": "64\n",
                "cpu/cpu.cfs_quota_us": "50000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            (1 << 29, 64, 0.5),
        ),
        (
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "pids/pids.max": "max\n",
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
            },
            (None, None, None),
        ),
        ({"cgroup.procs": "1\n"}, (None, None, None)),
        ({"memory.max": "", "pids.max": "many\n", "cpu.max": "x y\n"}, (None, None, None)),
    ],
    ids=["v2", "v2 without limits", "v1", "v1 without limits", "neither", "nonsense"],
)
def test_limits_are_those_of_the_containers_own_cgroup(
    tmp_path: Path, files: dict[str, str], limits: tuple[int | None, int | None, float | None]
) -> None:
    found = facts.read(cgroup=str(tree(tmp_path, files)))
    assert (found["memory"], found["pids"], found["cpus"]) == limits


@pytest.mark.parametrize(
    ("effective", "bounding", "capabilities"), [(NONE, NONE, 0), (NONE, "00000000a80425fb", 0xA80425FB), ("3", "1", 3)]
)
def test_a_capability_counts_wherever_it_is_held(
    tmp_path: Path, effective: str, bounding: str, capabilities: int
) -> None:
    status = STATUS.format(effective=effective, bounding=bounding, privileges=1, seccomp=2)
    found = facts.read(status=str(tree(tmp_path, {"status": status}) / "status"))
    assert (found["capabilities"], found["no_new_privs"], found["seccomp"]) == (capabilities, True, 2)


def test_walls_that_are_not_there_are_told_as_they_are(tmp_path: Path) -> None:
    status = STATUS.format(effective=NONE, bounding=NONE, privileges=0, seccomp=0)
    found = facts.read(status=str(tree(tmp_path, {"status": status}) / "status"))
    assert (found["no_new_privs"], found["seccomp"]) == (False, 0)


def test_interfaces_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("lo", "eth0"):
        (tmp_path / name).mkdir()
    assert facts.read(network=str(tmp_path))["interfaces"] == ["eth0", "lo"]


def test_what_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "missing")
    assert set(facts.read(nowhere, nowhere, nowhere).values()) == {None}
