"""Packets as octets, for data planes: where their headers lie, and putting in and taking out those of RFC 6275.

Nothing is checked that a plane need not know: the packets are the payload of others, whole or cut (as in an ICMPv6
error). Checksums of upper layers stay right, since they count the home addresses (§6.3, §6.4).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from lab.wire.mobility import MOBILITY_HEADER

HEADER_OCTETS = 40
ADDED_OCTETS = 24
"""What a Home Address option with its header adds to a packet, and a type 2 routing header as well."""
HOP_BY_HOP, IPV6, ROUTING, FRAGMENT, ESP, AH, DESTINATION_OPTIONS = 0, 41, 43, 44, 50, 51, 60
_NEXT_HEADER_AT, _LENGTH_AT = 6, slice(4, 6)
_SOURCE, _DESTINATION = slice(8, 24), slice(24, 40)
_HOME_ADDRESS_OPTION, _OPTION_OCTETS = 0xC9, 18
_PAD_1, _PAD_N = 0, 1
_ENCAPSULATION_LIMIT = 4
_LARGEST_PAYLOAD = 0xFFFF
_PADDING = (b"", b"\0", *(bytes((_PAD_N, size)) + bytes(size) for size in range(6)))
"""Padding of 0 to 7 octets; kernels take no more for padding."""
_ALONE = bytes((2, _PAD_N, 2, 0, 0, _HOME_ADDRESS_OPTION, _OPTION_OCTETS - 2))
"""Length, padding, type and length before the address where a Home Address option is alone, as nearly always."""
ICMPV6, PREFIX_DISCOVERY = bytes((58,)), (bytes((146,)), bytes((147,)))
_EXTENSION_HEADERS = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS)
_FRAGMENT_HEADER, _MORE = struct.Struct(">BBHI"), 1
_FRAGMENT_FIELD = 0xFFF9
"""Offset and M flag of a Fragment header: both zero where the one fragment is all of the packet (RFC 6946)."""
PERHAPS_NESTED = frozenset({IPV6, *_EXTENSION_HEADERS})
"""First headers of packets about which `nesting` may say something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The header chain of a packet as far as it could be followed; offsets from the start of the packet."""

    next_header: int
    """The kind of what follows the extension headers; FRAGMENT where that is a fragment."""
    at: int
    """Where that begins; beyond the octets if they are cut."""
    named_at: int
    """Where its kind is named."""
    whole: bool = True
    """Whether all extension headers are there."""
    home_address: bytes | None = None
    home_address_header: int = 0
    """Where the Destination Options header with the Home Address option begins."""
    home_address_option: int = 0
    routed_home_address: bytes | None = None
    routing_header: int = 0
    """Where the type 2 routing header begins."""

    @property
    def end(self) -> int:
        """Where what RFC 6275 put into the packet ends; 0 if there is nothing."""
        option = 0 if self.home_address is None else self.home_address_option + _OPTION_OCTETS
        return max(option, 0 if self.routed_home_address is None else self.routing_header + ADDED_OCTETS)


def is_mobility_message(octets: bytes) -> bool:
    """Tell whether a packet is a mobility message, whatever headers it has before (§6.1)."""
    chain = walk(octets)
    return chain is not None and chain.next_header == MOBILITY_HEADER


def walk(octets: bytes) -> Chain | None:
    """Follow the header chain of a packet.

    None for what is no IPv6 header, or has a header of RFC 6275 twice, which no packet may (§6.3, §6.4).
    """
    if len(octets) < HEADER_OCTETS or octets[0] >> 4 != 6:
        return None
    kind, at = octets[_NEXT_HEADER_AT], HEADER_OCTETS
    end = min(len(octets), _end(octets))
    named_at = _NEXT_HEADER_AT
    home: bytes | None = None
    routed: bytes | None = None
    home_header = home_option = routing_header = 0
    while kind in _EXTENSION_HEADERS and at + 2 <= end and _goes_on(octets, kind, at, end):
        after = at + _size(octets, kind, at)
        if kind == ROUTING and after == at + ADDED_OCTETS <= end and octets[at + 2 : at + 4] == b"\2\1":
            if routed is not None:
                return None
            routed, routing_header = octets[at + 8 : at + 24], at
        elif kind == DESTINATION_OPTIONS:
            for option in _home_addresses(octets, at, min(after, end)):
                if home is not None:
                    return None
                home, home_header, home_option = octets[option + 2 : option + _OPTION_OCTETS], at, option
        kind, named_at, at = octets[at], at, after
    return Chain(
        next_header=kind,
        at=at,
        named_at=named_at,
        whole=at <= end and (kind == FRAGMENT or kind not in _EXTENSION_HEADERS),
        home_address=home,
        home_address_header=home_header,
        home_address_option=home_option,
        routed_home_address=routed,
        routing_header=routing_header,
    )


def payload(octets: bytes, chain: Chain) -> bytes:
    """Give what is behind the extension headers of a packet, and not what a link layer has put behind that."""
    return octets[chain.at : _end(octets)]


def with_payload(octets: bytes, chain: Chain, next_header: int, payload: bytes) -> bytes:
    """Put something else behind the extension headers of a packet; `chain` is that of its octets."""
    packet = bytearray(octets[: chain.at])
    packet[chain.named_at] = next_header
    packet[_LENGTH_AT] = (chain.at - HEADER_OCTETS + len(payload)).to_bytes(2, "big")
    return bytes(packet) + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Nesting:
    """What a packet that a tunnel carries says about further tunnels (RFC 2473 §4.1.1)."""

    limit: int | None
    """How many more may carry it; None: it does not say."""
    pointer: int = 0
    """Where the limit stands."""


def nesting(octets: bytes) -> Nesting | None:
    """Look for a Tunnel Encapsulation Limit, as the entry of a tunnel must; None for what no tunnel carries yet."""
    kind, at = octets[_NEXT_HEADER_AT], HEADER_OCTETS
    while kind in _EXTENSION_HEADERS and at + 8 <= len(octets):
        if kind == FRAGMENT and int.from_bytes(octets[at + 2 : at + 4], "big") & _FRAGMENT_FIELD:
            return None
        after = at + _size(octets, kind, at)
        if kind == DESTINATION_OPTIONS:
            for option, end in _options(octets, at + 2, min(after, len(octets))):
                if octets[option] == _ENCAPSULATION_LIMIT and end == option + 3:
                    return Nesting(limit=octets[option + 2], pointer=option + 2)
        kind, at = octets[at], after
    return Nesting(limit=None) if kind == IPV6 else None


def encapsulation_limit(limit: int) -> bytes:
    """Make a Destination Options header with a Tunnel Encapsulation Limit; what follows it is for others to fill in."""
    return bytes((0, 0, _ENCAPSULATION_LIMIT, 1, limit, _PAD_N, 1, 0))


def is_prefix_discovery(octets: bytes) -> bool:
    """Tell whether a packet has a Mobile Prefix Solicitation or Advertisement behind a header of RFC 6275.

    It is signalling as a Mobility Header is: whoever takes it must see those headers (§6.7, §6.8).
    """
    if octets[HEADER_OCTETS : HEADER_OCTETS + 1] != ICMPV6:  # payload of others mostly has something else there
        return False
    chain = walk(octets)
    return chain is not None and octets[chain.at : chain.at + 1] in PREFIX_DISCOVERY


def source(octets: bytes) -> bytes:
    """Give the source of a packet."""
    return octets[_SOURCE]


def destination(octets: bytes) -> bytes:
    """Give the destination of a packet."""
    return octets[_DESTINATION]


def has_room(octets: bytes) -> bool:
    """Tell whether a packet can be made longer by both headers."""
    return int.from_bytes(octets[_LENGTH_AT], "big") + 2 * ADDED_OCTETS <= _LARGEST_PAYLOAD


def restore(octets: bytes, chain: Chain) -> bytes:
    """Give the packet as upper layers mean it: between home addresses, without the headers that name them."""
    packet = bytearray(octets)
    if chain.home_address is not None:
        packet[_SOURCE] = chain.home_address
    if chain.routed_home_address is not None:
        packet[_DESTINATION] = chain.routed_home_address
    # The later header first, so that the other one stays at its place.
    for at in sorted({chain.home_address_header, chain.routing_header} - {0}, reverse=True):
        if at == chain.routing_header:
            _cut(packet, at)
        else:
            _take_home_address(packet, at, chain.home_address_option)
    return bytes(packet)


def optimise(octets: bytes, *, care_of_source: bytes | None = None, care_of_destination: bytes | None = None) -> bytes:
    """Make a packet between home addresses go straight: by Home Address option, by type 2 routing header, or both.

    `care_of_source` takes the place of the source, `care_of_destination` that of the destination (§9.3.2, §11.3.1).
    """
    pointer, at = _behind_what_routers_read(octets)  # and before everything else (§6.3, §6.4)
    added = b""
    kind = octets[pointer]
    if care_of_source is not None:
        option = bytes((_PAD_N, 2, 0, 0, _HOME_ADDRESS_OPTION, 16)) + octets[_SOURCE]
        added, kind = bytes((kind, 2)) + option, DESTINATION_OPTIONS
    if care_of_destination is not None:
        added, kind = bytes((kind, 2, 2, 1, 0, 0, 0, 0)) + octets[_DESTINATION] + added, ROUTING
    packet = bytearray(octets[:at] + added + octets[at:])
    packet[pointer] = kind
    length = int.from_bytes(octets[_LENGTH_AT], "big") + len(added)
    packet[_LENGTH_AT] = min(length, _LARGEST_PAYLOAD).to_bytes(2, "big")
    if care_of_source is not None:
        packet[_SOURCE] = care_of_source
    if care_of_destination is not None:
        packet[_DESTINATION] = care_of_destination
    return bytes(packet)


def fragments(octets: bytes, largest: int) -> Iterator[bytes]:
    """Cut a packet, or a fragment, into fragments of at most so many octets, as its source does (RFC 8200 §4.5).

    What identifies them follows from the packet: if those of two packets are ever mixed, it was the same packet twice.
    """
    pointer, at = _behind_what_routers_read(octets)
    kind, field, identification, rest = octets[pointer], 0, crc32(octets), octets[at:]
    if kind == FRAGMENT and len(rest) >= _FRAGMENT_HEADER.size:
        kind, _, field, identification = _FRAGMENT_HEADER.unpack_from(rest)
        rest = rest[_FRAGMENT_HEADER.size :]
    before = bytearray(octets[:at])
    before[pointer] = FRAGMENT
    room = max((largest - at - _FRAGMENT_HEADER.size) // 8, 1) * 8
    for start in range(0, len(rest), room):
        piece = rest[start : start + room]
        before[_LENGTH_AT] = (at - HEADER_OCTETS + _FRAGMENT_HEADER.size + len(piece)).to_bytes(2, "big")
        more = _MORE if start + room < len(rest) else 0
        yield bytes(before) + _FRAGMENT_HEADER.pack(kind, 0, field + start | more, identification) + piece


def _behind_what_routers_read(octets: bytes) -> tuple[int, int]:
    """Find the end of hop-by-hop options and routing headers: where that of what follows is told, and where it lies."""
    pointer, at = _NEXT_HEADER_AT, HEADER_OCTETS
    while at + 2 <= len(octets) and _comes_first(octets, octets[pointer], at):
        pointer, at = at, at + _size(octets, octets[pointer], at)
    return pointer, at


def _end(octets: bytes) -> int:
    """Give where a packet ends by its own word."""
    return HEADER_OCTETS + int.from_bytes(octets[_LENGTH_AT], "big")


def _goes_on(octets: bytes, kind: int, at: int, end: int) -> bool:
    """Tell whether what lies at an offset is an extension header that may be read at this node."""
    if kind == HOP_BY_HOP:
        return at == HEADER_OCTETS  # RFC 8200 §4.1: only the first
    if kind == ROUTING:
        is_type_2 = octets[at + 2 : at + 3] == b"\2"
        return is_type_2 or octets[at + 3 : at + 4] in (b"", b"\0")  # with segments left it is not yet there
    if kind == FRAGMENT:
        return at + 8 <= end and not int.from_bytes(octets[at + 2 : at + 4], "big") & _FRAGMENT_FIELD
    return True


def _comes_first(octets: bytes, kind: int, at: int) -> bool:
    """Tell whether what lies at an offset belongs before the headers of RFC 6275."""
    before_routing = kind == DESTINATION_OPTIONS and octets[at] == ROUTING
    return kind in (HOP_BY_HOP, ROUTING) or before_routing


def _size(octets: bytes | bytearray, kind: int, at: int) -> int:
    """Give the size of an extension header; a Fragment header has no length field."""
    return 8 if kind == FRAGMENT else (octets[at + 1] + 1) * 8


def _cut(packet: bytearray, at: int) -> None:
    """Take out the header at an offset."""
    pointer, here = _NEXT_HEADER_AT, HEADER_OCTETS
    while here < at:
        pointer, here = here, here + _size(packet, packet[pointer], here)
    packet[pointer] = packet[at]
    _remove(packet, at, at + (packet[at + 1] + 1) * 8)


def _take_home_address(packet: bytearray, header: int, option: int) -> None:
    """Take out a Home Address option; other options of its header stay, as they are aligned."""
    if packet[header + 1 : header + 8] == _ALONE:
        _cut(packet, header)
        return
    first, last = header + 2, min(header + (packet[header + 1] + 1) * 8, len(packet))
    start, end = option, option + _OPTION_OCTETS
    around = [*_options(packet, first, last)]
    while (padding := next((at for at, after in around if after == start and packet[at] <= _PAD_N), None)) is not None:
        start = padding
    while (padding := next((after for at, after in around if at == end and packet[at] <= _PAD_N), None)) is not None:
        end = padding
    if start == first and end == last:
        _cut(packet, header)
        return
    filling = _PADDING[(end - start) % 8]
    packet[start : start + len(filling)] = filling
    packet[header + 1] -= (end - start - len(filling)) // 8
    _remove(packet, start + len(filling), end)


def _remove(packet: bytearray, start: int, end: int) -> None:
    length = int.from_bytes(packet[_LENGTH_AT], "big")
    packet[_LENGTH_AT] = max(length - (end - start), 0).to_bytes(2, "big")
    del packet[start:end]


def _options(octets: bytes | bytearray, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Give where the options between two offsets begin and end, those alone that are whole."""
    while at < end:
        after = at + 1 if octets[at] == _PAD_1 else at + 2 + octets[at + 1] if at + 2 <= end else end + 1
        if after > end:
            return
        yield at, after
        at = after


def _home_addresses(octets: bytes, header: int, end: int) -> Iterator[int]:
    """Find the Home Address options of a header."""
    if octets[header + 1 : header + 8] == _ALONE and header + ADDED_OCTETS <= end:
        yield header + 6
        return
    for at, after in _options(octets, header + 2, end):
        if octets[at] == _HOME_ADDRESS_OPTION and after == at + _OPTION_OCTETS:
            yield at
