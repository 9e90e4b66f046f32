"""The eight Mobility Header messages, RFC 6275 §6.1."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv6Address
from typing import Any, ClassVar, NamedTuple, TypeAlias

from lab.constants import LIFETIME_UNIT
from lab.errors import MalformedReason, WireError
from lab.wire.options import MobilityOption, build_options, parse_options

MOBILITY_HEADER = 135
"""The next header value of a Mobility Header."""
NO_NEXT_HEADER = 59
FIXED_OCTETS = 6
"""Payload proto, header length, type, reserved and checksum, before the message data."""


class BindingUpdateFlag(IntFlag):
    """Flags of a Binding Update, RFC 6275 §6.1.7, at their places in the 16-bit field."""

    ACKNOWLEDGE = 0x8000
    HOME_REGISTRATION = 0x4000
    LINK_LOCAL_ADDRESS_COMPATIBILITY = 0x2000
    KEY_MANAGEMENT_MOBILITY_CAPABILITY = 0x1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefreshRequest:
    """Binding Refresh Request, RFC 6275 §6.1.2."""

    MH_TYPE: ClassVar = 0
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTestInit:
    """Home Test Init, RFC 6275 §6.1.3."""

    MH_TYPE: ClassVar = 1
    cookie: bytes
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfTestInit:
    """Care-of Test Init, RFC 6275 §6.1.4."""

    MH_TYPE: ClassVar = 2
    cookie: bytes
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeTest:
    """Home Test, RFC 6275 §6.1.5."""

    MH_TYPE: ClassVar = 3
    nonce_index: int
    cookie: bytes
    keygen_token: bytes
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfTest:
    """Care-of Test, RFC 6275 §6.1.6."""

    MH_TYPE: ClassVar = 4
    nonce_index: int
    cookie: bytes
    keygen_token: bytes
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingUpdate:
    """Binding Update, RFC 6275 §6.1.7; `lifetime` in seconds, 4 s units on the wire."""

    MH_TYPE: ClassVar = 5
    sequence: int
    flags: BindingUpdateFlag
    lifetime: int
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAcknowledgement:
    """Binding Acknowledgement, RFC 6275 §6.1.8; `lifetime` in seconds, 4 s units on the wire."""

    MH_TYPE: ClassVar = 6
    status: int
    key_management_mobility_capability: bool = False
    sequence: int
    lifetime: int
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingError:
    """Binding Error, RFC 6275 §6.1.9."""

    MH_TYPE: ClassVar = 7
    status: int
    home_address: IPv6Address
    options: tuple[MobilityOption, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownMobilityMessage:
    """A Mobility Header whose type RFC 6275 does not define: answered by a Binding Error (§9.2)."""

    mh_type: int
    data: bytes


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


class _Layout(NamedTuple):
    """How the message data of one type lies on the wire, after the fixed part and before the options."""

    data: struct.Struct
    pack: Callable[[Any], tuple[Any, ...]]
    unpack: Callable[[tuple[Any, ...], tuple[MobilityOption, ...]], MobilityMessage]


_LAYOUTS: dict[int, _Layout] = {
    0: _Layout(
        struct.Struct("!2x"),
        lambda message: (),
        lambda data, options: BindingRefreshRequest(options=options),
    ),
    1: _Layout(
        struct.Struct("!2x8s"),
        lambda message: (message.cookie,),
        lambda data, options: HomeTestInit(cookie=data[0], options=options),
    ),
    2: _Layout(
        struct.Struct("!2x8s"),
        lambda message: (message.cookie,),
        lambda data, options: CareOfTestInit(cookie=data[0], options=options),
    ),
    3: _Layout(
        struct.Struct("!H8s8s"),
        lambda message: (message.nonce_index, message.cookie, message.keygen_token),
        lambda data, options: HomeTest(nonce_index=data[0], cookie=data[1], keygen_token=data[2], options=options),
    ),
    4: _Layout(
        struct.Struct("!H8s8s"),
        lambda message: (message.nonce_index, message.cookie, message.keygen_token),
        lambda data, options: CareOfTest(nonce_index=data[0], cookie=data[1], keygen_token=data[2], options=options),
    ),
    5: _Layout(
        struct.Struct("!HHH"),
        lambda message: (message.sequence, message.flags, message.lifetime // LIFETIME_UNIT),
        lambda data, options: BindingUpdate(
            sequence=data[0],
            flags=BindingUpdateFlag(data[1] & 0xF000),  # §6.1.7: reserved bits are ignored
            lifetime=data[2] * LIFETIME_UNIT,
            options=options,
        ),
    ),
    6: _Layout(
        struct.Struct("!BBHH"),
        lambda message: (
            message.status,
            0x80 if message.key_management_mobility_capability else 0,
            message.sequence,
            message.lifetime // LIFETIME_UNIT,
        ),
        lambda data, options: BindingAcknowledgement(
            status=data[0],
            key_management_mobility_capability=bool(data[1] & 0x80),
            sequence=data[2],
            lifetime=data[3] * LIFETIME_UNIT,
            options=options,
        ),
    ),
    7: _Layout(
        struct.Struct("!Bx16s"),
        lambda message: (message.status, message.home_address.packed),
        lambda data, options: BindingError(status=data[0], home_address=IPv6Address(data[1]), options=options),
    ),
}


def build_message(message: MobilityMessage) -> bytes:
    """Write a whole Mobility Header, its checksum field zero."""
    if isinstance(message, UnknownMobilityMessage):
        kind, data = message.mh_type, message.data
        options = bytes(-(FIXED_OCTETS + len(data)) % 8)
    else:
        kind = message.MH_TYPE
        layout = _LAYOUTS[kind]
        data = layout.data.pack(*layout.pack(message))
        options = build_options(message.options, FIXED_OCTETS + len(data))
    length = (FIXED_OCTETS + len(data) + len(options)) // 8 - 1
    return bytes((NO_NEXT_HEADER, length, kind, 0, 0, 0)) + data + options


def parse_message(octets: bytes, at: int) -> MobilityMessage:
    """Read a Mobility Header that begins `at` octets into its packet and whose checksum is right.

    The checks come in the order of RFC 6275 §9.2.
    """
    kind = octets[2]
    layout = _LAYOUTS.get(kind)
    if layout is None:
        return UnknownMobilityMessage(mh_type=kind, data=octets[FIXED_OCTETS:])
    if octets[0] != NO_NEXT_HEADER:
        raise WireError(MalformedReason.BAD_PAYLOAD_PROTO, f"payload proto {octets[0]} in a Mobility Header", at)
    length = (octets[1] + 1) * 8
    data_end = FIXED_OCTETS + layout.data.size
    if length < data_end:
        raise WireError(MalformedReason.MESSAGE_TOO_SHORT, f"Mobility Header type {kind} of {length} octets", at + 1)
    if length > len(octets):
        raise WireError(MalformedReason.TRUNCATED, f"Mobility Header of {length} octets in {len(octets)}")
    options = parse_options(octets[data_end:length])
    return layout.unpack(layout.data.unpack_from(octets, FIXED_OCTETS), options)
