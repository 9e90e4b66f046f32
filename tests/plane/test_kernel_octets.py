"""What the kernel itself makes of packets is, octet for octet, what the user plane makes of them.

Only the flow label may differ, which each makes of its own, of a tunnel's outer header and of what a socket sends.
"""

import contextlib
import select
import socket
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import IPv6Address
from typing import TypeAlias

import pytest

from lab.daemon.sockets import MobilityReceiver
from lab.engine.io import InstallBinding, InstallReverseTunnel, InstallRouteOptimisation, InstallTunnel, OwnHomeAddress
from lab.netlink import ETH_P_IPV6, Netlink
from lab.plane.kernel.plane import KernelPlane
from lab.plane.user import UserPlane
from lab.wire.headers import DESTINATION_OPTIONS, ROUTING
from lab.wire.packet import (
    IPV6,
    DestinationOptions,
    ExtensionHeader,
    HomeAddressOption,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    build,
)
from tests.lab.networks import settle_addresses
from tests.plane.conftest import why_not_kernel
from tests.plane.machine import FAR, FAR_MAC, FAR_TOO, HOME, LINK, MAC, OTHER_HOME, OWN, Machine

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(why_not_kernel() is not None, reason=f"kernel: {why_not_kernel()}"),
]

OWN_HOME, PEER = IPv6Address("2001:db8:2::100"), IPv6Address("2001:db8:c::2")
EXPERIMENT = 253
SIZES = (0, 1, 8, 512, 1200, 1372)
LAST = b"the last"
"""What is known to arrive."""
Role: TypeAlias = Callable[[Machine], None]


class Twin(Machine):
    """A machine of one kind, and what leaves and reaches it."""

    def __init__(self, kind: type[UserPlane], role: Role) -> None:
        super().__init__(kind)
        self.plane()
        for address in (FAR, FAR_TOO):
            self.command("ip", "-6", "neigh", "replace", str(address), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
        for address in (PEER, HOME, OTHER_HOME):  # as everybody has a way to whoever answered return routability
            self.command("ip", "-6", "route", "add", f"{address}/128", "via", str(FAR))
        role(self)
        settle_addresses(self.namespace)
        self._wire = self.far.run(_tap)
        self._netlink: Netlink = self.run(Netlink)
        self._mobility: MobilityReceiver = self.run(
            lambda: MobilityReceiver(self._netlink, kernel_knows=kind.knows_mobility)
        )
        self.watched[self._mobility.fileno()] = self._on_mobility
        self._inlet = self.socket(self.namespace, socket.SOCK_RAW, EXPERIMENT)
        self._inlet.setblocking(False)

    def _on_mobility(self) -> None:
        while (received := self._mobility.receive()) is not None:
            self.planes[-1].take(received[0])

    def sent(self, source: IPv6Address, destination: IPv6Address, data: bytes) -> bytes:
        """Have a program send a packet; give what is on the wire."""
        outlet = self.socket(self.namespace, socket.SOCK_RAW, EXPERIMENT)
        outlet.bind((str(source), 0))
        outlet.sendto(data, (str(destination), 0))
        seen: list[bytes] = []
        self.pump(lambda: bool(seen.extend(self._on_wire()) or seen))  # type: ignore[func-returns-value]
        assert len(seen) == 1
        return b"\x60\0\0\0" + seen[0][4:]

    def received(self, packet: bytes) -> tuple[bytes, str] | None:
        """Have a packet come from the network, and one that is known to arrive; give what a program gets of it."""
        for octets in (packet, build(_packet(FAR, OWN, LAST))):
            self._wire.sendto(MAC + FAR_MAC + ETH_P_IPV6.to_bytes(2, "big") + octets, (LINK, ETH_P_IPV6))
        got: list[tuple[bytes, str]] = []

        def is_through() -> bool:
            got.extend(self._at_program())
            return any(data == LAST for data, _ in got)

        self.pump(is_through)
        while ready := select.select([*self.watched], [], [], 0)[0]:  # what Python deals with comes later
            for descriptor in ready:
                self.watched[descriptor]()
        got.extend(self._at_program())
        return next((entry for entry in got if entry[0] != LAST), None)

    def _on_wire(self) -> Iterator[bytes]:
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, address = self._wire.recvfrom(1 << 16)
                if address[2] != socket.PACKET_OUTGOING and frame[20] in (IPV6, ROUTING, DESTINATION_OPTIONS):
                    yield frame[14:]

    def _at_program(self) -> Iterator[tuple[bytes, str]]:
        with contextlib.suppress(BlockingIOError):
            while True:
                data, address = self._inlet.recvfrom(1 << 16)
                yield data, address[0]

    def close(self) -> None:
        """Leave nothing."""
        self.run(self._mobility.close)
        self._netlink.close()
        self._wire.close()
        super().close()


def _tap() -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETH_P_IPV6))
    tap.bind((LINK, ETH_P_IPV6))
    return tap


def _packet(source: IPv6Address, destination: IPv6Address, data: bytes, *headers: ExtensionHeader) -> Packet:
    payload = OpaquePayload(next_header=EXPERIMENT, data=data)
    return Packet(source=source, destination=destination, headers=headers, payload=payload)


