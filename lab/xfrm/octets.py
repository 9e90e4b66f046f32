"""Messages about policies and states as octets: the layouts of <linux/xfrm.h> where a long has 64 bits."""

import socket
import struct
from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Network

from lab.netlink import HEADER
from lab.xfrm.objects import (
    EVERYTHING,
    Acquire,
    Action,
    Cipher,
    Direction,
    Expired,
    Integrity,
    Mark,
    Migrated,
    Migration,
    Mode,
    Policy,
    PolicyKind,
    Report,
    Selector,
    State,
    Template,
    Told,
    Use,
)

NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY = range(16, 22)
ACQUIRE, EXPIRE, UPDPOLICY, UPDSA = range(23, 27)
FLUSHSA, FLUSHPOLICY, REPORT, MIGRATE = 28, 29, 32, 33
_ALG_CRYPT, _TMPL, _SRCADDR, _COADDR, _LASTUSED, _POLICY_TYPE, _MIGRATE = 2, 5, 13, 14, 15, 16, 17
_ALG_AUTH_TRUNC, _MARK = 20, 21
_WILDCARD = 8
_FAMILY = int(socket.AF_INET6)
_INFINITE = (1 << 64) - 1
_SELECTOR = struct.Struct("=16s16s2s2s2s2sHBBB3xII")
_ID = struct.Struct("=16s4sB3x")
_LIMITS = struct.Struct("=8Q")
_USE = struct.Struct("=4Q")
_STATE_END = struct.Struct("=12xIIHBBB7x")
_STATE_ID = struct.Struct("=16s4sHBx")
_POLICY_END = struct.Struct("=IIBBBB4x")
_TEMPLATE_END = struct.Struct("=H2x16sIBBBxIII")
_POLICY_ID_END = struct.Struct("=IB3x")
_KIND = struct.Struct("=Bx2xBx")
_MIGRATION = struct.Struct("=16s16s16s16sBB2xIHH")
_ATTRIBUTE = struct.Struct("=HH")
_ALGORITHM, _TRUNCATED = struct.Struct("=64sI"), struct.Struct("=64sII")
_NO_LIMITS = _LIMITS.pack(*[_INFINITE] * 4, 0, 0, 0, 0)
_NO_USE = bytes(_USE.size)
_STATE_OCTETS = _SELECTOR.size + _ID.size + 16 + _LIMITS.size + _USE.size + _STATE_END.size
_POLICY_OCTETS = _SELECTOR.size + _LIMITS.size + _USE.size + _POLICY_END.size
_TEMPLATE_OCTETS = _ID.size + _TEMPLATE_END.size
_ACQUIRE_SELECTOR_AT = _ID.size + 16
_REPORT_SELECTOR_AT = 4


def encode_state(state: State) -> bytes:
    """Make the body of NEWSA or UPDSA."""
    attributes = b""
    if state.encryption is not None:
        cipher = state.encryption
        attributes += _attribute(_ALG_CRYPT, _ALGORITHM.pack(cipher.name.encode(), 8 * len(cipher.key)) + cipher.key)
    if state.integrity is not None:
        name, key, sent = state.integrity.name, state.integrity.key, state.integrity.octets
        attributes += _attribute(_ALG_AUTH_TRUNC, _TRUNCATED.pack(name.encode(), 8 * len(key), 8 * sent) + key)
    if state.care_of_address is not None:
        attributes += _attribute(_COADDR, state.care_of_address.packed)
    return (
        (bytes(_SELECTOR.size) if state.selector is None else _encode_selector(state.selector))
        + _ID.pack(state.destination.packed, state.spi.to_bytes(4, "big"), state.protocol)
        + state.source.packed
        + _NO_LIMITS
        + _NO_USE
        + _STATE_END.pack(0, state.request, _FAMILY, state.mode, 0, _WILDCARD * state.wildcard)
        + attributes
    )


def decode_state(body: bytes) -> State:
    """Read the body of a NEWSA."""
    found = _attributes(body, _STATE_OCTETS)
    destination, spi, protocol = _ID.unpack_from(body, _SELECTOR.size)
    at = _SELECTOR.size + _ID.size
    _, request, _, mode, _, flags = _STATE_END.unpack_from(body, _STATE_OCTETS - _STATE_END.size)
    selector = _decode_selector(body)
    return State(
        source=IPv6Address(body[at : at + 16]),
        destination=IPv6Address(destination),
        protocol=protocol,
        mode=Mode(mode),
        spi=int.from_bytes(spi, "big"),
        request=request,
        care_of_address=IPv6Address(found[_COADDR]) if _COADDR in found else None,
        wildcard=bool(flags & _WILDCARD),
        selector=None if selector == EVERYTHING else selector,
        encryption=_decode_cipher(found[_ALG_CRYPT]) if _ALG_CRYPT in found else None,
        integrity=_decode_integrity(found[_ALG_AUTH_TRUNC]) if _ALG_AUTH_TRUNC in found else None,
    )


