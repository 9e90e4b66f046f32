"""What an administrator decides for an engine. Durations in seconds."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network

from lab.constants import (
    INITIAL_BINDACK_TIMEOUT_FIRST_REG,
    MAX_DELETE_BCE_TIMEOUT,
    MAX_MOB_PFX_ADV_INTERVAL,
    MAX_NONCE_LIFETIME,
    MAX_RR_BINDING_LIFETIME,
    MIN_MOB_PFX_ADV_INTERVAL,
)


class DadMode(StrEnum):
    """When a care-of address may be used: at once (RFC 4429), or after Duplicate Address Detection (RFC 4862)."""

    OPTIMISTIC = "optimistic"
    STANDARD = "standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrespondentConfig:
    """A correspondent node."""

    route_optimisation: bool = True
    """Off: test inits go unanswered and Binding Updates are ignored (§8.2)."""
    refused: tuple[IPv6Network, ...] = ()
    """Home addresses that are refused with status 129."""
    max_bindings: int | None = None
    """Beyond it, status 130, or with `evict` the binding that ends first makes room (§9.6)."""
    evict: bool = False
    max_binding_lifetime: int = int(MAX_RR_BINDING_LIFETIME)
    """Granted at most, a multiple of 4 up to MAX_RR_BINDING_LIFETIME."""
    nonce_lifetime: float = MAX_NONCE_LIFETIME
    """How long the tokens of a nonce are taken, at most MAX_NONCE_LIFETIME (§5.2.7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentConfig:
    """A home agent on one home link."""

    interface: str
    address: IPv6Address
    home_prefixes: tuple[IPv6Network, ...]
    """Those that are served until Router Advertisements of the home link end them, or add others (§10.6.1)."""
    max_binding_lifetime: int = 3600
    refresh_advice: int | None = None
    """Seconds for a Binding Refresh Advice in each acknowledgement, §6.2.4; None sends none."""
    allowed: tuple[IPv6Address, ...] | None = None
    """Home addresses that are served; None serves every one of the home prefixes (else status 133)."""
    refused: tuple[IPv6Network, ...] = ()
    """Home addresses that are refused with status 129."""
    refused_care_of: tuple[IPv6Network, ...] = ()
    """Care-of addresses that are refused with status 129."""
    max_bindings: int | None = None
    """Beyond it, status 130."""
    delete_timeout: float = MAX_DELETE_BCE_TIMEOUT
    """How long a deregistered binding keeps its sequence number, at most MAX_DELETE_BCE_TIMEOUT (§10.3.2)."""
    preference: int = 0
    """Of this home agent among those of the home link, as its Router Advertisements tell it (§7.4)."""
    min_mob_pfx_adv_interval: float = MIN_MOB_PFX_ADV_INTERVAL
    """So long a mobile node is not told of a change of prefixes, unless it asks (§10.6.2)."""
    max_mob_pfx_adv_interval: float = MAX_MOB_PFX_ADV_INTERVAL
    """After so long without an advertisement it is told anyway."""
    dhcpv6_servers: tuple[IPv6Address, ...] = ()
    """To which DHCPv6 out of tunnels is relayed; without any, no answer comes (§10.4.4)."""
    correspondent: CorrespondentConfig = CorrespondentConfig()
    """What it offers as a correspondent of mobile nodes, as every node does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileNodeConfig:
    """A mobile node with one interface."""

    interface: str
    home_address: IPv6Address
    home_prefix: IPv6Network
    further_home_addresses: tuple[IPv6Address, ...] = ()
    """On the same home link, each from the /64 prefix that it begins with."""
    home_agent: IPv6Address | None = None
    """None has it discovered: by Router Advertisements at home, by asking the home link while away (§11.4.1)."""
    home_agent_attempts: int = 3
    """Time-outs of Binding Updates in a row after which the home agent is given up for another."""
    lifetime: int = 60
    """Asked for in a home registration, a multiple of 4."""
    dad: DadMode = DadMode.OPTIMISTIC
    first_bindack_timeout: float = INITIAL_BINDACK_TIMEOUT_FIRST_REG
    initial_sequence: int = 0
    route_optimisation: bool = True
    """Whether direct paths are tried with peers that no list names (§11.6.1)."""
    optimised: tuple[IPv6Network, ...] = ()
    """Peers with which direct paths are always tried."""
    not_optimised: tuple[IPv6Network, ...] = ()
    """Peers with which they never are; a longer prefix in either list counts more."""
    binding_lifetime: int = int(MAX_RR_BINDING_LIFETIME)
    """Asked of correspondents, a multiple of 4 up to MAX_RR_BINDING_LIFETIME."""
    acknowledged_registrations: bool = True
    """Off: correspondents need not acknowledge but deletions, and packets go straight at once (§11.7.2)."""
    dhcpv6: bool = False
    """Whether what DHCPv6 clients say on the tunnel device goes to the home agent (§10.4.4)."""
    correspondent: CorrespondentConfig = CorrespondentConfig()
    """What it offers as a correspondent of other mobile nodes."""
