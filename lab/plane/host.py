"""What all planes share: addresses, routes and rules of the host's own stack, by netlink.

Two routes to the same place have different metrics, so that the tunnel wins over a router while it exists.
Each source address that must leave by a router of its own has a rule and a table (RFC 6275 §11.3.1).
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import NamedTuple

from lab.engine.io import AddAddress, ForgetRouter, RemoveAddress, SetLinkMtu, UseRouter
from lab.errors import PlaneError
from lab.netlink import MAIN_TABLE, Netlink
from lab.plane import sysctl

ANYWHERE = IPv6Network("::/0")
PROTOCOL = 62
"""Marks what is ours in the kernel's tables, as `ip route show proto 62` tells; see /etc/iproute2/rt_protos."""
TUNNEL_METRIC, ROUTER_METRIC, NOWHERE_METRIC = 100, 200, 300
RULE_PRIORITY, SPECIAL_PRIORITY, PREFERRED_PRIORITY = 1000, 1001, 1003
FIRST_TABLE = 6275
"""Tables from here on are ours."""
DIRECT_TABLE, DIRECT_PRIORITY = 6274, 900
MARK = 6275
"""What this node has dealt with already bears it, so that it is not led into the tunnel device again."""
SO_MARK = 36


class _Route(NamedTuple):
    """What tells one route from others; `interface` is an index."""

    destination: IPv6Network
    interface: int
    table: int
    metric: int


@dataclass(slots=True)
class _Source:
    """The table of one source address, and the routes in it and in the main table with what asked for them."""

    table: int
    routes: dict[_Route, UseRouter | None] = field(default_factory=dict)


