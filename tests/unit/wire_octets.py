"""Packets put together octet by octet, with a checksum of their own making."""

SOURCE = bytes.fromhex("20010db800a100000000000000000002")
DESTINATION = bytes.fromhex("20010db8000100000000000000000001")
HOME = bytes.fromhex("20010db8000100000000000000000100")
MOBILITY_HEADER, ICMPV6, DESTINATION_OPTIONS, ROUTING, FRAGMENT = 135, 58, 60, 43, 44


def packet(next_header: int, payload: bytes) -> bytes:
    return (
        bytes((0x60, 0, 0, 0))
        + len(payload).to_bytes(2, "big")
        + bytes((next_header, 64))
        + SOURCE
        + DESTINATION
        + payload
    )


def summed(
    next_header: int,
    message: bytes,
    *,
    at: int,
    source: bytes = SOURCE,
    destination: bytes = DESTINATION,
    size: int = 0,
) -> bytes:
    """Put the checksum of the first `size` octets (all, if 0) into a message, word by word as RFC 1071 has it."""
    covered = message[: size or len(message)]
    octets = source + destination + len(covered).to_bytes(4, "big") + bytes((0, 0, 0, next_header)) + covered
    octets += bytes(len(octets) % 2)
    total = 0
    for index in range(0, len(octets), 2):
        total += octets[index] << 8 | octets[index + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return message[:at] + (total ^ 0xFFFF).to_bytes(2, "big") + message[at + 2 :]


def mobility(text: str, *, source: bytes = SOURCE) -> bytes:
    """Make a Mobility Header from hexadecimal text with zeros for the checksum."""
    return summed(MOBILITY_HEADER, bytes.fromhex(text), at=4, source=source)


def icmpv6(text: str, *, destination: bytes = DESTINATION) -> bytes:
    """Make an ICMPv6 message from hexadecimal text with zeros for the checksum."""
    return summed(ICMPV6, bytes.fromhex(text), at=2, destination=destination)
