"""The Neighbor Discovery packets that Mobile IPv6 sends itself (RFC 4861; RFC 6275 §7, §10.4.1, §11.5.5)."""

from ipaddress import IPv6Address

from lab.wire.addresses import ALL_NODES, ALL_ROUTERS, LINK_LOCAL_PREFIX, UNSPECIFIED, solicited_node
from lab.wire.icmpv6 import (
    Icmpv6Message,
    NeighborAdvertisement,
    NeighborSolicitation,
    RouterAdvertisement,
    RouterSolicitation,
)
from lab.wire.neighbor import SourceLinkLayerAddress, TargetLinkLayerAddress
from lab.wire.packet import Packet

HOP_LIMIT = 255
"""What proves that a packet was not forwarded (RFC 4861 §6.1, §7.1)."""


def valid_advertisement(packet: Packet) -> RouterAdvertisement | None:
    """Read a Router Advertisement; None for what is none, or not valid (RFC 4861 §6.1.2)."""
    message = packet.payload
    if not isinstance(message, RouterAdvertisement) or packet.hop_limit != HOP_LIMIT:
        return None
    return message if packet.source in LINK_LOCAL_PREFIX else None


def router_solicitation(link_local_address: IPv6Address, link_layer_address: bytes) -> Packet:
    """Ask all routers of the link for an advertisement."""
    options = (SourceLinkLayerAddress(address=link_layer_address),)
    return _packet(link_local_address, ALL_ROUTERS, RouterSolicitation(options=options))


def probe(source: IPv6Address, link_layer_address: bytes, neighbor: IPv6Address) -> Packet:
    """Ask a neighbour whether it is still there (RFC 4861 §7.3)."""
    options = (SourceLinkLayerAddress(address=link_layer_address),)
    return _packet(source, neighbor, NeighborSolicitation(target=neighbor, options=options))


def anonymous_solicitation(target: IPv6Address) -> Packet:
    """Ask who has an address without claiming one: Duplicate Address Detection, and §11.5.5."""
    return _packet(UNSPECIFIED, solicited_node(target), NeighborSolicitation(target=target))


def announcement(address: IPv6Address, link_layer_address: bytes) -> Packet:
    """Tell all nodes of the link that an address is now to be found here (§10.4.1, §11.5.5)."""
    options = (TargetLinkLayerAddress(address=link_layer_address),)
    message = NeighborAdvertisement(target=address, override=True, options=options)
    return _packet(address, ALL_NODES, message)


def announcement_by_proxy(source: IPv6Address, address: IPv6Address, link_layer_address: bytes) -> Packet:
    """Tell all nodes of the link that an address of somebody else is to be found here (§10.4.1)."""
    options = (TargetLinkLayerAddress(address=link_layer_address),)
    message = NeighborAdvertisement(target=address, override=True, options=options)
    return _packet(source, ALL_NODES, message)


def answer(address: IPv6Address, link_layer_address: bytes, asker: IPv6Address) -> Packet:
    """Answer a solicitation for an address of our own."""
    options = (TargetLinkLayerAddress(address=link_layer_address),)
    message = NeighborAdvertisement(target=address, solicited=True, override=True, options=options)
    return _packet(address, asker, message)


def answer_by_proxy(
    source: IPv6Address, address: IPv6Address, link_layer_address: bytes, asker: IPv6Address | None
) -> Packet:
    """Answer a solicitation for an address of somebody else (RFC 4861 §7.2.8); no `asker`: it tests the address."""
    options = (TargetLinkLayerAddress(address=link_layer_address),)
    message = NeighborAdvertisement(target=address, solicited=asker is not None, options=options)
    return _packet(source, ALL_NODES if asker is None else asker, message)


def _packet(source: IPv6Address, destination: IPv6Address, message: Icmpv6Message) -> Packet:
    return Packet(source=source, destination=destination, hop_limit=HOP_LIMIT, payload=message)
