"""DHCPv6 (RFC 8415) as far as a relay agent has to read and write it: headers, and options by their codes."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address
from typing import Annotated, ClassVar, TypeAlias

from lab.errors import MalformedReason, WireError
from lab.wire.addresses import LINK_LOCAL_PREFIX
from lab.wire.chain import destination, source, walk
from lab.wire.fields import ADDRESS, U8, FieldError, HeaderOctet, Tail, octets
from lab.wire.layout import Layout, layout
from lab.wire.udp import UDP

CLIENT_PORT, SERVER_PORT = 546, 547
"""Where clients listen, and where servers and relay agents do (RFC 8415 §7.2)."""
ALL_DHCP_RELAY_AGENTS_AND_SERVERS = IPv6Address("ff02::1:2")
RELAY_MESSAGE, INTERFACE_ID = 9, 18
"""Codes of options (RFC 8415 §21.10, §21.18)."""
_OPTION = struct.Struct("!HH")
_TYPE_OCTETS, _LARGEST_TYPE = 1, 0xFF
_PORT_AT = 2
_LINK_LOCAL = LINK_LOCAL_PREFIX.network_address.packed[:8]
_PORTS = frozenset(port.to_bytes(2, "big") for port in (CLIENT_PORT, SERVER_PORT))


class Dhcpv6Type(IntEnum):
    """The types of messages, RFC 8415 §7.3."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    RECONFIGURE = 10
    INFORMATION_REQUEST = 11
    RELAY_FORWARD = 12
    RELAY_REPLY = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcpv6Option:
    """An option, RFC 8415 §21.1; what is in it is for clients and servers."""

    code: int
    data: bytes


def _read_options(octets: bytes, start: int, end: int) -> tuple[Dhcpv6Option, ...]:
    options, at = [], start
    while at < end:
        if at + _OPTION.size > end:
            raise WireError(MalformedReason.BAD_OPTION, "a DHCPv6 option ends before its length")
        code, size = _OPTION.unpack_from(octets, at)
        at += _OPTION.size + size
        if at > end:
            raise WireError(MalformedReason.BAD_OPTION, f"DHCPv6 option {code} runs past the end of its message")
        options.append(Dhcpv6Option(code=code, data=octets[at - size : at]))
    return tuple(options)


def _write_options(options: tuple[Dhcpv6Option, ...], _offset: int) -> bytes:
    return b"".join(_OPTION.pack(option.code, len(option.data)) + option.data for option in options)


_NAMES = {int(kind): kind.name.capitalize().replace("_", "-") for kind in Dhcpv6Type}
_OPTIONS = Tail(read=_read_options, write=_write_options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcpv6Message:
    """A message between client and server, RFC 8415 §8; a type that is not defined is relayed as well (RFC 7283)."""

    message_type: Annotated[int, HeaderOctet(0)]
    transaction_id: Annotated[bytes, octets(3)]
    options: Annotated[tuple[Dhcpv6Option, ...], _OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayForward:
    """Relay-forward, RFC 8415 §9.1: a message on its way to a server, in an option."""

    MESSAGE_TYPE: ClassVar = Dhcpv6Type.RELAY_FORWARD

    hop_count: Annotated[int, U8]
    link_address: Annotated[IPv6Address, ADDRESS]
    """Tells the server on which link the client is."""
    peer_address: Annotated[IPv6Address, ADDRESS]
    """From whom the message came, and to whom the answer goes."""
    options: Annotated[tuple[Dhcpv6Option, ...], _OPTIONS] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayReply:
    """Relay-reply, RFC 8415 §9.2: an answer on its way back; the fields are those of what it answers."""

    MESSAGE_TYPE: ClassVar = Dhcpv6Type.RELAY_REPLY

    hop_count: Annotated[int, U8]
    link_address: Annotated[IPv6Address, ADDRESS]
    peer_address: Annotated[IPv6Address, ADDRESS]
    options: Annotated[tuple[Dhcpv6Option, ...], _OPTIONS] = ()


Message: TypeAlias = Dhcpv6Message | RelayForward | RelayReply

_LAYOUTS: dict[type[Message], Layout[Message]] = {
    kind: layout(kind, header=_TYPE_OCTETS) for kind in (Dhcpv6Message, RelayForward, RelayReply)
}
_BY_TYPE: dict[int, type[Message]] = {kind.MESSAGE_TYPE: kind for kind in (RelayForward, RelayReply)}


def parse_message(octets: bytes) -> Message:
    """Read what a datagram holds; raises `WireError`."""
    fields = _LAYOUTS[_BY_TYPE.get(int.from_bytes(octets[:_TYPE_OCTETS], "big"), Dhcpv6Message)]
    if len(octets) < fields.size:
        raise WireError(MalformedReason.BAD_LENGTH, f"{len(octets)} octets are no message of DHCPv6")
    return fields.read(octets, 0, len(octets))


def build_message(message: Message) -> bytes:
    """Write a message; raises `FieldError`."""
    kind = type_of(message)
    if not 0 <= kind <= _LARGEST_TYPE:
        raise FieldError(f"no message of DHCPv6 can have type {kind}")
    return bytes((kind,)) + _LAYOUTS[type(message)].write(message)


def type_of(message: Message) -> int:
    """Give the type of a message."""
    return message.message_type if isinstance(message, Dhcpv6Message) else message.MESSAGE_TYPE


def option_of(message: Message, code: int) -> bytes | None:
    """Give the data of the first option of a code; None if there is none."""
    return next((option.data for option in message.options if option.code == code), None)


def name_of(message: Message) -> str:
    """Name a message as its RFC does."""
    kind = type_of(message)
    return _NAMES.get(kind, f"Message of type {kind}")


def is_dhcpv6_of_link(packet: bytes) -> bool:
    """Tell whether a packet is DHCPv6 as it is spoken on a link, between link-local addresses (RFC 6275 §10.4.4)."""
    if source(packet)[:8] != _LINK_LOCAL:  # payload of others mostly comes from elsewhere
        return False
    to = destination(packet)
    if to[:8] != _LINK_LOCAL and to != ALL_DHCP_RELAY_AGENTS_AND_SERVERS.packed:
        return False
    chain = walk(packet)
    if chain is None or chain.next_header != UDP:
        return False
    return packet[chain.at + _PORT_AT : chain.at + _PORT_AT + 2] in _PORTS
