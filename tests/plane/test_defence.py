"""What neighbours on the home link are told of mobile nodes that are away (RFC 6275 §10.4.1, RFC 4861 §7.2.8)."""

import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address
from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from lab.engine.io import DefendAddress, InstallTunnel, StopDefending
from lab.errors import PlaneError
from lab.netlink import ETH_P_IPV6, Netlink
from lab.plane import defence, sysctl
from lab.plane.base import Watch
from lab.plane.defence import TABLE
from lab.plane.proxy_entries import ProxyEntries
from lab.wire.addresses import ALL_NODES, link_local, solicited_node
from tests.lab.networks import run_in
from tests.plane.machine import FAR, FAR_MAC, HOME, LINK, MAC, OTHER_HOME, OWN, Machine

pytestmark = pytest.mark.privileged

DEFEND, STOP = DefendAddress(interface=LINK, address=HOME), StopDefending(interface=LINK, address=HOME)
ASKER = link_local(FAR_MAC)
MANY = 3000


def proxy_entries(_watch: Watch, netlink: Netlink) -> ProxyEntries:
    """Stand in for `defence.begin` on a kernel that has no nftables for IPv6."""
    return ProxyEntries(netlink)


@pytest.fixture(params=["by ourselves", "by the kernel"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    if request.param == "by the kernel":
        monkeypatch.setattr(defence, "begin", proxy_entries)
    made = Machine()
    yield made
    made.close()


by_ourselves = pytest.mark.parametrize("machine", ["by ourselves"], indirect=True)


@pytest.fixture
def neighbour(machine: Machine) -> Iterator[socket.socket]:
    """Give a socket at the far end, for whole frames."""

    def open_socket() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))
        made.bind((LINK, ETH_P_IPV6))
        made.setblocking(False)
        return made

    with machine.far.run(open_socket) as made:
        yield made


def solicitation(
    target: IPv6Address = HOME,
    *,
    source: IPv6Address | str = ASKER,
    to: IPv6Address | None = None,
    hop_limit: int = 255,
    tell: bool = True,
    mac: bytes | None = None,
) -> bytes:
    """Make a Neighbor Solicitation; `tell` has it say the asker's link-layer address."""
    group = solicited_node(target)
    if mac is None:
        mac = MAC if to is not None and not to.is_multicast else b"\x33\x33" + (to or group).packed[-4:]
    frame = Ether(src=FAR_MAC.hex(":"), dst=mac.hex(":"))
    frame /= IPv6(src=str(source), dst=str(to or group), hlim=hop_limit) / ICMPv6ND_NS(tgt=str(target))
    return bytes(frame / ICMPv6NDOptSrcLLAddr(lladdr=FAR_MAC.hex(":")) if tell else frame)


def answers(machine: Machine, neighbour: socket.socket, *questions: bytes) -> list[Any]:
    """Ask, and then for an address that is defended for sure; give what was answered before that."""
    machine.apply(DefendAddress(interface=LINK, address=OTHER_HOME))
    for question in (*questions, solicitation(OTHER_HOME)):
        neighbour.send(question)
    found: list[Any] = []

    def is_over() -> bool:
        while True:
            try:
                frame = Ether(neighbour.recv(2048))
            except BlockingIOError:
                return bool(found) and found[-1][ICMPv6ND_NA].tgt == str(OTHER_HOME)
            if frame.haslayer(ICMPv6ND_NA) and frame.src == MAC.hex(":"):
                found.append(frame)

    machine.pump(is_over)
    return found[:-1]


@pytest.mark.rfc6275("10.4.1-a")
@pytest.mark.parametrize("to", [None, HOME], ids=["multicast", "unicast"])
def test_who_asks_is_answered(machine: Machine, neighbour: socket.socket, to: IPv6Address | None) -> None:
    machine.plane()
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR), DEFEND)
    (answer,) = answers(machine, neighbour, solicitation(to=to))
    assert (answer.dst, answer[IPv6].src, answer[IPv6].dst) == (FAR_MAC.hex(":"), str(link_local(MAC)), str(ASKER))
    said = answer[ICMPv6ND_NA]
    assert (answer[IPv6].hlim, said.tgt, said.R, said.S, said.O) == (255, str(HOME), 0, 1, 0)
    if to is None:  # who asks by unicast knows it (RFC 4861 §7.2.4)
        assert answer[ICMPv6NDOptDstLLAddr].lladdr == MAC.hex(":")
    assert Ether(bytes(answer)) == answer  # the checksum too


