"""Addresses made from other addresses (RFC 4291, RFC 4862, RFC 2526), and which of them RFC 6275 lets be bound."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

UNSPECIFIED = IPv6Address("::")
ALL_NODES = IPv6Address("ff02::1")
ALL_ROUTERS = IPv6Address("ff02::2")
ALL_MLDV2_ROUTERS = IPv6Address("ff02::16")
LINK_LOCAL_PREFIX = IPv6Network("fe80::/64")

_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))
_HOME_AGENTS = 0x7E
"""The reserved anycast identifier of home agents, RFC 2526 §3."""

_GLOBAL_UNICAST, _GLOBAL_UNICAST_SHIFT = 0b001, 125
"""The first bits of all global unicast addresses that are given out (RFC 4291 §2.4)."""
_NOT_ROUTABLE = tuple(
    (int(network.network_address), int(network.netmask))
    for network in (
        IPv6Network("ff00::/8"),  # multicast
        IPv6Network("fe80::/10"),  # link-local
        IPv6Network("fec0::/10"),  # site-local, deprecated by RFC 3879
        IPv6Network("::/96"),  # unspecified, loopback, IPv4-compatible
        IPv6Network("::ffff:0:0/96"),  # IPv4-mapped
    )
)

_MULTICAST, _LINK_SCOPE, _GLOBAL_SCOPE = 0xFF, 2, 0xE


def solicited_node(address: IPv6Address) -> IPv6Address:
    """Return the solicited-node multicast address, RFC 4291 §2.7.1."""
    return IPv6Address(_SOLICITED_NODE | int(address) & 0xFF_FFFF)


def interface_identifier(mac: bytes) -> int:
    """Return the 64-bit interface identifier that a MAC address of 6 octets gives, RFC 4291 appendix A."""
    if len(mac) != 6:
        raise ValueError(f"a MAC address has 6 octets, not {len(mac)}")
    return int.from_bytes(mac[:3] + b"\xff\xfe" + mac[3:]) ^ 0x0200_0000_0000_0000


def address_from(prefix: IPv6Network, identifier: int) -> IPv6Address:
    """Join a prefix and an interface identifier, RFC 4291 §2.5.1; ValueError if the identifier does not fit."""
    if identifier & ~int(prefix.hostmask):
        raise ValueError(f"interface identifier {identifier:#x} does not fit behind {prefix}")
    return IPv6Address(int(prefix.network_address) | identifier)


def address_like(address: IPv6Address, prefix: IPv6Network) -> IPv6Address:
    """Return the address of a prefix that ends as another address does behind its own."""
    return address_from(prefix, int(address) & int(prefix.hostmask))


@lru_cache(maxsize=256)  # an interface that comes up again has the one that it had
def link_local(mac: bytes) -> IPv6Address:
    """Return the link-local address that a MAC address gives, RFC 4862 §5.3."""
    return address_from(LINK_LOCAL_PREFIX, interface_identifier(mac))


def home_agents_anycast(prefix: IPv6Network) -> IPv6Address:
    """Return the Mobile IPv6 Home-Agents anycast address of a home prefix, RFC 2526 §2."""
    if prefix.prefixlen <= 64:
        return address_from(prefix, 0xFDFF_FFFF_FFFF_FF80 | _HOME_AGENTS)  # an EUI-64 of local scope
    return address_from(prefix, int(prefix.hostmask) & ~0x7F | _HOME_AGENTS)


def is_unicast_routable(address: IPv6Address) -> bool:
    """Tell whether an address may be a home or care-of address, RFC 6275 §6.1.7, §6.3."""
    number = int(address)
    if number >> _GLOBAL_UNICAST_SHIFT == _GLOBAL_UNICAST:
        return True
    return all(number & mask != network for network, mask in _NOT_ROUTABLE)


def is_wider_than_link(address: bytes) -> bool:
    """Tell of 16 octets whether they are a multicast address whose scope goes beyond a link, RFC 4291 §2.7."""
    return address[0] == _MULTICAST and address[1] & 0xF > _LINK_SCOPE


def is_global_group(address: IPv6Address) -> bool:
    """Tell whether an address is a multicast address of global scope, RFC 4291 §2.7; scope F counts as one."""
    return address.packed[0] == _MULTICAST and address.packed[1] & 0xF >= _GLOBAL_SCOPE
