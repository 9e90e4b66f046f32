"""What the bpf plane has beside what all planes have: programs, maps, and that nothing is left of either."""

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from lab.auth.ipsec_policy import Policy
from lab.auth.secrets import Secrets
from lab.daemon import planes
from lab.daemon.config import PlaneName
from lab.emulation.namespace import Namespace
from lab.engine.io import InstallBinding, InstallTunnel, ListenFor, RemoveBinding, RemoveTunnel
from lab.errors import PlaneError
from lab.netlink import Netlink
from lab.plane.bpf import programs, syscalls
from lab.plane.bpf.elf import MapLayout
from lab.plane.bpf.plane import _ANY_SIZE, _PATH, BpfPlane
from lab.plane.bpf.programs import Program, Programs
from lab.plane.bpf.syscalls import Map
from lab.plane.ipsec import Ipsec
from lab.plane.paths import MAX_HEARD
from lab.plane.user import UserPlane
from lab.safeguards import Safeguard
from lab.wire.icmpv6 import EchoRequest, MobilePrefixSolicitation
from lab.wire.packet import build, mobility_packet
from tests.lab.networks import run_in, until
from tests.plane.conftest import why_not_bpf
from tests.plane.crossroads import CN, HOME, LINK, MN, PEER_HOME, TO_CN, TO_MN, Crossroads
from tests.plane.machine import FAR, FAR_TOO, OWN, Machine
from tests.plane.test_direct_paths import connection_carries
from tests.plane.test_same_octets import packet
from tests.plane.twins import Twin

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(why_not_bpf() is not None, reason=f"bpf: {why_not_bpf()}"),
]

_PROG_QUERY, _PROG_QUERY_COUNT_AT = 16, 24
_HASH = 1
MOST_BINDINGS = 100_000


@pytest.fixture
def twin() -> Iterator[Twin]:
    made = Twin(BpfPlane, forwards=False)
    yield made
    made.close()


def plane_of(machine: Machine) -> BpfPlane:
    plane = machine.planes[-1]
    assert isinstance(plane, BpfPlane)
    return plane


def attached(namespace: Namespace, interface: str) -> int:
    """Count the programs that look at what arrives at an interface."""

    def ask() -> int:
        with Netlink() as netlink:
            index = netlink.link(interface).index
        _, hook = Program.INWARDS.value
        attributes = ctypes.create_string_buffer(struct.pack("=II56x", index, hook), 64)  # it answers in all of it
        number = syscalls._NUMBERS[os.uname().machine]
        assert syscalls._libc.syscall(number, _PROG_QUERY, attributes, len(attributes)) == 0
        (programs,) = struct.unpack_from("=I", attributes, _PROG_QUERY_COUNT_AT)
        return int(programs)

    return namespace.run(ask)


def bind(home_address: IPv6Address, care_of_address: IPv6Address = FAR) -> InstallBinding:
    return InstallBinding(home_address=home_address, care_of_address=care_of_address)


# Maps


def test_a_full_map_refuses_what_is_new_and_keeps_what_it_has() -> None:
    small = Map("small", MapLayout(kind=_HASH, key=4, value=4, entries=1, flags=0))
    small[b"here"] = b"1111"
    small[b"more"] = b"2222"
    small[b"here"] = b"3333"
    assert small[b"here"] == b"3333"
    with pytest.raises(KeyError):
        small[b"more"]
    small.remove(b"here")
    small.remove(b"here")
    small[b"more"] = b"4444"
    assert small[b"more"] == b"4444"
    small.close()


def test_a_correspondent_has_thousands_of_bindings(twin: Twin) -> None:
    homes = [HOME + number for number in range(2000)]
    twin.apply(*map(bind, homes))
    twin.send(packet(OWN, homes[-1]))
    assert plane_of(twin)._programs.counts() == {"direct-out": 1}
    twin.apply(*(RemoveBinding(home_address=home) for home in homes))
    twin.send(packet(OWN, homes[-1]))
    assert plane_of(twin)._programs.counts() == {"direct-out": 1}


