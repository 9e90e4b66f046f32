"""Kinds of fields, to be named in the annotations of messages: `sequence: Annotated[int, U16]`.

The order of a dataclass's fields is their order on the wire. `lab.wire.layout` makes the codec from them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from functools import cache, lru_cache
from ipaddress import IPv6Address
from typing import Any

from lab.constants import LIFETIME_UNIT
from lab.errors import Mip6LabError


class FieldError(Mip6LabError, ValueError):
    """A message of our own cannot be written: a field does not fit its place. A mistake in the program."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A field of fixed size: its `struct` code, and how its value differs from what `struct` reads and writes.

    The wire counts in units of `unit`. `write` raises ValueError for a value that does not fit.
    """

    code: str
    unit: int = 1
    read: Callable[[Any], object] | None = None
    write: Callable[[Any], object] | None = None


@dataclass(frozen=True, slots=True)
class Bit:
    """A bit of an octet; neighbouring fields of this kind share the octet as long as the masks fall."""

    mask: int


@dataclass(frozen=True, slots=True)
class Reserved:
    """Octets before or behind a field that are sent zero and ignored on receipt."""

    size: int


@dataclass(frozen=True, slots=True)
class HeaderOctet:
    """An octet of the header in front of the fields, which whoever writes that header looks after."""

    offset: int


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the packet the message was read; not on the wire."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The last field, up to the end: `read(octets, start, end)`, `write(value, offset from the message's start)`."""

    read: Callable[[bytes, int, int], object]
    write: Callable[[Any, int], bytes]


Kind = Fixed | Bit | Reserved | HeaderOctet | Position | Tail


@lru_cache(maxsize=4096)
def read_address(octets: bytes) -> IPv6Address:
    """Make an address from 16 octets; the same few come again and again, so that they are remembered."""
    return IPv6Address(octets)


def _write_address(address: IPv6Address) -> bytes:
    return address.packed


def _write_seconds(seconds: int) -> int:
    if seconds % LIFETIME_UNIT:
        raise ValueError(f"not a multiple of {LIFETIME_UNIT} s")
    return seconds // LIFETIME_UNIT


def octets(size: int) -> Fixed:
    """Make the kind of a field of so many octets."""

    def write(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"{size} octets wanted")
        return value

    return Fixed(f"{size}s", write=write)


def flags(kind: type[IntFlag]) -> Fixed:
    """Make the kind of a 16-bit field of flags."""
    return Fixed("H", read=cache(kind))


def _read_addresses(octets: bytes, start: int, end: int) -> tuple[IPv6Address, ...]:
    return tuple(read_address(octets[at : at + 16]) for at in range(start, end - 15, 16))


def _write_addresses(addresses: tuple[IPv6Address, ...], _offset: int) -> bytes:
    return b"".join(address.packed for address in addresses)


def _read_rest(octets: bytes, start: int, end: int) -> bytes:
    return octets[start:end]


def _write_rest(rest: bytes, _offset: int) -> bytes:
    return rest


U8 = Fixed("B")
U16 = Fixed("H")
U32 = Fixed("I")
ADDRESS = Fixed("16s", read=read_address, write=_write_address)
SECONDS_BY_4 = Fixed("H", unit=LIFETIME_UNIT, write=_write_seconds)
"""A lifetime: seconds in the message, units of four seconds on the wire."""
POSITION = Position()
ADDRESSES = Tail(read=_read_addresses, write=_write_addresses)
REST = Tail(read=_read_rest, write=_write_rest)
