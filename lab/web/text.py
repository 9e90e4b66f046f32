"""What there is to see of a running lab as lines of text, as it happens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.report import caches
from lab.report.paths import ARROWS
from lab.report.routes import Way
from lab.web.observer import Part

PATIENCE = 1.0
"""Seconds in which a message is awaited at its end until it is told without."""
STEADY = 5
"""So many cells of a binding change only when something happens; the last tells the time that is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line; `time` in seconds since the first event, None where the line goes on from the one before."""

    time: float | None
    node: str
    text: str
    lost: bool = False


class Text:
    """Turns parts into lines: messages once they arrived, bindings when they change, and events if they are wanted."""

    def __init__(self, *, events: bool = False) -> None:
        self._wants_events = events
        self._awaited: dict[str, tuple[float, dict[str, Any]]] = {}
        self._told: set[str] = set()
        self._steady: dict[str, Any] = {}
        self.bindings: list[str] = []
        """All bindings of now, with the time that they have left."""

    def take(self, parts: Sequence[Part], now: float) -> Iterator[Line]:
        """Give the lines that there are to be read; `now` in seconds of any clock."""
        for part in parts:
            match part["kind"]:
                case "events" if self._wants_events:
                    for event in part["events"]:
                        yield Line(time=event["time"], node=event["node"], text=f"{event['text']}  {event['section']}")
                case "messages":
                    self._await(part["messages"], now)
                case "bindings":
                    yield from self._changed(part["nodes"])
        yield from self._arrived(now)

    def _await(self, messages: Sequence[dict[str, Any]], now: float) -> None:
        for message in messages:
            if message["id"] not in self._told:
                since, _ = self._awaited.get(message["id"], (now, None))
                self._awaited[message["id"]] = since, message

    def _arrived(self, now: float) -> Iterator[Line]:
        """Tell of messages in the order in which they left."""
        for name, (since, message) in [*self._awaited.items()]:
            if not message["arrived"] and now < since + PATIENCE:
                continue
            del self._awaited[name]
            self._told.add(name)
            yield Line(
                time=message["time"], node=message["source"], text=_in_words(message), lost=not message["arrived"]
            )

    def _changed(self, nodes: Mapping[str, Any]) -> Iterator[Line]:
        """Tell the bindings of nodes, at first all, then those that are others than before."""
        self.bindings = []
        for name, held in nodes.items():
            rows = [] if held is None else [row["cells"] for row in held["rows"]]
            steady = (held is None, [row[:STEADY] for row in rows])
            said = [f"{name}: does not answer"] if held is None else caches.lines(name, held["place"], rows, {})
            if self._steady.get(name) != steady:
                yield from (Line(time=None, node=name, text=line) for line in said)
            self._steady[name] = steady
            self.bindings += said if rows or held is None else []


def _in_words(message: Mapping[str, Any]) -> str:
    legs = [f"{leg['source']} {ARROWS[Way(leg['way'])]} {leg['destination']}" for leg in message["legs"]]
    sealed = ", ESP" if any(leg["sealed"] for leg in message["legs"]) else ""
    lost = "" if message["arrived"] else ", not seen to arrive"
    return f"{' '.join(filter(None, (message['name'], message['remark'])))}  ({', '.join(legs)}{sealed}{lost})"
