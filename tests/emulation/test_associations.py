"""The associations of a network: one pair for each purpose, mobile node and home agent, as the seed has it."""

from lab.auth.ipsec_policy import Protects
from lab.emulation.associations import as_esp_sa, protections
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings

NETWORK = find_topology("home_agents_failover")()
DEFAULT = [purpose for purpose in Protects if purpose is not Protects.PAYLOAD]


def test_every_mobile_node_has_all_home_agents_of_its_home_link() -> None:
    nodes = NETWORK.node_specs.values()
    agents = [node.address for node in nodes if node.kind.value == "home-agent"]
    mobiles = [node.address for node in nodes if node.kind.value == "mobile-node"]
    assert len(agents) > 1
    made = protections(NETWORK, Settings(), 1)
    expected = [(mobile, agent, purpose) for mobile in mobiles for agent in agents for purpose in DEFAULT]
    assert [(one.home_address, one.home_agent, one.protects) for one in made] == expected


def test_settings_decide_what_is_protected() -> None:
    assert protections(NETWORK, Settings(ipsec=False), 1) == []
    made = protections(NETWORK, Settings(ipsec_payload=True), 1)
    assert {one.protects for one in made} == {*Protects}


def test_the_seed_decides_the_keys() -> None:
    made = protections(NETWORK, Settings(), 1)
    assert made == protections(NETWORK, Settings(), 1)
    other = protections(NETWORK, Settings(), 2)
    keys = [
        key
        for one in (*made, *other)
        for association in (one.to_home_agent, one.from_home_agent)
        for key in (association.integrity_key, association.encryption_key)
    ]
    assert len({*keys}) == len(keys) == 8 * len(made)
    spis = [spi for one in made for spi in (one.to_home_agent.spi, one.from_home_agent.spi)]
    assert spis == [*range(0x1001, 0x1001 + len(spis))]


def test_wireshark_s_table() -> None:
    made = protections(NETWORK, Settings(), 1)
    first, *rest = as_esp_sa(made).splitlines()
    association = made[0].to_home_agent
    assert first == (
        f'"IPv6","*","*","0x00001001","AES-CBC [RFC3602]","0x{association.encryption_key.hex()}",'
        f'"HMAC-SHA-256-128 [RFC4868]","0x{association.integrity_key.hex()}"'
    )
    assert len(rest) == 2 * len(made) - 1
