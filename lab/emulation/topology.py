"""Declaring a network: links with their prefixes, and nodes by their roles in RFC 6275."""

import heapq
import re
from collections.abc import Sequence
from dataclasses import fields
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network
from typing import Any, ClassVar

from mininet.topo import Topo

from lab.auth.ipsec_policy import Protection
from lab.constants import MINIMUM_MTU
from lab.emulation.associations import protections
from lab.emulation.context import Context
from lab.emulation.impairment import Impairment
from lab.emulation.node import LabBridge, LabLink, LabNode
from lab.emulation.spec import ETHERNET_MTU, ROUTER_LIFETIME, Kind, LinkSpec, NodeSpec, Plug
from lab.errors import TopologyError
from lab.wire.addresses import is_unicast_routable

LONGEST_NAME = 10
"""So that `NAME-eth0` is a name for an interface, which has at most 15 letters."""
LONGEST_INTERFACE_NAME = 15
_NAME = re.compile(rf"(?!.*-eth\d+$)[A-Za-z0-9][A-Za-z0-9_-]{{0,{LONGEST_NAME - 1}}}", re.ASCII)
_RESERVED = frozenset({"lo", "all", "default", "lab"})
"""Names that the kernel's interfaces and settings, or the records of the lab, have already."""
HOME_ADDRESSES_FROM = 0x100
FIRST_INDEX = 20
FIRST_PEER_INDEX = 1000
"""A veth whose index equals its peer's reports its carrier up to a second late, so the two ranges differ. The first
indexes are those of devices such as `ip6tnl0`, which modules of tunnels put into every namespace."""


