"""The Internet checksum with the IPv6 pseudo-header (RFC 8200 §8.1, RFC 6275 §6.1.1).

The ones' complement sum of 16-bit words is the number that the octets spell, modulo 0xFFFF (as 0x10000 leaves 1):
one big integer instead of a loop.
"""


def checksum(addresses: int, next_header: int, message: bytes) -> int:
    """Return the checksum of a message whose checksum field is zero; 0 for one whose field is right.

    `addresses` is the number that source and final destination spell, one behind the other.
    """
    size = len(message)
    number = int.from_bytes(message, "big")
    if size & 1:
        number <<= 8
    return -(addresses + number + (size + next_header)) % 0xFFFF
