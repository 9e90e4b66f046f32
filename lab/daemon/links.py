"""Link and address events of the kernel as inputs of the engines."""

import socket
from collections.abc import Iterator

from lab.engine.io import LinkDown, LinkUp
from lab.netlink import RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK, Link, Netlink, link_of, messages
from lab.wire.addresses import link_local

_RTMGRP_LINK, _RTMGRP_IPV6_IFADDR = 0x1, 0x100


class LinkEvents:
    """Watches interfaces by name; carrier up or down, or another link-layer address, makes an input."""

    def __init__(self, netlink: Netlink, interfaces: tuple[str, ...]) -> None:
        self._netlink = netlink
        self._known: dict[str, tuple[bool, bytes]] = dict.fromkeys(interfaces, (False, b""))
        flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, flags, socket.NETLINK_ROUTE)
        self._socket.bind((0, _RTMGRP_LINK | _RTMGRP_IPV6_IFADDR))

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def present(self) -> list[LinkUp | LinkDown]:
        """Tell how the interfaces are now."""
        links = [self._netlink.link(name) for name in self._known]
        return [change for link in links for change in self._changes(link)]

    def receive(self) -> tuple[list[LinkUp | LinkDown], bool]:
        """Take what happened since; the second tells whether addresses of the node changed."""
        changes: list[LinkUp | LinkDown] = []
        addresses_changed = False
        while True:
            try:
                octets = self._socket.recv(1 << 17)
            except BlockingIOError:
                return changes, addresses_changed
            except OSError:  # the kernel had more to say than fits: look at everything anew
                return [*changes, *self.present()], True
            for kind, _, body in messages(octets):
                if kind in (RTM_NEWLINK, RTM_DELLINK):
                    changes += self._changes(link_of(body))
                elif kind in (RTM_NEWADDR, RTM_DELADDR):
                    addresses_changed = True

    def close(self) -> None:
        """Watch no more."""
        self._socket.close()

    def _changes(self, link: Link) -> Iterator[LinkUp | LinkDown]:
        if link.name not in self._known:
            return
        carrier = link.up and link.carrier
        before = self._known[link.name]
        now = (carrier, link.link_layer_address)
        self._known[link.name] = now
        if carrier and now != before:
            yield LinkUp(
                interface=link.name,
                link_layer_address=link.link_layer_address,
                link_local_address=link_local(link.link_layer_address),
            )
        elif before[0] and not carrier:
            yield LinkDown(interface=link.name)
