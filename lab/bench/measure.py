"""What every benchmark needs: two functions timed in turns, and the machine they ran on.

A benchmark is a module of this package with `measure(quick: bool) -> Benchmark`.
Its result is plain data, fit for JSON:

    {"name": "codec",
     "rows": [{"what": "build a Binding Update",
               "baseline": "Scapy 2.6.1", "baseline_us": {"median": 600.0, "min": 590.0, "max": 640.0},
               "ours_us": {"median": 8.0, "min": 7.9, "max": 8.4},
               "ratio": 75.0}]}

Times are microseconds of a single call. `ratio` is how many times faster ours is: the median over the rounds. Where
ours is a sum, `parts_us` has the medians of its parts by row and part.
"""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NotRequired, TypedDict

Work = Callable[[], object]


class Spread(TypedDict):
    """Times of one side, in microseconds per call."""

    median: float
    min: float
    max: float


class Row(TypedDict):
    """One comparison; `ratio` above 1 means that ours is faster."""

    what: str
    baseline: str
    baseline_us: Spread
    ours_us: Spread
    ratio: float


class Benchmark(TypedDict):
    """What a benchmark returns."""

    name: str
    rows: list[Row]
    parts_us: NotRequired[dict[str, dict[str, float]]]


class Machine(TypedDict):
    """The machine of a benchmark."""

    processor: str
    cores: int
    kernel: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of a comparison: `work` is timed over `calls` calls in a row, each round."""

    name: str
    work: Work
    calls: int = 1


def interleave(what: str, baseline: Side, ours: Side, *, rounds: int) -> Row:
    """Time both sides in turns, so that what else the machine does falls on both."""
    baseline_us: list[float] = []
    ours_us: list[float] = []
    for _ in range(rounds):
        baseline_us.append(seconds_per_call(baseline) * 1e6)
        ours_us.append(seconds_per_call(ours) * 1e6)
    return row(what, baseline.name, baseline_us, ours_us)


def row(what: str, baseline: str, baseline_us: list[float], ours_us: list[float]) -> Row:
    """Sum up times (microseconds) that were taken in turns, the first of one side with the first of the other."""
    return Row(
        what=what,
        baseline=baseline,
        baseline_us=spread(baseline_us),
        ours_us=spread(ours_us),
        ratio=median(theirs / own for theirs, own in zip(baseline_us, ours_us, strict=True)),
    )


def spread(times: list[float]) -> Spread:
    """Sum up times."""
    return Spread(median=median(times), min=min(times), max=max(times))


def seconds_per_call(side: Side) -> float:
    """Time one round of a side."""
    work = side.work
    calls = range(side.calls)
    began = perf_counter()
    for _ in calls:
        work()
    return (perf_counter() - began) / side.calls


def machine() -> Machine:
    """Describe this machine."""
    return Machine(
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        python=platform.python_version(),
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
