"""Which home agent a mobile node registers with, and which one next, RFC 6275 §11.4.1.

The one in use is given up for another only when that is known. Until then Binding Updates go on to it, ever more
rarely (§11.8), while the home link is asked for others.
"""

from ipaddress import IPv6Address

from lab.auth.secrets import Secrets
from lab.constants import INITIAL_DHAAD_TIMEOUT, RETRANS_TIMER, Status
from lab.engine.config import MobileNodeConfig
from lab.engine.home_agent_discovery import HomeAgentDiscovery
from lab.engine.home_agents_list import HomeAgentEntry, HomeAgentsList
from lab.engine.io import Effect, Instant, Report
from lab.engine.mobility_header import drop
from lab.engine.movement import SLAAC_PREFIX_LENGTH, network_of
from lab.events import HomeAgentAbandoned, HomeAgentsDiscovered
from lab.wire.addresses import home_agents_anycast, is_unicast_routable
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryReply, RouterAdvertisement
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import Packet

LONGEST_PAUSE = 48.0
"""Seconds between two discoveries without use: the longest time-out within one."""
NO_LONGER_WANTED = frozenset(
    {
        Status.REASON_UNSPECIFIED,
        Status.ADMINISTRATIVELY_PROHIBITED,
        Status.INSUFFICIENT_RESOURCES,
        Status.HOME_REGISTRATION_NOT_SUPPORTED,
        Status.NOT_HOME_SUBNET,
        Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE,
    }
)
"""Refusals that another home agent may not repeat (§11.7.3)."""


