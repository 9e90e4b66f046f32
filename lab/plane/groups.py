"""Multicast of the home link for mobile nodes that are away: who listens to which group (RFC 6275 §10.4.2)."""

import socket
import struct
from collections.abc import Callable
from ipaddress import IPv6Address

from lab.errors import PlaneError, WireError
from lab.netlink import ETH_P_IPV6
from lab.plane import packet_filter
from lab.plane.base import Watch
from lab.plane.packet_filter import Instruction
from lab.wire.addresses import LINK_LOCAL_PREFIX, is_wider_than_link
from lab.wire.chain import destination, source, walk
from lab.wire.checksum import checksum
from lab.wire.icmpv6 import ICMPV6
from lab.wire.multicast_listener import MULTICAST_LISTENER_TYPES, groups_of
from lab.wire.packet import HEADER_OCTETS, UDP, parse

MULTICAST = 0xFF
_HOP_LIMIT, _FIRST_OCTET, _SCOPE_OCTET, _SCOPE, _LINK_SCOPE = 7, 24, 25, 0xF, 2
_PACKETS_PER_WAKE = 64
_SOL_PACKET, _PACKET_AUXDATA, _CHECKSUM_NOT_READY = 263, 8, 0x8
_AUXILIARY = struct.Struct("=I16x")
"""The status of a packet, and what is of no use here."""
_UDP_CHECKSUM_AT = 6
_WIDER_THAN_LINK = (
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _FIRST_OCTET),
    Instruction(packet_filter.JUMP_IF_EQUAL, 0, 4, MULTICAST),
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _SCOPE_OCTET),
    Instruction(packet_filter.AND, 0, 0, _SCOPE),
    Instruction(packet_filter.JUMP_IF_GREATER, 0, 1, _LINK_SCOPE),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
)


def is_multicast(packet: bytes) -> bool:
    """Tell whether a packet is for a group, and as long as an IPv6 header."""
    return len(packet) >= HEADER_OCTETS and packet[_FIRST_OCTET] == MULTICAST


def is_listener_discovery(packet: bytes) -> bool:
    """Tell whether a packet is Multicast Listener Discovery (RFC 3810 §5: hop limit 1)."""
    chain = walk(packet)
    if chain is None or chain.next_header != ICMPV6 or packet[_HOP_LIMIT] != 1:
        return False
    return packet[chain.at : chain.at + 1] in _TYPES


def concerns_more_than_link(packet: bytes) -> bool:
    """Tell whether a listener says something of a group that may be forwarded: all others are of no interest afar."""
    try:
        groups = groups_of(parse(packet).payload)
    except WireError:
        return False
    return any(is_wider_than_link(group.packed) for group in groups)


_TYPES = frozenset(bytes((kind,)) for kind in MULTICAST_LISTENER_TYPES)


def onward(packet: bytes) -> bytes | None:
    """Give a multicast packet as a router forwards it; None if it goes no further than its link."""
    beyond = is_wider_than_link(destination(packet)) and IPv6Address(source(packet)) not in LINK_LOCAL_PREFIX
    if not beyond or packet[_HOP_LIMIT] <= 1:
        return None
    return packet[:_HOP_LIMIT] + bytes((packet[_HOP_LIMIT] - 1,)) + packet[_HOP_LIMIT + 1 :]


class Groups:
    """Listens on home links to what mobile nodes listen to; `take` gets each packet of their groups."""

    def __init__(self, watch: Watch, take: Callable[[bytes], None]) -> None:
        self._watch, self._take = watch, take
        self._links: dict[str, socket.socket] = {}
        self._listeners: dict[bytes, set[bytes]] = {}
        """Home addresses by group."""

    def add(self, interface: str, home_address: IPv6Address, group: IPv6Address) -> None:
        """Let a home address listen to a group; raises `PlaneError`."""
        if interface not in self._links:
            inlet = _open(interface)
            self._links[interface] = inlet
            self._watch(inlet.fileno(), lambda: self._receive(inlet))
        self._listeners.setdefault(group.packed, set()).add(home_address.packed)

    def remove(self, home_address: IPv6Address, group: IPv6Address) -> None:
        """Undo `add`; nothing happens where that was not done."""
        listeners = self._listeners.get(group.packed, set())
        listeners.discard(home_address.packed)
        if not listeners:
            self._listeners.pop(group.packed, None)

    def listeners(self, packet: bytes) -> list[bytes]:
        """Give the home addresses that listen to a packet, but for the one that sent it."""
        return sorted(self._listeners.get(destination(packet), set()) - {source(packet)})

    def close(self) -> None:
        """Listen no more; may be called twice."""
        for inlet in self._links.values():
            inlet.close()
        self._links.clear()
        self._listeners.clear()

    def _receive(self, inlet: socket.socket) -> None:
        for _ in range(_PACKETS_PER_WAKE):
            try:
                packet, ancillary, _, _ = inlet.recvmsg(1 << 16, socket.CMSG_SPACE(_AUXILIARY.size))
            except OSError:  # nothing more, or the link is down
                return
            if destination(packet) in self._listeners:
                status = _AUXILIARY.unpack_from(ancillary[0][2])[0] if ancillary else 0
                self._take(_completed(packet) if status & _CHECKSUM_NOT_READY else packet)


def _completed(packet: bytes) -> bytes:
    """Compute the checksum of a datagram, which a neighbour on the same machine leaves to an interface of hardware."""
    chain = walk(packet)
    if chain is None or chain.next_header != UDP:
        return packet
    at = chain.at + _UDP_CHECKSUM_AT
    blank = packet[:at] + bytes(2) + packet[at + 2 :]
    addresses = int.from_bytes(source(packet) + destination(packet), "big")
    computed = checksum(addresses, UDP, blank[chain.at :]) or 0xFFFF  # RFC 8200 §8.1
    return packet[:at] + computed.to_bytes(2, "big") + packet[at + 2 :]


def _open(interface: str) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        inlet = socket.socket(socket.AF_PACKET, kind, 0)  # of no protocol, so that nothing comes in before the filter
        packet_filter.attach(inlet, _WIDER_THAN_LINK)
        inlet.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        inlet.bind((interface, ETH_P_IPV6))
    except OSError as error:
        raise PlaneError(f"listen to multicast on {interface}: {error.strerror}") from error
    return inlet
