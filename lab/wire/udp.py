"""UDP, RFC 768: the datagrams that a node itself has to do with; those of others are carried unread."""

import struct
from dataclasses import dataclass

from lab.wire.checksum import checksum

UDP = 17
"""The next header value of UDP."""
_HEADER = struct.Struct("!HHHH")
_CHECKSUM_AT = 6
_NO_CHECKSUM, _ZERO = 0, 0xFFFF
"""In IPv6 a checksum must be there; one that comes out as zero is sent as its other form (RFC 8200 §8.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datagram:
    """A datagram whose length and checksum are right."""

    source_port: int
    destination_port: int
    data: bytes


def read_datagram(octets: bytes, addresses: int) -> Datagram | None:
    """Read a payload as a datagram; None if it is none that may be taken.

    `addresses` is the number that source and final destination spell, one behind the other.
    """
    if len(octets) < _HEADER.size:
        return None
    source_port, destination_port, length, found = _HEADER.unpack_from(octets)
    if length != len(octets) or found == _NO_CHECKSUM or checksum(addresses, UDP, octets):
        return None
    return Datagram(source_port=source_port, destination_port=destination_port, data=octets[_HEADER.size :])


def write_datagram(datagram: Datagram, addresses: int) -> bytes:
    """Write a datagram with its checksum; raises struct.error where a field does not fit its place."""
    length = _HEADER.size + len(datagram.data)
    blank = _HEADER.pack(datagram.source_port, datagram.destination_port, length, 0) + datagram.data
    computed = checksum(addresses, UDP, blank) or _ZERO
    return blank[:_CHECKSUM_AT] + computed.to_bytes(2, "big") + blank[_CHECKSUM_AT + 2 :]
