"""A topology as a running network."""

import logging
import os
import signal
from pathlib import Path
from typing import Any, Self

from mininet.log import setLogLevel
from mininet.net import Mininet

from lab.emulation import administrator, capture, leftovers
from lab.emulation.associations import ESP_SA, as_esp_sa
from lab.emulation.capture import Capture
from lab.emulation.context import Context
from lab.emulation.impairment import Impairment
from lab.emulation.mover import move
from lab.emulation.node import LabBridge, LabNode
from lab.emulation.process import allow_descriptors, end
from lab.emulation.renumbering import renumber
from lab.emulation.settings import Settings
from lab.emulation.spec import PrefixSpec
from lab.emulation.topology import Topology
from lab.errors import MissingError, ScenarioError, TopologyError
from lab.safeguards import NOTHING, Without

_log = logging.getLogger(__name__)


class Network(Mininet):  # type: ignore[misc] # Mininet has no types
    """A Mininet network that is brought up by netlink, with its captures and daemons.

    Use it as a context manager: it leaves nothing behind, however the block ends. `without` names protections that all
    of its nodes do without.
    """

    def __init__(
        self,
        topology: type[Topology],
        *,
        settings: Settings | None = None,
        directory: Path | None = None,
        seed: int = 1,
        captures: bool = True,
        daemons: bool = True,
        without: Without = NOTHING,
    ) -> None:
        if os.geteuid() != 0:
            raise MissingError("a network is made of network namespaces: run this as root (sudo)")
        leftovers.clean()
        allow_descriptors()
        setLogLevel("output")  # what the prompt is asked for, not how Mininet gets there
        self.topology = topology()
        self.context = Context(settings or Settings(), directory, seed=seed, daemons=daemons, without=without)
        self.topology.context = self.context
        self._wants_captures = captures
        self._captures: dict[str, Capture] = {}
        self._stopped = False
        Mininet.inited = True  # Mininet would raise limits of the whole machine, which are not ours
        try:
            super().__init__(topo=self.topology, build=False, controller=None)
        except BaseException:
            self.context.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def captures(self) -> dict[str, Path]:
        """Link names and the files of their captures."""
        return {link: taken.path for link, taken in self._captures.items()}

    def node(self, name: str) -> LabNode:
        """Find a node; raises `TopologyError` that lists the names."""
        found = self.nameToNode.get(name)
        if not isinstance(found, LabNode):
            raise TopologyError(f"no node {name}; nodes: {', '.join(sorted(self.topology.node_specs))}")
        return found

    def bridge(self, link: str) -> LabBridge:
        """Find a link's bridge; raises `TopologyError` that lists the names."""
        found = self.nameToNode.get(link)
        if not isinstance(found, LabBridge):
            raise TopologyError(f"no link {link}; links: {', '.join(self.topology.link_specs)}")
        return found

    def build(self) -> None:
        """Make namespaces, bridges and links, all still silent."""
        # Bridges first in one request, then all pairs in one request: nothing is looked up in between.
        with self.context.links.netlink.batch():
            self.buildFromTopo(self.topo)
        self.built = True

    def start(self) -> None:
        """Bring everything up: captures before the first packet, mobile nodes last."""
        if not self.built:
            self.build()
        if self._wants_captures:
            self._start_captures()
        for node in self.hosts:
            node.configure()
        for node in self.hosts:
            node.start_services()
        for node in self.hosts:
            node.wait_ready()

    def wait_settled(self) -> None:
        """Wait until every mobile node is at home or registered; see `LabNode.wait_settled`."""
        for node in self.hosts:
            node.wait_settled()

    def _start_captures(self) -> None:
        folder = self.context.directory / "captures"
        folder.mkdir(parents=True, exist_ok=True)
        if made := self.topology.protections:
            (folder / ESP_SA).write_text(as_esp_sa(made), encoding="ascii")
        for link in self.topology.link_specs:
            log = self.context.run / f"{link}.dumpcap.log"
            self._captures[link] = Capture(self.context.links, link, folder / f"{link}.pcapng", log)
        for taken in self._captures.values():
            taken.wait_ready()

    def move(self, mobile_node: str, to: str, *, outage: float | None = None, hint: bool | None = None) -> None:
        """Take a mobile node to another link; see `lab.emulation.mover.move`."""
        settings = self.context.settings
        hint = settings.hint if hint is None else hint
        outage = settings.outage if outage is None else outage
        move(self.node(mobile_node), self.bridge(to), outage=None if hint else outage, hint=hint)

    def impair(self, link: str, impairment: Impairment) -> None:
        """Have a link delay or lose packets; see `LabBridge.impair`."""
        self.bridge(link).impair(impairment, self.hosts)

    def renumber(self, link: str, *prefixes: PrefixSpec) -> None:
        """Give a link other prefixes; see `lab.emulation.renumbering.renumber`."""
        renumber(self.hosts, self.bridge(link).spec, prefixes)

    def kill(self, name: str) -> None:
        """End the daemon of a node as a crash would, at once and with nothing cleared away; see `LabNode.kill`."""
        self.node(name).kill()

    def restart(self, name: str) -> None:
        """Start the daemon of a node anew, and wait until it serves; see `LabNode.restart`."""
        self.node(name).restart()

    def cut_off(self, mobile_node: str) -> None:
        """Have a mobile node served no more by its home agents; see `lab.emulation.administrator.cut_off`."""
        administrator.cut_off(self.node(mobile_node), self.hosts)

    def readmit(self, mobile_node: str) -> None:
        """Let a mobile node that was cut off register again."""
        administrator.readmit(self.node(mobile_node), self.hosts)

    def check_daemons(self) -> None:
        """Raise `ScenarioError` if a daemon has died."""
        for node in self.hosts:
            if node.daemon is not None and node.daemon.poll() is not None:
                raise ScenarioError(f"the daemon of {node.name} ended; see {self.context.logs}/{node.name}.log")

    def stop(self) -> None:
        """End everything, also what is only half there; may be called twice."""
        if self._stopped:
            return
        self._stopped = True
        end([process for node in self.hosts for process in node.running()], signal.SIGTERM)
        capture.stop([*self._captures.values()])
        for node in self.hosts:
            node.terminate()
        self.context.close()

    def __getitem__(self, name: str) -> Any:
        return self.bridge(name) if name in self.topology.link_specs else self.node(name)
