"""How long mobile nodes wait for a home agent: one by itself, one amid others, and all that come at once."""

from collections.abc import Iterator, Sequence

from lab.bench.crowd.mobile_nodes import WINDOW, Crowd
from lab.bench.measure import Row, row
from lab.constants import INITIAL_BINDACK_TIMEOUT

PACE = 1000
"""Registrations in a second, amid which one is timed."""
ALONE = 200
"""Registrations that are timed one by one in a turn."""


def waits(crowd: Crowd, numbers: Sequence[int], turns: int, where: str = "") -> Iterator[Row]:
    """Have mobile nodes that are registered refresh their bindings; `where` tells rows of several crowds apart."""
    alone, amid, steady, storm = [], [], [], []
    sample = numbers[:ALONE]
    for _ in range(turns):
        alone += crowd.register(sample, window=1).latencies
        amid += crowd.register(sample, window=len(sample), every=1 / PACE).latencies
        steady.append(crowd.register(numbers).seconds)
        storm.append(crowd.register(numbers, window=len(numbers), patience=INITIAL_BINDACK_TIMEOUT).seconds)
    yield row(f"a refresh amid {PACE:,} in a second{where}", "by itself", _microseconds(alone), _microseconds(amid))
    yield row(
        f"{len(numbers):,} refreshes at once{where}, until all are acknowledged",
        f"{WINDOW} at a time",
        _microseconds(steady),
        _microseconds(storm),
    )


def _microseconds(figures: Sequence[float]) -> list[float]:
    return [seconds * 1e6 for seconds in figures]
