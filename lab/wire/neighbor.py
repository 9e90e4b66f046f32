"""Neighbor Discovery options, RFC 4861 §4.6 with the additions of RFC 6275 §7."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias


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
