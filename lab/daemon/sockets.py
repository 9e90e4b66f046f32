"""The sockets of a node: one way to send, one way to receive mobility, one for ICMPv6, one for DHCPv6 of servers.

A kernel without IPV6_MIP6 would answer a Home Address option, a type 2 routing header or a Mobility Header with an
error. So they are hidden from it, and a packet socket takes them; ESP as well, where the node has associations. A data
plane of the kernel has payload to itself: then messages alone are taken, beside the kernel.
"""

import contextlib
import socket
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address

from lab.errors import MalformedReason, MissingError, PlaneError, WireError
from lab.netlink import ETH_P_IPV6, TUNNEL_NAMES, Netlink
from lab.plane import defence, nft, packet_filter, sysctl
from lab.plane.host import MARK, SO_MARK
from lab.plane.packet_filter import Instruction
from lab.wire import icmpv6
from lab.wire.chain import ADDED_OCTETS, ESP, PREFIX_DISCOVERY
from lab.wire.dhcpv6 import SERVER_PORT
from lab.wire.icmpv6 import ICMPV6
from lab.wire.mobility import MOBILITY_HEADER
from lab.wire.packet import (
    DESTINATION_OPTIONS,
    HEADER_OCTETS,
    HOME_ADDRESS_OPTION,
    HOP_BY_HOP,
    ROUTING,
    Datagram,
    Packet,
    build,
)

ROOM_OCTETS = 1 << 24
"""What may wait: all Binding Updates of ten thousand mobile nodes that wake at once, as the kernel counts them."""
MEMBERSHIPS = 1024
"""Of one socket: the kernel's room for them, net.core.optmem_max, is not for namespaces to change."""
_PACKET_OTHERHOST, _PACKET_OUTGOING = 3, 4
_SO_RCVBUFFORCE = 33
_IPV6_FREEBIND = 78
_ICMP6_FILTER = 1
_IPV6_JOIN_ANYCAST, _IPV6_LEAVE_ANYCAST = 27, 28
_ICMPV6_TYPES = (1, 2, 3, 4, 130, 133, 134, 135, 136, 144, 145, 146, 147)
_OPTION_AT, _ROUTING_TYPE_AT = 6, 2
"""Where, in a Destination Options header, the first Home Address option must begin (§6.3: 8n+6), and a routing type."""
_HOP_BY_HOP_OCTETS = 8
"""Hop-by-hop options may come first: of this size, which holds the one that is in use, Router Alert."""


def _hide(before: str, at: int, whole: Sequence[int]) -> str:
    """Make rules of nftables for the headers at an offset; `before` ends in the one that says which that is."""
    rules = "".join(f"\n        {before} {kind} counter drop" for kind in whole)
    return f"""{rules}
        {before} {DESTINATION_OPTIONS} @nh,{(at + _OPTION_AT) * 8},8 {HOME_ADDRESS_OPTION} counter drop
        {before} {ROUTING} @nh,{(at + _ROUTING_TYPE_AT) * 8},8 2 counter drop"""


_BEHIND_HOP_BY_HOP = f"ip6 nexthdr {HOP_BY_HOP} @nh,{(HEADER_OCTETS + 1) * 8},8 0 @nh,{HEADER_OCTETS * 8},8"


def _hiding(table: str, whole: Sequence[int]) -> str:
    """Make a table that hides headers: those of the kinds in `whole` whatever is in them."""
    return f"""
table ip6 {table} {{
    chain hide {{
        type filter hook prerouting priority -300; policy accept;
        fib daddr type != local accept
        {_hide("ip6 nexthdr", HEADER_OCTETS, whole)}
        {_hide(_BEHIND_HOP_BY_HOP, HEADER_OCTETS + _HOP_BY_HOP_OCTETS, whole)}
    }}
}}
"""


def _hide_from_kernel(table: str, whole: Sequence[int]) -> contextlib.ExitStack:
    """Hide headers from the kernel until the stack is closed; one without nftables for IPv6 will do if it has MIP6."""
    hidden = contextlib.ExitStack()
    nothing = nft.without(table)
    try:
        nft.run(nft.without(defence.TABLE) + nothing + _hiding(table, whole))  # what a crash left as well
        hidden.callback(nft.run, nothing)
    except PlaneError as error:
        if not _has_mip6():
            raise PlaneError(f"{error}; without nftables the kernel would need IPV6_MIP6") from error
        hidden.enter_context(_claim(whole))
    return hidden


def _has_mip6() -> bool:
    """Tell whether the kernel was built with IPV6_MIP6; its module need not be loaded for what we want of it."""
    try:
        return subprocess.run(["modprobe", "--dry-run", "--quiet", "mip6"], check=False).returncode == 0
    except FileNotFoundError:
        return False


