"""Packets as octets, for data planes: where their headers lie, and putting in and taking out those of RFC 6275.

Nothing is checked that a plane need not know: the packets are the payload of others, whole or cut (as in an ICMPv6
error). Checksums of upper layers stay right, since they count the home addresses (§6.3, §6.4).
"""

from dataclasses import dataclass

HEADER_OCTETS = 40
ADDED_OCTETS = 24
"""What a Home Address option with its header adds to a packet, and a type 2 routing header as well."""
HOP_BY_HOP, ROUTING, FRAGMENT, ESP, AH, DESTINATION_OPTIONS = 0, 43, 44, 50, 51, 60
_EXTENSIONS = (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS)
_NEXT_HEADER_AT, _LENGTH_AT = 6, slice(4, 6)
_SOURCE, _DESTINATION = slice(8, 24), slice(24, 40)
_LARGEST_PAYLOAD = 0xFFFF
_HOME_ADDRESS_OPTION, _OPTION_OCTETS = 0xC9, 18
_PAD_N = bytes((1, _OPTION_OCTETS - 2)) + bytes(_OPTION_OCTETS - 2)
_PADDINGS = (b"\1\2\0\0", bytes(4))
"""What may stand before a Home Address option that is alone in its header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The header chain of a packet as far as it could be followed; offsets from the start of the packet."""

    next_header: int
    """The kind of what follows the extension headers; FRAGMENT where that is a fragment."""
    at: int
    """Where that begins; beyond the octets if they are cut."""
    whole: bool = True
    """Whether all extension headers are there."""
    home_address: bytes | None = None
    home_address_header: int = 0
    """Where the Destination Options header with the Home Address option begins."""
    home_address_option: int = 0
    home_address_alone: bool = False
    """Whether that header holds nothing else."""
    routed_home_address: bytes | None = None
    routing_header: int = 0
    """Where the type 2 routing header begins."""
    repeated: bool = False
    """Whether there is more than one Home Address option, or type 2 routing header (RFC 6275 §6.3)."""

    @property
    def added(self) -> list[int]:
        """Where headers of ADDED_OCTETS begin that hold nothing but what RFC 6275 put into the packet."""
        of_option = [self.home_address_header] if self.home_address_alone else []
        of_routing = [] if self.routed_home_address is None else [self.routing_header]
        return sorted(of_option + of_routing)

    @property
    def end(self) -> int:
        """Where what RFC 6275 put into the packet ends."""
        option = 0 if self.home_address is None else self.home_address_option + _OPTION_OCTETS
        return max(option, *(at + ADDED_OCTETS for at in self.added), 0)


def walk(octets: bytes) -> Chain | None:
    """Follow the header chain of a packet; None for what is no IPv6 header."""
    if len(octets) < HEADER_OCTETS or octets[0] >> 4 != 6:
        return None
    kind, at, end = octets[_NEXT_HEADER_AT], HEADER_OCTETS, len(octets)
    home: bytes | None = None
    routed: bytes | None = None
    home_header = home_option = routing_header = 0
    alone = repeated = False
    while kind in _EXTENSIONS and at + 2 <= end:
        after = at + (octets[at + 1] + 1) * 8
        if kind == ROUTING and after == at + ADDED_OCTETS <= end and octets[at + 2 : at + 4] == b"\2\1":
            repeated |= routed is not None
            routed, routing_header = octets[at + 8 : at + 24], at
        elif kind == DESTINATION_OPTIONS and (found := _find_home_address(octets, at + 2, min(after, end))):
            behind = found + _OPTION_OCTETS
            repeated |= home is not None or _find_home_address(octets, behind, min(after, end)) != 0
            home, home_header, home_option = octets[found + 2 : behind], at, found
            alone = after == behind == at + ADDED_OCTETS and octets[at + 2 : found] in _PADDINGS
        kind, at = octets[at], after
    return Chain(
        next_header=kind,
        at=at,
        whole=at <= end and kind not in _EXTENSIONS,
        home_address=home,
        home_address_header=home_header,
        home_address_option=home_option,
        home_address_alone=alone,
        routed_home_address=routed,
        routing_header=routing_header,
        repeated=repeated,
    )


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
        if not chain.home_address_alone:  # other options stay, at their places
            packet[chain.home_address_option : chain.home_address_option + _OPTION_OCTETS] = _PAD_N
    if chain.routed_home_address is not None:
        packet[_DESTINATION] = chain.routed_home_address
    for at in reversed(chain.added):
        _cut(packet, at)
    return bytes(packet)


def optimise(octets: bytes, *, care_of_source: bytes | None = None, care_of_destination: bytes | None = None) -> bytes:
    """Make a packet between home addresses go straight: by Home Address option, by type 2 routing header, or both.

    `care_of_source` takes the place of the source, `care_of_destination` that of the destination (§9.3.2, §11.3.1).
    """
    pointer, at = _NEXT_HEADER_AT, HEADER_OCTETS
    # Both headers go behind hop-by-hop options and other routing headers, before everything else (§6.3, §6.4).
    while octets[pointer] in (HOP_BY_HOP, ROUTING) and at + 2 <= len(octets):
        pointer, at = at, at + (octets[at + 1] + 1) * 8
    added = b""
    kind = octets[pointer]
    if care_of_source is not None:
        option = bytes((1, 2, 0, 0, _HOME_ADDRESS_OPTION, 16)) + octets[_SOURCE]
        added, kind = bytes((kind, 2)) + option, DESTINATION_OPTIONS
    if care_of_destination is not None:
        added, kind = bytes((kind, 2, 2, 1, 0, 0, 0, 0)) + octets[_DESTINATION] + added, ROUTING
    packet = bytearray(octets[:at] + added + octets[at:])
    packet[pointer] = kind
    packet[_LENGTH_AT] = (int.from_bytes(octets[_LENGTH_AT], "big") + len(added)).to_bytes(2, "big")
    if care_of_source is not None:
        packet[_SOURCE] = care_of_source
    if care_of_destination is not None:
        packet[_DESTINATION] = care_of_destination
    return bytes(packet)


def _cut(packet: bytearray, at: int) -> None:
    """Take out the header of ADDED_OCTETS at an offset."""
    pointer, here = _NEXT_HEADER_AT, HEADER_OCTETS
    while here < at:
        pointer, here = here, here + (packet[here + 1] + 1) * 8
    packet[pointer] = packet[at]
    del packet[at : at + ADDED_OCTETS]
    length = int.from_bytes(packet[_LENGTH_AT], "big")
    packet[_LENGTH_AT] = max(length - ADDED_OCTETS, 0).to_bytes(2, "big")


def _find_home_address(octets: bytes, at: int, end: int) -> int:
    """Find the Home Address option among the options of a header; 0 if there is none."""
    while at + 2 <= end:
        kind = octets[at]
        if kind == _HOME_ADDRESS_OPTION and octets[at + 1] == _OPTION_OCTETS - 2 and at + _OPTION_OCTETS <= end:
            return at
        at += 1 if kind == 0 else 2 + octets[at + 1]
    return 0