def decode_use(body: bytes) -> Use:
    """Read from the body of a NEWSA what the state has done."""
    last = _attributes(body, _STATE_OCTETS).get(_LASTUSED)
    octets, packets, _, _ = _USE.unpack_from(body, _STATE_OCTETS - _STATE_END.size - _USE.size)
    return Use(octets=octets, packets=packets, last=None if last is None else int.from_bytes(last, "little"))


def encode_state_id(state: State) -> bytes:
    """Make the body of DELSA or GETSA."""
    spi = state.spi.to_bytes(4, "big")
    source = _attribute(_SRCADDR, state.source.packed)
    return _STATE_ID.pack(state.destination.packed, spi, _FAMILY, state.protocol) + source


def encode_policy(policy: Policy) -> bytes:
    """Make the body of NEWPOLICY or UPDPOLICY."""
    attributes = encode_policy_kind(policy.kind)
    if policy.templates:
        attributes += _attribute(_TMPL, b"".join(map(_encode_template, policy.templates)))
    return encode_socket_policy(policy) + attributes + _encode_mark(policy)


def encode_socket_policy(policy: Policy) -> bytes:
    """Make what gives a policy without templates to a socket alone (IPV6_XFRM_POLICY)."""
    end = _POLICY_END.pack(policy.priority, 0, policy.direction, policy.action, 0, 0)
    return _encode_selector(policy.selector) + _NO_LIMITS + _NO_USE + end


def decode_policy(body: bytes) -> Policy:
    """Read the body of a NEWPOLICY."""
    found = _attributes(body, _POLICY_OCTETS)
    templates = found.get(_TMPL, b"")
    priority, _, direction, action, _, _ = _POLICY_END.unpack_from(body, _POLICY_OCTETS - _POLICY_END.size)
    return Policy(
        direction=Direction(direction),
        selector=_decode_selector(body),
        templates=tuple(_decode_template(templates, at) for at in range(0, len(templates), _TEMPLATE_OCTETS)),
        priority=priority,
        kind=PolicyKind(found.get(_POLICY_TYPE, b"\0")[0]),
        action=Action(action),
        mark=Mark(*struct.unpack("=II", found[_MARK])) if _MARK in found else None,
    )


def encode_policy_id(policy: Policy) -> bytes:
    """Make the body of DELPOLICY."""
    identity = _encode_selector(policy.selector) + _POLICY_ID_END.pack(0, policy.direction)
    return identity + encode_policy_kind(policy.kind) + _encode_mark(policy)


def encode_policy_kind(kind: PolicyKind) -> bytes:
    """Make the body of FLUSHPOLICY, which all other messages about policies have as well."""
    return _attribute(_POLICY_TYPE, _KIND.pack(kind, 0))


def encode_migration(policy: Policy, migrations: Iterable[Migration]) -> bytes:
    """Make the body of MIGRATE."""
    ends = b"".join(
        _MIGRATION.pack(
            migration.destination.packed,
            migration.source.packed,
            migration.new_destination.packed,
            migration.new_source.packed,
            migration.protocol,
            migration.mode,
            migration.request,
            _FAMILY,
            _FAMILY,
        )
        for migration in migrations
    )
    identity = _encode_selector(policy.selector) + _POLICY_ID_END.pack(0, policy.direction)
    return identity + _attribute(_MIGRATE, ends) + encode_policy_kind(policy.kind)