class Host:
    """Changes the host's stack and can undo all of it."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._sources: dict[IPv6Address, _Source] = {}
        self._addresses: dict[AddAddress, int] = {}
        self._sysctls: dict[Path, str] = {}
        """How they were."""
        self._tables = itertools.count(FIRST_TABLE)
        self._preferred: int | None = None
        """The table of the source that is preferred."""
        self._diverted: dict[IPv6Address, int] = {}
        self._held = {*netlink.sweep()}  # what a crash left

    @staticmethod
    def index(interface: str) -> int:
        """Look an interface up: one that was unplugged comes back as another. Raises `PlaneError`."""
        try:
            return socket.if_nametoindex(interface)
        except OSError as error:
            raise PlaneError(f"find link {interface}: {error}") from error

    def add_address(self, effect: AddAddress) -> None:
        """Configure an address that is usable at once."""
        index = self.index(effect.interface)
        self._netlink.add_address(index, effect.address, effect.prefix_length)
        self._addresses[effect] = index

    def remove_address(self, effect: RemoveAddress) -> None:
        """Take an address away; one that is not there is no error."""
        added = AddAddress(interface=effect.interface, address=effect.address, prefix_length=effect.prefix_length)
        index = self._addresses.pop(added, None)
        if index is not None:
            self._netlink.remove_address(index, effect.address, effect.prefix_length)

    def use_router(self, effect: UseRouter) -> None:
        """Route what leaves from a source by a router; if that is refused, it has no router any more."""
        index = self.index(effect.interface)
        neighbor = effect.router or effect.destination
        destination = ANYWHERE if effect.destination is None else IPv6Network(effect.destination)
        try:
            with self._netlink.batch(), self._source(effect.source) as source:
                if neighbor is not None and effect.link_layer_address is not None:
                    self._netlink.set_neighbor(index, neighbor, effect.link_layer_address)
                # In its own table as well: the main one may lead into the tunnel of another home address.
                for table in (source.table, *([MAIN_TABLE] if effect.default else [])):
                    self._add_route(source, _Route(destination, index, table, ROUTER_METRIC), effect)
        except PlaneError:
            self.forget_router(ForgetRouter(interface=effect.interface, source=effect.source))
            raise

    def forget_router(self, effect: ForgetRouter) -> None:
        """Undo `use_router` of a source; the routes into a tunnel stay."""
        source = self._sources.get(effect.source)
        if source is None:
            return
        for route in [route for route in source.routes if route.metric == ROUTER_METRIC]:
            self._remove_route(source, route)
        self._release(effect.source, source)

    def set_link_mtu(self, effect: SetLinkMtu) -> None:
        """Let IPv6 send no more octets on an interface than its link carries, nor than it can itself."""
        largest = self._netlink.link(effect.interface).mtu
        mtu = largest if effect.mtu is None else min(effect.mtu, largest)  # RFC 4861 §6.3.4
        self._sysctls = sysctl.set_interface(effect.interface, mtu=mtu) | self._sysctls

    def route_source(self, address: IPv6Address, index: int) -> None:
        """Route what leaves from a source into a tunnel device."""
        with self._source(address) as source:
            self._add_route(source, _Route(ANYWHERE, index, source.table, TUNNEL_METRIC), None, address)

    def unroute_source(self, address: IPv6Address, index: int) -> None:
        """Undo `route_source`."""
        source = self._sources.get(address)
        if source is not None:
            self._remove_route(source, _Route(ANYWHERE, index, source.table, TUNNEL_METRIC))
            self._release(address, source)

    def prefer_source(self, address: IPv6Address) -> None:
        """Have what chooses no source itself leave from one that `route_source` was told of, unless it stays near.

        By the very route that packets with this source take: what the kernel learns of path MTUs, it keeps with that.
        """
        before, table = self._preferred, self._sources[address].table
        if before is None:
            self._netlink.add_lookup(table=MAIN_TABLE, priority=SPECIAL_PRIORITY, defaults=False)
        self._netlink.add_lookup(table=table, priority=PREFERRED_PRIORITY)
        self._preferred = table
        if before is not None:
            self._netlink.remove_lookup(table=before, priority=PREFERRED_PRIORITY)

    def prefer_none(self) -> None:
        """Undo `prefer_source`; may be called twice."""
        if self._preferred is not None:
            self._netlink.remove_lookup(table=self._preferred, priority=PREFERRED_PRIORITY)
            self._netlink.remove_lookup(table=MAIN_TABLE, priority=SPECIAL_PRIORITY)
            self._preferred = None

    def divert(self, address: IPv6Address, index: int, mtu: int) -> None:
        """Lead what this node sends to an address into a tunnel device, but for packets with the mark."""
        self._netlink.add_route(address, interface=index, table=DIRECT_TABLE, metric=TUNNEL_METRIC, mtu=mtu)
        if not self._diverted:
            self._netlink.add_unmarked_rule(MARK, table=DIRECT_TABLE, priority=DIRECT_PRIORITY)
        self._diverted[address] = index

    def undivert(self, address: IPv6Address) -> None:
        """Undo `divert`; an address that is not diverted is no error."""
        index = self._diverted.pop(address, None)
        if index is None:
            return
        self._netlink.remove_route(address, interface=index, table=DIRECT_TABLE, metric=TUNNEL_METRIC)
        if not self._diverted:
            self._netlink.remove_unmarked_rule(MARK, table=DIRECT_TABLE, priority=DIRECT_PRIORITY)

    def hold(self, address: IPv6Address) -> None:
        """Have what no tunnel takes go nowhere: when this process is killed, its tunnel device ends with it."""
        if address not in self._held:  # perhaps since before a crash
            self._netlink.add_blackhole(address, metric=NOWHERE_METRIC)
            self._held.add(address)

    def release(self, address: IPv6Address) -> None:
        """Undo `hold`."""
        if address in self._held:
            self._held.remove(address)
            self._netlink.remove_route(address, metric=NOWHERE_METRIC)

    @property
    def held(self) -> frozenset[IPv6Address]:
        """Addresses that are held, also since a time before a crash."""
        return frozenset(self._held)

    def restore(self, interface: str) -> None:
        """Do anew what the kernel undid when an interface was taken down; raises `PlaneError`."""
        for added in [added for added in self._addresses if added.interface == interface]:
            self.add_address(added)
        for source in [*self._sources.values()]:
            for route, effect in [*source.routes.items()]:
                if effect is not None and effect.interface == interface:
                    del source.routes[route]  # the interface may have another index now
                    self.use_router(effect)

    def close(self) -> None:
        """Undo everything that is left, as far as it can still be undone."""
        with contextlib.suppress(PlaneError):
            self.prefer_none()
        for address, source in [*self._sources.items()]:
            for route in [*source.routes]:
                with contextlib.suppress(PlaneError):
                    self._remove_route(source, route)
            with contextlib.suppress(PlaneError):
                self._release(address, source)
        for diverted in [*self._diverted]:
            with contextlib.suppress(PlaneError):
                self.undivert(diverted)
        for held in [*self._held]:
            with contextlib.suppress(PlaneError):
                self.release(held)
        for added in [*self._addresses]:
            removal = RemoveAddress(interface=added.interface, address=added.address, prefix_length=added.prefix_length)
            with contextlib.suppress(PlaneError):
                self.remove_address(removal)
        sysctl.restore(self._sysctls)
        self._sysctls.clear()

    @contextlib.contextmanager
    def _source(self, address: IPv6Address) -> Iterator[_Source]:
        """Give a source address its table for the block, and for as long as routes are in it."""
        if address not in self._sources:
            source = _Source(table=next(self._tables))
            self._netlink.add_rule(address, table=source.table, priority=RULE_PRIORITY)
            self._sources[address] = source
        try:
            yield self._sources[address]
        finally:
            self._release(address, self._sources[address])

    def _release(self, address: IPv6Address, source: _Source) -> None:
        """Give up the rule of a source without routes."""
        if not source.routes:
            del self._sources[address]
            self._netlink.remove_rule(address, table=source.table, priority=RULE_PRIORITY)

    def _add_route(
        self, source: _Source, route: _Route, effect: UseRouter | None, preferred: IPv6Address | None = None
    ) -> None:
        destination, index, table, metric = route
        router = None if effect is None else effect.router
        self._netlink.add_route(destination, via=router, interface=index, table=table, metric=metric, source=preferred)
        source.routes[route] = effect

    def _remove_route(self, source: _Source, route: _Route) -> None:
        if route not in source.routes:
            return
        del source.routes[route]
        if not any(route in other.routes for other in self._sources.values()):  # the main table is for all
            destination, index, table, metric = route
            self._netlink.remove_route(destination, interface=index, table=table, metric=metric)
