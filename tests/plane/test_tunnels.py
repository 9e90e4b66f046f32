"""Packets through the tunnels of a data plane, one at a time: octets, addresses, and what is not let through.

The far end of the wire stands for the whole Internet. `tests/lab` looks at the same from the nodes' side.
"""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

import pytest

from lab.constants import ENCAPSULATION_LIMIT, MINIMUM_MTU
from lab.engine.io import AddAddress, InstallReverseTunnel, InstallTunnel, RemoveReverseTunnel, RemoveTunnel, UseRouter
from lab.plane.tunnel import Outlet
from lab.plane.user import INVOKING_OCTETS, UserPlane
from lab.safeguards import Safeguard
from lab.wire.chain import encapsulation_limit
from lab.wire.icmpv6 import PacketTooBig, ParameterProblem
from lab.wire.mobility import BindingRefreshRequest
from lab.wire.packet import (
    IPV6,
    DestinationOptions,
    OpaquePayload,
    Packet,
    UnknownHeaderOption,
    build,
    mobility_packet,
    parse,
)
from tests.lab.networks import settle_addresses
from tests.plane.machine import FAR, FAR_MAC, FAR_TOO, HOME, LINK, OTHER_HOME, OWN, ROUTER, Machine, report_every_error

pytestmark = pytest.mark.privileged

CN, ROUTER_BEHIND = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:e::1")
EXPERIMENT = 253
_IPV6_HDRINCL, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO, _IPV6_RECVFRAGSIZE = 36, 23, 2, 77


@pytest.fixture
def machine(kind: type[UserPlane]) -> Iterator[Machine]:
    made = Machine(kind)
    made.plane()
    made.command("ip", "-6", "route", "add", "default", "via", str(ROUTER), "dev", LINK)
    yield made
    made.close()


def inner(source: IPv6Address, destination: IPv6Address, octets: int = 8) -> bytes:
    """Make a packet to be carried."""
    return build(
        Packet(
            source=source, destination=destination, payload=OpaquePayload(next_header=EXPERIMENT, data=bytes(octets))
        )
    )


def tunnelled(machine: Machine, packet: bytes, outer: IPv6Address = FAR) -> None:
    """Have a packet arrive in a tunnel."""
    outlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    outlet.bind((str(outer), 0))
    outlet.sendto(packet, (str(OWN), 0))


def serve(machine: Machine, home: IPv6Address = HOME, care_of: IPv6Address = FAR) -> None:
    """Make the machine the home agent of a mobile node."""
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=home, care_of_address=care_of))


def visit(machine: Machine) -> None:
    """Make the machine a mobile node away from home, whose home agent is the far end."""
    machine.apply(InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN))
    settle_addresses(machine.namespace)


def packets_for(machine: Machine, destination: IPv6Address) -> socket.socket:
    """Take packets of the experiment's protocol for an address that the far end is given."""
    machine.far.netlink.add_address(1, destination, 128)
    settle_addresses(machine.far)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, EXPERIMENT)
    inlet.bind((str(destination), 0))
    return inlet


def send_to(machine: Machine, destination: IPv6Address, octets: int = 8) -> None:
    """Send a packet from the machine itself."""
    machine.socket(machine.namespace, socket.SOCK_RAW, EXPERIMENT).sendto(bytes(octets), (str(destination), 0))


# A home agent


@pytest.mark.rfc6275("10.4.2-a")
def test_a_packet_for_a_home_address_goes_whole_to_the_care_of_address(machine: Machine) -> None:
    inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    inlet.bind((str(FAR_TOO), 0))
    serve(machine, care_of=FAR_TOO)
    send_to(machine, HOME, 100)
    machine.pump(machine.counts("tunnelled"))
    packet, outer = inlet.recvfrom(2048)
    assert outer[0] == str(OWN)
    assert packet[6] == EXPERIMENT
    assert packet[24:40] == HOME.packed
    assert packet[40:] == bytes(100)


