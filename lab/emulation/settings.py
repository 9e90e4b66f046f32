"""What can be set for a run by `--set key=value`."""

import dataclasses
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lab.constants import (
    ENCAPSULATION_LIMIT,
    LARGEST_ENCAPSULATION_LIMIT,
    LIFETIME_UNIT,
    MAX_LIFETIME,
    MAX_NONCE_LIFETIME,
    MAX_RR_BINDING_LIFETIME,
)
from lab.daemon.config import SHORTEST_NONCE_LIFETIME, PlaneName
from lab.engine.config import DadMode
from lab.errors import ConfigError

SHORTEST_RA_INTERVAL, LONGEST_RA_INTERVAL = 0.05, 1285.0
"""A MaxRtrAdvInterval of 1.4 times this is at most 1800 seconds (RFC 4861 §6.2.1)."""
SMALLEST_FLOOD = 10_000
"""Fewer packets are none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of a network and its nodes; durations in seconds."""

    ra_interval: float = 0.05
    """Mean time between unsolicited Router Advertisements (RFC 6275 §7.5 allows 0.03 to 0.07)."""
    ra_unicast: bool = True
    """Answer Router Solicitations by unicast, at once (RFC 4861 §6.2.6 allows both)."""
    dad: DadMode = DadMode.OPTIMISTIC
    """`optimistic` (RFC 4429): a care-of address is used while it is tested; `standard`: after it (RFC 4862)."""
    lifetime: int = 60
    """Asked for in home registrations, a multiple of 4."""
    outage: float = 0.01
    """Time without carrier in a move."""
    hint: bool = False
    """Moves without loss of carrier, told to the node by its link layer."""
    ro: bool = True
    """Route optimisation between mobile nodes and correspondents (RFC 6275 §11.3.1)."""
    ro_lifetime: int = 420
    """Asked for in registrations with correspondents, a multiple of 4 up to MAX_RR_BINDING_LIFETIME."""
    nonce_lifetime: float = MAX_NONCE_LIFETIME
    """How long correspondents take the tokens of a nonce, at most MAX_NONCE_LIFETIME (RFC 6275 §5.2.7)."""
    encapsulation_limit: int = ENCAPSULATION_LIMIT
    """How many more tunnels may carry what a tunnel carries already (RFC 2473 §4.1.1)."""
    ipsec: bool = True
    """Mobile nodes and home agents have security associations, keyed by hand (RFC 6275 §5.1)."""
    ipsec_payload: bool = False
    """The associations protect all packets in tunnels (RFC 6275 §5.5)."""
    offloads: bool = True
    """Interfaces hand large segments, and packets without their checksums, to each other; off: as on a real wire."""
    flood: int = 10_000
    """Packets of an attacker who floods somebody (RFC 6275 §15.4.5)."""
    plane: PlaneName = PlaneName.AUTO
    """The data plane of the nodes; `auto` is the fastest that this machine allows."""

    @property
    def min_ra_interval(self) -> float:
        """The MinRtrAdvInterval that goes with `ra_interval`."""
        return round(max(0.03, self.ra_interval * 0.6), 3)

    @property
    def max_ra_interval(self) -> float:
        """The MaxRtrAdvInterval that goes with `ra_interval`."""
        return round(max(0.07, self.ra_interval * 1.4), 3)


def settings_from(assignments: Iterable[str], base: Settings | None = None) -> Settings:
    """Read `key=value` words; raises `ConfigError` that lists what can be set."""
    base = Settings() if base is None else base
    known = {field.name: field for field in dataclasses.fields(Settings)}
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: write it as key=value; keys: {', '.join(known)}")
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"keys: {', '.join(known)}"
            raise ConfigError(f"--set {assignment}: unknown key {key!r}; {hint}")
        values[key] = _convert(key, text, getattr(base, key))
    return _checked(dataclasses.replace(base, **values))


def _convert(key: str, text: str, default: Any) -> Any:
    try:
        match default:
            case bool():
                return {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}[text.lower()]
            case _:
                return type(default)(text)
    except (ValueError, KeyError) as error:
        wanted = "on or off" if isinstance(default, bool) else type(default).__name__
        if isinstance(default, StrEnum):
            wanted = " or ".join(type(default))
        raise ConfigError(f"--set {key}={text}: not a value for {key}: {wanted} is wanted") from error


def _checked(settings: Settings) -> Settings:
    if not SHORTEST_RA_INTERVAL <= settings.ra_interval <= LONGEST_RA_INTERVAL:
        raise ConfigError(f"ra_interval: from {SHORTEST_RA_INTERVAL} to {LONGEST_RA_INTERVAL} seconds (RFC 6275 §7.5)")
    if settings.lifetime % LIFETIME_UNIT or not LIFETIME_UNIT <= settings.lifetime <= MAX_LIFETIME:
        raise ConfigError(f"lifetime: a multiple of {LIFETIME_UNIT} seconds, from {LIFETIME_UNIT} to {MAX_LIFETIME}")
    if settings.ro_lifetime % LIFETIME_UNIT or not LIFETIME_UNIT <= settings.ro_lifetime <= MAX_RR_BINDING_LIFETIME:
        longest = f"{MAX_RR_BINDING_LIFETIME:g}"
        raise ConfigError(f"ro_lifetime: a multiple of {LIFETIME_UNIT} seconds, from {LIFETIME_UNIT} to {longest}")
    if not SHORTEST_NONCE_LIFETIME <= settings.nonce_lifetime <= MAX_NONCE_LIFETIME:
        raise ConfigError(f"nonce_lifetime: from {SHORTEST_NONCE_LIFETIME:g} to {MAX_NONCE_LIFETIME:g} seconds")
    if not 0.002 <= settings.outage <= 60:
        raise ConfigError("outage: from 0.002 (shorter ones go unseen by the kernel) to 60 seconds")
    if settings.flood < SMALLEST_FLOOD:
        raise ConfigError(f"flood: at least {SMALLEST_FLOOD} packets")
    if not 0 <= settings.encapsulation_limit <= LARGEST_ENCAPSULATION_LIMIT:
        raise ConfigError(f"encapsulation_limit: from 0 to {LARGEST_ENCAPSULATION_LIMIT}")
    if settings.ipsec_payload and not settings.ipsec:
        raise ConfigError("ipsec_payload: needs ipsec=on")
    return settings