def _claim(whole: Sequence[int]) -> contextlib.ExitStack:
    """Keep a kernel with IPV6_MIP6 from answering messages, until the stack is closed.

    It drops without a word a Home Address option or a type 2 routing header that no state of its own explains (§9.3.1,
    §6.4), and a raw socket, even one that takes nothing, keeps it from calling a header unrecognized.
    """
    claimed = contextlib.ExitStack()
    for kind in whole:
        taken = claimed.enter_context(_socket(socket.AF_INET6, socket.SOCK_RAW, kind))
        packet_filter.attach(taken, packet_filter.TAKE_NOTHING)
    return claimed


def _select(next_header_at: int, at: int, whole: Sequence[int]) -> tuple[Instruction, ...]:
    """Take the same by a socket's filter."""
    last = len(whole) - 1
    return (
        Instruction(packet_filter.LOAD_BYTE, 0, 0, next_header_at),
        *(Instruction(packet_filter.JUMP_IF_EQUAL, 6 + last - place, 0, kind) for place, kind in enumerate(whole)),
        Instruction(packet_filter.JUMP_IF_EQUAL, 3, 0, ROUTING),
        Instruction(packet_filter.JUMP_IF_EQUAL, 0, 5, DESTINATION_OPTIONS),
        Instruction(packet_filter.LOAD_BYTE, 0, 0, at + _OPTION_AT),
        Instruction(packet_filter.JUMP_IF_EQUAL, 2, 3, HOME_ADDRESS_OPTION),
        Instruction(packet_filter.LOAD_BYTE, 0, 0, at + _ROUTING_TYPE_AT),
        Instruction(packet_filter.JUMP_IF_EQUAL, 0, 1, 2),
        Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
        Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
    )


def _taking(whole: Sequence[int]) -> tuple[Instruction, ...]:
    """Make a filter that takes what `_hiding` hides."""
    behind_options = _select(HEADER_OCTETS, HEADER_OCTETS + _HOP_BY_HOP_OCTETS, whole)
    nothing = len(behind_options) - 1
    return (
        Instruction(packet_filter.LOAD_WORD, 0, 0, packet_filter.PACKET_TYPE),
        Instruction(packet_filter.JUMP_IF_EQUAL, nothing + 4, 0, _PACKET_OUTGOING),
        Instruction(packet_filter.LOAD_BYTE, 0, 0, 6),
        Instruction(packet_filter.JUMP_IF_EQUAL, 0, nothing + 3, HOP_BY_HOP),
        Instruction(packet_filter.LOAD_BYTE, 0, 0, HEADER_OCTETS + 1),
        Instruction(packet_filter.JUMP_IF_EQUAL, 0, nothing, 0),
        *behind_options,
        *_select(6, HEADER_OCTETS, whole),
    )


def _messages(whole: Sequence[int]) -> tuple[Instruction, ...]:
    """Make a filter that takes no payload: headers of RFC 6275 are of 24 octets, but for what is very unusual."""
    behind = (*whole, ICMPV6)
    program = [
        Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
        Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
    ]
    for at, taken in ((HEADER_OCTETS + ADDED_OCTETS, behind), (HEADER_OCTETS, behind), (6, (*whole, HOP_BY_HOP))):
        program = _judge(at, taken, program)
    return (
        Instruction(packet_filter.LOAD_WORD, 0, 0, packet_filter.PACKET_TYPE),
        Instruction(packet_filter.JUMP_IF_EQUAL, len(program) - 2, 0, _PACKET_OUTGOING),
        *program,
    )


def _judge(at: int, taken: Sequence[int], onward: list[Instruction]) -> list[Instruction]:
    """Take some kinds of headers; behind those of RFC 6275 go on, as long as there is something to go on with."""
    kinds = [*((kind, len(onward) - 1) for kind in taken), (ROUTING, 0), (DESTINATION_OPTIONS, 0)]
    jumps = [
        Instruction(packet_filter.JUMP_IF_EQUAL, len(kinds) - n + way, 0, kind) for n, (kind, way) in enumerate(kinds)
    ]
    nothing = Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING)
    return [Instruction(packet_filter.LOAD_BYTE, 0, 0, at), *jumps, nothing, *onward]


