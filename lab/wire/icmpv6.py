"""ICMPv6 messages: Neighbor Discovery, the four of RFC 6275 §6.5-§6.8, echo and errors."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias

from lab.wire.neighbor import NeighborOption


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