def decode_told(kind: int, message: bytes) -> Told | None:
    """Read a message that the kernel sent by itself; None for one of another kind."""
    body = message[HEADER.size :]
    match kind:
        case _ if kind == ACQUIRE:
            return Acquire(selector=_decode_selector(body, _ACQUIRE_SELECTOR_AT), protocol=body[20])
        case _ if kind == REPORT:
            address = _attributes(body, _REPORT_SELECTOR_AT + _SELECTOR.size).get(_COADDR)
            return Report(
                selector=_decode_selector(body, _REPORT_SELECTOR_AT),
                protocol=body[0],
                care_of_address=None if address is None else IPv6Address(address),
            )
        case _ if kind == EXPIRE:
            return Expired(state=decode_state(body[:_STATE_OCTETS]), hard=bool(body[_STATE_OCTETS]))
        case _ if kind == MIGRATE:
            ends = _attributes(body, _SELECTOR.size + _POLICY_ID_END.size).get(_MIGRATE, b"")
            migrations = tuple(_decode_migration(ends, at) for at in range(0, len(ends), _MIGRATION.size))
            return Migrated(selector=_decode_selector(body), migrations=migrations)
    return None


def _encode_selector(selector: Selector) -> bytes:
    return _SELECTOR.pack(
        selector.destination.network_address.packed,
        selector.source.network_address.packed,
        *_port(selector.destination_port),
        *_port(selector.source_port),
        _FAMILY,
        selector.destination.prefixlen,
        selector.source.prefixlen,
        selector.protocol,
        0,
        0,
    )


def _decode_selector(body: bytes, at: int = 0) -> Selector:
    destination, source, port, mask, from_port, from_mask, _, length, from_length, protocol, _, _ = (
        _SELECTOR.unpack_from(body, at)
    )
    return Selector(
        source=IPv6Network((source, from_length), strict=False),
        destination=IPv6Network((destination, length), strict=False),
        protocol=protocol,
        source_port=int.from_bytes(from_port, "big") if any(from_mask) else None,
        destination_port=int.from_bytes(port, "big") if any(mask) else None,
    )


def _port(port: int | None) -> tuple[bytes, bytes]:
    """Give a port and its mask."""
    return (bytes(2), bytes(2)) if port is None else (port.to_bytes(2, "big"), b"\xff\xff")


def _encode_template(template: Template) -> bytes:
    everything = (1 << 32) - 1
    return _ID.pack(template.destination.packed, template.spi.to_bytes(4, "big"), template.protocol) + (
        _TEMPLATE_END.pack(
            _FAMILY, template.source.packed, template.request, template.mode, 0, template.optional, *[everything] * 3
        )
    )


def _decode_template(octets: bytes, at: int) -> Template:
    destination, spi, protocol = _ID.unpack_from(octets, at)
    _, source, request, mode, _, optional, *_ = _TEMPLATE_END.unpack_from(octets, at + _ID.size)
    return Template(
        protocol=protocol,
        mode=Mode(mode),
        source=IPv6Address(source),
        destination=IPv6Address(destination),
        spi=int.from_bytes(spi, "big"),
        request=request,
        optional=bool(optional),
    )


def _decode_migration(octets: bytes, at: int) -> Migration:
    destination, source, new_destination, new_source, protocol, mode, request, _, _ = _MIGRATION.unpack_from(octets, at)
    return Migration(
        source=IPv6Address(source),
        destination=IPv6Address(destination),
        new_source=IPv6Address(new_source),
        new_destination=IPv6Address(new_destination),
        protocol=protocol,
        mode=Mode(mode),
        request=request,
    )


def _decode_cipher(octets: bytes) -> Cipher:
    name, bits = _ALGORITHM.unpack_from(octets)
    return Cipher(name=_text(name), key=octets[_ALGORITHM.size :][: bits // 8])


def _decode_integrity(octets: bytes) -> Integrity:
    name, bits, sent = _TRUNCATED.unpack_from(octets)
    return Integrity(name=_text(name), octets=sent // 8, key=octets[_TRUNCATED.size :][: bits // 8])


def _text(octets: bytes) -> str:
    return octets.rstrip(b"\0").decode("ascii")


def _encode_mark(policy: Policy) -> bytes:
    return b"" if policy.mark is None else _attribute(_MARK, struct.pack("=II", *policy.mark))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Read what follows the fixed part of a message; what is cut off is left out."""
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def is_ipv6_state(body: bytes) -> bool:
    """Tell whether a state is of IPv6."""
    return bool(_STATE_END.unpack_from(body, _STATE_OCTETS - _STATE_END.size)[2] == _FAMILY)


def is_ipv6_policy(body: bytes) -> bool:
    """Tell whether a policy is of IPv6, and of the node: those of sockets have directions of their own."""
    direction = _POLICY_END.unpack_from(body, _POLICY_OCTETS - _POLICY_END.size)[2]
    return bool(_SELECTOR.unpack_from(body)[6] == _FAMILY and direction <= Direction.FORWARD)