def test_maps_hold_a_hundred_thousand_bindings_each_and_leave_the_next_to_python(twin: Twin) -> None:
    plane, homes = plane_of(twin), [HOME + number for number in range(MOST_BINDINGS + 1)]
    values: dict[str, Callable[[int], bytes]] = {
        "towards": lambda number: (OWN + number).packed + FAR.packed,
        "backwards": lambda number: FAR.packed + (OWN + number).packed,
        "bindings": lambda number: _PATH.pack((FAR + number).packed, 0, _ANY_SIZE),
    }
    for name, value in values.items():
        entries, given = plane._maps[name], [value(number) for number in range(len(homes))]
        for home, octets in zip(homes, given, strict=True):
            entries[home.packed] = octets
        assert all(entries[home.packed] == octets for home, octets in zip(homes[:-1], given[:-1], strict=True))
        with pytest.raises(KeyError):
            entries[homes[-1].packed]
    for name in ("towards", "backwards"):  # only bindings are to be asked
        for home in homes:
            plane._maps[name].remove(home.packed)
    for number, home in enumerate((homes[0], homes[-2], homes[-1])):
        twin.apply(bind(home))
        twin.send(packet(OWN, home))
        assert plane.counters()["direct-out"] == number + 1
    assert plane._programs.counts() == {"direct-out": 2}


@pytest.mark.rfc6275("11.3.3-a")
def test_pairs_are_known_to_the_programs_as_long_as_to_the_user_plane(twin: Twin) -> None:
    plane, peers = plane_of(twin), [CN + number for number in range(MAX_HEARD + 1)]
    twin.run(partial(plane.own_home_address, HOME))
    for peer in peers:
        plane._hear(packet(HOME, peer), HOME.packed, peer.packed)
    known = plane._maps["heard"]
    with pytest.raises(KeyError):
        known[HOME.packed + peers[0].packed]
    for peer in peers[1:]:
        assert known[HOME.packed + peer.packed]
    twin.apply(ListenFor(home_address=HOME, peer=peers[-1]))
    with pytest.raises(KeyError):
        known[HOME.packed + peers[-1].packed]
    assert {*plane._pairs} == {home + peer for home, peer in plane._paths._heard}


@pytest.mark.rfc6275("9.5.5-a", "9.1-a")
def test_use_by_the_programs_is_told_and_outlives_a_move(twin: Twin) -> None:
    plane = plane_of(twin)
    twin.apply(bind(HOME))
    assert not plane.used(HOME, None)
    twin.send(packet(OWN, HOME))
    twin.apply(bind(HOME, FAR_TOO))
    assert plane.counters()["direct-out"] == plane._programs.counts()["direct-out"] == 1
    assert plane.used(HOME, None)
    assert not plane.used(HOME, None)
    assert not plane.used(HOME + 1, None)


def test_what_the_user_plane_refuses_the_programs_do_not_do(twin: Twin) -> None:
    not_ours = IPv6Address("2001:db8:bad::1")
    with pytest.raises(PlaneError):
        twin.apply(InstallTunnel(home_agent_address=not_ours, home_address=HOME, care_of_address=FAR))
    with pytest.raises(KeyError):
        plane_of(twin)._maps["towards"][HOME.packed]
    twin.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR))
    assert plane_of(twin)._maps["towards"][HOME.packed] == OWN.packed + FAR.packed
    twin.apply(RemoveTunnel(home_address=HOME))
    with pytest.raises(KeyError):
        plane_of(twin)._maps["towards"][HOME.packed]


def test_a_tunnel_that_cannot_be_moved_leads_where_it_did(twin: Twin) -> None:
    twin.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR))
    with pytest.raises(PlaneError):
        twin.apply(
            InstallTunnel(home_agent_address=IPv6Address("2001:db8:bad::1"), home_address=HOME, care_of_address=FAR_TOO)
        )
    assert plane_of(twin)._maps["towards"][HOME.packed] == OWN.packed + FAR.packed
    twin.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR_TOO))
    assert plane_of(twin)._maps["towards"][HOME.packed] == OWN.packed + FAR_TOO.packed


