"""Multicast between home links and tunnels, by the user plane (RFC 6275 §10.4.2, §10.4.3, §11.3.4)."""

import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from lab.engine.io import (
    DefendAddress,
    EndForwarding,
    ForwardGroup,
    RemoveReverseTunnel,
    RemoveTunnel,
)
from lab.engine.multicast import ROUTER_ALERT
from lab.errors import PlaneError
from lab.plane.user import UserPlane
from lab.wire.checksum import checksum
from lab.wire.icmpv6 import Icmpv6Message, NeighborSolicitation
from lab.wire.multicast_listener import (
    MulticastAddressRecord,
    MulticastListenerQuery,
    MulticastListenerReport,
    RecordType,
    groups_of,
)
from lab.wire.packet import IPV6, Packet, build, parse
from tests.lab.networks import run_in
from tests.plane.machine import FAR, FAR_TOO, HOME, LINK, MAC, OTHER_HOME, Machine
from tests.plane.test_tunnels import CN, EXPERIMENT, inner, serve, tunnelled, visit

pytestmark = pytest.mark.privileged

GROUP, OTHER_GROUP = IPv6Address("ff0e::6275"), IPv6Address("ff0e::6276")
OF_THE_LINK = IPv6Address("ff02::6275")
LISTENER, QUERIER = IPv6Address("fe80::100"), IPv6Address("fe80::1")
UDP, PORT, HOPS = 17, 6275, 16


@pytest.fixture
def machine(kind: type[UserPlane]) -> Iterator[Machine]:
    made = Machine(kind)
    made.plane()
    yield made
    made.close()


def listens(machine: Machine, home: IPv6Address = HOME, care_of: IPv6Address = FAR) -> None:
    """Make the machine the home agent of a mobile node that listens to the group."""
    serve(machine, home, care_of)
    machine.apply(
        DefendAddress(interface=LINK, address=home), ForwardGroup(interface=LINK, home_address=home, group=GROUP)
    )


def say(machine: Machine, group: IPv6Address, hops: int = HOPS) -> None:
    """Send to a group from the home link."""
    outlet = machine.socket(machine.far, socket.SOCK_DGRAM)
    outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, machine.far.netlink.link(LINK).index)
    outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
    outlet.sendto(b"to all", (str(group), PORT))


def join(machine: Machine, joined: socket.socket, group: IPv6Address, *, far: bool = False) -> None:
    """Join a group: at the far end on the link, here on the tunnel device."""
    end, name = (machine.far, LINK) if far else (machine.namespace, "mip0")
    request = group.packed + struct.pack("=I", end.netlink.link(name).index)
    joined.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)


def listener_discovery(message: Icmpv6Message, source: IPv6Address = LISTENER) -> bytes:
    """Make a packet of Multicast Listener Discovery."""
    destination = IPv6Address("ff02::16" if isinstance(message, MulticastListenerReport) else "ff02::1")
    return build(Packet(source=source, destination=destination, hop_limit=1, headers=(ROUTER_ALERT,), payload=message))


REPORT = MulticastListenerReport(records=(MulticastAddressRecord(record_type=RecordType.MODE_IS_EXCLUDE, group=GROUP),))
QUERY = MulticastListenerQuery(max_response_code=1, group=IPv6Address("::"), robustness=2, interval_code=125)


# A home agent


@pytest.mark.rfc6275("10.4.2-d")
def test_a_group_of_the_home_link_goes_to_each_care_of_address_that_listens(machine: Machine) -> None:
    inlets = {address: machine.socket(machine.far, socket.SOCK_RAW, IPV6) for address in (FAR, FAR_TOO)}
    for address, inlet in inlets.items():
        inlet.bind((str(address), 0))
    listens(machine)
    listens(machine, OTHER_HOME, FAR_TOO)
    say(machine, GROUP)
    machine.pump(machine.counts("tunnelled", 2))
    for inlet in inlets.values():
        packet = parse(inlet.recv(2048))
        assert (packet.destination, packet.hop_limit) == (GROUP, HOPS - 1)
        ends = int.from_bytes(packet.source.packed + packet.destination.packed, "big")
        assert checksum(ends, UDP, packet.payload_octets) == 0  # which the wire of one machine leaves open


@pytest.mark.rfc6275("10.4.2-d")
def test_what_is_of_the_link_or_of_no_interest_is_not_tunnelled(machine: Machine) -> None:
    listens(machine)
    machine.apply(ForwardGroup(interface=LINK, home_address=HOME, group=OF_THE_LINK))  # which no engine would ask for
    say(machine, OF_THE_LINK)
    say(machine, OTHER_GROUP)
    say(machine, GROUP, hops=1)
    machine.pump(machine.counts("link-scope"))
    say(machine, GROUP)
    machine.pump(machine.counts("tunnelled"))
    assert machine.planes[-1].counters()["link-scope"] == 1


