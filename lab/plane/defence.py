"""Answering Neighbor Solicitations on the home link for mobile nodes that are away (RFC 6275 §10.4.1).

The kernel could do so by proxy entries. But it keeps those in sixteen lists, and joins a group for each; it goes
through them at every new entry, every packet that it forwards, every multicast packet that it hears. With a hundred
thousand, one more takes a millisecond. Here it is one more key of a dictionary.
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.engine.io import DefendAddress, StopDefending
from lab.engine.neighbor_discovery import HOP_LIMIT, answer_by_proxy
from lab.errors import PlaneError, WireError
from lab.netlink import ETH_P_IPV6, Netlink
from lab.plane import nft, packet_filter
from lab.plane.base import Watch
from lab.plane.packet_filter import Instruction
from lab.plane.proxy_entries import ProxyEntries
from lab.wire.addresses import ALL_NODES, LINK_LOCAL_PREFIX, UNSPECIFIED
from lab.wire.chain import destination
from lab.wire.icmpv6 import ICMPV6, NeighborSolicitation
from lab.wire.neighbor import SourceLinkLayerAddress
from lab.wire.packet import HEADER_OCTETS, build, parse

TABLE = "mip6lab-proxy"
_PACKETS_PER_WAKE = 64
_NEIGHBOR_SOLICITATION, _NEXT_HEADER_AT = 135, 6
_PACKET_OUTGOING = 4
_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _PACKET_MR_ALLMULTI = 263, 1, 2
_MEMBERSHIP = struct.Struct("=iHH8x")
_ALL_NODES_GROUP = bytes.fromhex("333300000001")
_SOLICITATIONS = (
    Instruction(packet_filter.LOAD_WORD, 0, 0, packet_filter.PACKET_TYPE),
    Instruction(packet_filter.JUMP_IF_EQUAL, 5, 0, _PACKET_OUTGOING),
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _NEXT_HEADER_AT),
    Instruction(packet_filter.JUMP_IF_EQUAL, 0, 3, ICMPV6),
    Instruction(packet_filter.LOAD_BYTE, 0, 0, HEADER_OCTETS),
    Instruction(packet_filter.JUMP_IF_EQUAL, 0, 1, _NEIGHBOR_SOLICITATION),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
)


def _hiding(interfaces: list[str]) -> str:
    """Make rules for what neighbours send to an address of somebody else, which they hold to be here.

    What asks for the address must not be forwarded to it; what is for a link-local one must not be forwarded at all,
    and whoever sends it is told (§10.4.2).
    """
    links = ", ".join(f'"{interface}"' for interface in interfaces)
    return f"""
