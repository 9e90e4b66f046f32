"""What there is to see of a running lab, in parts that a page or a terminal can show; docs/live.md has their schema."""

import logging
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from lab.daemon.control import Conversation
from lab.events import MoveBegan, Record
from lab.report import caches
from lab.report.address_book import AddressBook, address_book, enter
from lab.report.drawing import Drawing, Layout, Point, draw, layout
from lab.report.ladder import Message
from lab.report.model import Plan
from lab.report.paths import in_words
from lab.report.routes import Share
from lab.report.timeline import Choice, timeline
from lab.verify import CaptureError
from lab.verify.esp import read_associations, tables_beside
from lab.verify.frame import Frame
from lab.verify.growing import GrowingCapture
from lab.web.flows import BIN, BINS, Flow, Flows
from lab.web.signalling import Signalling, identity

ANSWERED_WITHIN = 60.0
BINDINGS_EVERY, BINDINGS_SOON = 1.0, 0.1
"""Seconds after which nodes are asked again for their bindings: in any case, and after an event."""
RESTS = 10
"""So many times as long as it took to ask all nodes they are asked no more."""
FLOWS_EVERY = 0.5
WRITTEN_WITHIN = 0.4
"""Seconds after which a packet is in its capture; until then one that came before it may be missing in another."""
KEPT_EVENTS, KEPT_MESSAGES = 200, 100
"""So many of the last are in a snapshot."""

Part = dict[str, Any]
_log = logging.getLogger(__name__)
_PLAN = TypeAdapter(Plan)


