"""What a topology declares, as plain data: links with their prefixes, nodes with their interfaces and roles."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from typing import Any, Protocol

from lab.auth.ipsec_policy import Protection
from lab.emulation.context import Context
from lab.emulation.impairment import UNIMPAIRED, Impairment
from lab.errors import TopologyError

ROUTER_LIFETIME = 1800
"""Seconds for which routers advertise themselves."""
ETHERNET_MTU = 1500
"""Octets of the largest packet that interfaces here send (RFC 2464 §2)."""


class Kind(StrEnum):
    """What a node is."""

    HOST = "host"
    ROUTER = "router"
    HOME_AGENT = "home-agent"
    CORRESPONDENT = "correspondent"
    MOBILE_NODE = "mobile-node"

    @property
    def forwards(self) -> bool:
        """Routers and home agents forward packets of others."""
        return self in (Kind.ROUTER, Kind.HOME_AGENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixSpec:
    """A prefix as the routers of a link advertise it: with these lifetimes, in seconds, as long as they do."""

    network: IPv6Network
    valid: int = 86400
    preferred: int = 14400


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """A link: every node on it hears every other."""

    name: str
    prefix: IPv6Network
    number: int
    mtu: int = ETHERNET_MTU
    """Octets of the largest packet that it carries."""
    impairment: Impairment = UNIMPAIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """An interface of a node on a link."""

    link: LinkSpec
    interface: str
    index: int
    peer_index: int
    link_layer_address: bytes
    address: IPv6Address | None
    """None for a mobile node, which makes its own."""


@dataclass(slots=True, kw_only=True)
class NodeSpec:
    """A node with its interfaces, routes and role."""

    name: str
    kind: Kind
    plugs: list[Plug] = field(default_factory=list)
    advertises: list[LinkSpec] = field(default_factory=list)
    """Links whose prefix it advertises as their router."""
    serves_dhcpv6: LinkSpec | None = None
    """Link whose clients it gives addresses and the name server."""
    home: LinkSpec | None = None
    home_agent: str | None = None
    home_address: IPv6Address | None = None
    further_home_addresses: list[IPv6Address] = field(default_factory=list)
    expected_home_addresses: list[IPv6Address] = field(default_factory=list)
    """Those that it will have when its home link is renumbered: keys that are set by hand must be there before."""
    preference: int = 0
    home_agent_lifetime: int = ROUTER_LIFETIME
    """Of a home agent, as it advertises itself (§7.4)."""
    routes: dict[IPv6Network, IPv6Address] = field(default_factory=dict)
    """Destination to next hop."""
    options: dict[str, Any] = field(default_factory=dict)
    """Keys of its daemon's configuration, beyond what follows from the topology."""

    @property
    def address(self) -> IPv6Address:
        """The address that others reach it by."""
        if self.home_address is not None:
            return self.home_address
        for plug in self.plugs:
            if plug.link == self.home and plug.address is not None:
                return plug.address
        found = next((plug.address for plug in self.plugs if plug.address is not None), None)
        if found is None:
            raise TopologyError(f"{self.name} has no address: put it on a link")
        return found

    @property
    def home_addresses(self) -> tuple[IPv6Address, ...]:
        """All home addresses of a mobile node."""
        return () if self.home_address is None else (self.home_address, *self.further_home_addresses)

    def plug_on(self, link: LinkSpec) -> Plug | None:
        """Find its interface on a link."""
        return next((plug for plug in self.plugs if plug.link == link), None)


class Declaration(Protocol):
    """What nodes and links ask of the topology that declares them."""

    context: Context
    link_specs: dict[str, LinkSpec]
    node_specs: dict[str, NodeSpec]

    @property
    def protections(self) -> Sequence[Protection]:
        """The security associations of its nodes."""
        ...

    def has_router(self, link: LinkSpec) -> bool:
        """Tell whether a link has a router that is no home agent and says so."""
        ...

    def has_dhcpv6_server(self, link: LinkSpec) -> bool:
        """Tell whether a link has a DHCPv6 server."""
        ...
