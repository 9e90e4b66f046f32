"""Forming care-of addresses by stateless autoconfiguration, RFC 6275 §11.5.3."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network

from lab.engine.io import Instant
from lab.engine.movement import Router, network_of
from lab.wire.addresses import address_from, interface_identifier

INFINITE_LIFETIME = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfAddress:
    """An address on a foreign link, with the router by which it is used."""

    address: IPv6Address
    network: IPv6Network
    router: Router
    valid_until: Instant
    collisions: int
    """How many addresses of this link turned out to be somebody else's."""


def form(router: Router, link_layer_address: bytes, collisions: int, now: Instant) -> CareOfAddress:
    """Form the address on a router's first prefix; after a collision another interface identifier is derived."""
    prefix = router.prefixes[0]
    network = network_of(prefix)
    identifier = interface_identifier(link_layer_address)
    if collisions:  # in the manner of RFC 7217: stable for the prefix, different for each collision
        seed = network.network_address.packed + link_layer_address + collisions.to_bytes(4, "big")
        identifier = int.from_bytes(hashlib.sha256(seed).digest()[:8], "big")
    return CareOfAddress(
        address=address_from(network, identifier),
        network=network,
        router=router,
        valid_until=valid_until(prefix.valid_lifetime, now),
        collisions=collisions,
    )


def valid_until(lifetime: int, now: Instant) -> Instant:
    """Turn a prefix lifetime into an instant."""
    return float("inf") if lifetime == INFINITE_LIFETIME else now + lifetime
