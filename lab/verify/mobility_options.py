"""Options in a Mobility Header, RFC 6275 §6.2."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

ALTERNATE_CARE_OF_ADDRESS, NONCE_INDICES, BINDING_AUTHORIZATION_DATA = 3, 4, 5
FIXED = {0: 8, 1: 16, 2: 16, 3: 24, 4: 24, 5: 12, 6: 12, 7: 24}
"""Octets before the options of each type of message."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option; octets that are told but are not there are missing from `data`."""

    at: int
    kind: int
    end: int
    data: bytes


def options(message: bytes, at: int) -> Iterator[Option]:
    """Give the options of a message from where they begin."""
    while at < len(message):
        kind = message[at]
        size = 1 if kind == 0 else 2 + message[at + 1] if at + 1 < len(message) else 2
        yield Option(at=at, kind=kind, end=at + size, data=message[at + 2 : at + size])
        at += size


def find(message: bytes, kind: int, length: int) -> Option | None:
    """Give the first option of a type, if it has the length that it must have."""
    if len(message) < 3 or message[2] not in FIXED:
        return None
    for option in options(message, FIXED[message[2]]):
        if option.kind == kind:
            return option if len(option.data) == length else None
    return None


def alternate_care_of_address(message: bytes) -> IPv6Address | None:
    """Give the address in an Alternate Care-of Address option (§6.2.5)."""
    option = find(message, ALTERNATE_CARE_OF_ADDRESS, 16)
    return None if option is None else IPv6Address(option.data)


def nonce_indices(message: bytes) -> tuple[int, int] | None:
    """Give the home and the care-of nonce index (§6.2.6)."""
    option = find(message, NONCE_INDICES, 4)
    return None if option is None else (int.from_bytes(option.data[:2], "big"), int.from_bytes(option.data[2:], "big"))


def binding_authorization_data(message: bytes) -> Option | None:
    """Give the Binding Authorization Data (§6.2.7)."""
    return find(message, BINDING_AUTHORIZATION_DATA, 12)


def has(message: bytes, *kinds: int) -> bool:
    """Tell whether a message has an option of one of the types, of any length."""
    at = FIXED.get(message[2]) if len(message) > 2 else None
    return at is not None and any(option.kind in kinds for option in options(message, at))
