"""What each move of a mobile node cost its stream, and where the time went."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from lab.events import (
    BindingAcknowledged,
    BindingUpdateSent,
    Event,
    KeygenTokenReceived,
    LinkHinted,
    LinkWentUp,
    MoveBegan,
    MovementDetected,
    NodeFailed,
    NodeKilled,
    Record,
)
from lab.report.streams import Arrival

STAGES: tuple[tuple[str, tuple[type[Event], ...]], ...] = (
    ("link", (LinkWentUp, LinkHinted)),
    ("router", (MovementDetected,)),
    ("address", (BindingUpdateSent,)),
    ("registration", (BindingAcknowledged,)),
)
"""Each stage ends with the first of its events at the mobile node."""
PROOF = "return_routability"
"""What follows them where the stream waits for it: it ends with a Binding Update to a correspondent (§5.2.5)."""
PARTS = (*(name for name, _ in STAGES), PROOF, "first_packet")
"""The last part ends with an arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One move; durations in milliseconds, and the parts of the breakdown add up to the interruption."""

    mobile_node: str
    from_link: str
    to_link: str
    began: float
    """Seconds since the epoch."""
    interruption_ms: float
    lost: int
    breakdown: dict[str, float]


def handovers(records: Sequence[Record], arrivals: Sequence[Arrival]) -> list[Handover]:
    """Find the largest gap between arrivals after each move and split it at the mobile node's events."""
    # What a node costs that dies, or a killed daemon, is no cost of the move before.
    breaks = [record for record in records if isinstance(record.event, MoveBegan | NodeFailed | NodeKilled)]
    ends = [*[record.time for record in breaks[1:]], float("inf")]
    return [
        _handover(record.event, record.time, end, records, arrivals)
        for record, end in zip(breaks, ends, strict=False)
        if isinstance(record.event, MoveBegan)
    ]


def _handover(
    move: MoveBegan, began: float, end: float, records: Sequence[Record], arrivals: Sequence[Arrival]
) -> Handover:
    received = sorted(arrival.received for arrival in arrivals if arrival.received is not None)
    if arrivals and received and arrivals[-1].received is None:
        received.append(max(arrivals[-1].sent, received[-1]))  # silence until the end is an interruption too
    last, first = _largest_gap(received, began, end)
    marks = [last]
    for _, kinds in STAGES:
        marks.append(min(max(_first(records, move.mobile_node, kinds, began, end, first), marks[-1]), first))
    proven = _proven(records, move.mobile_node, began, first)
    marks += [max(proven, marks[-1]), first]
    breakdown = {
        name: round((after - before) * 1000, 3)
        for name, before, after in zip(PARTS, marks[:-1], marks[1:], strict=True)
    }
    return Handover(
        mobile_node=move.mobile_node,
        from_link=move.from_link,
        to_link=move.to_link,
        began=began,
        interruption_ms=round(sum(breakdown.values()), 3),
        lost=sum(arrival.received is None and began <= arrival.sent < end for arrival in arrivals),
        breakdown=breakdown,
    )


def _largest_gap(received: Sequence[float], began: float, end: float) -> tuple[float, float]:
    """Give the ends of the gap that takes most of the time of a move; an empty one if there is none.

    The gap of the next move begins with the last packet before it, so only the share within the time counts.
    """
    shares = [
        (min(after, end) - max(before, began), before, after)
        for before, after in itertools.pairwise(received)
        if after >= began and before < end
    ]
    if not shares:
        return began, began
    _, before, after = max(shares)
    return before, after


def _proven(records: Sequence[Record], node: str, began: float, first: float) -> float:
    """Give when return routability was proved to a correspondent; the beginning, if the stream did not wait for it."""
    own = [record for record in records if record.node == node]
    correspondents = {record.event.peer for record in own if isinstance(record.event, KeygenTokenReceived)}
    times = (
        record.time
        for record in own
        if isinstance(record.event, BindingUpdateSent)
        and record.event.peer in correspondents
        and began <= record.time <= first
    )
    return min(times, default=began)


def _first(
    records: Sequence[Record], node: str, kinds: tuple[type[Event], ...], began: float, end: float, default: float
) -> float:
    times = (r.time for r in records if r.node == node and isinstance(r.event, kinds) and began <= r.time < end)
    return min(times, default=default)
