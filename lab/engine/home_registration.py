"""A home registration: what a Binding Update asks for, and how it is acknowledged (RFC 6275 §9.5.4, §10.3)."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.constants import ACCEPTED_BELOW, LIFETIME_UNIT, Status
from lab.engine.config import HomeAgentConfig
from lab.wire.addresses import LINK_LOCAL_PREFIX, address_like
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress, BindingRefreshAdvice, MobilityOption
from lab.wire.packet import Packet, mobility_packet


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an acceptable Binding Update asked for, and how to answer it."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    sequence: int
    lifetime: int
    link_local: IPv6Address | None
    """The link-local address to be defended too (L bit, §10.3.1)."""
    source: IPv6Address
    """Where the acknowledgement goes, §9.5.4."""
    home_agent_address: IPv6Address

    @property
    def defended(self) -> tuple[IPv6Address, ...]:
        """The addresses that the home agent answers for on the home link."""
        return (self.home_address,) if self.link_local is None else (self.home_address, self.link_local)


def read_registration(packet: Packet, update: BindingUpdate, config: HomeAgentConfig) -> Registration:
    """Say what a Binding Update asks for, with the lifetime that it would be granted."""
    home_address = packet.home_address or packet.source
    care_of = next((o.address for o in update.options if isinstance(o, AlternateCareOfAddress)), packet.source)
    link_local = None
    if update.flags & BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY:
        link_local = address_like(home_address, LINK_LOCAL_PREFIX)
    longest = config.max_binding_lifetime // LIFETIME_UNIT * LIFETIME_UNIT
    return Registration(
        home_address=home_address,
        care_of_address=care_of,
        sequence=update.sequence,
        lifetime=min(update.lifetime, longest),  # §10.3.1: no longer than asked
        link_local=link_local,
        source=packet.source,
        home_agent_address=packet.destination,
    )


def acknowledge(registration: Registration, status: Status, sequence: int, advice: int | None) -> Packet:
    """Answer a Binding Update at its source, whether or not it asked for that (§10.3.1, §9.5.4).

    `advice` is the interval of a Binding Refresh Advice, in seconds.
    """
    lifetime = registration.lifetime if status < ACCEPTED_BELOW else 0
    if registration.care_of_address == registration.home_address:
        lifetime = 0
    options: tuple[MobilityOption, ...] = ()
    if advice is not None and advice < lifetime:  # §6.2.4: shorter than the lifetime
        options = (BindingRefreshAdvice(refresh_interval=advice),)
    acknowledgement = BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime, options=options)
    at_home = registration.source == registration.home_address
    return mobility_packet(
        registration.home_agent_address,
        registration.source,
        acknowledgement,
        routed_home_address=None if at_home else registration.home_address,
    )
