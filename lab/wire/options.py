"""Mobility options, RFC 6275 §6.2."""

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias

from lab.constants import LIFETIME_UNIT
from lab.errors import MalformedReason, WireError


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefreshAdvice:
    """Binding Refresh Advice, RFC 6275 §6.2.4; `refresh_interval` in seconds, 4 s units on the wire."""

    OPTION_TYPE: ClassVar = 2
    refresh_interval: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateCareOfAddress:
    """Alternate Care-of Address, RFC 6275 §6.2.5."""

    OPTION_TYPE: ClassVar = 3
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceIndices:
    """Nonce Indices, RFC 6275 §6.2.6."""

    OPTION_TYPE: ClassVar = 4
    home: int
    care_of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAuthorizationData:
    """Binding Authorization Data, RFC 6275 §6.2.7: the first 96 bits of the authenticator."""

    OPTION_TYPE: ClassVar = 5
    authenticator: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOption:
    """A mobility option that RFC 6275 does not define: kept, and skipped by its length (§6.2.1)."""

    option_type: int
    data: bytes


MobilityOption: TypeAlias = (
    BindingRefreshAdvice | AlternateCareOfAddress | NonceIndices | BindingAuthorizationData | UnknownOption
)

PAD1, PADN = 0, 1
AUTHENTICATOR_OCTETS = 12

_TWO_OCTETS = struct.Struct("!H")
_TWO_INDICES = struct.Struct("!HH")


def build_options(options: tuple[MobilityOption, ...], offset: int) -> bytes:
    """Write options that begin `offset` octets into a Mobility Header, aligned and padded to its end (§6.2.1)."""
    written = bytearray()
    for option in options:
        kind, data, multiple, remainder = _build_option(option)
        written += _padding((remainder - offset - len(written)) % multiple)
        written += bytes((kind, len(data))) + data
    return bytes(written + _padding(-(offset + len(written)) % 8))


def parse_options(octets: bytes) -> tuple[MobilityOption, ...]:
    """Read the options of a Mobility Header; padding is dropped, unknown ones are kept (§6.2.1)."""
    options: list[MobilityOption] = []
    at, end = 0, len(octets)
    while at < end:
        kind = octets[at]
        if kind == PAD1:
            at += 1
            continue
        if at + 2 > end or (after := at + 2 + octets[at + 1]) > end:
            raise WireError(MalformedReason.BAD_OPTION, f"mobility option {kind} runs past the end of its header")
        if kind != PADN:
            options.append(_parse_option(kind, octets[at + 2 : after]))
        at = after
    return tuple(options)


def _padding(count: int) -> bytes:
    if count < 2:
        return bytes(count)
    return bytes((PADN, count - 2)) + bytes(count - 2)


def _build_option(option: MobilityOption) -> tuple[int, bytes, int, int]:
    """Give type, data, and the alignment as (multiple, remainder)."""
    match option:
        case BindingRefreshAdvice(refresh_interval=interval):
            return 2, _TWO_OCTETS.pack(interval // LIFETIME_UNIT), 2, 0
        case AlternateCareOfAddress(address=address):
            return 3, address.packed, 8, 6
        case NonceIndices(home=home, care_of=care_of):
            return 4, _TWO_INDICES.pack(home, care_of), 2, 0
        case BindingAuthorizationData(authenticator=authenticator):
            return 5, authenticator, 8, 2
        case UnknownOption(option_type=kind, data=data):
            return kind, data, 1, 0


def _parse_option(kind: int, data: bytes) -> MobilityOption:
    length = len(data)
    match kind, length:
        case 2, 2:
            return BindingRefreshAdvice(refresh_interval=_TWO_OCTETS.unpack(data)[0] * LIFETIME_UNIT)
        case 3, 16:
            return AlternateCareOfAddress(address=IPv6Address(data))
        case 4, 4:
            home, care_of = _TWO_INDICES.unpack(data)
            return NonceIndices(home=home, care_of=care_of)
        case 5, 12:
            return BindingAuthorizationData(authenticator=data)
        case ((2 | 3 | 4 | 5), _):
            raise WireError(MalformedReason.BAD_OPTION, f"mobility option {kind} cannot be {length} octets long")
    return UnknownOption(option_type=kind, data=data)