def test_what_comes_out_of_one_tunnel_goes_into_the_next() -> None:
    """Between two mobile nodes of one home agent, large segments too."""
    here = Crossroads(BpfPlane)
    with contextlib.closing(here):
        for node, care_of, router, home in ((here.mn, MN, TO_MN, HOME), (here.cn, CN, TO_CN, PEER_HOME)):
            here._visit(node, care_of, router, home)
            here.router.apply(InstallTunnel(home_agent_address=router, home_address=home, care_of_address=care_of))
        assert connection_carries(here.mn, HOME, here.cn, PEER_HOME)
        plane = here.router.plane
        assert isinstance(plane, BpfPlane)
        by_programs = plane._programs.counts()
        assert plane.counters()["tunnelled"] - by_programs["tunnelled"] < 10
        assert by_programs["tunnelled"] > 10


# Devices


def test_devices_that_come_later_are_looked_at_until_they_go() -> None:
    here = Crossroads(BpfPlane)  # has its links after its planes
    with contextlib.closing(here):
        here.bind()
        here.cn.run("ping", "-c3", "-i0.05", "-W5", str(HOME))
        for node in (here.cn, here.mn):
            plane = node.plane
            assert isinstance(plane, BpfPlane)
            assert plane._programs.counts()["direct-in"] >= 1
            assert attached(node.namespace, LINK) == 1
            before = {*plane._attached}
            node.run("ip", "link", "del", LINK)
            until(lambda plane=plane, before=before: {*plane._attached} < before, "it is let go")  # type: ignore[misc]
        assert here.cn.used(HOME, None)
        assert here.mn.used(HOME, CN)


def test_programs_see_ways_out_on_a_node_that_does_not_forward(twin: Twin) -> None:
    """The kernel allows that for devices that forward; for the others nothing changes."""

    def forwarding(interface: str) -> str:
        return Path(f"/proc/sys/net/ipv6/conf/{interface}/forwarding").read_text(encoding="ascii").strip()

    told = {interface: twin.run(partial(forwarding, interface)) for interface in ("all", "default", "eth0", "mip0")}
    assert told == {"all": "0", "default": "0", "eth0": "0", "mip0": "1"}


def test_closing_lets_go_of_everything() -> None:
    machine = Machine()
    with contextlib.closing(machine):
        before, descriptors = machine.state(), len(os.listdir("/proc/self/fd"))
        machine.plane(kind=BpfPlane)
        assert attached(machine.namespace, LINK) == 1
        counted = machine.planes[-1].counters()
        machine.close_plane()
        assert attached(machine.namespace, LINK) == 0
        until(lambda: machine.state() == before, "all is as before")
        assert len(os.listdir("/proc/self/fd")) == descriptors
        assert {*counted} <= {*machine.planes[-1].counters()}


def test_a_plane_that_cannot_be_made_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def attach(*_: object) -> None:
        raise PlaneError("attach a BPF program: no")

    monkeypatch.setattr(Programs, "attach", attach)
    machine = Machine()
    with contextlib.closing(machine):
        before, descriptors = machine.state(), len(os.listdir("/proc/self/fd"))
        with pytest.raises(PlaneError, match="no"):
            machine.plane(kind=BpfPlane)
        assert machine.state() == before
        assert len(os.listdir("/proc/self/fd")) == descriptors


def plane_of_nobody() -> BpfPlane:
    ipsec = Ipsec(Policy((), at_home_agent=False), Secrets(b"nobody"), print)
    return BpfPlane(_watch, print, print, ipsec)


def _watch(descriptor: int, callback: Callable[[], None]) -> Callable[[], object]:
    print("ready", flush=True)
    return lambda: None


def test_a_killed_process_leaves_no_program() -> None:
    machine = Machine()
    source = "import time; from tests.plane.test_bpf import plane_of_nobody; p = plane_of_nobody(); time.sleep(60)"
    with contextlib.closing(machine):
        reading, writing = os.pipe()
        process = machine.namespace.spawn([sys.executable, "-c", source], stdout=writing)
        os.close(writing)
        os.read(reading, 1)
        until(lambda: attached(machine.namespace, LINK) == 1, "it is attached")
        process.kill()
        process.wait()
        os.close(reading)
        until(lambda: attached(machine.namespace, LINK) == 0, "it is gone")