class HomeAgentChoice:
    """Candidates in the order in which they are tried."""

    def __init__(self, config: MobileNodeConfig, secrets: Secrets) -> None:
        self._config = config
        self._discovery = HomeAgentDiscovery(home_agents_anycast(config.home_prefix), secrets)
        self._heard = HomeAgentsList()
        self._current = config.home_agent
        self._known: tuple[IPv6Address, ...] = () if config.home_agent is None else (config.home_agent,)
        self._failed: set[IPv6Address] = set()
        self._successor: IPv6Address | None = None
        self._reason = ""
        self._earliest: Instant = 0.0
        """When a Binding Update may go to another home agent (§11.4.1)."""
        self._searching = config.home_agent is None
        self._ask_at: Instant = 0.0
        self._pause = 0.0
        self._source: IPv6Address | None = None
        self._away = False

    @property
    def current(self) -> IPv6Address | None:
        """The home agent to register with; None while none is known."""
        return self._current

    @property
    def turning(self) -> bool:
        """Whether another home agent is about to be tried, so that this one is sent nothing more."""
        return self._away and self._successor is not None

    def neighbor(self, now: Instant) -> HomeAgentEntry | None:
        """Give the home agent as it advertises itself on the home link, if that was heard."""
        return None if self._current is None else self._heard.find(self._current, now)

    # What is learned

    def heard(self, packet: Packet, *, bound: bool, now: Instant) -> list[Effect]:
        """Take a Router Advertisement; without a configured home agent, those of the home link are tried (§10.5.1)."""
        if not self._is_of_home_link(packet):
            return []
        effects = self._heard.heard(packet, now)
        listed = self._usable([a for entry in self._heard.entries(now) for a in entry.global_addresses])
        if self._config.home_agent is not None or bound or not listed or listed == self._known:
            return effects
        self._known, self._current, self._searching = listed, listed[0], False
        self._discovery.stop()
        return [*effects, self._discovered(packet.source)]

    def replied(self, packet: Packet, reply: HomeAgentAddressDiscoveryReply, now: Instant) -> list[Effect]:
        """Take a Home Agent Address Discovery Reply."""
        asked = self._discovery.asking
        listed = self._usable(self._discovery.replied(reply, packet.destination))
        if not listed:
            if asked and not self._discovery.asking:  # it was ours, and of no use
                self._rest(now)
            return [drop(packet, "unexpected-discovery-reply", f"{len(reply.addresses)} home agents")]
        self._known, self._searching = listed, False
        if self._current is None:
            self._current = listed[0]
        else:
            self._go_on_in_list()
        return [self._discovered(packet.source)]

    def succeeded(self) -> None:
        """Keep to the home agent: it accepted a registration."""
        self._failed.clear()
        self._successor, self._searching, self._pause = None, False, 0.0
        self._discovery.stop()

    def failed(self, reason: str, now: Instant) -> None:
        """Try the next home agent, or ask for others: this one does not answer, or refuses (§11.7.3)."""
        if self._current is None or self._successor is not None:
            return
        self._failed.add(self._current)
        self._reason = reason
        self._successor = next((address for address in self._known if address not in self._failed), None)
        if self._successor is None and not self._searching:
            self._searching = True
            self._ask_at = now + self._pause
            self._lengthen_pause()

    # What is done

    def follow(self, source: IPv6Address | None, *, away: bool, last_sent: Instant, now: Instant) -> list[Effect]:
        """Go on from an address that requests can be sent from, None while there is none."""
        if source != self._source:
            self._discovery.stop()
            if source is not None and not away:
                self._come_home(now)
        self._source, self._away = source, away
        self._earliest = last_sent + self._config.first_bindack_timeout
        effects = self._turn() if self.turning and self._earliest <= now else []
        if self._is_to_ask() and self._ask_at <= now:
            assert source is not None
            effects += self._discovery.start(source, now)
        return effects

    def deadline(self) -> Instant | None:
        """When another home agent may be tried, or the home link is to be asked."""
        due = [self._earliest] if self.turning else []
        if self._is_to_ask():
            due.append(self._ask_at)
        if (asked := self._discovery.deadline()) is not None:
            due.append(asked)
        return min(due, default=None)

    def advance(self, now: Instant) -> list[Effect]:
        """Repeat a request that is not answered; without any answer, try what is known again."""
        asked = self._discovery.asking
        effects = self._discovery.advance(now)
        if asked and not self._discovery.asking:
            self._rest(now)
            self._go_on_in_list()
        return effects

    def _is_to_ask(self) -> bool:
        wanted = self._searching and (self._away or self._current is None)
        return wanted and self._source is not None and not self._discovery.asking

    def _turn(self) -> list[Effect]:
        assert self._current is not None
        assert self._successor is not None
        event = HomeAgentAbandoned(home_agent=self._current, reason=self._reason, successor=self._successor)
        self._current, self._successor = self._successor, None
        return [Report(event=event)]

    def _come_home(self, now: Instant) -> None:
        """Nothing is registered at home; advertisements may yet tell what would else be asked for."""
        self._failed.clear()
        self._successor, self._searching = None, self._current is None
        self._ask_at = max(self._ask_at, now + RETRANS_TIMER)

    def _go_on_in_list(self) -> None:
        """Choose the first that has not failed; when all have, begin anew with those that are not in use."""
        others = [address for address in self._known if address != self._current]
        fresh = [address for address in others if address not in self._failed]
        if not fresh:
            self._failed &= {self._current}
        self._successor = next(iter(fresh or others), None)

    def _rest(self, now: Instant) -> None:
        self._pause = max(self._pause, INITIAL_DHAAD_TIMEOUT)
        self._ask_at = now + self._pause
        self._lengthen_pause()

    def _lengthen_pause(self) -> None:
        self._pause = min(max(2 * self._pause, INITIAL_DHAAD_TIMEOUT), LONGEST_PAUSE)

    def _usable(self, addresses: tuple[IPv6Address, ...] | list[IPv6Address]) -> tuple[IPv6Address, ...]:
        own = self._config.home_address
        return tuple(dict.fromkeys(a for a in addresses if is_unicast_routable(a) and a != own))

    def _discovered(self, source: IPv6Address) -> Report:
        listed = ", ".join(str(address) for address in self._known)
        return Report(event=HomeAgentsDiscovered(source=source, home_agents=listed))

    def _is_of_home_link(self, packet: Packet) -> bool:
        message = packet.payload
        options = message.options if isinstance(message, RouterAdvertisement) else ()
        told = [o for o in options if isinstance(o, PrefixInformation) and o.prefix_length == SLAAC_PREFIX_LENGTH]
        return any(network_of(option) == self._config.home_prefix for option in told)
