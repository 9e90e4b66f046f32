"""The tables `[[ipsec]]` of a node: what is right is read, what is wrong is named, and no key is ever shown."""

import json
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.esp import Association
from lab.auth.ipsec_policy import Protection, Protects
from lab.daemon.config import NodeConfig, parse
from lab.emulation.associations import as_tables
from lab.errors import ConfigError
from lab.templating import render
from tests.auth.protections import AGENT, HOME, OTHER_HOME, PAYLOAD, PREFIXES, REGISTRATION, TESTS, protection
from tests.daemon.test_config import FILE, TABLES, complaint, written

INTEGRITY_KEY, ENCRYPTION_KEY = "5ec4e7" * 10 + "5ec4", "c0ffee" * 5 + "c0"
NODES = ("mobile_node", "home_agent")


def pair(**changes: str | None) -> str:
    """Write a pair of associations; changes are of the pair, or of the association to the home agent."""
    selectors = {"home_address": f'"{HOME}"', "home_agent": f'"{AGENT}"', "protects": '"registration"'}
    keys = {"spi": "0x1001", "integrity_key": f'"{INTEGRITY_KEY}"', "encryption_key": f'"{ENCRYPTION_KEY}"'}
    back = keys | {"spi": "0x1002"}
    for key, value in changes.items():
        table = selectors if key in selectors else keys
        table.pop(key, None)
        if value is not None:
            table[key] = value
    tables = (("[ipsec]", selectors), ("ipsec.to_home_agent", keys), ("ipsec.from_home_agent", back))
    return "\n".join(
        line
        for name, table in tables
        for line in (f"\n[{name}]", *(f"{key} = {value}" for key, value in table.items()))
    )