@pytest.mark.rfc6275("10.4.3-a")
@pytest.mark.parametrize(
    "end",
    [EndForwarding(home_address=HOME, group=GROUP), RemoveTunnel(home_address=HOME)],
    ids=["left", "unbound"],
)
def test_it_ends_for_one_and_goes_on_for_others(machine: Machine, end: EndForwarding | RemoveTunnel) -> None:
    inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    listens(machine)
    listens(machine, OTHER_HOME, FAR_TOO)
    machine.apply(end)
    machine.apply(EndForwarding(home_address=HOME, group=OTHER_GROUP))  # is no error
    say(machine, GROUP)
    machine.pump(machine.counts("tunnelled"))
    assert parse(inlet.recv(2048)).destination == GROUP


@pytest.mark.rfc6275("11.3.4-a", "10.4.5-a")
def test_what_a_mobile_node_sends_to_a_group_is_heard_at_home_and_by_others_afar(machine: Machine) -> None:
    listens(machine)
    listens(machine, OTHER_HOME, FAR_TOO)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, EXPERIMENT)
    join(machine, inlet, GROUP, far=True)
    tunnels = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    tunnelled(machine, inner(HOME, GROUP), outer=FAR_TOO)
    machine.pump(machine.counts("wrong-outer-source"))
    tunnelled(machine, inner(HOME, GROUP))
    machine.pump(machine.counts("detunnelled"))
    assert inlet.recvfrom(2048)[:2] == (bytes(8), (str(HOME), 0, 0, 0))
    assert parse(tunnels.recv(2048)).source == HOME
    assert machine.planes[-1].counters()["tunnelled"] == 1  # not back to who sent it


@pytest.mark.rfc6275("10.4.2-d", "10.4.5-a")
def test_what_is_of_the_link_does_not_come_out_of_a_tunnel(machine: Machine) -> None:
    listens(machine)
    tunnelled(machine, inner(HOME, OF_THE_LINK))
    machine.pump(machine.counts("link-scope"))
    tunnelled(machine, inner(OTHER_HOME, GROUP))
    machine.pump(machine.counts("unknown-inner-source"))
    assert not machine.planes[-1].counters().get("tunnelled")


@pytest.mark.rfc6275("10.4.3-a")
def test_what_a_mobile_node_listens_to_is_told_to_the_engine_with_its_tunnel(machine: Machine) -> None:
    serve(machine)
    tunnelled(machine, listener_discovery(REPORT), outer=FAR_TOO)
    machine.pump(machine.counts("unknown-inner-source"))
    tunnelled(machine, listener_discovery(REPORT))
    machine.pump(machine.counts("detunnelled"))
    (octets,) = machine.delivered
    outer = parse(octets)
    assert outer.source == FAR
    assert isinstance(outer.payload, Packet)
    assert outer.payload.payload == REPORT


@pytest.mark.rfc6275("10.4.2-b")
@pytest.mark.case("HA-169")
def test_a_packet_for_a_defended_link_local_address_is_answered_and_not_tunnelled(machine: Machine) -> None:
    serve(machine)
    machine.apply(DefendAddress(interface=LINK, address=HOME), DefendAddress(interface=LINK, address=LISTENER))
    machine.far.netlink.set_neighbor(machine.far.netlink.link(LINK).index, LISTENER, MAC)
    for source in ("::", str(FAR)):
        bound = () if source == "::" else ("-I", source)
        said = run_in(machine.far, "ping", "-c1", "-W2", *bound, f"{LISTENER}%{LINK}").stdout
        assert "Destination unreachable: Address unreachable" in said
    assert not machine.planes[-1].counters().get("tunnelled")


# A mobile node


@pytest.fixture
def mobile(machine: Machine) -> Machine:
    """Make the machine a mobile node away from home."""
    visit(machine)
    return machine


def told(machine: Machine) -> list[tuple[IPv6Address, ...]]:
    """Give the groups of each report that the engine heard of."""
    return [groups_of(parse(octets).payload) for octets in machine.delivered]


