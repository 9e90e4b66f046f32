"""Answering Neighbor Solicitations for mobile nodes that are away (RFC 6275 §10.4.1) by proxy entries of the kernel.

So it is where the kernel has no nftables for IPv6: `lab.plane.defence` could then not keep it from forwarding.
"""

import contextlib
from ipaddress import IPv6Address
from pathlib import Path

from lab.engine.io import DefendAddress, StopDefending
from lab.errors import PlaneError
from lab.netlink import Netlink
from lab.plane import sysctl


class ProxyEntries:
    """The addresses that the kernel answers for; stands in for `lab.plane.defence.Defence`."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._defended: dict[DefendAddress, int] = {}
        """With the index that the interface had: what is undone is what was done."""
        self._proxying: set[str] = set()
        """Interfaces on which the kernel answers for others."""
        self._sysctls: dict[Path, str] = {}
        """How they were."""

    def defend(self, effect: DefendAddress) -> None:
        """Answer for an address from now on, with the R bit clear; raises `PlaneError`."""
        index = self._netlink.link(effect.interface).index
        if effect.interface not in self._proxying:
            self._let_proxy(effect.interface)
        self._netlink.add_proxy(index, effect.address)
        self._defended[effect] = index

    def stop(self, effect: StopDefending) -> None:
        """Undo `defend`; nothing happens where that was not done."""
        defended = DefendAddress(interface=effect.interface, address=effect.address)
        index = self._defended.pop(defended, None)
        if index is not None:
            self._netlink.remove_proxy(index, effect.address)

    def link_of(self, address: IPv6Address) -> int | None:
        """Give the index of the interface on which an address is defended, its home link."""
        return next((index for effect, index in self._defended.items() if effect.address == address), None)

    def restore(self, interface: str) -> None:
        """Go on with an interface that was taken down, or with another of the same name; raises `PlaneError`."""
        self._proxying.discard(interface)  # another interface of this name has other settings
        for defended in [defended for defended in self._defended if defended.interface == interface]:
            self.defend(defended)

    def close(self) -> None:
        """Answer for nobody any more; may be called twice."""
        for defended in [*self._defended]:
            with contextlib.suppress(PlaneError):
                self.stop(StopDefending(interface=defended.interface, address=defended.address))
        sysctl.restore(self._sysctls)
        self._sysctls.clear()
        self._proxying.clear()

    def _let_proxy(self, interface: str) -> None:
        # For the interface alone, a Neighbor Solicitation that is sent to the address itself would be forwarded to it.
        # With both the kernel also tells whoever sends to a link-local address that this is not forwarded (§10.4.2).
        for each in ("all", interface):
            self._sysctls = sysctl.set_interface(each, proxy_ndp=1) | self._sysctls
        self._sysctls = sysctl.set_neighbor(interface, proxy_delay=0) | self._sysctls
        self._proxying.add(interface)
