"""Tunnels of the kernel (RFC 2473): a device for each pair of ends, counted, with routes into it and a gate out of it.

A device is there while a home address uses its ends. Routes into devices are in a table of their own, which is looked
up before all others: what is not for the kernel's tunnels passes it, and is the user plane's.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from lab.errors import PlaneError
from lab.netlink import TUNNEL_NAMES, Netlink
from lab.plane import packet_filter, sysctl
from lab.plane.host import ANYWHERE, MARK, TUNNEL_METRIC
from lab.plane.kernel.gate import Judged, gate
from lab.wire.mobility import MOBILITY_HEADER
from lab.wire.packet import IPV6

TABLE, PRIORITY = 6273, 880
PREFERRED_TABLE, PREFERRED_PRIORITY = 6272, 1002
"""Where what chooses no source itself finds its tunnel: before it finds the user plane's device."""
PASSED = (MOBILITY_HEADER, IPV6)
"""What the user plane tunnels: mobility messages, which IPsec may protect, and what a tunnel carries already."""


class Ends(NamedTuple):
    """Where a tunnel begins and where it ends."""

    local: IPv6Address
    remote: IPv6Address


@dataclass(slots=True)
class Device:
    """A tunnel device and the home addresses that use it."""

    index: int
    name: str
    users: set[IPv6Address] = field(default_factory=set)
    """Also those that are left alone: for them nothing comes out."""
    away: set[IPv6Address] = field(default_factory=set)
    """Home addresses at the far end, of a home agent."""
    here: set[IPv6Address] = field(default_factory=set)
    """Home addresses of this node."""


