"""Mobile prefix discovery of a mobile node, RFC 6275 §11.4.2 and §11.4.3: solicitations, and what is learned.

What an advertisement says counts if it answers the last solicitation. Any other makes the mobile node ask for itself.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from lab.auth.secrets import Secrets
from lab.constants import INITIAL_SOLICIT_TIMER
from lab.engine.config import MobileNodeConfig
from lab.engine.home_prefixes import HomePrefix, HomePrefixes
from lab.engine.io import Effect, Instant, Report, Send
from lab.engine.mobility_header import drop
from lab.engine.movement import SLAAC_PREFIX_LENGTH
from lab.engine.neighbor_discovery import valid_advertisement
from lab.events import PrefixesLearned, PrefixesSolicited
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.addresses import address_like
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.neighbor import NeighborOption
from lab.wire.packet import Packet, mobility_packet

SOLICIT_RETRIES = 4
"""Repetitions of a solicitation, for which RFC 6275 has no number: as many as DHAAD_RETRIES."""
SOLICIT_AT = 0.8
"""The part of a home prefix's lifetime after which it is about to end (§11.4.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: a home address with its binding, and the home agent that it is at."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    home_agent: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddress:
    """An address that a prefix of the home link gives to this mobile node."""

    address: IPv6Address
    network: IPv6Network
    preferred_until: Instant
    valid_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """A solicitation that awaits its answer."""

    identifier: int
    attempt: int
    timeout: float
    deadline: Instant


