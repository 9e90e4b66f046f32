"""Which security association protects which packet (RFC 6275 §5.1, §5.4, §5.5).

Everything is looked up by home address, wherever the packet comes from or goes to; a pair of associations belongs to
one home address and one home agent. The layouts are those of RFC 3776 §3 and RFC 4877 §4.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple

from lab.auth.esp import Association
from lab.errors import IpsecError, IpsecReason
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.chain import destination, source, walk
from lab.wire.dhcpv6 import is_dhcpv6_of_link
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.mobility import (
    MOBILITY_HEADER,
    BindingAcknowledgement,
    BindingUpdate,
    BindingUpdateFlag,
    HomeTest,
    HomeTestInit,
)
from lab.wire.packet import Packet, Payload
from lab.wire.summary import name


class Protects(StrEnum):
    """What a pair of associations is for."""

    REGISTRATION = "registration"
    """Binding Updates and Acknowledgements, transport mode (§5.1)."""
    PREFIX_DISCOVERY = "prefix-discovery"
    """Mobile Prefix Solicitations and Advertisements, transport mode (§5.4)."""
    RETURN_ROUTABILITY = "return-routability"
    """Home Test Inits and Home Tests in the tunnel, tunnel mode (§5.5)."""
    PAYLOAD = "payload"
    """All else in the tunnel, and Home Test Inits and Home Tests that have no pair of their own, tunnel mode (§5.5)."""

    @property
    def tunnels(self) -> bool:
        """Whether the mode is tunnel mode."""
        return self in (Protects.RETURN_ROUTABILITY, Protects.PAYLOAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A pair of associations between a home address and a home agent."""

    home_address: IPv6Address
    home_agent: IPv6Address
    protects: Protects
    to_home_agent: Association
    from_home_agent: Association


_MH_TYPE_AT = 2


class _Subject(NamedTuple):
    protects: Protects
    to_home_agent: bool


