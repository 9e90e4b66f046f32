"""Multicast of the home link for mobile nodes that are away: who listens to which group (RFC 6275 §10.4.2)."""

import socket
from collections.abc import Callable
from ipaddress import IPv6Address

from lab.errors import PlaneError
from lab.plane import packet_filter
from lab.plane.base import Watch
from lab.plane.packet_filter import Instruction
from lab.wire.addresses import LINK_LOCAL_PREFIX, is_wider_than_link
from lab.wire.chain import destination, source, walk
from lab.wire.icmpv6 import ICMPV6
from lab.wire.multicast_listener import MULTICAST_LISTENER_TYPES

MULTICAST = 0xFF
_ETH_P_IPV6 = 0x86DD
_HOP_LIMIT, _FIRST_OCTET, _SCOPE_OCTET, _SCOPE, _LINK_SCOPE = 7, 24, 25, 0xF, 2
_PACKETS_PER_WAKE = 64
_WIDER_THAN_LINK = (
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _FIRST_OCTET),
    Instruction(packet_filter.JUMP_IF_EQUAL, 0, 4, MULTICAST),
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _SCOPE_OCTET),
    Instruction(packet_filter.AND, 0, 0, _SCOPE),
    Instruction(packet_filter.JUMP_IF_GREATER, 0, 1, _LINK_SCOPE),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
)


def is_listener_discovery(packet: bytes) -> bool:
    """Tell whether a packet is Multicast Listener Discovery (RFC 3810 §5: hop limit 1)."""
    chain = walk(packet)
    if chain is None or chain.next_header != ICMPV6 or packet[_HOP_LIMIT] != 1:
        return False
    return packet[chain.at : chain.at + 1] in _TYPES


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
                packet = inlet.recv(1 << 16)
            except OSError:  # nothing more, or the link is down
                return
            if destination(packet) in self._listeners:
                self._take(packet)


def _open(interface: str) -> socket.socket:
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        inlet = socket.socket(socket.AF_PACKET, kind, 0)  # of no protocol, so that nothing comes in before the filter
        packet_filter.attach(inlet, _WIDER_THAN_LINK)
        inlet.bind((interface, _ETH_P_IPV6))
    except OSError as error:
        raise PlaneError(f"listen to multicast on {interface}: {error.strerror}") from error
    return inlet
