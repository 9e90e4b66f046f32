"""Streams that run, as captures see them now: their way, how long packets take, and how many are lost."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import median

from lab.report.address_book import AddressBook
from lab.report.routes import UDP, Hop, Route, Share, hop, numbered
from lab.verify.frame import Frame

BIN = 0.25
"""Seconds that a point of a figure stands for."""
BINS = 120
LOST_AFTER = 2.0
"""Seconds after which a packet that was not seen to arrive is lost."""
ROUTED_WITHIN = 1.0
"""Seconds in which the way that most packets took is the stream's way."""
STAMPED_WITHIN = 60.0
"""A packet that says it was sent longer ago is of no stream."""
MOST_MISSED = 10_000
"""So many numbers in a row may be missing until they are no packets that were lost."""


@dataclass(slots=True)
class _Packet:
    sent: float
    hops: list[tuple[float, Hop]] = field(default_factory=list)
    """With the times at which they were seen."""
    arrived: bool = False

    @property
    def route(self) -> Route:
        """The way that it took so far."""
        return Route(hops=tuple(hop for _, hop in sorted(self.hops, key=itemgetter(0))), arrived=self.arrived)


@dataclass(slots=True)
class Bin:
    """What became of the packets that were sent in a part of a second."""

    begin: float
    """Seconds since the epoch."""
    sent: int = 0
    lost: int = 0
    delays: list[float] = field(default_factory=list)
    """Seconds from sender to receiver."""

    @property
    def delay(self) -> float | None:
        """The median; None if nothing arrived so far."""
        return median(self.delays) if self.delays else None


class Flow:
    """One stream."""

    def __init__(self, source: str, destination: str, port: int) -> None:
        self.source, self.destination, self.port = source, destination, port
        self._bins: dict[float, Bin] = {}
        self.last = 0.0
        """When a packet of it was sent last."""
        self._under_way: dict[int, _Packet] = {}
        self._highest = -1

    @property
    def name(self) -> str:
        """Between whom it is, and at which port: no two have the same."""
        return f"{self.source} → {self.destination}, port {self.port}"

    def take(self, frame: Frame, sequence: int, sent: float, book: AddressBook) -> None:
        """Take a sighting of a packet."""
        packet = self._under_way.get(sequence)
        if packet is None:
            if sequence <= self._highest:
                return  # it was given up, or is of an earlier stream
            packet = self._first_sighting(sequence, sent)
        seen = hop(frame, book)
        packet.hops.append((frame.time, seen))
        there = book.at(self.destination, frame.time) in (None, frame.link)
        if not packet.arrived and seen.receiver == self.destination and there:
            packet.arrived = True
            self._bin(packet.sent).delays.append(max(frame.time - sent, 0.0))

    def _first_sighting(self, sequence: int, sent: float) -> _Packet:
        """Begin to follow a packet, and those before it that were seen nowhere."""
        missed = range(self._highest + 1, sequence) if self.last and sequence - self._highest < MOST_MISSED else ()
        apart = (sent - self.last) / (len(missed) + 1)
        for place, number in enumerate(missed, start=1):
            self._follow(number, self.last + apart * place)
        self._highest, self.last = sequence, max(sent, self.last)
        return self._follow(sequence, sent)

    def _follow(self, sequence: int, sent: float) -> _Packet:
        packet = self._under_way[sequence] = _Packet(sent)
        self._bin(sent).sent += 1
        return packet

    def _bin(self, sent: float) -> Bin:
        begin = sent // BIN * BIN
        return self._bins.setdefault(begin, Bin(begin))

    @property
    def bins(self) -> list[Bin]:
        """What is to be shown, in the order of time."""
        return [self._bins[begin] for begin in sorted(self._bins)]

    def settle(self, now: float) -> None:
        """Give up what did not arrive, and forget what did and what is shown no more."""
        over = [number for number, packet in self._under_way.items() if packet.sent < now - LOST_AFTER]
        for number in over:
            packet = self._under_way.pop(number)
            if not packet.arrived:
                self._bin(packet.sent).lost += 1
        self._bins = {begin: each for begin, each in self._bins.items() if begin > now - BIN * BINS}

    def share(self, now: float) -> Share | None:
        """Give the way that most packets took of late: those that arrived, if any did; None if none was seen."""
        late = [packet for packet in self._under_way.values() if packet.sent > now - ROUTED_WITHIN and packet.hops]
        arrived = [packet for packet in late if packet.arrived]
        taken = Counter(packet.route for packet in arrived or late)
        for route, packets in taken.most_common(1):
            return Share(stream=self.name, route=route, packets=packets)
        return None

    def rate(self, now: float) -> float:
        """Packets in a second, of late."""
        late = [each.sent for each in self.bins if now - ROUTED_WITHIN - BIN < each.begin <= now - BIN]
        return sum(late) / (len(late) * BIN) if late else 0.0


class Flows:
    """All streams of a network; `book` is the one that others keep up to date."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._flows: dict[tuple[str, str, int], Flow] = {}

    def take(self, frames: Iterable[Frame]) -> None:
        """Take packets, of streams or not, in the order of their times."""
        for frame in frames:
            packet = numbered(frame)
            if packet is None or not -1.0 < frame.time - packet.sent < STAMPED_WITHIN:
                continue
            key = self._key(packet.packet)
            flow = self._flows.get(key)
            if flow is None:
                flow = self._flows[key] = Flow(*key)
            flow.take(frame, packet.sequence, packet.sent, self._book)

    def look(self, now: float) -> list[Flow]:
        """Give the streams of the time that is shown; all that came until `now` was taken."""
        self._flows = {key: flow for key, flow in self._flows.items() if now - flow.last < BIN * BINS}
        for flow in self._flows.values():
            flow.settle(now)
        return [*self._flows.values()]

    def _key(self, packet: Frame) -> tuple[str, str, int]:
        owners, receiver = self._book.owners, packet.routed_home_address or packet.destination
        assert packet.upper == UDP
        port = int.from_bytes(packet.payload[2:4], "big")
        return owners.get(packet.sender, str(packet.sender)), owners.get(receiver, str(receiver)), port
