"""Two nodes with data planes, a router between them, and what their packets look like on the way."""

import select
import socket
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from threading import Lock, Thread
from typing import TypeVar

from lab.auth.ipsec_policy import Policy
from lab.auth.secrets import Secrets
from lab.daemon.sockets import Icmpv6Receiver, MobilityReceiver, Sender
from lab.emulation.namespace import Namespace
from lab.engine.io import (
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    PlaneEffect,
    UseRouter,
)
from lab.netlink import Netlink
from lab.plane import sysctl
from lab.plane.ipsec import Ipsec
from lab.plane.user import UserPlane
from lab.wire.packet import Packet, parse
from tests.lab.networks import WITHIN, run_in, settle, settle_addresses

LINK = "eth0"
CN, MN = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:a::2")
"""MN is a care-of address; so is CN where the correspondent is a mobile node as well."""
HOME, PEER_HOME = IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:2::100")
TO_CN, TO_MN = IPv6Address("2001:db8:c::1"), IPv6Address("2001:db8:a::1")
STRANGER = IPv6Address("2001:db8:a::bad")
T = TypeVar("T")


class Node:
    """A network namespace with a data plane that works by itself, as in a daemon."""

    def __init__(self, kind: type[UserPlane]) -> None:
        self.namespace = Namespace()
        self.namespace.run(partial(sysctl.set_interface, "default", accept_dad=0))
        self.namespace.netlink.set_link(1, up=True)
        self.unclaimed: list[Packet] = []
        """What the engine would have to answer for."""
        self.heard: list[tuple[IPv6Address, IPv6Address]] = []
        self._watched: dict[int, Callable[[], None]] = {}
        self._lock = Lock()
        self._ends = False
        self._sockets: list[socket.socket] = []
        self.plane = self._in(partial(self._open, kind))
        self._thread = Thread(target=self.namespace.run, args=(self._work,))
        self._thread.start()

    def _in(self, function: Callable[[], T]) -> T:
        with self._lock:
            return self.namespace.run(function)

    def _open(self, kind: type[UserPlane]) -> UserPlane:
        def watch(descriptor: int, callback: Callable[[], None]) -> Callable[[], object]:
            self._watched[descriptor] = callback
            return partial(self._watched.pop, descriptor)

        self._netlink = Netlink()
        plane = kind(
            watch,
            lambda octets, _: self.unclaimed.append(parse(octets)),
            lambda *ends: self.heard.append(ends),
            Ipsec(Policy((), at_home_agent=False), Secrets(b"crossroads"), lambda _: None),
        )
        self._sender = Sender()
        self._mobility, self._icmpv6 = (
            MobilityReceiver(self._netlink, kernel_knows=kind.knows_mobility),
            Icmpv6Receiver(),
        )
        watch(self._mobility.fileno(), self._on_mobility)
        watch(self._icmpv6.fileno(), self._on_icmpv6)
        return plane

    def _on_mobility(self) -> None:
        while (received := self._mobility.receive()) is not None:
            if not self.plane.take(received[0]):
                self.unclaimed.append(parse(received[0]))

    def _on_icmpv6(self) -> None:
        while (received := self._icmpv6.receive()) is not None:
            self.plane.explain(received[0])

    def _work(self) -> None:
        while not self._ends:
            for descriptor in select.select([*self._watched], [], [], 0.02)[0]:
                with self._lock:
                    self._watched[descriptor]()

    def apply(self, *effects: PlaneEffect) -> None:
        """Have the plane carry effects out."""
        for effect in effects:
            self._in(partial(self.plane.apply, effect))

    def own(self, home_address: IPv6Address) -> None:
        """Give the node a home address."""
        self._in(partial(self.plane.own_home_address, home_address))
        settle_addresses(self.namespace)

    def send(self, packet: Packet) -> None:
        """Send as the engine does."""
        self._in(partial(self._sender.send, packet, None))

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        return self._in(partial(self.plane.used, home_address, peer))

    def count(self, counter: str) -> int:
        return self.plane.counters().get(counter, 0)

    def socket(self, kind: int, protocol: int = 0, bound: IPv6Address | None = None, port: int = 0) -> socket.socket:
        """Open an IPv6 socket that waits a while for what it is to receive."""
        made = self.namespace.run(partial(socket.socket, socket.AF_INET6, kind, protocol))
        made.settimeout(WITHIN)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if bound is not None:
            made.bind((str(bound), port))
        self._sockets.append(made)
        return made

    def run(self, *command: str) -> str:
        done = run_in(self.namespace, *command)
        return done.stdout + done.stderr

    def close(self) -> None:
        """Leave nothing."""
        self._ends = True
        self._thread.join()
        for made in self._sockets:
            made.close()
        self.namespace.run(self._close)
        self.namespace.close()

    def _close(self) -> None:
        self.plane.close()
        self._sender.close()
        self._mobility.close()
        self._icmpv6.close()
        self._netlink.close()


