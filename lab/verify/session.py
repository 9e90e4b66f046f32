"""What the captures say about registrations: who is who, which binding was in force when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from scapy.layers.inet6 import ICMPv6NDOptPrefixInfo

from lab.verify.binding import (
    Acknowledgement,
    Period,
    Update,
    answers_correspondent_registration,
    by_protection,
    periods,
    read_acknowledgement,
    read_update,
)
from lab.verify.correspondence import Correspondence
from lab.verify.esp import Association
from lab.verify.frame import (
    DESTINATION_UNREACHABLE,
    ICMPV6,
    MOBILITY,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_DISCOVERY,
    NEIGHBOR_SOLICITATION,
    ROUTER_ADVERTISEMENT,
    ROUTER_SOLICITATION,
    Frame,
)
from lab.verify.trace import SAME_PACKET_WITHIN, first_sightings
from lab.verify.traffic import Pair, Payload, payloads

LONGEST_PREFIX = 128
GONE_AFTER = 3.0
"""Seconds without a sign of a home agent, while the captures go on."""
SETTLED = 0.5
"""Seconds after which whoever speaks all the time has been seen."""


@dataclass(kw_only=True)
class Session:
    """Everything that rules ask the captures for."""

    frames: Sequence[Frame]
    """All sightings."""
    associations: Sequence[Association] = ()
    """Those whose keys are known; without any, nobody can say what ought to be protected."""

    @cached_property
    def packets(self) -> list[Frame]:
        """Every packet once, where it was seen first."""
        return first_sightings(self.frames)

    @cached_property
    def mobility(self) -> list[Frame]:
        """Mobility Headers outside tunnels."""
        return [f for f in self.packets if f.upper == MOBILITY and f.whole and len(f.payload) >= 8]

    @cached_property
    def mobility_headers(self) -> list[Frame]:
        """Mobility Headers outside and inside tunnels, also those that are too short."""
        return [f.innermost for f in self.packets if f.innermost.upper == MOBILITY and f.whole and f.innermost.whole]

    @property
    def updates(self) -> list[Update]:
        """Home registrations, without those that home agents have to drop as they lack their protection (§5.1)."""
        return self._home_registrations[0]

    @property
    def unprotected(self) -> list[Update]:
        """Home registrations that lack their protection, if any is known of."""
        return self._home_registrations[1]

    @cached_property
    def _home_registrations(self) -> tuple[list[Update], list[Update]]:
        asked = [u for frame in self.mobility if (u := read_update(frame)) is not None and u.is_home_registration]
        # What asks a correspondent as if it were a home agent is judged as what it was meant to be.
        home_agents = {update.peer for update in asked if not update.is_authorised}
        known = [update for update in asked if update.peer in home_agents]
        return by_protection(known) if self.associations else (known, [])

    @cached_property
    def correspondence(self) -> Correspondence:
        """What mobile nodes and correspondents have with each other."""
        return Correspondence(packets=self.packets, home_agents=self.home_agents)

    @cached_property
    def all_updates(self) -> list[Update]:
        """Home and correspondent registrations."""
        return sorted([*self.updates, *self.correspondence.updates], key=lambda update: update.frame.time)

    @cached_property
    def all_acknowledgements(self) -> list[Acknowledgement]:
        """Acknowledgements of home agents and of correspondents."""
        both = [*self.acknowledgements, *self.correspondence.acknowledgements]
        return sorted(both, key=lambda acknowledgement: acknowledgement.frame.time)

    def updates_of_each(self) -> Iterator[list[Update]]:
        """Give registrations by mobile node and its peer, without those that somebody else plays back."""
        own: dict[Pair, list[Update]] = {}
        for update in self.all_updates:
            if not self.played_back(update):
                own.setdefault(update.peers, []).append(update)
        for peers in sorted(own):
            yield own[peers]

    def played_back(self, update: Update) -> bool:
        """Tell whether somebody else, by the link-layer address, sends the octets of an earlier update again."""
        frame = update.frame
        return any(
            other.source_mac != frame.source_mac and other.time < frame.time for other in self._same_updates[frame.same]
        )

    @cached_property
    def _same_updates(self) -> dict[bytes, list[Frame]]:
        """Registrations by their octets."""
        same: dict[bytes, list[Frame]] = {}
        for update in self.all_updates:
            same.setdefault(update.frame.same, []).append(update.frame)
        return same

    @cached_property
    def acknowledgements(self) -> list[Acknowledgement]:
        """Acknowledgements that come from home agents."""
        read = [
            read_acknowledgement(frame, self.updates)
            for frame in self.mobility
            if frame.source in self.home_agents and not answers_correspondent_registration(frame)
        ]
        return [acknowledgement for acknowledgement in read if acknowledgement is not None]

    @cached_property
    def periods(self) -> list[Period]:
        """Which care-of address was in force when, for each home address."""
        return periods(self.acknowledgements, lambda update: (update.home_address,))

    @cached_property
    def payloads(self) -> dict[Pair, list[Payload]]:
        """Payload packets of each mobile node with each correspondent at which it ever registered."""
        return payloads(self.packets, {update.peers for update in self.correspondence.updates})

    @cached_property
    def mobility_sightings(self) -> dict[bytes, set[str]]:
        """On which links each mobility message was seen, in tunnels or not."""
        seen: dict[bytes, set[str]] = {}
        for frame in self.frames:
            if frame.innermost.upper == MOBILITY:
                seen.setdefault(frame.innermost.same, set()).add(frame.link)
        return seen

    @cached_property
    def unreachables(self) -> list[Frame]:
        """Errors that say that a destination cannot be reached."""
        return self._icmpv6(DESTINATION_UNREACHABLE)

    @cached_property
    def moves(self) -> list[Update]:
        """The first home registration of each care-of address that differs from the one before; no refused ones."""
        refused = [a.update for a in self.acknowledgements if not a.accepts and a.update and not a.update.ends]
        before: dict[IPv6Address, tuple[IPv6Address, bool]] = {}
        found = []
        for update in self.updates:
            what = (update.care_of_address, update.ends)
            nameless = update.frame.home_address is None and update.lifetime > 0
            if before.get(update.home_address) != what and update not in refused and not nameless:
                found.append(update)
                before[update.home_address] = what
        return found

    def came_up(self, frame: Frame, address: IPv6Address) -> bool:
        """Whether an address was first seen when the capture of a frame's link had already run for a while."""
        first = self._first_seen.get(address)
        return first is not None and first - self._begins.get(frame.link, first) >= SETTLED

    @cached_property
    def _first_seen(self) -> dict[IPv6Address, float]:
        """When each address was first seen in a header or in that of a tunnelled packet."""
        first: dict[IPv6Address, float] = {}
        for packet in self.packets:
            for frame in (packet, packet.innermost):
                for address in (frame.source, frame.destination):
                    first.setdefault(address, frame.time)
        return first

    @cached_property
    def _begins(self) -> dict[str, float]:
        """When the first frame on each link was seen."""
        begins: dict[str, float] = {}
        for frame in self.frames:
            begins.setdefault(frame.link, frame.time)
        return begins

    def begins_binding(self, period: Period) -> bool:
        """Whether no binding preceded a period for sure: captures may begin amid one, and then its refresh comes first.

        Known is the end of an earlier one, or that the mobile node used or tested its home address at home.
        """
        earlier = [p for p in self.periods if p.home_address == period.home_address and p.begin < period.begin]
        return period.first and (bool(earlier) or self._was_at_home(period.home_address, period.begin))

    def _was_at_home(self, home_address: IPv6Address, time: float) -> bool:
        tests = [f for f in self.solicitations if f.source.is_unspecified and target(f) == home_address]
        used = [f for f in self.frames if f.source == home_address and not _is_returning(f)]
        return any(
            frame.time < time and frame.link in self.home_links(home_address) and frame.source_mac in self.mobile_macs
            for frame in (*tests, *used)
        )

    def bound(self, home_address: IPv6Address, time: float) -> bool:
        """Whether a binding of a home address must have been in force."""
        return any(
            period.care_of_address is not None and period.must_hold(time)
            for period in self.periods
            if period.home_address == home_address and not self.is_gone(period.acknowledgement.frame.source, time)
        )

    def is_gone(self, home_agent: IPv6Address, time: float) -> bool:
        """Whether a home agent was never heard again, not even advertising itself: it died, and nobody can ask more."""
        heard = self._last_heard.get(home_agent)
        return heard is not None and heard < time and self.last_time - heard > GONE_AFTER

    def is_lost(self, update: Update) -> bool:
        """Whether a Binding Update was seen, but on no link on which its receiver speaks."""
        its = {frame.link for frame in self.packets if frame.source == update.peer}
        same, since = update.frame.same, update.frame.time
        reached = {f.link for f in self.frames if 0 <= f.time - since < SAME_PACKET_WITHIN and f.same == same}
        return bool(its) and its.isdisjoint(reached)

    @cached_property
    def _last_heard(self) -> dict[IPv6Address, float]:
        addresses = {
            (frame.source_mac, IPv6Address(option.prefix))
            for frame in self.advertisements
            if frame.message.H
            for option in prefix_options(frame)
            if option.R
        }
        sources = {frame.source: frame.time for frame in self.frames}
        macs = {frame.source_mac: frame.time for frame in self.frames if frame.source_mac}
        heard = dict(sources)
        for mac, address in addresses:
            heard[address] = max(heard.get(address, 0.0), macs.get(mac, 0.0))
        return heard

    @cached_property
    def home_agents(self) -> set[IPv6Address]:
        """Addresses to which home registrations are sent."""
        return {update.peer for update in (*self.updates, *self.unprotected)}

    @cached_property
    def home_addresses(self) -> set[IPv6Address]:
        """Addresses that are registered."""
        return {update.home_address for update in self.updates}

    @cached_property
    def mobile_macs(self) -> set[bytes]:
        """Link-layer addresses of mobile nodes; none if the captures do not tell.

        Where no router is heard, the mobile node was not either: a router forwarded its packets there.
        """
        access = {frame.link for frame in self.advertisements}
        return {u.frame.source_mac for u in self.updates if u.frame.source_mac and u.frame.link in access}

    @cached_property
    def home_agent_macs(self) -> set[bytes]:
        """Link-layer addresses from which home agents advertise themselves."""
        return {f.source_mac for f in self.advertisements if f.message.H and f.source_mac}

    @cached_property
    def home_prefixes(self) -> set[tuple[str, IPv6Network]]:
        """Links with the prefixes that are advertised there with the H bit."""
        return {(f.link, prefix) for f in self.advertisements if f.message.H for prefix in prefixes(f)}

    def is_foreign(self, frame: Frame) -> bool:
        """Whether somebody sent a packet who is known to be no mobile node; only where those are known."""
        return bool(self.mobile_macs) and frame.source_mac not in self.mobile_macs

    def home_links(self, home_address: IPv6Address) -> set[str]:
        """Links on which a home agent advertises the prefix of a home address."""
        return {link for link, prefix in self.home_prefixes if home_address in prefix}

    def foreign_links(self, home_address: IPv6Address) -> set[str]:
        """Links from which a home address was registered to be elsewhere."""
        told = {
            update.frame.link
            for update in self.updates
            if update.home_address == home_address and update.frame.home_address is not None
        }
        return told - self.home_links(home_address)

    @cached_property
    def advertisements(self) -> list[Frame]:
        """Router Advertisements."""
        return [frame for frame in self._icmpv6(ROUTER_ADVERTISEMENT) if frame.message is not None]

    @cached_property
    def router_solicitations(self) -> list[Frame]:
        """Router Solicitations."""
        return self._icmpv6(ROUTER_SOLICITATION)

    @cached_property
    def solicitations(self) -> list[Frame]:
        """Neighbor Solicitations."""
        return [frame for frame in self._icmpv6(NEIGHBOR_SOLICITATION) if frame.message is not None]

    @cached_property
    def neighbor_advertisements(self) -> list[Frame]:
        """Neighbor Advertisements."""
        return [frame for frame in self._icmpv6(NEIGHBOR_ADVERTISEMENT) if frame.message is not None]

    @cached_property
    def neighbor_discovery(self) -> list[Frame]:
        """Every message of Neighbor Discovery, malformed ones too."""
        return self._icmpv6(*NEIGHBOR_DISCOVERY)

    @property
    def last_time(self) -> float:
        """When the captures end."""
        return self.frames[-1].time if self.frames else 0.0

    def _icmpv6(self, *kinds: int) -> list[Frame]:
        return [f for f in self.frames if f.upper == ICMPV6 and f.message_type in kinds and f.whole]


def _is_returning(frame: Frame) -> bool:
    """Tell whether a packet is such as leaves from the home address while a binding is still to be ended (§11.5.5)."""
    return frame.upper == MOBILITY or (frame.upper == ICMPV6 and frame.message_type in NEIGHBOR_DISCOVERY)


def target(frame: Frame) -> IPv6Address:
    """Give the target of a Neighbor Solicitation or Advertisement."""
    return IPv6Address(frame.message.tgt)


def prefix_options(advertisement: Frame) -> list[Any]:
    """Give the Prefix Information options of a Router Advertisement."""
    return [option for option in options(advertisement) if isinstance(option, ICMPv6NDOptPrefixInfo)]


def prefixes(advertisement: Frame) -> list[IPv6Network]:
    """Give the prefixes of a Router Advertisement."""
    return [
        IPv6Network((option.prefix, option.prefixlen), strict=False)
        for option in prefix_options(advertisement)
        if option.prefixlen <= LONGEST_PREFIX
    ]


def options(discovery: Frame) -> list[Any]:
    """Give the options of a message of Neighbor Discovery."""
    return list(discovery.message.payload.iterpayloads())
