"""A mobile node under test, away from home; its peers are mobile nodes as well (see `MobileNode`)."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any

from lab.auth.secrets import Secrets
from lab.engine.io import Effect, Input, Instant, PeerHeard, Send
from lab.engine.mobile_node import MobileNode as Engine
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
    MobilityMessage,
)
from lab.wire.packet import Packet, build
from tests.conformance.mobile_node import MobileNode, Token, authenticator, key
from tests.conformance.node import Node
from tests.conformance.octets import (
    AUTHENTICATOR_OCTETS,
    BINDING_ACKNOWLEDGEMENT,
    CARE_OF_TEST,
    HOME_TEST,
    MOBILITY_HEADER,
    mobility,
    upper,
    with_authenticator,
)
from tests.engine.mobile_node_bench import HOME, VISITED1, acknowledgement, carrier, mobile_config

PEER_HOME, PEER_CARE_OF = IPv6Address("2001:db8:2::200"), IPv6Address("2001:db8:a2::2")
CARE_OF = VISITED1.care_of()
TOKENS = Token(7, b"homeward"), Token(9, b"care-of!")
"""Keygen tokens that the peer gives."""
TESTED = 2.0
"""Seconds after which the care-of address has been found to be unique."""


class _Noted(Engine):
    """The engine, and which packets it wants to go by the reverse tunnel."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(mobile_config(**{"lifetime": 3600, **fields}), Secrets(b"visitor"))
        self.by_tunnel: list[Packet] = []

    def handle(self, happened: Input, now: Instant) -> Iterator[Effect]:
        effects = [*super().handle(happened, now)]
        self.by_tunnel += [effect.packet for effect in effects if isinstance(effect, Send) and effect.tunnelled]
        yield from effects


class Visitor(Node):
    """A mobile node that is registered with its home agent; what comes to its home address comes by the tunnel."""

    def __init__(self, **fields: Any) -> None:
        self.mobile = _Noted(**fields)
        super().__init__(engine=self.mobile)
        self.tunnelled: list[Packet] = []
        """What left by the reverse tunnel, as it is inside."""
        self.heard: list[PeerHeard] = []
        """What the plane has yet to tell."""
        self.addresses = {HOME, CARE_OF}
        self.plane.paths.own(HOME)
        self._dispatcher.feed(carrier())
        self._dispatcher.feed(VISITED1.advertisement())
        update = next(packet.payload for packet in self.sent if isinstance(packet.payload, BindingUpdate))
        accepted = BindingAcknowledgement(status=0, sequence=update.sequence, lifetime=update.lifetime)
        self._dispatcher.feed(acknowledgement(accepted))
        self.pass_time(TESTED)

    def goes_by_tunnel(self, packets: list[Packet]) -> bool:
        """Tell whether packets left by the reverse tunnel; what the engine sent, by its own will."""
        meant = [packet for packet in packets if isinstance(packet.payload, MobilityMessage)]
        return all(packet in self.tunnelled for packet in packets) and all(p in self.mobile.by_tunnel for p in meant)

    def listen(self) -> list[Packet]:
        """Let the plane tell of peers that it heard; give what is sent thereupon."""
        before = len(self.sent)
        while self.heard:
            self._dispatcher.feed(self.heard.pop(0))
        return self.sent[before:]

    def send(self, packet: Packet, interface: str | None) -> None:
        self._transmit(build(packet))

    def join(self, interface: str, group: IPv6Address) -> None:
        """Be a member of any group."""

    def leave(self, interface: str, group: IPv6Address) -> None:
        """Be a member of none."""

    def _kernel(self, octets: bytes, tunnelled: bool) -> None:
        home_address, peer = octets[24:40], octets[8:24]
        if tunnelled and self.plane.paths.hear(home_address, peer):  # as the user plane does
            self.heard.append(PeerHeard(home_address=IPv6Address(home_address), peer=IPv6Address(peer)))
        super()._kernel(octets, tunnelled)

    def _transmit(self, octets: bytes) -> None:
        super()._transmit(octets)
        if self.sent[-1].source in self.plane.reverse_tunnels:  # §11.3.1: what leaves from the home address
            self.tunnelled.append(self.sent[-1])


class MobilePeer(MobileNode):
    """A mobile node that registers with a visitor, and with which the visitor registers."""

    def __init__(self, visitor: Visitor) -> None:
        super().__init__(visitor, home=PEER_HOME, care_of=PEER_CARE_OF, peer=HOME)
        self.visitor = visitor

    def answer(self, init: Packet) -> list[Packet]:
        """Answer a Home Test Init or a Care-of Test Init of the visitor; give what it sends thereupon."""
        message = init.payload
        assert isinstance(message, HomeTestInit | CareOfTestInit)
        kind, token = (HOME_TEST, TOKENS[0]) if isinstance(message, HomeTestInit) else (CARE_OF_TEST, TOKENS[1])
        header = mobility(kind, token.index.to_bytes(2, "big") + message.cookie + token.value)
        return self.node.receive(upper(MOBILITY_HEADER, header, source=self.home, destination=init.source))

    def acknowledge(self, update: Packet, *, option: bool) -> list[Packet]:
        """Accept a Binding Update of the visitor, straight from the care-of address; `option` names the home address.

        Without it, the acknowledgement is what one at home would send.
        """
        message = update.payload
        assert isinstance(message, BindingUpdate)
        data = bytes(2) + message.sequence.to_bytes(2, "big") + (message.lifetime // 4).to_bytes(2, "big")
        header = mobility(BINDING_ACKNOWLEDGEMENT, with_authenticator(data))
        kbm = key(TOKENS[0].value, TOKENS[1].value)
        header = header[:-AUTHENTICATOR_OCTETS] + authenticator(kbm, update.source, self.home, header)
        source, home = (self.care_of, self.home) if option else (self.home, None)
        octets = upper(MOBILITY_HEADER, header, source=source, destination=update.source, home=home, routed=HOME)
        return self.node.receive(octets)
