"""A machine to try a data plane on: a network namespace with one Ethernet, and another at its far end."""

import select
import socket
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.emulation.namespace import Namespace
from lab.engine.io import PlaneEffect
from lab.events import PacketDropped
from lab.plane import sysctl
from lab.plane.ipsec import Ipsec
from lab.plane.kernel.plane import KernelPlane
from lab.plane.user import UserPlane
from lab.safeguards import NOTHING, Without
from tests.lab.networks import WITHIN, settle, state_of

LINK = "eth0"
OWN, FAR, FAR_TOO = IPv6Address("2001:db8:f::1"), IPv6Address("2001:db8:f::2"), IPv6Address("2001:db8:f::3")
ROUTER = IPv6Address("fe80::ff:fe00:2")
MAC, FAR_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
HOME, OTHER_HOME = IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:1::101")
T = TypeVar("T")


class Machine:
    """Two namespaces joined by a wire; the planes run in the near one."""

    def __init__(self, kind: type[UserPlane] = UserPlane) -> None:
        self._kind = kind
        self.namespace, self.far = Namespace(), Namespace()
        for end in (self.namespace, self.far):
            end.run(partial(sysctl.set_interface, "all", forwarding=1))
            end.run(partial(sysctl.set_interface, "default", accept_dad=0))
        self.namespace.netlink.create_veth(
            LINK, LINK, peer_namespace=self.far.descriptor, address=MAC, peer_address=FAR_MAC
        )
        for end, addresses in ((self.namespace, (OWN,)), (self.far, (FAR, FAR_TOO))):
            end.netlink.set_link(1, up=True)
            index = end.netlink.link(LINK).index
            end.netlink.set_link(index, up=True)
            for address in addresses:
                end.netlink.add_address(index, address, 64)
        for end in (self.namespace, self.far):  # the carrier comes a moment later, and is part of the state
            settle(end, LINK)
        self.watched: dict[int, Callable[[], None]] = {}
        self.delivered: list[bytes] = []
        self.refused: list[PacketDropped] = []
        self.dropped: list[PacketDropped] = []
        self.heard: list[tuple[IPv6Address, IPv6Address]] = []
        self.planes: list[UserPlane] = []
        self._sockets: list[socket.socket] = []

    def plane(
        self,
        protections: Sequence[Protection] = (),
        *,
        at_home_agent: bool = False,
        kind: type[UserPlane] | None = None,
        dhcpv6: bool = False,
        without: Without = NOTHING,
    ) -> UserPlane:
        """Make a data plane in the near namespace, of the machine's kind or another."""
        self.ipsec = Ipsec(Policy(protections, at_home_agent=at_home_agent), Secrets(b"machine"), self.refused.append)

        self.watched.clear()  # of one that crashed

        def watch(descriptor: int, callback: Callable[[], None]) -> Callable[[], object]:
            assert descriptor not in self.watched  # an event loop would not notice that it is another one
            self.watched[descriptor] = callback
            return partial(self.watched.pop, descriptor)

        plane = self.run(
            lambda: (kind or self._kind)(
                watch,
                lambda octets, _: self.delivered.append(octets),
                lambda home, peer: self.heard.append((home, peer)),
                self.ipsec,
                dhcpv6=dhcpv6,
                dropped=self.dropped.append,
                without=without,
            )
        )
        self.planes.append(plane)
        return plane

    def apply(self, *effects: PlaneEffect) -> None:
        """Have the newest plane carry effects out."""
        for effect in effects:
            self.run(partial(self.planes[-1].apply, effect))

    def close_plane(self) -> None:
        """End the newest plane in order."""
        self.run(self.planes[-1].close)
        self.watched.clear()

    def run(self, function: Callable[[], T]) -> T:
        """Call a function in the near namespace."""
        return self.namespace.run(function)

    def command(self, *words: str) -> None:
        """Run a command in the near namespace; raises AssertionError if it fails."""
        process = self.namespace.spawn(words)
        assert process.wait(WITHIN) == 0, words

    def state(self) -> dict[str, Any]:
        """Describe the near namespace."""
        return state_of(self.namespace)

    def socket(self, where: Namespace, kind: int, protocol: int = 0) -> socket.socket:
        """Open an IPv6 socket that waits a while for what it is to receive."""
        made = where.run(lambda: socket.socket(socket.AF_INET6, kind, protocol))
        made.settimeout(WITHIN)
        self._sockets.append(made)
        return made

    def pump(self, holds: Callable[[], bool]) -> None:
        """Let the plane work until something holds; raises AssertionError."""
        deadline = monotonic() + WITHIN
        while not holds():
            assert monotonic() < deadline, f"not within {WITHIN} s: {self.planes[-1].counters()}"
            for descriptor in select.select([*self.watched], [], [], 0.01)[0]:
                self.watched[descriptor]()

    def counts(self, counter: str, number: int = 1) -> Callable[[], bool]:
        """Make a condition: the newest plane counted so many."""
        return lambda: self.planes[-1].counters().get(counter, 0) == number

    def close_sockets(self) -> None:
        """Close what `socket` opened."""
        for made in self._sockets:
            made.close()

    def counts_unless_kernel(self, counter: str) -> Callable[[], bool]:
        """Make the same condition for what the plane `kernel` leaves to the kernel, which counts it nowhere."""
        return (lambda: True) if self._kind is KernelPlane else self.counts(counter)

    def close(self) -> None:
        """Leave nothing."""
        for plane in self.planes:
            self.run(plane.close)
        self.close_sockets()
        for end in (self.namespace, self.far):
            end.close()


def report_every_error() -> None:
    """Have the kernel of this namespace send ICMPv6 errors as often as there are any."""
    Path("/proc/sys/net/ipv6/icmp/ratemask").write_text("200", encoding="ascii")
