"""What the planes change in the host's stack: every effect takes hold, and undone or at the end leaves no trace."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.engine.io import (
    AddAddress,
    DefendAddress,
    DisownHomeAddress,
    ForgetRouter,
    InstallBinding,
    InstallReverseTunnel,
    InstallTunnel,
    OwnHomeAddress,
    PlaneEffect,
    RemoveAddress,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveTunnel,
    SetLinkMtu,
    UseRouter,
)
from lab.errors import PlaneError
from tests.lab.networks import run_in, settle_addresses
from tests.plane.machine import FAR, FAR_MAC, FAR_TOO, HOME, LINK, MAC, OTHER_HOME, OWN, ROUTER, Machine

pytestmark = pytest.mark.privileged

CARE_OF, OTHER = IPv6Address("2001:db8:a::1"), IPv6Address("2001:db8:b::1")
NO_INTERFACE = 9999
ROUTE = UseRouter(interface=LINK, router=ROUTER, source=CARE_OF)
FORGET = ForgetRouter(interface=LINK, source=CARE_OF)

PAIRS: dict[str, tuple[list[PlaneEffect], PlaneEffect]] = {
    "address": (
        [AddAddress(interface=LINK, address=CARE_OF, prefix_length=64)],
        RemoveAddress(interface=LINK, address=CARE_OF, prefix_length=64),
    ),
    "router": ([ROUTE], FORGET),
    "router whose link-layer address is told": ([replace(ROUTE, link_layer_address=FAR_MAC)], FORGET),
    "router for all": ([replace(ROUTE, default=True)], FORGET),
    "router to one destination": ([replace(ROUTE, destination=FAR)], FORGET),
    "router in all ways": ([ROUTE, replace(ROUTE, destination=FAR), replace(ROUTE, default=True)], FORGET),
    "router after another": ([replace(ROUTE, router=ROUTER + 1), ROUTE], FORGET),
    "tunnel": (
        [InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR)],
        RemoveTunnel(home_address=HOME),
    ),
    "tunnel that was changed": (
        [
            InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR),
            InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR_TOO),
        ],
        RemoveTunnel(home_address=HOME),
    ),
    "home address": ([OwnHomeAddress(home_address=OTHER_HOME)], DisownHomeAddress(home_address=OTHER_HOME)),
    "reverse tunnel": (
        [InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN)],
        RemoveReverseTunnel(home_address=HOME),
    ),
    "direct path": ([InstallBinding(home_address=HOME, care_of_address=FAR)], RemoveBinding(home_address=HOME)),
    "reverse tunnel that was changed": (
        [
            InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN),
            InstallReverseTunnel(home_agent_address=FAR_TOO, home_address=HOME, care_of_address=OWN),
        ],
        RemoveReverseTunnel(home_address=HOME),
    ),
}


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


@pytest.mark.parametrize(("effects", "undo"), PAIRS.values(), ids=PAIRS)
def test_what_is_undone_leaves_no_trace(machine: Machine, effects: list[PlaneEffect], undo: PlaneEffect) -> None:
    plane = machine.plane()
    machine.run(partial(plane.own_home_address, HOME))  # which stays for good
    settle_addresses(machine.namespace)
    before = machine.state()
    machine.apply(undo)  # what is not there
    assert machine.state() == before
    machine.apply(*effects, *effects)
    assert machine.state() != before
    machine.apply(undo)
    assert machine.state() == before
    machine.apply(undo)
    assert machine.state() == before


@pytest.mark.parametrize("effects", [effects for effects, _ in PAIRS.values()], ids=PAIRS)
def test_the_end_of_a_plane_undoes_all(machine: Machine, effects: list[PlaneEffect]) -> None:
    before = machine.state(), sysctls(machine)
    machine.plane()
    machine.apply(*effects)
    machine.close_plane()
    assert (machine.state(), sysctls(machine)) == before


@pytest.mark.parametrize(("mtu", "kept"), [(1400, 1400), (1280, 1280), (9000, 1500), (None, 1500)])
def test_an_interface_sends_what_its_link_carries_and_no_more_than_it_can(
    machine: Machine, mtu: int | None, kept: int
) -> None:
    def sent() -> int:
        return int(machine.run(lambda: Path(f"/proc/sys/net/ipv6/conf/{LINK}/mtu").read_text(encoding="ascii")))

    machine.plane()
    machine.apply(SetLinkMtu(interface=LINK, mtu=1300), SetLinkMtu(interface=LINK, mtu=mtu))
    assert sent() == kept
    machine.close_plane()
    assert sent() == 1500


@pytest.mark.parametrize("effects", [effects for effects, _ in PAIRS.values()], ids=PAIRS)
def test_what_a_crash_left_is_swept_away_by_the_next_plane(machine: Machine, effects: list[PlaneEffect]) -> None:
    machine.command("ip", "-6", "route", "add", "2001:db8:99::/64", "dev", LINK)
    machine.plane()
    clean = machine.state()
    machine.apply(*effects)
    machine.planes.pop()._tun.close()  # all that a killed process takes with it
    machine.run(machine.plane().end_recall)
    assert without_indexes(machine) == re.sub(r"'ifindex': \d+", "", str(clean))


@pytest.mark.rfc6275("15.3-a")
def test_what_is_recalled_is_led_into_tunnels_at_the_end_and_what_the_kernel_refuses_is_told(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = machine.plane()
    wrong, right = (
        InstallTunnel(home_agent_address=OWN, home_address=home_address, care_of_address=FAR)
        for home_address in (HOME, OTHER_HOME)
    )
    add = plane._netlink.add_route

    def add_route(destination: IPv6Address, *, interface: int, metric: int) -> None:
        add(destination, interface=NO_INTERFACE if destination == HOME else interface, metric=metric)

    monkeypatch.setattr(plane._netlink, "add_route", add_route)
    plane.begin_recall()
    machine.apply(wrong, right)
    assert routes(machine) == {}
    (refused,) = machine.run(plane.end_recall)
    assert (refused.effect, "No such device" in refused.reason) == (wrong, True)
    assert routes(machine) == {str(OTHER_HOME): ["mip0", "blackhole"]}
    machine.apply(RemoveTunnel(home_address=HOME), RemoveTunnel(home_address=OTHER_HOME))
    assert routes(machine) == {}


def routes(machine: Machine) -> dict[str, list[str]]:
    """Give where packets for home addresses go, the best way first."""
    found: dict[str, list[str]] = {}
    for line in run_in(machine.namespace, "ip", "-6", "route", "show", "proto", "62").stdout.splitlines():
        way, *words = line.split()
        where = (words[0], way) if way == "blackhole" else (way, words[words.index("dev") + 1])
        found.setdefault(where[0], []).append(where[1])
    return found


@settings(max_examples=20)
@given(
    st.lists(st.sampled_from([effect for effects, undo in PAIRS.values() for effect in (*effects, undo)]), max_size=8)
)
def test_whatever_was_carried_out_is_undone_at_the_end(effects: list[PlaneEffect]) -> None:
    machine = Machine()
    try:
        before = machine.state()
        machine.plane()
        machine.apply(*effects)
        machine.close_plane()
        assert machine.state() == before
    finally:
        machine.close()


# What takes hold


def test_each_source_leaves_by_its_own_router(machine: Machine) -> None:
    machine.plane()
    for source, router in ((CARE_OF, ROUTER), (OTHER, ROUTER + 1)):
        machine.apply(
            AddAddress(interface=LINK, address=source, prefix_length=64),
            UseRouter(interface=LINK, router=router, source=source),
        )
    assert f"via {ROUTER} dev eth0" in route(machine, "2001:db8:99::1", CARE_OF)
    assert f"via {ROUTER + 1} dev eth0" in route(machine, "2001:db8:99::1", OTHER)


@pytest.mark.rfc6275("11.3.1-a")
def test_the_home_address_goes_into_the_tunnel_while_it_is_there(machine: Machine) -> None:
    """At home by the router; away into the tunnel, also what has no source yet; the Binding Update home past it."""
    machine.plane()
    elsewhere = "2001:db8:99::1"
    machine.apply(
        AddAddress(interface=LINK, address=HOME, prefix_length=64),
        UseRouter(interface=LINK, router=ROUTER, source=HOME, default=True),
    )
    assert "dev eth0" in route(machine, elsewhere, HOME)
    assert "dev eth0" in route(machine, elsewhere)
    machine.apply(InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN))
    assert "dev mip0" in route(machine, elsewhere, HOME)
    assert "dev mip0" in route(machine, elsewhere)
    assert f"src {HOME}" in route(machine, elsewhere)
    machine.apply(UseRouter(interface=LINK, router=ROUTER, source=HOME, destination=FAR_TOO))
    assert f"via {ROUTER} dev eth0" in route(machine, str(FAR_TOO), HOME)
    machine.apply(UseRouter(interface=LINK, router=None, source=HOME, destination=FAR_TOO))
    assert "via" not in route(machine, str(FAR_TOO), HOME)
    assert "dev eth0" in route(machine, str(FAR_TOO), HOME)
    machine.apply(RemoveReverseTunnel(home_address=HOME))
    assert "dev eth0" in route(machine, elsewhere, HOME)
    assert "dev eth0" in route(machine, elsewhere)


@pytest.mark.rfc6275("8.5-a", "11.3.1-a")
def test_two_home_addresses_keep_out_of_each_other_s_way(machine: Machine) -> None:
    """One is at home before the other: it leaves by the router, and what has no source by the tunnel that is left."""
    machine.plane()
    elsewhere = "2001:db8:99::1"
    for home in (HOME, OTHER_HOME):
        machine.apply(InstallReverseTunnel(home_agent_address=FAR, home_address=home, care_of_address=OWN))
    assert f"src {HOME}" in route(machine, elsewhere)
    home_again = UseRouter(interface=LINK, router=ROUTER, source=HOME, default=True)
    machine.apply(home_again, RemoveReverseTunnel(home_address=HOME))
    assert "dev eth0" in route(machine, elsewhere, HOME)
    assert "dev mip0" in route(machine, elsewhere, OTHER_HOME)
    assert f"src {OTHER_HOME}" in route(machine, elsewhere)
    machine.apply(replace(home_again, source=OTHER_HOME), RemoveReverseTunnel(home_address=OTHER_HOME))
    machine.apply(ForgetRouter(interface=LINK, source=HOME))
    for source in (OTHER_HOME, None):
        assert "dev eth0" in route(machine, elsewhere, source)


@pytest.mark.rfc6275("10.4.2-a")
def test_each_home_address_has_a_tunnel_of_its_own(machine: Machine) -> None:
    machine.plane()
    for home, care_of in ((HOME, FAR), (OTHER_HOME, FAR_TOO)):
        machine.apply(InstallTunnel(home_agent_address=OWN, home_address=home, care_of_address=care_of))
    machine.apply(RemoveTunnel(home_address=HOME))
    assert "mip0" not in run_in(machine.namespace, "ip", "-6", "route", "show", str(HOME)).stdout
    assert "mip0" in run_in(machine.namespace, "ip", "-6", "route", "show", str(OTHER_HOME)).stdout


@pytest.mark.parametrize("way", [ROUTE, replace(ROUTE, router=None, destination=FAR_TOO)], ids=["router", "on link"])
def test_a_link_layer_address_that_was_told_is_used_and_verified(machine: Machine, way: UseRouter) -> None:
    """It must not hold for good: on another link, another router may have the same link-local address."""
    machine.plane()
    machine.apply(replace(way, link_layer_address=bytes.fromhex("020000000077")))
    assert "02:00:00:00:00:77" in neighbours(machine)
    assert "PERMANENT" not in neighbours(machine)
    machine.apply(replace(way, link_layer_address=FAR_MAC))
    assert "02:00:00:00:00:77" not in neighbours(machine)


# What is gone already


@pytest.mark.parametrize("how", ["taken away", "interface down", "interface gone"])
def test_undoing_what_is_gone_is_no_error(machine: Machine, how: str) -> None:
    """A refusal would keep a mobile node from carrying out what follows."""
    machine.plane()
    effects = [effect for name in ("address", "router in all ways") for effect in PAIRS[name][0]]
    undo = [PAIRS[name][1] for name in ("address", "router in all ways")]
    machine.apply(*effects)
    match how:
        case "taken away":
            machine.command("ip", "-6", "address", "del", f"{CARE_OF}/64", "dev", LINK)
            machine.command("ip", "-6", "route", "flush", "table", "all", "proto", "62")
        case "interface down":
            machine.command("ip", "link", "set", LINK, "down")
        case "interface gone":
            machine.command("ip", "link", "del", LINK)
    machine.apply(*undo)
    machine.close_plane()


@pytest.mark.parametrize("how", ["down and up", "gone and back"])
def test_what_the_kernel_dropped_with_an_interface_is_restored(machine: Machine, how: str) -> None:
    machine.plane()
    machine.apply(*(effect for effects, _ in PAIRS.values() for effect in effects))
    before = machine.state()
    if how == "gone and back":
        machine.command("ip", "link", "del", LINK)
        machine.command("ip", "link", "add", LINK, "address", MAC.hex(":"), "type", "veth", "peer", "name", "far0")
        machine.command("ip", "link", "set", "far0", "up", "addrgenmode", "none")
    else:
        machine.command("ip", "link", "set", LINK, "down")
    machine.command("ip", "link", "set", LINK, "up")
    machine.command("ip", "-6", "address", "add", f"{OWN}/64", "dev", LINK, "nodad")
    machine.run(partial(machine.planes[-1].restore, LINK))
    assert [route for route in restored(before) if route not in restored(machine.state())] == []
    machine.close_plane()
    assert "'protocol': '62'" not in str(machine.state())


def restored(state: dict[str, Any]) -> list[str]:
    """List what a restoration is to bring back: addresses of the interface, routes and rules of ours."""
    addresses = [
        f"{link['ifname']} {entry['local']}"
        for link in state["address"]
        for entry in link.get("addr_info", [])
        if entry["scope"] == "global"
    ]
    routes = [str(route) for route in state["route show table all"] if route["protocol"] == "62"]
    return [*addresses, *routes, *map(str, state["rule"])]


def test_an_interface_that_comes_back_is_another(machine: Machine) -> None:
    machine.plane()
    address = AddAddress(interface=LINK, address=CARE_OF, prefix_length=64)
    machine.apply(address, ROUTE)
    machine.command("ip", "link", "del", LINK)
    machine.command("ip", "link", "add", "other", "type", "veth", "peer", "name", "other1")
    machine.command("ip", "link", "add", LINK, "type", "veth", "peer", "name", "far0")
    machine.command("ip", "link", "set", LINK, "up")
    machine.apply(address, ROUTE)
    assert str(CARE_OF) in run_in(machine.namespace, "ip", "address", "show", LINK).stdout
    machine.close_plane()
    assert str(CARE_OF) not in run_in(machine.namespace, "ip", "address", "show", LINK).stdout


# Refusals


@pytest.mark.parametrize(
    ("effect", "said"),
    [
        (AddAddress(interface="eth9", address=CARE_OF, prefix_length=64), "find link eth9: no interface"),
        (DefendAddress(interface="eth9", address=HOME), "find link eth9: No such device"),
        (UseRouter(interface="eth9", router=ROUTER, source=CARE_OF), "find link eth9: no interface"),
        (AddAddress(interface=LINK, address=IPv6Address("ff02::1"), prefix_length=64), "Cannot assign requested"),
        (UseRouter(interface=LINK, router=OWN, source=CARE_OF), f"route to ::/0 by {OWN}: "),
        (
            InstallTunnel(home_agent_address=CARE_OF, home_address=HOME, care_of_address=FAR),
            f"open tunnel from {CARE_OF} to {FAR}: Cannot assign requested address",
        ),
        (
            InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=CARE_OF),
            f"open tunnel from {CARE_OF} to {FAR}: Cannot assign requested address",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_done_is_refused_with_the_reason(machine: Machine, effect: PlaneEffect, said: str) -> None:
    machine.plane()
    before = machine.state()
    with pytest.raises(PlaneError, match=re.escape(said)):
        machine.apply(effect)
    machine.apply(FORGET)
    assert machine.state() == before


@pytest.mark.parametrize("name", ["tunnel", "direct path", "reverse tunnel"])
def test_a_tunnel_that_was_refused_can_be_had_later(machine: Machine, name: str) -> None:
    (effect,), undo = PAIRS[name]
    machine.run(partial(machine.plane().own_home_address, HOME))
    before = machine.state()
    machine.command("ip", "link", "set", "mip0", "down")
    down = machine.state()
    with pytest.raises(PlaneError, match="Network is down"):
        machine.apply(effect)
    assert machine.state() == down
    machine.command("ip", "link", "set", "mip0", "up")
    machine.command("ip", "-6", "address", "replace", f"{HOME}/128", "dev", "mip0", "nodad")
    machine.apply(effect)
    assert "mip0" in run_in(machine.namespace, "ip", "-6", "route", "show", "table", "all", "proto", "62").stdout
    machine.apply(undo)
    assert before["rule"] == machine.state()["rule"]


def test_only_one_plane_fits_a_namespace(machine: Machine) -> None:
    machine.plane()
    machine.apply(*PAIRS["router"][0])
    before = machine.state()
    with pytest.raises(PlaneError, match="make TUN device mip0: Device or resource busy"):
        machine.plane()
    assert machine.state() == before


def test_a_plane_may_be_closed_twice(machine: Machine) -> None:
    """The second time nothing happens, least of all to descriptors that others have got since."""
    plane = machine.plane()
    machine.close_plane()
    taken = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
    machine.run(plane.close)
    for descriptor in taken:
        os.close(descriptor)


# Questions


def route(machine: Machine, destination: str, source: IPv6Address | None = None) -> str:
    """Ask the kernel by which way it would send."""
    source_words = () if source is None else ("from", str(source))
    return run_in(machine.namespace, "ip", "-6", "route", "get", destination, *source_words).stdout


def neighbours(machine: Machine) -> str:
    return run_in(machine.namespace, "ip", "-6", "neighbour", "show", "dev", LINK).stdout


def without_indexes(machine: Machine) -> str:
    return re.sub(r"'ifindex': \d+", "", str(machine.state()))


def sysctls(machine: Machine) -> dict[str, str]:
    """Read the settings that planes may change."""
    names = ("conf/all/proxy_ndp", f"conf/{LINK}/accept_ra")
    return machine.run(lambda: {name: Path("/proc/sys/net/ipv6", name).read_text() for name in names})
