"""What is said of an engine that does not do what it was asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from ecoassist.kernel.box import DockerBox
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.features import features, missing
from ecoassist.kernel.link.frames import Facts
from ecoassist.kernel.settings import BoxSettings

SETTINGS = BoxSettings(memory="1g", cpus=1.0, pids=128)
WHOLE = Facts(
    seccomp=2, no_new_privs=True, capabilities=0, memory=1 << 30, pids=128, cpus=1.0, interfaces=("lo", "tunl0")
)


def test_a_sandbox_that_is_what_was_asked_for_lacks_nothing() -> None:
    assert missing(WHOLE, SETTINGS) == ()
    assert [feature.text for feature in features(WHOLE, SETTINGS)][:2] == [
        "memory: at most 1g",
        "processes: at most 128",
    ]


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ({"memory": None}, "memory is not limited"),
        ({"memory": (1 << 30) + 4096}, "memory is not limited"),
        ({"pids": None}, "processes are not limited"),
        ({"pids": 129}, "processes are not limited"),
        ({"cpus": None}, "processors are not limited"),
        ({"cpus": 2.0}, "processors are not limited"),
        ({"seccomp": 0}, "filters no system calls"),
        ({"seccomp": None}, "filters no system calls"),
        ({"no_new_privs": False}, "left no_new_privs off"),
        ({"no_new_privs": None}, "left no_new_privs off"),
        ({"capabilities": 1 << 21}, "capabilities are left (0x200000)"),
        ({"capabilities": None}, "capabilities are left (unknown)"),
        ({"interfaces": ("eth0", "lo")}, "network interfaces (eth0)"),
        ({"interfaces": None}, "network interfaces (?)"),
    ],
)
def test_each_lack_is_said_with_what_it_means_and_a_remedy(lack: dict[str, Any], said: str) -> None:
    (sentence,) = missing(replace(WHOLE, **lack), SETTINGS)
    assert said in sentence
    assert re.fullmatch(r"in the sandbox [^;]+: [^;]+; [^;]+.*", sentence)


def test_less_than_what_was_asked_for_is_a_limit() -> None:
    assert missing(replace(WHOLE, memory=(1 << 30) - 4096, pids=64, cpus=0.5), SETTINGS) == ()


# ── an engine that does less than it is asked for ─────────────────────────────────────────────────────


class Careless(Engine):
    """Makes containers without some of what it is asked for."""

    def __init__(self, api: Any, instead: dict[str, Any]) -> None:
        super().__init__(api)
        self._instead = instead

    def limits(self, settings: BoxSettings, profile: str) -> dict[str, Any]:
        return super().limits(settings, profile) | self._instead


@pytest.fixture
def engine(box_settings: BoxSettings) -> Iterator[Engine]:
    with closing(connect(box_settings)) as engine:
        yield engine


@pytest.fixture
def said(engine: Engine, box_settings: BoxSettings) -> Callable[[dict[str, Any]], list[str]]:
    """Starts two sandboxes where the engine does `instead` of what it is asked for; what was said of them."""

    def said(instead: dict[str, Any]) -> list[str]:
        texts: list[str] = []
        box = DockerBox(box_settings, texts.append, Careless(engine.api, instead))
        for _ in range(2):
            box.start().close()
        return [text for text in texts if text.startswith("warning: ")]

    return said


@pytest.mark.docker
def test_of_a_careful_engine_nothing_is_said(said: Callable[[dict[str, Any]], list[str]]) -> None:
    assert said({}) == []


@pytest.mark.docker
@pytest.mark.parametrize(
    ("instead", "words"),
    [
        (
            {"mem_limit": 0, "memswap_limit": 0, "pids_limit": -1, "nano_cpus": 0},
            ["memory is not limited", "processes are not limited", "processors are not limited"],
        ),
        ({"security_opt": ["seccomp=unconfined"]}, ["filters no system calls", "left no_new_privs off"]),
        ({"network_mode": "bridge"}, ["network interfaces (eth0)"]),
    ],
    ids=["no limits", "no seccomp", "a network"],
)
def test_what_an_engine_leaves_out_is_said_once(
    instead: dict[str, Any], words: list[str], said: Callable[[dict[str, Any]], list[str]]
) -> None:
    texts = said(instead)
    assert len(texts) == len(words)
    assert all(word in text for word, text in zip(words, texts, strict=True))
