"""What students hand in: captures, the folder of a run, or a file with a topology."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address
from pathlib import Path

from lab.emulation.scenario import Scenario, library
from lab.emulation.topology import Topology
from lab.errors import ConfigError
from lab.events import Record
from lab.lessons.lesson import Kind, Lesson
from lab.report import streams
from lab.report.html import read_events
from lab.report.model import Result, load
from lab.report.streams import Arrival
from lab.verify import open_session
from lab.verify.binding import JUST, Period
from lab.verify.frame import Frame
from lab.verify.session import Session
from lab.verify.traffic import is_payload


@dataclass(kw_only=True)
class Captured:
    """Captures, and the ways that payload takes in them."""

    session: Session
    answers: Mapping[str, float]

    @cached_property
    def stays(self) -> list[Period]:
        """Each registration at a home agent that was accepted for a care-of address, in the order of time."""
        away = [period for period in self.session.periods if period.care_of_address is not None]
        return sorted(away, key=lambda period: period.begin)

    @cached_property
    def to_mobile_nodes(self) -> list[Frame]:
        """Payload in home agents' tunnels to care-of addresses."""
        return [
            frame
            for frame in self.session.packets
            if frame.source in self.session.home_agents
            and frame.inner is not None
            and frame.inner.receiver in self.session.home_addresses
            and is_payload(frame.innermost)
        ]

    @cached_property
    def from_mobile_nodes(self) -> list[Frame]:
        """Payload in reverse tunnels to home agents."""
        return [
            frame
            for frame in self.session.packets
            if frame.destination in self.session.home_agents
            and frame.inner is not None
            and frame.inner.sender in self.session.home_addresses
            and is_payload(frame.innermost)
        ]

    @cached_property
    def straight_to_mobile_nodes(self) -> list[Frame]:
        """Payload with a type 2 routing header."""
        addresses = self.session.home_addresses
        return [f for f in self.session.packets if f.routed_home_address in addresses and is_payload(f)]

    @cached_property
    def straight_from_mobile_nodes(self) -> list[Frame]:
        """Payload with a Home Address option."""
        return [f for f in self.session.packets if f.home_address in self.session.home_addresses and is_payload(f)]

    def at_home(self, home_address: IPv6Address) -> list[Frame]:
        """Give the payload that a home link carried between routers and the mobile node itself, in no tunnel."""
        links, own = self.session.home_links(home_address), self.session.mobile_macs
        return [
            frame
            for frame in self.session.frames
            if frame.link in links
            and is_payload(frame)
            and (
                (frame.source == home_address and frame.source_mac in own)
                or (frame.destination == home_address and frame.destination_mac in own)
            )
        ]

    def tunnelled_during(self, period: Period) -> list[Frame]:
        """Give the payload that was tunnelled to a mobile node while a registration was in force for sure."""
        return [
            frame
            for frame in self.to_mobile_nodes
            if frame.inner is not None
            and frame.inner.receiver == period.home_address
            and period.begin + JUST < frame.time < period.end
        ]


@dataclass(kw_only=True)
class Played:
    """The folder of a run."""

    result: Result
    records: list[Record]
    arrivals: list[Arrival]
    """Of its first stream, by which moves are measured; empty if it has none."""
    answers: Mapping[str, float]


@dataclass(kw_only=True)
class Written:
    """A file with a topology."""

    classes: Mapping[str, type[Topology]]
    scenarios: Sequence[Scenario]
    fault: str | None
    """Why it could not be read, or the network not be laid out."""
    network: Topology | None
    """The first topology, as nodes and links."""

    @property
    def drawing(self) -> str:
        """The description of the first topology."""
        return next(((topology.__doc__ or "") for topology in self.classes.values()), "")


def open_work(lesson: Lesson, paths: Sequence[Path], answers: Mapping[str, float]) -> Captured | Played | Written:
    """Read what a student hands in for a lesson.

    `paths` are captures if that is what the lesson asks for, else one folder or file. Raises `ConfigError`, and what
    captures raise that cannot be read.
    """
    match lesson.kind:
        case Kind.CAPTURES:
            return Captured(session=open_session(paths), answers=answers)
        case Kind.RUN:
            return _open_run(_the_one(lesson, paths), answers)
        case Kind.TOPOLOGY:
            return _open_file(_the_one(lesson, paths))


def _the_one(lesson: Lesson, paths: Sequence[Path]) -> Path:
    (path, *others) = paths
    if others or path.is_dir() != (lesson.kind is Kind.RUN):
        raise ConfigError(f"{', '.join(map(str, paths))}: the lesson {lesson.name} asks for {lesson.kind.wanted}")
    return path


def _open_run(directory: Path, answers: Mapping[str, float]) -> Played:
    result = load(directory)
    logs = [directory / log for log in result.streams.values()]
    arrivals = streams.read(logs[0]) if logs else []
    return Played(result=result, records=read_events(directory), arrivals=arrivals, answers=answers)


def _open_file(path: Path) -> Written:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file")
    found = library(path)
    fault = found.broken.get(path)
    network = None
    if topology := next(iter(found.topologies.values()), None):
        try:
            network = topology()
        except Exception as error:  # a student's code may fail in any way, and that is what is to be told
            fault = f"{type(error).__name__}: {error}"
    return Written(classes=found.topologies, scenarios=[*found.scenarios.values()], fault=fault, network=network)
