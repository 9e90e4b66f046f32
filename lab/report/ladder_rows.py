"""The ladder as rows of a page: messages with their arrows, and between them what nodes did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lab.events import (
    BindingDeregistered,
    BindingRegistered,
    Event,
    MoveBegan,
    MovementDetected,
    NodeFailed,
    NodeKilled,
    Record,
    ReturnedHome,
    RouteOptimisationStarted,
)
from lab.report.address_book import AddressBook
from lab.report.ladder import Leg, Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A leg between two lifelines, in hundredths of the ladder's width."""

    leg: Leg
    start: float
    end: float

    @property
    def left(self) -> float:
        """Where its left end is."""
        return min(self.start, self.end)

    @property
    def length(self) -> float:
        """How long it is."""
        return abs(self.end - self.start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message with its arrows, a word of one node, or a word across the ladder; whatever is not there is empty."""

    time: float
    text: str = ""
    at: float | None = None
    message: Message | None = None
    arrows: Sequence[Arrow] = ()

    @property
    def left(self) -> float:
        """Where its leftmost lifeline is."""
        return min((arrow.left for arrow in self.arrows), default=self.at or 0.0)

    @property
    def right(self) -> float:
        """How far from the right edge its rightmost lifeline is."""
        return 100 - max((arrow.left + arrow.length for arrow in self.arrows), default=self.at or 0.0)

    @property
    def rightwards(self) -> bool:
        """Whether it is on the right half, where text is set from the right."""
        return self.left > self.right


def rows(found: Sequence[Message], records: Sequence[Record], lifelines: Sequence[str], book: AddressBook) -> list[Row]:
    """Make rows in the order of time."""
    places = {name: round((number + 0.5) / len(lifelines) * 100, 3) for number, name in enumerate(lifelines)}
    made = [_message(message, places) for message in found]
    if made:
        made += _words(records, places, book)
    return sorted(made, key=lambda row: row.time)


def _message(message: Message, places: dict[str, float]) -> Row:
    arrows = [Arrow(leg=leg, start=places[leg.source], end=places[leg.destination]) for leg in message.legs]
    return Row(time=message.time, message=message, arrows=arrows)


def _words(records: Sequence[Record], places: dict[str, float], book: AddressBook) -> Iterator[Row]:
    number = 0
    for record in records:
        match record.event:
            case MoveBegan(mobile_node=node, from_link=before, to_link=after):
                number += 1
                yield Row(time=record.time, text=f"Move {number}: {node} from {before} to {after}")
            case NodeFailed(name=name):
                yield Row(time=record.time, text=f"{name} dies")
            case NodeKilled(name=name):
                yield Row(time=record.time, text=f"The daemon of {name} is killed")
            case event:
                text = _word(event, book)
                if text and record.node in places:
                    yield Row(time=record.time, text=text, at=places[record.node])


def _word(event: Event, book: AddressBook) -> str:
    match event:
        case MovementDetected(at_home=at_home):
            return "notices that it is at home" if at_home else "notices a new link"
        case BindingRegistered(home_address=home, care_of_address=care_of, lifetime=lifetime):
            where = book.link_of(care_of) or care_of
            return f"binds {book.bearer(home)} to {where} for {lifetime} s"
        case BindingDeregistered(home_address=home):
            return f"ends the binding of {book.bearer(home)}"
        case RouteOptimisationStarted(peer=peer):
            return f"goes straight to {book.owners.get(peer, peer)}"
        case ReturnedHome():
            return "is home again"
        case _:
            return ""
