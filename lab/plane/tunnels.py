"""The tunnels of a node, and to which of them a packet belongs; packets are octets, as for all of a plane."""

import contextlib
from collections.abc import Iterator
from ipaddress import IPv6Address

from lab.auth.ipsec_policy import TunnelPolicy
from lab.engine.index import Index
from lab.plane.tunnel import Outlets, Tunnel
from lab.plane.tunnel_errors import Tunnelled
from lab.wire.chain import destination, source

_IDENTIFIER = slice(8, 16)
"""The interface identifier of an address."""


class Tunnels:
    """Those of a home agent `towards` mobile nodes, those of a mobile node `backwards`, each by its home address."""

    def __init__(self) -> None:
        self.towards: dict[bytes, Tunnel] = {}
        self.backwards: dict[bytes, Tunnel] = {}
        self._homes: Index[IPv6Address, bytes] = Index()
        """Home addresses of `towards` by care-of address."""
        self._outlets = Outlets()

    @contextlib.contextmanager
    def serving(
        self, home_address: bytes, home_agent: IPv6Address, care_of: IPv6Address, policy: TunnelPolicy
    ) -> Iterator[Tunnel]:
        """Use a tunnel to a mobile node once the block has led packets into it; raises `PlaneError`."""
        with self._outlets.opened(home_agent, care_of, policy, home_agent) as tunnel:
            yield tunnel
        self.end_service(home_address)
        self.towards[home_address] = tunnel
        self._homes.add(care_of, home_address)

    @contextlib.contextmanager
    def visiting(
        self, home_address: bytes, home_agent: IPv6Address, care_of: IPv6Address, policy: TunnelPolicy
    ) -> Iterator[Tunnel]:
        """Use a tunnel to a home agent once the block has led packets into it; raises `PlaneError`."""
        with self._outlets.opened(care_of, home_agent, policy, home_agent) as tunnel:
            yield tunnel
        earlier = self.backwards.get(home_address)
        self.backwards[home_address] = tunnel  # in the place of the earlier one: the first is preferred
        if earlier is not None:
            self._outlets.close(earlier)

    def end_service(self, home_address: bytes) -> bool:
        """Use a tunnel to a mobile node no more; tell whether there was one."""
        tunnel = self.towards.pop(home_address, None)
        if tunnel is not None:
            self._homes.remove(tunnel.remote, home_address)
            self._outlets.close(tunnel)
        return tunnel is not None

    def end_visit(self, home_address: bytes) -> bool:
        """Use a tunnel to a home agent no more; tell whether there was one."""
        tunnel = self.backwards.pop(home_address, None)
        if tunnel is not None:
            self._outlets.close(tunnel)
        return tunnel is not None

    def close(self) -> None:
        """Use none any more."""
        for tunnels in (self.towards, self.backwards):
            for tunnel in tunnels.values():
                self._outlets.close(tunnel)
            tunnels.clear()

    # Where a packet goes

    def outwards(self, packet: bytes) -> Tunnel | None:
        """Find the tunnel that a packet takes (§10.4.2, §11.3.1)."""
        return self.towards.get(destination(packet)) or self.backwards.get(source(packet))

    def of_client(self, link_local: bytes) -> Tunnel | None:
        """Find the tunnel on which a client of this node has a link-local address (§10.4.4)."""
        return _alike(self.backwards, link_local)

    def of_error(self, error: Tunnelled) -> Tunnel | None:
        """Find the tunnel in which a packet was that an ICMPv6 error is about."""
        tunnel = self.outwards(error.packet)
        return tunnel if tunnel and (tunnel.local.packed, tunnel.remote.packed) == (error.local, error.remote) else None

    # Where it may have come from

    def inwards(self, packet: bytes) -> Tunnel | None:
        """Find the tunnel out of which a packet may come (§10.4.5, §5.5)."""
        return self.towards.get(source(packet)) or self.backwards.get(destination(packet))

    def inwards_to_group(self, packet: bytes, outer_source: IPv6Address) -> Tunnel | None:
        """Find the tunnel out of which multicast may come: from a mobile node, else from a home agent."""
        from_home_agent = (tunnel for tunnel in self.backwards.values() if tunnel.remote == outer_source)
        return self.towards.get(source(packet)) or next(from_home_agent, None)

    def inwards_on_link(self, packet: bytes, outer_source: IPv6Address) -> Tunnel | None:
        """Find the tunnel that is the link on which a packet was said.

        Its addresses mean something on that link alone: whose it is, the tunnel tells (§10.4.3, §10.4.4).
        """
        backwards = {home: each for home, each in self.backwards.items() if each.remote == outer_source}
        towards = {home: self.towards[home] for home in self._homes.find(outer_source)}
        return _alike(backwards, destination(packet)) or _alike(towards, source(packet))


def _alike(tunnels: dict[bytes, Tunnel], link_local: bytes) -> Tunnel | None:
    """Give the tunnel of the home address that ends as a link-local address does, else any."""
    alike = (tunnel for home_address, tunnel in tunnels.items() if home_address[_IDENTIFIER] == link_local[_IDENTIFIER])
    return next(alike, next(iter(tunnels.values()), None))
