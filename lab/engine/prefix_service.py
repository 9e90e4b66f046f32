"""What a home agent does for mobile prefix discovery, RFC 6275 §10.6: tells mobile nodes the prefixes of home."""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.auth.secrets import Secrets
from lab.constants import LIFETIME_UNIT, PREFIX_ADV_RETRIES, PREFIX_ADV_TIMEOUT, Status
from lab.engine.binding_cache import BindingCache
from lab.engine.care_of_address import INFINITE_LIFETIME
from lab.engine.config import HomeAgentConfig
from lab.engine.home_prefixes import HomePrefix, HomePrefixes
from lab.engine.home_registration import Registration
from lab.engine.io import Effect, Instant, LinkUp, Received, Report, Send
from lab.engine.mobility_header import drop
from lab.engine.neighbor_discovery import valid_advertisement
from lab.events import HomePrefixesChanged, PrefixesAdvertised
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import Packet, mobility_packet

INTERVAL = 1.0
"""Seconds between two advertisements to a mobile node (§6.8)."""
UNSOLICITED = 0
"""The identifier of an advertisement that nobody asked for."""
CHANCE_OCTETS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """It was told all; at the deadline it is time for another advertisement, whatever happens."""

    deadline: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scheduled:
    """It will be told without being asked."""

    deadline: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unconfirmed:
    """It was told without being asked, and has not answered."""

    attempt: int
    timeout: float
    deadline: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class _Silent:
    """It answered no repetition; its next Binding Update shows that it is there."""

    deadline: None = None


_State: TypeAlias = _Told | _Scheduled | _Unconfirmed | _Silent


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A mobile node with a binding."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    home_agent_address: IPv6Address
    """Where its Binding Update went, and its advertisements come from (§10.6.3)."""
    state: _State
    asked: int | None = None
    """The identifier of a solicitation that is to be answered."""
    last_sent: Instant = float("-inf")

    @property
    def deadline(self) -> Instant | None:
        """When it is to be told something; not before INTERVAL is over."""
        due = self.last_sent if self.asked is not None else self.state.deadline
        return None if due is None else max(due, self.last_sent + INTERVAL)


