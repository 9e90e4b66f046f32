"""Sequence numbers of Binding Updates, compared modulo 2**16 (RFC 6275 §9.5.1)."""

MODULUS = 1 << 16
WINDOW = 1 << 15


def is_newer(sequence: int, last: int) -> bool:
    """Tell whether a sequence number lies in the window of 2**15 - 1 values after the last one accepted."""
    return 0 < (sequence - last) % MODULUS < WINDOW


def farthest(sequence: int) -> int:
    """Give the last number that is still newer."""
    return (sequence + WINDOW - 1) % MODULUS


def following(sequence: int) -> int:
    """Give the next sequence number."""
    return (sequence + 1) % MODULUS
