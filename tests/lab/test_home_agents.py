"""Two home agents on one link as they run: the anycast address, discovery, the scenario of failover."""

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.daemon.sockets import Icmpv6Receiver, Sender
from lab.emulation.network import Network
from lab.emulation.node import LabNode
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, HomeAgentListed, HomeAgentsDiscovered
from lab.report.model import load
from lab.wire.addresses import home_agents_anycast
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryRequest
from lab.wire.packet import Packet
from tests.lab.networks import ROOT, run_in, until
from topologies.home_agents_failover import HomeAgentsFailover

pytestmark = pytest.mark.privileged

ANYCAST = IPv6Address("2001:db8:1:0:fdff:ffff:ffff:fffe")
HOME = IPv6Address("2001:db8:1::100")


class OneLink(Topology):
    """A home link with a home agent and a host behind a router."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        away = self.link("away", "2001:db8:2::/64")
        self.router("r", on=[home, away])
        self.home_agent("ha", home=home)
        self.host("h", on=[away])


class NoneConfigured(HomeAgentsFailover):
    """The network of failover, with a mobile node that was told no home agent."""

    def declare(self) -> None:
        """Leave the home agent out."""
        super().declare()
        self.node_specs["mn"].home_agent = None


@pytest.fixture
def silent() -> Iterator[Network]:
    """Give a network without daemons."""
    with Network(OneLink, settings=Settings(), captures=False, daemons=False) as network:
        network.start()
        yield network


def received(receiver: Icmpv6Receiver) -> list[Packet]:
    found = []
    while (item := receiver.receive()) is not None:
        if isinstance(item[0].payload, HomeAgentAddressDiscoveryRequest):
            found.append(item[0])
    return found


def anycast_routes(node: LabNode) -> str:
    return run_in(node.namespace, "ip", "-6", "route", "show", "table", "local", "type", "anycast").stdout


@pytest.mark.rfc6275("10.5-a", "8.4-a")
def test_the_anycast_address_is_received_after_each_loss_of_the_interface_and_left_at_the_end(silent: Network) -> None:
    agent, host = silent.node("ha"), silent.node("h")
    interface = agent.spec.plugs[0].interface
    assert home_agents_anycast(agent.spec.plugs[0].link.prefix) == ANYCAST
    assert str(ANYCAST) not in anycast_routes(agent)
    sender, receiver = agent.namespace.run(Sender), agent.namespace.run(Icmpv6Receiver)
    other = host.namespace.run(Sender)
    identifiers = iter(range(1, 1000))
    found: list[Packet] = []

    def arrives() -> bool:
        message = HomeAgentAddressDiscoveryRequest(identifier=next(identifiers))
        packet = Packet(source=host.spec.address, destination=ANYCAST, payload=message)
        host.namespace.run(lambda: other.send(packet, None))
        found.extend(agent.namespace.run(lambda: received(receiver)))
        return bool(found)

    for _ in range(2):
        agent.namespace.run(lambda: sender.join_anycast(interface, ANYCAST))
        until(arrives, "a request to the anycast address")
        assert {packet.destination for packet in found} == {ANYCAST}
        assert {packet.source for packet in found} == {host.spec.address}
        found.clear()
        for state in ("down", "up"):
            run_in(agent.namespace, "ip", "link", "set", interface, state)
    sender.close()
    until(lambda: str(ANYCAST) not in anycast_routes(agent), "the anycast address left")
    for thing in (receiver, other):
        thing.close()


@pytest.mark.rfc6275("11.4.1-a", "10.5.1-a", "7.1-a", "7.2-a", "7.4-a")
def test_a_mobile_node_that_was_told_no_home_agent_takes_the_preferred_one_of_its_home_link() -> None:
    with Network(NoneConfigured, settings=Settings(ro=False), captures=False) as network:
        network.start()
        network.wait_settled()
        collector = network.context.collector
        first = network.node("ha1").spec.address

        def has(kind: type, node: str, **fields: object) -> bool:
            return any(
                r.node == node
                and isinstance(r.event, kind)
                and all(getattr(r.event, key) == value for key, value in fields.items())
                for r in collector.records()
            )

        until(lambda: has(HomeAgentListed, "ha2", addresses=str(first), preference=10), "ha2 knows ha1")
        until(lambda: has(HomeAgentListed, "ha1", preference=0), "ha1 knows ha2")
        until(lambda: network.node("mn").control("bindings")[0]["peer"] == str(first), "the mobile node chose ha1")
        assert has(HomeAgentsDiscovered, "mn")
        network.move("mn", "visited1")
        until(lambda: has(BindingAcknowledged, "mn", peer=first), "registered with ha1")
        until(lambda: "1 received" in run_in(network.node("cn").namespace, "ping", "-c1", str(HOME)).stdout, "a way")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play the scenario once for all tests of this file."""
    directory = tmp_path_factory.mktemp("ha-failover") / "result"
    command = (sys.executable, "-m", "lab.cli.main", "run", "ha-failover", "--json", "--out", str(directory))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert json.loads(done.stdout)["ok"]
    return directory


@pytest.mark.rfc6275("11.4.1-a", "10.1-a", "10.5-a", "10.5.1-a", "11.7.3-d", "8.4-a")
def test_every_check_holds_when_the_home_agent_dies(folder: Path) -> None:
    result = load(folder)
    assert not result.failed()
    passed = {check.id for check in result.checks if check.verdict == "passed"}
    assert passed >= {"discovery-request", "discovery-reply", "discovery-source", "home-announced", "dad-before-ba"}


def test_nothing_malformed_is_on_the_home_link(folder: Path) -> None:
    capture = folder / "captures" / "home.pcapng"
    command = ["tshark", "-n", "-r", str(capture), "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
