"""Scenarios: what is played on a network, written as a function."""

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from lab.emulation.impairment import Impairment
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.spec import PrefixSpec
from lab.emulation.topology import Topology
from lab.emulation.traffic import PORT, Stream, Transfer
from lab.errors import ScenarioError, TopologyError
from lab.events import Event, Record, ScenarioStep
from lab.report import streams
from lab.report.model import Attack
from lab.templating import shared
from lab.verify.check import Check, Verdict
from lab.wire.addresses import address_from, interface_identifier

SETTLED_AFTER = 0.5
"""Seconds after a move, and after what was expected of it, from which on a stream must be whole again."""

Body = Callable[["Stage"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario and the topology that it is played on."""

    name: str
    topology: type[Topology]
    body: Callable[[Any], None]
    """Called with what `stage` gives."""
    settings: Settings = field(default_factory=Settings)
    """What it is played with unless the user says otherwise."""
    impairs: bool = False
    """It impairs links while it is played; see `Stage.impair`."""

    @property
    def needs_netem(self) -> bool:
        """Whether links delay or lose packets; raises `TopologyError`."""
        return self.impairs or self.topology().needs_netem

    @property
    def summary(self) -> str:
        """The first line of its description."""
        return (self.body.__doc__ or "").strip().partition("\n")[0]

    def stage(self, network: Network) -> "Stage":
        """Give what it acts on."""
        return Stage(network)


@dataclass(slots=True)
class Library:
    """The topologies and scenarios of the files that were read, and why some could not be."""

    topologies: dict[str, type[Topology]] = field(default_factory=dict)
    scenarios: dict[str, Scenario] = field(default_factory=dict)
    broken: dict[Path, str] = field(default_factory=dict)


_declared: dict[str, Scenario] = {}


def scenario(topology: type[Topology], *, impairs: bool = False, **settings: Any) -> Callable[[Body], Body]:
    """Declare a function to be a scenario on a topology; its name, with hyphens, is the scenario's.

    It `impairs` links if it calls `Stage.impair`. Settings are those of `lab.emulation.settings.Settings`; what the
    user sets counts more.
    """
    if not _is_topology(topology):
        raise ScenarioError(f"@scenario({topology!r}): name a topology, as in @scenario(TwoVisitedLinks)")

    def declare_scenario(body: Body) -> Body:
        name = body.__name__.replace("_", "-")
        declare(Scenario(name=name, topology=topology, body=body, settings=Settings(**settings), impairs=impairs))
        return body

    return declare_scenario


def declare(scenario: Scenario) -> None:
    """Let a scenario be one of those of the file that is being read."""
    _declared[scenario.name] = scenario


def library(*files: Path) -> Library:
    """Read the files of the folder `topologies`, or those that are named."""
    found = Library()
    for path in files or sorted(shared("topologies").glob("*.py")):
        _declared.clear()
        try:
            module = _load(path)
            topologies = _topologies(module)
        except (Exception, SystemExit) as error:  # a user's file may fail in any way; the others are still of use
            found.broken[path] = f"{type(error).__name__}: {error}"
            continue
        found.topologies |= topologies
        # Those of a file that it imports are not its own.
        found.scenarios |= {name: it for name, it in _declared.items() if it.body.__module__ == module.__name__}
    return found


def _topologies(module: Any) -> dict[str, type[Topology]]:
    """Give the `topos` of a file, as plain Mininet looks for them too."""
    topologies = getattr(module, "topos", {})
    if not isinstance(topologies, dict):
        raise TopologyError(f"topos is a table of names and topologies, not {topologies!r}")
    for name, topology in topologies.items():
        if not _is_topology(topology):
            raise TopologyError(f"topos: {name!r} is no class that is made from Topology")
    return topologies


def _is_topology(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, Topology)


def find_scenarios(name: str) -> list[Scenario]:
    """Find scenarios by name, or those of a file: NAME, FILE.py or FILE.py:NAME; raises `ScenarioError`."""
    file, colon, wanted = name.partition(":")
    if not file.endswith(".py"):
        return [_pick(library(), name)]
    found = library(Path(file))
    if colon:
        return [_pick(found, wanted)]
    if not found.scenarios:
        reason = next(iter(found.broken.values()), "no function in it is marked with @scenario")
        raise ScenarioError(f"{file} has no scenario: {reason}")
    return [*found.scenarios.values()]


def _pick(found: Library, name: str) -> Scenario:
    if name not in found.scenarios:
        broken = "".join(f"\n  {path}: {reason}" for path, reason in found.broken.items())
        raise ScenarioError(f"no scenario {name}; known: {', '.join(sorted(found.scenarios)) or 'none'}{broken}")
    return found.scenarios[name]


def find_topology(name: str) -> type[Topology]:
    """Find a topology by its name or its file; raises `TopologyError`."""
    path = Path(name)
    if path.suffix == ".py":
        found = library(path)
        if found.broken:
            raise TopologyError(f"{path}: {found.broken[path]}")
        if not found.topologies:
            raise TopologyError(f"{path}: it has no `topos`, a table of names and topologies")
        return next(iter(found.topologies.values()))
    found = library()
    if name not in found.topologies:
        raise TopologyError(f"no topology {name}; known: {', '.join(sorted(found.topologies))}, or name a .py file")
    return found.topologies[name]


def _load(path: Path) -> Any:
    above = str(shared("topologies").parent)
    if above not in sys.path:  # so that a file may say `from topologies.two_visited_links import …`
        sys.path.append(above)
    spec = importlib.util.spec_from_file_location(f"topologies.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise TopologyError(f"{path} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class Stage:
    """What a scenario acts on: the network, its streams, and what it expects and checks."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.checks: list[Check] = []
        self.streams: list[Stream] = []
        self._since = time.time()
        self._settled = self._since

    def say(self, text: str) -> None:
        """Tell the reader what comes next."""
        self.network.context.collector.report(ScenarioStep(text=text))

    def stream(
        self,
        source: str,
        destination: str,
        *,
        every: float = 0.01,
        size: int = 0,
        to: IPv6Address | None = None,
        group: str | None = None,
    ) -> Stream:
        """Send numbered packets, of at least `size` octets, from one node to another until the scenario ends.

        `to` is one of the other's addresses; without it, the one that others reach it by. With a multicast `group`
        they are sent to that, and the other node joins it.
        """
        name = f"{source}-{destination}" + (f"-{len(self.streams)}" if self.streams else "")
        stream = Stream(
            self.network.node(source),
            self.network.node(destination),
            every=every,
            name=name,
            size=size,
            port=PORT + len(self.streams),
            to=to,
            group=None if group is None else IPv6Address(group),
        )
        self.streams.append(stream)
        return stream

    def transfer(self, source: str, destination: str, *, octets: int, rate: int) -> Transfer:
        """Send octets by TCP from one node to another, at most `rate` a second, while the scenario goes on."""
        return Transfer(self.network.node(source), self.network.node(destination), octets=octets, rate=rate)

    def move(self, mobile_node: str, to: str, **how: Any) -> None:
        """Take a mobile node to another link."""
        self._since = self._settled = time.time()
        self.network.move(mobile_node, to, **how)

    def impair(self, link: str, **how: float) -> None:
        """Have a link delay or lose packets from now on, as `Impairment` has it; what is not named ends."""
        self.network.impair(link, Impairment(**how))

    def kill(self, node: str) -> None:
        """End the daemon of a node as a crash would."""
        self._since = self._settled = time.time()
        self.network.kill(node)

    def restart(self, node: str) -> None:
        """Start the daemon of a node anew; what is expected then may have come while it started."""
        self._since = self._settled = time.time()
        self.network.restart(node)

    def cut_off(self, mobile_node: str) -> None:
        """Have a mobile node served no more by its home agents."""
        self._since = self._settled = time.time()
        self.network.cut_off(mobile_node)

    def readmit(self, mobile_node: str) -> None:
        """Let a mobile node that was cut off register again."""
        self._since = self._settled = time.time()
        self.network.readmit(mobile_node)

    def fail(self, name: str) -> None:
        """Let a node die at once; what is expected from now on comes after that."""
        self._since = self._settled = time.time()
        self.network.node(name).fail()

    def renumber(self, link: str, *prefixes: PrefixSpec) -> None:
        """Give a link other prefixes, or others of their lifetimes; what is expected from now on comes after that."""
        self._since = time.time()
        self.network.renumber(link, *prefixes)

    def care_of_address(self, mobile_node: str, link: str) -> IPv6Address:
        """Compute the address that a mobile node forms on a link."""
        plug = self.network.node(mobile_node).spec.plugs[0]
        prefix = self.network.topology.link_specs[link].prefix
        return address_from(prefix, interface_identifier(plug.link_layer_address))

    def expect(
        self, kind: type[Event], /, *, node: str, within: float = 5.0, ever: bool = False, **fields: Any
    ) -> Record:
        """Wait for an event since the last move, or since the beginning (`ever`).

        Raises `ScenarioError` if it does not come.
        """

        def matches(record: Record) -> bool:
            return (
                record.node == node
                and isinstance(record.event, kind)
                and all(getattr(record.event, name) == value for name, value in fields.items())
            )

        since = 0.0 if ever else self._since
        record = self.network.context.collector.wait(matches, since=since, within=within)
        if record is None:
            self.network.check_daemons()
            wanted = ", ".join(f"{name}={value}" for name, value in fields.items())
            raise ScenarioError(f"{node} did not report {kind.__name__}({wanted}) within {within:g} s")
        self._settled = max(self._settled, record.time)
        return record

    def records(self) -> list[Record]:
        """Give all events so far."""
        return self.network.context.collector.records()

    def wait(self, seconds: float) -> None:
        """Let time pass for the streams to show what happens."""
        time.sleep(seconds)

    def judge(self, captures: Sequence[Path], checks: Sequence[Check], records: Sequence[Record]) -> Attack | None:
        """Say what became of the attack that was played, from what a run leaves; None if none was."""
        return None

    def check_survival(self, stream: Stream, *requirements: str) -> None:
        """End a stream and check that its packets came through after the last move."""
        summary = stream.stop()
        arrivals = streams.read(summary.path)
        after = [arrival for arrival in arrivals if arrival.sent > self._settled + SETTLED_AFTER]
        arrived = sum(arrival.received is not None for arrival in after)
        self.check(
            f"stream-{stream.name}",
            bool(after) and arrived == len(after),
            *requirements,
            detail=f"{summary.received} of {summary.sent} arrived; after the last move {arrived} of {len(after)}",
        )

    def check(self, name: str, holds: bool, *requirements: str, detail: str = "") -> None:
        """Add a check of the scenario's own."""
        verdict = Verdict.PASSED if holds else Verdict.FAILED
        self.checks.append(
            Check(id=f"scenario-{name}", title=name, requirements=requirements, verdict=verdict, detail=detail)
        )
