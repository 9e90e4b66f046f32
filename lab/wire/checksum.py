"""The Internet checksum over the IPv6 pseudo-header (RFC 8200 §8.1; RFC 6275 §6.1.1 says which addresses)."""

from ipaddress import IPv6Address


def checksum(source: IPv6Address, destination: IPv6Address, next_header: int, octets: bytes) -> int:
    """Return the checksum of a message whose checksum field is zero; 0 of a message whose field is right."""
    pseudo_header = source.packed + destination.packed + len(octets).to_bytes(4, "big") + next_header.to_bytes(4, "big")
    padded = octets if len(octets) % 2 == 0 else octets + b"\0"
    # 2**16 is 1 modulo 2**16 - 1, so the remainder is the ones' complement sum of all 16-bit words.
    remainder = int.from_bytes(pseudo_header + padded, "big") % 0xFFFF
    return 0xFFFF - remainder if remainder else 0