@pytest.mark.rfc6275("10.4.3-a", "11.3.4-a")
def test_what_an_application_joins_is_reported_in_the_tunnel_and_heard_from_it(mobile: Machine) -> None:
    tunnels = mobile.socket(mobile.far, socket.SOCK_RAW, IPV6)
    application = mobile.socket(mobile.namespace, socket.SOCK_RAW, EXPERIMENT)
    join(mobile, application, GROUP)
    mobile.pump(lambda: any(GROUP in groups for groups in told(mobile)))
    report = parse(tunnels.recv(2048))
    assert (report.source, report.hop_limit) == (LISTENER, 1)
    assert GROUP in groups_of(report.payload)
    tunnelled(mobile, inner(CN, GROUP), outer=FAR_TOO)
    mobile.pump(mobile.counts("unknown-inner-source"))
    tunnelled(mobile, inner(CN, GROUP))
    mobile.pump(mobile.counts("detunnelled"))
    assert application.recvfrom(2048)[:2] == (bytes(8), (str(CN), 0, 0, 0))


@pytest.mark.rfc6275("10.4.3-a")
def test_a_query_of_the_home_agent_is_answered_by_the_kernel(mobile: Machine) -> None:
    application = mobile.socket(mobile.namespace, socket.SOCK_RAW, EXPERIMENT)
    join(mobile, application, GROUP)
    asked = MulticastAddressRecord(record_type=RecordType.MODE_IS_EXCLUDE, group=GROUP)

    def answered() -> bool:
        messages = [parse(octets).payload for octets in mobile.delivered]
        return any(isinstance(m, MulticastListenerReport) and asked in m.records for m in messages)

    assert not answered()
    tunnelled(mobile, listener_discovery(QUERY, source=QUERIER))
    mobile.pump(answered)


@pytest.mark.rfc6275("11.3.4-a")
def test_what_it_sends_to_a_group_goes_into_the_tunnel_from_the_home_address(mobile: Machine) -> None:
    tunnels = mobile.socket(mobile.far, socket.SOCK_RAW, IPV6)
    outlet = mobile.socket(mobile.namespace, socket.SOCK_RAW, EXPERIMENT)
    outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
    outlet.sendto(b"to all", (str(GROUP), 0))
    mobile.pump(mobile.counts("tunnelled"))
    packet = parse(tunnels.recv(2048))
    assert (packet.source, packet.destination, packet.hop_limit) == (HOME, GROUP, HOPS)
    assert mobile.heard == []  # a group is nobody for a direct path


@pytest.mark.rfc6275("10.4.2-d")
def test_what_is_of_the_link_is_not_sent_into_the_tunnel(mobile: Machine) -> None:
    before = mobile.planes[-1].counters().get("no-tunnel", 0)
    outlet = mobile.socket(mobile.namespace, socket.SOCK_RAW, EXPERIMENT)
    outlet.sendto(b"to all", (str(OF_THE_LINK), 0, 0, mobile.namespace.netlink.link("mip0").index))
    mobile.pump(lambda: mobile.planes[-1].counters().get("no-tunnel", 0) > before)
    solicitation = NeighborSolicitation(target=HOME)
    tunnelled(mobile, build(Packet(source=QUERIER, destination=OF_THE_LINK, hop_limit=255, payload=solicitation)))
    mobile.pump(mobile.counts("link-scope"))
    assert not mobile.planes[-1].counters().get("tunnelled")


@pytest.mark.rfc6275("11.3.4-a")
def test_at_home_the_engine_hears_what_is_joined_and_groups_are_those_of_the_link(mobile: Machine) -> None:
    mobile.apply(RemoveReverseTunnel(home_address=HOME))
    application = mobile.socket(mobile.namespace, socket.SOCK_RAW, EXPERIMENT)
    join(mobile, application, GROUP)
    mobile.pump(lambda: any(GROUP in groups for groups in told(mobile)))
    inlet = mobile.socket(mobile.far, socket.SOCK_RAW, EXPERIMENT)
    join(mobile, inlet, GROUP, far=True)
    application.sendto(b"to all", (str(GROUP), 0))
    assert inlet.recv(2048) == b"to all"
    assert not mobile.planes[-1].counters().get("tunnelled")


def test_the_way_home_leaves_no_route_into_the_tunnel(mobile: Machine) -> None:
    def ways() -> str:
        return run_in(mobile.namespace, "ip", "-6", "route", "show", "table", "local", "dev", "mip0").stdout

    assert ways().count("ff00::/8") == 1
    mobile.apply(RemoveReverseTunnel(home_address=HOME))
    assert "ff00::/8" not in ways()


def test_a_group_of_a_link_that_is_not_there_is_refused(machine: Machine) -> None:
    with pytest.raises(PlaneError, match="listen to multicast on eth7: No such device"):
        machine.apply(ForwardGroup(interface="eth7", home_address=HOME, group=GROUP))