def _tunnelled(packet: Packet, source: IPv6Address = FAR) -> bytes:
    payload = OpaquePayload(next_header=IPV6, data=build(packet))
    return build(Packet(source=source, destination=OWN, payload=payload))


def home_agent(machine: Machine) -> None:
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR))


def correspondent(machine: Machine) -> None:
    machine.apply(InstallBinding(home_address=HOME, care_of_address=FAR))


def mobile_node(machine: Machine) -> None:
    machine.apply(
        OwnHomeAddress(home_address=OWN_HOME),
        InstallReverseTunnel(home_agent_address=FAR, home_address=OWN_HOME, care_of_address=OWN),
        InstallRouteOptimisation(home_address=OWN_HOME, peer=FAR_TOO, care_of_address=OWN),
        InstallBinding(home_address=OTHER_HOME, care_of_address=FAR_TOO),
        InstallRouteOptimisation(home_address=OWN_HOME, peer=OTHER_HOME, care_of_address=OWN),
    )


@pytest.fixture(scope="module")
def twins() -> Iterator[Callable[[Role], tuple[Twin, Twin]]]:
    """Give the pair of a role: the user plane's and the kernel's."""
    with contextlib.ExitStack() as made:

        @cache
        def pair(role: Role) -> tuple[Twin, Twin]:
            user, kernel = (
                made.enter_context(contextlib.closing(Twin(kind, role))) for kind in (UserPlane, KernelPlane)
            )
            return user, kernel

        yield pair


SENT = {
    "into a tunnel": (home_agent, OWN, HOME),
    "to a binding": (correspondent, OWN, HOME),
    "into a reverse tunnel": (mobile_node, OWN_HOME, PEER),
    "by an optimised route": (mobile_node, OWN_HOME, FAR_TOO),
    "between mobile nodes": (mobile_node, OWN_HOME, OTHER_HOME),
    "from the care-of address to a binding": (mobile_node, OWN, OTHER_HOME),
}


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a", "10.4.2-a", "6.3-a", "6.4-a")
@pytest.mark.parametrize(("role", "source", "destination"), SENT.values(), ids=SENT)
def test_what_is_sent(
    twins: Callable[[Role], tuple[Twin, Twin]], role: Role, source: IPv6Address, destination: IPv6Address
) -> None:
    user, kernel = twins(role)
    for size in SIZES:
        data = bytes(n % 251 for n in range(size))
        assert kernel.sent(source, destination, data) == user.sent(source, destination, data)


OPTION = DestinationOptions(options=(HomeAddressOption(home_address=HOME),))
PEER_OPTION = DestinationOptions(options=(HomeAddressOption(home_address=OTHER_HOME),))
TO_HOME = RoutingHeaderType2(home_address=OWN_HOME)
RECEIVED = {
    "out of a tunnel": (home_agent, _tunnelled(_packet(HOME, OWN, b"data")), True),
    "out of a tunnel from elsewhere": (home_agent, _tunnelled(_packet(HOME, OWN, b"data"), FAR_TOO), False),
    "out of a tunnel of another": (home_agent, _tunnelled(_packet(OTHER_HOME, OWN, b"data")), False),
    "by a home registration": (home_agent, build(_packet(FAR, OWN, b"data", OPTION)), True),
    "by a binding": (correspondent, build(_packet(FAR, OWN, b"data", OPTION)), True),
    "by a binding from elsewhere": (correspondent, build(_packet(FAR_TOO, OWN, b"data", OPTION)), False),
    "by no binding": (mobile_node, build(_packet(FAR, OWN, b"data", OPTION)), False),
    "out of a reverse tunnel": (mobile_node, _tunnelled(_packet(PEER, OWN_HOME, b"data")), True),
    "out of a reverse tunnel from elsewhere": (mobile_node, _tunnelled(_packet(PEER, OWN_HOME, b"data"), PEER), False),
    "out of a reverse tunnel for another address": (mobile_node, _tunnelled(_packet(PEER, OWN, b"data")), False),
    "to a home address": (mobile_node, build(_packet(FAR_TOO, OWN, b"data", TO_HOME)), True),
    "to a home address from a stranger": (mobile_node, build(_packet(PEER, OWN, b"data", TO_HOME)), True),
    "to a home address of another": (
        mobile_node,
        build(_packet(FAR_TOO, OWN, b"data", RoutingHeaderType2(home_address=HOME))),
        False,
    ),
    "between mobile nodes": (mobile_node, build(_packet(FAR_TOO, OWN, b"data", TO_HOME, PEER_OPTION)), True),
    "between mobile nodes from elsewhere": (
        mobile_node,
        build(_packet(FAR, OWN, b"data", TO_HOME, PEER_OPTION)),
        False,
    ),
}


@pytest.mark.rfc6275("9.3.1-a", "9.3.1-b", "11.3.3-a", "10.4.5-a", "5.5-a", "6.4-a")
@pytest.mark.parametrize(("role", "packet", "arrives"), RECEIVED.values(), ids=RECEIVED)
def test_what_is_received(twins: Callable[[Role], tuple[Twin, Twin]], role: Role, packet: bytes, arrives: bool) -> None:
    user, kernel = twins(role)
    got = user.received(packet)
    assert kernel.received(packet) == got
    assert (got is not None) is arrives
