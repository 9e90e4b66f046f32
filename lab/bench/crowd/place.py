"""The network of a crowd: home agents with a home link each, and one router, beyond which all mobile nodes are."""

import errno
import select
import socket
from collections.abc import Sequence
from ipaddress import IPv6Address, IPv6Network
from typing import Self

from lab.emulation.node import LabNode
from lab.emulation.topology import Topology
from lab.netlink import ETH_P_IPV6
from lab.plane import packet_filter
from lab.plane.packet_filter import Instruction
from lab.wire.icmpv6 import ICMPV6
from lab.wire.packet import ROUTING

ROUTER = "visited"
VISITED = IPv6Network("2001:db8:a1::/64")
CARE_OF_ADDRESSES = IPv6Network("2001:db8:a1:0:1::/80")
FIRST_HOME_ADDRESS = 0x10000
"""Behind the prefix of a home link: those of routers are before."""
_METRIC = 10
"""Better than that of the link."""
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE, _BUFFER_OCTETS = 33, 1 << 26
_IPV6_FREEBIND = 78
_NEXT_HEADER_AT = 6
_FOR_MOBILE_NODES = (
    Instruction(packet_filter.LOAD_BYTE, 0, 0, _NEXT_HEADER_AT),
    Instruction(packet_filter.JUMP_IF_EQUAL, 1, 0, ROUTING),
    Instruction(packet_filter.JUMP_IF_EQUAL, 0, 1, ICMPV6),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.EVERYTHING),
    Instruction(packet_filter.RETURN, 0, 0, packet_filter.NOTHING),
)
"""What has a type 2 routing header, and answers of discovery; nobody there listens to what tunnels bring."""


def place(agents: Sequence[str]) -> type[Topology]:
    """Make the topology of some home agents and a crowd.

    visited ─── core ─┬─ agent ═══ home1
                      └─ agent ═══ home2
    """

    class Place(Topology):
        """Home agents, and a router where everybody is away."""

        def declare(self) -> None:
            """Declare links, then nodes."""
            core, visited = self.link("core", "2001:db8:f::/64"), self.link("away", str(VISITED))
            for number, name in enumerate(agents, 1):
                self.home_agent(name, home=self.link(f"home{number}", f"2001:db8:{number}::/64"), on=[core])
            self.router(ROUTER, on=[core, visited])

    return Place


def home_address(node: LabNode, number: int) -> IPv6Address:
    """Give the home address of the mobile node with a number, at a home agent."""
    assert node.spec.home is not None
    return node.spec.home.prefix.network_address + (FIRST_HOME_ADDRESS + number)


class Wire:
    """Sends packets of every mobile node, and takes what comes for them; the kernel there keeps out of it."""

    def __init__(self, router: LabNode) -> None:
        router.namespace.netlink.add_blackhole(CARE_OF_ADDRESSES, metric=_METRIC)
        self._out, self._in = router.namespace.run(_sockets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._in.close()

    def send(self, octets: bytes, destination: str) -> bool:
        """Send a whole packet; False where there is no room for it just now."""
        try:
            self._out.sendto(octets, (destination, 0))
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                return False
            raise
        return True

    def receive(self, within: float) -> bytes | None:
        """Take a packet; None if none comes within so many seconds."""
        while True:
            try:
                octets, address = self._in.recvfrom(1 << 16)
            except BlockingIOError:
                if within <= 0 or not select.select([self._in], [], [], within)[0]:
                    return None
                continue
            if address[2] != _PACKET_OUTGOING:
                return octets


def _sockets() -> tuple[socket.socket, socket.socket]:
    out = socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)
    out.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    into = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    packet_filter.attach(into, _FOR_MOBILE_NODES)
    into.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_OCTETS)
    into.bind((f"{ROUTER}-eth0", ETH_P_IPV6))
    return out, into
