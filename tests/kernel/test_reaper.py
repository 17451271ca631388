from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.image.image import ensure
from ecoassist.kernel.reaper import (
    LABEL,
    private_folder,
    reap_containers,
    reap_folders,
    remove_after,
)
from ecoassist.kernel.settings import BoxSettings
from ecoassist.owners import dead, owner

pytestmark = pytest.mark.skipif(not owner(), reason="this system does not tell when a process started")


@pytest.fixture
def dead_owner() -> str:
    """The mark of a process that has ended."""
    code = "from ecoassist.owners import owner; print(owner())"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def marked(base: Path, name: str, mark: str) -> Path:
    folder = base / name
    folder.mkdir()
    (folder / "owner").write_text(mark)
    return folder


def test_we_live_and_an_ended_process_does_not(dead_owner: str) -> None:
    assert not dead(owner())
    assert dead(dead_owner)


def test_a_process_id_that_was_given_to_another_process_does_not_count_as_alive() -> None:
    mark, _, started = owner().rpartition(" ")
    assert dead(f"{mark} {int(started) - 1}")


def test_another_boot_or_another_pid_namespace_is_none_of_our_business(dead_owner: str) -> None:
    boot, namespace, pid, started = dead_owner.split()
    assert not dead(f"{'0' * len(boot)} {namespace} {pid} {started}")
    assert not dead(f"{boot} pid:[1] {pid} {started}")


@pytest.mark.parametrize("mark", ["", " ", "x", "x] 1 2", "pid:[1] 1 1"])
def test_a_mark_that_is_none_of_ours_is_never_dead(mark: str) -> None:
    assert not dead(mark)
    assert not dead(owner().rpartition("] ")[0] + f"] {mark}")


def test_a_socket_folder_is_private_short_and_marked() -> None:
    folder = private_folder()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert len(str(folder / "k-5")) < 104
        assert (folder / "owner").read_text() == owner()
    finally:
        (folder / "owner").unlink()
        folder.rmdir()


def test_folders_of_dead_owners_go_and_all_others_stay(tmp_path: Path, dead_owner: str) -> None:
    left = marked(tmp_path, "eco-left", dead_owner)
    target = tmp_path / "target"
    target.mkdir()
    (target / "owner").write_text(dead_owner)
    kept = [marked(tmp_path, "eco-ours", owner()), marked(tmp_path, "other", dead_owner), target]
    (tmp_path / "eco-unmarked").mkdir()
    (tmp_path / "eco-link").symlink_to(target)
    assert reap_folders(tmp_path) == 1
    assert not left.exists()
    assert all(folder.exists() for folder in [*kept, tmp_path / "eco-unmarked", tmp_path / "eco-link"])


def test_an_empty_folder_without_a_mark_goes_once_it_is_old(tmp_path: Path) -> None:
    for name in ("eco-old", "eco-new", "eco-full"):
        (tmp_path / name).mkdir()
    (tmp_path / "eco-full" / "file").touch()
    for name in ("eco-old", "eco-full"):
        os.utime(tmp_path / name, (0, 0))
    assert reap_folders(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eco-full", "eco-new"]


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.mark.docker
def test_containers_of_dead_owners_go_and_all_others_stay(
    engine: Engine, box_settings: BoxSettings, dead_owner: str
) -> None:
    image = ensure(engine, box_settings, print)
    boot, rest = dead_owner.split(" ", 1)
    marks = [dead_owner, owner(), f"{'0' * len(boot)} {rest}"]
    left, *kept = [engine.create(image, box_settings, {LABEL: mark}) for mark in marks]
    try:
        # another process may reap at the same time: what counts is what is left
        reap_containers(engine)
        there = dict(engine.containers(LABEL))
        assert left not in there
        assert set(kept) <= set(there)
    finally:
        for container in kept:
            engine.remove(container)


@pytest.mark.docker
def test_a_container_that_does_not_end_with_its_link_is_removed(engine: Engine, box_settings: BoxSettings) -> None:
    image = ensure(engine, box_settings, print)
    made = engine.api.create_container(
        image, ["600"], entrypoint=["sleep"], labels={LABEL: owner()}, network_disabled=True
    )
    stuck = made["Id"]
    try:
        engine.start(stuck)
        gone = threading.Event()
        remove_after(gone, engine, stuck)
        assert stuck in dict(engine.containers(LABEL))
        gone.set()
        deadline = time.monotonic() + 30
        while stuck in dict(engine.containers(LABEL)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert stuck not in dict(engine.containers(LABEL))
    finally:
        engine.remove(stuck)
