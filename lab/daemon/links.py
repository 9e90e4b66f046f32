"""Link and address events of the kernel as inputs of the engines."""

import errno
import socket
from collections.abc import Iterator

from lab.engine.io import LinkDown, LinkUp
from lab.errors import PlaneError
from lab.netlink import RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK, Link, Netlink, link_of, messages
from lab.wire.addresses import link_local

_RTMGRP_LINK, _RTMGRP_IPV6_IFADDR = 0x1, 0x100
ETHERNET_OCTETS = 6


class LinkEvents:
    """Watches interfaces by name; carrier up or down, or another link-layer address, makes an input."""

    def __init__(self, netlink: Netlink, interfaces: tuple[str, ...]) -> None:
        self._netlink = netlink
        self._up: dict[str, bytes | None] = dict.fromkeys(interfaces)
        """Link-layer addresses of those that have carrier."""
        self._taken_down: set[str] = set()
        flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, socket.NETLINK_ROUTE)
        self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_IPV6_IFADDR))

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def present(self) -> list[LinkUp | LinkDown]:
        """Tell how the interfaces are now; raises `PlaneError` if one is not there or is no Ethernet."""
        links = [self._netlink.link(name) for name in self._up]
        for link in links:
            if len(link.link_layer_address) != ETHERNET_OCTETS:
                raise PlaneError(f"{link.name} has no Ethernet address, from which addresses could be formed")
        return [change for link in links for change in self._changes(link)]

    def receive(self) -> tuple[list[LinkUp | LinkDown], bool]:
        """Take what happened since; the second tells whether addresses of the node changed."""
        changes: list[LinkUp | LinkDown] = []
        addresses_changed = lost = False
        while True:
            try:
                octets = self._socket.recv(1 << 17)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True  # the newest: what still waits is older than what is looked up below
            if lost:
                continue
            for kind, _, body in messages(octets):
                if kind in (RTM_NEWLINK, RTM_DELLINK):
                    changes += self._changes(link_of(body))
                elif kind in (RTM_NEWADDR, RTM_DELADDR):
                    addresses_changed = True
        if lost:
            changes += self._look_anew()
        return changes, addresses_changed or lost

    def was_taken_down(self, interface: str) -> bool:
        """Tell whether the kernel dropped an interface's addresses and routes since this was last asked.

        It does so when an administrator takes the interface down, not when its carrier is lost.
        """
        taken_down = interface in self._taken_down
        self._taken_down.discard(interface)
        return taken_down

    def close(self) -> None:
        """Watch no more."""
        self._socket.close()

    def _look_anew(self) -> Iterator[LinkUp | LinkDown]:
        """Tell how the interfaces are, also those that seem as before: they may have been elsewhere meanwhile."""
        self._taken_down.update(self._up)
        for name, before in self._up.items():
            self._up[name] = None
            try:
                changes = [*self._changes(self._netlink.link(name))]
            except PlaneError:
                changes = []
            if before is not None and not changes:
                yield LinkDown(interface=name)
            yield from changes

    def _changes(self, link: Link) -> Iterator[LinkUp | LinkDown]:
        if link.name not in self._up:
            return
        if not link.up:
            self._taken_down.add(link.name)
        address = link.link_layer_address
        before = self._up[link.name]
        now = address if link.up and link.carrier and len(address) == ETHERNET_OCTETS else None
        self._up[link.name] = now
        if now is None:
            if before is not None:
                yield LinkDown(interface=link.name)
        elif now != before:
            yield LinkUp(interface=link.name, link_layer_address=now, link_local_address=link_local(now))
