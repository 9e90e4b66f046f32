"""A home agent on a bench: Binding Updates go in, what comes out is sorted."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from lab.auth.secrets import Secrets
from lab.engine.config import HomeAgentConfig
from lab.engine.home_agent import HomeAgent
from lab.engine.io import DadSucceeded, DeadlineReached, Effect, Input, LinkUp, Received, StartDad
from lab.safeguards import NOTHING, Without
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import Packet, mobility_packet
from tests.engine.effects import of_kind, sent

AGENT = IPv6Address("2001:db8:1::1")
HOME = IPv6Address("2001:db8:1::100")
CARE_OF = IPv6Address("2001:db8:a1::2")
OTHER_CARE_OF = IPv6Address("2001:db8:a2::2")
PREFIX = IPv6Network("2001:db8:1::/64")
LINK_LOCAL = IPv6Address("fe80::100")
MAC = bytes.fromhex("020000000200")
A, H = BindingUpdateFlag.ACKNOWLEDGE, BindingUpdateFlag.HOME_REGISTRATION
L = BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY


def update(
    sequence: int = 1,
    *,
    flags: BindingUpdateFlag = A | H,
    lifetime: int = 60,
    care_of: IPv6Address = CARE_OF,
    home: IPv6Address = HOME,
    alternate: IPv6Address | None = None,
    home_address_option: bool = True,
) -> Received:
    """Make a received Binding Update."""
    options = () if alternate is None else (AlternateCareOfAddress(address=alternate),)
    message = BindingUpdate(sequence=sequence, flags=flags, lifetime=lifetime, options=options)
    packet = mobility_packet(care_of, AGENT, message, home_address=home if home_address_option else None)
    return Received(packet=packet, interface="ha-eth1")


def from_home(sequence: int, *, flags: BindingUpdateFlag = A | H, lifetime: int = 0, option: bool = False) -> Received:
    """Make a Binding Update that is sent from the home address."""
    return update(sequence, flags=flags, lifetime=lifetime, care_of=HOME, home_address_option=option)


@dataclass
class Bench:
    """A home agent with its clock."""

    config: HomeAgentConfig = field(
        default_factory=lambda: HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX,))
    )
    now: float = 1000.0
    linked: bool = True
    without: Without = NOTHING

    def __post_init__(self) -> None:
        self.agent = HomeAgent(self.config, Secrets(b"seed"), without=self.without)
        if self.linked:
            link_local = IPv6Address("fe80::1")
            self.take(LinkUp(interface="ha-eth0", link_layer_address=MAC, link_local_address=link_local))

    def take(self, happened: Input) -> list[Effect]:
        """Hand one input over."""
        return [*self.agent.handle(happened, self.now)]

    def register(self, sequence: int = 1, **fields: Any) -> list[Effect]:
        """Register, with Duplicate Address Detection coming out well."""
        effects = self.take(update(sequence, **fields))
        for started in of_kind(effects, StartDad):
            effects += self.take(DadSucceeded(address=started.address))
        return effects

    def pass_time(self, seconds: float) -> list[Effect]:
        """Let time pass, stopping at every deadline on the way."""
        end = self.now + seconds
        effects: list[Effect] = []
        while (due := self.agent.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            effects += self.take(DeadlineReached())
        self.now = end
        return effects

    def states(self) -> dict[str, str]:
        """Home addresses and their states."""
        return {entry["home_address"]: entry["state"] for entry in self.agent.snapshot(self.now)}


def acknowledgements(effects: list[Effect]) -> list[tuple[Packet, BindingAcknowledgement]]:
    """Pick the Binding Acknowledgements with their packets."""
    return [(p, p.payload) for p in sent(effects) if isinstance(p.payload, BindingAcknowledgement)]


def status(effects: list[Effect]) -> int:
    """Give the status of the one acknowledgement."""
    ((_, message),) = acknowledgements(effects)
    return message.status
