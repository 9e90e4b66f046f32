"""Mobile prefix discovery written octet by octet, after RFC 6275 §6.7, §6.8 and §7.2, and read the same way."""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from tests.conformance.octets import DESTINATION_OPTIONS, ICMPV6, ROUTING, upper

SOLICITATION, ADVERTISEMENT = 146, 147
ON_LINK, AUTONOMOUS, ROUTER_ADDRESS = 0x80, 0x40, 0x20


def solicitation(
    identifier: int,
    *,
    source: IPv6Address,
    destination: IPv6Address,
    home: IPv6Address | None = None,
    reserved: int = 0,
) -> bytes:
    message = bytes((SOLICITATION, 0, 0, 0)) + identifier.to_bytes(2, "big") + reserved.to_bytes(2, "big")
    return upper(ICMPV6, message, source=source, destination=destination, home=home)


def prefix_information(
    prefix: IPv6Network | IPv6Address,
    *,
    valid: int,
    preferred: int | None = None,
    flags: int = ON_LINK | AUTONOMOUS,
    reserved: int = 0,
) -> bytes:
    address = prefix.network_address if isinstance(prefix, IPv6Network) else prefix
    lifetimes = valid.to_bytes(4, "big") + (valid if preferred is None else preferred).to_bytes(4, "big")
    return bytes((3, 4, 64, flags | reserved & 0x1F)) + lifetimes + reserved.to_bytes(4, "big") + address.packed


def advertisement(
    identifier: int,
    *options: bytes,
    source: IPv6Address,
    destination: IPv6Address,
    routed: IPv6Address | None = None,
    reserved: int = 0,
) -> bytes:
    flags = reserved.to_bytes(2, "big")  # M and O, and what is reserved behind them
    message = bytes((ADVERTISEMENT, 0, 0, 0)) + identifier.to_bytes(2, "big") + flags + b"".join(options)
    return upper(ICMPV6, message, source=source, destination=destination, routed=routed)


@dataclass(frozen=True)
class Option:
    """A Prefix Information option."""

    address: IPv6Address
    length: int
    flags: int
    valid: int
    preferred: int


@dataclass(frozen=True)
class Told:
    """A message of mobile prefix discovery with its one extension header."""

    kind: int
    source: IPv6Address
    destination: IPv6Address
    home: IPv6Address | None
    routed: IPv6Address | None
    identifier: int
    reserved: int
    options: tuple[Option, ...]


def read(octets: bytes) -> Told:
    """Read a packet that has one header of RFC 6275, and nothing else, before its message."""
    header, message = octets[40:64], octets[64:]
    assert (header[0], header[1]) == (ICMPV6, 2)
    home = routed = None
    if octets[6] == ROUTING:
        assert header[2:4] == b"\2\1"
        routed = IPv6Address(header[8:])
    else:
        assert octets[6] == DESTINATION_OPTIONS
        assert header[2:8] == bytes((1, 2, 0, 0, 0xC9, 16))
        home = IPv6Address(header[8:])
    assert message[1] == 0
    options = [message[at : at + 32] for at in range(8, len(message), 32)]
    assert all(option[:2] == b"\3\4" and option[12:16] == bytes(4) for option in options)
    return Told(
        kind=message[0],
        source=IPv6Address(octets[8:24]),
        destination=IPv6Address(octets[24:40]),
        home=home,
        routed=routed,
        identifier=int.from_bytes(message[4:6], "big"),
        reserved=int.from_bytes(message[6:8], "big"),
        options=tuple(
            Option(
                address=IPv6Address(option[16:]),
                length=option[2],
                flags=option[3],
                valid=int.from_bytes(option[4:8], "big"),
                preferred=int.from_bytes(option[8:12], "big"),
            )
            for option in options
        ),
    )
