"""Which way the packets of a stream took, as captures saw them, before, during and after each move."""

import struct
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from lab.events import MoveBegan, NodeFailed, NodeKilled, Record
from lab.report.address_book import AddressBook
from lab.report.streams import Arrival
from lab.verify.frame import HEADER_OCTETS, Frame

UDP, UDP_HEADER = 17, 8
FRAGMENT, FRAGMENT_HEADER = 44, 8
_NUMBERED = struct.Struct("!Qd")
"""How packets of a stream begin: sequence number, and when it was sent."""


class Way(StrEnum):
    """How a packet crosses a link."""

    PLAIN = "plain"
    TUNNEL = "tunnel"
    DIRECT = "direct"
    """With a Home Address option or a type 2 routing header (§6.3, §6.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A packet on one link; ends that captures do not tell are empty."""

    sender: str
    link: str
    receiver: str
    way: Way


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The links that a packet crossed, and whether it arrived."""

    hops: tuple[Hop, ...]
    arrived: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many packets of a stream that took the same route."""

    stream: str
    route: Route
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """The routes before, during and after something that changes them, the most used first."""

    cause: MoveBegan | NodeFailed | NodeKilled
    time: float
    before: list[Share]
    during: list[Share]
    after: list[Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """What a packet of a stream says of itself; any packet long enough may seem to be one."""

    sequence: int
    sent: float
    packet: Frame
    """The one in all tunnels."""


Timed = tuple[float, Route]
"""When a packet was sent, and the way that it took."""


def way_of(frame: Frame) -> Way:
    """Tell how a packet crosses a link."""
    if frame.inner is not None:
        return Way.TUNNEL
    named = frame.home_address or frame.routed_home_address
    return Way.PLAIN if named is None else Way.DIRECT


def routes(
    streams: Mapping[str, Sequence[Arrival]], frames: Sequence[Frame], book: AddressBook
) -> dict[str, list[Timed]]:
    """Find the route of every packet of streams, in the order in which they were sent."""
    sightings: dict[tuple[int, str], list[Hop]] = {}
    for frame in frames:
        packet = numbered(frame)
        if packet is not None:
            sightings.setdefault(_key(packet.sequence, packet.sent), []).append(hop(frame, book))
    return {
        name: [
            (packet.sent, Route(hops=tuple(sightings.get(_key(packet.sequence, packet.sent), ())), arrived=arrived))
            for packet in packets
            for arrived in [packet.received is not None]
        ]
        for name, packets in streams.items()
    }


def hop(frame: Frame, book: AddressBook) -> Hop:
    """Tell who sent a packet to whom on a link, and how."""
    whole = _unfragmented(frame)
    return Hop(
        sender=book.stations.get(frame.source_mac, ""),
        link=frame.link,
        receiver=book.stations.get(frame.destination_mac, ""),
        way=way_of(frame if whole.inner is None else whole),
    )


def passages(taken: Mapping[str, Sequence[Timed]], records: Sequence[Record]) -> list[Passage]:
    """Sort routes by what changes them: moves, nodes that die, and daemons that are killed."""
    causes = [(r.time, r.event) for r in records if isinstance(r.event, MoveBegan | NodeFailed | NodeKilled)]
    times = [float("-inf"), *(time for time, _ in causes), float("inf")]
    intervals = [_interval(taken, begin, end) for begin, end in pairwise(times)]
    return [
        Passage(cause=cause, time=time, before=before, during=during, after=after)
        for (time, cause), (_, before), (during, after) in zip(causes, intervals, intervals[1:], strict=False)
    ]


def _interval(taken: Mapping[str, Sequence[Timed]], begin: float, end: float) -> tuple[list[Share], list[Share]]:
    """Split what was sent in a time where the route comes up that most packets of its last quarter took."""
    changing: list[Share] = []
    settled: list[Share] = []
    for name, packets in taken.items():
        within = [route for sent, route in packets if begin <= sent < end]
        if not within:
            continue
        lasting, _ = Counter(within[len(within) * 3 // 4 :]).most_common(1)[0]
        first = within.index(lasting)
        changing += shares(name, within[:first])
        settled.append(Share(stream=name, route=lasting, packets=within[first:].count(lasting)))
    return changing, settled


def shares(name: str, taken: Sequence[Route]) -> list[Share]:
    """Count the packets of a stream by their routes, the most used first."""
    return [Share(stream=name, route=route, packets=count) for route, count in Counter(taken).most_common()]


def _inmost(frame: Frame) -> Frame:
    """Give the packet in all tunnels, which may have been cut before any of them."""
    inner = frame.innermost
    whole = _unfragmented(inner)
    return inner if whole is inner else _inmost(whole)


def _unfragmented(frame: Frame) -> Frame:
    """Give a first fragment as if it had come whole, without what is before its header; itself if it is none."""
    header = frame.payload[:FRAGMENT_HEADER]
    if frame.upper != FRAGMENT or len(header) < FRAGMENT_HEADER or int.from_bytes(header[2:4], "big") >> 3:
        return frame
    octets = frame.octets
    return replace(frame, octets=octets[:6] + header[:1] + octets[7:HEADER_OCTETS] + frame.payload[FRAGMENT_HEADER:])


def _key(sequence: int, sent: float) -> tuple[int, str]:
    return sequence, f"{sent:.6f}"


def numbered(frame: Frame) -> Numbered | None:
    """Read what marks a packet of a stream; None for any other."""
    inmost = _inmost(frame)
    if inmost.upper != UDP or len(inmost.payload) < UDP_HEADER + _NUMBERED.size:
        return None
    sequence, sent = _NUMBERED.unpack_from(inmost.payload, UDP_HEADER)
    return Numbered(sequence=sequence, sent=sent, packet=inmost)