class Topology(Topo):  # type: ignore[misc] # Mininet has no types
    """A network; subclasses declare it in `declare`."""

    summary: ClassVar[str] = ""
    context: Context
    """Of the network that it is brought up as."""

    def build(self, *args: object, **kwargs: object) -> None:
        """Declare, check, and hand everything to Mininet, with the classes that it is to make of it."""
        self.link_specs: dict[str, LinkSpec] = {}
        self.node_specs: dict[str, NodeSpec] = {}
        self.declare()
        self._check()
        self._compute_routes()
        for link in self.link_specs.values():
            self.addSwitch(link.name, cls=LabBridge, dpid=f"{link.number:x}", spec=link, topology=self)
        for node in self.node_specs.values():
            self.addHost(node.name, cls=LabNode, spec=node, topology=self)
            for plug in node.plugs:
                self.addLink(node.name, plug.link.name, cls=LabLink, plug=plug)

    def declare(self) -> None:
        """Make links first, then nodes on them."""
        raise TopologyError(f"{type(self).__name__} declares nothing: give it a method declare()")

    def link(self, name: str, prefix: str, *, mtu: int = ETHERNET_MTU, **impairment: float) -> LinkSpec:
        """Declare a link with its /64 prefix, what its largest packet has in octets, and its `Impairment`."""
        self._check_name(name)
        try:
            network = IPv6Network(prefix)
        except ValueError as error:
            raise TopologyError(f"link {name}: {prefix!r} is no IPv6 prefix: {error}") from error
        if network.prefixlen != 64:
            raise TopologyError(f"link {name}: a prefix of 64 bits is needed, {prefix} has {network.prefixlen}")
        if not is_unicast_routable(network.network_address):
            raise TopologyError(f"link {name}: {prefix} is no prefix of global addresses")
        for other in self.link_specs.values():
            if network.overlaps(other.prefix):
                raise TopologyError(f"link {name}: its prefix {prefix} overlaps that of link {other.name}")
        if not MINIMUM_MTU <= mtu <= ETHERNET_MTU:
            raise TopologyError(f"link {name}: its MTU is from {MINIMUM_MTU} to {ETHERNET_MTU} octets, not {mtu}")
        number, impaired = len(self.link_specs) + 1, _impairment(name, impairment)
        spec = LinkSpec(name=name, prefix=network, number=number, mtu=mtu, impairment=impaired)
        self.link_specs[name] = spec
        return spec

    def host(self, name: str, *, on: Sequence[LinkSpec]) -> NodeSpec:
        """Declare a plain host without a daemon."""
        return self._node(name, Kind.HOST, on)

    def dhcpv6_server(self, name: str, *, on: LinkSpec) -> NodeSpec:
        """Declare a host that is the DHCPv6 server of a link, whose routers tell so by the M and O bits."""
        node = self._node(name, Kind.HOST, [on])
        node.serves_dhcpv6 = on
        return node

    def router(self, name: str, *, on: Sequence[LinkSpec]) -> NodeSpec:
        """Declare a router."""
        return self._node(name, Kind.ROUTER, on)

    def access_router(self, name: str, *, serves: LinkSpec, on: Sequence[LinkSpec]) -> NodeSpec:
        """Declare a router that advertises the prefix of a link to visiting nodes."""
        node = self._node(name, Kind.ROUTER, [serves, *on])
        node.advertises.append(serves)
        return node

    def home_agent(
        self,
        name: str,
        *,
        home: LinkSpec,
        on: Sequence[LinkSpec] = (),
        preference: int = 0,
        lifetime: int = ROUTER_LIFETIME,
        **options: Any,
    ) -> NodeSpec:
        """Declare a home agent; options go to its configuration.

        It is also the router of its home link, unless that has an access router. Among several of one link the one
        with the greatest `preference` is tried first; `lifetime` is for how long each advertisement holds.
        """
        node = self._node(name, Kind.HOME_AGENT, [home, *on])
        node.home, node.options = home, options
        node.preference, node.home_agent_lifetime = preference, lifetime
        node.advertises.append(home)
        return node

    def correspondent(self, name: str, *, on: Sequence[LinkSpec], **options: Any) -> NodeSpec:
        """Declare a correspondent node; options go to its configuration."""
        node = self._node(name, Kind.CORRESPONDENT, on)
        node.options = options
        return node

    def mobile_node(
        self,
        name: str,
        *,
        home: LinkSpec,
        home_agent: str | None = None,
        home_address: str | None = None,
        further_home_addresses: Sequence[str] = (),
        **options: Any,
    ) -> NodeSpec:
        """Declare a mobile node that starts at home; options go to its configuration.

        Without a home agent it discovers one. By default its home address ends in ::100, ::101, …; further ones are
        registered beside it.
        """
        node = self._node(name, Kind.MOBILE_NODE, [home])
        node.home, node.home_agent, node.options = home, home_agent, options
        if home_address is None:
            node.home_address = self._free_address(home, HOME_ADDRESSES_FROM)
        else:
            node.home_address = self._home_address(name, home, home_address)
        for further in further_home_addresses:
            node.further_home_addresses.append(self._home_address(name, home, further))
        return node

    def _home_address(self, name: str, home: LinkSpec, text: str) -> IPv6Address:
        try:
            address = IPv6Address(text)
        except ValueError as error:
            raise TopologyError(f"{name}: {text!r} is no IPv6 address: {error}") from error
        if address not in home.prefix:
            raise TopologyError(f"{name}: the home address {text} is not on its home link {home.name}")
        if address in self._taken(home):
            raise TopologyError(f"{name}: the home address {text} is taken")
        return address

    def _node(self, name: str, kind: Kind, on: Sequence[LinkSpec]) -> NodeSpec:
        self._check_name(name)
        if not on:
            raise TopologyError(f"{name}: put it on at least one link")
        node = NodeSpec(name=name, kind=kind)
        self.node_specs[name] = node
        number = len(self.node_specs)
        for port, link in enumerate(on):
            self._check_plug(node, port, link)
            count = sum(len(other.plugs) for other in self.node_specs.values())
            node.plugs.append(
                Plug(
                    link=link,
                    interface=f"{name}-eth{port}",
                    index=FIRST_INDEX + count,
                    peer_index=FIRST_PEER_INDEX + count,
                    link_layer_address=bytes((0x02, 0, 0, *number.to_bytes(2, "big"), port)),
                    address=None if kind is Kind.MOBILE_NODE else self._free_address(link, 1 if kind.forwards else 2),
                )
            )
        return node

    def _free_address(self, link: LinkSpec, number: int) -> IPv6Address:
        """Give the first free address of a link from a number on: routers come first, as ::1."""
        taken = self._taken(link)
        while link.prefix.network_address + number in taken:
            number += 1
        return link.prefix.network_address + number

    def _taken(self, link: LinkSpec) -> set[IPv6Address | None]:
        """Give the addresses that are taken; the first of a link is the anycast address of its routers."""
        of_plugs = {plug.address for node in self.node_specs.values() for plug in node.plugs}
        nodes = self.node_specs.values()
        of_mobile_nodes = {address for node in nodes for address in node.home_addresses}
        return of_plugs | of_mobile_nodes | {link.prefix.network_address}

    def _check_plug(self, node: NodeSpec, port: int, link: object) -> None:
        if not isinstance(link, LinkSpec) or self.link_specs.get(link.name) is not link:
            raise TopologyError(f"{node.name}: {link!r} is not a link of this topology, as self.link(…) gives it")
        if node.plug_on(link) is not None:
            raise TopologyError(f"{node.name} is on link {link.name} twice")
        if len(f"{node.name}-eth{port}") > LONGEST_INTERFACE_NAME:
            raise TopologyError(f"{node.name}: {node.name}-eth{port} is too long for an interface: use a shorter name")

    def _check_name(self, name: str) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            allowed = f"1 to {LONGEST_NAME} letters, digits, - and _, the first a letter or digit, not ending in -eth0"
            raise TopologyError(f"{name!r} is no name: {allowed}")
        if name in _RESERVED:
            raise TopologyError(f"the name {name} is reserved")
        if name in self.link_specs or name in self.node_specs:
            raise TopologyError(f"the name {name} is used twice")

    def _check(self) -> None:
        if not self.node_specs:
            raise TopologyError(f"{type(self).__name__} declares no nodes")
        for node in self.node_specs.values():
            if node.kind is Kind.MOBILE_NODE and node.home_agent is not None:
                agent = self.node_specs.get(node.home_agent)
                if agent is None or agent.kind is not Kind.HOME_AGENT or agent.home != node.home:
                    raise TopologyError(f"{node.name}: {node.home_agent} is no home agent of its home link")

    @cached_property  # each node asks for them
    def protections(self) -> Sequence[Protection]:
        """The security associations of its nodes, once it has a context."""
        return protections(self, self.context.settings, self.context.seed)

    @property
    def needs_netem(self) -> bool:
        """Whether one of its links does what only netem can do."""
        return any(link.impairment.needs_netem for link in self.link_specs.values())

    def has_router(self, link: LinkSpec) -> bool:
        """Tell whether a link has a router that is no home agent and says so."""
        return any(node.kind is Kind.ROUTER and link in node.advertises for node in self.node_specs.values())

    def has_dhcpv6_server(self, link: LinkSpec) -> bool:
        """Tell whether a link has a DHCPv6 server."""
        return any(node.serves_dhcpv6 == link for node in self.node_specs.values())

    def _compute_routes(self) -> None:
        """Route every node to every prefix by a shortest path (a mobile node routes itself)."""
        routers = [node for node in self.node_specs.values() if node.kind.forwards]
        for node in self.node_specs.values():
            if node.kind is Kind.MOBILE_NODE:
                continue
            for link, hop in self._next_hops(node, routers).items():
                node.routes[self.link_specs[link].prefix] = hop

    def _next_hops(self, start: NodeSpec, routers: Sequence[NodeSpec]) -> dict[str, IPv6Address]:
        """Give, for each link that the node is not on, the address of the router to go by."""
        hops: dict[str, IPv6Address] = {}
        seen = {plug.link.name for plug in start.plugs}
        queue: list[tuple[int, str, IPv6Address | None]] = [(0, name, None) for name in sorted(seen)]
        visited: set[str] = {start.name}
        while queue:
            distance, link, first = heapq.heappop(queue)
            for node in routers:
                here = node.plug_on(self.link_specs[link])
                if here is None or node.name in visited:
                    continue
                visited.add(node.name)
                hop = first if first is not None else here.address
                assert hop is not None
                for plug in node.plugs:
                    if plug.link.name not in seen:
                        seen.add(plug.link.name)
                        hops[plug.link.name] = hop
                        heapq.heappush(queue, (distance + 1, plug.link.name, hop))
        unreached = sorted(set(self.link_specs) - seen)
        if unreached:
            raise TopologyError(f"{start.name} cannot reach {', '.join(unreached)}: no router joins them")
        return hops


def _impairment(link: str, given: dict[str, float]) -> Impairment:
    try:
        return Impairment(**given)
    except TypeError:
        known = ", ".join(field.name for field in fields(Impairment))
        raise TopologyError(f"link {link}: {', '.join(given)}: it can have {known}") from None
    except TopologyError as error:
        raise TopologyError(f"link {link}: {error}") from None
