"""What a handover costs a stream of a packet each millisecond: moves between two visited links.

The baseline of a move is the least that any protocol could reach: the cable is pulled for as long and put back into the
same link. A hinted move, which has no outage, is compared with one that the mobile node must find out about by Router
Advertisements alone; a care-of address that is used while it is tested with one that is used after that, in two
networks one after the other, since that is a setting of all of a network; and a direct path with the tunnel, in the
very same moves, by a second correspondent to which the route is never optimised. That difference is what the tests of
return routability and the Binding Update to the correspondent take.
"""

from collections.abc import Sequence
from statistics import median
from typing import Any

from lab.bench.measure import Benchmark, histogram, row
from lab.bench.moves import Cost, Way, play
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.engine.config import DadMode
from lab.events import KeygenTokenReceived, MessageSent, Record, RouteOptimisationStarted

ROUNDS, QUICK_ROUNDS = 50, 3
ROUNDS_OF_SECONDS = 10
"""Where each move takes seconds and varies by seconds."""
OUTAGES, QUICK_OUTAGES = (0.01, 0.05), (0.01,)
INTERVALS, QUICK_INTERVALS = (0.05, 0.5), (0.05,)
"""Mean seconds between Router Advertisements."""
CLASS = 1000.0
"""Microseconds that a class of the histograms is wide: the packets of the stream are as far apart."""
HINTED, ADVERTISED = Way(hint=True), Way()


def measure(quick: bool) -> Benchmark:
    """Move a mobile node to and fro and time what its streams saw."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    found = Benchmark(name="handover", rows=[], parts={}, histograms={})
    for outage in QUICK_OUTAGES if quick else OUTAGES:
        _outage(found, outage, rounds)
    for interval in QUICK_INTERVALS if quick else INTERVALS:
        _hint(found, interval, rounds)
    _test_of_the_address(found, QUICK_ROUNDS if quick else ROUNDS_OF_SECONDS)
    _direct_path(found, rounds)
    return found


def _outage(found: Benchmark, outage: float, rounds: int) -> None:
    moved, replugged = Way(outage=outage), Way(outage=outage, elsewhere=False)
    played = play(find_topology("two_visited_links"), Settings(ro=False), (replugged, moved), rounds)
    without = f"{_milliseconds(outage)} without carrier"
    _add(found, f"move, {without}", played.cost(moved), f"{without}, no move", played.cost(replugged))


def _hint(found: Benchmark, interval: float, rounds: int) -> None:
    settings = Settings(ro=False, ra_interval=interval)
    played = play(find_topology("two_visited_links"), settings, (ADVERTISED, HINTED), rounds)
    what = f"move told by the link layer, advertisements every {_milliseconds(interval)}"
    _add(found, what, played.cost(HINTED), "by Router Advertisements alone", played.cost(ADVERTISED))


def _test_of_the_address(found: Benchmark, rounds: int) -> None:
    way = Way(outage=OUTAGES[0])
    standard, optimistic = (
        play(find_topology("two_visited_links"), Settings(ro=False, dad=mode), (way,), rounds).cost(way)
        for mode in (DadMode.STANDARD, DadMode.OPTIMISTIC)
    )
    _add(found, "move, care-of address used while it is tested", optimistic, "used after its test", standard)


def _direct_path(found: Benchmark, rounds: int) -> None:
    way = Way(outage=OUTAGES[0])
    played = play(
        one_path_each(), Settings(), (way,), rounds, sources=("cn", "cn2"), awaited=(RouteOptimisationStarted,)
    )
    what = f"move, {_milliseconds(OUTAGES[0])} without carrier, route-optimised"
    _add(found, what, played.cost(way), "the same move, by the tunnel", played.cost(way, "cn2"))
    found["parts"]["of it, return routability"] = {"care-of test": median(_tests(played.records)) * 1e6}


def _add(found: Benchmark, what: str, ours: Cost, baseline: str, theirs: Cost) -> None:
    found["rows"].append(row(what, baseline, theirs.interruptions, ours.interruptions))
    found["parts"][what] = ours.parts
    found["histograms"][what] = histogram(ours.interruptions, CLASS)


def one_path_each() -> type[Topology]:
    """Make the topology with two correspondents, to the second of which the route is never optimised."""
    base: Any = find_topology("two_correspondents")

    class OnePathEach(base):  # type: ignore[misc] # known when it is looked for
        """Two correspondents; the mobile node optimises the route to the first alone."""

        def declare(self) -> None:
            """Exclude the second correspondent."""
            super().declare()
            self.node_specs["mn"].options["not_optimised"] = [f"{self.node_specs['cn2'].address}/128"]

    return OnePathEach


def _tests(records: Sequence[Record]) -> list[float]:
    """Give the seconds from each Care-of Test Init to its answer."""
    asked: float | None = None
    found = []
    for record in records:
        match record.event:
            case MessageSent(message="Care-of Test Init"):
                asked = record.time
            case KeygenTokenReceived(kind="care-of") if asked is not None:
                found.append(record.time - asked)
                asked = None
    return found


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:g} ms"
