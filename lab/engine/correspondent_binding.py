"""The states of a binding at a correspondent node (RFC 6275 §5.2.8, §9.1)."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.engine.io import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A binding in force."""

    care_of_address: IPv6Address
    own_address: IPv6Address
    """The address that the mobile node registered with."""
    sequence: int
    lifetime: int
    """As granted, in seconds."""
    expires: Instant
    replayable_until: Instant
    """Until then a Binding Update that was accepted before could still be authentic (§5.2.8)."""
    deadline: Instant
    """When to ask for a refresh, or `expires`."""
    requests: int = 0
    """Binding Refresh Requests sent for it."""
    unreachable: int = 0
    """ICMPv6 errors about its care-of address in a row (§9.3.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """No binding; the sequence number is kept as long as an old Binding Update could be replayed (§5.2.8)."""

    sequence: int
    deadline: Instant


State: TypeAlias = Bound | Ended
