"""The eight Mobility Header messages, RFC 6275 §6.1."""

from dataclasses import dataclass
from enum import IntFlag
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias

from lab.wire.options import MobilityOption


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