class Devices:
    """The tunnel devices of this node."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._numbers = itertools.count()
        self._devices: dict[Ends, Device] = {}
        self._ends: dict[IPv6Address, Ends] = {}
        """By home address."""
        self._counted: Counter[str] = Counter()
        """Of devices that are gone."""
        with netlink.batch():
            netlink.add_detour(MARK, PASSED, table=TABLE, priority=PRIORITY)
            netlink.add_lookup(table=PREFERRED_TABLE, priority=PREFERRED_PRIORITY)

    def lead(self, home_address: IPv6Address, ends: Ends, *, here: bool, left_alone: bool) -> None:
        """Have a home address, `here` or at the far end, use a tunnel, in place of an earlier one.

        If it is `left_alone`, nothing goes in or comes out but by the user plane. Raises `PlaneError`.
        """
        device = self._devices.get(ends) or self._create(ends)
        before = self._ends.get(home_address)
        device.users.add(home_address)
        self._ends[home_address] = ends
        if not left_alone:
            (device.here if here else device.away).add(home_address)
        self._set_gate(ends, device)
        if not left_alone:
            self._route(home_address, device, here=here)
        if before is not None and before != ends:
            self._leave(home_address, before)

    def end(self, home_address: IPv6Address) -> None:
        """Undo `lead`; a home address without a tunnel is no error. Raises `PlaneError`."""
        self._ends.pop(home_address, None)
        for ends, device in [*self._devices.items()]:
            for here, users in ((True, device.here), (False, device.away)):
                if home_address in users:
                    self._unroute(home_address, device, here=here)
            if home_address in device.users:
                self._leave(home_address, ends)

    def leave_alone(self, ends: Ends) -> None:
        """Let the user plane carry from now on what a tunnel carries, if there is that tunnel. Raises `PlaneError`."""
        device = self._devices.get(ends)
        if device is not None:
            for here, users in ((True, device.here), (False, device.away)):
                for home_address in users:
                    self._unroute(home_address, device, here=here)
                users.clear()
            self._set_gate(ends, device)

    def prefer(self, home_address: IPv6Address | None) -> None:
        """Have what chooses no source itself leave from a home address by its tunnel, if it has one here.

        None, and one whose tunnel is left alone or the kernel refused: by no tunnel of the kernel's any more.
        """
        index = next((device.index for device in self._devices.values() if home_address in device.here), None)
        if index is None:
            self._netlink.remove_route(ANYWHERE, table=PREFERRED_TABLE, metric=TUNNEL_METRIC)
        else:
            self._netlink.add_route(
                ANYWHERE, interface=index, table=PREFERRED_TABLE, metric=TUNNEL_METRIC, source=home_address
            )

    def of_here(self) -> list[int]:
        """Give the indexes of tunnels that home addresses of this node use."""
        return [device.index for device in self._devices.values() if device.here]

    def judged(self) -> Iterator[Judged]:
        """Tell what the kernel takes out of each."""
        return itertools.starmap(_judged, self._devices.items())

    def counters(self) -> Counter[str]:
        """Count packets by what became of them."""
        counted = Counter(self._counted)
        for device in self._devices.values():
            counted += self._count(device)
        return counted

    def close(self) -> None:
        """Remove all; may be called twice."""
        for device in self._devices.values():
            with contextlib.suppress(PlaneError):
                self._delete(device)
        self._devices.clear()
        self._ends.clear()
        with contextlib.suppress(PlaneError), self._netlink.batch():
            self._netlink.remove_detour(PASSED, priority=PRIORITY)
            self._netlink.remove_lookup(table=PREFERRED_TABLE, priority=PREFERRED_PRIORITY)

    def _create(self, ends: Ends) -> Device:
        name = f"{TUNNEL_NAMES}{next(self._numbers)}"
        self._netlink.create_tunnel(name, *ends)
        index = self._netlink.link(name).index
        try:
            sysctl.set_interface(name, addr_gen_mode=1, accept_ra=0)  # it says nothing by itself
            self._netlink.set_link(index, up=True)
        except PlaneError:
            self._netlink.delete_link(index)
            raise
        device = Device(index=index, name=name)
        self._devices[ends] = device
        return device

    def _route(self, home_address: IPv6Address, device: Device, *, here: bool) -> None:
        destination, origin = _packets_of(home_address, here=here)
        self._netlink.add_route(destination, interface=device.index, table=TABLE, metric=TUNNEL_METRIC, origin=origin)

    def _unroute(self, home_address: IPv6Address, device: Device, *, here: bool) -> None:
        destination, origin = _packets_of(home_address, here=here)
        self._netlink.remove_route(
            destination, interface=device.index, table=TABLE, metric=TUNNEL_METRIC, origin=origin
        )

    def _set_gate(self, ends: Ends, device: Device) -> None:
        program = gate(_judged(ends, device))
        self._netlink.set_gate(device.index, packet_filter.octets(program), len(program))

    def _leave(self, home_address: IPv6Address, ends: Ends) -> None:
        device = self._devices[ends]
        for users in (device.users, device.away, device.here):
            users.discard(home_address)
        if device.users:
            self._set_gate(ends, device)
        else:
            del self._devices[ends]
            self._delete(device)

    def _delete(self, device: Device) -> None:
        self._counted += self._count(device)
        self._netlink.delete_link(device.index)  # its routes and its gate go with it

    def _count(self, device: Device) -> Counter[str]:
        received, sent = self._netlink.carried(device.index)
        refused = self._netlink.refused_at_gate(device.index)
        return Counter({"tunnelled": sent, "detunnelled": received - refused})  # what is refused, the user plane counts


def _packets_of(home_address: IPv6Address, *, here: bool) -> tuple[IPv6Network, IPv6Address | None]:
    """Give the destination and the origin of what goes into the tunnel of a home address."""
    return (ANYWHERE, home_address) if here else (IPv6Network(home_address), None)


def _judged(ends: Ends, device: Device) -> Judged:
    sources, destinations = (tuple(home.packed for home in homes) for homes in (device.away, device.here))
    return Judged(ends.local.packed, ends.remote.packed, sources, destinations)
