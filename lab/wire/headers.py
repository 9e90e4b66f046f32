"""The extension headers of IPv6, RFC 8200 §4; RFC 6275 §6.3 (Home Address option), §6.4 (type 2 routing header)."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Annotated, ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.fields import ADDRESS, POSITION, REST, U8, FieldError, HeaderOctet, Reserved, read_address
from lab.wire.layout import layout, maker
from lab.wire.tlv import OptionsCodec

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60
HOME_ADDRESS_OPTION = 0xC9
_LARGEST_PAYLOAD = 0xFFFF


class OptionAction(IntEnum):
    """What a node does that does not know an option: the two high bits of its type, RFC 8200 §4.2."""

    SKIP = 0
    DISCARD = 1
    REPORT = 2
    """Discard and send a Parameter Problem code 2 that points at the option's type."""
    REPORT_UNLESS_MULTICAST = 3
    """The same, but only discard where the destination is multicast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressOption:
    """Home Address option, RFC 6275 §6.3."""

    OPTION_TYPE: ClassVar = HOME_ADDRESS_OPTION
    ALIGNMENT: ClassVar = (8, 6)
    RECURS: ClassVar = True

    home_address: Annotated[IPv6Address, ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownHeaderOption:
    """Any other option of a Hop-by-Hop or Destination Options header; `pointer` is where in a packet it was read."""

    option_type: Annotated[int, HeaderOctet(0)]
    data: Annotated[bytes, REST]
    pointer: Annotated[int, POSITION] = field(default=0, compare=False, repr=False)

    @property
    def action(self) -> OptionAction:
        """What the receiver has to do, as it does not know the option."""
        return OptionAction(self.option_type >> 6)


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
    """Type 2 Routing Header, RFC 6275 §6.4; one on the wire has one segment left."""

    segments_left: Annotated[int, U8] = 1
    home_address: Annotated[IPv6Address, Reserved(4), ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownRoutingHeader:
    """A Routing header of another type; `data` is what follows Segments Left.

    With segments left the packet is not yet where it wants to go, and what follows is not read (RFC 8200 §4.4).
    """

    routing_type: Annotated[int, U8]
    segments_left: Annotated[int, U8]
    data: Annotated[bytes, REST]


@dataclass(frozen=True, slots=True, kw_only=True)
class FragmentHeader:
    """Fragment header, RFC 8200 §4.5; `offset` in octets."""

    offset: int
    more: bool
    identification: int

    @property
    def is_whole(self) -> bool:
        """Whether the one fragment is all of the packet, RFC 6946."""
        return self.offset == 0 and not self.more


ExtensionHeader: TypeAlias = (
    HopByHopOptions | DestinationOptions | RoutingHeaderType2 | UnknownRoutingHeader | FragmentHeader
)

_HOP_BY_HOP: OptionsCodec[HeaderOption] = OptionsCodec((), UnknownHeaderOption)
_DESTINATION: OptionsCodec[HeaderOption] = OptionsCodec((HomeAddressOption,), UnknownHeaderOption)
_HOME_ADDRESS_ALONE = bytes((2, 1, 2, 0, 0, HOME_ADDRESS_OPTION, 16))
"""Length, padding, type and length in front of the address, where it is the only option."""
_TYPE_2 = layout(RoutingHeaderType2, header=3)
_OTHER_TYPE = layout(UnknownRoutingHeader, header=2)
_FRAGMENT = struct.Struct("!BxHI")
_destination_options = maker(DestinationOptions)


def read_headers(octets: bytes, at: int, end: int, next_header: int) -> tuple[list[ExtensionHeader], int, int, bool]:
    """Walk the extension headers from an offset on.

    Give them, the kind and the offset of what follows, and whether that is whole and may be read.
    """
    start = at
    headers: list[ExtensionHeader] = []
    while next_header in _READERS and not (next_header == HOP_BY_HOP and headers):  # RFC 8200 §4.1: only the first
        length = octets[at + 1] if at + 1 < end and next_header != FRAGMENT else 0
        after = at + (length + 1) * 8
        if after > end:
            raise WireError(MalformedReason.TRUNCATED, f"extension header {next_header} goes beyond the packet")
        header = _READERS[next_header](octets, at, after)
        headers.append(header)
        next_header = octets[at]
        at = after
        if type(header) is FragmentHeader and not header.is_whole:
            _check_fragment(header, start - 40, at, end)
            return headers, next_header, at, False
        if type(header) is UnknownRoutingHeader and header.segments_left:
            return headers, next_header, at, False
    return headers, next_header, at, True


def write_header(header: ExtensionHeader, next_header: int) -> tuple[int, bytes]:
    """Give the kind of an extension header and its octets."""
    match header:
        case DestinationOptions(options=options):
            return DESTINATION_OPTIONS, _with_length(next_header, _DESTINATION.write(options, 2))
        case RoutingHeaderType2():
            return ROUTING, _with_length(next_header, b"\x02" + _TYPE_2.write(header))
        case HopByHopOptions(options=options):
            return HOP_BY_HOP, _with_length(next_header, _HOP_BY_HOP.write(options, 2))
        case UnknownRoutingHeader():
            return ROUTING, _with_length(next_header, _OTHER_TYPE.write(header))
        case FragmentHeader(offset=offset, more=more, identification=identification):
            if offset % 8:
                raise FieldError(f"FragmentHeader.offset cannot be {offset}: fragments count in 8 octets")
            return FRAGMENT, _FRAGMENT.pack(next_header, offset | more, identification)


def pseudo_addresses(source: bytes, destination: bytes, headers: Sequence[ExtensionHeader]) -> int:
    """Make source and destination one number for the checksum; home addresses stand in for them (§6.3, §6.4)."""
    home_address = None
    for header in headers:
        if type(header) is DestinationOptions:
            for option in header.options:
                if type(option) is HomeAddressOption:
                    if home_address is not None:
                        raise WireError(MalformedReason.BAD_OPTION, "two Home Address options in one packet")  # §6.3
                    home_address = option.home_address
        elif type(header) is RoutingHeaderType2 and header.segments_left == 1:
            destination = header.home_address.packed
    if home_address is not None:
        source = home_address.packed
    return int.from_bytes(source + destination, "big")


def _with_length(next_header: int, rest: bytes) -> bytes:
    length, left = divmod(2 + len(rest), 8)
    if left:
        raise FieldError(f"no extension header can have {2 + len(rest)} octets")
    return bytes((next_header, length - 1)) + rest


def _read_hop_by_hop(octets: bytes, at: int, after: int) -> HopByHopOptions:
    return HopByHopOptions(options=_HOP_BY_HOP.read(octets, at + 2, after))


def _read_destination_options(octets: bytes, at: int, after: int) -> DestinationOptions:
    if octets[at + 1 : at + 8] == _HOME_ADDRESS_ALONE:
        return _home_address_alone(octets[at + 8 : after])
    return _destination_options(_DESTINATION.read(octets, at + 2, after))


@lru_cache(maxsize=4096)
def _home_address_alone(home_address: bytes) -> DestinationOptions:
    """Make the header that nearly every packet of a mobile node has while away from home, over and over."""
    return DestinationOptions(options=(HomeAddressOption(home_address=read_address(home_address)),))


def _read_routing(octets: bytes, at: int, after: int) -> RoutingHeaderType2 | UnknownRoutingHeader:
    if octets[at + 2] != 2:
        return _OTHER_TYPE.read(octets, at, after)
    if after - at != _TYPE_2.size:
        raise WireError(MalformedReason.BAD_ROUTING_HEADER, f"type 2 routing header of length {octets[at + 1]}, not 2")
    if octets[at + 3] != 1:
        raise WireError(MalformedReason.BAD_ROUTING_HEADER, f"type 2 routing header, {octets[at + 3]} segments left")
    return _TYPE_2.read(octets, at, after)


def _read_fragment(octets: bytes, at: int, _after: int) -> FragmentHeader:
    _, field, identification = _FRAGMENT.unpack_from(octets, at)
    return FragmentHeader(offset=field & 0xFFF8, more=field & 1 != 0, identification=identification)


def _check_fragment(fragment: FragmentHeader, start: int, at: int, end: int) -> None:
    """Refuse what cannot be put together again, RFC 8200 §4.5; `start` is where the packet begins."""
    size = end - at
    if fragment.more and size % 8:
        raise WireError(MalformedReason.BAD_FRAGMENT, f"{size} octets in a fragment that is not the last", start + 4)
    if fragment.offset + size > _LARGEST_PAYLOAD:
        raise WireError(MalformedReason.BAD_FRAGMENT, "a fragment beyond the largest packet", at - 6)


_READERS: dict[int, Callable[[bytes, int, int], ExtensionHeader]] = {
    HOP_BY_HOP: _read_hop_by_hop,
    ROUTING: _read_routing,
    FRAGMENT: _read_fragment,
    DESTINATION_OPTIONS: _read_destination_options,
}