class Sender:
    """Sends whole packets, whose octets `write` makes, and is a member of multicast groups and anycast addresses."""

    def __init__(self, write: Callable[[Packet], bytes] = build) -> None:
        self._write = write
        self._socket = _socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        self._socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)  # a Home Test goes by the home agent (§9.4.3)
        # Of no protocol, so that it hears nothing.
        self._straight = _socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._members: Counter[socket.socket] = Counter({self._socket: 0})
        """Sockets with the number of their memberships: one has no room for thousands."""
        self._groups: dict[tuple[str, IPv6Address], socket.socket] = {}
        """Which of them is in which group."""
        self._indexes: dict[str, int] = {}
        """Of interfaces, for as long as they are the same: the kernel takes longer to tell than to send."""

    def forget_interfaces(self) -> None:
        """Look the indexes of interfaces up anew: there may be others of the same names."""
        self._indexes.clear()

    def send(self, packet: Packet, interface: str | None, neighbor: bytes | None = None) -> None:
        """Send a packet, see `lab.engine.io.Send`; raises OSError where the kernel does not, and `IpsecError`."""
        if interface is not None and neighbor is not None:
            self._straight.sendto(self._write(packet), (interface, ETH_P_IPV6, 0, 0, neighbor))
            return
        index = 0 if interface is None else self._index(interface)
        # The source is told beside the packet so that the rules for it choose the route (§11.3.1).
        told = struct.pack("=16sI", packet.source.packed, index)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, told)]
        to = socket.inet_ntop(socket.AF_INET6, packet.destination.packed)
        self._socket.sendmsg([self._write(packet)], ancillary, 0, (to, 0, 0, index))

    def join(self, interface: str, group: IPv6Address) -> None:
        """Receive what is sent to a group; raises OSError."""
        member = next((each for each, number in self._members.items() if number < MEMBERSHIPS), None)
        if member is None:
            member = _socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._change(member, socket.IPV6_JOIN_GROUP, interface, group)
        self._groups[interface, group] = member
        self._members[member] += 1

    def leave(self, interface: str, group: IPv6Address) -> None:
        """Undo `join`."""
        member = self._groups.pop((interface, group), self._socket)
        self._members[member] -= 1
        self._change(member, socket.IPV6_LEAVE_GROUP, interface, group)

    def join_anycast(self, interface: str, address: IPv6Address) -> None:
        """Receive what is sent to an anycast address; raises OSError.

        A kernel that took the interface down keeps the membership but not its route: it begins anew.
        """
        with contextlib.suppress(OSError):
            self._change(self._socket, _IPV6_LEAVE_ANYCAST, interface, address)
        self._change(self._socket, _IPV6_JOIN_ANYCAST, interface, address)

    def close(self) -> None:
        """End all memberships too."""
        for member in self._members:
            member.close()
        self._straight.close()

    def _change(self, member: socket.socket, option: int, interface: str, group: IPv6Address) -> None:
        """Change a membership."""
        request = group.packed + struct.pack("=I", self._index(interface))
        member.setsockopt(socket.IPPROTO_IPV6, option, request)

    def _index(self, interface: str) -> int:
        if interface not in self._indexes:
            self._indexes[interface] = socket.if_nametoindex(interface)
        return self._indexes[interface]


class MobilityReceiver:
    """Receives mobility messages and other packets that the kernel must not see, for addresses of this node.

    Where the `kernel_knows` Mobile IPv6, payload is not received, and nothing is hidden.
    """

    def __init__(
        self, netlink: Netlink, table: str = "mip6lab", *, esp: bool = False, kernel_knows: bool = False
    ) -> None:
        self._netlink = netlink
        self._own: frozenset[IPv6Address] = frozenset()
        self._forwards = sysctl.forwarding()
        self._socket = _socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, ROOM_OCTETS)
        whole = (MOBILITY_HEADER, ESP) if esp else (MOBILITY_HEADER,)
        packet_filter.attach(self._socket, _messages(whole) if kernel_knows else _taking(whole))
        self._hidden = _claim(whole) if kernel_knows else _hide_from_kernel(table, whole)

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def forget_addresses(self) -> None:
        """Look the node's addresses up anew before the next packet."""
        self._own = frozenset()

    def receive(self) -> tuple[bytes, str] | None:
        """Take one packet for this node with its interface; None if there is none."""
        while True:
            try:
                octets, address = self._socket.recvfrom(1 << 16)
            except BlockingIOError:
                return None
            if address[2] == _PACKET_OTHERHOST or len(octets) < HEADER_OCTETS:
                continue
            if address[0].startswith(TUNNEL_NAMES):
                continue  # the plane takes it out of the tunnel, where it sees the outer header (§5.5)
            if self._is_own(IPv6Address(octets[24:40])):
                return octets, str(address[0])

    def close(self) -> None:
        """Let the kernel see everything again."""
        self._socket.close()
        self._hidden.close()

    def _is_own(self, address: IPv6Address) -> bool:
        # A host is told of a new address by an answer to it sooner than by the kernel, which starts using it beside;
        # a router sees packets of others by the thousand, and its addresses do not change like that.
        missed = address not in self._own and not (address.is_multicast or self._forwards)
        if missed or not self._own:
            self._own = frozenset(entry.ip for entry in self._netlink.addresses())
        return address in self._own


