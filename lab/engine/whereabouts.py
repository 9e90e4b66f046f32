"""Where a mobile node is, as far as its correspondents are concerned (RFC 6275 §11.6, §11.7.2)."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.constants import LIFETIME_UNIT, MAX_RR_BINDING_LIFETIME
from lab.engine.io import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Nowhere:
    """No address from which correspondents could be asked anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abroad:
    """On a foreign link, the care-of address in use and told to the home agent."""

    care_of_address: IPv6Address
    valid_until: Instant
    """The end of the care-of address and the home address."""
    registered_until: Instant | None
    """The end of the binding at the home agent; None while it has acknowledged none."""
    renewal: Instant | None
    """When that binding is to be renewed."""

    def is_registered(self, now: Instant) -> bool:
        """Tell whether the home agent serves the care-of address."""
        return self.registered_until is not None and now < self.registered_until

    def is_outlived_by(self, expires: Instant) -> bool:
        """Tell whether a binding that ends then would still be there when the addresses are not (§11.4.2)."""
        return self.valid_until + LIFETIME_UNIT < expires

    def lifetime(self, asked: int, now: Instant) -> int:
        """Give the lifetime that a correspondent may be asked for (§11.7.2); 0 if there is none."""
        if self.registered_until is None:
            return 0
        left = min(asked, MAX_RR_BINDING_LIFETIME, self.registered_until - now, self.valid_until - now)
        return max(int(left) // LIFETIME_UNIT, 0) * LIFETIME_UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHomeLink:
    """At home, deregistered, the home address in use."""

    tunnelled: bool = False
    """As if at home, through the tunnel: the home address is given up, and peers shall forget where it was."""


Whereabouts: TypeAlias = Nowhere | Abroad | OnHomeLink
