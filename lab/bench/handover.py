"""What a handover costs a stream: moves between two visited links, in turns with the same outage without a move.

A packet is sent every millisecond. The baseline of a move is the least that any protocol could reach: the cable is
pulled for as long and put back into the same link. A hinted move, which has no outage, is compared with one that the
mobile node must find out about by Router Advertisements alone.
"""

import itertools
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from lab.bench.measure import Benchmark, row
from lab.emulation.mover import move
from lab.emulation.network import Network
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.emulation.traffic import Stream
from lab.errors import ScenarioError
from lab.events import BindingAcknowledged, Event, MovementDetected
from lab.report import streams
from lab.report.handovers import Handover, handovers

OUTAGE = 0.01
EVERY = 0.001
MOVES, QUICK_MOVES = 20, 3
WITHIN = 10.0
PAUSE = 0.4
"""Seconds after a move: the stream is whole again, and Binding Updates stay below MAX_UPDATE_RATE."""
LINKS = ("visited1", "visited2")
REPLUGGED, MOVED, ADVERTISED, HINTED = "replugged", "moved", "advertised", "hinted"


def measure(quick: bool) -> Benchmark:
    """Move a mobile node to and fro and time what its stream saw."""
    found = _play(QUICK_MOVES if quick else MOVES)
    times = {kind: [handover.interruption_ms * 1000 for handover in found[kind]] for kind in found}
    outage = f"{OUTAGE * 1000:g} ms"
    return Benchmark(
        name="handover",
        rows=[
            row(
                f"move, {outage} without carrier", f"{outage} without carrier, no move", times[REPLUGGED], times[MOVED]
            ),
            row("move told by the link layer", "by Router Advertisements alone", times[ADVERTISED], times[HINTED]),
        ],
        parts={
            f"move, {outage} without carrier": medians(found[MOVED]),
            "move told by the link layer": medians(found[HINTED]),
        },
    )


def _play(moves: int) -> dict[str, list[Handover]]:
    with (
        tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as folder,
        Network(
            find_topology("two_visited_links"),
            settings=Settings(outage=OUTAGE, ro=False),
            directory=Path(folder),
            captures=False,  # they would compete for the processors
        ) as network,
    ):
        network.start()
        network.wait_settled()
        stream = Stream(network.node("cn"), network.node("mn"), every=EVERY, name="cn-mn")
        links = itertools.cycle(LINKS)
        here = next(links)
        _move(network, here)
        for _ in range(moves):
            _move(network, here, replug=True)
            for how in (MOVED, ADVERTISED, HINTED):
                here = next(links)
                _move(network, here, how)
        summary = stream.stop()
        measured = handovers(network.context.collector.records(), streams.read(summary.path))
    found: dict[str, list[Handover]] = defaultdict(list)
    order = itertools.cycle((REPLUGGED, MOVED, ADVERTISED, HINTED))
    for handover, kind in zip(measured[1:], order, strict=False):  # the first one is the way from home
        found[kind].append(handover)
    return found


def _move(network: Network, to: str, how: str = MOVED, *, replug: bool = False) -> None:
    """Move, or only unplug and plug in again, and wait until packets flow for sure."""
    began = time.time()
    hint = how == HINTED
    move(network.node("mn"), network.bridge(to), outage=None if how in (ADVERTISED, HINTED) else OUTAGE, hint=hint)
    settle(network, to, began, *(() if replug else (MovementDetected, BindingAcknowledged)))


def settle(network: Network, to: str, since: float, *awaited: type[Event]) -> None:
    """Wait for what `mn` reports of its move to a link, and until packets flow for sure; raises `ScenarioError`."""
    for event in awaited:
        found = network.context.collector.wait(
            lambda record, event=event: record.node == "mn" and isinstance(record.event, event),  # type: ignore[misc]
            since=since,
            within=WITHIN,
        )
        if found is None:
            raise ScenarioError(f"mn did not report {event.__name__} within {WITHIN:g} s of its move to {to}")
    time.sleep(PAUSE)


def medians(found: list[Handover]) -> dict[str, float]:
    """Give the median of each part of the breakdown, in microseconds."""
    return {part: median(handover.breakdown[part] for handover in found) * 1000 for part in found[0].breakdown}
