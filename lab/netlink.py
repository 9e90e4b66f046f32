"""Links, addresses, routes and neighbours by rtnetlink: a plain socket and the messages of `lab.rtnetlink`.

A handover and a bring-up are counted in milliseconds: no threads, no event loop, many requests in one system call.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Interface, IPv6Network
from typing import Any, NamedTuple, Self, TypeAlias

from lab.errors import PlaneError
from lab.rtnetlink import (
    ADDRESS_MESSAGE,
    BRIDGE,
    BYTECODE,
    CLASSIFIER,
    LINK_DESCRIPTION,
    LINK_INFO,
    LINK_MESSAGE,
    METRICS,
    NEIGHBOR_MESSAGE,
    NETEM,
    NETEM_RATE,
    ROUTE_MESSAGE,
    RULE_MESSAGE,
    SHAPER,
    SHAPER_PARAMETERS,
    STATISTICS,
    TRAFFIC_MESSAGE,
    TUNNEL,
    VETH,
    Layout,
)

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC, RTM_NEWTFILTER, RTM_DELTFILTER = 36, 37, 38, 44, 45
IFF_UP, IFF_LOWER_UP = 0x1, 0x10000
IFA_F_NODAD, IFA_F_HOMEADDRESS = 0x02, 0x10
NTF_PROXY, NUD_STALE = 0x08, 0x04
RTPROT_KERNEL, RTPROT_STATIC, RTN_UNICAST, RTN_BLACKHOLE = 2, 4, 1, 6
FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_NOP = 1, 2, 3
CLSACT, CLSACT_HANDLE, DIRECT_ACTION = 0xFFFFFFF1, 0xFFFF0000, 1
CLASSIFIER_NAME, CLASSIFIER_PRIORITY = "mip6lab", 6275
"""Classifiers with this priority are ours."""
ROOT_QUEUE = 0xFFFFFFFF
TICKS = 15_625_000
"""Of the packet scheduler, in a second."""
QUEUED_PACKETS, LONGEST_FRAME = 1000, 1514
ETHERNET_LINK_LAYER = 1
TUNNEL_NAMES = "mip6-"
"""Devices whose names begin so are tunnels of ours."""
IP6_TNL_F_IGN_ENCAP_LIMIT, TUNNEL_HOP_LIMIT = 0x1, 64
MAIN_TABLE, LOCAL_TABLE = 254, 255
REMOVALS = frozenset({RTM_DELADDR, RTM_DELROUTE, RTM_DELNEIGH, RTM_DELRULE, RTM_DELTFILTER, RTM_DELQDISC})
GONE = frozenset({errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.EADDRNOTAVAIL})
"""How the kernel says that what is to be removed is not there: an interface that goes takes much with it."""

UNSPECIFIED = IPv6Address("::")
ETH_P_ALL, ETH_P_IPV6 = 0x0003, 0x86DD
HEADER = struct.Struct("=LHHLL")
_CARRIED, _DROPS = struct.Struct("=QQ"), struct.Struct("=8xI")
"""The beginnings of the statistics of links and of queues: newer kernels have more behind."""
_DESTINATION_AT = 16
"""In what is said of a route: behind the fixed fields and the header of the first attribute."""
BATCH_OCTETS = 16384
"""Requests sent at once; their acknowledgements must fit the receive buffer."""


class Direction(IntEnum):
    """Where traffic control looks at the packets of an interface."""

    INGRESS = 0xFFFFFFF2
    EGRESS = 0xFFFFFFF3


Destination: TypeAlias = IPv6Network | IPv6Address
"""Of a route, or whose packets a rule is for; an address means that alone."""
What: TypeAlias = str | tuple[object, ...]
"""What is asked for, or the words that say so: they are put together only if it is refused."""


class _Request(NamedTuple):
    """One message to the kernel."""

    octets: bytes
    what: What
    tolerated: frozenset[int] = frozenset()
    """Refusals that mean that all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface as the kernel sees it."""

    index: int
    name: str
    up: bool
    carrier: bool
    link_layer_address: bytes
    mtu: int


class Carried(NamedTuple):
    """Packets of an interface, in both directions."""

    received: int
    sent: int


class Netlink:
    """A conversation with the kernel, in the network namespace of the thread that opens it.

    Every request raises `PlaneError` with the kernel's reason; inside `with netlink.batch():` requests are
    collected and sent together when the block ends, and the first refusal is raised then. Removing what is not
    there is no error. Routes, rules, addresses and neighbours bear the mark of a `protocol`, if one is given.
    """

    def __init__(self, protocol: int | None = None) -> None:
        self._protocol = protocol
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._batch: list[_Request] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation; may be called twice."""
        self._socket.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Collect the requests of the block and send them together at its end."""
        if self._batch is not None:
            yield  # an outer block sends them
            return
        collected: list[_Request] = []
        self._batch = collected
        try:
            yield
        finally:
            self._batch = None
        self._send(collected)

    def link(self, name: str) -> Link:
        """Look one interface up by its name."""
        request = self._with_header(RTM_GETLINK, NLM_F_REQUEST, LINK_MESSAGE.write({}, [("IFLA_IFNAME", name)]))
        for message in self._exchange([_Request(request, f"find link {name}")], LINK_DESCRIPTION):
            return _describe(message)
        raise PlaneError(f"find link {name}: no answer from the kernel")

    def links(self) -> list[Link]:
        """All interfaces of the namespace."""
        return [_describe(message) for message in self._dump(LINK_DESCRIPTION, RTM_GETLINK, {})]

    def addresses(self, index: int | None = None) -> list[IPv6Interface]:
        """IPv6 addresses, of one interface or of all."""
        messages = self._dump(ADDRESS_MESSAGE, RTM_GETADDR, {"family": socket.AF_INET6})
        return [
            IPv6Interface((message["IFA_ADDRESS"], message["prefixlen"]))
            for message in messages
            if index is None or message["index"] == index
        ]

    def create_veth(
        self,
        name: str,
        peer: str,
        *,
        index: int = 0,
        peer_index: int = 0,
        namespace: int | None = None,
        peer_namespace: int | None = None,
        address: bytes | None = None,
        peer_address: bytes | None = None,
    ) -> None:
        """Make a pair of interfaces; namespaces are descriptors, an index of 0 lets the kernel choose."""
        far = LINK_MESSAGE.write({"index": peer_index}, _link_attributes(peer, peer_namespace, peer_address))
        info = LINK_INFO.write(
            {}, [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", VETH.write({}, [("VETH_INFO_PEER", far)]))]
        )
        attributes = [*_link_attributes(name, namespace, address), ("IFLA_LINKINFO", info)]
        self._create(LINK_MESSAGE, RTM_NEWLINK, {"index": index}, attributes, f"create link {name}")

    def create_bridge(self, name: str, *, index: int = 0) -> None:
        """Make a bridge that forwards at once: no spanning tree, no multicast snooping."""
        options = [("IFLA_BR_STP_STATE", 0), ("IFLA_BR_FORWARD_DELAY", 0), ("IFLA_BR_MCAST_SNOOPING", 0)]
        info = LINK_INFO.write({}, [("IFLA_INFO_KIND", "bridge"), ("IFLA_INFO_DATA", BRIDGE.write({}, options))])
        attributes = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)]
        self._create(LINK_MESSAGE, RTM_NEWLINK, {"index": index}, attributes, f"create bridge {name}")

    def create_tunnel(self, name: str, local: IPv6Address, remote: IPv6Address) -> None:
        """Make a tunnel of IPv6 in IPv6 that tells of no encapsulation limit (RFC 2473)."""
        options = [
            ("IFLA_IP6TNL_LOCAL", local),
            ("IFLA_IP6TNL_REMOTE", remote),
            ("IFLA_IP6TNL_TTL", TUNNEL_HOP_LIMIT),
            ("IFLA_IP6TNL_FLAGS", IP6_TNL_F_IGN_ENCAP_LIMIT),
            ("IFLA_IP6TNL_PROTO", socket.IPPROTO_IPV6),
        ]
        info = LINK_INFO.write({}, [("IFLA_INFO_KIND", "ip6tnl"), ("IFLA_INFO_DATA", TUNNEL.write({}, options))])
        attributes = [("IFLA_IFNAME", name), ("IFLA_LINKINFO", info)]
        self._create(LINK_MESSAGE, RTM_NEWLINK, {}, attributes, f"create tunnel from {local} to {remote}")

    def carried(self, index: int) -> Carried:
        """Count the packets that an interface brought and took."""
        what = f"find link {index}"
        request = self._with_header(RTM_GETLINK, NLM_F_REQUEST, LINK_MESSAGE.write({"index": index}, []))
        for message in self._exchange([_Request(request, what)], LINK_MESSAGE):
            return Carried(*_CARRIED.unpack_from(message["IFLA_STATS64"]))
        raise PlaneError(f"{what}: no answer from the kernel")

    def set_link(
        self,
        index: int,
        *,
        up: bool | None = None,
        master: int | None = None,
        name: str | None = None,
        mtu: int | None = None,
        namespace: int | None = None,
    ) -> None:
        """Change an interface; a master of 0 takes it off its bridge."""
        fields: dict[str, Any] = {"index": index}
        if up is not None:
            fields |= {"flags": IFF_UP if up else 0, "change": IFF_UP}
        attributes: list[tuple[str, Any]] = []
        if master is not None:
            attributes.append(("IFLA_MASTER", master))
        if name is not None:
            attributes.append(("IFLA_IFNAME", name))
        if mtu is not None:
            attributes.append(("IFLA_MTU", mtu))
        if namespace is not None:
            attributes.append(("IFLA_NET_NS_FD", namespace))
        self._request(LINK_MESSAGE, RTM_NEWLINK, 0, fields, attributes, f"set link {index}")

    def delete_link(self, index: int) -> None:
        """Delete an interface (and the other half of a pair)."""
        self._request(LINK_MESSAGE, RTM_DELLINK, 0, {"index": index}, [], f"delete link {index}")

    def add_address(self, index: int, address: IPv6Address, prefix_length: int, *, home: bool = False) -> None:
        """Configure an address, usable at once (no Duplicate Address Detection by the kernel).

        For a `home` address the kernel takes type 2 routing headers, if it knows Mobile IPv6.
        """
        flags = IFA_F_NODAD | (IFA_F_HOMEADDRESS if home else 0)
        self._address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address, prefix_length, flags)

    def remove_address(self, index: int, address: IPv6Address, prefix_length: int) -> None:
        """Take an address away."""
        self._address(RTM_DELADDR, 0, index, address, prefix_length, IFA_F_NODAD)

    def add_route(
        self,
        destination: Destination,
        *,
        via: IPv6Address | None = None,
        interface: int | None = None,
        table: int = MAIN_TABLE,
        metric: int | None = None,
        source: IPv6Address | None = None,
        origin: IPv6Address | None = None,
        mtu: int | None = None,
    ) -> None:
        """Install a route, in place of one to the same destination with the same metric.

        It lends a `source` to packets that have none; with an `origin` it is for packets from there alone.
        """
        further: list[tuple[str, Any]] = []
        if via is not None:
            further.append(("RTA_GATEWAY", via))
        if source is not None:
            further.append(("RTA_PREFSRC", source))
        if mtu is not None:
            further.append(("RTA_METRICS", METRICS.write({}, [("RTAX_MTU", mtu)])))
        body = _route(
            destination,
            table,
            metric,
            self._mark_of_routes,
            interface=interface,
            origin=origin,
            further=tuple(further),
        )
        what = ("route to", destination, *(("by", via) if via else ()))
        self._ask(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, what)

    def add_blackhole(self, destination: Destination, *, metric: int) -> None:
        """Swallow what is sent to a destination, unless a route with a better metric has it; see `remove_route`."""
        body = _route(destination, MAIN_TABLE, metric, self._mark_of_routes, kind=RTN_BLACKHOLE)
        self._ask(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, body, ("blackhole for", destination))

    def remove_route(
        self,
        destination: Destination,
        *,
        interface: int | None = None,
        table: int = MAIN_TABLE,
        metric: int | None = None,
        protocol: int | None = None,
        origin: IPv6Address | None = None,
    ) -> None:
        """Remove a route; with a `protocol`, one that bears another mark than ours."""
        mark = self._mark_of_routes if protocol is None else protocol
        body = _route(destination, table, metric, mark, interface=interface, origin=origin)
        self._ask(RTM_DELROUTE, 0, body, ("remove route to", destination))

    def add_rule(self, source: Destination, *, table: int, priority: int) -> None:
        """Look up what comes from a source in a table of its own."""
        self._rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, source, table, priority)

    def remove_rule(self, source: Destination, *, table: int, priority: int) -> None:
        """Undo `add_rule`."""
        self._rule(RTM_DELRULE, 0, source, table, priority)

    def add_unmarked_rule(self, mark: int, *, table: int, priority: int) -> None:
        """Look up what this machine itself sends without any bit of a mark in a table of its own."""
        self._unmarked_rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, mark, table, priority)

    def remove_unmarked_rule(self, mark: int, *, table: int, priority: int) -> None:
        """Undo `add_unmarked_rule`."""
        self._unmarked_rule(RTM_DELRULE, 0, mark, table, priority)

    def add_lookup(self, *, table: int, priority: int, defaults: bool = True) -> None:
        """Look up what this machine itself sends in a table; without `defaults`, that has no default route for it."""
        self._lookup(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, table, priority, defaults=defaults)

    def remove_lookup(self, *, table: int, priority: int) -> None:
        """Undo `add_lookup`."""
        self._lookup(RTM_DELRULE, 0, table, priority)

    def add_detour(self, mark: int, protocols: Sequence[int], *, table: int, priority: int) -> None:
        """Look up everything in a table of its own first, but for what bears a mark and for some protocols.

        Takes the priority and those behind it, two more than there are protocols.
        """
        end = priority + len(protocols) + 2
        past: dict[str, Any] = {"action": FR_ACT_GOTO}
        marked = [("FRA_FWMARK", mark), ("FRA_FWMASK", mark), ("FRA_GOTO", end)]
        of_protocols = [[("FRA_IP_PROTO", protocol), ("FRA_GOTO", end)] for protocol in protocols]
        steps = [(past, selector) for selector in (marked, *of_protocols)]
        steps += [({"action": FR_ACT_TO_TBL}, [("FRA_TABLE", table)]), ({"action": FR_ACT_NOP}, [])]
        for number, (fields, selector) in enumerate(steps):
            own, attributes = self._step(priority + number)
            what = f"rule to table {table}"
            flags = NLM_F_CREATE | NLM_F_EXCL
            self._request(RULE_MESSAGE, RTM_NEWRULE, flags, own | fields, attributes + selector, what)

    def remove_detour(self, protocols: Sequence[int], *, priority: int) -> None:
        """Undo `add_detour`."""
        for step in range(priority, priority + len(protocols) + 3):
            self._remove_rule_at(step)

    def _remove_rule_at(self, priority: int) -> None:
        self._request(RULE_MESSAGE, RTM_DELRULE, 0, *self._step(priority), f"remove rule {priority}")

    def _step(self, priority: int) -> tuple[dict[str, Any], list[tuple[str, Any]]]:
        """Name a rule that is the only one with its priority."""
        return {"family": socket.AF_INET6}, [("FRA_PRIORITY", priority), *self._mark("FRA_PROTOCOL")]

    def add_proxy(self, interface: int, address: IPv6Address) -> None:
        """Answer Neighbor Solicitations for an address of somebody else (RFC 4861 §7.2.8)."""
        self._neighbor(RTM_NEWNEIGH, interface, address, {"flags": NTF_PROXY}, [])

    def remove_proxy(self, interface: int, address: IPv6Address) -> None:
        """Undo `add_proxy`."""
        self._neighbor(RTM_DELNEIGH, interface, address, {"flags": NTF_PROXY}, [])

    def set_neighbor(self, interface: int, address: IPv6Address, link_layer_address: bytes) -> None:
        """Tell the kernel a neighbour's link-layer address, for it to use and to verify (RFC 4861 §6.3.4)."""
        told = [("NDA_LLADDR", link_layer_address)]
        self._neighbor(RTM_NEWNEIGH, interface, address, {"state": NUD_STALE}, told)

    def add_classifier(self, interface: int, direction: Direction, program: int) -> None:
        """Have a BPF program (by its descriptor) look at IPv6 packets; unlike a link of BPF it stays until removed."""
        what = f"classifier on link {interface}"
        self._add_clsact(interface, what)
        options = [("TCA_BPF_FD", program), ("TCA_BPF_NAME", CLASSIFIER_NAME), ("TCA_BPF_FLAGS", DIRECT_ACTION)]
        attributes = [("TCA_KIND", "bpf"), ("TCA_OPTIONS", CLASSIFIER.write({}, options))]
        fields = _classifier_fields(interface, direction)
        self._request(TRAFFIC_MESSAGE, RTM_NEWTFILTER, NLM_F_CREATE, fields | {"handle": 1}, attributes, what)

    def set_gate(self, interface: int, program: bytes, instructions: int) -> None:
        """Have a classic BPF program judge the IPv6 packets that an interface brings, in place of an earlier one.

        What it returns is the action of traffic control. It ends with the interface.
        """
        what = f"gate on link {interface}"
        self._add_clsact(interface, what)
        options = [
            ("TCA_BPF_OPS_LEN", instructions),
            ("TCA_BPF_OPS", program),
            ("TCA_BPF_FLAGS", DIRECT_ACTION),
        ]
        attributes = [("TCA_KIND", "bpf"), ("TCA_OPTIONS", BYTECODE.write({}, options))]
        fields = _classifier_fields(interface, Direction.INGRESS)
        self._request(TRAFFIC_MESSAGE, RTM_NEWTFILTER, NLM_F_CREATE, fields | {"handle": 1}, attributes, what)

    def refused_at_gate(self, interface: int) -> int:
        """Count the packets that a gate dropped."""
        for message in self._dump(TRAFFIC_MESSAGE, RTM_GETQDISC, {"index": interface}):
            if message["index"] == interface and message["parent"] == CLSACT:
                queue = STATISTICS.read(message["TCA_STATS2"], 0)["TCA_STATS_QUEUE"]
                return int(_DROPS.unpack_from(queue)[0])
        return 0

    def remove_classifier(self, interface: int, direction: Direction) -> None:
        """Undo `add_classifier`."""
        fields, what = _classifier_fields(interface, direction), f"remove classifier from link {interface}"
        self._request(TRAFFIC_MESSAGE, RTM_DELTFILTER, 0, fields, [], what, frozenset({errno.EINVAL, errno.EOPNOTSUPP}))

    def _add_clsact(self, interface: int, what: str) -> None:
        """Have traffic control look at the packets of an interface."""
        fields = {"index": interface, "handle": CLSACT_HANDLE, "parent": CLSACT}
        there = frozenset({errno.EEXIST})
        self._request(
            TRAFFIC_MESSAGE, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, fields, [("TCA_KIND", "clsact")], what, there
        )

    def add_netem(self, interface: int, *, delay: float, jitter: float, loss: float, rate: float) -> None:
        """Delay (in seconds) what leaves by an interface, lose a fraction of it, and limit its bits in a second."""
        options = {
            "delay": round(delay * TICKS),
            "jitter": round(jitter * TICKS),
            "loss": round(loss * 0xFFFFFFFF),
            "limit": QUEUED_PACKETS,
        }
        limit = [("TCA_NETEM_RATE", NETEM_RATE.write({"rate": round(rate / 8)}, []))] if rate else []
        self._queue(interface, "netem", NETEM.write(options, limit))

    def add_shaper(self, interface: int, *, rate: float) -> None:
        """Limit the bits in a second that leave by an interface."""
        burst = max(rate / 8 / 100, 2 * LONGEST_FRAME)  # at least what is due in a tick of a slow kernel
        parameters = {
            "rate": round(rate / 8),
            "rate___reserved": ETHERNET_LINK_LAYER,
            "limit": QUEUED_PACKETS * LONGEST_FRAME,
            "buffer": round(burst / (rate / 8) * TICKS),
        }
        self._queue(interface, "tbf", SHAPER.write({}, [("TCA_TBF_PARMS", SHAPER_PARAMETERS.write(parameters, []))]))

    def remove_queue(self, interface: int) -> None:
        """Undo `add_netem` or `add_shaper`."""
        fields, what = {"index": interface, "parent": ROOT_QUEUE}, f"remove queue from link {interface}"
        self._request(TRAFFIC_MESSAGE, RTM_DELQDISC, 0, fields, [], what, frozenset({errno.EINVAL}))

    def _queue(self, interface: int, kind: str, options: bytes) -> None:
        fields = {"index": interface, "parent": ROOT_QUEUE}
        attributes = [("TCA_KIND", kind), ("TCA_OPTIONS", options)]
        what = f"{kind} on link {interface}"
        self._request(TRAFFIC_MESSAGE, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, fields, attributes, what)

    def sweep(self) -> frozenset[IPv6Address]:
        """Remove the routes, rules, addresses, proxies and classifiers that bear the mark, whoever made them.

        Blackholes stay, since what they hold back must not get out in the meantime; gives their destinations.
        """
        family = {"family": socket.AF_INET6}
        blackholes = set()
        for route in self._dump(ROUTE_MESSAGE, RTM_GETROUTE, family):
            if route["proto"] == self._protocol and route["type"] == RTN_BLACKHOLE:
                blackholes.add(route["RTA_DST"])
            elif route["proto"] == self._protocol:
                self.remove_route(
                    IPv6Network((route.get("RTA_DST", UNSPECIFIED), route["dst_len"])),
                    interface=route.get("RTA_OIF"),
                    table=route["RTA_TABLE"],
                    metric=route.get("RTA_PRIORITY"),
                    origin=route.get("RTA_SRC"),
                )
        for rule in self._dump(RULE_MESSAGE, RTM_GETRULE, family):
            if rule.get("FRA_PROTOCOL") == self._protocol:
                self._remove_rule_at(rule["FRA_PRIORITY"])
        for entry in self._dump(ADDRESS_MESSAGE, RTM_GETADDR, family):
            if entry.get("IFA_PROTO") == self._protocol:
                self.remove_address(entry["index"], entry["IFA_ADDRESS"], entry["prefixlen"])
        for neighbor in self._dump(NEIGHBOR_MESSAGE, RTM_GETNEIGH, family | {"flags": NTF_PROXY}):
            if neighbor.get("NDA_PROTOCOL") == self._protocol:
                self.remove_proxy(neighbor["ifindex"], neighbor["NDA_DST"])
        for link in self.links():
            if link.name.startswith(TUNNEL_NAMES):
                self.delete_link(link.index)
            else:
                self.remove_classifier(link.index, Direction.INGRESS)
        return frozenset(blackholes)

    def _address(
        self, kind: int, flags: int, index: int, address: IPv6Address, prefix_length: int, address_flags: int
    ) -> None:
        fields = {"family": socket.AF_INET6, "prefixlen": prefix_length, "index": index, "flags": address_flags}
        what = f"address {address}/{prefix_length} on link {index}"
        attributes = [("IFA_ADDRESS", address), *self._mark("IFA_PROTO")]
        self._request(ADDRESS_MESSAGE, kind, flags, fields, attributes, what)

    def _rule(self, kind: int, flags: int, source: Destination, table: int, priority: int) -> None:
        address, length = _split(source)
        selector = [("FRA_SRC", address)]
        self._any_rule(kind, flags, {"src_len": length}, selector, table, priority, ("rule from", source))

    def _unmarked_rule(self, kind: int, flags: int, mark: int, table: int, priority: int) -> None:
        selector = [("FRA_FWMARK", 0), ("FRA_FWMASK", mark), ("FRA_IIFNAME", "lo")]
        self._any_rule(kind, flags, {}, selector, table, priority, ("rule without mark", mark))

    def _lookup(self, kind: int, flags: int, table: int, priority: int, *, defaults: bool = True) -> None:
        selector: list[tuple[str, Any]] = [("FRA_IIFNAME", "lo")]
        if not defaults:
            selector.append(("FRA_SUPPRESS_PREFIXLEN", 0))
        self._any_rule(kind, flags, {}, selector, table, priority, ("rule for what is sent here",))

    def _any_rule(
        self,
        kind: int,
        flags: int,
        fields: dict[str, Any],
        selector: list[tuple[str, Any]],
        table: int,
        priority: int,
        what: tuple[object, ...],
    ) -> None:
        fields = fields | {
            "family": socket.AF_INET6,
            "table": table if table < 256 else 0,
            "action": FR_ACT_TO_TBL,
        }
        attributes = [*selector, ("FRA_TABLE", table), ("FRA_PRIORITY", priority), *self._mark("FRA_PROTOCOL")]
        self._request(RULE_MESSAGE, kind, flags, fields, attributes, (*what, "to table", table))

    def _neighbor(
        self, kind: int, interface: int, address: IPv6Address, fields: dict[str, Any], attributes: list[tuple[str, Any]]
    ) -> None:
        fields = {"family": socket.AF_INET6, "ifindex": interface} | fields
        flags = NLM_F_CREATE | NLM_F_REPLACE if kind == RTM_NEWNEIGH else 0
        attributes = [("NDA_DST", address), *self._mark("NDA_PROTOCOL"), *attributes]
        what = ("neighbour", address, "on link", interface)
        self._request(NEIGHBOR_MESSAGE, kind, flags, fields, attributes, what)

    def _create(
        self, layout: Layout, kind: int, fields: dict[str, Any], attributes: list[tuple[str, Any]], what: str
    ) -> None:
        self._request(layout, kind, NLM_F_CREATE | NLM_F_EXCL, fields, attributes, what)

    def _request(
        self,
        layout: Layout,
        kind: int,
        flags: int,
        fields: dict[str, Any],
        attributes: list[tuple[str, Any]],
        what: What,
        tolerated: frozenset[int] = frozenset(),
    ) -> None:
        self._ask(kind, flags, layout.write(fields, attributes), what, tolerated)

    def _ask(self, kind: int, flags: int, body: bytes, what: What, tolerated: frozenset[int] = frozenset()) -> None:
        octets = self._with_header(kind, NLM_F_REQUEST | flags, body)
        request = _Request(octets, what, tolerated | GONE if kind in REMOVALS else tolerated)
        if self._batch is None:
            self._send([request])
        else:
            self._batch.append(request)

    @property
    def _mark_of_routes(self) -> int:
        return RTPROT_STATIC if self._protocol is None else self._protocol

    def _mark(self, attribute: str) -> list[tuple[str, Any]]:
        return [] if self._protocol is None else [(attribute, self._protocol)]

    def _with_header(self, kind: int, flags: int, body: bytes) -> bytes:
        self._sequence += 1
        return HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0) + body

    def _send(self, requests: list[_Request]) -> None:
        portion: list[_Request] = []
        size = 0
        for request in requests:
            if portion and size + len(request.octets) > BATCH_OCTETS:
                self._exchange(portion, None)
                portion, size = [], 0
            portion.append(request)
            size += len(request.octets)
        if portion:
            self._exchange(portion, None)

    def _exchange(self, requests: list[_Request], layout: Layout | None) -> list[dict[str, Any]]:
        """Send requests in one call; raise the first refusal.

        The kernel takes them in their order, tells of each that it refuses, and acknowledges the last.
        """
        *before, last = (request.octets for request in requests)
        self._socket.send(b"".join((*before, _to_be_acknowledged(last))))
        first, end = _sequence(requests[0].octets), _sequence(last)
        answers: list[dict[str, Any]] = []
        refusal: PlaneError | None = None
        while True:
            for kind, sequence, body in messages(self._socket.recv(1 << 17)):
                if not first <= sequence <= end:
                    continue
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=l", body, HEADER.size)[0]
                    if code and refusal is None:
                        refusal = _refusal(code, next(each for each in requests if _sequence(each.octets) == sequence))
                    if sequence == end:
                        if refusal is not None:
                            raise refusal
                        return answers
                elif layout is not None:
                    answers.append(layout.read(body, HEADER.size))

    def _dump(self, layout: Layout, kind: int, fields: dict[str, Any]) -> list[dict[str, Any]]:
        octets = self._with_header(kind, NLM_F_REQUEST | NLM_F_DUMP, layout.write(fields, []))
        wanted = HEADER.unpack_from(octets)[3]
        self._socket.send(octets)
        answers: list[dict[str, Any]] = []
        while True:
            for answer, sequence, body in messages(self._socket.recv(1 << 17)):
                if sequence != wanted:
                    continue
                if answer == NLMSG_DONE:
                    return answers
                if answer == NLMSG_ERROR:
                    raise PlaneError(f"list: {os.strerror(-struct.unpack_from('=l', body, HEADER.size)[0])}")
                answers.append(layout.read(body, HEADER.size))