class PrefixDiscovery:
    """The prefixes of the home link as a mobile node knows them; `without`: see `lab.safeguards`."""

    def __init__(self, config: MobileNodeConfig, secrets: Secrets, without: Without = NOTHING) -> None:
        self._without = without
        self._first_home_address = config.home_address
        self._secrets = secrets
        self._prefixes = HomePrefixes((config.home_prefix,))
        self._asker: Asker | None = None
        self._asking: _Asking | None = None
        self._wanted: Instant | None = None
        """When to ask, if ever."""
        self._last_sent: Instant = float("-inf")

    # What is known

    def valid_until(self, home_address: IPv6Address, now: Instant) -> Instant:
        """Tell when a home address ends, with its prefix; an instant long past if it has none."""
        prefix = self._prefixes.find(home_address, now)
        return 0.0 if prefix is None else prefix.valid_until

    def home_addresses(self, now: Instant) -> tuple[HomeAddress, ...]:
        """Give the home addresses that there are to be (§11.4.3), those that stay preferred longest first.

        New prefixes bring new ones, whose interface identifier is that of the first; with its prefix each one ends.
        """
        made = [self._made(prefix) for prefix in self._prefixes.in_force(now) if self._gives_address(prefix)]
        return tuple(sorted(made, key=lambda made: -made.preferred_until))

    def _gives_address(self, prefix: HomePrefix) -> bool:
        if self._first_home_address in prefix.network:
            return True
        return prefix.autonomous and prefix.network.prefixlen == SLAAC_PREFIX_LENGTH

    def _made(self, prefix: HomePrefix) -> HomeAddress:
        return HomeAddress(
            address=address_like(self._first_home_address, prefix.network),
            network=prefix.network,
            preferred_until=prefix.preferred_until,
            valid_until=prefix.valid_until,
        )

    def next_end(self) -> Instant:
        """Tell when the next prefix, with its home address, ends; infinite if none does."""
        return self._prefixes.next_end()

    # What is learned

    def have(self, home_prefix: IPv6Network) -> None:
        """Hold a prefix to be of the home link, for ever unless something else is told."""
        self._prefixes.have(home_prefix)

    def heard(self, packet: Packet, now: Instant) -> None:
        """Take a Router Advertisement, if it is of the home link: then nothing need be asked."""
        message = valid_advertisement(packet)
        if message is not None and self._prefixes.are_named(message.options, now):
            self._learn(message.options, now)

    def advertised(self, packet: Packet, message: MobilePrefixAdvertisement, now: Instant) -> list[Effect]:
        """Take a Mobile Prefix Advertisement that passes the tests of §11.4.3."""
        asker, asking = self._asker, self._asking
        if asker is None or not _is_for(packet, asker):
            return [drop(packet, "unexpected-prefix-advertisement", f"from {packet.source}")]
        answers = asking is not None and message.identifier == asking.identifier
        if not answers and Safeguard.PREFIX_AUTHENTICATION not in self._without:  # §15.6
            self.solicit(now)
            return [drop(packet, "unsolicited-prefix-advertisement", f"identifier {message.identifier}")]
        self._learn(message.options, now)
        listed = ", ".join(str(prefix) for prefix in self._prefixes.in_force(now))
        return [Report(event=PrefixesLearned(home_agent=packet.source, prefixes=listed))]

    def _learn(self, options: tuple[NeighborOption, ...], now: Instant) -> None:
        self._prefixes.learn(options, now)
        self._asking = None
        self._plan(now)

    # What is asked

    def solicit(self, now: Instant) -> None:
        """Want to know the prefixes; `follow` asks, unless an answer is awaited."""
        if self._asking is None:
            self._wanted = now

    def follow(self, asker: Asker | None, now: Instant) -> list[Effect]:
        """Go on as whom the mobile node can ask now; None while it is not registered."""
        self._prefixes.forget_ended(now)
        if asker != self._asker and self._asking is not None:  # the answer would go where we were
            self._asking, self._wanted = None, now
        self._asker = asker
        due = self.deadline()
        return [] if due is None or due > now else self._proceed(now)

    def deadline(self) -> Instant | None:
        """When to ask, first or again."""
        if self._asker is None:
            return None
        if self._asking is not None:
            return self._asking.deadline
        return None if self._wanted is None else max(self._wanted, self._last_sent + INITIAL_SOLICIT_TIMER)

    def _proceed(self, now: Instant) -> list[Effect]:
        asking = self._asking
        if asking is None:
            return self._ask(1, INITIAL_SOLICIT_TIMER, now)
        if asking.attempt <= SOLICIT_RETRIES:
            return self._ask(asking.attempt + 1, 2 * asking.timeout, now)
        self._asking = None
        self._plan(now)
        return []

    def _plan(self, now: Instant) -> None:
        """Ask next when the home address is about to end, and with no answer after half of what is left (§11.4.2)."""
        prefix = self._prefixes.find(self._home_address, now)
        self._wanted = None
        if prefix is not None and prefix.valid_until < float("inf"):
            about_to_end = prefix.told + SOLICIT_AT * prefix.valid_lifetime
            self._wanted = max(about_to_end, (now + prefix.valid_until) / 2)

    @property
    def _home_address(self) -> IPv6Address:
        return self._first_home_address if self._asker is None else self._asker.home_address

    def _ask(self, attempt: int, timeout: float, now: Instant) -> list[Effect]:
        assert self._asker is not None
        asker, self._wanted, self._last_sent = self._asker, None, now
        identifier = int.from_bytes(self._secrets.octets(2), "big")
        self._asking = _Asking(identifier=identifier, attempt=attempt, timeout=timeout, deadline=now + timeout)
        packet = mobility_packet(
            asker.care_of_address,
            asker.home_agent,
            MobilePrefixSolicitation(identifier=identifier),
            home_address=asker.home_address,
        )
        return [Send(packet=packet), Report(event=PrefixesSolicited(home_agent=asker.home_agent, attempt=attempt))]


def _is_for(packet: Packet, asker: Asker) -> bool:
    """Tell whether an advertisement comes from the home agent, by a type 2 routing header (§11.4.3, §15.6)."""
    if (packet.source, packet.routed_home_address) != (asker.home_agent, asker.home_address):
        return False
    return packet.destination == asker.care_of_address
