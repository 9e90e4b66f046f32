"""What every benchmark needs: two functions timed in turns, and the machine they ran on.

A benchmark is a module of this package with `measure(quick: bool) -> Benchmark`.
Its result is plain data, fit for JSON:

    {"name": "codec",
     "rows": [{"what": "build a Binding Update", "unit": "µs",
               "baseline": "Scapy 2.6.1",
               "theirs": {"median": 600.0, "min": 590.0, "p90": 630.0, "max": 640.0, "count": 25},
               "ours": {"median": 8.0, "min": 7.9, "p90": 8.3, "max": 8.4, "count": 25},
               "ratio": 75.0}]}

Times are those of a single call. `ratio` is how many times better ours is: the median over the rounds. Where ours is a
sum, `parts` has the medians of its parts by row and part, in the unit of the row. Where it grows with a size, `curves`
has its points. `histograms` tell how ours spread.
"""

import os
import platform
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import NotRequired, TypedDict

Work = Callable[[], object]


class Unit(StrEnum):
    """What figures count."""

    MICROSECONDS = "µs"
    OCTETS = "B"
    PER_SECOND = "1/s"

    @property
    def more_is_better(self) -> bool:
        """Tell rates from costs."""
        return self is Unit.PER_SECOND


class Spread(TypedDict):
    """The figures of one side: `p90` is what nine of ten do not exceed."""

    median: float
    min: float
    p90: float
    max: float
    count: int


class Row(TypedDict):
    """One comparison; `ratio` above 1 means that ours is better."""

    what: str
    unit: Unit
    baseline: str
    theirs: Spread
    ours: Spread
    ratio: float


class Curves(TypedDict):
    """How figures grow: points of size and figure, by what they are of."""

    title: str
    x: str
    y: str
    series: dict[str, list[tuple[float, float]]]


class Class(TypedDict):
    """How many figures are from here to the next class."""

    at_least: float
    count: int


class Benchmark(TypedDict):
    """What a benchmark returns."""

    name: str
    rows: list[Row]
    parts: NotRequired[dict[str, dict[str, float]]]
    curves: NotRequired[list[Curves]]
    histograms: NotRequired[dict[str, list[Class]]]


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
    theirs: list[float] = []
    own: list[float] = []
    for _ in range(rounds):
        theirs.append(seconds_per_call(baseline) * 1e6)
        own.append(seconds_per_call(ours) * 1e6)
    return row(what, baseline.name, theirs, own)


def row(
    what: str,
    baseline: str,
    theirs: Sequence[float],
    ours: Sequence[float],
    unit: Unit = Unit.MICROSECONDS,
) -> Row:
    """Sum up figures that were taken in turns, the first of one side with the first of the other."""
    pairs = zip(ours, theirs, strict=True) if unit.more_is_better else zip(theirs, ours, strict=True)
    return Row(
        what=what,
        unit=unit,
        baseline=baseline,
        theirs=spread(theirs),
        ours=spread(ours),
        ratio=median(more / less for more, less in pairs),
    )


def spread(figures: Sequence[float]) -> Spread:
    """Sum up the figures of one side."""
    return Spread(
        median=median(figures),
        min=min(figures),
        p90=quantiles(figures, n=10, method="inclusive")[-1] if len(figures) > 1 else figures[0],
        max=max(figures),
        count=len(figures),
    )


def histogram(figures: Sequence[float], width: float) -> list[Class]:
    """Count figures in classes of a width, from the first that has any to the last."""
    counts = Counter(int(figure // width) for figure in figures)
    return [Class(at_least=place * width, count=counts[place]) for place in range(min(counts), max(counts) + 1)]


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
