"""Security associations of a network, keyed by hand; the hand draws the keys from the seed of the run.

In a laboratory no key is a secret: Wireshark is given all of them.
"""

import itertools
from collections.abc import Iterable
from typing import Any

from lab.auth.esp import INTEGRITY_KEY_OCTETS, Association
from lab.auth.ipsec_policy import Protection, Protects
from lab.auth.secrets import Secrets
from lab.emulation.settings import Settings
from lab.emulation.spec import Declaration, Kind

FIRST_SPI = 0x1001
ENCRYPTION_KEY_OCTETS = 16
ESP_SA = "esp_sa"
"""The name by which Wireshark keeps its table "ESP SAs"."""


def protections(topology: Declaration, settings: Settings, seed: int) -> list[Protection]:
    """Make the associations of every home address with every home agent of its home link."""
    secrets = Secrets(str(seed).encode())
    spis = itertools.count(FIRST_SPI)

    def association() -> Association:
        return Association(
            spi=next(spis),
            integrity_key=secrets.octets(INTEGRITY_KEY_OCTETS),
            encryption_key=secrets.octets(ENCRYPTION_KEY_OCTETS),
        )

    wanted = [kind for kind in Protects if settings.ipsec and (kind is not Protects.PAYLOAD or settings.ipsec_payload)]
    nodes = topology.node_specs.values()
    return [
        Protection(
            home_address=home_address,
            home_agent=agent.address,
            protects=kind,
            to_home_agent=association(),
            from_home_agent=association(),
        )
        for node in nodes
        for home_address in (*node.home_addresses, *node.expected_home_addresses)
        for agent in nodes
        if agent.kind is Kind.HOME_AGENT and agent.home == node.home
        for kind in wanted
    ]


def as_tables(protection: Protection) -> dict[str, dict[str, Any]]:
    """Give the tables `[[ipsec]]` of a node's configuration that stand for a pair of associations."""
    tables = as_object(protection)
    return {"[ipsec]": tables} | {f"ipsec.{name}": tables.pop(name) for name in ("to_home_agent", "from_home_agent")}


def as_object(protection: Protection) -> dict[str, Any]:
    """Give a pair of associations as files for the key `associations` have it."""
    return {
        "home_address": str(protection.home_address),
        "home_agent": str(protection.home_agent),
        "protects": protection.protects.value,
        "to_home_agent": _as_table(protection.to_home_agent),
        "from_home_agent": _as_table(protection.from_home_agent),
    }


def as_esp_sa(made: Iterable[Protection]) -> str:
    """Write Wireshark's table of associations, with which it looks into what they seal."""
    associations = [one for pair in made for one in (pair.to_home_agent, pair.from_home_agent)]
    return "".join(
        f'"IPv6","*","*","{one.spi:#010x}",'
        f'"AES-CBC [RFC3602]","0x{one.encryption_key.hex()}",'
        f'"HMAC-SHA-256-128 [RFC4868]","0x{one.integrity_key.hex()}"\n'
        for one in associations
    )


def _as_table(association: Association) -> dict[str, Any]:
    return {
        "spi": association.spi,
        "encryption_key": association.encryption_key.hex(),
        "integrity_key": association.integrity_key.hex(),
    }