@pytest.mark.rfc6275("10.4.1-a")
def test_who_tests_the_address_is_told_with_all_others(machine: Machine, neighbour: socket.socket) -> None:
    machine.plane()
    machine.apply(DEFEND)
    (answer,) = answers(machine, neighbour, solicitation(source="::", tell=False))
    assert (answer.dst, answer[IPv6].dst) == ("33:33:00:00:00:01", str(ALL_NODES))
    assert answer[ICMPv6ND_NA].S == 0


@pytest.mark.parametrize(
    "question",
    [
        solicitation(hop_limit=254),
        solicitation(HOME + 0x100),
        solicitation(OWN + 0x1000, to=solicited_node(HOME)),
        solicitation(source="::"),
        solicitation(source="::", tell=False, to=HOME),
        solicitation()[:-8],
        solicitation()[:60],
    ],
    ids=[
        "forwarded",
        "not defended",
        "another of the group",
        "test with an address",
        "test by unicast",
        "cut",
        "short",
    ],
)
def test_nothing_else_is_answered(machine: Machine, neighbour: socket.socket, question: bytes) -> None:
    machine.plane()
    machine.apply(DEFEND)
    assert answers(machine, neighbour, question) == []


@pytest.mark.rfc6275("10.3.2-b")
def test_what_is_defended_no_more_is_not_answered_for(machine: Machine, neighbour: socket.socket) -> None:
    machine.plane()
    machine.apply(DEFEND, STOP, STOP)
    assert answers(machine, neighbour, solicitation(), solicitation(to=HOME)) == []


@pytest.mark.rfc6275("10.4.2-b")
def test_what_asks_for_the_address_by_unicast_is_not_tunnelled(machine: Machine, neighbour: socket.socket) -> None:
    plane = machine.plane()
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR), DEFEND)
    assert len(answers(machine, neighbour, solicitation(to=HOME))) == 1
    for callback in [*machine.watched.values()]:  # had it been routed there, it would wait on the tunnel device
        callback()
    assert "tunnelled" not in plane.counters()


@pytest.mark.parametrize("how", ["down and up", "gone and back"])
def test_an_interface_that_was_taken_down_is_answered_on_again(machine: Machine, how: str) -> None:
    machine.plane()
    machine.apply(DEFEND)
    if how == "gone and back":
        machine.command("ip", "link", "del", LINK)
        machine.namespace.netlink.create_veth(
            LINK, LINK, peer_namespace=machine.far.descriptor, address=MAC, peer_address=FAR_MAC
        )
        machine.far.netlink.set_link(machine.far.netlink.link(LINK).index, up=True)
    else:
        machine.command("ip", "link", "set", LINK, "down")
    machine.command("ip", "link", "set", LINK, "up")
    machine.run(partial(machine.planes[-1].restore, LINK))
    with machine.far.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IPV6))) as made:
        made.bind((LINK, ETH_P_IPV6))
        made.setblocking(False)
        assert len(answers(machine, made, solicitation())) == 1


@by_ourselves
def test_the_end_leaves_no_filter(machine: Machine) -> None:
    machine.plane()
    machine.apply(DEFEND)
    assert TABLE in run_in(machine.namespace, "nft", "list", "tables").stdout
    machine.close_plane()
    assert TABLE not in run_in(machine.namespace, "nft", "list", "tables").stdout


def test_a_node_that_forwards_nothing_answers_for_nobody(machine: Machine) -> None:
    machine.run(partial(sysctl.set_interface, "all", forwarding=0))
    machine.plane()
    with pytest.raises(PlaneError, match=f"answer for {HOME}: this node forwards nothing"):
        machine.apply(DEFEND)
    machine.apply(STOP)


def test_an_interface_that_is_not_there_is_refused(machine: Machine) -> None:
    machine.plane()
    with pytest.raises(PlaneError, match="find link gone0"):
        machine.apply(DefendAddress(interface="gone0", address=HOME))


@by_ourselves
def test_very_many_are_defended_at_once(machine: Machine, neighbour: socket.socket) -> None:
    machine.plane()
    first = OTHER_HOME + 1
    machine.apply(*(DefendAddress(interface=LINK, address=first + number) for number in range(MANY)))
    found = answers(machine, neighbour, solicitation(first), solicitation(first + MANY - 1))
    assert [answer[ICMPv6ND_NA].tgt for answer in found] == [str(first), str(first + MANY - 1)]
    assert run_in(machine.namespace, "ip", "-6", "maddress", "show", "dev", LINK).stdout.count("inet6") < MANY
