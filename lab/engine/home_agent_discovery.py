"""Dynamic home agent address discovery of a mobile node, RFC 6275 §11.4.1: the request, its repetitions, the reply."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.auth.secrets import Secrets
from lab.constants import DHAAD_RETRIES, INITIAL_DHAAD_TIMEOUT
from lab.engine.io import Effect, Instant, Report, Send
from lab.events import HomeAgentsRequested
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryReply, HomeAgentAddressDiscoveryRequest
from lab.wire.packet import Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """A request that awaits its reply."""

    packet: Packet
    identifier: int
    attempt: int
    timeout: float
    deadline: Instant


class HomeAgentDiscovery:
    """Asks the home agents of a link for their addresses; what they answer is nothing but addresses (§5.3)."""

    def __init__(self, anycast_address: IPv6Address, secrets: Secrets) -> None:
        self._anycast_address = anycast_address
        self._secrets = secrets
        self._asking: _Asking | None = None

    @property
    def asking(self) -> bool:
        """Whether a reply is awaited."""
        return self._asking is not None

    def start(self, source: IPv6Address, now: Instant) -> list[Effect]:
        """Ask from an address."""
        identifier = int.from_bytes(self._secrets.octets(2), "big")
        request = HomeAgentAddressDiscoveryRequest(identifier=identifier)
        packet = Packet(source=source, destination=self._anycast_address, payload=request)
        return self._ask(packet, identifier, 1, INITIAL_DHAAD_TIMEOUT, now)

    def stop(self) -> None:
        """Await no reply any more."""
        self._asking = None

    def replied(self, reply: HomeAgentAddressDiscoveryReply, destination: IPv6Address) -> tuple[IPv6Address, ...]:
        """Take a reply; gives the addresses in their order, none if it answers nothing or is empty."""
        asking = self._asking
        if asking is None or (reply.identifier, destination) != (asking.identifier, asking.packet.source):
            return ()
        if reply.addresses:
            self._asking = None
        return reply.addresses

    def deadline(self) -> Instant | None:
        """When the request is to be repeated or given up."""
        return None if self._asking is None else self._asking.deadline

    def advance(self, now: Instant) -> list[Effect]:
        """Repeat the same request, or give up."""
        asking = self._asking
        if asking is None or asking.deadline > now:
            return []
        if asking.attempt > DHAAD_RETRIES:
            self._asking = None
            return []
        return self._ask(asking.packet, asking.identifier, asking.attempt + 1, 2 * asking.timeout, now)

    def _ask(self, packet: Packet, identifier: int, attempt: int, timeout: float, now: Instant) -> list[Effect]:
        self._asking = _Asking(
            packet=packet, identifier=identifier, attempt=attempt, timeout=timeout, deadline=now + timeout
        )
        asked = HomeAgentsRequested(source=packet.source, attempt=attempt)
        return [Send(packet=packet), Report(event=asked)]
