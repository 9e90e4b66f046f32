"""The signalling of a run as a ladder: who sent what to whom, in which tunnels, and in which frames that is seen."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.report.address_book import AddressBook
from lab.report.decoding import Layer, decode, headline, is_signalling
from lab.report.model import Result
from lab.report.routes import Way, way_of
from lab.verify.frame import Frame

SAME_MESSAGE_WITHIN = 1.0
"""Seconds in which the same octets elsewhere are the same message on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A part of a message's way on which its outermost header stays the same: a tunnel, or what is around one."""

    source: str
    destination: str
    way: Way
    sealed: bool
    """ESP protected it."""
    arrived: bool
    """The captures saw it reach its destination, which was there."""
    frames: Sequence[Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message from who made it to whom it was for."""

    number: int
    time: float
    name: str
    remark: str
    legs: Sequence[Leg]
    layers: Sequence[Layer]

    @property
    def source(self) -> str:
        """Who made it."""
        return self.legs[0].source

    @property
    def destination(self) -> str:
        """Whom it was for."""
        return self.legs[-1].destination

    @property
    def arrived(self) -> bool:
        """Whether it came to its end."""
        return self.legs[-1].arrived


def messages(frames: Sequence[Frame], book: AddressBook) -> list[Message]:
    """Find the messages in captures, in the order in which they left."""
    return [_message(number, group, book) for number, group in enumerate(_groups(frames), start=1)]


def lifelines(result: Result, found: Sequence[Message]) -> list[str]:
    """Order the nodes that have messages: the first mobile node and its home agents left, others of them right."""
    wanted = dict.fromkeys(end for message in found for leg in message.legs for end in (leg.source, leg.destination))
    mobile = [node for node in result.nodes if node.home_addresses]
    agents = [node for node in result.nodes if node.kind == "home-agent"]
    families = [[node.name, *(agent.name for agent in agents if agent.home == node.home)] for node in mobile]
    left = families[0] if families else []
    right = [name for family in reversed(families[1:]) for name in reversed(family)]
    middle = [name for name in wanted if name not in (*left, *right)]
    return [name for name in dict.fromkeys([*left, *middle, *right]) if name in wanted]


@dataclass(slots=True)
class _Group:
    """Sightings of one message."""

    last: float
    places: set[tuple[str, bytes, int]] = field(default_factory=set)
    frames: list[Frame] = field(default_factory=list)


def _groups(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Put together what is the same message on its way; one that is sent again is another."""
    found: list[_Group] = []
    latest: dict[bytes, _Group] = {}
    for frame in frames:
        if not is_signalling(frame.innermost):
            continue
        inner, place = frame.innermost.same, (frame.link, frame.same, frame.hop_limit)
        group = latest.get(inner)
        if group is None or frame.time - group.last > SAME_MESSAGE_WITHIN or place in group.places:
            group = latest[inner] = _Group(last=frame.time)
            found.append(group)
        group.last = frame.time
        group.places.add(place)
        group.frames.append(frame)
    return [group.frames for group in found]


def _message(number: int, sightings: Sequence[Frame], book: AddressBook) -> Message:
    parts: dict[bytes, list[Frame]] = {}
    for frame in sightings:
        parts.setdefault(frame.same, []).append(frame)
    ways = [*parts.values()]
    starts = [_start(frames[0], book) for frames in ways]
    legs = []
    for place, frames in enumerate(ways):
        following = starts[place + 1] if place + 1 < len(ways) else ""
        legs.append(_leg(frames, starts[place], following, book))
    inmost = sightings[0].innermost
    name, remark = headline(inmost)
    return Message(
        number=number, time=sightings[0].time, name=name, remark=remark, legs=legs, layers=decode(sightings[0], book)
    )


def _start(frame: Frame, book: AddressBook) -> str:
    return book.stations.get(frame.source_mac) or book.owners.get(frame.source) or str(frame.source)


def _leg(frames: Sequence[Frame], source: str, following: str, book: AddressBook) -> Leg:
    """Give a leg; it ends where the next one starts, or at the owner of its destination."""
    last = frames[-1]
    heard = book.stations.get(last.destination_mac, "")
    addressee = book.owners.get(last.destination) or heard or str(last.destination)
    destination = following if following and following != source else addressee
    there = book.at(destination, last.time) in (None, last.link) and book.serves(destination, last.time)
    return Leg(
        source=source,
        destination=destination,
        way=way_of(frames[0]),
        sealed=frames[0].protection is not None,
        arrived=there and heard in ("", destination),
        frames=frames,
    )
