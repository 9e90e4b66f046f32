"""The plane that only remembers: what is in force, and what it refuses."""

from ipaddress import IPv6Address

import pytest

from lab.engine.io import (
    AddAddress,
    DefendAddress,
    DisownHomeAddress,
    ForgetRouter,
    InstallReverseTunnel,
    InstallTunnel,
    OwnHomeAddress,
    PlaneEffect,
    RemoveAddress,
    RemoveReverseTunnel,
    RemoveTunnel,
    SetLinkMtu,
    StopDefending,
    UseRouter,
)
from lab.errors import PlaneError
from lab.plane.base import Plane
from lab.plane.memory import MemoryPlane

LINK = "eth0"
HOME, AGENT = IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:1::1")
CARE_OF, OTHER = IPv6Address("2001:db8:a::1"), IPv6Address("2001:db8:b::1")

PAIRS = [
    (
        AddAddress(interface=LINK, address=CARE_OF, prefix_length=64),
        RemoveAddress(interface=LINK, address=CARE_OF, prefix_length=64),
    ),
    (UseRouter(interface=LINK, router=OTHER, source=CARE_OF), ForgetRouter(interface=LINK, source=CARE_OF)),
    (DefendAddress(interface=LINK, address=HOME), StopDefending(interface=LINK, address=HOME)),
    (
        InstallTunnel(home_agent_address=AGENT, home_address=HOME, care_of_address=CARE_OF),
        RemoveTunnel(home_address=HOME),
    ),
    (OwnHomeAddress(home_address=HOME), DisownHomeAddress(home_address=HOME)),
    (
        InstallReverseTunnel(home_agent_address=AGENT, home_address=HOME, care_of_address=CARE_OF),
        RemoveReverseTunnel(home_address=HOME),
    ),
]


def in_force(plane: MemoryPlane) -> list[object]:
    """Give all that the plane keeps."""
    return [plane.addresses, plane.routers, plane.defended, plane.tunnels, plane.home_addresses, plane.reverse_tunnels]


@pytest.mark.parametrize(("effect", "undo"), PAIRS, ids=lambda effect: type(effect).__name__)
def test_what_is_undone_is_no_longer_in_force(effect: PlaneEffect, undo: PlaneEffect) -> None:
    plane = MemoryPlane()
    plane.apply(effect)
    assert sum(bool(kept) for kept in in_force(plane)) == 1
    plane.apply(undo)
    assert not any(in_force(plane))
    plane.apply(undo)
    assert plane.applied == [effect, undo, undo]


def test_the_last_mtu_of_a_link_counts() -> None:
    plane = MemoryPlane()
    for mtu in (1400, None):
        plane.apply(SetLinkMtu(interface=LINK, mtu=mtu))
    assert plane.mtus == {LINK: None}


def test_a_tunnel_of_the_same_home_address_is_changed() -> None:
    plane = MemoryPlane()
    for care_of in (CARE_OF, OTHER):
        plane.apply(InstallTunnel(home_agent_address=AGENT, home_address=HOME, care_of_address=care_of))
    assert [tunnel.care_of_address for tunnel in plane.tunnels.values()] == [OTHER]


def test_what_is_refused_leaves_no_trace() -> None:
    plane = MemoryPlane(refuse=frozenset({DefendAddress}))
    with pytest.raises(PlaneError, match="DefendAddress is refused"):
        plane.apply(DefendAddress(interface=LINK, address=HOME))
    assert plane.applied == []
    assert not any(in_force(plane))


def test_it_is_a_plane() -> None:
    plane: Plane = MemoryPlane()
    assert plane.name == "memory"
    assert plane.counters() == {}
    plane.close()
    plane.close()
