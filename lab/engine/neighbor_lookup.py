"""Learning the home agent's link-layer address on the home link without claiming the home address (RFC 6275 §11.5.5).

While the home agent defends the home address, and perhaps the link-local address with it, a question from either would
have it answered for another node: so it comes from the unspecified address, and the answer goes to all nodes.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.constants import RETRANS_TIMER
from lab.engine.io import Effect, Instant, Send
from lab.engine.neighbor_discovery import HOP_LIMIT, anonymous_solicitation
from lab.wire.icmpv6 import NeighborAdvertisement
from lab.wire.neighbor import TargetLinkLayerAddress
from lab.wire.packet import Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    target: IPv6Address
    deadline: Instant


class NeighborLookup:
    """Asks for one address, every RetransTimer, until it is answered or stopped."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._asking: _Asking | None = None

    def start(self, target: IPv6Address, now: Instant) -> list[Effect]:
        """Ask who has an address."""
        self._asking = _Asking(target=target, deadline=now + RETRANS_TIMER)
        return [Send(packet=anonymous_solicitation(target), interface=self._interface)]

    def stop(self) -> None:
        """Ask no more."""
        self._asking = None

    def answer(self, packet: Packet) -> bytes | None:
        """Give the link-layer address if a Neighbor Advertisement tells it; the search is over then."""
        asking, message = self._asking, packet.payload
        if asking is None or not isinstance(message, NeighborAdvertisement) or packet.hop_limit != HOP_LIMIT:
            return None
        told = next((o.address for o in message.options if isinstance(o, TargetLinkLayerAddress)), None)
        if message.target != asking.target or told is None:
            return None
        self.stop()
        return told

    def deadline(self) -> Instant | None:
        """When to ask again."""
        return None if self._asking is None else self._asking.deadline

    def advance(self, now: Instant) -> list[Effect]:
        """Ask again if that is due."""
        asking = self._asking
        return [] if asking is None or now < asking.deadline else self.start(asking.target, now)
