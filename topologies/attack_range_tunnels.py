"""Attacks on tunnels (RFC 6275 §15.7)."""

from ipaddress import IPv6Address

from scapy.layers.inet import UDP

from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forgery import ipv6, tunnelled
from lab.emulation.traffic import PORT
from lab.safeguards import Safeguard
from topologies.attack_range import AttackRange, filter_ingress, go

FORGED = b"said in the name of the mobile node"


def said_by(home_address: IPv6Address) -> Matches:
    """Match what was forged, out of its tunnel."""
    return lambda frame: frame.source == home_address and frame.octets.endswith(FORGED)


@exercise(AttackRange, "15.7", Safeguard.OUTER_SOURCE_CHECK, ro=False)
def tunnel_from_outside(stage: AttackStage) -> None:
    """An outsider tunnels a packet to the home agent that seems to come from the mobile node."""
    mn, ha, cn = (stage.network.node(name).spec.address for name in ("mn", "ha", "cn"))
    outsider = stage.attacker("outsider")
    go(stage, "visited1")
    stage.say("The outsider tunnels a packet to the home agent, in the name of the mobile node")
    inner = ipv6(mn, cn) / UDP(sport=PORT, dport=PORT) / FORGED
    stage.attack(outsider, tunnelled(outsider.address, ha, inner), note="tunnel packet from the outsider's own address")
    stage.succeeds_if("cn-core", said_by(mn), "a packet that the mobile node never sent")
    stage.wait(2.0)


@exercise(AttackRange, "15.7", Safeguard.INGRESS_FILTERING, ro=False)
def tunnel_by_care_of_address(stage: AttackStage) -> None:
    """An outsider who knows the care-of address tunnels a packet from it, as the mobile node does."""
    mn, ha, cn = (stage.network.node(name).spec.address for name in ("mn", "ha", "cn"))
    outsider = stage.attacker("outsider")
    filter_ingress(stage, "ar3", "outside")
    go(stage, "visited1")
    stage.say("The outsider tunnels a packet to the home agent, as if it came from the care-of address")
    inner = ipv6(mn, cn) / UDP(sport=PORT, dport=PORT) / FORGED
    forged = tunnelled(stage.care_of_address("mn", "visited1"), ha, inner)
    stage.attack(outsider, forged, note="tunnel packet from the mobile node's care-of address")
    stage.succeeds_if("cn-core", said_by(mn), "a packet that the mobile node never sent")
    stage.wait(2.0)
