"""Addresses made from other addresses."""

from ipaddress import IPv6Address, IPv6Network

import pytest

from lab.wire.addresses import (
    address_from,
    home_agents_anycast,
    interface_identifier,
    is_unicast_routable,
    link_local,
    solicited_node,
)

MAC = bytes.fromhex("021122334455")


def test_solicited_node() -> None:
    assert solicited_node(IPv6Address("2001:db8::1:2aa:3bcc")) == IPv6Address("ff02::1:ffaa:3bcc")


def test_interface_identifier_inverts_the_universal_bit() -> None:
    assert interface_identifier(MAC) == 0x001122FFFE334455
    assert interface_identifier(bytes.fromhex("001122334455")) == 0x021122FFFE334455
    assert link_local(MAC) == IPv6Address("fe80::11:22ff:fe33:4455")


def test_interface_identifier_wants_a_mac_address() -> None:
    with pytest.raises(ValueError, match="6 octets, not 8"):
        interface_identifier(bytes(8))


def test_address_from_prefix_and_identifier() -> None:
    prefix = IPv6Network("2001:db8:1::/64")
    assert address_from(prefix, 0x100) == IPv6Address("2001:db8:1::100")
    with pytest.raises(ValueError, match="does not fit"):
        address_from(prefix, 1 << 64)


@pytest.mark.rfc6275("10.5-a")
@pytest.mark.parametrize(
    ("prefix", "anycast"),
    [
        ("2001:db8:1::/64", "2001:db8:1:0:fdff:ffff:ffff:fffe"),
        ("2001:db8:1::/48", "2001:db8:1:0:fdff:ffff:ffff:fffe"),
        ("2001:db8:1::/112", "2001:db8:1::fffe"),
        ("2001:db8:1::/96", "2001:db8:1::ffff:fffe"),
    ],
)
def test_home_agents_anycast(prefix: str, anycast: str) -> None:
    assert home_agents_anycast(IPv6Network(prefix)) == IPv6Address(anycast)


@pytest.mark.rfc6275("6.1.7-b", "6.3-b")
@pytest.mark.parametrize(
    ("address", "routable"),
    [
        ("2001:db8::1", True),
        ("fd00::1", True),
        ("fcff::1", True),
        ("1::", True),
        ("::", False),
        ("::1", False),
        ("::192.0.2.1", False),
        ("::ffff:192.0.2.1", False),
        ("fe80::1", False),
        ("febf::1", False),
        ("fec0::1", False),
        ("feff::1", False),
        ("ff02::1", False),
        ("ff0e::1", False),
    ],
)
def test_is_unicast_routable(address: str, routable: bool) -> None:
    assert is_unicast_routable(IPv6Address(address)) is routable
