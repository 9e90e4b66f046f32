"""A network to look at from all sides: two visited links, and a neighbour on the home link."""

import json
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from lab.emulation.namespace import Namespace
from lab.emulation.network import Network
from lab.emulation.node import LabNode
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, Event, Record, ReturnedHome

ROOT = Path(__file__).parents[2]
HOME = IPv6Address("2001:db8:1::100")
AGENT = IPv6Address("2001:db8:1::1")
WITHIN = 10.0
LISTEN = """
import socket
inlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
inlet.bind(("{address}", 6275))
print("ready", flush=True)
inlet.settimeout(10)
octets, address = inlet.recvfrom(2048)
print(octets.decode(), address[0], flush=True)
"""
SPEAK = """
import socket
outlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
outlet.bind(("{source}", 0))
outlet.sendto(b"truly", ("{to}", 6275))
"""
"""Programs for `python_in`: a datagram is heard, with who sent it, or is sent."""


class Neighbourhood(Topology):
    """Like TwoVisitedLinks, with a neighbour on the home link and another on the first visited one."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64")
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        backbone = self.link("backbone", "2001:db8:f::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        self.router("core", on=[cn_core, backbone])
        self.home_agent("ha", home=home, on=[backbone])
        self.access_router("ar1", serves=visited1, on=[backbone])
        self.access_router("ar2", serves=visited2, on=[backbone])
        self.correspondent("cn", on=[cn_core])
        self.host("neighbour", on=[home])
        self.host("stranger", on=[visited1])
        self.mobile_node("mn", home=home, home_agent="ha")


class NobodyAtHome(Neighbourhood):
    """The same, but for the home link: only the home agent is there, once the mobile node is moved before it starts."""

    def declare(self) -> None:
        """Declare the others."""
        super().declare()
        del self.node_specs["neighbour"]


class Here:
    """A running network and the questions that tests ask of it."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def __getitem__(self, name: str) -> LabNode:
        return self.network.node(name)

    def visit(self, link: str) -> IPv6Address:
        """Take the mobile node to a foreign link, or leave it there; give its care-of address once it is registered."""
        if self["mn"].link_name == link:
            return IPv6Address(self["mn"].control("bindings")[0]["care_of_address"])
        began = self.mark()
        self.network.move("mn", link)
        return self.wait_registered(link, since=began)

    def return_home(self) -> None:
        """Take the mobile node home, or leave it there."""
        if self["mn"].link_name == "home":
            return
        began = self.mark()
        self.network.move("mn", "home")
        self.wait(ReturnedHome, node="mn", since=began)

    def wait_registered(self, link: str, *, since: float) -> IPv6Address:
        """Wait until the home agent acknowledged a care-of address of a link to the mobile node; give it."""
        prefix = self.network.topology.link_specs[link].prefix

        def matches(record: Record) -> bool:
            event = record.event
            return isinstance(event, BindingAcknowledged) and event.peer == AGENT and event.care_of_address in prefix

        record = self.network.context.collector.wait(matches, since=since, within=WITHIN)
        assert record is not None, f"no care-of address of {link} was registered"
        assert isinstance(record.event, BindingAcknowledged)
        return record.event.care_of_address

    def wait(self, kind: type[Event], *, node: str, since: float = 0.0) -> Record:
        """Wait for an event."""
        record = self.network.context.collector.wait(
            lambda record: record.node == node and isinstance(record.event, kind), since=since, within=WITHIN
        )
        assert record is not None, f"{node} did not report {kind.__name__}"
        return record

    def run(self, name: str, *command: str) -> str:
        """Run a command on a node; give what it printed."""
        return run_in(self[name].namespace, *command).stdout

    def counters(self, name: str) -> dict[str, int]:
        """Count packets by what the data plane of a node did with them."""
        counters: dict[str, int] = self[name].control("counters")["plane"]
        return counters

    def mark(self) -> float:
        """Give an instant after all that happened so far."""
        records = self.network.context.collector.records()
        return records[-1].time + 1e-6 if records else 0.0


def run_in(namespace: Namespace, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in a namespace."""
    return namespace.run(
        lambda: subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, cwd=ROOT)
    )


def python_in(node: LabNode, source: str) -> None:
    """Run Python in a node's namespace; raises AssertionError with what it complained of."""
    done = run_in(node.namespace, sys.executable, "-c", source)
    assert done.returncode == 0, done.stderr


def state_of(namespace: Namespace) -> dict[str, Any]:
    """Describe a namespace: links, addresses, routes, rules, transformations, packet filters."""
    settle_addresses(namespace)
    described: dict[str, Any] = {
        what: [
            {key: value for key, value in entry.items() if key not in ("stats64", "valid_life_time")}
            for entry in json.loads(run_in(namespace, "ip", "-j", "-6", *what.split()).stdout or "[]")
        ]
        for what in ("address", "route show table all", "rule")
    }
    described["xfrm"] = [run_in(namespace, "ip", "xfrm", what).stdout for what in ("policy", "state")]
    described["nft"] = run_in(namespace, "nft", "list", "ruleset").stdout
    return described


def settle_addresses(namespace: Namespace) -> None:
    """Wait until the kernel takes packets for all of its addresses: it does a while after it was given them."""

    def settled() -> bool:
        links = json.loads(run_in(namespace, "ip", "-j", "-6", "address").stdout or "[]")
        addresses = {info["local"] for link in links if "LOWER_UP" in link["flags"] for info in link["addr_info"]}
        show = ("ip", "-j", "-6", "route", "show", "table", "local", "type", "local")
        return addresses <= {route["dst"] for route in json.loads(run_in(namespace, *show).stdout or "[]")}

    until(settled, "the kernel takes packets for its addresses")


def settle(namespace: Namespace, *interfaces: str) -> None:
    """Wait until the kernel has seen that interfaces have carrier: the last that it adds is a multicast route."""

    def settled() -> bool:
        routes = run_in(namespace, "ip", "-6", "route", "show", "table", "local", "type", "multicast").stdout
        return all(f"dev {interface} " in routes for interface in interfaces)

    until(settled, f"carrier on {', '.join(interfaces)}")


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait until something holds; raises AssertionError."""
    deadline = monotonic() + WITHIN
    while not holds():
        assert monotonic() < deadline, f"not within {WITHIN} s: {what}"
        sleep(0.01)
