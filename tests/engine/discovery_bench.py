"""Home agents that advertise themselves, and who asks for them."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

from lab.engine.io import Received
from lab.wire.addresses import home_agents_anycast, link_local
from lab.wire.icmpv6 import (
    HomeAgentAddressDiscoveryReply,
    HomeAgentAddressDiscoveryRequest,
    RouterAdvertisement,
)
from lab.wire.neighbor import HomeAgentInformation, NeighborOption, PrefixInformation, SourceLinkLayerAddress
from lab.wire.packet import Packet, build, parse
from tests.unit.wire_octets import packet as octets_of
from tests.unit.wire_octets import summed

PREFIX = IPv6Network("2001:db8:1::/64")
ANYCAST = IPv6Address("2001:db8:1:0:fdff:ffff:ffff:fffe")
ALL_NODES = IPv6Address("ff02::1")
ICMPV6 = 58
assert home_agents_anycast(PREFIX) == ANYCAST


def mac_of(number: int) -> bytes:
    """Give the link-layer address of a home agent."""
    return b"\x02\0\0\0" + (0x300 + number).to_bytes(2, "big")


def address_of(number: int) -> IPv6Address:
    """Give its link-local address."""
    return link_local(mac_of(number))


def global_of(number: int) -> IPv6Address:
    """Give its global address."""
    return PREFIX.network_address + 0x1000 + number


def advertisement(number: int, interface: str, **fields: Any) -> Received:
    """Make a Router Advertisement of a home agent.

    `information` is preference and lifetime of a Home Agent Information option, None for none; `addresses` are told
    with the R bit, but for `r=False`.
    """
    options: list[NeighborOption] = [SourceLinkLayerAddress(address=mac_of(number))]
    for address in fields.get("addresses", (global_of(number),)):
        options.append(
            PrefixInformation(
                prefix=address,
                prefix_length=64,
                on_link=True,
                autonomous=True,
                router_address=fields.get("r", True),
                valid_lifetime=fields.get("valid", 86400),
                preferred_lifetime=fields.get("valid", 86400),
            )
        )
    information = fields.get("information", (0, 1800))
    if information is not None:
        options.append(HomeAgentInformation(preference=information[0], lifetime=information[1]))
    message = RouterAdvertisement(
        home_agent=fields.get("h", True), router_lifetime=fields.get("lifetime", 1800), options=tuple(options)
    )
    packet = Packet(
        source=fields.get("source", address_of(number)),
        destination=ALL_NODES,
        hop_limit=fields.get("hop_limit", 255),
        payload=message,
    )
    return Received(packet=parse(build(packet)), interface=interface)


def request(source: IPv6Address, interface: str, identifier: int = 0x1234, to: IPv6Address = ANYCAST) -> Received:
    """Make a Home Agent Address Discovery Request."""
    message = HomeAgentAddressDiscoveryRequest(identifier=identifier)
    return Received(packet=Packet(source=source, destination=to, payload=message), interface=interface)


def reply(
    asked: Packet, addresses: tuple[IPv6Address, ...], interface: str, *, source: IPv6Address, **fields: Any
) -> Received:
    """Answer a Home Agent Address Discovery Request."""
    assert isinstance(asked.payload, HomeAgentAddressDiscoveryRequest)
    message = HomeAgentAddressDiscoveryReply(
        identifier=fields.get("identifier", asked.payload.identifier), addresses=addresses
    )
    packet = Packet(source=source, destination=fields.get("destination", asked.source), payload=message)
    return Received(packet=packet, interface=interface)


def with_reserved(received: Received) -> Received:
    """Set the reserved octets of a discovery message, by hand."""
    packet = received.packet
    message = bytearray(build(packet)[40:])
    message[6:8], message[2:4] = b"\xff\xff", bytes(2)
    source, destination = packet.source.packed, packet.destination.packed
    summed_up = summed(ICMPV6, bytes(message), at=2, source=source, destination=destination)
    octets = bytearray(octets_of(ICMPV6, summed_up))
    octets[8:24], octets[24:40] = source, destination
    return Received(packet=parse(bytes(octets)), interface=received.interface)
