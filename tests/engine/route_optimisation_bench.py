"""A mobile node on a bench with scripted correspondents: what they hold, and what they would answer."""

import hashlib
import hmac
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address
from typing import Any

from lab.auth.return_routability import binding_management_key, care_of_keygen_token, home_keygen_token
from lab.constants import Status
from lab.engine.authorization import sign
from lab.engine.config import MobileNodeConfig
from lab.engine.io import AskUse, Effect, Input, PeerHeard, PlaneEffect, Received, Send, Used
from lab.plane.memory import MemoryPlane
from lab.wire.checksum import checksum
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
)
from lab.wire.options import MobilityOption, NonceIndices
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.effects import of_kind
from tests.engine.mobile_node_bench import HOME, INTERFACE, VISITED1, Access, MobileBench, mobile_config, update_packets

PEER = IPv6Address("2001:db8:c::1")
OTHER = IPv6Address("2001:db8:c::2")


@dataclass
class Peer:
    """A correspondent that answers as it is told to."""

    address: IPv6Address = PEER
    node_key: bytes = b"k" * 20

    def home_token(self, index: int) -> bytes:
        """Make a home keygen token of a nonce that the index alone decides."""
        return home_keygen_token(self.node_key, HOME, index.to_bytes(8, "big"))

    def care_of_token(self, care_of: IPv6Address, index: int) -> bytes:
        """Make a care-of keygen token."""
        return care_of_keygen_token(self.node_key, care_of, index.to_bytes(8, "big"))

    def home_test(self, init: Packet, index: int = 11, **fields: Any) -> Received:
        """Answer a Home Test Init."""
        assert isinstance(init.payload, HomeTestInit)
        message = HomeTest(
            nonce_index=index, cookie=fields.get("cookie", init.payload.cookie), keygen_token=self.home_token(index)
        )
        packet = mobility_packet(fields.get("source", self.address), HOME, message)
        return received(packet, tunnelled=fields.get("tunnelled", True))

    def care_of_test(self, init: Packet, index: int = 22, **fields: Any) -> Received:
        """Answer a Care-of Test Init."""
        assert isinstance(init.payload, CareOfTestInit)
        token = self.care_of_token(init.source, index)
        message = CareOfTest(nonce_index=index, cookie=fields.get("cookie", init.payload.cookie), keygen_token=token)
        packet = mobility_packet(fields.get("source", self.address), init.source, message)
        return received(packet, tunnelled=fields.get("tunnelled", False))

    def key(self, update: Packet) -> bytes:
        """Give Kbm as the indices of a Binding Update name it."""
        assert isinstance(update.payload, BindingUpdate)
        (indices,) = of_kind([*update.payload.options], NonceIndices)  # type: ignore[list-item]
        if update.payload.lifetime == 0:
            return binding_management_key(self.home_token(indices.home))
        care_of = self.care_of_token(update.source, indices.care_of)
        return binding_management_key(self.home_token(indices.home), care_of)

    def acknowledgement(self, update: Packet, **fields: Any) -> Received:
        """Answer a Binding Update."""
        assert isinstance(update.payload, BindingUpdate)
        options: tuple[MobilityOption, ...] = fields.get("options", ())
        message = BindingAcknowledgement(
            status=fields.get("status", Status.ACCEPTED),
            sequence=fields.get("sequence", update.payload.sequence),
            lifetime=fields.get("lifetime", update.payload.lifetime),
            options=options,
        )
        routed = None if update.source == HOME else HOME
        packet = mobility_packet(
            fields.get("source", self.address),
            fields.get("destination", update.source),
            message,
            routed_home_address=fields.get("routed", routed),
        )
        if fields.get("signed", True):
            packet = sign(packet, fields.get("key", self.key(update)), update.source, self.address)
        return received(packet, tunnelled=fields.get("tunnelled", False))

    def refresh_request(self) -> Received:
        """Ask for a refresh through the home agent."""
        return received(mobility_packet(self.address, HOME, BindingRefreshRequest()), tunnelled=True)

    def error(self, status: int, to: IPv6Address, home_address: IPv6Address = HOME) -> Received:
        """Make a Binding Error."""
        message = BindingError(status=status, home_address=home_address)
        return received(mobility_packet(self.address, to, message), tunnelled=to == HOME)


def received(packet: Packet, *, tunnelled: bool = False) -> Received:
    """Let a packet arrive as octets."""
    return Received(packet=parse(build(packet)), interface=INTERFACE, tunnelled=tunnelled)


