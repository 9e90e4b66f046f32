"""What mobile nodes cost a laboratory: time until all are registered, memory, and processor time while nothing happens.

All are away from home and registered; a ping through the tunnel works for each. The baseline is the same daemons as
processes of their own, as `mip6lab node` starts them. Memory that several processes share counts once (PSS).
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.bench.measure import Benchmark, Row, Unit, row
from lab.emulation.fork_server import ForkServer
from lab.emulation.mover import move
from lab.emulation.namespace import Namespace
from lab.emulation.network import Network
from lab.emulation.node import LabNode
from lab.emulation.process import Process, used_by
from lab.emulation.settings import Settings
from lab.emulation.spec import Kind
from lab.emulation.topology import Topology

SIZES, QUICK_SIZES = (10, 50, 200), (10,)
REST = 5.0
"""Seconds of quiet over which processor time is counted."""
VISITORS = 50
"""Mobile nodes on one visited link."""
PINGS_AT_ONCE = 20


class Crowd(Topology):
    """A home link whose mobile nodes are all away."""

    mobile_nodes = 0

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        backbone = self.link("backbone", "2001:db8:f::/64")
        self.home_agent("ha", home=home, on=[backbone])
        self.correspondent("cn", on=[backbone])
        for number in range(1, 1 + (self.mobile_nodes - 1) // VISITORS + 1):
            visited = self.link(visited_name(number), f"2001:db8:a{number}::/64")
            self.access_router(f"ar{number}", serves=visited, on=[backbone])
        for number in range(1, 1 + self.mobile_nodes):
            self.mobile_node(f"mn{number}", home=home, home_agent="ha")


class SeparateProcesses:
    """Starts daemons without a common parent."""

    def start(self, name: str, config: Path, *, namespace: Namespace, output: int, log: int) -> Process:
        """Start a daemon as a program of its own."""
        command = [sys.executable, "-m", "lab.cli.main", "node", "--config", str(config)]
        return namespace.spawn(command, stdout=output, stderr=log)

    def close(self) -> None:
        """Leave them to their network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a network of so many mobile nodes costs."""

    up: float
    """Microseconds until the last one is registered."""
    octets: float
    """Memory, shared by the number of daemons."""
    processor: float
    """Microseconds of all daemons in a second of rest."""


def measure(quick: bool) -> Benchmark:
    """Bring networks of several sizes up, either way."""
    rows = [row for size in (QUICK_SIZES if quick else SIZES) for row in _compare(size)]
    return Benchmark(name="nodes", rows=rows)


def _compare(size: int) -> Iterator[Row]:
    theirs, ours = _cost(size, forked=False), _cost(size, forked=True)
    for what, theirs_is, ours_is, unit in (
        ("registered", theirs.up, ours.up, Unit.MICROSECONDS),
        ("memory of each", theirs.octets, ours.octets, Unit.OCTETS),
        ("a second of rest, processor time of all", theirs.processor, ours.processor, Unit.MICROSECONDS),
    ):
        yield row(f"{size} mobile nodes: {what}", "processes of their own", [theirs_is], [ours_is], unit)


def _cost(size: int, *, forked: bool) -> Cost:
    began = time.perf_counter()
    with _crowd(size, forked=forked) as network:
        network.start()
        network.wait_settled()
        up = time.perf_counter() - began
        _check(network)
        pids = [node.daemon.pid for node in network.hosts if node.daemon is not None]
        starter = network.context.starter
        parent = [starter.pid] if isinstance(starter, ForkServer) else []
        before, began = _processor_time(pids), time.perf_counter()
        time.sleep(REST)
        spent = (_processor_time(pids) - before) / (time.perf_counter() - began)
        return Cost(up=up * 1e6, octets=sum(map(_memory, [*pids, *parent])) / len(pids), processor=spent * 1e6)


@contextmanager
def _crowd(size: int, *, forked: bool) -> Iterator[Network]:
    """Make a network whose mobile nodes will find themselves on visited links."""
    topology = type("Crowd", (Crowd,), {"mobile_nodes": size})
    with Network(topology, settings=Settings(ro=False), captures=False, daemons=forked) as network:
        if not forked:
            network.context.starter = SeparateProcesses()
        network.build()
        for number, node in enumerate(_mobile_nodes(network)):
            move(node, network.bridge(visited_name(1 + number // VISITORS)), outage=None, hint=False)
        yield network


def visited_name(number: int) -> str:
    """Name a visited link."""
    return f"visited{number}"


def _mobile_nodes(network: Network) -> list[LabNode]:
    return [node for node in network.hosts if node.spec.kind is Kind.MOBILE_NODE]


def _check(network: Network) -> None:
    """Look whether the correspondent reaches each mobile node through its tunnel."""
    bound = network.node("ha").control("bindings")
    nodes = _mobile_nodes(network)
    if len(bound) != len(nodes):
        raise RuntimeError(f"{len(bound)} of {len(nodes)} mobile nodes are registered")
    cn = network.node("cn")
    for first in range(0, len(nodes), PINGS_AT_ONCE):
        some = nodes[first : first + PINGS_AT_ONCE]
        pings = [
            cn.namespace.spawn(["ping", "-c", "2", "-i", "0.2", "-W", "5", node.IP()], stdout=subprocess.DEVNULL)
            for node in some
        ]
        for node, ping in zip(some, pings, strict=True):
            if ping.wait():
                raise RuntimeError(f"{node.name} does not answer through its tunnel")


def _processor_time(pids: list[int]) -> float:
    """Give the seconds that processes have run so far, all threads of each."""
    return sum(used_by(pid).cpu for pid in pids)


def _memory(pid: int) -> int:
    """Give the octets of a process; what n processes share counts as an nth (PSS)."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
