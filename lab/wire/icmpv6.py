"""ICMPv6 messages: Neighbor Discovery, the four of RFC 6275 §6.5-§6.8, echo and errors."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, ClassVar, NamedTuple, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.neighbor import NeighborOption, build_options, parse_options

ICMPV6 = 58
"""The next header value of ICMPv6."""
FIXED_OCTETS = 4
"""Type, code and checksum, before the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationUnreachable:
    """Destination Unreachable, RFC 4443 §3.1; `invoking` starts with the packet at fault."""

    ICMPV6_TYPE: ClassVar = 1
    code: int
    invoking: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTooBig:
    """Packet Too Big, RFC 4443 §3.2."""

    ICMPV6_TYPE: ClassVar = 2
    mtu: int
    invoking: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeExceeded:
    """Time Exceeded, RFC 4443 §3.3."""

    ICMPV6_TYPE: ClassVar = 3
    code: int
    invoking: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterProblem:
    """Parameter Problem, RFC 4443 §3.4."""

    ICMPV6_TYPE: ClassVar = 4
    code: int
    pointer: int
    invoking: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoRequest:
    """Echo Request, RFC 4443 §4.1."""

    ICMPV6_TYPE: ClassVar = 128
    identifier: int
    sequence: int
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class EchoReply:
    """Echo Reply, RFC 4443 §4.2."""

    ICMPV6_TYPE: ClassVar = 129
    identifier: int
    sequence: int
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterSolicitation:
    """Router Solicitation, RFC 4861 §4.1."""

    ICMPV6_TYPE: ClassVar = 133
    options: tuple[NeighborOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterAdvertisement:
    """Router Advertisement, RFC 4861 §4.2 with the H bit of RFC 6275 §7.1.

    `router_lifetime` in seconds; `reachable_time` and `retrans_timer` in milliseconds.
    """

    ICMPV6_TYPE: ClassVar = 134
    cur_hop_limit: int = 64
    managed: bool = False
    other: bool = False
    home_agent: bool = False
    router_lifetime: int
    reachable_time: int = 0
    retrans_timer: int = 0
    options: tuple[NeighborOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborSolicitation:
    """Neighbor Solicitation, RFC 4861 §4.3."""

    ICMPV6_TYPE: ClassVar = 135
    target: IPv6Address
    options: tuple[NeighborOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighborAdvertisement:
    """Neighbor Advertisement, RFC 4861 §4.4."""

    ICMPV6_TYPE: ClassVar = 136
    router: bool = False
    solicited: bool = False
    override: bool = False
    target: IPv6Address
    options: tuple[NeighborOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentAddressDiscoveryRequest:
    """Home Agent Address Discovery Request, RFC 6275 §6.5."""

    ICMPV6_TYPE: ClassVar = 144
    identifier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentAddressDiscoveryReply:
    """Home Agent Address Discovery Reply, RFC 6275 §6.6."""

    ICMPV6_TYPE: ClassVar = 145
    identifier: int
    addresses: tuple[IPv6Address, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilePrefixSolicitation:
    """Mobile Prefix Solicitation, RFC 6275 §6.7."""

    ICMPV6_TYPE: ClassVar = 146
    identifier: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MobilePrefixAdvertisement:
    """Mobile Prefix Advertisement, RFC 6275 §6.8."""

    ICMPV6_TYPE: ClassVar = 147
    identifier: int
    managed: bool = False
    other: bool = False
    options: tuple[NeighborOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownIcmpv6Message:
    """Any other ICMPv6 message; `body` is what follows the checksum."""

    icmpv6_type: int
    code: int
    body: bytes


Icmpv6Message: TypeAlias = (
    DestinationUnreachable
    | PacketTooBig
    | TimeExceeded
    | ParameterProblem
    | EchoRequest
    | EchoReply
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


class _Layout(NamedTuple):
    """How the body of one type lies on the wire: fixed fields, then a tail of options, addresses or octets."""

    fixed: struct.Struct
    pack: Callable[[Any], tuple[tuple[Any, ...], bytes]]
    unpack: Callable[[int, tuple[Any, ...], bytes], Icmpv6Message]


def _addresses(octets: bytes) -> tuple[IPv6Address, ...]:
    if len(octets) % 16:
        raise WireError(MalformedReason.BAD_LENGTH, f"{len(octets)} octets are no list of addresses")
    return tuple(IPv6Address(octets[at : at + 16]) for at in range(0, len(octets), 16))


_MANAGED, _OTHER, _HOME_AGENT = 0x80, 0x40, 0x20
_ROUTER, _SOLICITED, _OVERRIDE = 0x80000000, 0x40000000, 0x20000000


def _configuration_flags(message: Any) -> int:
    return (_MANAGED if message.managed else 0) | (_OTHER if message.other else 0)


_LAYOUTS: dict[int, _Layout] = {
    1: _Layout(
        struct.Struct("!4x"),
        lambda message: ((), message.invoking),
        lambda code, fixed, tail: DestinationUnreachable(code=code, invoking=tail),
    ),
    2: _Layout(
        struct.Struct("!I"),
        lambda message: ((message.mtu,), message.invoking),
        lambda code, fixed, tail: PacketTooBig(mtu=fixed[0], invoking=tail),
    ),
    3: _Layout(
        struct.Struct("!4x"),
        lambda message: ((), message.invoking),
        lambda code, fixed, tail: TimeExceeded(code=code, invoking=tail),
    ),
    4: _Layout(
        struct.Struct("!I"),
        lambda message: ((message.pointer,), message.invoking),
        lambda code, fixed, tail: ParameterProblem(code=code, pointer=fixed[0], invoking=tail),
    ),
    128: _Layout(
        struct.Struct("!HH"),
        lambda message: ((message.identifier, message.sequence), message.data),
        lambda code, fixed, tail: EchoRequest(identifier=fixed[0], sequence=fixed[1], data=tail),
    ),
    129: _Layout(
        struct.Struct("!HH"),
        lambda message: ((message.identifier, message.sequence), message.data),
        lambda code, fixed, tail: EchoReply(identifier=fixed[0], sequence=fixed[1], data=tail),
    ),
    133: _Layout(
        struct.Struct("!4x"),
        lambda message: ((), build_options(message.options)),
        lambda code, fixed, tail: RouterSolicitation(options=parse_options(tail)),
    ),
    134: _Layout(
        struct.Struct("!BBHII"),
        lambda message: (
            (
                message.cur_hop_limit,
                _configuration_flags(message) | (_HOME_AGENT if message.home_agent else 0),
                message.router_lifetime,
                message.reachable_time,
                message.retrans_timer,
            ),
            build_options(message.options),
        ),
        lambda code, fixed, tail: RouterAdvertisement(
            cur_hop_limit=fixed[0],
            managed=bool(fixed[1] & _MANAGED),
            other=bool(fixed[1] & _OTHER),
            home_agent=bool(fixed[1] & _HOME_AGENT),
            router_lifetime=fixed[2],
            reachable_time=fixed[3],
            retrans_timer=fixed[4],
            options=parse_options(tail),
        ),
    ),
    135: _Layout(
        struct.Struct("!4x16s"),
        lambda message: ((message.target.packed,), build_options(message.options)),
        lambda code, fixed, tail: NeighborSolicitation(target=IPv6Address(fixed[0]), options=parse_options(tail)),
    ),
    136: _Layout(
        struct.Struct("!I16s"),
        lambda message: (
            (
                (_ROUTER if message.router else 0)
                | (_SOLICITED if message.solicited else 0)
                | (_OVERRIDE if message.override else 0),
                message.target.packed,
            ),
            build_options(message.options),
        ),
        lambda code, fixed, tail: NeighborAdvertisement(
            router=bool(fixed[0] & _ROUTER),
            solicited=bool(fixed[0] & _SOLICITED),
            override=bool(fixed[0] & _OVERRIDE),
            target=IPv6Address(fixed[1]),
            options=parse_options(tail),
        ),
    ),
    144: _Layout(
        struct.Struct("!H2x"),
        lambda message: ((message.identifier,), b""),
        lambda code, fixed, tail: HomeAgentAddressDiscoveryRequest(identifier=fixed[0]),
    ),
    145: _Layout(
        struct.Struct("!H10x"),
        lambda message: ((message.identifier,), b"".join(address.packed for address in message.addresses)),
        lambda code, fixed, tail: HomeAgentAddressDiscoveryReply(identifier=fixed[0], addresses=_addresses(tail)),
    ),
    146: _Layout(
        struct.Struct("!H2x"),
        lambda message: ((message.identifier,), b""),
        lambda code, fixed, tail: MobilePrefixSolicitation(identifier=fixed[0]),
    ),
    147: _Layout(
        struct.Struct("!HBx"),
        lambda message: ((message.identifier, _configuration_flags(message)), build_options(message.options)),
        lambda code, fixed, tail: MobilePrefixAdvertisement(
            identifier=fixed[0],
            managed=bool(fixed[1] & _MANAGED),
            other=bool(fixed[1] & _OTHER),
            options=parse_options(tail),
        ),
    ),
}
_CODED = (DestinationUnreachable, TimeExceeded, ParameterProblem)


def build_message(message: Icmpv6Message) -> bytes:
    """Write a whole ICMPv6 message, its checksum field zero."""
    if isinstance(message, UnknownIcmpv6Message):
        return bytes((message.icmpv6_type, message.code, 0, 0)) + message.body
    layout = _LAYOUTS[message.ICMPV6_TYPE]
    fixed, tail = layout.pack(message)
    code = message.code if isinstance(message, _CODED) else 0
    return bytes((message.ICMPV6_TYPE, code, 0, 0)) + layout.fixed.pack(*fixed) + tail


def parse_message(octets: bytes) -> Icmpv6Message:
    """Read an ICMPv6 message whose checksum is right."""
    kind, code = octets[0], octets[1]
    layout = _LAYOUTS.get(kind)
    if layout is None:
        return UnknownIcmpv6Message(icmpv6_type=kind, code=code, body=octets[FIXED_OCTETS:])
    end = FIXED_OCTETS + layout.fixed.size
    if len(octets) < end:
        raise WireError(MalformedReason.MESSAGE_TOO_SHORT, f"ICMPv6 type {kind} of {len(octets)} octets")
    return layout.unpack(code, layout.fixed.unpack_from(octets, FIXED_OCTETS), octets[end:])
