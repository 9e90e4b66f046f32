"""Whether this kernel has what the plane `kernel` needs, found by trying it."""

from ipaddress import IPv6Address

from lab.netlink import TUNNEL_NAMES, Netlink
from lab.plane import packet_filter, sysctl
from lab.plane.host import ANYWHERE
from lab.plane.kernel.devices import PASSED
from lab.plane.kernel.gate import Judged, gate
from lab.plane.kernel.wanted import Table, parts, policies
from lab.xfrm.kernel import Xfrm

_HOME, _OWN, _CARE_OF = (IPv6Address(f"2001:db8:6275::{number}") for number in (1, 2, 3))
_MARK, _TABLE, _PRIORITY = 6275, 6271, 860


def probe() -> None:
    """Make one of each thing, and remove it, in the network namespace of the caller; raises `PlaneError`."""
    _try_mobile_ipv6()
    with Netlink() as netlink:
        netlink.add_detour(_MARK, PASSED, table=_TABLE, priority=_PRIORITY)
        try:
            _try_tunnel(netlink)
        finally:
            netlink.remove_detour(PASSED, priority=_PRIORITY)


def _try_mobile_ipv6() -> None:
    """Make states and policies: XFRM_USER, XFRM_SUB_POLICY and IPV6_MIP6."""
    table = Table(own=frozenset({_OWN}), bindings={_HOME: _CARE_OF})
    states = [part.state for part in parts(table)]
    with Xfrm() as xfrm:
        try:
            for state in states:
                xfrm.add_state(state)
            for policy in policies(table):
                xfrm.add_policy(policy)
        finally:
            for policy in policies(table):
                xfrm.remove_policy(policy)
            for state in states:
                xfrm.remove_state(state)


def _try_tunnel(netlink: Netlink) -> None:
    """Make a tunnel with a gate, and a route for one source: IPV6_TUNNEL, NET_CLS_BPF and IPV6_SUBTREES."""
    name = f"{TUNNEL_NAMES}probe"
    netlink.create_tunnel(name, _OWN, _CARE_OF)
    index = netlink.link(name).index
    try:
        program = gate(Judged(_OWN.packed, _CARE_OF.packed, (_HOME.packed,), ()))
        netlink.set_gate(index, packet_filter.octets(program), len(program))
        sysctl.set_interface(name, disable_ipv6=0)  # as it is in the namespace of the lab's links
        netlink.set_link(index, up=True)
        netlink.add_route(ANYWHERE, interface=index, table=_TABLE, metric=1, origin=_HOME)
    finally:
        netlink.delete_link(index)
