"""Where a mobile node is, and where that leaves each of its home addresses (RFC 6275 §11.5)."""

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import TypeAlias

from lab.engine.care_of_address import CareOfAddress
from lab.engine.movement import Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattached:
    """No router has been found yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeLink:
    """On the home link: a router advertises a home prefix (§11.5.2)."""

    router: Router
    prefix: IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """On the home link without a binding: the home address is being tested before it is used (RFC 4862)."""

    router: Router


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHome:
    """On the home link, the home address in use."""

    router: Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """On the home link while the home agent may still defend the home address (§11.5.5)."""

    router: Router
    suspected: bool = False
    """Nothing is known of a binding but that the home agent defends the home address: since before a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """On a foreign link; `usable` once the care-of address may be a source (RFC 4429 or RFC 4862)."""

    care_of: CareOfAddress
    usable: bool


Attachment: TypeAlias = Unattached | HomeLink | Away
"""Of the node."""
Place: TypeAlias = Unattached | Settling | AtHome | Returning | Away
"""Of a home address."""