class Observer:
    """Follows one lab by its control socket and its captures; not for two threads at once."""

    def __init__(self, socket: Path) -> None:
        """Begin; raises `CommandError` if no lab answers there."""
        self._lab = Conversation(socket, within=ANSWERED_WITHIN)
        told = self._lab.ask("network")
        self._plan = _PLAN.validate_python({"links": told["links"], "nodes": told["nodes"]})
        self._told = told
        self._visited = {*told["visited"]}
        self._book: AddressBook = address_book(self._plan, [])
        captures = [Path(path) for path in told["captures"].values()]
        self.captures: Mapping[str, Path] = dict(zip(told["captures"], captures, strict=True))
        associations = read_associations(tables_beside(captures))
        self._captures = [GrowingCapture(path, associations) for path in captures]
        self._waiting: list[Frame] = []
        self._signalling, self._flows = Signalling(self._book), Flows(self._book)
        self._next = 0
        self._start: float | None = None
        self._choice = Choice()
        self._drawn: Layout | None = None
        self._parts: dict[str, Part] = {}
        """The latest of each kind that replaces the one before."""
        self._events: deque[dict[str, Any]] = deque(maxlen=KEPT_EVENTS)
        self._moves: deque[float] = deque(maxlen=KEPT_EVENTS)
        self._messages: dict[str, dict[str, Any]] = {}
        self._bindings_due = self._rested = self._flows_due = 0.0

    @property
    def playing(self) -> str:
        """The scenario that is being played, which alone drives the lab; empty if none is."""
        return str(self._told["playing"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lab.close()

    def snapshot(self) -> list[Part]:
        """Give all that was seen so far."""
        return [
            *self._parts.values(),
            {"kind": "events", "events": [*self._events]},
            {"kind": "messages", "messages": [*self._messages.values()]},
        ]

    def look(self) -> list[Part]:
        """Give what is new; raises `CommandError` when the lab has ended."""
        seen = self._lab.ask("look", since=self._next)
        self._next = seen["next"]
        records = [Record.from_json(line) for line in seen["records"]]
        for record in records:
            enter(self._book, record)
            if isinstance(record.event, MoveBegan):
                self._moves.append(record.time)
        parts = [*self._look_at_places(seen), *self._look_at_events(records)]
        parts += self._look_at_bindings(happened=bool(records))
        return parts + self._look_at_captures(seen["places"])

    def _look_at_places(self, seen: Mapping[str, Any]) -> list[Part]:
        places: dict[str, str] = seen["places"]
        if self._drawn is None or not set(places.values()) <= self._visited:
            self._visited |= set(places.values())
            self._drawn = layout(self._plan, self._visited)
        now = {
            "kind": "now",
            "places": places,
            "mobile": {}
            if self._drawn is None
            else {name: _point(at) for name, at in draw(self._drawn, places, {}, []).mobile.items()},
            "impairments": seen["impairments"],
            "streams": seen["streams"],
        }
        network, changed = self._replaced(self._network()), self._replaced(now)
        if changed:
            self._flows_due = 0.0  # they go another way
        return network + changed

    def _network(self) -> Part:
        plan = self._drawn
        part: Part = {"kind": "network", "drawn": plan is not None, "captures": [*self.captures]}
        part |= {name: self._told[name] for name in ("topology", "playing", "plane")}
        part["nodes"] = [
            {
                "name": node.name,
                "kind": node.kind,
                "home": node.home,
                "addresses": node.home_addresses
                or [f"{each.address} on {each.link}" for each in node.interfaces if each.address],
                "place": None if plan is None else _point(plan.nodes.get(node.name)),
            }
            for node in self._plan.nodes
        ]
        part["links"] = [
            {
                "name": link.name,
                "prefix": link.prefix,
                "place": None if plan is None else _point(plan.link(link.name)),
                "ends": None if plan is None else plan.lines.get(link.name),
                "room": None if plan is None else _point(plan.rooms.get(link.name)),
            }
            for link in self._plan.links
        ]
        if plan is not None:
            part |= {"width": plan.width, "height": plan.height, "hangers": [*plan.hangers]}
        return part

    def _look_at_events(self, records: Sequence[Record]) -> list[Part]:
        chosen = [record for record in records if self._choice.takes(record)]
        if self._start is None and records:
            self._start = records[0].time
        lines = [asdict(line) for line in timeline(chosen, self._start)]
        self._events += lines
        return [{"kind": "events", "events": lines}] if lines else []

    def _look_at_bindings(self, *, happened: bool) -> list[Part]:
        now = time.monotonic()
        if happened:
            self._bindings_due = min(self._bindings_due, now + BINDINGS_SOON)
        if now < max(self._bindings_due, self._rested):
            return []
        told = self._lab.ask("bindings")
        took = time.monotonic() - now
        self._bindings_due, self._rested = now + BINDINGS_EVERY, now + RESTS * took
        nodes = {name: None if held is None else self._held(held) for name, held in told.items()}
        return self._replaced({"kind": "bindings", "nodes": nodes})

    def _held(self, held: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "place": caches.place(held["bindings"]),
            "rows": [{"cells": caches.cells(entry), "path": self._path(entry)} for entry in held["bindings"]],
            "drops": held["drops"],
        }

    def _path(self, entry: Mapping[str, Any]) -> dict[str, str] | None:
        """Tell which way a cache's entry sends packets, to whom; None if it sends none."""
        way = caches.way(entry)
        return (
            None if way is None else {"way": way, "to": self._book.owners.get(IPv6Address(entry["home_address"]), "")}
        )

    def _look_at_captures(self, places: Mapping[str, str]) -> list[Part]:
        frames = self._captured()
        self._flows.take(frames)
        parts: list[Part] = []
        if told := [self._as_part(message) for message in self._signalling.take(frames)]:
            self._messages |= {message["id"]: message for message in told}
            for name in [*self._messages][: max(len(self._messages) - KEPT_MESSAGES, 0)]:
                del self._messages[name]
            parts.append({"kind": "messages", "messages": told})
        if time.monotonic() >= self._flows_due:
            self._flows_due = time.monotonic() + FLOWS_EVERY
            parts += self._replaced(self._flowing(places))
        return parts

    def _captured(self) -> list[Frame]:
        """Give the packets that came, in the order of their times; a capture that cannot be read is given up."""
        for capture in [*self._captures]:
            try:
                self._waiting += capture.look()
            except CaptureError as error:
                _log.warning("%s; it is looked at no more", error)
                self._captures.remove(capture)
        self._waiting.sort(key=lambda frame: frame.time)
        ready = bisect_right(self._waiting, time.time() - WRITTEN_WITHIN, key=lambda frame: frame.time)
        frames, self._waiting = self._waiting[:ready], self._waiting[ready:]
        return frames

    def _as_part(self, message: Message) -> dict[str, Any]:
        return {
            "id": identity(message),
            "time": message.time - (self._start or message.time),
            "name": message.name,
            "remark": message.remark,
            "source": message.source,
            "destination": message.destination,
            "arrived": message.arrived,
            "legs": [
                {
                    "source": leg.source,
                    "destination": leg.destination,
                    "way": leg.way,
                    "sealed": leg.sealed,
                    "arrived": leg.arrived,
                    "frames": [f"{frame.link}:{frame.number}" for frame in leg.frames],
                }
                for leg in message.legs
            ],
            "layers": [{"title": layer.title, "fields": [*layer.fields]} for layer in message.layers],
        }

    def _flowing(self, places: Mapping[str, str]) -> Part:
        now = time.time() - WRITTEN_WITHIN
        flows = self._flows.look(now)
        shares = {flow.name: share for flow in flows if (share := flow.share(now)) is not None}
        numbers = {flow.name: number for number, flow in enumerate(flows)}
        drawing = None if self._drawn is None else draw(self._drawn, places, numbers, [*shares.values()])
        return {
            "kind": "flows",
            "now": now,
            "span": BIN * BINS,
            "moves": [moved - now for moved in self._moves if moved > now - BIN * BINS],
            "flows": [self._flow(flow, shares.get(flow.name), now) for flow in flows],
            "strokes": [] if drawing is None else _strokes(drawing),
            "losses": [] if drawing is None else [{"stream": n, "at": _point(place)} for n, place in drawing.losses],
        }

    def _flow(self, flow: Flow, share: Share | None, now: float) -> dict[str, Any]:
        bins = flow.bins
        return {
            "name": flow.name,
            "source": flow.source,
            "destination": flow.destination,
            "rate": flow.rate(now),
            "sent": sum(each.sent for each in bins),
            "lost": sum(each.lost for each in bins),
            "way": "" if share is None or self._drawn is None else in_words(share, self._drawn),
            "arrives": share is not None and share.route.arrived,
            "bins": [[each.begin - now, each.sent, each.lost, each.delay] for each in bins],
        }

    def _replaced(self, part: Part) -> list[Part]:
        """Keep a part in place of the one of its kind; give it if it differs."""
        if self._parts.get(part["kind"]) == part:
            return []
        self._parts[part["kind"]] = part
        return [part]


def _point(place: Point | None) -> dict[str, float] | None:
    return None if place is None else {"x": round(place.x, 1), "y": round(place.y, 1)}


def _strokes(drawing: Drawing) -> list[dict[str, Any]]:
    return [
        {"stream": stroke.stream, "way": stroke.way, "from": _point(stroke.start), "to": _point(stroke.end)}
        for stroke in drawing.strokes
    ]
