"""The attack range: a network with attackers in the places where RFC 6275 §15 sees them."""

import subprocess
from ipaddress import IPv6Address

from lab.emulation.exercise import AttackStage, Matches
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage
from lab.emulation.topology import Topology
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    ReturnedHome,
    RouteOptimisationStarted,
)
from lab.safeguards import Safeguard
from lab.verify.frame import MOBILITY, Frame

SEQUENCES = (0x4000, 0xC000)
"""Whoever does not know the last sequence number takes these two: one of them is newer than any (§9.5.1)."""
FLOOD = 50
"""Packets that make a flood of a small stream."""
INGRESS_FILTER = """
table ip6 ingress {{
    chain forward {{
        type filter hook forward priority 0
        iifname "{interface}" ip6 saddr != {prefix} drop
    }}
}}
"""


class AttackRange(Topology):
    """A mobile node with two links to visit, and a host for whoever means no good in each place of interest.

    cn ─── core ───┬─── ha ═══ home ─── mn, insider
             │     onpath
             ├───── ar1 ══ visited1 ─── guest
             ├───── ar2 ══ visited2 ─── traitor, victim
             └───── ar3 ─── outside ─── outsider

    onpath    on the path of home tests and tunnels
    insider   on the home link
    guest     on a visited link
    traitor   a mobile node of the same home, away
    outsider  off every path
    victim    whom packets can be sent to
    """

    summary = "like two_visited_links, with attackers on each link and off the path"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64")
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        outside = self.link("outside", "2001:db8:bad::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        core_ha = self.link("core-ha", "2001:db8:f0::/64")
        access = [self.link(f"core-ar{n}", f"2001:db8:f{n}::/64") for n in (1, 2, 3)]

        self.router("core", on=[cn_core, core_ha, *access])
        self.home_agent("ha", home=home, on=[core_ha])
        self.access_router("ar1", serves=visited1, on=[access[0]])
        self.access_router("ar2", serves=visited2, on=[access[1]])
        self.router("ar3", on=[outside, access[2]])
        self.correspondent("cn", on=[cn_core])
        self.mobile_node("mn", home=home, home_agent="ha")
        self.host("onpath", on=[core_ha])
        self.host("insider", on=[home])
        self.host("guest", on=[visited1])
        self.host("outsider", on=[outside])
        self.host("victim", on=[visited2])
        traitor = self.host("traitor", on=[visited2])
        traitor.home, traitor.home_address = home, home.prefix.network_address + 0x666  # it has associations, as mn has


topos = {"attack_range": AttackRange}


def go(stage: Stage, link: str) -> None:
    """Move the mobile node to a visited link and wait until its home agent serves it there."""
    care_of_address = stage.care_of_address("mn", link)
    stage.say(f"The mobile node moves to {link}")
    stage.move("mn", link)
    stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address)
    stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)


def go_straight(stage: Stage, link: str) -> None:
    """Move to a visited link and wait until packets of the correspondent go straight there."""
    go(stage, link)
    stage.expect(RouteOptimisationStarted, node="mn", care_of_address=stage.care_of_address("mn", link))


def return_home(stage: Stage) -> None:
    """Take the mobile node home and wait until its home agent and the correspondent have let go."""
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(ReturnedHome, node="mn")
    stage.expect(BindingDeregistered, node="cn")


def filter_ingress(stage: AttackStage, router: str, link: str) -> None:
    """Have a router let nothing out of a link whose source is not of that link, unless that is switched off."""
    if stage.off(Safeguard.INGRESS_FILTERING):  # RFC 2827
        return
    node = stage.network.node(router)
    plug = node.spec.plug_on(stage.network.topology.link_specs[link])
    assert plug is not None
    script = INGRESS_FILTER.format(interface=plug.interface, prefix=plug.link.prefix)
    node.namespace.run(lambda: subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True))


def tunnelled_to(care_of_address: IPv6Address, home_address: IPv6Address) -> Matches:
    """Match packets for a home address in the tunnel to a care-of address."""

    def matches(frame: Frame) -> bool:
        return (
            frame.destination == care_of_address and frame.inner is not None and frame.inner.destination == home_address
        )

    return matches


def routed_to(care_of_address: IPv6Address, home_address: IPv6Address) -> Matches:
    """Match a correspondent's packets for a home address that go straight to a care-of address, no mobility messages.

    A type 2 routing header tells them.
    """

    def matches(frame: Frame) -> bool:
        straight = frame.destination == care_of_address and frame.routed_home_address == home_address
        return straight and frame.upper != MOBILITY

    return matches
