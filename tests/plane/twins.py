"""Two machines that are alike but for their data planes: what one does with a packet, the other must do."""

import os
import select
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from lab.daemon.sockets import MobilityReceiver
from lab.engine.io import PlaneEffect
from lab.netlink import ETH_P_IPV6, Netlink
from lab.plane import sysctl
from lab.plane.bpf.plane import BpfPlane
from lab.plane.user import DEVICE, UserPlane
from lab.wire.headers import DESTINATION_OPTIONS, HOP_BY_HOP, ROUTING
from lab.wire.packet import HEADER_OCTETS, IPV6
from tests.lab.networks import WITHIN, settle_addresses
from tests.plane.machine import FAR, FAR_MAC, FAR_TOO, LINK, MAC, OWN, Machine, report_every_error

_PACKET_HOST, _PACKET_OUTGOING = 0, 4
_ETH_P_ALL = 3
_ETHERNET_OCTETS = 14
SENTINEL_PORT = 6275
COUNTERS = {"in": ("detunnelled", "direct-in"), "out": ("tunnelled", "direct-out")}


class Seen(NamedTuple):
    """What became of packets: octets, each with how often, and counts."""

    sent: Counter[bytes]
    """Out of the machine, with a header that a data plane adds."""
    arrived: Counter[bytes]
    """On the tunnel device, as from the network, or on the link in another shape than it came in."""
    for_engine: Counter[bytes]
    heard: tuple[tuple[IPv6Address, IPv6Address], ...]
    counted: tuple[tuple[str, int], ...]


