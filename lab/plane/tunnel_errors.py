"""ICMPv6 errors about tunnel packets, told to who sent what is in them (RFC 2473 §8; RFC 6275 §10.4.2)."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.constants import MINIMUM_MTU
from lab.wire.chain import destination, source, walk
from lab.wire.icmpv6 import ICMPV6, DestinationUnreachable, PacketTooBig, TimeExceeded
from lab.wire.packet import HEADER_OCTETS, IPV6, Packet

ADDRESS_UNREACHABLE = 3
_FIRST_INFORMATION = 128
"""ICMPv6 types from here on are no errors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnelled:
    """The packet in a tunnel packet that invoked an error, as far as it is there."""

    local: bytes
    remote: bytes
    """The ends of the tunnel."""
    packet: bytes


def tunnelled(error: Packet) -> Tunnelled | None:
    """Find the packet that whoever sent it can be told of; None if there is none.

    Errors answer no errors, and nobody that is not one node (RFC 4443 §2.4 e).
    """
    invoking = getattr(error.payload, "invoking", b"")
    if len(invoking) < 2 * HEADER_OCTETS or invoking[6] != IPV6:
        return None
    packet = invoking[HEADER_OCTETS:]
    chain, sender = walk(packet), IPv6Address(source(packet))
    if chain is None or sender.is_multicast or sender.is_unspecified or IPv6Address(destination(packet)).is_multicast:
        return None
    if chain.next_header == ICMPV6 and packet[chain.at : chain.at + 1] < bytes((_FIRST_INFORMATION,)):
        return None
    return Tunnelled(local=source(invoking), remote=destination(invoking), packet=packet)


def relayed(error: Packet, packet: bytes, reporter: IPv6Address) -> Packet | None:
    """Say what an error means for a packet that was in the tunnel; None where that is nothing for its sender.

    What ends a packet in the tunnel is for its sender one link that does not work (RFC 2473 §8.2). Parameter Problems
    are passed on about a Tunnel Encapsulation Limit alone, which these tunnels do not put in.
    """
    report: DestinationUnreachable | PacketTooBig
    match error.payload:
        case DestinationUnreachable() | TimeExceeded():
            report = DestinationUnreachable(code=ADDRESS_UNREACHABLE, invoking=packet)
        case PacketTooBig(mtu=mtu) if HEADER_OCTETS + int.from_bytes(packet[4:6], "big") > MINIMUM_MTU:
            report = PacketTooBig(mtu=max(mtu - HEADER_OCTETS, MINIMUM_MTU), invoking=packet)
        case _:
            return None
    return Packet(source=reporter, destination=IPv6Address(source(packet)), payload=report)
