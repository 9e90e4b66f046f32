"""Renumbering a link while nodes are on it, and away from it (RFC 4192; RFC 6275 §10.6)."""

from collections.abc import Sequence

from lab.emulation.node import LabNode
from lab.emulation.spec import Kind, LinkSpec, PrefixSpec
from lab.wire.addresses import address_like


def renumber(nodes: Sequence[LabNode], link: LinkSpec, prefixes: Sequence[PrefixSpec]) -> None:
    """Give a link prefixes in place of those that it had: addresses and routes first, then what is advertised.

    Addresses and routes of prefixes that are left out stay, as nothing would end the sessions that use them.
    """
    for node in nodes:
        if node.spec.kind is not Kind.MOBILE_NODE:
            _reach(node, link, prefixes)
    for node in nodes:
        if link in node.spec.advertises:
            node.advertise(link, prefixes)


def _reach(node: LabNode, link: LinkSpec, prefixes: Sequence[PrefixSpec]) -> None:
    plug, hop = node.spec.plug_on(link), node.spec.routes.get(link.prefix)
    netlink = node.namespace.netlink
    with netlink.batch():
        for prefix in prefixes:
            if plug is not None and plug.address is not None:
                netlink.add_address(plug.index, address_like(plug.address, prefix.network), prefix.network.prefixlen)
            elif hop is not None:
                netlink.add_route(prefix.network, via=hop)
