"""Mobility options, RFC 6275 §6.2."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import ClassVar, TypeAlias


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
