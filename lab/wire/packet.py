"""A whole IPv6 packet: header, extension header chain, payload (RFC 8200; RFC 6275 §6.3, §6.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire import icmpv6, mobility
from lab.wire.fields import FieldError, read_address
from lab.wire.headers import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOME_ADDRESS_OPTION,
    HOP_BY_HOP,
    ROUTING,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HeaderOption,
    HomeAddressOption,
    HopByHopOptions,
    OptionAction,
    RoutingHeaderType2,
    UnknownHeaderOption,
    UnknownRoutingHeader,
    pseudo_addresses,
    read_headers,
    write_header,
)
from lab.wire.icmpv6 import ICMPV6, Icmpv6Message
from lab.wire.layout import maker
from lab.wire.mobility import MOBILITY_HEADER, MobilityMessage
from lab.wire.udp import UDP, Datagram, read_datagram, write_datagram

__all__ = [
    "DESTINATION_OPTIONS",
    "FRAGMENT",
    "HEADER_OCTETS",
    "HOME_ADDRESS_OPTION",
    "HOP_BY_HOP",
    "IPV6",
    "ROUTING",
    "UDP",
    "Datagram",
    "DestinationOptions",
    "ExtensionHeader",
    "FragmentHeader",
    "HeaderOption",
    "HomeAddressOption",
    "HopByHopOptions",
    "OpaquePayload",
    "OptionAction",
    "Packet",
    "Payload",
    "RoutingHeaderType2",
    "UnknownHeaderOption",
    "UnknownRoutingHeader",
    "build",
    "mobility_packet",
    "parse",
]

IPV6 = 41
"""The next header value of a packet in a packet."""
HEADER_OCTETS = 40
MAX_NESTING = 8
"""A packet within more packets than this is not ours to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpaquePayload:
    """A payload that is not ours to read (TCP, ESP, a fragment's rest, what only pretends to be UDP)."""

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


Payload: TypeAlias = MobilityMessage | Icmpv6Message | Packet | Datagram | OpaquePayload


def mobility_packet(
    source: IPv6Address,
    destination: IPv6Address,
    message: MobilityMessage | Icmpv6Message,
    *,
    home_address: IPv6Address | None = None,
    routed_home_address: IPv6Address | None = None,
) -> Packet:
    """Make a packet that carries a message of mobility, with the headers of RFC 6275 in their order.

    `home_address` goes into a Home Address option (§6.3), `routed_home_address` into a type 2 routing
    header (§6.4), which comes first (§6.3).
    """
    headers: tuple[ExtensionHeader, ...] = ()
    if routed_home_address is not None:
        headers += (RoutingHeaderType2(home_address=routed_home_address),)
    if home_address is not None:
        headers += (DestinationOptions(options=(HomeAddressOption(home_address=home_address),)),)
    return Packet(source=source, destination=destination, headers=headers, payload=message)


_FIXED_HEADER = struct.Struct("!IHBB16s16s")
_VERSION_6 = 6 << 28
_make_packet = maker(Packet)


def parse(octets: bytes) -> Packet:
    """Read one IPv6 packet; raises `WireError` and nothing else.

    What comes behind the packet (padding of Ethernet) is cut off.
    """
    return _read(octets, 0, len(octets), 0)


def build(packet: Packet) -> bytes:
    """Write one IPv6 packet: lengths, padding, alignment and checksums included.

    Raises `FieldError` where a field does not fit its place.
    """
    try:
        return _write(packet)
    except FieldError:
        raise
    except (struct.error, ValueError, TypeError, AttributeError, WireError) as error:
        raise FieldError(f"{packet!r} cannot be written: {error}") from error


def _read(octets: bytes, start: int, limit: int, depth: int) -> Packet:
    at = start + HEADER_OCTETS
    if limit < at:
        raise WireError(MalformedReason.TRUNCATED, f"{limit - start} octets are no IPv6 header")
    first, length, next_header, hop_limit, source, destination = _FIXED_HEADER.unpack_from(octets, start)
    if first & 0xF000_0000 != _VERSION_6:
        raise WireError(MalformedReason.NOT_IPV6, f"IP version {first >> 28}")
    end = at + length
    if end > limit:
        raise WireError(MalformedReason.TRUNCATED, f"payload length {length}, but {limit - at} octets are there")
    headers, next_header, at, is_readable = read_headers(octets, at, end, next_header)
    addresses = pseudo_addresses(source, destination, headers)
    payload_octets = octets[at:end]
    payload: Payload
    if next_header == MOBILITY_HEADER and is_readable:
        payload = mobility.parse_message(payload_octets, at, addresses)
    elif next_header == ICMPV6 and is_readable:
        payload = icmpv6.parse_checked_message(payload_octets, addresses)
    elif next_header == IPV6 and is_readable and depth < MAX_NESTING:
        payload = _read(octets, at, end, depth + 1)
    else:
        datagram = read_datagram(payload_octets, addresses) if next_header == UDP and is_readable else None
        payload = datagram or OpaquePayload(next_header=next_header, data=payload_octets)
    return _make_packet(
        read_address(source),
        read_address(destination),
        payload,
        tuple(headers),
        hop_limit,
        first >> 20 & 0xFF,
        first & 0xF_FFFF,
        payload_octets,
    )


def _write(packet: Packet) -> bytes:
    source, destination = packet.source.packed, packet.destination.packed
    next_header, payload = _write_payload(packet, source, destination)
    for header in reversed(packet.headers):
        next_header, octets = write_header(header, next_header)
        payload = octets + payload
    if not 0 <= packet.traffic_class <= 0xFF or not 0 <= packet.flow_label <= 0xF_FFFF:
        raise FieldError(f"no packet can have traffic class {packet.traffic_class} and flow label {packet.flow_label}")
    first = _VERSION_6 | packet.traffic_class << 20 | packet.flow_label
    return _FIXED_HEADER.pack(first, len(payload), next_header, packet.hop_limit, source, destination) + payload


def _write_payload(packet: Packet, source: bytes, destination: bytes) -> tuple[int, bytes]:
    payload = packet.payload
    if isinstance(payload, OpaquePayload):
        return payload.next_header, payload.data
    if isinstance(payload, Packet):
        return IPV6, _write(payload)
    addresses = pseudo_addresses(source, destination, packet.headers)
    if isinstance(payload, MobilityMessage):
        return MOBILITY_HEADER, mobility.build_message(payload, addresses)
    if isinstance(payload, Datagram):
        return UDP, write_datagram(payload, addresses)
    return ICMPV6, icmpv6.build_message(payload, addresses)
