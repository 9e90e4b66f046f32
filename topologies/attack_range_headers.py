"""Attacks by headers of RFC 6275 in packets of anybody (§15.8, §15.9)."""

import subprocess
from ipaddress import IPv6Address

from scapy.layers.inet6 import ICMPv6EchoRequest

from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forgery import ipv6, routed
from lab.emulation.node import LabNode
from lab.emulation.playback import frames_so_far
from lab.safeguards import Safeguard
from lab.verify.frame import ICMPV6, ROUTING, Frame
from topologies.attack_range import AttackRange, go_straight, routed_to

ECHO_REQUEST, ECHO_REPLY = 128, 129
REQUESTS = 3
FIREWALL = """
table ip6 firewall {
    chain forward {
        type filter hook forward priority 0
        rt type 0 counter drop
    }
}
"""
"""Packet filter of a router that stops source routes; those of type 2 lead to a home address of the node itself."""


@exercise(AttackRange, "15.8", Safeguard.HOME_ADDRESS_CHECK)
def reflection(stage: AttackStage) -> None:
    """An outsider names a victim in Home Address options, for the correspondent to answer to that."""
    cn, victim = (stage.network.node(name).spec.address for name in ("cn", "victim"))
    outsider = stage.attacker("outsider")
    stage.say("The outsider pings the correspondent, as the care-of address of the victim")
    forged = [ipv6(outsider.address, cn, victim) / ICMPv6EchoRequest(id=0x158, seq=n) for n in range(1, REQUESTS + 1)]
    stage.attack(outsider, *forged, note="the victim's address in a Home Address option")
    stage.succeeds_if("visited2", _is_echo(ECHO_REPLY, cn, victim), "an answer to the victim", at_least=REQUESTS)
    stage.wait(1.0)


@exercise(AttackRange, "15.9", Safeguard.ROUTING_HEADER_CHECK)
def source_route(stage: AttackStage) -> None:
    """An outsider has the home agent send his packets on to a victim, by a type 2 routing header."""
    ha, victim = (stage.network.node(name).spec.address for name in ("ha", "victim"))
    outsider = stage.attacker("outsider")
    stage.say("The outsider sends to the home agent what is to go on to the victim")
    forged = [routed(outsider.address, ha, victim) / ICMPv6EchoRequest(id=0x159, seq=n) for n in range(1, REQUESTS + 1)]
    stage.attack(outsider, *forged, note="a type 2 routing header with the victim's address")
    sent_on = _is_echo(ECHO_REQUEST, outsider.address, victim)
    stage.succeeds_if("core-ha", sent_on, "the home agent sends it on", at_least=REQUESTS)
    stage.succeeds_if("visited2", sent_on, "it arrives, by way of the home agent", at_least=REQUESTS)
    stage.wait(1.0)


@exercise(AttackRange, "15.9", Safeguard.ROUTING_HEADER_FILTER)
def routing_header_firewall(stage: AttackStage) -> None:
    """An outsider sends a source route of type 0 through a router that must let those of type 2 through."""
    cn, mn, victim = (stage.network.node(name).spec.address for name in ("cn", "mn", "victim"))
    outsider = stage.attacker("outsider")
    if not stage.off(Safeguard.ROUTING_HEADER_FILTER):  # §15.9
        _filter(stage.network.node("core"))
    stage.stream("cn", "mn", every=0.05)
    go_straight(stage, "visited1")
    stage.say("The outsider sends a type 0 routing header by way of the correspondent")
    forged = routed(outsider.address, cn, victim, kind=0) / ICMPv6EchoRequest(id=0x159)
    stage.attack(outsider, forged, note="a type 0 routing header")
    stage.succeeds_if("cn-core", _is_source_routed(outsider.address), "it is behind the firewall")
    stage.wait(1.0)
    straight = routed_to(stage.care_of_address("mn", "visited1"), mn)
    passed = [frame for frame in frames_so_far([stage.network.captures["visited1"]]) if straight(frame)]
    stage.check("type-2-passes", bool(passed), "6.4-b", detail=f"{len(passed)} packets with type 2 routing headers")


def _filter(router: LabNode) -> None:
    router.namespace.run(lambda: subprocess.run(["nft", "-f", "-"], input=FIREWALL, text=True, check=True))


def _is_echo(kind: int, source: IPv6Address, destination: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        ends = (frame.source, frame.destination) == (source, destination)
        return ends and frame.upper == ICMPV6 and frame.message_type == kind

    return matches


def _is_source_routed(source: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        return frame.source == source and frame.octets[6] == ROUTING

    return matches
