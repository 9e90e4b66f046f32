"""A node under test, a correspondent at first: octets in, octets out, with engine, dispatcher and direct paths.

What the kernel does is done here as far as the cases need it: it answers an Echo Request and hands ICMPv6 errors over.
"""

import hmac
from ipaddress import IPv6Address
from typing import Any

from lab.auth.secrets import Secrets
from lab.daemon.dispatcher import Dispatcher
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.io import (
    DeadlineReached,
    Engine,
    InstallBinding,
    InstallRouteOptimisation,
    ListenFor,
    Malformed,
    PlaneEffect,
    Received,
    RemoveBinding,
    RemoveRouteOptimisation,
)
from lab.errors import WireError
from lab.events import Event, PacketDropped
from lab.plane.memory import MemoryPlane
from lab.plane.paths import Dropped, Paths, Restored
from lab.wire.icmpv6 import DestinationUnreachable, EchoReply, EchoRequest
from lab.wire.mobility import MobilityMessage
from lab.wire.packet import Packet, build, parse
from tests.conformance.octets import DESTINATION_OPTIONS, MOBILITY_HEADER, ROUTING

ADDRESS = IPv6Address("2001:db8:c::1")
SECOND_ADDRESS = IPv6Address("2001:db8:c::2")
INTERFACE = "cn-eth0"


class MemoryPaths(MemoryPlane):
    """A plane without a kernel: remembers effects, and has the direct paths of the user plane."""

    def __init__(self) -> None:
        super().__init__()
        self.paths = Paths()

    def apply(self, effect: PlaneEffect) -> None:
        super().apply(effect)
        match effect:
            case InstallBinding(home_address=home_address, care_of_address=care_of_address):
                self.paths.bind(home_address, care_of_address)
            case RemoveBinding(home_address=home_address):
                self.paths.unbind(home_address)
            case InstallRouteOptimisation(home_address=home_address, peer=peer, care_of_address=care_of_address):
                self.paths.route(home_address, peer, care_of_address)
            case RemoveRouteOptimisation(home_address=home_address, peer=peer):
                self.paths.unroute(home_address, peer)
            case ListenFor(home_address=home_address, peer=peer):
                self.paths.listen(home_address, peer)
            case _:
                pass

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        return self.paths.used(home_address, peer)


class Node:
    """A node with a virtual clock, a correspondent if nothing else is said; what it sends is kept."""

    def __init__(self, config: CorrespondentConfig | None = None, engine: Engine | None = None) -> None:
        self.addresses = {ADDRESS, SECOND_ADDRESS}
        self.now = 1000.0
        self.sent: list[Packet] = []
        self.sent_octets: list[bytes] = []
        self.to_upper_layers: list[Packet] = []
        self.events: list[Event] = []
        self.plane = MemoryPaths()
        self.engine = engine or Correspondent(config or CorrespondentConfig(), Secrets(b"conformance"))
        self._dispatcher = Dispatcher(
            self.engine,
            self.plane,
            self,
            journal=self.events.append,
            clock=lambda: self.now,
            arm=lambda _: None,
        )

    # The world around it

    def receive(self, octets: bytes) -> list[Packet]:
        """Take a packet from the wire, and give what is sent thereupon."""
        before = len(self.sent)
        destination = IPv6Address(octets[24:40])
        if destination in self.addresses:  # as the packet filter and the kernel have it
            tunnelled = destination in self.plane.reverse_tunnels
            match self.plane.paths.inwards(octets):
                case Restored(packet=restored):
                    self._kernel(restored, tunnelled)
                case Dropped():
                    pass
                case _ if octets[6] in (MOBILITY_HEADER, DESTINATION_OPTIONS, ROUTING):
                    self._to_engine(octets, tunnelled)
                case _:
                    self._kernel(octets, tunnelled)
        return self.sent[before:]

    def pass_time(self, seconds: float) -> list[Packet]:
        """Let time pass, stopping at every deadline on the way; give what is sent."""
        before, end = len(self.sent), self.now + seconds
        while (due := self._dispatcher.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            self._dispatcher.feed(DeadlineReached())
        self.now = end
        return self.sent[before:]

    def drops(self) -> list[str]:
        """Give the reasons of the packets that were dropped so far."""
        return [event.reason for event in self.events if isinstance(event, PacketDropped)]

    def bindings(self) -> dict[str, Any]:
        """Give the bindings in force by their home addresses."""
        entries = self.engine.snapshot(self.now)
        return {entry["home_address"]: entry for entry in entries if entry["state"] == "bound"}

    def stolen_token(self, address: IPv6Address, nonce_index: int, kind: int) -> bytes:
        """Make a keygen token (0 home, 1 care-of) that the node would not give, from its own secrets (§5.2.5)."""
        assert isinstance(self.engine, Correspondent)
        nonce = self.engine._nonces.find(nonce_index, self.now)
        assert nonce is not None
        return hmac.digest(nonce.node_key, address.packed + nonce.value + bytes((kind,)), "sha1")[:8]

    # What it sends by (lab.daemon.dispatcher.Outlet)

    def send(self, packet: Packet, interface: str | None, neighbor: bytes | None) -> None:
        """Send a packet, which the kernel routes onto a direct path if there is one."""
        assert interface is None
        self._transmit(build(packet))

    def join(self, interface: str, group: IPv6Address) -> None:
        raise AssertionError(f"a correspondent joins no group: {group}")

    def leave(self, interface: str, group: IPv6Address) -> None:
        raise AssertionError(f"a correspondent leaves no group: {group}")

    def join_anycast(self, interface: str, address: IPv6Address) -> None:
        raise AssertionError(f"a correspondent has no anycast address: {address}")

    # What surrounds the engine

    def _to_engine(self, octets: bytes, tunnelled: bool) -> None:
        """As `lab.daemon.service` does."""
        try:
            packet = parse(octets)
        except WireError as error:
            source, destination = IPv6Address(octets[8:24]), IPv6Address(octets[24:40])
            self._dispatcher.feed(
                Malformed(error=error, source=source, destination=destination, invoking=octets, interface=INTERFACE)
            )
            return
        self._dispatcher.feed(Received(packet=packet, interface=INTERFACE, tunnelled=tunnelled))

    def _kernel(self, octets: bytes, tunnelled: bool) -> None:
        try:
            packet = parse(octets)
        except WireError:
            return  # a wrong checksum
        self.to_upper_layers.append(packet)
        match packet.payload:
            case EchoRequest(identifier=identifier, sequence=sequence, data=data) if not packet.source.is_multicast:
                reply = EchoReply(identifier=identifier, sequence=sequence, data=data)
                self._transmit(build(Packet(source=packet.destination, destination=packet.source, payload=reply)))
            case DestinationUnreachable():
                self._dispatcher.feed(Received(packet=packet, interface=INTERFACE))
            case _:
                pass

    def transmit(self, octets: bytes) -> Packet:
        """Send what upper layers made, and give what leaves."""
        self._transmit(octets)
        return self.sent[-1]

    def _transmit(self, octets: bytes) -> None:
        octets = self.plane.paths.outwards(octets) or octets
        self.sent_octets.append(octets)
        self.sent.append(parse(octets))


def messages(packets: list[Packet]) -> list[MobilityMessage]:
    """Pick the mobility messages."""
    return [packet.payload for packet in packets if isinstance(packet.payload, MobilityMessage)]