class Twin(Machine):
    """A machine whose plane works when it is told to, between two taps."""

    def __init__(self, kind: type[UserPlane], *, forwards: bool) -> None:
        super().__init__(kind)
        self.run(partial(sysctl.set_interface, "all", forwarding=int(forwards)))
        self.plane(dhcpv6=True)
        for end in (self.namespace, self.far):
            end.run(report_every_error)
            end.run(_keep_fragments)
        for address in (FAR, FAR_TOO):  # who must be asked for first is another story
            self.command("ip", "-6", "neigh", "replace", str(address), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
        self._netlink: Netlink = self.run(Netlink)
        self._mobility: MobilityReceiver = self.run(
            lambda: MobilityReceiver(self._netlink, kernel_knows=kind.knows_mobility)
        )
        self.watched[self._mobility.fileno()] = self._on_mobility
        self._wire = self.far.run(partial(_tap, LINK))
        self._device = self.run(partial(_tap, DEVICE))
        # The kernel shows packets to who wants all protocols first, then to programs, and then to who wants one.
        self._before_programs = self.run(partial(_tap, LINK, _ETH_P_ALL))
        self._behind_programs = self.run(partial(_tap, LINK))
        self._sentinels = self.socket(self.namespace, socket.SOCK_DGRAM)
        self._sentinels.bind((str(OWN), SENTINEL_PORT))
        self._outlet = self.socket(self.far, socket.SOCK_DGRAM)
        self._sent: Counter[bytes] = Counter()
        self._arrived: Counter[bytes] = Counter()
        self._came: Counter[bytes] = Counter()
        self._went_on: Counter[bytes] = Counter()

    def _on_mobility(self) -> None:
        while (received := self._mobility.receive()) is not None:
            if not self.planes[-1].take(received[0]):
                self.delivered.append(received[0])

    def send(self, packet: bytes) -> None:
        """Have a packet come into the tunnel device, as from the machine's own programs."""
        self._device.sendto(packet, (DEVICE, ETH_P_IPV6))
        self._settle()

    def receive(self, packet: bytes) -> None:
        """Have a packet come from the network."""
        self._wire.sendto(MAC + FAR_MAC + ETH_P_IPV6.to_bytes(2, "big") + packet, (LINK, ETH_P_IPV6))
        self._settle()

    def _settle(self) -> None:
        """Wait until the kernel has dealt with what came before, and with what that led to; let the plane work."""
        for _ in range(2):
            self._outlet.sendto(b"", (str(OWN), SENTINEL_PORT))
            self._sentinels.recv(1)
        if self._ready():
            self.run(self._work)  # inside, since a plane opens a socket now and then

    def _ready(self) -> list[int]:
        return select.select([*self.watched], [], [], 0)[0]

    def _work(self) -> None:
        while ready := self._ready():
            for descriptor in ready:
                self.watched[descriptor]()

    def seen(self) -> Seen:
        """Give all that was seen so far."""
        self._settle()
        for octets, kind in _read(self._wire):
            packet = octets[_ETHERNET_OCTETS:]
            if kind != _PACKET_OUTGOING and _first_header(packet) in (IPV6, ROUTING, DESTINATION_OPTIONS):
                # The kernel writes a flow label into the outer header of a tunnel for the user plane.
                is_tunnelled = IPV6 in (packet[6], packet[HEADER_OCTETS])
                self._sent[b"\x60\0\0\0" + packet[4:] if is_tunnelled else packet] += 1
        for octets, kind in _read(self._device):
            if kind == _PACKET_HOST:
                self._arrived[octets] += 1
        for tap, counted in ((self._behind_programs, self._went_on), (self._before_programs, self._came)):
            counted.update(octets[_ETHERNET_OCTETS:] for octets, kind in _read(tap) if kind == _PACKET_HOST)
        counters = self.planes[-1].counters()
        counters.pop("no-tunnel", None)  # what the kernel says to multicast groups at times of its own
        return Seen(
            sent=Counter(self._sent),
            arrived=self._arrived + (self._went_on - self._came),
            for_engine=Counter(self.delivered),
            heard=tuple(self.heard),
            counted=tuple(sorted(counters.items())),
        )

    def close(self) -> None:
        """Leave nothing."""
        self.run(self._mobility.close)
        self._netlink.close()
        self._wire.close()
        self._device.close()
        self._before_programs.close()
        self._behind_programs.close()
        super().close()


class Twins:
    """The user plane and the bpf plane, each on a machine of its own."""

    def __init__(self, *, forwards: bool) -> None:
        self.user, self.bpf = self.both = (Twin(UserPlane, forwards=forwards), Twin(BpfPlane, forwards=forwards))
        self.own_addresses = [OWN]

    def apply(self, *effects: PlaneEffect) -> None:
        """Have both carry effects out."""
        for twin in self.both:
            twin.apply(*effects)

    def own(self, address: IPv6Address) -> None:
        """Give both a home address."""
        self.own_addresses.append(address)
        for twin in self.both:
            twin.run(partial(twin.planes[-1].own_home_address, address))
            settle_addresses(twin.namespace)

    def see(self, *, sent: bytes | None = None, received: bytes | None = None) -> Seen:
        """Give a packet to both, and what the user plane made of everything so far: the other must agree."""
        for twin in self.both:
            if sent is not None:
                twin.send(sent)
            if received is not None:
                twin.receive(received)
        deadline = monotonic() + WITHIN
        while (expected := self.user.seen()) != (found := self.bpf.seen()) and monotonic() < deadline:
            pass
        for name, one, other in zip(Seen._fields, expected, found, strict=True):
            assert other == one, name
        return expected

    def by_programs(self, way: str) -> int:
        """Count the packets that went `in` or `out` and never met Python; answers of the kernel go the other way."""
        plane = self.bpf.planes[-1]
        assert isinstance(plane, BpfPlane)
        counts = plane._programs.counts()
        return sum(counts.get(counter, 0) for counter in COUNTERS[way])

    def close(self) -> None:
        """Leave nothing."""
        for twin in self.both:
            twin.close()


@contextmanager
def one_processor() -> Iterator[None]:
    """Keep this thread, and so the kernel's work on what it sends, in one order."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _keep_fragments() -> None:
    """Have the kernel wait for the other fragments of a packet until the test is over, however long that takes."""
    Path("/proc/sys/net/ipv6/ip6frag_time").write_text("3600", encoding="ascii")


def _tap(interface: str, protocol: int = ETH_P_IPV6) -> socket.socket:
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(protocol))
    tap.bind((interface, protocol))
    return tap


def _first_header(packet: bytes) -> int:
    """Give the kind of the first header behind hop-by-hop options."""
    return packet[HEADER_OCTETS] if packet[6] == HOP_BY_HOP else packet[6]


def _read(tap: socket.socket) -> Iterator[tuple[bytes, int]]:
    while True:
        try:
            octets, address = tap.recvfrom(1 << 16)
        except BlockingIOError:
            return
        yield octets, address[2]
