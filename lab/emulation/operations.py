"""What can be done to a running network and asked of it, at the prompt or at the live page."""

import dataclasses
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.daemon.control import CommandError
from lab.emulation.administrator import cut_off, readmit
from lab.emulation.context import Context
from lab.emulation.impairment import Impairment
from lab.emulation.mover import move
from lab.emulation.node import LabBridge, LabNode
from lab.emulation.traffic import PORT, Stream
from lab.errors import ScenarioError, TopologyError
from lab.events import Record

EVERY = 0.01
"""Seconds between two packets of a stream."""
ANSWERS_WITHIN = 2.0
"""Seconds after which a daemon that was asked for its bindings does not answer."""
SHORTEST_INTERVAL, LONGEST_INTERVAL = 0.001, 10.0


class Operations:
    """Commands on a network of Mininet's that is made of our nodes; one at a time, whichever thread gives them.

    Names that the network does not have raise `TopologyError` with those that it has.
    """

    def __init__(self, mininet: Any) -> None:
        self._mininet = mininet
        self._turn = threading.RLock()
        self.streams: dict[str, Stream] = {}
        """Those that run, by name."""
        self._ports = 0

    @property
    def nodes(self) -> list[LabNode]:
        """All nodes."""
        return [node for node in self._mininet.hosts if isinstance(node, LabNode)]

    @property
    def links(self) -> list[LabBridge]:
        """All links."""
        return [link for link in self._mininet.switches if isinstance(link, LabBridge)]

    @property
    def context(self) -> Context:
        """What the nodes share."""
        return self.nodes[0].context

    def node(self, name: str) -> LabNode:
        """Find a node."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise TopologyError(f"no node {name}; nodes: {', '.join(node.name for node in self.nodes)}")

    def link(self, name: str) -> LabBridge:
        """Find a link."""
        for link in self.links:
            if link.name == name:
                return link
        raise TopologyError(f"no link {name}; links: {', '.join(self.nodes[0].topology.link_specs)}")

    def move(self, node: str, to: str, *, hint: bool = False) -> None:
        """Take a mobile node to a link; with a `hint`, or where the settings say so, without loss of carrier."""
        with self._turn:
            settings = self.context.settings
            silent = settings.hint or hint
            move(self.node(node), self.link(to), outage=None if silent else settings.outage, hint=silent)

    def impair(self, link: str, impairment: Impairment) -> None:
        """Have a link treat packets so from now on; raises `MissingError` where the kernel cannot."""
        with self._turn:
            self.link(link).impair(impairment, self.nodes)

    def kill(self, node: str) -> None:
        """End the daemon of a node as a crash would; raises `ScenarioError` if none runs."""
        with self._turn:
            self.node(node).kill()

    def restart(self, node: str) -> None:
        """Start the daemon of a node anew, and wait until it serves; raises `ScenarioError`."""
        with self._turn:
            self.node(node).restart()

    def cut_off(self, node: str) -> None:
        """Have a mobile node served no more by its home agents; raises `CommandError` if one does not answer."""
        with self._turn:
            cut_off(self.node(node), self.nodes)

    def readmit(self, node: str) -> None:
        """Let a mobile node that was cut off register again; raises `CommandError` if a home agent does not answer."""
        with self._turn:
            readmit(self.node(node), self.nodes)

    def stream(self, source: str, destination: str, *, every: float = EVERY) -> str:
        """Send numbered packets from one node to another until the end; give the stream's name.

        Call it in a thread that lives as long as the network, since the stream ends with it. Raises `ScenarioError`.
        """
        with self._turn:
            sender, receiver = self.node(source), self.node(destination)
            name = f"{source}-{destination}"
            if not SHORTEST_INTERVAL <= every <= LONGEST_INTERVAL:
                raise ScenarioError(f"every={every:g}: from {SHORTEST_INTERVAL:g} to {LONGEST_INTERVAL:g} seconds")
            if sender is receiver:
                raise ScenarioError(f"a stream is from one node to another, not from {source} to itself")
            if name in self.streams:
                raise ScenarioError(f"stream {name} runs already; `endstream {name}` ends it")
            self.streams[name] = Stream(sender, receiver, every=every, name=name, port=PORT + self._ports)
            self._ports += 1
            return name

    def end_stream(self, name: str) -> dict[str, int]:
        """End a stream; give how many packets were `sent` and `received`. Raises `ScenarioError`."""
        with self._turn:
            if name not in self.streams:
                raise ScenarioError(f"no stream {name}; running: {', '.join(self.streams) or 'none'}")
            summary = self.streams.pop(name).stop()
            return {"sent": summary.sent, "received": summary.received}

    def capture(self, link: str, path: Path) -> None:
        """Copy to a file what was captured on a link so far; raises `ScenarioError`."""
        taken = self.captures.get(self.link(link).name)
        if taken is None:
            raise ScenarioError("nothing is captured in this network")
        try:
            shutil.copyfile(taken, path)
        except OSError as error:
            raise ScenarioError(f"{path}: {error.strerror or error}") from error

    @property
    def captures(self) -> Mapping[str, Path]:
        """Link names and the files of their captures; none in networks that plain Mininet made."""
        captures: Mapping[str, Path] = getattr(self._mininet, "captures", {})
        return captures

    def bindings(self, node: str | None = None) -> dict[str, dict[str, Any] | None]:
        """Give, of each node that has a daemon, its `bindings` and the `drops` of its counters (docs/configuration.md).

        None stands for a daemon that does not answer, since it was killed, say.
        """
        asked = self.nodes if node is None else [self.node(node)]
        return {each.name: _held(each) for each in asked if each.serves}

    def records(self, since: int = 0) -> Sequence[Record]:
        """Give the events from a number on, in the order in which they came."""
        return self.context.collector.since(since)

    def places(self) -> dict[str, str]:
        """Give the links where mobile nodes are plugged in."""
        return {node.name: node.link_name for node in self.nodes if node.spec.home_addresses}

    def impairments(self) -> dict[str, dict[str, float]]:
        """Give what links do to packets, as `Impairment` has it."""
        return {link.name: dataclasses.asdict(link.impairment) for link in self.links}

    def close(self) -> None:
        """End the streams that run."""
        for name in [*self.streams]:
            self.end_stream(name)


def _held(node: LabNode) -> dict[str, Any] | None:
    if node.daemon is None:
        return None
    try:
        counters = node.control("counters", within=ANSWERS_WITHIN)
        return {"bindings": node.control("bindings", within=ANSWERS_WITHIN), "drops": counters["drops"]}
    except CommandError:
        return None