def _sequence(octets: bytes) -> int:
    """Give the number by which the kernel answers a request."""
    return int(HEADER.unpack_from(octets)[3])


def _to_be_acknowledged(octets: bytes) -> bytes:
    """Have the kernel answer a request even if all is well."""
    length, kind, flags, sequence, port = HEADER.unpack_from(octets)
    return HEADER.pack(length, kind, flags | NLM_F_ACK, sequence, port) + octets[HEADER.size :]


def _refusal(code: int, request: _Request) -> PlaneError | None:
    """Say what the kernel refuses; None for what is well all the same."""
    if code in request.tolerated:
        return None
    what = request.what if isinstance(request.what, str) else " ".join(map(str, request.what))
    return PlaneError(f"{what}: {os.strerror(code)} ({errno.errorcode.get(code, code)})")


def messages(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Split what one receive brought into (type, sequence, whole message); a message that was cut off is left out."""
    offset = 0
    while offset + HEADER.size <= len(octets):
        length, kind, _, sequence, _ = HEADER.unpack_from(octets, offset)
        if not HEADER.size <= length <= len(octets) - offset:
            return
        yield kind, sequence, octets[offset : offset + length]
        offset += (length + 3) & ~3


def link_of(octets: bytes) -> Link:
    """Read an RTM_NEWLINK or RTM_DELLINK message."""
    return _describe(LINK_DESCRIPTION.read(octets, HEADER.size))


def _describe(message: Mapping[str, Any]) -> Link:
    return Link(
        index=message["index"],
        name=message.get("IFLA_IFNAME", ""),
        up=bool(message["flags"] & IFF_UP),
        carrier=bool(message["flags"] & IFF_LOWER_UP),
        link_layer_address=message.get("IFLA_ADDRESS", b""),
        mtu=message.get("IFLA_MTU", 0),
    )


def _classifier_fields(interface: int, direction: Direction) -> dict[str, int]:
    priority_and_protocol = CLASSIFIER_PRIORITY << 16 | socket.htons(ETH_P_IPV6)
    return {"index": interface, "parent": direction, "info": priority_and_protocol}


def _link_attributes(name: str, namespace: int | None, address: bytes | None) -> list[tuple[str, Any]]:
    attributes: list[tuple[str, Any]] = [("IFLA_IFNAME", name)]
    if namespace is not None:
        attributes.append(("IFLA_NET_NS_FD", namespace))
    if address is not None:
        attributes.append(("IFLA_ADDRESS", address))
    return attributes


def _split(destination: Destination) -> tuple[IPv6Address, int]:
    """Give an address and the length of its prefix."""
    if isinstance(destination, IPv6Network):
        return destination.network_address, destination.prefixlen
    return destination, destination.max_prefixlen


def _route(
    destination: Destination,
    table: int,
    metric: int | None,
    protocol: int,
    *,
    kind: int = RTN_UNICAST,
    interface: int | None = None,
    origin: IPv6Address | None = None,
    further: tuple[tuple[str, Any], ...] = (),
) -> bytes:
    """Write what says which route is meant."""
    address, length = _split(destination)
    before, behind = _around_destination(length, table, metric, protocol, kind, interface, origin, further)
    return before + address.packed + behind


@lru_cache(maxsize=256)  # of each home address the same is said
def _around_destination(
    length: int,
    table: int,
    metric: int | None,
    protocol: int,
    kind: int,
    interface: int | None,
    origin: IPv6Address | None,
    further: tuple[tuple[str, Any], ...],
) -> tuple[bytes, bytes]:
    """Write the octets before and behind the destination."""
    fields = {
        "family": socket.AF_INET6,
        "dst_len": length,
        "src_len": 0 if origin is None else origin.max_prefixlen,
        "table": table if table < 256 else 0,
        "proto": protocol,
        "type": kind,
    }
    attributes: list[tuple[str, Any]] = [("RTA_DST", UNSPECIFIED), ("RTA_TABLE", table)]
    if interface is not None:
        attributes.append(("RTA_OIF", interface))
    if metric is not None:
        attributes.append(("RTA_PRIORITY", metric))
    if origin is not None:
        attributes.append(("RTA_SRC", origin))
    octets = ROUTE_MESSAGE.write(fields, [*attributes, *further])
    return octets[:_DESTINATION_AT], octets[_DESTINATION_AT + len(UNSPECIFIED.packed) :]
