"""What a home agent does for home agent address discovery, RFC 6275 §10.5: listens to the others, answers requests."""

from ipaddress import IPv6Address

from lab.auth.secrets import Secrets
from lab.constants import MINIMUM_MTU
from lab.engine.config import HomeAgentConfig
from lab.engine.home_agents_list import HomeAgentsList
from lab.engine.io import Effect, Instant, JoinAnycast, LinkUp, Received, Report, Send
from lab.engine.mobility_header import ErrorLimit, drop
from lab.events import DiscoveryAnswered
from lab.wire.addresses import home_agents_anycast, is_unicast_routable
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryReply, HomeAgentAddressDiscoveryRequest, RouterAdvertisement
from lab.wire.packet import Packet

HEADERS = 40 + 8
MAX_ADDRESSES = (MINIMUM_MTU - HEADERS) // 16
"""As many home agents fit a reply that every link carries (§10.5)."""
ORDER_OCTETS = 8


class DiscoveryService:
    """The Home Agents List of the home link, and the answers that are made of it."""

    def __init__(self, config: HomeAgentConfig, secrets: Secrets) -> None:
        self._config = config
        self._secrets = secrets
        self._list = HomeAgentsList()
        self._limit = ErrorLimit()
        self._own: IPv6Address | None = None
        self._anycast = frozenset(home_agents_anycast(prefix) for prefix in config.home_prefixes)

    def link_up(self, link: LinkUp) -> list[Effect]:
        """Receive what is sent to the Mobile IPv6 Home-Agents anycast addresses of the home link."""
        self._own = link.link_local_address
        return [JoinAnycast(interface=link.interface, address=address) for address in sorted(self._anycast)]

    def received(self, received: Received, now: Instant) -> list[Effect]:
        """Take a Router Advertisement or a Home Agent Address Discovery Request."""
        packet = received.packet
        match packet.payload:
            case HomeAgentAddressDiscoveryRequest() as request:
                return self._answer(packet, request, now)
            case RouterAdvertisement() if received.interface == self._config.interface and packet.source != self._own:
                return self._list.heard(packet, now)
            case _:
                return []

    def deadline(self) -> Instant | None:
        """When an entry of the list ends."""
        return self._list.deadline()

    def advance(self, now: Instant) -> list[Effect]:
        """Remove what is over from the list."""
        return self._list.expire(now)

    def addresses(self, now: Instant) -> tuple[IPv6Address, ...]:
        """Give the home agents of the link, itself included: the preferred first, equal ones in any order (§10.5)."""
        listed = [(self._config.preference, self._config.address)]
        listed += [
            (entry.preference, address)
            for entry in self._list.entries(now)
            for address in entry.global_addresses
            if address != self._config.address
        ]
        chance = [(-preference, self._secrets.octets(ORDER_OCTETS), address) for preference, address in listed]
        return tuple(address for *_, address in sorted(chance))[:MAX_ADDRESSES]

    def _answer(self, packet: Packet, request: HomeAgentAddressDiscoveryRequest, now: Instant) -> list[Effect]:
        if packet.destination not in self._anycast or not is_unicast_routable(packet.source):
            return [drop(packet, "unexpected-discovery-request")]
        if not self._limit.take(now):
            return [drop(packet, "discovery-limit")]
        addresses = self.addresses(now)
        reply = HomeAgentAddressDiscoveryReply(identifier=request.identifier, addresses=addresses)
        listed = ", ".join(str(address) for address in addresses)
        return [
            # §6.6: from a unicast address, never from the anycast address
            Send(packet=Packet(source=self._config.address, destination=packet.source, payload=reply)),
            Report(event=DiscoveryAnswered(to=packet.source, home_agents=listed)),
        ]
