"""A whole IPv6 packet: header, extension header chain, payload (RFC 8200; RFC 6275 §6.3, §6.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.wire.icmpv6 import Icmpv6Message
from lab.wire.mobility import MobilityMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressOption:
    """Home Address option, RFC 6275 §6.3."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownHeaderOption:
    """Any other option of a Hop-by-Hop or Destination Options header."""

    option_type: int
    data: bytes


HeaderOption: TypeAlias = HomeAddressOption | UnknownHeaderOption


@dataclass(frozen=True, slots=True, kw_only=True)
class HopByHopOptions:
    """Hop-by-Hop Options header, RFC 8200 §4.3."""

    options: tuple[HeaderOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationOptions:
    """Destination Options header, RFC 8200 §4.6."""

    options: tuple[HeaderOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingHeaderType2:
    """Type 2 Routing Header, RFC 6275 §6.4."""

    home_address: IPv6Address
    segments_left: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRoutingHeader:
    """A Routing header of another type; `data` is what follows Segments Left."""

    routing_type: int
    segments_left: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentHeader:
    """Fragment header, RFC 8200 §4.5; `offset` in octets."""

    offset: int
    more: bool
    identification: int


ExtensionHeader: TypeAlias = (
    HopByHopOptions | DestinationOptions | RoutingHeaderType2 | UnknownRoutingHeader | FragmentHeader
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaquePayload:
    """A payload that is not ours to read (UDP, TCP, ESP, a fragment's rest)."""

    next_header: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """An IPv6 packet. A `Packet` as payload is a tunnelled packet (RFC 2473)."""

    source: IPv6Address
    destination: IPv6Address
    payload: Payload
    headers: tuple[ExtensionHeader, ...] = ()
    hop_limit: int = 64
    traffic_class: int = 0
    flow_label: int = 0
    payload_octets: bytes = field(default=b"", compare=False, repr=False)
    """The payload as it arrived; what an authenticator is computed over (§6.2.7). Empty in packets of our own."""

    @property
    def home_address(self) -> IPv6Address | None:
        """The address in the Home Address option, if there is one (§6.3)."""
        for header in self.headers:
            if isinstance(header, DestinationOptions):
                for option in header.options:
                    if isinstance(option, HomeAddressOption):
                        return option.home_address
        return None

    @property
    def routed_home_address(self) -> IPv6Address | None:
        """The address in the type 2 routing header, if there is one (§6.4)."""
        for header in self.headers:
            if isinstance(header, RoutingHeaderType2):
                return header.home_address
        return None


Payload: TypeAlias = MobilityMessage | Icmpv6Message | Packet | OpaquePayload


def mobility_packet(
    source: IPv6Address,
    destination: IPv6Address,
    message: MobilityMessage,
    *,
    home_address: IPv6Address | None = None,
    routed_home_address: IPv6Address | None = None,
) -> Packet:
    """Make a packet that carries a mobility message, with the headers of RFC 6275 in their order.

    `home_address` goes into a Home Address option (§6.3), `routed_home_address` into a type 2 routing
    header (§6.4), which comes first (§6.3).
    """
    headers: tuple[ExtensionHeader, ...] = ()
    if routed_home_address is not None:
        headers += (RoutingHeaderType2(home_address=routed_home_address),)
    if home_address is not None:
        headers += (DestinationOptions(options=(HomeAddressOption(home_address=home_address),)),)
    return Packet(source=source, destination=destination, headers=headers, payload=message)


def parse(octets: bytes) -> Packet:
    """Read one IPv6 packet; raises `WireError` and nothing else."""
    raise NotImplementedError


def build(packet: Packet) -> bytes:
    """Write one IPv6 packet: lengths, padding, alignment and checksums included."""
    raise NotImplementedError
