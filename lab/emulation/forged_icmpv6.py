"""ICMPv6 messages that attackers make, by Scapy: what exercises send must not come from the codec that they try."""

from collections.abc import Mapping
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from scapy.layers.inet6 import (
    ICMPv6HAADRequest,
    ICMPv6MPAdv,
    ICMPv6ND_RA,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6ParamProblem,
    IPv6,
)
from scapy.layers.l2 import Ether

from lab.emulation.forgery import routed
from lab.wire.addresses import home_agents_anycast

ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
ON_LINK_HOP_LIMIT = 255
UNRECOGNIZED_NEXT_HEADER = 1


def router_advertisement(
    source: IPv6Address, link_layer_address: bytes, prefix: IPv6Network, *, lifetime: int = 1800
) -> Any:
    """Make the advertisement of a router that has a prefix, as a frame for all nodes of a link (RFC 4861 §4.2)."""
    mac = link_layer_address.hex(":")
    return (
        Ether(src=mac, dst=ALL_NODES_MAC)
        / IPv6(src=str(source), dst=ALL_NODES, hlim=ON_LINK_HOP_LIMIT)
        / ICMPv6ND_RA(routerlifetime=lifetime)
        / _prefix(prefix, lifetime)
        / ICMPv6NDOptSrcLLAddr(lladdr=mac)
    )


def prefix_advertisement(
    home_agent: IPv6Address,
    care_of_address: IPv6Address,
    home_address: IPv6Address,
    prefixes: Mapping[IPv6Network, int],
    *,
    identifier: int = 0,
) -> Any:
    """Make a Mobile Prefix Advertisement that names prefixes with the seconds that they stay valid (§6.8)."""
    packet = routed(home_agent, care_of_address, home_address) / ICMPv6MPAdv(id=identifier)
    for prefix, lifetime in prefixes.items():
        packet /= _prefix(prefix, lifetime)
    return packet


def discovery_request(source: IPv6Address, home_prefix: IPv6Network, *, identifier: int) -> Any:
    """Make a Home Agent Address Discovery Request to whoever is a home agent of a prefix (§6.5)."""
    return IPv6(src=str(source), dst=str(home_agents_anycast(home_prefix))) / ICMPv6HAADRequest(id=identifier)


def parameter_problem(source: IPv6Address, invoking: Any, *, pointer: int) -> Any:
    """Make the complaint of a node that it knows no next header as that of a packet, to the packet's source."""
    about = bytes(invoking)
    header = IPv6(src=str(source), dst=invoking[IPv6].src)
    return header / ICMPv6ParamProblem(code=UNRECOGNIZED_NEXT_HEADER, ptr=pointer) / about


def _prefix(prefix: IPv6Network, lifetime: int) -> Any:
    return ICMPv6NDOptPrefixInfo(
        prefix=str(prefix.network_address),
        prefixlen=prefix.prefixlen,
        L=1,
        A=1,
        validlifetime=lifetime,
        preferredlifetime=lifetime,
    )
