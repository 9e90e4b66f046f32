"""Two dishonest mobile nodes lead their home agents in a circle (RFC 6275 §15.1)."""

import subprocess
from dataclasses import replace
from functools import partial
from ipaddress import IPv6Address

from lab.emulation.node import LabNode
from lab.emulation.playback import frames_so_far, wait_for_frame
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.errors import MissingError
from lab.events import BindingRegistered
from lab.verify.frame import ICMPV6, Frame
from lab.wire.addresses import address_from, interface_identifier

PARAMETER_PROBLEM = 4
DISHONEST = """
table ip6 dishonest {{
    chain input {{
        type filter hook input priority 0
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} @th,64,128 {target:#x} drop
    }}
    chain output {{
        type filter hook output priority 0
        icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} @th,64,128 {target:#x} drop
    }}
}}
"""
"""Packet filter of a node that talks with no neighbour about an address: Duplicate Address Detection is of no use."""


class HaLoop(Topology):
    """Two mobile nodes, each with a home address that the other forms on that home link as its care-of address.

    mn1 ─── home1 ══ ha1 ─── core ─── ha2 ══ home2 ─── mn2
                              │
                              cn
    """

    summary = "two home agents, and two mobile nodes that take each other's home address for a care-of address"

    def declare(self) -> None:
        """Declare links, then nodes."""
        homes = [self.link(f"home{n}", f"2001:db8:{n}::/64") for n in (1, 2)]
        to_agents = [self.link(f"core-ha{n}", f"2001:db8:f{n}::/64") for n in (1, 2)]
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        self.router("core", on=[cn_core, *to_agents])
        for n in (0, 1):
            self.home_agent(f"ha{n + 1}", home=homes[n], on=[to_agents[n]])
        self.correspondent("cn", on=[cn_core])
        nodes = [self.mobile_node(f"mn{n + 1}", home=homes[n], home_agent=f"ha{n + 1}") for n in (0, 1)]
        for node, other, home in zip(nodes, reversed(nodes), homes, strict=True):
            interface = interface_identifier(other.plugs[0].link_layer_address)
            node.home_address = address_from(home.prefix, interface)


topos = {"ha_loop": HaLoop}


@scenario(HaLoop, ro=False)
def ha_loop(stage: Stage) -> None:
    """Two home agents bind two home addresses to each other: what is sent to one ends after a few tunnels."""
    network = stage.network
    home_addresses = lead_in_a_circle(stage)
    stage.say("cn sends a packet to mn1")
    cn = network.node("cn")
    cn.spawn(["ping", "-c", "1", "-W", "1", str(home_addresses[0])], stdout=subprocess.DEVNULL)
    captures = [network.captures[link] for link in ("core-ha1", "core-ha2")]
    agents = [network.node(name).spec.address for name in ("ha1", "ha2")]

    def ends_it(frame: Frame) -> bool:
        told = frame.upper == ICMPV6 and frame.message_type == PARAMETER_PROBLEM and frame.destination in agents
        return told and replace(frame, octets=frame.payload[8:]).innermost.source == cn.spec.address

    ended = wait_for_frame(captures, ends_it)
    told = "nobody is told" if ended is None else f"{ended.source} tells {ended.destination}"
    stage.check("entry-point-told", ended is not None, "15.1-a", detail=told)
    stage.wait(1.0)
    seen = [frame for frame in frames_so_far(captures) if frame.innermost.source == cn.spec.address]
    deepest = max(map(depth, seen), default=0)
    detail = f"{len(seen)} sightings, at most {deepest} tunnels around it"
    # One tunnel that says nothing of a limit, one that sets it, and as many more as it allows.
    stage.check("loop-bounded", deepest == network.context.settings.encapsulation_limit + 2, "15.1-a", detail=detail)


def lead_in_a_circle(stage: Stage) -> list[IPv6Address]:
    """Have each home agent bind its home address to that of the other; give both."""
    network = stage.network
    home_addresses = [network.node(name).spec.address for name in ("mn1", "mn2")]
    for name, target in zip(("mn1", "mn2"), reversed(home_addresses), strict=True):
        _make_dishonest(network.node(name), target)
    for n, link, care_of_address in ((1, "home2", home_addresses[1]), (2, "home1", home_addresses[0])):
        stage.say(f"mn{n} takes {care_of_address} on {link}, whosever it is, and registers it")
        stage.move(f"mn{n}", link)
        stage.expect(BindingRegistered, node=f"ha{n}", care_of_address=care_of_address)
    return home_addresses


def _make_dishonest(node: LabNode, target: IPv6Address) -> None:
    script = DISHONEST.format(target=int(target))
    command = partial(subprocess.run, ["nft", "-f", "-"], input=script, text=True, capture_output=True, check=True)
    try:
        node.namespace.run(command)
    except subprocess.CalledProcessError as error:
        raise MissingError("this kernel has no nftables for IPv6, by which nodes are made dishonest") from error


def depth(frame: Frame) -> int:
    """Tell in how many tunnels a packet lies."""
    return 0 if frame.inner is None else 1 + depth(frame.inner)