def refusal(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    said = str(caught.value)
    assert INTEGRITY_KEY[:8] not in said + repr(caught.value)
    assert ENCRYPTION_KEY[:8] not in said + repr(caught.value)
    return said


def config(table: str, *pairs: str) -> NodeConfig:
    return parse(written(table) + "".join(pairs), FILE)


@pytest.mark.rfc6275("15.3-b")
@pytest.mark.parametrize("table", NODES)
def test_the_same_tables_are_read_at_both_ends(table: str) -> None:
    (read,) = config(table, pair()).ipsec
    keys = {"integrity_key": bytes.fromhex(INTEGRITY_KEY), "encryption_key": bytes.fromhex(ENCRYPTION_KEY)}
    assert read == Protection(
        home_address=HOME,
        home_agent=AGENT,
        protects=Protects.REGISTRATION,
        to_home_agent=Association(spi=0x1001, **keys),
        from_home_agent=Association(spi=0x1002, **keys),
    )


@pytest.mark.rfc6275("5.1-a")
def test_encryption_may_be_left_out_and_authentication_may_not() -> None:
    """Integrity is a MUST, encryption a SHOULD (RFC 6275 §5.1, §5.4)."""
    (read,) = config("mobile_node", pair(encryption_key=None)).ipsec
    assert read.to_home_agent.encryption_key == b""
    assert refusal(written("mobile_node") + pair(integrity_key=None)).endswith("integrity_key: Field required")
    assert "32 octets are needed" in refusal(written("mobile_node") + pair(integrity_key='""'))


def test_without_tables_there_are_no_associations() -> None:
    assert config("mobile_node").ipsec == ()


@pytest.mark.parametrize("table", NODES)
def test_what_the_lab_writes_is_read(table: str) -> None:
    made = [REGISTRATION, PREFIXES, TESTS, PAYLOAD]
    text = render(
        "node.toml.j2",
        name="n",
        role=table.replace("_", "-"),
        plane="user",
        journal="-",
        control="/run/n.sock",
        state="",
        table=table,
        encapsulation_limit=4,
        options={"interface": "eth0"},
        ipsec=[as_tables(one) for one in made],
    )
    text = text.replace('interface = "eth0"', "\n".join(f"{key} = {value}" for key, value in TABLES[table].items()))
    assert parse(text, FILE).ipsec == (*made,)


@pytest.mark.parametrize(
    ("table", "pairs", "said"),
    [
        (
            "mobile_node",
            pair(home_address=f'"{OTHER_HOME + 1}"'),
            "0.home_address: 2001:db8:1::102 is not a home",
        ),
        ("home_agent", pair(home_agent='"2001:db8:1::2"'), "0.home_agent: 2001:db8:1::2 is not the address of this"),
        ("mobile_node", pair(home_agent='"ff02::1"'), "0.home_agent: ff02::1 is not a unicast routable address"),
        ("mobile_node", pair() + pair(), "1.protects: registration of 2001:db8:1::100 is protected twice"),
        ("home_agent", pair() + pair(protects='"payload"'), "1: SPI 0x1001 of packets that come in is used twice"),
        ("mobile_node", pair() + pair(protects='"payload"'), "1: SPI 0x1002 of packets that come in is used twice"),
        ("mobile_node", pair(protects='"everything"'), "0.protects: Input should be 'registration', 'prefix-disc"),
        ("mobile_node", pair(spi="255"), "0.to_home_agent.spi: from 256 to 4294967295"),
        ("mobile_node", pair(spi="0x100000000"), "0.to_home_agent.spi: from 256 to 4294967295"),
        ("mobile_node", pair(spi='"1"'), "0.to_home_agent.spi: "),
        ("mobile_node", pair(integrity_key='"5ec4e75ec4e7"'), "0.to_home_agent.integrity_key: 32 octets are needed"),
        ("mobile_node", pair(encryption_key='"c0ffeec0ffee"'), "0.to_home_agent.encryption_key: 16, 24 or 32 octets"),
        ("mobile_node", pair(encryption_key=f'"{ENCRYPTION_KEY}zz"'), "0.to_home_agent.encryption_key: Data should be"),
        ("mobile_node", pair(encryption_key="12648430"), "0.to_home_agent.encryption_key: "),
        ("mobile_node", pair(integrity_key=f'["{INTEGRITY_KEY}"]'), "0.to_home_agent.integrity_key: "),
        ("mobile_node", pair(key="1"), "0.to_home_agent.key: unknown key"),
        ("mobile_node", pair(home_address=None), "0.home_address: Field required"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: str, pairs: str, said: str) -> None:
    assert refusal(written(table) + pairs).startswith(f"{FILE}: ipsec.{said}")


def test_correspondents_have_no_associations() -> None:
    said = refusal(written("correspondent") + pair())
    assert said == f"{FILE}: ipsec: only home agents and mobile nodes have associations"


def test_a_table_is_an_array() -> None:
    assert refusal(written("mobile_node") + f'\n[ipsec]\nintegrity_key = "{INTEGRITY_KEY}"').startswith(
        f"{FILE}: ipsec"
    )


def test_keys_are_not_shown() -> None:
    assert INTEGRITY_KEY[:8] not in repr(config("mobile_node", pair()))
    assert bytes.fromhex(INTEGRITY_KEY)[:3] not in repr(config("mobile_node", pair())).encode()


def test_a_mobile_node_may_have_several_home_agents() -> None:
    other = pair(home_agent='"2001:db8:1::2"').replace("0x1001", "0x1003").replace("0x1002", "0x1004")
    agents = {one.home_agent for one in config("mobile_node", pair(), other).ipsec}
    assert agents == {AGENT, IPv6Address("2001:db8:1::2")}
    assert protection(Protects.REGISTRATION).home_agent == AGENT


@given(
    st.sampled_from(["home_address", "home_agent", "protects", "spi", "integrity_key", "encryption_key"]),
    st.one_of(
        st.integers(), st.floats(), st.booleans(), st.dates(), st.just([]), st.sampled_from(['""', '"00"', "{}"])
    ),
)
def test_no_value_raises_anything_else(key: str, value: object) -> None:
    said = complaint(written("mobile_node") + pair(**{key: str(value)}))
    assert said == "" or said.startswith(f"{FILE}: ")


# Very many


def test_a_file_may_hold_more_of_them(tmp_path: Path) -> None:
    file = tmp_path / "associations.json"
    keys = {"integrity_key": INTEGRITY_KEY, "encryption_key": ENCRYPTION_KEY}
    more = {
        "home_address": str(OTHER_HOME),
        "home_agent": str(AGENT),
        "protects": "registration",
        "to_home_agent": {"spi": 0x2001, **keys},
        "from_home_agent": {"spi": 0x2002, **keys},
    }
    file.write_text(json.dumps([more]), encoding="ascii")
    read = parse(f'associations = "{file}"\n' + written("home_agent") + pair(), FILE).ipsec
    assert [(each.home_address, each.to_home_agent.spi) for each in read] == [(HOME, 0x1001), (OTHER_HOME, 0x2001)]
    file.write_text(json.dumps([more, more]), encoding="ascii")
    assert "ipsec.2.protects: registration of " in refusal(
        f'associations = "{file}"\n' + written("home_agent") + pair()
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "not JSON: "),
        (b"\xff", "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b"{}", "not an array, as of the tables [[ipsec]]"),
        (b"[5]", "ipsec.0: "),
        (b'[{"protect": "registration"}]', "ipsec.0.protect: unknown key; did you mean ipsec.0.protects?"),
    ],
    ids=str,
)
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    file = tmp_path / "associations.json"
    if content is not None:
        file.write_bytes(content)
    assert complaint in refusal(f'associations = "{file}"\n' + written("home_agent"))


def test_a_path_that_is_none_is_refused() -> None:
    assert "associations" in refusal('associations = ""\n' + written("home_agent"))