class Icmpv6Receiver:
    """Receives the ICMPv6 messages that concern mobility; the kernel has verified their checksums."""

    def __init__(self) -> None:
        self._socket = _socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        blocked = bytearray(b"\xff" * 32)
        for kind in _ICMPV6_TYPES:
            word = kind >> 5
            value = struct.unpack_from("=I", blocked, 4 * word)[0] & ~(1 << (kind & 31))
            struct.pack_into("=I", blocked, 4 * word, value)
        self._socket.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, bytes(blocked))
        _tell_arrivals(self._socket)
        for option in (socket.IPV6_RECVRTHDR, socket.IPV6_RECVDSTOPTS):
            self._socket.setsockopt(socket.IPPROTO_IPV6, option, 1)

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def receive(self) -> tuple[Packet, str] | None:
        """Take one message with its interface; None if there is none; raises `WireError`."""
        while True:
            try:
                octets, ancillary, _, address = self._socket.recvmsg(1 << 16, 512)
            except BlockingIOError:
                return None
            if octets[:1] not in PREFIX_DISCOVERY or not any(_tells_of_home(*told) for told in ancillary):
                break  # otherwise `MobilityReceiver` has it too, with the header
        packet, index = _read(octets, address[0], tuple(ancillary))
        return packet, socket.if_indextoname(index)

    def close(self) -> None:
        """Receive no more."""
        self._socket.close()


class Dhcpv6Receiver:
    """Receives what DHCPv6 servers answer to a relay agent (RFC 8415 §7.2); the kernel has verified checksums."""

    def __init__(self, address: IPv6Address) -> None:
        self._socket = _socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
        _tell_arrivals(self._socket)
        try:
            self._socket.bind((str(address), SERVER_PORT))
        except OSError as error:
            self._socket.close()
            raise PlaneError(f"listen to DHCPv6 at {address}, port {SERVER_PORT}: {error.strerror}") from error

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def receive(self) -> tuple[Packet, str] | None:
        """Take one datagram with its interface; None if there is none."""
        try:
            data, ancillary, _, address = self._socket.recvmsg(1 << 16, 256)
            destination, hop_limit, index = _arrival(ancillary)
            interface = socket.if_indextoname(index)
        except OSError:  # there is none, or the interface went away between it and its name
            return None
        payload = Datagram(source_port=address[1], destination_port=SERVER_PORT, data=data)
        packet = Packet(source=_source(address[0]), destination=destination, hop_limit=hop_limit, payload=payload)
        return packet, interface

    def close(self) -> None:
        """Receive no more."""
        self._socket.close()


def _tell_arrivals(receiver: socket.socket) -> None:
    """Have a socket tell of what it receives what `_arrival` reads."""
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)


@lru_cache(maxsize=16)  # routers say the same many times a second
def _read(octets: bytes, source: str, ancillary: tuple[tuple[int, int, bytes], ...]) -> tuple[Packet, int]:
    """Read an ICMPv6 message as the kernel gives it, and the index of its interface; raises `WireError`."""
    destination, hop_limit, index = _arrival(ancillary)
    if len(octets) < icmpv6.FIXED_OCTETS:
        raise WireError(MalformedReason.TRUNCATED, f"ICMPv6 message of {len(octets)} octets")
    packet = Packet(
        source=_source(source),
        destination=destination,
        hop_limit=hop_limit,
        payload=icmpv6.parse_message(octets),
        payload_octets=octets,
    )
    return packet, index


def _arrival(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[IPv6Address, int, int]:
    """Give destination, hop limit and index of the interface of what was received."""
    told = {kind: data for level, kind, data in ancillary if level == socket.IPPROTO_IPV6}
    destination, index = struct.unpack("=16sI", told[socket.IPV6_PKTINFO])
    return IPv6Address(destination), struct.unpack("=i", told[socket.IPV6_HOPLIMIT])[0], index


def _source(address: str) -> IPv6Address:
    """Read an address, behind which the kernel names the interface of a link-local one."""
    return IPv6Address(address.partition("%")[0])


def _socket(family: int, kind: int, protocol: int) -> socket.socket:
    try:
        return socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except PermissionError as error:
        raise MissingError("a node needs raw sockets: run it as root, or with CAP_NET_RAW and CAP_NET_ADMIN") from error


def _tells_of_home(level: int, kind: int, data: bytes) -> bool:
    """Tell whether what came beside a message is a header of RFC 6275."""
    if level != socket.IPPROTO_IPV6 or kind not in (socket.IPV6_RTHDR, socket.IPV6_DSTOPTS):
        return False
    return kind == socket.IPV6_RTHDR or data[_OPTION_AT : _OPTION_AT + 1] == bytes((HOME_ADDRESS_OPTION,))
