"""What the captures say about registrations: who is who, which binding was in force when."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from scapy.layers.inet6 import ICMPv6NDOptPrefixInfo, MIP6OptAltCoA

from lab.constants import ACCEPTED_BELOW, LIFETIME_UNIT, Status
from lab.verify.frame import (
    ICMPV6,
    MOBILITY,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_DISCOVERY,
    NEIGHBOR_SOLICITATION,
    ROUTER_ADVERTISEMENT,
    ROUTER_SOLICITATION,
    Frame,
)
from lab.verify.trace import first_sightings

HOME_REGISTRATION, ACKNOWLEDGE = 0x4000, 0x8000
BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = 5, 6
LONGEST_PREFIX = 128
GONE_AFTER = 3.0
"""Seconds without a sign of a home agent, while the captures go on."""
JUST = 0.1
"""Seconds in which what belongs together may be seen in either order: captures see packets, not decisions."""


@dataclass(frozen=True, kw_only=True)
class Update:
    """A home registration's Binding Update, by its first sighting."""

    frame: Frame
    home_address: IPv6Address
    care_of_address: IPv6Address
    alternate: IPv6Address | None
    home_agent: IPv6Address
    sequence: int
    flags: int
    lifetime: int

    @property
    def ends(self) -> bool:
        """It ends a binding (RFC 6275 §6.1.7)."""
        return self.lifetime == 0 or self.care_of_address == self.home_address

    @property
    def peers(self) -> tuple[IPv6Address, IPv6Address]:
        """Both sides: sequence numbers, rates and time-outs are counted for each pair."""
        return self.home_address, self.home_agent


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """A Binding Acknowledgement, by its first sighting, with the update that it answers."""

    frame: Frame
    status: int
    sequence: int
    lifetime: int
    update: Update | None

    @property
    def accepts(self) -> bool:
        """Status below 128 (RFC 6275 §6.1.8)."""
        return self.status < ACCEPTED_BELOW


@dataclass(frozen=True, kw_only=True)
class Period:
    """From an accepting acknowledgement to the next: the care-of address that was in force; None: at home."""

    home_address: IPv6Address
    care_of_address: IPv6Address | None
    begin: float
    end: float
    """When the next acknowledgement was seen; infinite for the last."""
    expires: float
    """When the granted lifetime ends; infinite at home."""
    acknowledgement: Acknowledgement
    first: bool
    """No binding preceded it."""

    def may_hold(self, time: float) -> bool:
        """Whether it can have been in force."""
        return self.begin <= time < self.end and time < self.expires + JUST

    def must_hold(self, time: float) -> bool:
        """Whether it must have been in force."""
        return self.begin < time < self.end and time < self.expires - JUST


@dataclass(kw_only=True)
class Session:
    """Everything that rules ask the captures for."""

    frames: Sequence[Frame]
    """All sightings."""

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

    @cached_property
    def updates(self) -> list[Update]:
        """Home registrations."""
        return [update for frame in self.mobility if (update := _update(frame)) is not None]

    def updates_of_each(self) -> Iterator[list[Update]]:
        """Give home registrations by mobile node and home agent."""
        for peers in sorted({update.peers for update in self.updates}):
            yield [update for update in self.updates if update.peers == peers]

    @cached_property
    def acknowledgements(self) -> list[Acknowledgement]:
        """Acknowledgements that come from home agents."""
        found = []
        for frame in self.mobility:
            message = frame.message
            if frame.message_type != BINDING_ACKNOWLEDGEMENT or message is None or frame.source not in self.home_agents:
                continue
            found.append(
                Acknowledgement(
                    frame=frame,
                    status=message.status,
                    sequence=message.seq,
                    lifetime=message.mhtime * LIFETIME_UNIT,
                    update=self._answered(frame, message),
                )
            )
        return found

    def _answered(self, frame: Frame, message: Any) -> Update | None:
        """Find the update: of the home address that is told, else, should that be missing, of the care-of address."""
        earlier = [u for u in self.updates if u.home_agent == frame.source and u.frame.time <= frame.time]
        addressed = frame.routed_home_address or frame.destination
        for own in (
            [update for update in earlier if update.home_address == addressed],
            [update for update in earlier if update.frame.source == frame.destination],
        ):
            same = [update for update in own if update.sequence == message.seq]
            # §6.1.8: with this status the sequence number is the home agent's own.
            if not same and message.status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:
                same = own
            if same:
                return same[-1]
        return None

    @cached_property
    def periods(self) -> list[Period]:
        """Which care-of address was in force when, for each home address."""
        accepted = [(a, a.update) for a in self.acknowledgements if a.accepts and a.update is not None]
        found: list[Period] = []
        for home_address in sorted({update.home_address for _, update in accepted}):
            own = [(a, update) for a, update in accepted if update.home_address == home_address]
            bound_until = float("-inf")
            for position, (acknowledgement, update) in enumerate(own):
                begin = acknowledgement.frame.time
                expires = float("inf") if update.ends else begin + acknowledgement.lifetime
                found.append(
                    Period(
                        home_address=home_address,
                        care_of_address=None if update.ends else update.care_of_address,
                        begin=begin,
                        end=own[position + 1][0].frame.time if position + 1 < len(own) else float("inf"),
                        expires=expires,
                        acknowledgement=acknowledgement,
                        first=begin >= bound_until and not update.ends,
                    )
                )
                bound_until = float("-inf") if update.ends else expires
        return found

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
        return {update.home_agent for update in self.updates}

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


def _update(frame: Frame) -> Update | None:
    message = frame.message
    if frame.message_type != BINDING_UPDATE or message is None:
        return None
    flags = int.from_bytes(frame.payload[8:10], "big")
    if not flags & HOME_REGISTRATION:
        return None
    alternates = [IPv6Address(o.acoa) for o in message.options if isinstance(o, MIP6OptAltCoA)]
    alternate = alternates[0] if alternates else None
    return Update(
        frame=frame,
        home_address=frame.home_address or frame.source,
        care_of_address=alternate or frame.source,
        alternate=alternate,
        home_agent=frame.destination,
        sequence=message.seq,
        flags=flags,
        lifetime=message.mhtime * LIFETIME_UNIT,
    )