class Crossroads:
    """A correspondent, a router, and a mobile node away from home."""

    def __init__(self, kind: type[UserPlane] = UserPlane) -> None:
        self.cn, self.router, self.mn = Node(kind), Node(kind), Node(kind)
        self.router.namespace.run(partial(sysctl.set_interface, "all", forwarding=1))
        for name, node, address, gateway in (("cn", self.cn, CN, TO_CN), ("mn", self.mn, MN, TO_MN)):
            number = 1 if node is self.cn else 2
            router = self.router.namespace.netlink
            router.create_veth(
                name,
                LINK,
                index=10 + number,  # if it were its peer's as well, the carrier would be told late
                peer_namespace=node.namespace.descriptor,
                address=bytes((2, 0, 0, 0, 1, number)),
                peer_address=bytes((2, 0, 0, 0, 2, number)),
            )
            for end, link, own in ((router, name, gateway), (node.namespace.netlink, LINK, address)):
                index = end.link(link).index
                end.set_link(index, up=True)
                end.add_address(index, own, 64)
        for node, links in ((self.cn, (LINK,)), (self.mn, (LINK,)), (self.router, ("cn", "mn"))):
            settle(node.namespace, *links)  # until then a node has no route there
        self.cn.run("ip", "-6", "route", "add", "default", "via", str(TO_CN))
        self.mn.run("ip", "-6", "route", "add", "default", "via", str(TO_MN), "metric", "300")
        self._seen = self.router.namespace.run(
            lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(0x86DD))
        )

    def bind(self) -> None:
        """Bind the mobile node at the correspondent: packets go straight in both directions."""
        self.cn.apply(InstallBinding(home_address=HOME, care_of_address=MN))
        self._visit(self.mn, MN, TO_MN, HOME)
        self.mn.apply(InstallRouteOptimisation(home_address=HOME, peer=CN, care_of_address=MN))

    def bind_both(self) -> None:
        """Make mobile nodes of both and bind each at the other."""
        self._visit(self.mn, MN, TO_MN, HOME)
        self._visit(self.cn, CN, TO_CN, PEER_HOME)
        self.cn.apply(
            InstallBinding(home_address=HOME, care_of_address=MN),
            InstallRouteOptimisation(home_address=PEER_HOME, peer=HOME, care_of_address=CN),
        )
        self.mn.apply(
            InstallBinding(home_address=PEER_HOME, care_of_address=CN),
            InstallRouteOptimisation(home_address=HOME, peer=PEER_HOME, care_of_address=MN),
        )

    @staticmethod
    def _visit(node: Node, care_of: IPv6Address, router: IPv6Address, home: IPv6Address) -> None:
        node.own(home)
        node.apply(
            UseRouter(interface=LINK, router=router, source=care_of),
            InstallReverseTunnel(home_agent_address=router, home_address=home, care_of_address=care_of),
        )

    def narrow(self, link: str, mtu: int) -> None:
        """Let a link, `cn` or `mn`, carry no more than so many octets."""
        node = self.cn if link == "cn" else self.mn
        self.router.run("ip", "link", "set", link, "mtu", str(mtu))
        node.run("ip", "link", "set", LINK, "mtu", str(mtu))

    def seen(self) -> list[Packet]:
        """Give what reached the router since this was last asked, but for Neighbor Discovery."""
        found: list[Packet] = []
        while True:
            try:
                octets, address = self._seen.recvfrom(1 << 16)
            except BlockingIOError:
                return found
            if address[2] not in (3, 4) and octets[7] != 255 and octets[8] & 0xE0 == 0x20:
                found.append(parse(octets))

    def close(self) -> None:
        """Leave nothing."""
        self._seen.close()
        for node in (self.cn, self.mn, self.router):
            node.close()