@pytest.mark.rfc6275("10.4.5-a", "15.7-a")
def test_a_packet_of_a_mobile_node_comes_out_whole(machine: Machine) -> None:
    inlet = packets_for(machine, CN)
    machine.command("ip", "-6", "neighbour", "add", str(ROUTER), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
    serve(machine)
    tunnelled(machine, inner(HOME, CN, 100))
    machine.pump(machine.counts("detunnelled"))
    assert inlet.recvfrom(2048)[:2] == (bytes(100), (str(HOME), 0, 0, 0))


@pytest.mark.rfc6275("10.4.5-a", "5.5-a")
def test_after_a_move_the_new_care_of_address_counts_and_the_old_one_no_more(machine: Machine) -> None:
    serve(machine, care_of=FAR)
    serve(machine, care_of=FAR_TOO)
    tunnelled(machine, inner(HOME, CN), outer=FAR)
    machine.pump(machine.counts("wrong-outer-source"))
    tunnelled(machine, inner(HOME, CN), outer=FAR_TOO)
    machine.pump(machine.counts("detunnelled"))
    assert machine.counts("wrong-outer-source")()


@pytest.mark.rfc6275("10.4.5-a", "15.7-a")
def test_mobile_nodes_cannot_speak_for_each_other(machine: Machine) -> None:
    serve(machine, HOME, FAR)
    serve(machine, OTHER_HOME, FAR_TOO)
    tunnelled(machine, inner(OTHER_HOME, CN), outer=FAR)
    machine.pump(machine.counts("wrong-outer-source"))
    (told,) = (drop for drop in machine.dropped if drop.reason == "wrong-outer-source")
    assert (told.source, told.destination, told.detail) == (OTHER_HOME, CN, f"from {FAR}")
    tunnelled(machine, inner(OTHER_HOME, CN), outer=FAR_TOO)
    machine.pump(machine.counts("detunnelled"))


@pytest.mark.rfc6275("10.4.5-a", "15.7-a")
def test_without_the_check_of_the_outer_source_anybody_speaks_for_a_mobile_node(kind: type[UserPlane]) -> None:
    machine = Machine(kind)
    machine.plane(without=frozenset({Safeguard.OUTER_SOURCE_CHECK}))
    serve(machine, care_of=FAR)
    tunnelled(machine, inner(HOME, CN), outer=FAR_TOO)
    machine.pump(machine.counts("detunnelled"))
    machine.close()


@pytest.mark.rfc6275("10.4.5-a")
def test_without_a_binding_nothing_comes_out(machine: Machine) -> None:
    serve(machine)
    machine.apply(RemoveTunnel(home_address=HOME))
    tunnelled(machine, inner(HOME, CN))
    machine.pump(machine.counts("unknown-inner-source"))
    assert not machine.planes[-1].counters().get("detunnelled")


@pytest.mark.parametrize("octets", [0, 1, 39])
def test_a_fragment_of_a_header_is_no_packet(machine: Machine, octets: int) -> None:
    serve(machine)
    tunnelled(machine, inner(HOME, CN)[:octets])
    machine.pump(machine.counts("truncated"))


def test_what_is_no_ipv6_is_not_delivered(machine: Machine) -> None:
    serve(machine)
    tunnelled(machine, b"\x45" + inner(HOME, CN)[1:])
    machine.pump(machine.counts("not-delivered"))


def test_a_care_of_address_without_a_way_costs_a_packet_and_no_more(machine: Machine) -> None:
    serve(machine)
    machine.command("ip", "-6", "route", "add", "unreachable", f"{FAR}/128")
    send_to(machine, HOME)
    machine.pump(machine.counts_unless_kernel("not-sent-EHOSTUNREACH"))
    machine.command("ip", "-6", "route", "del", "unreachable", f"{FAR}/128")
    send_to(machine, HOME)
    machine.pump(machine.counts("tunnelled"))


def test_many_packets_at_once_are_all_carried(machine: Machine) -> None:
    serve(machine)
    outlet = machine.socket(machine.namespace, socket.SOCK_RAW, EXPERIMENT)
    for _ in range(200):
        outlet.sendto(b"", (str(HOME), 0))
    machine.pump(machine.counts("tunnelled", 200))


# A mobile node


@pytest.mark.rfc6275("11.3.1-a")
def test_a_packet_from_the_home_address_goes_to_the_home_agent(machine: Machine) -> None:
    inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    visit(machine)
    send_to(machine, CN, 100)  # whose source is the home address, since the tunnel is the way
    machine.pump(machine.counts("tunnelled"))
    packet, outer = inlet.recvfrom(2048)
    assert outer[0] == str(OWN)
    assert packet[8:24] == HOME.packed
    assert packet[24:40] == CN.packed


@pytest.mark.rfc6275("5.5-b", "11.3.3-a")
def test_a_packet_for_the_home_address_comes_out_of_the_tunnel(machine: Machine) -> None:
    inlet = machine.socket(machine.namespace, socket.SOCK_RAW, EXPERIMENT)
    visit(machine)
    tunnelled(machine, inner(CN, HOME, 100), outer=FAR_TOO)
    machine.pump(machine.counts("wrong-outer-source"))
    tunnelled(machine, inner(CN, HOME, 100), outer=FAR)
    machine.pump(machine.counts("detunnelled"))
    assert inlet.recvfrom(2048)[:2] == (bytes(100), (str(CN), 0, 0, 0))


def test_a_mobility_message_out_of_the_tunnel_goes_to_the_engine(machine: Machine) -> None:
    """The kernel, which would answer it with an error, does not see it."""
    visit(machine)
    message = build(mobility_packet(CN, HOME, BindingRefreshRequest()))
    tunnelled(machine, message)
    machine.pump(machine.counts("detunnelled"))
    assert machine.delivered == [message]


@pytest.mark.rfc6275("5.5-b")
def test_at_home_nothing_comes_out_of_a_tunnel(machine: Machine) -> None:
    visit(machine)
    machine.apply(RemoveReverseTunnel(home_address=HOME))
    tunnelled(machine, inner(CN, HOME))
    machine.pump(machine.counts("unknown-inner-source"))


def test_a_socket_keeps_the_home_address_whatever_the_way(machine: Machine) -> None:
    """Bound once, it sends into the tunnel and, back home, by the router."""
    inlet = packets_for(machine, CN)
    tunnels = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    visit(machine)
    bound = machine.socket(machine.namespace, socket.SOCK_RAW, EXPERIMENT)
    bound.bind((str(HOME), 0))
    bound.sendto(b"away", (str(CN), 0))
    machine.pump(machine.counts("tunnelled"))
    assert tunnels.recv(2048)[40:] == b"away"
    machine.apply(
        AddAddress(interface=LINK, address=HOME, prefix_length=64),
        UseRouter(interface=LINK, router=ROUTER, source=HOME, default=True, link_layer_address=FAR_MAC),
        RemoveReverseTunnel(home_address=HOME),
    )
    bound.sendto(b"home", (str(CN), 0))
    assert inlet.recvfrom(2048)[:2] == (b"home", (str(HOME), 0, 0, 0))


# Sizes


@pytest.mark.rfc6275("10.4.2-c")
@pytest.mark.parametrize("mtu", [1500, 1400, 1320])
def test_a_mobile_node_s_own_programs_learn_what_fits(machine: Machine, mtu: int) -> None:
    visit(machine)
    machine.command("ip", "-6", "route", "add", f"{FAR}/128", "dev", LINK, "mtu", str(mtu))
    fits = mtu - 40
    program = machine.socket(machine.namespace, socket.SOCK_DGRAM)
    program.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
    program.connect((str(CN), 9))
    if mtu < 1500:
        program.send(bytes(1460 - 48))  # as large as the device takes: the tunnel's answer is told afterwards
        machine.pump(machine.counts_unless_kernel("too-big"))
        assert program.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.EMSGSIZE
    with pytest.raises(OSError, match="Message too long"):
        program.send(bytes(fits - 48 + 1))
    program.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # what is told of an earlier packet is told once
    program.send(bytes(fits - 48))
    machine.pump(machine.counts("tunnelled"))


def test_nobody_is_told_less_than_every_link_carries(machine: Machine) -> None:
    """RFC 2473 §7.1: below 1280 octets it is the tunnel's affair to fragment; a sender is told 1280."""
    serve(machine)
    machine.command("ip", "-6", "route", "add", f"{FAR}/128", "dev", LINK, "mtu", "1280")
    reports = machine.socket(machine.namespace, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    send_to(machine, HOME, 1400 - 40)
    machine.pump(machine.counts_unless_kernel("too-big"))
    report = reports.recv(2048)
    while report[0] != 2:
        report = reports.recv(2048)
    assert int.from_bytes(report[4:8], "big") == MINIMUM_MTU
    assert len(report) == 8 + INVOKING_OCTETS
    assert report[8 + 24 : 8 + 40] == HOME.packed


def test_a_path_that_goes_away_meanwhile_costs_a_packet_and_no_more(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> int:
        raise OSError(errno.ENETUNREACH, "no path")

    serve(machine)
    machine.command("ip", "-6", "route", "add", f"{FAR}/128", "dev", LINK, "mtu", "1400")
    monkeypatch.setattr(Outlet, "path_mtu", gone)
    send_to(machine, HOME, 1400 - 40)
    machine.pump(machine.counts_unless_kernel("not-sent-EMSGSIZE"))
    send_to(machine, HOME, 1300 - 40)
    machine.pump(machine.counts("tunnelled"))


# Tunnels in tunnels


def carried(*, limit: int | None = None, octets: int = 8) -> bytes:
    """Make a packet that another home agent tunnels to a home address of this one."""
    option = UnknownHeaderOption(option_type=4, data=bytes((limit or 0,)))
    headers = () if limit is None else (DestinationOptions(options=(option,)),)
    payload = OpaquePayload(next_header=IPV6, data=inner(CN, OTHER_HOME, octets))
    return build(Packet(source=FAR, destination=HOME, headers=headers, payload=payload))


def send_through(machine: Machine, packet: bytes) -> None:
    """Have the far end send a packet to a home address of this machine."""
    machine.far.run(lambda: subprocess.run(["ip", "-6", "route", "replace", str(HOME), "via", str(OWN)], check=True))
    machine.socket(machine.far, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(packet, (str(HOME), 0))


def limits_at_the_far_end(machine: Machine) -> Callable[[], list[bytes]]:
    """Give the Destination Options headers before the next packet that the far end takes out of a tunnel."""
    inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    inlet.bind((str(FAR_TOO), 0))
    inlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVDSTOPTS, 1)
    return lambda: [data for _, kind, data in inlet.recvmsg(2048, 256)[1] if kind == socket.IPV6_DSTOPTS]


def report_of(errors: socket.socket, kind: int) -> tuple[int, bytes]:
    """Wait for an ICMPv6 error; give its pointer or MTU, and the packet that it is about."""
    while (report := errors.recv(2048))[0] != kind:
        pass
    assert report[1] == 0
    return int.from_bytes(report[4:8], "big"), report[8:]


@pytest.fixture
def errors(machine: Machine) -> socket.socket:
    """Give what tells the far end of errors."""
    made = machine.socket(machine.far, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    made.bind((str(FAR), 0))
    return made


@pytest.mark.rfc6275("15.1-a")
@pytest.mark.parametrize(("limit", "told"), [(None, ENCAPSULATION_LIMIT), (4, 3), (1, 0), (255, 254)])
def test_what_a_tunnel_carries_already_may_go_through_a_few_more(
    machine: Machine, limit: int | None, told: int
) -> None:
    seen = limits_at_the_far_end(machine)
    serve(machine, care_of=FAR_TOO)
    send_through(machine, carried(limit=limit))
    machine.pump(machine.counts("tunnelled"))
    assert seen() == [bytes((IPV6, 0, 4, 1, told, 1, 1, 0))]


@pytest.mark.rfc6275("15.1-a")
def test_without_the_encapsulation_limit_nothing_is_told_of_it_and_nothing_is_heard(kind: type[UserPlane]) -> None:
    machine = Machine(kind)
    machine.plane(without=frozenset({Safeguard.ENCAPSULATION_LIMIT}))
    seen = limits_at_the_far_end(machine)
    serve(machine, care_of=FAR_TOO)
    send_through(machine, carried(limit=0))
    machine.pump(machine.counts("tunnelled"))
    assert seen() == []
    machine.close()


@pytest.mark.rfc6275("15.1-a", "10.4.2-a")
def test_what_comes_in_no_tunnel_says_nothing_of_a_limit(machine: Machine) -> None:
    seen = limits_at_the_far_end(machine)
    serve(machine, care_of=FAR_TOO)
    send_to(machine, HOME)
    machine.pump(machine.counts("tunnelled"))
    assert seen() == []


@pytest.mark.rfc6275("15.1-a")
def test_at_a_limit_of_0_the_tunnel_before_is_told(machine: Machine, errors: socket.socket) -> None:
    serve(machine, care_of=FAR_TOO)
    packet = carried(limit=0)
    send_through(machine, packet)
    machine.pump(machine.counts("encapsulation-limit"))
    pointer, invoking = report_of(errors, ParameterProblem.ICMPV6_TYPE)
    assert pointer == 40 + 2 + 2  # the octet with the limit itself
    assert invoking[8:24] == FAR.packed
    assert invoking[40:] == packet[40:]
    assert not machine.planes[-1].counters().get("tunnelled")


@pytest.mark.rfc6275("15.1-a", "10.4.2-c")
def test_the_option_takes_room(machine: Machine, errors: socket.socket) -> None:
    """What fits is less, by twice the 8 octets as the kernel counts, and that is what is told."""
    serve(machine, care_of=FAR_TOO)
    fits = 1500 - 40 - 2 * 8
    send_through(machine, carried(octets=fits - 2 * 40 + 1))
    machine.pump(machine.counts("too-big"))
    assert report_of(errors, PacketTooBig.ICMPV6_TYPE)[0] == fits
    send_through(machine, carried(octets=fits - 2 * 40))
    machine.pump(machine.counts("tunnelled"))


@pytest.mark.rfc6275("15.1-a", "10.4.5-a")
def test_a_tunnel_with_a_limit_is_taken_like_any_other(machine: Machine) -> None:
    """The kernel knows no such option, and need not: it passes over it."""
    inlet = packets_for(machine, CN)
    machine.command("ip", "-6", "neighbour", "add", str(ROUTER), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
    serve(machine)
    outlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    outlet.bind((str(FAR), 0))
    limit = (socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, encapsulation_limit(4))
    outlet.sendmsg([inner(HOME, CN, 100)], [limit], 0, (str(OWN), 0))
    machine.pump(machine.counts("detunnelled"))
    assert inlet.recvfrom(2048)[:2] == (bytes(100), (str(HOME), 0, 0, 0))


# Others


def test_what_belongs_to_no_tunnel_is_counted(machine: Machine) -> None:
    """Beside what the kernel says to whoever may be there, such as its multicast groups."""
    machine.command("ip", "-6", "route", "add", f"{OTHER_HOME}/128", "dev", "mip0")
    count = machine.planes[-1].counters
    before = count().get("no-tunnel", 0)
    send_to(machine, OTHER_HOME)
    machine.pump(lambda: count().get("no-tunnel", 0) > before)


def test_tunnels_of_one_address_share_their_sockets(machine: Machine) -> None:
    without = len(os.listdir("/proc/self/fd"))
    serve(machine)
    before = len(os.listdir("/proc/self/fd"))
    others = [HOME + 0x1000 + number for number in range(50)]
    for home in others:
        serve(machine, home)
    assert len(os.listdir("/proc/self/fd")) == before
    for home in others:
        machine.apply(RemoveTunnel(home_address=home))
    tunnelled(machine, inner(HOME, CN))
    machine.pump(machine.counts("detunnelled"))  # the one that is left is not harmed
    machine.apply(RemoveTunnel(home_address=HOME))
    machine.close_sockets()
    assert len(os.listdir("/proc/self/fd")) == without


def test_each_tunnel_of_a_shared_socket_goes_its_own_way(machine: Machine) -> None:
    serve(machine)
    serve(machine, OTHER_HOME, FAR_TOO)
    ends = {home: machine.socket(machine.far, socket.SOCK_RAW, IPV6) for home in (HOME, OTHER_HOME)}
    for end, care_of in zip(ends.values(), (FAR, FAR_TOO), strict=True):
        end.bind((str(care_of), 0))
    for home in ends:
        send_to(machine, home)
    machine.pump(machine.counts("tunnelled", 2))
    for home, end in ends.items():
        packet, (source, *_) = end.recvfrom(2048)
        assert (IPv6Address(packet[24:40]), source) == (home, str(OWN))


def report_too_big(machine: Machine, packet: bytes, mtu: int) -> None:
    """Have the far end say, as a router on the way, that a packet of the machine is larger than so many octets."""
    report = PacketTooBig(mtu=mtu, invoking=packet[:INVOKING_OCTETS])
    octets = build(Packet(source=ROUTER_BEHIND, destination=IPv6Address(packet[8:24]), payload=report))
    machine.socket(machine.far, socket.SOCK_RAW, socket.IPPROTO_RAW).sendto(octets, (str(OWN), 0))
    machine.run(lambda: machine.planes[-1].explain(parse(octets)))  # which the service has from a socket of its own


@pytest.mark.rfc6275("10.4.2-c")
def test_each_tunnel_of_one_address_has_a_path_of_its_own(machine: Machine) -> None:
    """RFC 2473 §7.1 b: what every link carries is fragmented on a narrow path, whichever tunnel opened last."""
    care_of = {HOME: FAR, OTHER_HOME: FAR_TOO}
    for home, address in care_of.items():
        serve(machine, home, address)
    for narrow, address in care_of.items():
        payload = OpaquePayload(next_header=IPV6, data=inner(CN, narrow, 1300))
        report_too_big(machine, build(Packet(source=OWN, destination=address, payload=payload)), MINIMUM_MTU)
        inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
        inlet.bind((str(address), 0))
        inlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVFRAGSIZE, 1)
        before = machine.planes[-1].counters().get("tunnelled", 0)
        send_to(machine, narrow, MINIMUM_MTU - 40)
        machine.pump(machine.counts("tunnelled", before + 1))
        packet, ancillary, *_ = inlet.recvmsg(2048, 256)
        assert len(packet) == MINIMUM_MTU
        (largest,) = (data for _, kind, data in ancillary if kind == _IPV6_RECVFRAGSIZE)
        assert int.from_bytes(largest, sys.byteorder) <= MINIMUM_MTU


def test_errors_about_packets_in_tunnels_stop_no_other(machine: Machine) -> None:
    """A socket that is told of errors fails the next packet, whosever it is: here each packet is refused."""
    machine.far.run(report_every_error)
    serve(machine)
    serve(machine, OTHER_HOME, FAR_TOO)
    for home in [HOME, OTHER_HOME] * 100:
        send_to(machine, home)
    machine.pump(machine.counts("tunnelled", 200))