class PrefixService:
    """The prefixes of the home link, and which mobile node is to be told them when."""

    def __init__(self, config: HomeAgentConfig, secrets: Secrets) -> None:
        self._config = config
        self._secrets = secrets
        self._prefixes = HomePrefixes(config.home_prefixes)
        self._nodes: BindingCache[_Node] = BindingCache()
        self._ended = False
        self._own = {config.address}
        self._link_local: IPv6Address | None = None
        self._managed = self._other = False
        """What the home link was told last of DHCPv6."""

    # What prefixes mean for bindings, §10.3.1 and §10.6.4

    def limit(self, home_address: IPv6Address, now: Instant) -> int:
        """Give the seconds that a binding may last at most; 0 for an address that is on no home prefix."""
        prefix = self._prefixes.find(home_address, now)
        return 0 if prefix is None else _in_units(prefix.valid_until - now)

    def grant(self, home_address: IPv6Address, lifetime: int, now: Instant) -> tuple[int, Status]:
        """Say for how many seconds a binding is accepted, no longer than its prefix is valid (§10.3.1, §10.6.4).

        The status tells whether the prefix is deprecated before that, or ends with it.
        """
        prefix = self._prefixes.find(home_address, now)
        valid = 0 if prefix is None else _in_units(prefix.valid_until - now)
        preferred = 0 if prefix is None else _in_units(prefix.preferred_until - now)
        granted = min(lifetime, valid)
        if granted <= preferred and granted < valid:
            return granted, Status.ACCEPTED
        return granted, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY

    def serves(self, home_address: IPv6Address, now: Instant) -> bool:
        """Tell whether a home address is on a home prefix that is still valid."""
        return self._prefixes.find(home_address, now) is not None

    def have_ended(self) -> bool:
        """Tell whether a prefix has ended since this was last asked."""
        ended, self._ended = self._ended, False
        return ended

    def _note_what_ended(self, now: Instant) -> None:
        self._ended |= self._prefixes.forget_ended(now)

    # What is learned

    def link_up(self, link: LinkUp) -> None:
        """Tell this node's own advertisements from those of others by their source."""
        self._link_local = link.link_local_address

    def heard(self, received: Received, now: Instant) -> list[Effect]:
        """Take a Router Advertisement of the home link, of this node too (§10.6.1)."""
        packet, message = received.packet, valid_advertisement(received.packet)
        if message is None or received.interface != self._config.interface:
            return []
        if packet.source == self._link_local:
            options = [option for option in message.options if isinstance(option, PrefixInformation)]
            self._own |= {option.prefix for option in options if option.router_address}
        if self._config.dhcpv6_servers:  # §10.4.4: without, the bits stay clear
            self._managed, self._other = message.managed, message.other
        self._note_what_ended(now)
        has_news = self._prefixes.learn(message.options, now)
        self._note_what_ended(now)
        if not has_news:
            return []
        for _, node in self._nodes:
            if not isinstance(node.state, _Scheduled):  # §10.6.2: else what is due says what is new
                self._put(node, self._scheduled(node.home_address, now))
        listed = ", ".join(str(prefix) for prefix in self._prefixes.in_force(now))
        return [Report(event=HomePrefixesChanged(router=packet.source, prefixes=listed))]

    def registered(self, registration: Registration, now: Instant) -> list[Effect]:
        """Take note of a binding; one that is registered again confirms what was told (§10.6.3)."""
        known = self._nodes.get(registration.home_address)
        match None if known is None else known.state:
            case None:  # since it registered nothing has changed
                state: _State = self._told(now)
            case _Unconfirmed() if known is not None:
                state = self._told(known.last_sent)
            case _Silent():
                state = _Scheduled(deadline=now)
            case same:
                state = same
        node = _Node(
            home_address=registration.home_address,
            care_of_address=registration.care_of_address,
            home_agent_address=registration.home_agent_address,
            state=state,
            asked=None if known is None else known.asked,
            last_sent=float("-inf") if known is None else known.last_sent,
        )
        self._nodes.put(node.home_address, node)
        return self.advance(now)

    def ended(self, home_address: IPv6Address) -> None:
        """Tell a mobile node nothing more: its binding has ended (§10.6.2)."""
        self._nodes.remove(home_address)

    def solicited(self, packet: Packet, solicitation: MobilePrefixSolicitation, now: Instant) -> list[Effect]:
        """Answer a mobile node with a binding, at once if INTERVAL allows it."""
        node = None if packet.home_address is None else self._nodes.get(packet.home_address)
        if node is None:  # §11.4.2: it comes by a Home Address option
            return [drop(packet, "unexpected-prefix-solicitation")]
        self._nodes.put(node.home_address, replace(node, asked=solicitation.identifier))
        return self.advance(now)

    # Time

    def deadline(self) -> Instant | None:
        """When somebody is to be told something, or a prefix ends."""
        due, ends = self._nodes.deadline(), self._prefixes.next_end()
        return due if ends == float("inf") else min(ends, ends if due is None else due)

    def advance(self, now: Instant) -> list[Effect]:
        """Tell those whose time has come, and see which prefixes have ended."""
        self._note_what_ended(now)
        return [effect for _, node in self._nodes.due(now) for effect in self._proceed(node, now)]

    def _proceed(self, node: _Node, now: Instant) -> list[Effect]:
        match node.state:
            case _ if node.asked is not None:
                self._put(replace(node, asked=None, last_sent=now), self._told(now))
                return self._advertise(node, node.asked, 1, now)
            case _Told():
                self._put(node, self._scheduled(node.home_address, now))
                return []
            case _Scheduled():
                return self._tell(node, 1, PREFIX_ADV_TIMEOUT, now)
            case _Unconfirmed(attempt=attempt, timeout=timeout) if attempt <= PREFIX_ADV_RETRIES:
                return self._tell(node, attempt + 1, 2 * timeout, now)
            case _:
                self._put(node, _Silent())
                return []

    def _put(self, node: _Node, state: _State) -> None:
        self._nodes.put(node.home_address, replace(node, state=state))

    def _told(self, sent: Instant) -> _Told:
        return _Told(deadline=sent + self._config.max_mob_pfx_adv_interval)

    def _scheduled(self, home_address: IPv6Address, now: Instant) -> _Scheduled:
        """Choose when to tell a mobile node: now + RAND_ADV_DELAY (§10.6.2)."""
        prefix = self._prefixes.find(home_address, now)
        preferred = 0.0 if prefix is None else max(prefix.preferred_until - now, 0.0)
        shortest = self._config.min_mob_pfx_adv_interval
        span = int(abs(min(self._config.max_mob_pfx_adv_interval, preferred) - shortest))
        chance = int.from_bytes(self._secrets.octets(CHANCE_OCTETS), "big")
        return _Scheduled(deadline=now + shortest + (chance % span if span else 0))

    # Advertisements, §10.6.3

    def _tell(self, node: _Node, attempt: int, timeout: float, now: Instant) -> list[Effect]:
        state = _Unconfirmed(attempt=attempt, timeout=timeout, deadline=now + timeout)
        self._put(replace(node, last_sent=now), state)
        return self._advertise(node, UNSOLICITED, attempt, now)

    def _advertise(self, node: _Node, identifier: int, attempt: int, now: Instant) -> list[Effect]:
        options = tuple(self._option(prefix, now) for prefix in self._prefixes.in_force(now))
        packet = mobility_packet(
            node.home_agent_address,
            node.care_of_address,
            MobilePrefixAdvertisement(identifier=identifier, managed=self._managed, other=self._other, options=options),
            routed_home_address=node.home_address,
        )
        advertised = PrefixesAdvertised(
            home_address=node.home_address,
            care_of_address=node.care_of_address,
            solicited=node.asked is not None,
            attempt=attempt,
        )
        return [Send(packet=packet), Report(event=advertised)]

    def _option(self, prefix: HomePrefix, now: Instant) -> PrefixInformation:
        """Say a prefix, with this home agent's own address on it where it has one (§7.2)."""
        own = min((address for address in self._own if address in prefix.network), default=None)
        return PrefixInformation(
            prefix_length=prefix.network.prefixlen,
            on_link=prefix.on_link,
            autonomous=prefix.autonomous,
            router_address=own is not None,
            valid_lifetime=_left(prefix.valid_until, now),
            preferred_lifetime=_left(prefix.preferred_until, now),
            prefix=prefix.network.network_address if own is None else own,
        )


def _left(until: Instant, now: Instant) -> int:
    """Give a lifetime as a field says it."""
    return int(min(max(until - now, 0.0), INFINITE_LIFETIME))


def _in_units(seconds: float) -> int:
    """Compare lifetimes of prefixes as those of bindings are told, in units of 4 seconds (§10.3.1)."""
    return int(min(max(seconds, 0.0), INFINITE_LIFETIME)) // LIFETIME_UNIT * LIFETIME_UNIT
