"""Neighbor Discovery options, RFC 4861 §4.6 with the additions of RFC 6275 §7."""

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLinkLayerAddress:
    """Source Link-Layer Address, RFC 4861 §4.6.1."""

    OPTION_TYPE: ClassVar = 1
    address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLinkLayerAddress:
    """Target Link-Layer Address, RFC 4861 §4.6.1."""

    OPTION_TYPE: ClassVar = 2
    address: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixInformation:
    """Prefix Information, RFC 4861 §4.6.2 with the R bit of RFC 6275 §7.2; lifetimes in seconds.

    With `router_address` set, `prefix` holds the router's full global address.
    """

    OPTION_TYPE: ClassVar = 3
    prefix: IPv6Address
    prefix_length: int
    on_link: bool = False
    autonomous: bool = False
    router_address: bool = False
    valid_lifetime: int
    preferred_lifetime: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMtu:
    """MTU, RFC 4861 §4.6.4."""

    OPTION_TYPE: ClassVar = 5
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementInterval:
    """Advertisement Interval, RFC 6275 §7.3; milliseconds."""

    OPTION_TYPE: ClassVar = 7
    interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentInformation:
    """Home Agent Information, RFC 6275 §7.4; `lifetime` in seconds."""

    OPTION_TYPE: ClassVar = 8
    preference: int
    lifetime: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNeighborOption:
    """Any other Neighbor Discovery option; `data` is what follows type and length."""

    option_type: int
    data: bytes


NeighborOption: TypeAlias = (
    SourceLinkLayerAddress
    | TargetLinkLayerAddress
    | PrefixInformation
    | LinkMtu
    | AdvertisementInterval
    | HomeAgentInformation
    | UnknownNeighborOption
)

_PREFIX_INFORMATION = struct.Struct("!BBII4x16s")
_LINK_MTU = struct.Struct("!2xI")
_ADVERTISEMENT_INTERVAL = struct.Struct("!2xI")
_HOME_AGENT_INFORMATION = struct.Struct("!2xHH")
_ON_LINK, _AUTONOMOUS, _ROUTER_ADDRESS = 0x80, 0x40, 0x20


def build_options(options: tuple[NeighborOption, ...]) -> bytes:
    """Write Neighbor Discovery options one after the other."""
    written = bytearray()
    for option in options:
        kind, data = _build_option(option)
        data += bytes(-(2 + len(data)) % 8)
        written += bytes((kind, (2 + len(data)) // 8)) + data
    return bytes(written)


def parse_options(octets: bytes) -> tuple[NeighborOption, ...]:
    """Read Neighbor Discovery options; unknown ones are kept (RFC 4861 §4.6)."""
    options: list[NeighborOption] = []
    at = 0
    while at < len(octets):
        length = octets[at + 1] * 8 if at + 2 <= len(octets) else 0
        if length == 0 or at + length > len(octets):  # RFC 4861 §4.6: length 0 discards the packet
            raise WireError(MalformedReason.BAD_OPTION, f"Neighbor Discovery option {octets[at]} has a wrong length")
        options.append(_parse_option(octets[at], octets[at + 2 : at + length]))
        at += length
    return tuple(options)


def _build_option(option: NeighborOption) -> tuple[int, bytes]:
    match option:
        case SourceLinkLayerAddress(address=address):
            return 1, address
        case TargetLinkLayerAddress(address=address):
            return 2, address
        case PrefixInformation():
            flags = (
                (_ON_LINK if option.on_link else 0)
                | (_AUTONOMOUS if option.autonomous else 0)
                | (_ROUTER_ADDRESS if option.router_address else 0)
            )
            return 3, _PREFIX_INFORMATION.pack(
                option.prefix_length, flags, option.valid_lifetime, option.preferred_lifetime, option.prefix.packed
            )
        case LinkMtu(mtu=mtu):
            return 5, _LINK_MTU.pack(mtu)
        case AdvertisementInterval(interval=interval):
            return 7, _ADVERTISEMENT_INTERVAL.pack(interval)
        case HomeAgentInformation(preference=preference, lifetime=lifetime):
            return 8, _HOME_AGENT_INFORMATION.pack(preference, lifetime)
        case UnknownNeighborOption(option_type=kind, data=data):
            return kind, data


def _parse_option(kind: int, data: bytes) -> NeighborOption:
    match kind, len(data):
        case 1, 6:
            return SourceLinkLayerAddress(address=data)
        case 2, 6:
            return TargetLinkLayerAddress(address=data)
        case 3, 30:
            prefix_length, flags, valid, preferred, prefix = _PREFIX_INFORMATION.unpack(data)
            return PrefixInformation(
                prefix=IPv6Address(prefix),
                prefix_length=prefix_length,
                on_link=bool(flags & _ON_LINK),
                autonomous=bool(flags & _AUTONOMOUS),
                router_address=bool(flags & _ROUTER_ADDRESS),
                valid_lifetime=valid,
                preferred_lifetime=preferred,
            )
        case 5, 6:
            return LinkMtu(mtu=_LINK_MTU.unpack(data)[0])
        case 7, 6:
            return AdvertisementInterval(interval=_ADVERTISEMENT_INTERVAL.unpack(data)[0])
        case 8, 6:
            preference, lifetime = _HOME_AGENT_INFORMATION.unpack(data)
            return HomeAgentInformation(preference=preference, lifetime=lifetime)
        case ((3 | 5 | 7 | 8), length):
            raise WireError(MalformedReason.BAD_OPTION, f"Neighbor Discovery option {kind} of {length + 2} octets")
    return UnknownNeighborOption(option_type=kind, data=data)