_SUBJECTS: dict[type[Payload], _Subject] = {
    BindingUpdate: _Subject(Protects.REGISTRATION, to_home_agent=True),
    BindingAcknowledgement: _Subject(Protects.REGISTRATION, to_home_agent=False),
    MobilePrefixSolicitation: _Subject(Protects.PREFIX_DISCOVERY, to_home_agent=True),
    MobilePrefixAdvertisement: _Subject(Protects.PREFIX_DISCOVERY, to_home_agent=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelPolicy:
    """What is protected in the tunnel between one home address and one home agent, at one of its ends."""

    home_address: IPv6Address
    at_home_agent: bool
    return_routability: Protection | None = None
    payload: Protection | None = None

    @property
    def protects_anything(self) -> bool:
        """Whether any packet is sealed."""
        return self.return_routability is not None or self.payload is not None

    def outgoing(self, inner: bytes) -> Protection | None:
        """Give what must protect a packet that goes in; None lets it go plainly."""
        return self._wanted(inner, to_home_agent=not self.at_home_agent)

    def judge(self, inner: bytes, protection: Protection | None) -> None:
        """Refuse a packet that came out by another association than it must, or by none; raises `IpsecError`."""
        wanted = self._wanted(inner, to_home_agent=self.at_home_agent)
        if protection is None and wanted is not None:
            raise IpsecError(IpsecReason.UNPROTECTED, f"in the tunnel of {self.home_address}")
        if wanted is not protection:
            raise IpsecError(IpsecReason.MISUSED_ASSOCIATION, f"in the tunnel of {self.home_address}")

    def _wanted(self, inner: bytes, *, to_home_agent: bool) -> Protection | None:
        if (source(inner) if to_home_agent else destination(inner)) != self.home_address.packed:
            # No selector names what is sent to groups, MLD for example; DHCPv6 goes as other packets do (§10.4.4).
            return self.payload if is_dhcpv6_of_link(inner) else None
        if self.return_routability is not None:
            message = HomeTestInit if to_home_agent else HomeTest
            if _mobility_type(inner) == message.MH_TYPE:
                return self.return_routability
        return self.payload


class Policy:
    """The associations of a node, at one of their two ends."""

    def __init__(self, protections: Iterable[Protection], *, at_home_agent: bool, without: Without = NOTHING) -> None:
        self._at_home_agent = at_home_agent
        self._without = without
        self._protections = {(p.home_address, p.home_agent, p.protects): p for p in protections}
        self._by_spi = {self._inbound(p).spi: p for p in self._protections.values()}
        self._protects_tunnels = any(p.protects.tunnels for p in self._by_spi.values())
        self._unprotected = TunnelPolicy(home_address=IPv6Address(0), at_home_agent=at_home_agent)
        self._protects_registrations = any(p.protects is Protects.REGISTRATION for p in self._by_spi.values())

    def __bool__(self) -> bool:
        """Whether anything is protected at all."""
        return bool(self._protections)

    def __iter__(self) -> Iterator[Protection]:
        return iter(self._protections.values())

    def outbound(self, protection: Protection) -> Association:
        """Give the association of a pair by which packets go out."""
        return protection.from_home_agent if self._at_home_agent else protection.to_home_agent

    def inbound(self, spi: int) -> tuple[Protection, Association]:
        """Find the pair, and the association of it, by which a packet came in; raises `IpsecError`."""
        if (protection := self._by_spi.get(spi)) is None:
            raise IpsecError(IpsecReason.UNKNOWN_SPI, f"SPI {spi:#010x}")
        return protection, self._inbound(protection)

    def tunnel(self, home_address: IPv6Address, home_agent: IPv6Address) -> TunnelPolicy:
        """Give what is protected in a tunnel."""
        if not self._protects_tunnels:
            return self._unprotected  # one for all of them
        ends = (home_address, home_agent)
        off = Safeguard.PAYLOAD_ESP in self._without  # §15.7
        return TunnelPolicy(
            home_address=home_address,
            at_home_agent=self._at_home_agent,
            return_routability=self._protections.get((*ends, Protects.RETURN_ROUTABILITY)),
            payload=None if off else self._protections.get((*ends, Protects.PAYLOAD)),
        )

    def outgoing(self, packet: Packet) -> Protection | None:
        """Give what must protect a packet that goes out, if anything; raises `IpsecError` where that is missing."""
        protection = self._wanted(packet, to_home_agent=not self._at_home_agent)
        if protection is None and not self._at_home_agent and self._is_orphan(packet):
            raise IpsecError(IpsecReason.UNPROTECTED, f"no association with {packet.destination}")
        return protection

    def judge(self, packet: Packet, protection: Protection | None) -> None:
        """Refuse a packet that came in by another association than it must, or by none; raises `IpsecError`."""
        wanted = self._wanted(packet, to_home_agent=self._at_home_agent)
        if protection is None:
            must_be = wanted is not None or (self._at_home_agent and self._is_orphan(packet))
            if must_be and self._guard(packet) not in self._without:
                raise IpsecError(IpsecReason.UNPROTECTED, name(packet.payload))
        elif wanted is not protection and Safeguard.ASSOCIATION_CHECK not in self._without:
            # §5.1: perhaps for the home address of somebody else
            raise IpsecError(IpsecReason.MISUSED_ASSOCIATION, name(packet.payload))

    @staticmethod
    def _guard(packet: Packet) -> Safeguard:
        """Name what it is that a packet without ESP is refused for."""
        is_of_prefixes = isinstance(packet.payload, MobilePrefixAdvertisement)
        return Safeguard.PREFIX_AUTHENTICATION if is_of_prefixes else Safeguard.ESP  # §15.6, §5.1

    def _inbound(self, protection: Protection) -> Association:
        return protection.to_home_agent if self._at_home_agent else protection.from_home_agent

    def _wanted(self, packet: Packet, *, to_home_agent: bool) -> Protection | None:
        subject = _SUBJECTS.get(type(packet.payload))
        if subject is None or subject.to_home_agent is not to_home_agent:
            return None
        if to_home_agent:
            home_address, home_agent = packet.home_address or packet.source, packet.destination
        else:
            home_address, home_agent = packet.routed_home_address or packet.destination, packet.source
        return self._protections.get((home_address, home_agent, subject.protects))

    def _is_orphan(self, packet: Packet) -> bool:
        """Tell whether it is a home registration for which there is no association, where others have one (§5.1)."""
        message = packet.payload
        is_registration = isinstance(message, BindingUpdate) and message.flags & BindingUpdateFlag.HOME_REGISTRATION
        return self._protects_registrations and bool(is_registration)


def _mobility_type(octets: bytes) -> int | None:
    """Give the type of the Mobility Header that a packet carries; None if it has none."""
    chain = walk(octets)
    if chain is None or chain.next_header != MOBILITY_HEADER or len(octets) <= chain.at + _MH_TYPE_AT:
        return None
    return octets[chain.at + _MH_TYPE_AT]
