"""Multicast Listener Discovery: the messages of RFC 3810 (MLDv2), and those of RFC 2710 (MLDv1) that say the same."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Annotated, ClassVar

from lab.errors import MalformedReason, WireError
from lab.wire.fields import ADDRESS, U8, U16, Reserved, Tail, read_address


class RecordType(IntEnum):
    """What a record tells of a group: what is listened to, or a change of that, RFC 3810 §5.2.12."""

    MODE_IS_INCLUDE = 1
    MODE_IS_EXCLUDE = 2
    CHANGE_TO_INCLUDE_MODE = 3
    CHANGE_TO_EXCLUDE_MODE = 4
    ALLOW_NEW_SOURCES = 5
    BLOCK_OLD_SOURCES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastAddressRecord:
    """What one listener has to say of one group, RFC 3810 §5.2.4; `record_type` may be one that is not defined."""

    record_type: int
    group: IPv6Address
    sources: tuple[IPv6Address, ...] = ()


_COUNT = struct.Struct("!H")
_RECORD = struct.Struct("!BBH16s")
_ADDRESS_OCTETS, _AUXILIARY_UNIT = 16, 4


def _read_addresses(octets: bytes, at: int, end: int, count: int) -> tuple[IPv6Address, ...]:
    after = at + count * _ADDRESS_OCTETS
    if after > end:
        raise WireError(MalformedReason.BAD_LENGTH, f"{count} sources do not fit into {end - at} octets")
    return tuple(read_address(octets[here : here + _ADDRESS_OCTETS]) for here in range(at, after, _ADDRESS_OCTETS))


def _read_count(octets: bytes, at: int, end: int) -> int:
    if at + _COUNT.size > end:
        raise WireError(MalformedReason.BAD_LENGTH, "an MLD message ends before its number of entries")
    (count,) = _COUNT.unpack_from(octets, at)
    return int(count)


def _read_sources(octets: bytes, start: int, end: int) -> tuple[IPv6Address, ...]:
    return _read_addresses(octets, start + _COUNT.size, end, _read_count(octets, start, end))


def _write_sources(sources: tuple[IPv6Address, ...], _offset: int) -> bytes:
    return _COUNT.pack(len(sources)) + b"".join(source.packed for source in sources)


def _read_records(octets: bytes, start: int, end: int) -> tuple[MulticastAddressRecord, ...]:
    records, at = [], start + _COUNT.size
    for _ in range(_read_count(octets, start, end)):
        if at + _RECORD.size > end:
            raise WireError(MalformedReason.BAD_LENGTH, "a report ends before its last record")
        kind, auxiliary, count, group = _RECORD.unpack_from(octets, at)
        sources = _read_addresses(octets, at + _RECORD.size, end, count)
        records.append(MulticastAddressRecord(record_type=kind, group=read_address(group), sources=sources))
        at += _RECORD.size + count * _ADDRESS_OCTETS + auxiliary * _AUXILIARY_UNIT  # §5.2.11: not read
    return tuple(records)


def _write_records(records: tuple[MulticastAddressRecord, ...], _offset: int) -> bytes:
    written = [
        _RECORD.pack(record.record_type, 0, len(record.sources), record.group.packed)
        + b"".join(source.packed for source in record.sources)
        for record in records
    ]
    return _COUNT.pack(len(records)) + b"".join(written)


_SOURCES = Tail(read=_read_sources, write=_write_sources)
_RECORDS = Tail(read=_read_records, write=_write_records)


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastListenerQuery:
    """Multicast Listener Query, RFC 3810 §5.1; of no group (`::`), it asks for all.

    `max_response_code` is in milliseconds and `interval_code` in seconds where they are less than 32768 and 128.
    """

    ICMPV6_TYPE: ClassVar = 130

    max_response_code: Annotated[int, U16]
    group: Annotated[IPv6Address, Reserved(2), ADDRESS]
    robustness: Annotated[int, U8]
    """Up to 7; the S flag counts 8."""
    interval_code: Annotated[int, U8]
    sources: Annotated[tuple[IPv6Address, ...], _SOURCES] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastListenerReportV1:
    """Multicast Listener Report, RFC 2710 §3: somebody listens to a group."""

    ICMPV6_TYPE: ClassVar = 131

    group: Annotated[IPv6Address, Reserved(4), ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastListenerDone:
    """Multicast Listener Done, RFC 2710 §3: somebody does no longer."""

    ICMPV6_TYPE: ClassVar = 132

    group: Annotated[IPv6Address, Reserved(4), ADDRESS]


@dataclass(frozen=True, slots=True, kw_only=True)
class MulticastListenerReport:
    """Version 2 Multicast Listener Report, RFC 3810 §5.2."""

    ICMPV6_TYPE: ClassVar = 143

    records: Annotated[tuple[MulticastAddressRecord, ...], Reserved(2), _RECORDS]


MULTICAST_LISTENER_TYPES = frozenset(
    kind.ICMPV6_TYPE
    for kind in (
        MulticastListenerQuery,
        MulticastListenerReportV1,
        MulticastListenerDone,
        MulticastListenerReport,
    )
)
FIRST_VERSION_OCTETS = 24
"""The size of a query of RFC 2710, which has the type of the other."""


def groups_of(message: object) -> tuple[IPv6Address, ...]:
    """Give the groups that a message of a listener names."""
    match message:
        case MulticastListenerReportV1(group=group) | MulticastListenerDone(group=group):
            return (group,)
        case MulticastListenerReport(records=records):
            return tuple(record.group for record in records)
        case _:
            return ()