def with_reserved_bits(happened: Received, key: bytes | None = None) -> Received:
    """Set the reserved octet of a Mobility Header, and the reserved bits of its message, by hand."""
    packet = happened.packet
    message = bytearray(packet.payload_octets)
    message[3] = 0xFF
    if isinstance(packet.payload, BindingAcknowledgement):
        message[7] |= 0x7F
    if isinstance(packet.payload, BindingRefreshRequest):
        message[6:8] = b"\xff\xff"
    message[4:6] = bytes(2)
    if key is not None:
        signed = packet.destination.packed + packet.source.packed + bytes(message[:-12])
        message[-12:] = hmac.new(key, signed, hashlib.sha1).digest()[:12]
    octets = bytearray(build(packet))
    destination = packet.routed_home_address or packet.destination
    addresses = int.from_bytes(packet.source.packed + destination.packed, "big")
    message[4:6] = checksum(addresses, 135, bytes(message)).to_bytes(2, "big")
    octets[-len(message) :] = message
    return replace(happened, packet=parse(bytes(octets)))


def route_config(**fields: Any) -> MobileNodeConfig:
    """Make a configuration whose home registration cuts no binding short."""
    return mobile_config(**{"lifetime": 3600, **fields})


@dataclass
class RouteBench(MobileBench):
    """A mobile node whose effects a plane carries out."""

    config: MobileNodeConfig = field(default_factory=route_config)
    peer: Peer = field(default_factory=Peer)
    plane: MemoryPlane = field(default_factory=MemoryPlane)
    used: bool | None = None
    """The answer to `AskUse`; None for none."""

    def take(self, happened: Input) -> list[Effect]:
        """Hand one input over, and carry out what comes of it."""
        effects = super().take(happened)
        for effect in [*effects]:
            if isinstance(effect, PlaneEffect):
                self.plane.apply(effect)
            elif isinstance(effect, AskUse) and self.used is not None:
                effects += self.take(Used(home_address=HOME, peer=effect.peer, used=self.used))
        return effects

    def hear(self, peer: IPv6Address = PEER) -> list[Effect]:
        """Let the plane tell of a peer."""
        return self.take(PeerHeard(home_address=HOME, peer=peer))

    def answer_tests(self, effects: list[Effect]) -> list[Effect]:
        """Answer the test inits among effects."""
        answers: list[Effect] = []
        for init in inits(effects, CareOfTestInit):
            answers += self.take(self.peer.care_of_test(init))
        for init in inits(effects, HomeTestInit):
            answers += self.take(self.peer.home_test(init, tunnelled=self.entry["place"] == "away"))
        return answers

    def test(self) -> Packet:
        """Hear of the peer and answer its tests; give the Binding Update that follows."""
        (packet,) = peer_updates(self.answer_tests(self.hear()))
        return packet

    def optimise(self, access: Access = VISITED1, **fields: Any) -> list[Effect]:
        """Register on a foreign link, then with the peer."""
        self.register(access)
        return self.take(self.peer.acknowledgement(self.test(), **fields))

    def entry_of(self, peer: IPv6Address = PEER) -> dict[str, Any]:
        """Give the entry of a peer."""
        entries = [e for e in self.node.snapshot(self.now) if e["peer"] == str(peer)]
        return entries[0] if entries else {"state": "none"}

    @property
    def state(self) -> str:
        """The state of the peer's entry."""
        return str(self.entry_of()["state"])

    @property
    def direct(self) -> IPv6Address | None:
        """The care-of address from which packets go straight to the peer."""
        found = self.plane.direct.get((HOME, PEER))
        return None if found is None else found.care_of_address


def sends_of(effects: list[Effect], kind: type[HomeTestInit | CareOfTestInit | BindingUpdate]) -> list[Send]:
    """Pick what is sent of one kind of message."""
    return [effect for effect in of_kind(effects, Send) if isinstance(effect.packet.payload, kind)]


def inits(effects: list[Effect], kind: type[HomeTestInit | CareOfTestInit]) -> list[Packet]:
    """Pick the test inits of one kind."""
    return [effect.packet for effect in sends_of(effects, kind)]


def peer_updates(effects: list[Effect], peer: IPv6Address = PEER) -> list[Packet]:
    """Pick the Binding Updates for a peer."""
    return [packet for packet, _ in update_packets(effects) if packet.destination == peer]


def message_of(packet: Packet) -> BindingUpdate:
    """Give the Binding Update in a packet."""
    assert isinstance(packet.payload, BindingUpdate)
    return packet.payload
