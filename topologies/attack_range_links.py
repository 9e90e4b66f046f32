"""Attacks by what a mobile node is told of links, its home link among them (RFC 6275 §11.5.1, §15.5, §15.6)."""

from ipaddress import IPv6Address, IPv6Network

from lab.emulation.attacker import Attacker
from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forged_icmpv6 import discovery_request, prefix_advertisement, router_advertisement
from lab.safeguards import Safeguard
from lab.verify.frame import ICMPV6, MOBILITY, Frame
from lab.wire.addresses import LINK_LOCAL_PREFIX, address_from, interface_identifier
from topologies.attack_range import AttackRange, go

BINDING_UPDATE = 5
DISCOVERY_REPLY = 145
FALSE_PREFIX = IPv6Network("2001:db8:666::/64")
"""Of no link; whatever is sent from there goes through whoever advertised it."""


@exercise(AttackRange, "15.6", Safeguard.PREFIX_AUTHENTICATION, ro=False)
def forged_prefix_advertisement(stage: AttackStage) -> None:
    """An outsider tells the mobile node that the prefix of home is over, and has it give up its home address."""
    mn, ha = (stage.network.node(name).spec.address for name in ("mn", "ha"))
    outsider = stage.attacker("outsider")
    stage.stream("cn", "mn", every=0.05)
    go(stage, "visited1")
    care_of_address = stage.care_of_address("mn", "visited1")
    stage.say("The outsider sends a Mobile Prefix Advertisement in the home agent's name")
    prefixes = {stage.network.topology.link_specs["home"].prefix: 0, FALSE_PREFIX: 3600}
    forged = prefix_advertisement(ha, care_of_address, mn, prefixes)
    stage.attack(outsider, forged, note="Mobile Prefix Advertisement without ESP")
    stage.succeeds_if("visited1", _ends_binding(mn), "the mobile node ends the binding of its home address")
    stage.wait(2.0)


@exercise(AttackRange, "11.5.1", Safeguard.ROUTER_PROBE, ro=False)
def false_router_abroad(stage: AttackStage) -> None:
    """A guest of the visited link advertises himself as its router, and has the mobile node move to him."""
    stage.stream("cn", "mn", every=0.05)
    go(stage, "visited1")
    _advertise_falsely(stage, "guest")


@exercise(AttackRange, "11.5.1", Safeguard.ROUTER_PROBE, ro=False)
def false_router_at_home(stage: AttackStage) -> None:
    """An insider advertises a foreign prefix on the home link, and has the mobile node believe that it went away."""
    stage.stream("cn", "mn", every=0.05)
    stage.wait(0.5)
    _advertise_falsely(stage, "insider")


@exercise(AttackRange, "15.5", None)
def home_agents_found(stage: AttackStage) -> None:
    """An outsider asks all prefixes that he knows for home agents, and is told those of the one that has any."""
    outsider = stage.attacker("outsider")
    ha = stage.network.node("ha").spec.address
    known = [link.prefix for name, link in stage.network.topology.link_specs.items() if name != outsider.link]
    stage.say(f"The outsider asks {len(known)} prefixes for home agents")
    requests = [
        discovery_request(outsider.address, prefix, identifier=number) for number, prefix in enumerate(known, start=1)
    ]
    stage.attack(outsider, *requests, note="Home Agent Address Discovery Request")
    stage.succeeds_if(outsider.link, _names(outsider.address, ha), "the addresses of home agents")
    stage.wait(1.0)


def _advertise_falsely(stage: AttackStage, name: str) -> None:
    attacker = stage.attacker(name)
    stage.say(f"{name} advertises {FALSE_PREFIX} as if he were a router")
    forged = router_advertisement(_link_local(attacker), attacker.link_layer_address, FALSE_PREFIX)
    stage.attack(attacker, forged, note="Router Advertisement of no router")
    stage.succeeds_if(
        attacker.link, _registers_from(FALSE_PREFIX), "the mobile node registers an address of his prefix"
    )
    stage.wait(2.0)


def _link_local(attacker: Attacker) -> IPv6Address:
    return address_from(LINK_LOCAL_PREFIX, interface_identifier(attacker.link_layer_address))


def _ends_binding(home_address: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        is_update = frame.upper == MOBILITY and frame.message_type == BINDING_UPDATE and frame.message is not None
        return is_update and frame.home_address == home_address and frame.message.mhtime == 0

    return matches


def _registers_from(prefix: IPv6Network) -> Matches:
    def matches(frame: Frame) -> bool:
        return frame.upper == MOBILITY and frame.message_type == BINDING_UPDATE and frame.source in prefix

    return matches


def _names(asker: IPv6Address, home_agent: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        is_reply = frame.upper == ICMPV6 and frame.message_type == DISCOVERY_REPLY and frame.destination == asker
        return is_reply and home_agent.packed in frame.payload

    return matches
