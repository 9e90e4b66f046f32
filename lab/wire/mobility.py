"""The eight Mobility Header messages, RFC 6275 §6.1."""

from dataclasses import dataclass
from enum import CONFORM, IntFlag
from ipaddress import IPv6Address
from typing import Annotated, Any, ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.checksum import checksum
from lab.wire.fields import (
    ADDRESS,
    REST,
    SECONDS_BY_4,
    U8,
    U16,
    Bit,
    FieldError,
    HeaderOctet,
    Reserved,
    flags,
    octets,
)
from lab.wire.layout import Layout, layout
from lab.wire.options import OPTIONS, MobilityOption

MOBILITY_HEADER = 135
"""The next header value of a Mobility Header."""
NO_NEXT_HEADER = 59
FIXED_OCTETS = 6
"""Payload proto, header length, type, reserved and checksum, before the message data."""
_SMALLEST, _LARGEST = 8, 256 * 8


class BindingUpdateFlag(IntFlag, boundary=CONFORM):
    """Flags of a Binding Update, RFC 6275 §6.1.7, at their places in the 16-bit field; reserved bits are dropped."""

    ACKNOWLEDGE = 0x8000
    HOME_REGISTRATION = 0x4000
    LINK_LOCAL_ADDRESS_COMPATIBILITY = 0x2000
    KEY_MANAGEMENT_MOBILITY_CAPABILITY = 0x1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefreshRequest:
    """Binding Refresh Request, RFC 6275 §6.1.2."""

    MH_TYPE: ClassVar = 0

    options: Annotated[tuple[MobilityOption, ...], Reserved(2), OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTestInit:
    """Home Test Init, RFC 6275 §6.1.3."""

    MH_TYPE: ClassVar = 1

    cookie: Annotated[bytes, Reserved(2), octets(8)]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfTestInit:
    """Care-of Test Init, RFC 6275 §6.1.4."""

    MH_TYPE: ClassVar = 2

    cookie: Annotated[bytes, Reserved(2), octets(8)]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTest:
    """Home Test, RFC 6275 §6.1.5."""

    MH_TYPE: ClassVar = 3

    nonce_index: Annotated[int, U16]
    cookie: Annotated[bytes, octets(8)]
    keygen_token: Annotated[bytes, octets(8)]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfTest:
    """Care-of Test, RFC 6275 §6.1.6."""

    MH_TYPE: ClassVar = 4

    nonce_index: Annotated[int, U16]
    cookie: Annotated[bytes, octets(8)]
    keygen_token: Annotated[bytes, octets(8)]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingUpdate:
    """Binding Update, RFC 6275 §6.1.7; `lifetime` in seconds, 4 s units on the wire."""

    MH_TYPE: ClassVar = 5

    sequence: Annotated[int, U16]
    flags: Annotated[BindingUpdateFlag, flags(BindingUpdateFlag)]
    lifetime: Annotated[int, SECONDS_BY_4]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAcknowledgement:
    """Binding Acknowledgement, RFC 6275 §6.1.8; `lifetime` in seconds, 4 s units on the wire."""

    MH_TYPE: ClassVar = 6

    status: Annotated[int, U8]
    key_management_mobility_capability: Annotated[bool, Bit(0x80)] = False
    sequence: Annotated[int, U16]
    lifetime: Annotated[int, SECONDS_BY_4]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingError:
    """Binding Error, RFC 6275 §6.1.9."""

    MH_TYPE: ClassVar = 7

    status: Annotated[int, U8]
    home_address: Annotated[IPv6Address, Reserved(1), ADDRESS]
    options: Annotated[tuple[MobilityOption, ...], OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMobilityMessage:
    """A Mobility Header whose type RFC 6275 does not define: answered by a Binding Error (§9.2)."""

    mh_type: Annotated[int, HeaderOctet(2)]
    data: Annotated[bytes, REST]


MobilityMessage: TypeAlias = (
    BindingRefreshRequest
    | HomeTestInit
    | CareOfTestInit
    | HomeTest
    | CareOfTest
    | BindingUpdate
    | BindingAcknowledgement
    | BindingError
    | UnknownMobilityMessage
)

_KNOWN: tuple[type[Any], ...] = (
    BindingRefreshRequest,
    HomeTestInit,
    CareOfTestInit,
    HomeTest,
    CareOfTest,
    BindingUpdate,
    BindingAcknowledgement,
    BindingError,
)
_UNKNOWN = layout(UnknownMobilityMessage, header=FIXED_OCTETS)
_LAYOUTS: dict[int, Layout[Any]] = {kind.MH_TYPE: layout(kind, header=FIXED_OCTETS) for kind in _KNOWN}


def parse_message(octets: bytes, at: int, addresses: int) -> MobilityMessage:
    """Read the Mobility Header that lies at an offset of a packet.

    `addresses` is from `pseudo_addresses`. The checks come in the order of RFC 6275 §9.2.
    """
    if len(octets) < _SMALLEST:
        raise WireError(MalformedReason.TRUNCATED, f"a Mobility Header of {len(octets)} octets")
    end = (octets[1] + 1) * 8
    # The sum is over the upper-layer packet; some take the header alone where something is piggybacked behind it.
    if checksum(addresses, MOBILITY_HEADER, octets) and checksum(addresses, MOBILITY_HEADER, octets[:end]):
        raise WireError(MalformedReason.BAD_CHECKSUM, "the checksum of the Mobility Header is wrong")
    found = _LAYOUTS.get(octets[2], _UNKNOWN)
    if octets[0] != NO_NEXT_HEADER and found is not _UNKNOWN:
        raise WireError(MalformedReason.BAD_PAYLOAD_PROTO, f"payload proto {octets[0]} is not 59", at)
    if end < found.size:
        raise WireError(MalformedReason.MESSAGE_TOO_SHORT, f"header length {octets[1]} is too short", at + 1)
    if end > len(octets):
        raise WireError(MalformedReason.TRUNCATED, f"header length {octets[1]} goes beyond the packet")
    message: MobilityMessage = found.read(octets, 0, end)
    return message


def build_message(message: MobilityMessage, addresses: int) -> bytes:
    """Write a whole Mobility Header; `addresses` is from `pseudo_addresses`."""
    if isinstance(message, UnknownMobilityMessage):
        kind, data = message.mh_type, _UNKNOWN.write(message)
    else:
        kind, data = message.MH_TYPE, _LAYOUTS[message.MH_TYPE].write(message)
    size = FIXED_OCTETS + len(data)
    if size % 8 or size > _LARGEST:
        raise FieldError(f"no Mobility Header can have {size} octets")
    fixed = bytes((NO_NEXT_HEADER, size // 8 - 1, kind, 0))
    return fixed + checksum(addresses, MOBILITY_HEADER, fixed + b"\0\0" + data).to_bytes(2, "big") + data
