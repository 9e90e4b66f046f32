"""Home agents in a circle, as an attack (RFC 6275 §15.1)."""

from scapy.layers.inet6 import ICMPv6EchoRequest

from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forgery import ipv6
from lab.safeguards import Safeguard
from lab.verify.frame import Frame
from topologies.ha_loop import HaLoop, depth, lead_in_a_circle


@exercise(HaLoop, "15.1", Safeguard.ENCAPSULATION_LIMIT, ro=False)
def home_agents_in_a_circle(stage: AttackStage) -> None:
    """Two mobile nodes have their home agents tunnel to each other, and a third party sends one packet into that."""
    home_addresses = lead_in_a_circle(stage)
    accomplice = stage.attacker("cn")
    stage.say("An accomplice sends one packet to mn1")
    packet = ipv6(accomplice.address, home_addresses[0]) / ICMPv6EchoRequest(id=0x151)
    stage.attack(accomplice, packet, note="one packet")
    too_deep = stage.network.context.settings.encapsulation_limit + 3
    stage.succeeds_if("core-ha1", _lies_in(too_deep), f"the packet in {too_deep} tunnels or more")
    stage.wait(2.0)


def _lies_in(tunnels: int) -> Matches:
    def matches(frame: Frame) -> bool:
        return depth(frame) >= tunnels

    return matches
