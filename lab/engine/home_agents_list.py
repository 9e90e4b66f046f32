"""The Home Agents List of a link, RFC 6275 §10.1 and §10.5.1: who says in Router Advertisements to be a home agent."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.engine.io import Effect, Instant, Report
from lab.engine.neighbor_discovery import valid_advertisement
from lab.events import HomeAgentListed, HomeAgentUnlisted
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import RouterAdvertisement
from lab.wire.neighbor import HomeAgentInformation, PrefixInformation, SourceLinkLayerAddress
from lab.wire.packet import Packet

MAX_HOME_AGENTS = 256
MAX_GLOBAL_ADDRESSES = 16
"""Entries, and addresses of each: whoever advertises under many names shall not take all memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentEntry:
    """A home agent as its advertisements describe it."""

    address: IPv6Address
    """Its link-local address."""
    link_layer_address: bytes | None
    global_addresses: tuple[IPv6Address, ...]
    """Those that it told with the R bit (§7.2)."""
    preference: int
    expires: Instant


class HomeAgentsList:
    """The home agents of one link but for this node itself."""

    def __init__(self) -> None:
        self._entries: dict[IPv6Address, HomeAgentEntry] = {}

    def heard(self, packet: Packet, now: Instant) -> list[Effect]:
        """Take a Router Advertisement; one that is not valid (RFC 4861 §6.1.2) says nothing."""
        message, source = valid_advertisement(packet), packet.source
        if message is None:
            return []
        known = self._entries.get(source)
        preference, lifetime = _information(message)
        if not message.home_agent or lifetime == 0:
            return [] if known is None else self._remove(known, "withdrawn")
        if known is None and len(self._entries) == MAX_HOME_AGENTS:
            return []
        entry = HomeAgentEntry(
            address=source,
            link_layer_address=_link_layer_address(message),
            global_addresses=_global_addresses(message, () if known is None else known.global_addresses),
            preference=preference,
            expires=now + lifetime,
        )
        self._entries[source] = entry
        if known is not None and (known.preference, known.global_addresses) == (preference, entry.global_addresses):
            return []
        addresses = ", ".join(str(address) for address in entry.global_addresses)
        return [Report(event=HomeAgentListed(router=source, addresses=addresses, preference=preference))]

    def deadline(self) -> Instant | None:
        """When the next entry ends."""
        return min((entry.expires for entry in self._entries.values()), default=None)

    def expire(self, now: Instant) -> list[Effect]:
        """Remove what is over."""
        due = [entry for entry in self._entries.values() if entry.expires <= now]
        return [effect for entry in due for effect in self._remove(entry, "expired")]

    def entries(self, now: Instant) -> Iterator[HomeAgentEntry]:
        """Give those that are in force, the most preferred first."""
        entries = sorted(self._entries.values(), key=lambda entry: -entry.preference)
        return (entry for entry in entries if now < entry.expires)

    def find(self, address: IPv6Address, now: Instant) -> HomeAgentEntry | None:
        """Find a home agent by one of its global addresses."""
        return next((entry for entry in self.entries(now) if address in entry.global_addresses), None)

    def _remove(self, entry: HomeAgentEntry, reason: str) -> list[Effect]:
        del self._entries[entry.address]
        return [Report(event=HomeAgentUnlisted(router=entry.address, reason=reason))]


def _information(message: RouterAdvertisement) -> tuple[int, int]:
    """Give preference and lifetime; without a Home Agent Information option, their defaults (§7.4)."""
    told = next((option for option in message.options if isinstance(option, HomeAgentInformation)), None)
    return (0, message.router_lifetime) if told is None else (told.preference, told.lifetime)


def _link_layer_address(message: RouterAdvertisement) -> bytes | None:
    return next((o.address for o in message.options if isinstance(o, SourceLinkLayerAddress)), None)


def _global_addresses(message: RouterAdvertisement, known: tuple[IPv6Address, ...]) -> tuple[IPv6Address, ...]:
    """Add what is told to what is known: the prefixes of a link may be spread over several advertisements."""
    told = [option for option in message.options if isinstance(option, PrefixInformation) and option.router_address]
    ended = {option.prefix for option in told if not option.valid_lifetime}
    new = [option.prefix for option in told if is_unicast_routable(option.prefix)]
    return tuple(address for address in dict.fromkeys((*known, *new)) if address not in ended)[:MAX_GLOBAL_ADDRESSES]
