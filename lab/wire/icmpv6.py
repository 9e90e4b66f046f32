"""ICMPv6 messages: Neighbor Discovery, MLD, the four of RFC 6275 §6.5-§6.8, echo and errors."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Annotated, Any, ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.checksum import checksum
from lab.wire.fields import (
    ADDRESS,
    ADDRESSES,
    REST,
    U8,
    U16,
    U32,
    Bit,
    HeaderOctet,
    Reserved,
)
from lab.wire.layout import Layout, layout
from lab.wire.multicast_listener import (
    FIRST_VERSION_OCTETS,
    MulticastListenerDone,
    MulticastListenerQuery,
    MulticastListenerReport,
    MulticastListenerReportV1,
)
from lab.wire.neighbor import NEIGHBOR_OPTIONS, NeighborOption

ICMPV6 = 58
"""The next header value of ICMPv6."""
FIXED_OCTETS = 4
"""Type, code and checksum, before the body."""
UNRECOGNIZED_NEXT_HEADER, UNRECOGNIZED_OPTION = 1, 2
"""Codes of a Parameter Problem (RFC 4443 §3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationUnreachable:
    """Destination Unreachable, RFC 4443 §3.1; `invoking` starts with the packet at fault."""

    ICMPV6_TYPE: ClassVar = 1

    code: Annotated[int, HeaderOctet(1)]
    invoking: Annotated[bytes, Reserved(4), REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTooBig:
    """Packet Too Big, RFC 4443 §3.2."""

    ICMPV6_TYPE: ClassVar = 2

    mtu: Annotated[int, U32]
    invoking: Annotated[bytes, REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExceeded:
    """Time Exceeded, RFC 4443 §3.3."""

    ICMPV6_TYPE: ClassVar = 3

    code: Annotated[int, HeaderOctet(1)]
    invoking: Annotated[bytes, Reserved(4), REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterProblem:
    """Parameter Problem, RFC 4443 §3.4."""

    ICMPV6_TYPE: ClassVar = 4

    code: Annotated[int, HeaderOctet(1)]
    pointer: Annotated[int, U32]
    invoking: Annotated[bytes, REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRequest:
    """Echo Request, RFC 4443 §4.1."""

    ICMPV6_TYPE: ClassVar = 128

    identifier: Annotated[int, U16]
    sequence: Annotated[int, U16]
    data: Annotated[bytes, REST] = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoReply:
    """Echo Reply, RFC 4443 §4.2."""

    ICMPV6_TYPE: ClassVar = 129

    identifier: Annotated[int, U16]
    sequence: Annotated[int, U16]
    data: Annotated[bytes, REST] = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSolicitation:
    """Router Solicitation, RFC 4861 §4.1."""

    ICMPV6_TYPE: ClassVar = 133

    options: Annotated[tuple[NeighborOption, ...], Reserved(4), NEIGHBOR_OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterAdvertisement:
    """Router Advertisement, RFC 4861 §4.2 with the H bit of RFC 6275 §7.1.

    `router_lifetime` in seconds; `reachable_time` and `retrans_timer` in milliseconds.
    """

    ICMPV6_TYPE: ClassVar = 134

    cur_hop_limit: Annotated[int, U8] = 64
    managed: Annotated[bool, Bit(0x80)] = False
    other: Annotated[bool, Bit(0x40)] = False
    home_agent: Annotated[bool, Bit(0x20)] = False
    router_lifetime: Annotated[int, U16]
    reachable_time: Annotated[int, U32] = 0
    retrans_timer: Annotated[int, U32] = 0
    options: Annotated[tuple[NeighborOption, ...], NEIGHBOR_OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborSolicitation:
    """Neighbor Solicitation, RFC 4861 §4.3."""

    ICMPV6_TYPE: ClassVar = 135

    target: Annotated[IPv6Address, Reserved(4), ADDRESS]
    options: Annotated[tuple[NeighborOption, ...], NEIGHBOR_OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborAdvertisement:
    """Neighbor Advertisement, RFC 4861 §4.4."""

    ICMPV6_TYPE: ClassVar = 136

    router: Annotated[bool, Bit(0x80)] = False
    solicited: Annotated[bool, Bit(0x40)] = False
    override: Annotated[bool, Bit(0x20)] = False
    target: Annotated[IPv6Address, Reserved(3), ADDRESS]
    options: Annotated[tuple[NeighborOption, ...], NEIGHBOR_OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentAddressDiscoveryRequest:
    """Home Agent Address Discovery Request, RFC 6275 §6.5."""

    ICMPV6_TYPE: ClassVar = 144

    identifier: Annotated[int, U16, Reserved(2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentAddressDiscoveryReply:
    """Home Agent Address Discovery Reply, RFC 6275 §6.6."""

    ICMPV6_TYPE: ClassVar = 145

    identifier: Annotated[int, U16]
    addresses: Annotated[tuple[IPv6Address, ...], Reserved(2), ADDRESSES]


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilePrefixSolicitation:
    """Mobile Prefix Solicitation, RFC 6275 §6.7."""

    ICMPV6_TYPE: ClassVar = 146

    identifier: Annotated[int, U16, Reserved(2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilePrefixAdvertisement:
    """Mobile Prefix Advertisement, RFC 6275 §6.8."""

    ICMPV6_TYPE: ClassVar = 147

    identifier: Annotated[int, U16]
    managed: Annotated[bool, Bit(0x80)] = False
    other: Annotated[bool, Bit(0x40)] = False
    options: Annotated[tuple[NeighborOption, ...], Reserved(1), NEIGHBOR_OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownIcmpv6Message:
    """Any other ICMPv6 message, or one of a code that its type does not define, or an MLDv1 query.

    `body` follows the checksum.
    """

    icmpv6_type: Annotated[int, HeaderOctet(0)]
    code: Annotated[int, HeaderOctet(1)]
    body: Annotated[bytes, REST]


Icmpv6Message: TypeAlias = (
    DestinationUnreachable
    | PacketTooBig
    | TimeExceeded
    | ParameterProblem
    | EchoRequest
    | EchoReply
    | MulticastListenerQuery
    | MulticastListenerReportV1
    | MulticastListenerDone
    | MulticastListenerReport
    | RouterSolicitation
    | RouterAdvertisement
    | NeighborSolicitation
    | NeighborAdvertisement
    | HomeAgentAddressDiscoveryRequest
    | HomeAgentAddressDiscoveryReply
    | MobilePrefixSolicitation
    | MobilePrefixAdvertisement
    | UnknownIcmpv6Message
)

_WITHOUT_CODE: tuple[type[Any], ...] = (
    PacketTooBig,
    EchoRequest,
    EchoReply,
    MulticastListenerQuery,
    MulticastListenerReportV1,
    MulticastListenerDone,
    MulticastListenerReport,
    RouterSolicitation,
    RouterAdvertisement,
    NeighborSolicitation,
    NeighborAdvertisement,
    HomeAgentAddressDiscoveryRequest,
    HomeAgentAddressDiscoveryReply,
    MobilePrefixSolicitation,
    MobilePrefixAdvertisement,
)
_WITH_CODE: tuple[type[Any], ...] = (DestinationUnreachable, TimeExceeded, ParameterProblem)
_UNKNOWN = layout(UnknownIcmpv6Message, header=FIXED_OCTETS)
_LAYOUTS: dict[int, Layout[Any]] = {
    kind.ICMPV6_TYPE: layout(kind, header=FIXED_OCTETS) for kind in _WITH_CODE + _WITHOUT_CODE
}
_CODE_IS_ZERO = {kind.ICMPV6_TYPE for kind in _WITHOUT_CODE}


def parse_message(octets: bytes) -> Icmpv6Message:
    """Read an ICMPv6 message whose checksum is right."""
    if len(octets) < FIXED_OCTETS:
        raise WireError(MalformedReason.TRUNCATED, f"an ICMPv6 message of {len(octets)} octets")
    kind, code = octets[0], octets[1]
    first_version = kind == MulticastListenerQuery.ICMPV6_TYPE and len(octets) == FIRST_VERSION_OCTETS
    unknown = first_version or (code and kind in _CODE_IS_ZERO)
    found = _UNKNOWN if unknown else _LAYOUTS.get(kind, _UNKNOWN)
    if len(octets) < found.size:
        raise WireError(MalformedReason.BAD_LENGTH, f"ICMPv6 type {kind} of {len(octets)} octets")
    message: Icmpv6Message = found.read(octets, 0, len(octets))
    return message


def parse_checked_message(octets: bytes, addresses: int) -> Icmpv6Message:
    """Read an ICMPv6 message, its checksum first; `addresses` is from `pseudo_addresses`."""
    if checksum(addresses, ICMPV6, octets):
        raise WireError(MalformedReason.BAD_CHECKSUM, "the checksum of the ICMPv6 message is wrong")
    return parse_message(octets)


def build_message(message: Icmpv6Message, addresses: int) -> bytes:
    """Write a whole ICMPv6 message; `addresses` is from `pseudo_addresses`."""
    if isinstance(message, UnknownIcmpv6Message):
        kind, code, body = message.icmpv6_type, message.code, _UNKNOWN.write(message)
    else:
        kind, code = message.ICMPV6_TYPE, getattr(message, "code", 0)
        body = _LAYOUTS[kind].write(message)
    fixed = bytes((kind, code))
    return fixed + checksum(addresses, ICMPV6, fixed + b"\0\0" + body).to_bytes(2, "big") + body
