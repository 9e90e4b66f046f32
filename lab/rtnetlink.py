"""The kernel's messages about links, addresses, routes, rules, neighbours and traffic control, declared as data.

Only what the lab says, and reads, is declared. Names and numbers are those of linux/rtnetlink.h and what it includes.
Each layout is packed by one `struct`, since a handover waits for half a dozen of these messages.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Address
from operator import attrgetter
from typing import Any, NamedTuple

_ATTRIBUTE = struct.Struct("=HH")
_NUMBER_BITS = 0x3FFF
"""Those above say how an attribute is to be read, which is known here."""


class Kind(NamedTuple):
    """How the value of an attribute becomes octets, and is read again; None: it is only ever told to the kernel."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any] | None


def _number(form: str) -> Kind:
    packed = struct.Struct(form)
    return Kind(packed.pack, lambda octets: packed.unpack(octets)[0])


U8, U32 = _number("=B"), _number("=I")
TEXT = Kind(lambda text: text.encode() + b"\0", lambda octets: octets.rstrip(b"\0").decode())
OCTETS = Kind(bytes, bytes)
ADDRESS = Kind(attrgetter("packed"), IPv6Address)


class Layout:
    """A message behind its header, or what is nested in an attribute: fixed fields, then attributes."""

    def __init__(self, form: str, names: str, attributes: Mapping[str, tuple[int, Kind]]) -> None:
        self._fixed = struct.Struct(f"={form}")
        self._names = names.split()
        self._attributes = attributes
        self._readable = {number: (name, kind.read) for name, (number, kind) in attributes.items() if kind.read}

    def write(self, fields: Mapping[str, int], attributes: Iterable[tuple[str, Any]]) -> bytes:
        """Give the octets; fields that are not named are 0."""
        parts = [self._fixed.pack(*(fields.get(name, 0) for name in self._names))]
        for name, value in attributes:
            number, kind = self._attributes[name]
            octets = kind.write(value)
            parts.append(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(octets), number) + octets + bytes(-len(octets) % 4))
        return b"".join(parts)

    def read(self, octets: bytes, at: int) -> dict[str, Any]:
        """Read fields and attributes from an offset on; what is not declared is passed over.

        Raises `struct.error` or ValueError on what no kernel says.
        """
        values: dict[str, Any] = dict(zip(self._names, self._fixed.unpack_from(octets, at), strict=True))
        at += self._fixed.size
        while at + _ATTRIBUTE.size <= len(octets):
            length, number = _ATTRIBUTE.unpack_from(octets, at)
            if length < _ATTRIBUTE.size:
                raise ValueError(f"attribute {number} of {length} octets")
            known = self._readable.get(number & _NUMBER_BITS)
            if known is not None:
                name, read = known
                values[name] = read(octets[at + _ATTRIBUTE.size : at + length])
            at += (length + 3) & ~3
        return values


def _nested(layout: Layout) -> Kind:
    """Nest a layout; a value is its fields and, as `attrs`, its attributes."""
    return Kind(lambda value: layout.write(value, value["attrs"]), None)


_LINK_FORM, _LINK_FIELDS = "BxHiII", "family type index flags change"
_ANY_LINK = {
    "IFLA_ADDRESS": (1, OCTETS),
    "IFLA_IFNAME": (3, TEXT),
    "IFLA_MTU": (4, U32),
    "IFLA_MASTER": (10, U32),
    "IFLA_NET_NS_FD": (28, U32),
}
_LINK_DATA = Layout(
    "",
    "",
    {
        "IFLA_BR_FORWARD_DELAY": (1, U32),
        "IFLA_BR_STP_STATE": (5, U32),
        "IFLA_BR_MCAST_SNOOPING": (23, U8),
        "VETH_INFO_PEER": (1, _nested(Layout(_LINK_FORM, _LINK_FIELDS, _ANY_LINK))),
    },
)
_LINK_INFO = Layout("", "", {"IFLA_INFO_KIND": (1, TEXT), "IFLA_INFO_DATA": (2, _nested(_LINK_DATA))})
LINK_MESSAGE = Layout(_LINK_FORM, _LINK_FIELDS, _ANY_LINK | {"IFLA_LINKINFO": (18, _nested(_LINK_INFO))})
ADDRESS_MESSAGE = Layout(
    "BBBBI", "family prefixlen flags scope index", {"IFA_ADDRESS": (1, ADDRESS), "IFA_PROTO": (11, U8)}
)
ROUTE_MESSAGE = Layout(
    "BBBBBBBBI",
    "family dst_len src_len tos table proto scope type flags",
    {
        "RTA_DST": (1, ADDRESS),
        "RTA_OIF": (4, U32),
        "RTA_GATEWAY": (5, ADDRESS),
        "RTA_PRIORITY": (6, U32),
        "RTA_PREFSRC": (7, ADDRESS),
        "RTA_METRICS": (8, _nested(Layout("", "", {"RTAX_MTU": (2, U32)}))),
        "RTA_TABLE": (15, U32),
    },
)
RULE_MESSAGE = Layout(
    "BBBBBxxBI",
    "family dst_len src_len tos table action flags",
    {
        "FRA_SRC": (2, ADDRESS),
        "FRA_IIFNAME": (3, TEXT),
        "FRA_PRIORITY": (6, U32),
        "FRA_FWMARK": (10, U32),
        "FRA_TABLE": (15, U32),
        "FRA_FWMASK": (16, U32),
        "FRA_PROTOCOL": (21, U8),
    },
)
NEIGHBOR_MESSAGE = Layout(
    "B3xiHBB",
    "family ifindex state flags type",
    {"NDA_DST": (1, ADDRESS), "NDA_LLADDR": (2, OCTETS), "NDA_PROTOCOL": (12, U8)},
)
TRAFFIC_MESSAGE = Layout(
    "B3xiIII",
    "family index handle parent info",
    {
        "TCA_KIND": (1, TEXT),
        "TCA_OPTIONS": (
            2,
            _nested(Layout("", "", {"TCA_BPF_FD": (6, U32), "TCA_BPF_NAME": (7, TEXT), "TCA_BPF_FLAGS": (8, U32)})),
        ),
    },
)
