"""What a handover costs a route-optimised stream, against one by the tunnel alone, in the very same moves.

A mobile node receives a stream from each of two correspondents; with one of them it may not optimise the route. The
difference is what the tests of return routability and the Binding Update to the correspondent take.
"""

import itertools
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from lab.bench.handover import QUICK_MOVES, medians, settle
from lab.bench.measure import Benchmark, row
from lab.emulation.network import Network
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.emulation.traffic import PORT, Stream
from lab.events import KeygenTokenReceived, MessageSent, Record, RouteOptimisationStarted
from lab.report import streams
from lab.report.handovers import Handover, handovers

MOVES = 20
OUTAGE, EVERY = 0.01, 0.002
LINKS = ("visited1", "visited2")


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


def measure(quick: bool) -> Benchmark:
    """Move a mobile node to and fro and time what both streams saw."""
    direct, tunnelled, rounds = _play(QUICK_MOVES if quick else MOVES)
    what = f"move, {OUTAGE * 1000:g} ms without carrier, route-optimised"
    ours = [handover.interruption_ms * 1000 for handover in direct]
    baseline = [handover.interruption_ms * 1000 for handover in tunnelled]
    found = Benchmark(name="route_optimisation", rows=[row(what, "the same move, by the tunnel", baseline, ours)])
    found["parts"] = {what: medians(direct), "of it, return routability": {"care-of test": median(rounds) * 1e6}}
    return found


def _play(moves: int) -> tuple[list[Handover], list[Handover], list[float]]:
    with (
        tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as folder,
        Network(one_path_each(), settings=Settings(outage=OUTAGE), directory=Path(folder), captures=False) as network,
    ):
        network.start()
        network.wait_settled()
        receiver = network.node("mn")
        both = [
            Stream(network.node(name), receiver, every=EVERY, name=f"{name}-mn", port=PORT + number)
            for number, name in enumerate(("cn", "cn2"))
        ]
        for link in itertools.islice(itertools.cycle(LINKS), moves + 1):
            began = time.time()
            network.move("mn", link)
            settle(network, link, began, RouteOptimisationStarted)
        summaries = [stream.stop() for stream in both]
        records = network.context.collector.records()
        direct, tunnelled = (handovers(records, streams.read(summary.path))[1:] for summary in summaries)
    return direct, tunnelled, _rounds(records)


def _rounds(records: list[Record]) -> list[float]:
    """Give the seconds from each Care-of Test Init to its answer."""
    asked: float | None = None
    rounds = []
    for record in records:
        match record.event:
            case MessageSent(message="Care-of Test Init"):
                asked = record.time
            case KeygenTokenReceived(kind="care-of") if asked is not None:
                rounds.append(record.time - asked)
                asked = None
    return rounds
