"""A whole IPv6 packet: header, extension header chain, payload (RFC 8200; RFC 6275 §6.3, §6.4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire import icmpv6, mobility
from lab.wire.checksum import checksum
from lab.wire.icmpv6 import ICMPV6, Icmpv6Message
from lab.wire.mobility import MOBILITY_HEADER, MobilityMessage

HOP_BY_HOP, IPV6, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 41, 43, 44, 60
HEADER_OCTETS = 40
HOME_ADDRESS_OPTION = 0xC9
MAX_NESTING = 8
"""Packets in packets beyond this depth are not ours to read."""


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


_FIXED_HEADER = struct.Struct("!IHBB16s16s")
_VERSION_6 = 6


def build(packet: Packet) -> bytes:
    """Write one IPv6 packet: lengths, padding, alignment and checksums included."""
    next_header, payload = _build_payload(packet)
    chain = b""
    for header in reversed(packet.headers):
        kind, octets = _build_header(header)
        chain = bytes((next_header,)) + octets + chain
        next_header = kind
    first = _VERSION_6 << 28 | packet.traffic_class << 20 | packet.flow_label
    fixed = _FIXED_HEADER.pack(
        first,
        len(chain) + len(payload),
        next_header,
        packet.hop_limit,
        packet.source.packed,
        packet.destination.packed,
    )
    return fixed + chain + payload


def parse(octets: bytes, *, depth: int = 0) -> Packet:
    """Read one IPv6 packet; raises `WireError` and nothing else."""
    if len(octets) < HEADER_OCTETS:
        raise WireError(MalformedReason.TRUNCATED, f"{len(octets)} octets are no IPv6 header")
    first, length, next_header, hop_limit, source, destination = _FIXED_HEADER.unpack_from(octets)
    if first >> 28 != _VERSION_6:
        raise WireError(MalformedReason.NOT_IPV6, f"IP version {first >> 28}")
    end = HEADER_OCTETS + length
    if end > len(octets):
        raise WireError(MalformedReason.TRUNCATED, f"payload of {length} octets, {len(octets) - HEADER_OCTETS} there")
    headers, next_header, at = _parse_headers(octets, next_header, end)
    packet = Packet(
        source=IPv6Address(source),
        destination=IPv6Address(destination),
        payload=OpaquePayload(next_header=next_header, data=octets[at:end]),
        headers=headers,
        hop_limit=hop_limit,
        traffic_class=first >> 20 & 0xFF,
        flow_label=first & 0xFFFFF,
    )
    return _with_payload(packet, octets[at:end], next_header, at, depth)


def _checksum_addresses(packet: Packet) -> tuple[IPv6Address, IPv6Address]:
    """Source and destination of the pseudo-header: the home addresses stand in for both (§6.1.1, §6.3, §6.4)."""
    source, destination = packet.source, packet.destination
    for header in packet.headers:
        match header:
            case DestinationOptions(options=options):
                for option in options:
                    if isinstance(option, HomeAddressOption):
                        source = option.home_address
            case RoutingHeaderType2(home_address=address, segments_left=1):
                destination = address
            case _:
                pass
    return source, destination


def _build_payload(packet: Packet) -> tuple[int, bytes]:
    match packet.payload:
        case OpaquePayload(next_header=next_header, data=data):
            return next_header, data
        case Packet() as inner:
            return IPV6, build(inner)
        case message if isinstance(message, MobilityMessage):
            next_header, octets, at = MOBILITY_HEADER, mobility.build_message(message), 4
        case message:
            next_header, octets, at = ICMPV6, icmpv6.build_message(message), 2
    value = checksum(*_checksum_addresses(packet), next_header, octets)
    return next_header, octets[:at] + value.to_bytes(2, "big") + octets[at + 2 :]


def _with_payload(packet: Packet, octets: bytes, next_header: int, at: int, depth: int) -> Packet:
    """Read the payload, where it is one of ours and all of it is here."""
    if any(isinstance(header, FragmentHeader) and (header.offset or header.more) for header in packet.headers):
        return packet
    payload: Payload
    if next_header == IPV6 and depth < MAX_NESTING:
        payload = parse(octets, depth=depth + 1)
    elif next_header in (MOBILITY_HEADER, ICMPV6):
        smallest = 8 if next_header == MOBILITY_HEADER else icmpv6.FIXED_OCTETS
        if len(octets) < smallest:
            raise WireError(MalformedReason.TRUNCATED, f"{len(octets)} octets behind next header {next_header}")
        if checksum(*_checksum_addresses(packet), next_header, octets):
            raise WireError(MalformedReason.BAD_CHECKSUM, f"checksum of next header {next_header}")  # §9.2: silence
        if next_header == MOBILITY_HEADER:
            payload = mobility.parse_message(octets, at)
        else:
            payload = icmpv6.parse_message(octets)
    else:
        return packet
    return Packet(
        source=packet.source,
        destination=packet.destination,
        payload=payload,
        headers=packet.headers,
        hop_limit=packet.hop_limit,
        traffic_class=packet.traffic_class,
        flow_label=packet.flow_label,
        payload_octets=octets,
    )


def _build_header(header: ExtensionHeader) -> tuple[int, bytes]:
    """Give the kind of an extension header and its octets after the next header field."""
    match header:
        case RoutingHeaderType2(home_address=address, segments_left=left):
            return ROUTING, bytes((2, 2, left)) + bytes(4) + address.packed
        case UnknownRoutingHeader(routing_type=kind, segments_left=left, data=data):
            data += bytes(-(4 + len(data)) % 8)
            return ROUTING, bytes(((4 + len(data)) // 8 - 1, kind, left)) + data
        case FragmentHeader(offset=offset, more=more, identification=identification):
            return FRAGMENT, struct.pack("!xHI", offset | more, identification)
        case HopByHopOptions(options=options):
            return HOP_BY_HOP, _build_header_options(options)
        case DestinationOptions(options=options):
            return DESTINATION_OPTIONS, _build_header_options(options)


def _build_header_options(options: tuple[HeaderOption, ...]) -> bytes:
    written = bytearray()
    for option in options:
        match option:
            case HomeAddressOption(home_address=address):
                written += _header_padding((6 - 2 - len(written)) % 8)  # §6.3: alignment 8n+6
                written += bytes((HOME_ADDRESS_OPTION, 16)) + address.packed
            case UnknownHeaderOption(option_type=kind, data=data):
                written += bytes((kind, len(data))) + data
    written += _header_padding(-(2 + len(written)) % 8)
    return bytes(((2 + len(written)) // 8 - 1,)) + bytes(written)


def _header_padding(count: int) -> bytes:
    return bytes(count) if count < 2 else bytes((1, count - 2)) + bytes(count - 2)


def _parse_headers(octets: bytes, next_header: int, end: int) -> tuple[tuple[ExtensionHeader, ...], int, int]:
    """Walk the chain; give its headers, the next header value behind it, and where that begins."""
    headers: list[ExtensionHeader] = []
    at = HEADER_OCTETS
    while next_header in (HOP_BY_HOP, DESTINATION_OPTIONS, ROUTING, FRAGMENT):
        length = 8 if next_header == FRAGMENT else (octets[at + 1] + 1) * 8 if at + 2 <= end else 8
        if at + length > end:
            raise WireError(MalformedReason.TRUNCATED, f"extension header {next_header} runs past the packet")
        header = _parse_header(next_header, octets[at : at + length], at, headers)
        headers.append(header)
        next_header = octets[at]
        at += length
        if isinstance(header, FragmentHeader) and header.offset:
            break  # RFC 8200 §4.5: what follows is a piece, not a header
    return tuple(headers), next_header, at


def _parse_header(kind: int, octets: bytes, at: int, before: list[ExtensionHeader]) -> ExtensionHeader:
    if kind == FRAGMENT:
        field, identification = struct.unpack_from("!HI", octets, 2)
        return FragmentHeader(offset=field & 0xFFF8, more=bool(field & 1), identification=identification)
    if kind == ROUTING:
        return _parse_routing_header(octets, at)
    options = _parse_header_options(octets[2:], at + 2)
    if kind == HOP_BY_HOP:
        return HopByHopOptions(options=options)
    seen = sum(isinstance(option, HomeAddressOption) for option in options)
    seen += sum(
        isinstance(option, HomeAddressOption)
        for header in before
        if isinstance(header, DestinationOptions)
        for option in header.options
    )
    if seen > 1:
        raise WireError(MalformedReason.BAD_OPTION, "two Home Address options in one packet")  # §6.3
    return DestinationOptions(options=options)


def _parse_routing_header(octets: bytes, at: int) -> ExtensionHeader:
    length, kind, left = octets[1], octets[2], octets[3]
    if kind != 2:
        return UnknownRoutingHeader(routing_type=kind, segments_left=left, data=octets[4:])
    if length != 2:  # §6.4
        raise WireError(MalformedReason.BAD_ROUTING_HEADER, f"type 2 routing header of length {length}", at + 1)
    if left != 1:  # §6.4
        raise WireError(MalformedReason.BAD_ROUTING_HEADER, f"type 2 routing header, {left} segments left", at + 3)
    return RoutingHeaderType2(home_address=IPv6Address(octets[8:24]), segments_left=left)


def _parse_header_options(octets: bytes, start: int) -> tuple[HeaderOption, ...]:
    options: list[HeaderOption] = []
    at = 0
    while at < len(octets):
        kind = octets[at]
        if kind == 0:
            at += 1
            continue
        if at + 2 > len(octets) or (after := at + 2 + octets[at + 1]) > len(octets):
            raise WireError(MalformedReason.BAD_OPTION, f"option {kind} runs past its header", start + at + 1)
        data = octets[at + 2 : after]
        if kind == HOME_ADDRESS_OPTION:
            if len(data) != 16:
                raise WireError(
                    MalformedReason.BAD_OPTION, f"Home Address option of {len(data)} octets", start + at + 1
                )
            options.append(HomeAddressOption(home_address=IPv6Address(data)))
        elif kind != 1:
            options.append(UnknownHeaderOption(option_type=kind, data=data))
        at = after
    return tuple(options)
