"""Neighbor Discovery options, RFC 4861 §4.6 with the additions of RFC 6275 §7."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Annotated, Any, ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.fields import ADDRESS, REST, U8, U16, U32, Bit, FieldError, HeaderOctet, Reserved, Tail, octets
from lab.wire.layout import Layout, layout


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLinkLayerAddress:
    """Source Link-Layer Address, RFC 4861 §4.6.1; of Ethernet, RFC 2464 §6."""

    OPTION_TYPE: ClassVar = 1

    address: Annotated[bytes, octets(6)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetLinkLayerAddress:
    """Target Link-Layer Address, RFC 4861 §4.6.1; of Ethernet, RFC 2464 §6."""

    OPTION_TYPE: ClassVar = 2

    address: Annotated[bytes, octets(6)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixInformation:
    """Prefix Information, RFC 4861 §4.6.2 with the R bit of RFC 6275 §7.2; lifetimes in seconds.

    With `router_address` set, `prefix` holds the router's full global address.
    """

    OPTION_TYPE: ClassVar = 3

    prefix_length: Annotated[int, U8]
    on_link: Annotated[bool, Bit(0x80)] = False
    autonomous: Annotated[bool, Bit(0x40)] = False
    router_address: Annotated[bool, Bit(0x20)] = False
    valid_lifetime: Annotated[int, U32]
    preferred_lifetime: Annotated[int, U32]
    prefix: Annotated[IPv6Address, Reserved(4), ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkMtu:
    """MTU, RFC 4861 §4.6.4."""

    OPTION_TYPE: ClassVar = 5

    mtu: Annotated[int, Reserved(2), U32]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvertisementInterval:
    """Advertisement Interval, RFC 6275 §7.3; milliseconds."""

    OPTION_TYPE: ClassVar = 7

    interval: Annotated[int, Reserved(2), U32]


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentInformation:
    """Home Agent Information, RFC 6275 §7.4; `lifetime` in seconds."""

    OPTION_TYPE: ClassVar = 8

    preference: Annotated[int, Reserved(2), U16]
    lifetime: Annotated[int, U16]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNeighborOption:
    """Any other Neighbor Discovery option, or one of a length of its own; `data` is what follows type and length."""

    option_type: Annotated[int, HeaderOctet(0)]
    data: Annotated[bytes, REST]


NeighborOption: TypeAlias = (
    SourceLinkLayerAddress
    | TargetLinkLayerAddress
    | PrefixInformation
    | LinkMtu
    | AdvertisementInterval
    | HomeAgentInformation
    | UnknownNeighborOption
)

_TYPE_AND_LENGTH = 2
_KNOWN: tuple[type[Any], ...] = (
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
    PrefixInformation,
    LinkMtu,
    AdvertisementInterval,
    HomeAgentInformation,
)
_UNKNOWN = layout(UnknownNeighborOption, header=_TYPE_AND_LENGTH)
_LAYOUTS: dict[int, Layout[Any]] = {kind.OPTION_TYPE: layout(kind, header=_TYPE_AND_LENGTH) for kind in _KNOWN}


def _read(octets: bytes, at: int, end: int) -> tuple[NeighborOption, ...]:
    options = []
    while at < end:
        length = octets[at + 1] * 8 if at + 1 < end else 0
        if length == 0 or at + length > end:  # RFC 4861 §4.6
            raise WireError(MalformedReason.BAD_OPTION, f"Neighbor Discovery option {octets[at]} of length {length}")
        found = _LAYOUTS.get(octets[at], _UNKNOWN)
        if found.size != length:
            found = _UNKNOWN
        options.append(found.read(octets, at, at + length))
        at += length
    return tuple(options)


def _write(options: tuple[NeighborOption, ...], _offset: int) -> bytes:
    return b"".join(map(_write_option, options))


def _write_option(option: NeighborOption) -> bytes:
    if isinstance(option, UnknownNeighborOption):
        kind, data = option.option_type, _UNKNOWN.write(option)
    else:
        kind, data = option.OPTION_TYPE, _LAYOUTS[option.OPTION_TYPE].write(option)
    length, rest = divmod(_TYPE_AND_LENGTH + len(data), 8)
    if rest:
        raise FieldError(f"no Neighbor Discovery option can have {len(data)} octets of data")
    return bytes((kind, length)) + data


NEIGHBOR_OPTIONS = Tail(read=_read, write=_write)
"""The options at the end of a Neighbor Discovery message."""
