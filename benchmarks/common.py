"""What the benchmarks share: commands timed alternately, medians, and one table with the targets beside the figures.

A benchmark is a module with `main()`; run it with `python -m benchmarks.<name>`, or all of them with `make bench`.
Missed targets are printed; with --check they also make the exit code 1.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    """The target, in the same unit; None: for information."""
    note: str = ""

    @property
    def missed(self) -> bool:
        return self.at_most is not None and self.value > self.at_most


def alternately(work: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What each piece of work measured, A B A B ..., so that a slow spell of the machine hits all alike.

    A first round is run and thrown away: it warms the disk cache.
    """
    samples: dict[str, list[float]] = {name: [] for name in work}
    for number in range(rounds + 1):
        for name, measure in work.items():
            value = measure()
            if number:
                samples[name].append(value)
    return samples


def seconds(action: Callable[[], object]) -> float:
    """How long one call of `action` takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def command(*words: str) -> Callable[[], float]:
    """The seconds that a command takes from start to exit; CalledProcessError when it fails."""
    return lambda: seconds(lambda: subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True))


def milliseconds(name: str, samples: Sequence[float], at_most: float | None = None) -> Figure:
    """The median of samples in seconds as a row in ms, with the range as its note."""
    low, high = min(samples) * 1000, max(samples) * 1000
    note = f"median of {len(samples)}, {low:.0f}..{high:.0f}"
    return Figure(name, statistics.median(samples) * 1000, "ms", at_most, note)


def ratio(name: str, over: Sequence[float], under: Sequence[float], at_most: float | None = None) -> Figure:
    """The median of the ratios of neighbouring samples: both of a pair were taken under the same load."""
    pairs = [a / b for a, b in zip(over, under, strict=True)]
    return Figure(name, statistics.median(pairs), "x", at_most, f"median of {len(pairs)} neighbouring pairs")


def report(title: str, figures: Sequence[Figure]) -> None:
    """Prints the table; leaves with 1 when --check was given and a target is missed."""
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    show(title, figures, check=parser.parse_args().check)


def show(title: str, figures: Sequence[Figure], *, check: bool) -> None:
    """Prints the table; leaves with 1 when `check` and a target is missed."""
    print(f"{title}\n")
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        target = "" if figure.at_most is None else f"target <= {figure.at_most:g}"
        verdict = "" if figure.at_most is None else "MISSED" if figure.missed else "met"
        row = f"  {figure.name:{width}}  {figure.value:10.2f} {figure.unit:3} {target:16} {verdict:7} {figure.note}"
        print(row.rstrip())
    print()
    if check and any(figure.missed for figure in figures):
        raise SystemExit(1)
