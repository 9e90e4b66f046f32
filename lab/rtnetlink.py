"""The kernel's messages about links, addresses, routes, rules, neighbours and traffic control.

pyroute2 declares them. What the lab says, and reads, of them is packed by one `struct` for each: written thirty times,
and read five times as fast as by the objects of pyroute2. A handover waits for half a dozen messages, a home agent that
starts anew for hundreds of thousands.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv6Address
from operator import attrgetter
from typing import Any, NamedTuple

from pyroute2.netlink import nla
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import sched_netem, sched_tbf, tcmsg
from pyroute2.netlink.rtnl.tcmsg.sched_bpf import options as bpf_options

_ATTRIBUTE = struct.Struct("=HH")
_NUMBER_BITS = 0x3FFF
"""Those above say how an attribute is to be read, which is known here."""


class _Kind(NamedTuple):
    """How the value of an attribute becomes octets, and is read again."""

    write: Callable[[Any], bytes]
    read: Callable[[bytes], Any]


def _number(form: str) -> _Kind:
    packed = struct.Struct(form)
    return _Kind(packed.pack, lambda octets: packed.unpack(octets)[0])


_OCTETS = _Kind(bytes, bytes)
_ADDRESS = _Kind(attrgetter("packed"), IPv6Address)
_KINDS = {
    "uint8": _number("=B"),
    "uint16": _number("=H"),
    "uint32": _number("=I"),
    "netns_fd": _number("=I"),
    "asciiz": _Kind(lambda text: text.encode() + b"\0", lambda octets: octets.rstrip(b"\0").decode()),
    "ipaddr": _ADDRESS,
    "ip6addr": _ADDRESS,
    "target": _ADDRESS,
}
"""By pyroute2's names; values of all others are octets, also of what has attributes within."""


class Layout:
    """A message behind its header, or what is nested in an attribute: fixed fields, then attributes."""

    def __init__(self, message: Any, attributes: str) -> None:
        """Take a declaration of pyroute2's, and of its attributes those with these names."""
        self._fixed = struct.Struct("=" + "".join(form for _, form in message.fields))
        self._names = [name for name, form in message.fields if not form.endswith("x")]
        numbered = [entry if len(entry) == 3 else (at, *entry) for at, entry in enumerate(message.nla_map)]
        wanted = attributes.split()
        self._attributes = {
            name: (number, _KINDS.get(kind, _OCTETS)) for number, name, kind in numbered if name in wanted
        }
        assert len(self._attributes) == len(wanted)
        self._readable = {number: (name, kind.read) for name, (number, kind) in self._attributes.items()}

    def write(self, fields: Mapping[str, int], attributes: Iterable[tuple[str, Any]]) -> bytes:
        """Give the octets; fields that are not named are 0."""
        parts = [self._fixed.pack(*(fields.get(name, 0) for name in self._names))]
        for name, value in attributes:
            number, kind = self._attributes[name]
            octets = kind.write(value)
            parts.append(_ATTRIBUTE.pack(_ATTRIBUTE.size + len(octets), number) + octets + bytes(-len(octets) % 4))
        return b"".join(parts)

    def read(self, octets: bytes, at: int) -> dict[str, Any]:
        """Read fields and attributes from an offset on; attributes without a name here are passed over.

        What comes behind the last that has a name is not looked at.

        Raises `struct.error` or ValueError on what no kernel says.
        """
        values: dict[str, Any] = dict(zip(self._names, self._fixed.unpack_from(octets, at), strict=True))
        at += self._fixed.size
        complete = len(values) + len(self._readable)
        while at + _ATTRIBUTE.size <= len(octets) and len(values) < complete:
            length, number = _ATTRIBUTE.unpack_from(octets, at)
            if length < _ATTRIBUTE.size:
                raise ValueError(f"attribute {number} of {length} octets")
            known = self._readable.get(number & _NUMBER_BITS)
            if known is not None:
                name, read = known
                values[name] = read(octets[at + _ATTRIBUTE.size : at + length])
            at += (length + 3) & ~3
        return values


class _Bytecode(nla):  # type: ignore[misc] # pyroute2 has no types
    """A classifier by classic BPF, whose instructions pyroute2 does not declare as octets."""

    nla_map = ((4, "TCA_BPF_OPS_LEN", "uint16"), (5, "TCA_BPF_OPS", "hex"), (8, "TCA_BPF_FLAGS", "uint32"))


class _Statistics(nla):  # type: ignore[misc] # pyroute2 has no types
    """What traffic control has counted."""

    nla_map = ((3, "TCA_STATS_QUEUE", "hex"),)


LINK_MESSAGE = Layout(
    ifinfmsg, "IFLA_ADDRESS IFLA_IFNAME IFLA_MTU IFLA_MASTER IFLA_LINKINFO IFLA_NET_NS_FD IFLA_STATS64"
)
LINK_DESCRIPTION = Layout(ifinfmsg, "IFLA_IFNAME IFLA_MTU IFLA_ADDRESS")
"""What the lab reads of the same message, of which the kernel says ten times as much behind."""
LINK_INFO = Layout(ifinfmsg.ifinfo, "IFLA_INFO_KIND IFLA_INFO_DATA")
TUNNEL = Layout(
    ifinfmsg.ifinfo.ip6tnl_data,
    "IFLA_IP6TNL_LOCAL IFLA_IP6TNL_REMOTE IFLA_IP6TNL_TTL IFLA_IP6TNL_FLAGS IFLA_IP6TNL_PROTO",
)
VETH = Layout(ifinfmsg.ifinfo.veth_data, "VETH_INFO_PEER")
BRIDGE = Layout(ifinfmsg.ifinfo.bridge_data, "IFLA_BR_FORWARD_DELAY IFLA_BR_STP_STATE IFLA_BR_MCAST_SNOOPING")
ADDRESS_MESSAGE = Layout(ifaddrmsg, "IFA_ADDRESS IFA_PROTO")
ROUTE_MESSAGE = Layout(rtmsg, "RTA_DST RTA_SRC RTA_OIF RTA_GATEWAY RTA_PRIORITY RTA_PREFSRC RTA_METRICS RTA_TABLE")
METRICS = Layout(rtmsg.metrics, "RTAX_MTU")
RULE_MESSAGE = Layout(
    fibmsg,
    "FRA_SRC FRA_IIFNAME FRA_PRIORITY FRA_FWMARK FRA_FWMASK FRA_TABLE FRA_PROTOCOL FRA_SUPPRESS_PREFIXLEN"
    " FRA_GOTO FRA_IP_PROTO",
)
NEIGHBOR_MESSAGE = Layout(ndmsg, "NDA_DST NDA_LLADDR NDA_PROTOCOL")
TRAFFIC_MESSAGE = Layout(tcmsg, "TCA_KIND TCA_OPTIONS TCA_STATS2")
NETEM = Layout(sched_netem.options, "TCA_NETEM_RATE")
NETEM_RATE = Layout(sched_netem.options.netem_rate, "")
SHAPER = Layout(sched_tbf.options, "TCA_TBF_PARMS")
SHAPER_PARAMETERS = Layout(sched_tbf.options.tbf_parms, "")
CLASSIFIER = Layout(bpf_options, "TCA_BPF_FD TCA_BPF_NAME TCA_BPF_FLAGS")
BYTECODE = Layout(_Bytecode, "TCA_BPF_OPS_LEN TCA_BPF_OPS TCA_BPF_FLAGS")
STATISTICS = Layout(_Statistics, "TCA_STATS_QUEUE")
