"""Whether the engine did what it was asked for: it may ignore a limit and say nothing, as rootless engines do.

What the relay tells is no proof against a hostile image, but it is asked before any code has run.
"""

from __future__ import annotations

from dataclasses import dataclass

from .link.frames import Facts
from .settings import BoxSettings

TUNNELS = frozenset(["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"])
"""Where such a module is loaded, Linux puts its fallback device into every new network: down, and leading nowhere."""
CONTROLLER = "have the engine use cgroups with the {} controller; a rootless one needs it delegated to your user"


@dataclass(frozen=True, slots=True)
class Feature:
    here: bool
    text: str
    """What holds; or what does not, what that means, and a remedy."""


def features(facts: Facts, settings: BoxSettings) -> tuple[Feature, ...]:
    """What a sandbox is confined by, and what it lacks; nothing where the sandbox told nothing.

    More than what was asked for counts as no limit; less does not: the engine rounds.
    """
    if facts == Facts():
        return ()
    others = [name for name in facts.interfaces or ("?",) if name != "lo" and name not in TUNNELS]
    return (
        Feature(True, f"memory: at most {settings.memory}")
        if facts.memory is not None and facts.memory <= _bytes(settings.memory)
        else _missing("memory is not limited", "code can use up this machine's", CONTROLLER.format("memory")),
        Feature(True, f"processes: at most {settings.pids}")
        if facts.pids is not None and facts.pids <= settings.pids
        else _missing("processes are not limited", "a fork bomb can stop this machine", CONTROLLER.format("pids")),
        Feature(True, f"processors: at most {settings.cpus:g}")
        if facts.cpus is not None and facts.cpus <= settings.cpus + 0.01
        else _missing("processors are not limited", "code can slow this machine down", CONTROLLER.format("cpu")),
        Feature(True, "system calls: filtered by seccomp")
        if facts.seccomp == 2
        else _missing(
            "the engine filters no system calls",
            "a fault of the Linux kernel is easier to reach from code",
            "use an engine with seccomp (see: docker info)",
        ),
        Feature(True, "rights: no program gains any")
        if facts.no_new_privs
        else _missing(
            "the engine left no_new_privs off",
            "only the relay keeps setuid programs from giving code their rights",
            "use an engine with no-new-privileges",
        ),
        Feature(True, "capabilities: none")
        if facts.capabilities == 0
        else _missing(
            f"capabilities are left ({'unknown' if facts.capabilities is None else hex(facts.capabilities)})",
            "code may do what only an administrator should",
            "use an engine that drops capabilities when asked to",
        ),
        Feature(True, "network: none but the gate")
        if not others
        else _missing(
            f"there are network interfaces ({', '.join(others)})",
            "code may get round the gate",
            'use an engine that gives a container with network "none" only lo',
        ),
    )


def missing(facts: Facts, settings: BoxSettings) -> tuple[str, ...]:
    """A sentence for each feature that the sandbox lacks."""
    return tuple(feature.text for feature in features(facts, settings) if not feature.here)


def _missing(what: str, meaning: str, remedy: str) -> Feature:
    return Feature(False, f"in the sandbox {what}: {meaning}; {remedy}")


def _bytes(size: str) -> int:
    from docker.utils import parse_bytes

    return int(parse_bytes(size))
