"""What the captures say about registrations: who is who, which binding was in force when."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address

from scapy.layers.inet6 import MIP6MH_BA, MIP6MH_BU, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, MIP6OptAltCoA

from lab.verify.trace import ICMPV6, MOBILITY, Frame, first_sightings

HOME_REGISTRATION, ACKNOWLEDGE = 0x4000, 0x8000
BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = 5, 6
ACCEPTED_BELOW = 128


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
    acknowledgement: Acknowledgement
    first: bool
    """No binding preceded it."""


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
        return [frame for frame in self.packets if frame.upper == MOBILITY and len(frame.payload) >= 8]

    @cached_property
    def updates(self) -> list[Update]:
        """Home registrations."""
        return [update for frame in self.mobility if (update := _update(frame)) is not None]

    @cached_property
    def acknowledgements(self) -> list[Acknowledgement]:
        """Acknowledgements that come from home agents."""
        agents = {update.home_agent for update in self.updates}
        found = []
        for frame in self.mobility:
            if frame.payload[2] != BINDING_ACKNOWLEDGEMENT or frame.source not in agents:
                continue
            message = frame.packet[MIP6MH_BA]
            addressed = frame.routed_home_address or frame.destination
            answered = [
                update
                for update in self.updates
                if update.home_address == addressed
                and update.sequence == message.seq
                and update.frame.time <= frame.time
            ]
            found.append(
                Acknowledgement(
                    frame=frame,
                    status=message.status,
                    sequence=message.seq,
                    lifetime=message.mhtime * 4,
                    update=answered[-1] if answered else None,
                )
            )
        return found

    @cached_property
    def periods(self) -> list[Period]:
        """Which care-of address was in force when, for each home address."""
        accepted = [a for a in self.acknowledgements if a.accepts and a.update is not None]
        found: list[Period] = []
        for home_address in sorted({a.update.home_address for a in accepted if a.update}):
            own = [a for a in accepted if a.update and a.update.home_address == home_address]
            bound = False
            for position, acknowledgement in enumerate(own):
                update = acknowledgement.update
                assert update is not None
                following = own[position + 1].frame.time if position + 1 < len(own) else float("inf")
                found.append(
                    Period(
                        home_address=home_address,
                        care_of_address=None if update.ends else update.care_of_address,
                        begin=acknowledgement.frame.time,
                        end=following,
                        acknowledgement=acknowledgement,
                        first=not bound and not update.ends,
                    )
                )
                bound = not update.ends
        return found

    @cached_property
    def home_agents(self) -> set[IPv6Address]:
        """Addresses to which home registrations are sent."""
        return {update.home_agent for update in self.updates}

    @cached_property
    def mobile_macs(self) -> set[bytes]:
        """Link-layer addresses that home registrations are first seen from."""
        return {update.frame.source_mac for update in self.updates if update.frame.source_mac}

    @cached_property
    def foreign_links(self) -> set[str]:
        """Links that registrations from a care-of address came from."""
        return {update.frame.link for update in self.updates if update.frame.home_address is not None}

    @cached_property
    def home_links(self) -> set[str]:
        """Links on which a home prefix is advertised with the H bit."""
        return {frame.link for frame in self.advertisements if frame.packet[ICMPv6ND_RA].H}

    @cached_property
    def advertisements(self) -> list[Frame]:
        """Router Advertisements."""
        return self._icmpv6(134)

    @cached_property
    def solicitations(self) -> list[Frame]:
        """Neighbor Solicitations."""
        return self._icmpv6(135)

    @cached_property
    def neighbor_advertisements(self) -> list[Frame]:
        """Neighbor Advertisements."""
        return self._icmpv6(136)

    @property
    def last_time(self) -> float:
        """When the captures end."""
        return self.frames[-1].time if self.frames else 0.0

    def _icmpv6(self, kind: int) -> list[Frame]:
        return [f for f in self.frames if f.upper == ICMPV6 and len(f.payload) >= 8 and f.payload[0] == kind]


def target(frame: Frame) -> IPv6Address:
    """Give the target of a Neighbor Solicitation or Advertisement."""
    layer = ICMPv6ND_NS if frame.payload[0] == 135 else ICMPv6ND_NA
    return IPv6Address(frame.packet[layer].tgt)


def _update(frame: Frame) -> Update | None:
    if frame.payload[2] != BINDING_UPDATE or len(frame.payload) < 12:
        return None
    message = frame.packet[MIP6MH_BU]
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
        lifetime=message.mhtime * 4,
    )