# Kernels before 6.6


def test_without_links_of_bpf_traffic_control_has_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: int) -> int:
        raise OSError(errno.EINVAL, "no links")

    monkeypatch.setattr(syscalls, "link", link)
    show = ("tc", "filter", "show", "dev", LINK, "ingress")
    twin = Twin(BpfPlane, forwards=False)
    with contextlib.closing(twin):
        assert "mip6lab direct-action" in run_in(twin.namespace, *show).stdout
        twin.apply(bind(HOME))
        twin.send(packet(OWN, HOME))
        assert plane_of(twin)._programs.counts() == {"direct-out": 1}
        twin.close_plane()
        assert run_in(twin.namespace, *show).stdout == ""
        twin.plane(kind=BpfPlane)
        twin.run(twin.planes[-1]._tun.close)  # as when it is killed
        assert "mip6lab direct-action" in run_in(twin.namespace, *show).stdout
        twin.plane(kind=UserPlane)  # whichever comes next
        assert run_in(twin.namespace, *show).stdout == ""


# Which plane


def test_auto_is_the_fastest_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    namespace = Namespace()
    assert namespace.run(partial(planes.choose, PlaneName.AUTO)).name is PlaneName.BPF
    namespace.close()

    def refuse() -> None:
        raise PlaneError("load the BPF program outwards: Operation not permitted")

    monkeypatch.setattr("lab.plane.bpf.programs.probe", refuse)
    why = "bpf does not work here: load the BPF program outwards: Operation not permitted"
    for probe, name in ((lambda: None, "kernel"), (refuse, "user")):
        monkeypatch.setattr("lab.plane.kernel.probe.probe", probe)
        assert str(planes.choose(PlaneName.AUTO)) == f"plane {name}: {why}"
    assert planes.choose(PlaneName.BPF).name is PlaneName.BPF


def test_the_plane_kernel_is_not_taken_where_linux_insists_on_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.plane.bpf.programs.probe", create_autospec(programs.probe, side_effect=PlaneError("no")))
    monkeypatch.setattr("lab.plane.kernel.probe.probe", lambda: None)
    assert planes.choose(PlaneName.AUTO, frozenset({Safeguard.ESP})).name is PlaneName.KERNEL
    for safeguard in (Safeguard.HOME_ADDRESS_CHECK, Safeguard.ROUTING_HEADER_CHECK):
        assert planes.choose(PlaneName.AUTO, frozenset({safeguard})).name is PlaneName.USER
        with pytest.raises(PlaneError, match=f"cannot do without {safeguard}: .* take --plane user"):
            planes.choose(PlaneName.KERNEL, frozenset({safeguard}))


def test_the_reason_of_the_verifier_is_told() -> None:
    leave_without_an_answer = bytes((0x95, 0, 0, 0, 0, 0, 0, 0))
    with pytest.raises(PlaneError, match=r"load the BPF program silent: .* \(R0 !read_ok\)"):
        syscalls.load("silent", leave_without_an_answer, b"MIT")


@pytest.mark.rfc6275("10.6.3-a")
def test_what_asks_for_prefixes_keeps_the_headers_that_tell_who_asks() -> None:
    """Restored, it would reach the home agent as one that came without a Home Address option."""
    machine = Machine(BpfPlane)
    try:
        plane = machine.plane()
        machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR))
        outlet = machine.socket(machine.far, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for message in (MobilePrefixSolicitation(identifier=1), EchoRequest(identifier=1, sequence=1)):
            asked = build(mobility_packet(FAR, OWN, message, home_address=HOME))
            outlet.sendto(asked, (str(OWN), 0))
        machine.pump(lambda: plane.counters().get("direct-in", 0) > 0)
        assert plane.counters()["direct-in"] == 1  # what came behind it
    finally:
        machine.close()
