"""The prefixes of a home link with their lifetimes, RFC 6275 §10.6.1: whoever advertises them, the last word counts.

A home agent learns them from Router Advertisements, a mobile node from its home agent too (§11.4.3).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from lab.constants import LIFETIME_UNIT
from lab.engine.care_of_address import INFINITE_LIFETIME, valid_until
from lab.engine.io import Instant
from lab.engine.movement import network_of
from lab.wire.addresses import is_unicast_routable
from lab.wire.neighbor import NeighborOption, PrefixInformation

LONGEST_PREFIX = 128
MAX_PREFIXES = 32
"""As many Prefix Information options fit a packet that every link carries, with a routing header and IPsec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePrefix:
    """A prefix as it was last told; its lifetimes run down from then."""

    network: IPv6Network
    on_link: bool
    autonomous: bool
    valid_lifetime: int
    preferred_lifetime: int
    told: Instant

    @property
    def valid_until(self) -> Instant:
        """When home addresses of it end."""
        return valid_until(self.valid_lifetime, self.told)

    @property
    def preferred_until(self) -> Instant:
        """When it is deprecated (RFC 4862 §5.5.4)."""
        return valid_until(self.preferred_lifetime, self.told)

    def __str__(self) -> str:
        """Name it with its lifetimes as they were told."""
        return f"{self.network} valid {self.valid_lifetime} preferred {self.preferred_lifetime}"

    def says_the_same(self, later: "HomePrefix") -> bool:
        """Tell whether a later word differs by nothing but real time that passed (§10.6.2)."""
        flags = (self.on_link, self.autonomous) == (later.on_link, later.autonomous)
        return flags and all(
            after == before or abs(after - before + later.told - self.told) < LIFETIME_UNIT
            for before, after in (
                (self.valid_lifetime, later.valid_lifetime),
                (self.preferred_lifetime, later.preferred_lifetime),
            )
        )


class HomePrefixes:
    """The prefixes of one home link; those that are configured last for ever unless something else is told."""

    def __init__(self, configured: Iterable[IPv6Network]) -> None:
        self._configured: set[IPv6Network] = set()
        self._prefixes: dict[IPv6Network, HomePrefix] = {}
        for network in configured:
            self.have(network)

    def have(self, network: IPv6Network) -> None:
        """Hold a prefix to be one of the link, unless it is known already."""
        if network not in self._prefixes:
            self._configured.add(network)
            self._prefixes[network] = _lasting(network)

    def learn(self, options: Iterable[NeighborOption], now: Instant) -> bool:
        """Take Prefix Information options; tells whether they say anything new (§10.6.2)."""
        self.forget_ended(now)
        news = [self._take(network, option, now) for network, option in _readable(options)]
        return any(news)

    def are_named(self, options: Iterable[NeighborOption], now: Instant) -> bool:
        """Tell whether options name a valid prefix of the link: then they are about this link."""
        known = {prefix.network for prefix in self.in_force(now)}
        return any(network in known for network, _ in _readable(options))

    def in_force(self, now: Instant) -> tuple[HomePrefix, ...]:
        """Give the prefixes that are valid."""
        return tuple(prefix for prefix in self._prefixes.values() if now < prefix.valid_until)

    def find(self, address: IPv6Address, now: Instant) -> HomePrefix | None:
        """Find the valid prefix of an address, the longest of several."""
        found: HomePrefix | None = None
        for network, prefix in self._prefixes.items():
            longer = found is None or network.prefixlen > found.network.prefixlen
            if longer and address in network and now < prefix.valid_until:
                found = prefix
        return found

    def next_end(self) -> Instant:
        """Tell when the next prefix ends; infinite if none does."""
        return min((prefix.valid_until for prefix in self._prefixes.values()), default=float("inf"))

    def forget_ended(self, now: Instant) -> bool:
        """Forget the prefixes that have ended; tells whether there were any."""
        if now < self.next_end():
            return False
        self._prefixes = {prefix.network: prefix for prefix in self.in_force(now)}
        return True

    def _take(self, network: IPv6Network, option: PrefixInformation, now: Instant) -> bool:
        before = self._prefixes.get(network)
        if before is None and (option.valid_lifetime == 0 or len(self._prefixes) == MAX_PREFIXES):
            return False
        after = HomePrefix(
            network=network,
            on_link=option.on_link,
            autonomous=option.autonomous,
            valid_lifetime=option.valid_lifetime,
            preferred_lifetime=option.preferred_lifetime,
            told=now,
        )
        self._prefixes[network] = after
        if before == _lasting(network) and network in self._configured:  # what was not known before does not change
            return False
        return before is None or not before.says_the_same(after)


def _readable(options: Iterable[NeighborOption]) -> Iterator[tuple[IPv6Network, PrefixInformation]]:
    """Give the prefixes that can be those of a link, each with its option (RFC 4862 §5.5.3)."""
    for option in options:
        if not isinstance(option, PrefixInformation) or option.prefix_length > LONGEST_PREFIX:
            continue
        network = network_of(option)
        if is_unicast_routable(network.network_address) and option.preferred_lifetime <= option.valid_lifetime:
            yield network, option


def _lasting(network: IPv6Network) -> HomePrefix:
    return HomePrefix(
        network=network,
        on_link=True,
        autonomous=True,
        valid_lifetime=INFINITE_LIFETIME,
        preferred_lifetime=INFINITE_LIFETIME,
        told=0.0,
    )
