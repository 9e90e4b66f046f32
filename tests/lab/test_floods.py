"""What very many bogus messages leave at a correspondent: nothing (RFC 6275 §15.4.5).

`MIP6LAB_FLOOD=1000000` sends so many; by default there are fewer, so that it takes some seconds.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet6 import MIP6MH_BU

from lab.daemon.config import Role
from lab.daemon.control import ask
from lab.emulation.attacker import BALANCE, Attacker
from lab.emulation.forgery import correspondent_registration, home_test_init
from lab.emulation.network import Network
from lab.emulation.process import end, used_by, wait_until
from lab.emulation.topology import Topology
from lab.templating import render
from lab.wire.mobility import MOBILITY_HEADER
from tests.lab.networks import WITHIN, until
from topologies.attack_range_floods import FALSE_HOME, FALSE_SOURCE, swallow_answers

pytestmark = pytest.mark.privileged

FLOOD = int(os.environ.get("MIP6LAB_FLOOD", "20000"))
AT_ONCE = 5000
"""So many fit the room that a daemon's socket has for what waits."""
MIB = 1 << 20
INDEX_AT = 6
"""Of the nonce, in a Home Test."""


class Line(Topology):
    """An attacker, a router, a correspondent."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        outside, inside = self.link("outside", "2001:db8:bad::/64"), self.link("inside", "2001:db8:c::/64")
        self.router("r", on=[inside, outside])
        self.correspondent("cn", on=[inside])
        self.host("outsider", on=[outside])


class Flooded:
    """The correspondent, with a daemon of its own that tells its journal to nobody, and the attacker."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.cn, self._outsider = network.node("cn"), network.node("outsider")
        swallow_answers(self.cn, network.node("r"))
        self.attacker = Attacker(self._outsider, {"outside": folder / "unused"})
        self.control, config, log = folder / "cn.sock", folder / "cn.toml", folder / "cn.log"
        text = render(
            "node.toml.j2",
            name="cn",
            role=Role.CORRESPONDENT.value,
            plane="auto",
            journal=os.devnull,
            control=str(self.control),
            state="",
            encapsulation_limit=4,
            table=Role.CORRESPONDENT.table,
            options={},
            ipsec=[],
        )
        config.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "lab.cli.main", "node", "--config", str(config)]
        with log.open("ab") as output:
            self.daemon = self.cn.namespace.spawn(command, stdout=output, stderr=output)
        wait_until(self.control.exists, self.daemon, "cn", log, within=WITHIN, fault="does not serve")

    @property
    def drops(self) -> int:
        """How many packets the correspondent has refused."""
        return sum(ask(self.control, "counters", within=WITHIN)["drops"].values())

    @property
    def sent(self) -> int:
        """How many packets have left the correspondent."""
        lines = self.cn.namespace.run(lambda: Path("/proc/thread-self/net/dev").read_text(encoding="ascii"))
        (counters,) = (line.partition(":")[2].split() for line in lines.splitlines() if "cn-eth0:" in line)
        return int(counters[9])

    def index(self) -> int:
        """Give the index of the nonce of now, as the correspondent tells everybody who asks."""
        inlet = self._outsider.namespace.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, MOBILITY_HEADER))
        with inlet:
            inlet.settimeout(WITHIN)
            self.attacker.send(home_test_init(self.attacker.address, self.cn.spec.address, bytes(8)))
            return int.from_bytes(inlet.recv(64)[INDEX_AT : INDEX_AT + 2], "big")

    def test_init(self) -> Any:
        """Ask for a test."""
        return home_test_init(FALSE_SOURCE, self.cn.spec.address, BALANCE)

    def false_update(self) -> Any:
        """Bind somebody, by an authenticator that is wrong."""
        index, cn = self.index(), self.cn.spec.address
        packet = correspondent_registration(FALSE_HOME, cn, FALSE_SOURCE, key=b"", indices=(index, index), sequence=1)
        packet[MIP6MH_BU].options[-1].authenticator = int.from_bytes(BALANCE + bytes(4), "big")
        return packet

    def flood(self, make: Callable[[], Any], dealt_with: Callable[[], int], count: int) -> None:
        """Send so many, and wait until the correspondent has dealt with each."""
        for first in range(0, count, AT_ONCE):
            self._burst(make(), min(AT_ONCE, count - first), dealt_with, seed=first)

    def _burst(self, packet: Any, count: int, dealt_with: Callable[[], int], seed: int) -> None:
        wanted = dealt_with() + count
        assert self.attacker.flood(packet, count=count, rate=1e9, seed=seed).wait(timeout=WITHIN) == 0
        until(lambda: dealt_with() >= wanted, "all of them dealt with")


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[Flooded]:
    with Network(Line, directory=tmp_path, captures=False, daemons=False) as network:
        network.start()
        made = Flooded(network, tmp_path)
        yield made
        end([made.daemon])


@pytest.mark.rfc6275("15.4.5-a", "5.2.5-a")
@pytest.mark.parametrize("kind", ["test inits", "false updates"])
def test_a_flood_leaves_nothing(flooded: Flooded, kind: str) -> None:
    make = flooded.test_init if kind == "test inits" else flooded.false_update
    dealt_with = (lambda: flooded.sent) if kind == "test inits" else (lambda: flooded.drops)
    flooded.flood(make, dealt_with, 2 * AT_ONCE)  # what it takes to be at work at all
    before = used_by(flooded.daemon.pid)
    flooded.flood(make, dealt_with, FLOOD)
    after = used_by(flooded.daemon.pid)
    grown = after.memory - before.memory
    print(f"{FLOOD} {kind}: {grown >> 10} KiB of memory, {after.cpu - before.cpu:.1f} s of a processor")
    assert grown < MIB
