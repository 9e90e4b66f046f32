"""Movement detection, RFC 6275 §11.5.1: which router the link of a mobile node has."""

from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from lab.constants import MINIMUM_MTU, RETRANS_TIMER
from lab.engine.io import Effect, Instant, LinkUp, Received, Report, Send, SetLinkMtu
from lab.engine.neighbor_discovery import HOP_LIMIT, probe, router_solicitation, valid_advertisement
from lab.events import LinkHinted, LinkWentDown, LinkWentUp, RouterFound, RouterLost
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.icmpv6 import NeighborAdvertisement
from lab.wire.neighbor import AdvertisementInterval, LinkMtu, PrefixInformation, SourceLinkLayerAddress
from lab.wire.packet import Packet

SOLICITATION_INTERVALS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds between Router Solicitations while no router answers, the last one repeated (RFC 7559).

They begin below RTR_SOLICITATION_INTERVAL so that one lost solicitation does not cost a handover four seconds.
"""
MISSED_ADVERTISEMENTS = 3
"""So many Advertisement Intervals of silence make a router suspect; one late advertisement never does (§11.5.1)."""
REPETITION = 0.5
"""Seconds in which an advertisement that says the same again shows only that its router is there.

Lifetimes, whole seconds, are counted anew by the next one. A laboratory of many mobile nodes hears thousands a second.
"""
PROBES = 3
"""Neighbor Solicitations that a router may leave unanswered (RFC 4861 §10, MAX_UNICAST_SOLICIT)."""
SLAAC_PREFIX_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """A router as its last advertisement described it."""

    address: IPv6Address
    link_layer_address: bytes | None
    prefixes: tuple[PrefixInformation, ...]
    """Those that addresses may be formed from."""
    networks: tuple[IPv6Network, ...]
    """The same as networks."""
    global_addresses: frozenset[IPv6Address]
    """Its own, by the R bit (§7.2)."""
    advertisement_interval: float | None
    """Seconds (§7.3)."""
    mtu: int | None
    """The largest packet of the link; None: what is usual for links of its kind."""

    def is_same(self, other: "Router") -> bool:
        """Tell routers apart by link-local address and prefixes: the former alone may not be unique (§7.2)."""
        return self.address == other.address and self.networks == other.networks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempts:
    """Something that is repeated until it is answered."""

    made: int
    deadline: Instant


@lru_cache(maxsize=16)  # routers say the same many times a second
def network_of(prefix: PrefixInformation) -> IPv6Network:
    """Give the prefix without the host part that an R bit leaves in it."""
    return IPv6Network((int(prefix.prefix), prefix.prefix_length), strict=False)


def router_of(packet: Packet) -> Router | None:
    """Read a Router Advertisement; None if it is not valid (RFC 4861 §6.1.2) or says nothing about prefixes."""
    message = valid_advertisement(packet)
    if message is None or message.router_lifetime == 0:  # RFC 4861 §6.3.4: no default router
        return None
    prefixes = tuple(o for o in message.options if isinstance(o, PrefixInformation))
    usable = tuple(p for p in prefixes if p.autonomous and p.prefix_length == SLAAC_PREFIX_LENGTH and p.valid_lifetime)
    if not usable:
        return None
    options = message.options
    intervals = [o.interval / 1000 for o in options if isinstance(o, AdvertisementInterval)]
    addresses = [o.address for o in options if isinstance(o, SourceLinkLayerAddress)]
    mtus = [o.mtu for o in options if isinstance(o, LinkMtu) and o.mtu >= MINIMUM_MTU]  # RFC 4861 §6.3.4
    return Router(
        address=packet.source,
        link_layer_address=addresses[0] if addresses else None,
        prefixes=usable,
        networks=tuple(network_of(prefix) for prefix in usable),
        global_addresses=frozenset(p.prefix for p in prefixes if p.router_address),
        advertisement_interval=intervals[0] if intervals and intervals[0] > 0 else None,
        mtu=mtus[0] if mtus else None,
    )


class Movement:
    """Follows the routers of one interface; methods that can see a movement return the new router with the effects.

    `without`: see `lab.safeguards`.
    """

    def __init__(self, interface: str, without: Without = NOTHING) -> None:
        self._interface = interface
        self._without = without
        self._link: LinkUp | None = None
        self._mtu: int | None = None
        self._current: Router | None = None
        self._candidate: Router | None = None
        self._heard: Instant = 0.0
        self._last: Received | None = None
        """The advertisement of the current router that was last looked into, and when."""
        self._looked: Instant = 0.0
        self._doubtful = True
        self._soliciting: _Attempts | None = None
        self._probing: _Attempts | None = None

    @property
    def link(self) -> LinkUp | None:
        """The interface while it has carrier."""
        return self._link

    @property
    def settled(self) -> bool:
        """Whether the link has carrier and is, as far as known, the one of the current router."""
        return self._link is not None and not self._doubtful

    def link_up(self, link: LinkUp, now: Instant) -> list[Effect]:
        """Look for a router: this may be another link than before."""
        self._link, self._mtu = link, None
        return [Report(event=LinkWentUp(interface=self._interface)), *self._look_around(now)]

    def link_down(self) -> list[Effect]:
        """Nothing can be asked until the link is back."""
        self._link = None
        self._soliciting = self._probing = self._candidate = None
        return [Report(event=LinkWentDown(interface=self._interface))]

    def link_hint(self, now: Instant) -> list[Effect]:
        """Look for a router: the link layer says that this may be another link (§11.5.1)."""
        return [Report(event=LinkHinted(interface=self._interface)), *self._look_around(now)]

    def repeated(self, received: Received, now: Instant) -> bool:
        """Take what the current router has just said before; tells whether it was that, and nothing more is to do."""
        if received != self._last or now >= self._looked + REPETITION or not self.settled:
            return False
        if self._probing is not None or self._candidate is not None:
            return False
        self._heard = now
        return True

    def advertised(self, router: Router, received: Received, now: Instant) -> tuple[list[Effect], Router | None]:
        """Take a Router Advertisement; a new current router means that the node moved."""
        if self._current is not None and self._current.is_same(router):
            effects = self._confirm(router, now)
            self._last, self._looked = received, now
            return effects, None
        found = RouterFound(interface=self._interface, router=router.address, prefix=router.networks[0])
        if self._current is None or self._doubtful or Safeguard.ROUTER_PROBE in self._without:  # §11.5.1
            return [Report(event=found), *self._confirm(router, now)], router
        if self._candidate is not None and self._candidate.is_same(router):
            return [], None
        # Without a sign from the link layer the current router is asked first: two routers may share a link.
        self._candidate = router
        return [Report(event=found), *self._start_probing(now)], None

    def neighbor_advertised(self, packet: Packet, now: Instant) -> None:
        """Take a Neighbor Advertisement: the current router may have answered a probe."""
        message = packet.payload
        if not isinstance(message, NeighborAdvertisement) or packet.hop_limit != HOP_LIMIT or self._current is None:
            return
        if message.target in self._probe_targets(self._current):
            self._heard = now
            self._probing = None

    def forget(self, now: Instant) -> list[Effect]:
        """Give the current router up and look for another."""
        self._current = None
        return self._look_around(now)

    def deadline(self) -> Instant | None:
        """When something is to be repeated or given up."""
        due = [attempts.deadline for attempts in (self._soliciting, self._probing) if attempts is not None]
        if self._probing is None and (silent := self._silence_deadline()) is not None:
            due.append(silent)
        return min(due, default=None)

    def advance(self, now: Instant) -> tuple[list[Effect], Router | None]:
        """Do what is due."""
        effects: list[Effect] = []
        if self._soliciting is not None and self._soliciting.deadline <= now:
            effects += self._solicit(self._soliciting.made, now)
        if self._probing is not None and self._probing.deadline <= now:
            more, router = self._probe_again(self._probing, now)
            return effects + more, router
        silent = self._silence_deadline()
        if self._probing is None and silent is not None and silent <= now:
            effects += self._start_probing(now)
        return effects, None

    def _confirm(self, router: Router, now: Instant) -> list[Effect]:
        self._current, self._heard, self._doubtful = router, now, False
        self._soliciting = self._probing = self._candidate = self._last = None
        if router.mtu == self._mtu:
            return []
        self._mtu = router.mtu
        return [SetLinkMtu(interface=self._interface, mtu=router.mtu)]

    def _look_around(self, now: Instant) -> list[Effect]:
        self._doubtful = True
        self._probing = self._candidate = None
        return self._solicit(0, now)

    def _solicit(self, made: int, now: Instant) -> list[Effect]:
        if self._link is None:
            return []
        interval = SOLICITATION_INTERVALS[min(made, len(SOLICITATION_INTERVALS) - 1)]
        self._soliciting = _Attempts(made=made + 1, deadline=now + interval)
        packet = router_solicitation(self._link.link_local_address, self._link.link_layer_address)
        return [Send(packet=packet, interface=self._interface)]

    def _silence_deadline(self) -> Instant | None:
        """When the current router has been silent for too long by its own word (§7.3, §11.5.1)."""
        if self._current is None or self._current.advertisement_interval is None or self._link is None:
            return None
        return self._heard + MISSED_ADVERTISEMENTS * self._current.advertisement_interval

    def _start_probing(self, now: Instant) -> list[Effect]:
        if self._probing is not None or self._current is None or self._link is None:
            return []
        self._probing = _Attempts(made=1, deadline=self._patience(now))
        return self._probe(self._current, self._link)

    def _probe_again(self, attempts: _Attempts, now: Instant) -> tuple[list[Effect], Router | None]:
        assert self._current is not None
        silent = self._silence_deadline()
        overdue = self._candidate is not None and silent is not None and silent <= now
        if attempts.made < PROBES and not overdue and self._link is not None:
            self._probing = replace(attempts, made=attempts.made + 1, deadline=self._patience(now))
            return self._probe(self._current, self._link), None
        reason = "advertisements missed" if overdue else "no answer to probes"
        lost: list[Effect] = [Report(event=RouterLost(router=self._current.address, reason=reason))]
        candidate = self._candidate
        if candidate is not None:
            return lost + self._confirm(candidate, now), candidate
        return lost + self.forget(now), None

    def _patience(self, now: Instant) -> Instant:
        """How long to wait for an answer: less if another router is there and the current one is overdue sooner."""
        silent = self._silence_deadline()
        if self._candidate is not None and silent is not None:
            return min(now + RETRANS_TIMER, max(silent, now))
        return now + RETRANS_TIMER

    def _probe(self, router: Router, link: LinkUp) -> list[Effect]:
        return [
            Send(
                packet=probe(link.link_local_address, link.link_layer_address, target),
                interface=self._interface,
            )
            for target in self._probe_targets(router)
        ]

    @staticmethod
    def _probe_targets(router: Router) -> tuple[IPv6Address, ...]:
        """Prefer the global address where the router told one: a link-local address may not be unique (§7.2)."""
        return tuple(sorted(router.global_addresses)) or (router.address,)
