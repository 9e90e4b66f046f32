"""Moves of a mobile node between two visited links, and what its streams saw of them."""

import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from lab.emulation.mover import move
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.emulation.traffic import PORT, Stream
from lab.errors import ScenarioError
from lab.events import BindingAcknowledged, Event, MovementDetected, Record
from lab.report import streams
from lab.report.handovers import Handover, handovers

EVERY = 0.001
"""Seconds between the packets of a stream, which is how exactly an interruption is known."""
WITHIN = 10.0
PAUSE = 0.4
"""Seconds after a move: the stream is whole again, and Binding Updates stay below MAX_UPDATE_RATE."""
LINKS = ("visited1", "visited2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a mobile node is moved: without carrier for `outage` seconds, or told, or neither."""

    outage: float | None = None
    hint: bool = False
    elsewhere: bool = True
    """Whether to the other link, or back to the same one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What moves of one way cost one stream, in microseconds."""

    interruptions: Sequence[float]
    """In the order of the moves."""
    parts: dict[str, float]
    """The median of each part of the breakdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Handovers by way and source of the stream, each in the order of the moves; and all records."""

    handovers: Mapping[Way, Mapping[str, Sequence[Handover]]]
    records: Sequence[Record]

    def cost(self, way: Way, source: str = "cn") -> Cost:
        """Give what the moves of one way cost the stream from one source."""
        found = self.handovers[way][source]
        return Cost(
            interruptions=[handover.interruption_ms * 1000 for handover in found],
            parts={part: median(handover.breakdown[part] for handover in found) * 1000 for part in found[0].breakdown},
        )


def play(
    topology: type[Topology],
    settings: Settings,
    ways: Sequence[Way],
    rounds: int,
    *,
    sources: Sequence[str] = ("cn",),
    awaited: Sequence[type[Event]] = (MovementDetected, BindingAcknowledged),
) -> Played:
    """Move in each of the ways in turns, and wait each time until the mobile node has reported what is awaited.

    Raises `ScenarioError` if it does not.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as folder,
        Network(topology, settings=settings, directory=Path(folder), captures=False) as network,  # they would compete
    ):
        network.start()
        network.wait_settled()
        receiver = network.node("mn")
        running = [
            Stream(network.node(source), receiver, every=EVERY, name=f"{source}-mn", port=PORT + number)
            for number, source in enumerate(sources)
        ]
        links = itertools.cycle(LINKS)
        here = next(links)
        order = [Way(outage=settings.outage), *itertools.chain.from_iterable(itertools.repeat(ways, rounds))]
        for number, way in enumerate(order):  # the first one is the way from home
            if number and way.elsewhere:
                here = next(links)
            began = time.time()
            move(receiver, network.bridge(here), outage=way.outage, hint=way.hint)
            settle(network, here, began, *(awaited if way.elsewhere else ()))
        summaries = [stream.stop() for stream in running]
        records = network.context.collector.records()
        measured = [handovers(records, streams.read(summary.path))[1:] for summary in summaries]
    found: dict[Way, dict[str, list[Handover]]] = defaultdict(lambda: defaultdict(list))
    for source, seen in zip(sources, measured, strict=True):
        for way, handover in zip(order[1:], seen, strict=True):
            found[way][source].append(handover)
    return Played(handovers=found, records=records)


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
