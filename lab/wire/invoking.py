"""What an ICMPv6 error is about: the packet that invoked it, of which it may hold the beginning alone (RFC 4443)."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.wire.chain import destination, source, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoking:
    """The addresses of a packet that invoked an error, and its upper layer."""

    source: IPv6Address
    destination: IPv6Address
    home_address: IPv6Address | None
    routed_home_address: IPv6Address | None
    next_header: int


def read_invoking(octets: bytes) -> Invoking | None:
    """Read as much of a packet as is there; None if that is less than its header."""
    chain = walk(octets)
    if chain is None:
        return None
    home, routed = chain.home_address, chain.routed_home_address
    return Invoking(
        source=IPv6Address(source(octets)),
        destination=IPv6Address(destination(octets)),
        home_address=None if home is None else IPv6Address(home),
        routed_home_address=None if routed is None else IPv6Address(routed),
        next_header=chain.next_header,
    )
