"""The DHCPv6 relay agent of a home agent (RFC 6275 §10.4.4, RFC 8415 §19) for mobile nodes that are away.

It keeps nothing: the Interface-Id option, which servers send back as it came, has the home address whose tunnel a
message came out of. So an answer finds the tunnel even if its mobile node has moved meanwhile.
"""

from ipaddress import IPv6Address, IPv6Network

from lab.constants import HOP_COUNT_LIMIT
from lab.engine.config import HomeAgentConfig
from lab.engine.home_binding import HomeBindingCache, Registered
from lab.engine.io import Effect, Report, Send, SendIntoTunnel
from lab.engine.mobility_header import drop
from lab.engine.multicast import QUERIER
from lab.errors import WireError
from lab.events import Dhcpv6Answered, Dhcpv6Forwarded
from lab.wire.addresses import LINK_LOCAL_PREFIX, address_like
from lab.wire.dhcpv6 import (
    CLIENT_PORT,
    INTERFACE_ID,
    RELAY_MESSAGE,
    SERVER_PORT,
    Dhcpv6Option,
    Dhcpv6Type,
    Message,
    RelayForward,
    RelayReply,
    build_message,
    name_of,
    option_of,
    parse_message,
    type_of,
)
from lab.wire.packet import Datagram, Packet

OF_SERVERS = (Dhcpv6Type.ADVERTISE, Dhcpv6Type.REPLY, Dhcpv6Type.RECONFIGURE, Dhcpv6Type.RELAY_REPLY)
"""What a relay agent takes from no client (RFC 8415 §16)."""
PREFIX_LENGTH = 64
OWN_ADDRESS = QUERIER
"""Where answers come from: the home agent on the link that a tunnel is, as in Multicast Listener Discovery."""


class Dhcpv6Relay:
    """Relays between the tunnels of the binding cache and the servers of the configuration."""

    def __init__(self, config: HomeAgentConfig, cache: HomeBindingCache) -> None:
        self._address, self._servers = config.address, config.dhcpv6_servers
        # A server with several addresses on its link answers from whichever its kernel prefers.
        self._links_of_servers = {_link_of(server) for server in self._servers}
        self._cache = cache

    def from_tunnel(self, packet: Packet, inner: Packet, datagram: Datagram) -> list[Effect]:
        """Relay what came out of a tunnel; `packet` is the tunnel packet, which tells who says it."""
        home_address = self._home_address(packet.source, inner.source)
        if home_address is None or not self._servers or datagram.destination_port != SERVER_PORT:
            return [drop(packet, "unexpected-tunnel-packet")]
        try:
            message = parse_message(datagram.data)
        except WireError as error:
            return [drop(inner, "malformed-dhcpv6", error.detail)]
        if type_of(message) in OF_SERVERS:
            return [drop(inner, "unexpected-dhcpv6", name_of(message))]
        if isinstance(message, RelayForward) and message.hop_count >= HOP_COUNT_LIMIT:  # RFC 8415 §19.1.2
            return [drop(inner, "dhcpv6-hop-limit", f"{message.hop_count} relay agents")]
        forward = RelayForward(
            hop_count=message.hop_count + 1 if isinstance(message, RelayForward) else 0,
            link_address=self._address,
            peer_address=inner.source,
            options=(
                Dhcpv6Option(code=INTERFACE_ID, data=home_address.packed),  # §10.4.4: the tunnel must be noted
                Dhcpv6Option(code=RELAY_MESSAGE, data=datagram.data),
            ),
        )
        payload = Datagram(source_port=SERVER_PORT, destination_port=SERVER_PORT, data=build_message(forward))
        return [
            *(Send(packet=Packet(source=self._address, destination=to, payload=payload)) for to in self._servers),
            Report(event=Dhcpv6Forwarded(home_address=home_address, message=name_of(message))),
        ]

    def from_server(self, packet: Packet, datagram: Datagram) -> list[Effect]:
        """Relay an answer into the tunnel of the mobile node that it is for."""
        try:
            return self._answer(packet, parse_message(datagram.data))
        except WireError as error:
            return [drop(packet, "malformed-dhcpv6", error.detail)]

    def _answer(self, packet: Packet, reply: Message) -> list[Effect]:
        if _link_of(packet.source) not in self._links_of_servers or not isinstance(reply, RelayReply):
            return [drop(packet, "unexpected-dhcpv6", name_of(reply))]
        home_address, relayed = self._noted(option_of(reply, INTERFACE_ID)), option_of(reply, RELAY_MESSAGE)
        if home_address is None or relayed is None or reply.peer_address not in LINK_LOCAL_PREFIX:
            return [drop(packet, "unexpected-dhcpv6", f"Relay-reply for {reply.peer_address}")]
        answer = parse_message(relayed)
        port = SERVER_PORT if isinstance(answer, RelayReply) else CLIENT_PORT  # RFC 8415 §19.2
        inner = Packet(
            source=OWN_ADDRESS,
            destination=reply.peer_address,
            payload=Datagram(source_port=SERVER_PORT, destination_port=port, data=relayed),
        )
        answered = Dhcpv6Answered(home_address=home_address, server=packet.source, message=name_of(answer))
        return [SendIntoTunnel(home_address=home_address, packet=inner), Report(event=answered)]

    def _home_address(self, care_of_address: IPv6Address, link_local: IPv6Address) -> IPv6Address | None:
        """Find whose tunnel it is; of home addresses that share it, the one that ends as the link-local address."""
        homes = self._cache.homes_at(care_of_address)
        return min(homes, key=lambda home: (address_like(home, LINK_LOCAL_PREFIX) != link_local, home), default=None)

    def _noted(self, interface_id: bytes | None) -> IPv6Address | None:
        """Give the home address that an Interface-Id names, if it still has a tunnel."""
        try:
            home_address = IPv6Address(interface_id or b"")
        except ValueError:
            return None
        return home_address if isinstance(self._cache.get(home_address), Registered) else None


def _link_of(address: IPv6Address) -> IPv6Network:
    return IPv6Network((address, PREFIX_LENGTH), strict=False)