table ip6 {TABLE} {{
    chain hide {{
        type filter hook prerouting priority -290; policy accept;
        iifname != {{ {links} }} accept
        fib daddr type {{ local, multicast, anycast }} accept
        icmpv6 type nd-neighbor-solicit counter drop
        ip6 daddr {LINK_LOCAL_PREFIX.supernet(new_prefix=10)} counter reject with icmpv6 type addr-unreachable
    }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _HomeLink:
    """An interface as it was when it was first needed."""

    index: int
    link_layer_address: bytes
    link_local_address: IPv6Address | None
    close: Callable[[], object]
    """Hear nobody there any more."""


def begin(watch: Watch, netlink: Netlink) -> "Defence | ProxyEntries":
    """Give what answers for others here, where the kernel has nftables for IPv6 and where not."""
    try:
        nft.run(nft.without(TABLE))
    except PlaneError:
        return ProxyEntries(netlink)
    return Defence(watch, netlink)


class Defence:
    """The addresses that are answered for, and the home links that they are on."""

    def __init__(self, watch: Watch, netlink: Netlink) -> None:
        self._watch, self._netlink = watch, netlink
        self._interfaces: dict[IPv6Address, str] = {}
        """By address."""
        self._links: dict[str, _HomeLink] = {}

    def defend(self, effect: DefendAddress) -> None:
        """Answer for an address from now on; raises `PlaneError`."""
        if effect.interface not in self._links:
            self._open(effect.interface)
        self._interfaces[effect.address] = effect.interface

    def stop(self, effect: StopDefending) -> None:
        """Undo `defend`; nothing happens where that was not done."""
        if self._interfaces.get(effect.address) == effect.interface:
            del self._interfaces[effect.address]

    def link_of(self, address: IPv6Address) -> int | None:
        """Give the index of the interface on which an address is defended, its home link."""
        interface = self._interfaces.get(address)
        return None if interface is None else self._links[interface].index

    def restore(self, interface: str) -> None:
        """Go on with an interface that was taken down, or with another of the same name; raises `PlaneError`."""
        if (before := self._links.get(interface)) is not None:
            self._open(interface)
            before.close()

    def close(self) -> None:
        """Answer for nobody any more; may be called twice."""
        for link in self._links.values():
            link.close()
        if self._links:
            with contextlib.suppress(PlaneError):
                nft.run(nft.without(TABLE))
        self._links.clear()
        self._interfaces.clear()

    def _open(self, interface: str) -> None:
        link = self._netlink.link(interface)
        own = [entry.ip for entry in self._netlink.addresses(link.index) if entry.ip in LINK_LOCAL_PREFIX]
        with contextlib.ExitStack() as failing:
            inlet = failing.enter_context(_socket(interface, link.index))
            nft.run(nft.without(TABLE) + _hiding(sorted({*self._links, interface})))
            failing.callback(self._watch(inlet.fileno(), lambda: self._receive(interface, inlet)))
            closing = failing.pop_all()
        self._links[interface] = _HomeLink(
            index=link.index,
            link_layer_address=link.link_layer_address,
            link_local_address=own[0] if own else None,
            close=closing.close,
        )

    def _receive(self, interface: str, inlet: socket.socket) -> None:
        for _ in range(_PACKETS_PER_WAKE):
            try:
                octets, address = inlet.recvfrom(1 << 16)
            except OSError:  # nothing more, or the link is down
                return
            answer = self._answer(octets, interface)
            if answer is not None:
                to = _ALL_NODES_GROUP if destination(answer) == ALL_NODES.packed else address[4]
                with contextlib.suppress(OSError):  # as if it had been lost on the link
                    inlet.sendto(answer, (interface, ETH_P_IPV6, 0, 0, to))

    def _answer(self, octets: bytes, interface: str) -> bytes | None:
        """Give the advertisement that answers a packet, if one does."""
        try:
            packet = parse(octets)
        except WireError:
            return None
        message = packet.payload
        if not isinstance(message, NeighborSolicitation) or packet.hop_limit != HOP_LIMIT:
            return None
        if self._interfaces.get(message.target) != interface:
            return None
        if packet.source == UNSPECIFIED and (  # RFC 4861 §7.1.1
            not packet.destination.is_multicast
            or any(isinstance(option, SourceLinkLayerAddress) for option in message.options)
        ):
            return None
        link = self._links[interface]
        source = link.link_local_address or message.target
        asker = None if packet.source == UNSPECIFIED else packet.source
        return build(answer_by_proxy(source, message.target, link.link_layer_address, asker))


def _socket(interface: str, index: int) -> socket.socket:
    """Open a socket that hears every solicitation on a link, whatever group it is sent to."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        made = socket.socket(socket.AF_PACKET, kind, 0)  # of no protocol, so that nothing comes in before the filter
        packet_filter.attach(made, _SOLICITATIONS)
        made.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, _MEMBERSHIP.pack(index, _PACKET_MR_ALLMULTI, 0))
        made.bind((interface, ETH_P_IPV6))
    except OSError as error:
        raise PlaneError(f"listen for neighbours on {interface}: {error.strerror}") from error
    return made
