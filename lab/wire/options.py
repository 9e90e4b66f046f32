"""Mobility options, RFC 6275 §6.2."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Annotated, ClassVar, TypeAlias

from lab.wire.fields import ADDRESS, REST, SECONDS_BY_4, U16, HeaderOctet, Tail, octets
from lab.wire.tlv import OptionsCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefreshAdvice:
    """Binding Refresh Advice, RFC 6275 §6.2.4; `refresh_interval` in seconds, 4 s units on the wire."""

    OPTION_TYPE: ClassVar = 2
    ALIGNMENT: ClassVar = (2, 0)
    RECURS: ClassVar = False

    refresh_interval: Annotated[int, SECONDS_BY_4]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternateCareOfAddress:
    """Alternate Care-of Address, RFC 6275 §6.2.5."""

    OPTION_TYPE: ClassVar = 3
    ALIGNMENT: ClassVar = (8, 6)
    RECURS: ClassVar = True

    address: Annotated[IPv6Address, ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceIndices:
    """Nonce Indices, RFC 6275 §6.2.6."""

    OPTION_TYPE: ClassVar = 4
    ALIGNMENT: ClassVar = (2, 0)
    RECURS: ClassVar = False

    home: Annotated[int, U16]
    care_of: Annotated[int, U16]


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAuthorizationData:
    """Binding Authorization Data, RFC 6275 §6.2.7: the first 96 bits of the authenticator.

    As the last option it needs no padding behind it: so the octets of a message end in it, or it was not the last.
    """

    OPTION_TYPE: ClassVar = 5
    ALIGNMENT: ClassVar = (8, 2)
    RECURS: ClassVar = False

    authenticator: Annotated[bytes, octets(12)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownOption:
    """A mobility option that RFC 6275 does not define: kept, and skipped by its length (§6.2.1)."""

    option_type: Annotated[int, HeaderOctet(0)]
    data: Annotated[bytes, REST]


MobilityOption: TypeAlias = (
    BindingRefreshAdvice | AlternateCareOfAddress | NonceIndices | BindingAuthorizationData | UnknownOption
)

_CODEC: OptionsCodec[MobilityOption] = OptionsCodec(
    (BindingRefreshAdvice, AlternateCareOfAddress, NonceIndices, BindingAuthorizationData), UnknownOption
)
OPTIONS = Tail(read=_CODEC.read, write=_CODEC.write)
"""The mobility options at the end of a message."""
