"""Bringing up a star of hosts with an address each, against Mininet as it comes, and against raw netlink.

Raw netlink is the floor: the same messages without whoever they are for, and a ratio of 1 would be no cost at all.
Going down ends when the last descriptor is closed; the kernel clears away after that, and is given time for it.
Mininet's own Linux bridge needs brctl; here its commands are spoken by ip, which does the same with as many processes.
"""

import time
from collections.abc import Callable
from time import perf_counter
from typing import Protocol, TypeVar

from mininet.link import Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import Switch
from mininet.topo import Topo
from mininet.util import quietRun

from lab.bench.measure import Benchmark, row
from lab.bench.raw_netlink import RawStar
from lab.emulation.network import Network
from lab.emulation.topology import Topology

HOSTS, QUICK_HOSTS = 100, 10
ROUNDS, QUICK_ROUNDS = 5, 2
CLEARING = 1.0
"""Seconds for the kernel to clear a network away."""


class Star(Protocol):
    """Hosts on a link, whoever made them."""

    def start(self) -> object:
        """Bring everything up."""

    def stop(self) -> object:
        """Take everything down."""


S = TypeVar("S", bound=Star)


class Bridge(Switch):  # type: ignore[misc] # Mininet has no types
    """A Linux bridge on Mininet's terms."""

    def start(self, controllers: object) -> None:
        """Make the bridge and attach what is linked to it."""
        self.cmd(f"ip link add {self.name} type bridge")
        for interface in self.intfList():
            if self.name in interface.name:
                self.cmd(f"ip link set {interface} master {self.name}")
        self.cmd(f"ip link set {self.name} up")

    def stop(self, deleteIntfs: bool = True) -> None:  # noqa: N803 - Mininet's name
        """Remove the bridge."""
        self.cmd(f"ip link del {self.name}")
        super().stop(deleteIntfs)


class MininetStar(Topo):  # type: ignore[misc] # Mininet has no types
    """A star as Mininet's users write it."""

    def build(self, hosts: int = HOSTS) -> None:
        """Declare a switch and its hosts."""
        self.addSwitch("s1")
        for number in range(1, hosts + 1):
            self.addLink(self.addHost(f"h{number}"), "s1")


def star(hosts: int) -> type[Topology]:
    """Declare the same star here."""

    class Star(Topology):
        """Hosts on one link."""

        def declare(self) -> None:
            link = self.link("s1", "2001:db8:1::/64")
            for number in range(1, hosts + 1):
                self.host(f"h{number}", on=[link])

    return Star


def measure(quick: bool) -> Benchmark:
    """Bring all three up and down in turns."""
    hosts, rounds = (QUICK_HOSTS, QUICK_ROUNDS) if quick else (HOSTS, ROUNDS)
    theirs, ours, raw = [], [], []
    try:
        for _ in range(rounds):
            theirs.append(_timed(lambda: _mininet(hosts), _check))
            ours.append(_timed(lambda: Network(star(hosts), captures=False, daemons=False), _check))
            raw.append(_timed(lambda: RawStar(hosts), RawStar.check))
    finally:
        quietRun("ip link del s1")  # all that Mininet leaves behind when it is interrupted
    return Benchmark(
        name="bringup",
        rows=[
            row(f"{what}, {hosts} hosts", name, [pair[side] for pair in others], [pair[side] for pair in ours])
            for name, others in (("Mininet", theirs), ("raw netlink", raw))
            for side, what in enumerate(("up", "down"))
        ],
    )


def _mininet(hosts: int) -> Mininet:
    return Mininet(MininetStar(hosts=hosts), switch=Bridge, controller=None, link=Link)


def _timed(make: Callable[[], S], check: Callable[[S], None]) -> tuple[float, float]:
    """Give the microseconds that a star takes to come up and to go."""
    setLogLevel("error")
    began = perf_counter()
    made = make()
    try:
        made.start()
        up = perf_counter()
        check(made)
    finally:
        down = perf_counter()
        made.stop()
    gone = perf_counter()
    time.sleep(CLEARING)
    return (up - began) * 1e6, (gone - down) * 1e6


def _check(network: Mininet) -> None:
    """Look whether the last host reaches the first: what is not up cannot be fast."""
    first, last = network.hosts[0], network.hosts[-1]
    answer = last.cmd(f"ping -c 1 -W 5 {first.IP()}")
    if " 0% packet loss" not in answer:
        raise RuntimeError(f"{last} does not reach {first}: {answer}")
