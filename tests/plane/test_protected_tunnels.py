"""Tunnels of the user plane whose packets are sealed: what the wire carries, and what is taken from it (§5.5)."""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address

import pytest

from lab.auth.ipsec_policy import Policy, Protection, Protects
from lab.auth.secrets import Secrets
from lab.constants import MINIMUM_MTU
from lab.daemon.sockets import MobilityReceiver
from lab.engine.io import InstallReverseTunnel, InstallTunnel
from lab.events import PacketDropped
from lab.netlink import ETH_P_IPV6, Netlink
from lab.plane.ipsec import Ipsec, Tunnelled
from lab.plane.user import UserPlane
from lab.wire.chain import ESP
from lab.wire.mobility import HomeTest, HomeTestInit
from lab.wire.packet import HEADER_OCTETS, IPV6, OpaquePayload, Packet, build, mobility_packet
from tests.auth.protections import protection
from tests.lab.networks import settle_addresses
from tests.plane.machine import FAR, FAR_MAC, FAR_TOO, HOME, LINK, MAC, OWN, ROUTER, Machine
from tests.plane.test_tunnels import inner, packets_for, report_too_big, send_to, tunnelled

pytestmark = pytest.mark.privileged

CN, NOWHERE = IPv6Address("2001:db8:c::2"), IPv6Address("::")
INIT = build(mobility_packet(HOME, CN, HomeTestInit(cookie=bytes(8))))
TEST = build(mobility_packet(CN, HOME, HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))))


@pytest.fixture
def machine(kind: type[UserPlane]) -> Iterator[Machine]:
    made = Machine(kind)
    made.command("ip", "-6", "route", "add", "default", "via", str(ROUTER), "dev", LINK)
    yield made
    made.close()


def refused(dropped: PacketDropped) -> None:
    raise AssertionError(dropped)


def far_end(protections: Sequence[Protection], *, at_home_agent: bool) -> Ipsec:
    return Ipsec(Policy(protections, at_home_agent=at_home_agent), Secrets(b"far"), refused)


def serve(machine: Machine, *purposes: Protects, care_of: IPv6Address = FAR) -> list[Protection]:
    """Make the machine the home agent of a mobile node; give their associations."""
    made = [protection(purpose, agent=OWN) for purpose in purposes]
    machine.plane(made, at_home_agent=True)
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=care_of))
    return made


def inject(machine: Machine, packet: bytes) -> None:
    """Have the machine's own kernel send a packet as it stands."""
    outlet = machine.socket(machine.namespace, socket.SOCK_RAW, socket.IPPROTO_RAW)
    outlet.sendto(packet, (str(IPv6Address(packet[24:40])), 0))


def from_tunnel(inlet: socket.socket, ipsec: Ipsec, source: IPv6Address, destination: IPv6Address) -> Tunnelled:
    """Take an ESP packet at the far end and open it."""
    sealed, address = inlet.recvfrom(2048)
    assert address[0] == str(source)
    outer = Packet(source=source, destination=destination, payload=OpaquePayload(next_header=ESP, data=sealed))
    opened = ipsec.open(build(outer))
    assert isinstance(opened, Tunnelled)
    return opened


@pytest.mark.rfc6275("10.4.6-a", "5.5-c", "10.4.2-a", "5.1-c")
@pytest.mark.case("HA-183", "HA-187", "HA-184", "HA-188")
def test_a_home_test_is_sealed_for_the_care_of_address_in_force(machine: Machine) -> None:
    node = far_end(serve(machine, Protects.RETURN_ROUTABILITY), at_home_agent=False)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    for number, care_of in enumerate((FAR, FAR_TOO), 1):
        machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=care_of))
        inject(machine, TEST)
        machine.pump(machine.counts("tunnelled", number))
        opened = from_tunnel(inlet, node, OWN, care_of)
        assert opened.packet[40:] == TEST[40:]
        assert opened.packet[8:40] == TEST[8:40]


@pytest.mark.rfc6275("5.5-c")
def test_other_packets_stay_plain(machine: Machine) -> None:
    serve(machine, Protects.RETURN_ROUTABILITY)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    send_to(machine, HOME, 100)
    machine.pump(machine.counts("tunnelled"))
    assert inlet.recv(2048)[40:] == bytes(100)


@pytest.mark.rfc6275("5.5-d")
def test_all_packets_are_sealed_where_payload_is(machine: Machine) -> None:
    machine.command("ip", "-6", "neighbour", "add", str(ROUTER), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
    node = far_end(serve(machine, Protects.PAYLOAD), at_home_agent=False)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    send_to(machine, HOME, 100)
    machine.pump(machine.counts("tunnelled"))
    assert from_tunnel(inlet, node, OWN, FAR).packet[40:] == bytes(100)


@pytest.mark.rfc6275("5.5-d")
def test_a_mobile_node_seals_all_packets_where_payload_is(machine: Machine) -> None:
    """A way out for everything, whose router is known, must not let them out plainly."""
    machine.command("ip", "-6", "neighbour", "add", str(ROUTER), "lladdr", FAR_MAC.hex(":"), "dev", LINK)
    made = [protection(Protects.PAYLOAD, agent=FAR)]
    machine.plane(made)
    machine.apply(InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN))
    settle_addresses(machine.namespace)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    for number in (1, 2):  # the first is news
        send_to(machine, CN, 100)
        machine.pump(machine.counts("tunnelled", number))
        assert from_tunnel(inlet, far_end(made, at_home_agent=True), OWN, FAR).packet[40:] == bytes(100)


@pytest.mark.rfc6275("5.5-d", "10.4.5-a")
def test_nothing_comes_out_plainly_where_payload_is_sealed(machine: Machine) -> None:
    """Nor from nowhere, which no care-of address is."""
    serve(machine, Protects.PAYLOAD)
    wire = machine.far.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    with wire:
        for source, destination in ((NOWHERE, NOWHERE), (FAR, OWN)):
            payload = OpaquePayload(next_header=IPV6, data=inner(HOME, CN, 10))
            packet = build(Packet(source=source, destination=destination, payload=payload))
            wire.sendto(MAC + FAR_MAC + ETH_P_IPV6.to_bytes(2, "big") + packet, (LINK, ETH_P_IPV6))
    machine.pump(machine.counts("unprotected"))
    assert not machine.planes[-1].counters().get("detunnelled")


@pytest.mark.rfc6275("5.5-c", "10.4.5-a", "5.1-c")
@pytest.mark.case("HA-181", "HA-185", "HA-182", "HA-186")
def test_an_opened_home_test_init_goes_on_from_the_care_of_address_in_force(machine: Machine) -> None:
    serve(machine, Protects.RETURN_ROUTABILITY)
    plane = machine.planes[-1]
    plane.take_opened(INIT, FAR)
    assert machine.counts("detunnelled")()
    machine.apply(InstallTunnel(home_agent_address=OWN, home_address=HOME, care_of_address=FAR_TOO))
    plane.take_opened(INIT, FAR)
    assert machine.counts("wrong-outer-source")()
    plane.take_opened(INIT, FAR_TOO)
    assert machine.counts("detunnelled", 2)()
    assert machine.refused == []


@pytest.mark.rfc6275("5.5-c", "10.4.5-a")
@pytest.mark.case("HA-189", "HA-190")
def test_a_home_test_init_in_clear_is_dropped(machine: Machine) -> None:
    serve(machine, Protects.RETURN_ROUTABILITY)
    tunnelled(machine, INIT)
    machine.pump(machine.counts("unprotected"))
    assert [(dropped.reason, dropped.source, dropped.destination) for dropped in machine.refused] == [
        ("unprotected", HOME, CN)
    ]
    inlet = packets_for(machine, CN)
    tunnelled(machine, inner(HOME, CN, 10))  # which needs no protection, and tells that nothing else came
    machine.pump(machine.counts("detunnelled"))
    assert inlet.recv(2048) == bytes(10)


@pytest.mark.rfc6275("5.5-c", "5.5-b")
def test_a_mobile_node_seals_its_inits_and_takes_sealed_tests_alone(machine: Machine) -> None:
    made = [protection(Protects.RETURN_ROUTABILITY, agent=FAR)]
    machine.plane(made)
    machine.apply(InstallReverseTunnel(home_agent_address=FAR, home_address=HOME, care_of_address=OWN))
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    inject(machine, INIT)
    machine.pump(machine.counts("tunnelled"))
    assert from_tunnel(inlet, far_end(made, at_home_agent=True), OWN, FAR).packet[40:] == INIT[40:]
    tunnelled(machine, TEST, outer=FAR)
    machine.pump(machine.counts("unprotected"))
    assert machine.delivered == []
    machine.planes[-1].take_opened(TEST, FAR)
    assert machine.delivered == [TEST]


@pytest.mark.rfc6275("5.5-d", "10.4.2-c")
@pytest.mark.parametrize(("purpose", "mtu"), [(Protects.RETURN_ROUTABILITY, 1460), (Protects.PAYLOAD, 1406)])
def test_the_device_leaves_room_where_payload_is_sealed(machine: Machine, purpose: Protects, mtu: int) -> None:
    serve(machine, purpose)
    assert machine.namespace.netlink.link("mip0").mtu == mtu


@pytest.mark.rfc6275("5.5-d", "10.4.2-c")
def test_what_a_router_says_of_a_sealed_packet_counts_for_the_next(machine: Machine) -> None:
    """Nobody can see whose packet it was: who sends the next one is told, and what every link carries is cut."""
    node = far_end(serve(machine, Protects.PAYLOAD), at_home_agent=False)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    sealed = build(Packet(source=OWN, destination=FAR, payload=OpaquePayload(next_header=ESP, data=bytes(1300))))
    report_too_big(machine, sealed, MINIMUM_MTU)
    send_to(machine, HOME, MINIMUM_MTU + 1 - HEADER_OCTETS)
    machine.pump(machine.counts("too-big"))
    send_to(machine, HOME, MINIMUM_MTU - HEADER_OCTETS)
    machine.pump(machine.counts("tunnelled"))
    assert len(from_tunnel(inlet, node, OWN, FAR).packet) == MINIMUM_MTU


# Hidden from the kernel


@pytest.mark.rfc6275("5.1-a")
@pytest.mark.parametrize("hidden", [True, False])
def test_esp_is_taken_and_the_kernel_says_nothing_of_it(machine: Machine, hidden: bool) -> None:
    """Without associations it is the kernel's affair, which may or may not know what ESP is."""
    netlink = machine.run(Netlink)
    receiver = machine.run(lambda: MobilityReceiver(netlink, esp=hidden))
    answers = machine.socket(machine.far, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    answers.setsockopt(socket.IPPROTO_ICMPV6, 1, bytes(32))
    outlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    outlet.sendto(b"sealed", (str(OWN), 0))
    answers.sendto(bytes((128, 0, 0, 0)) + bytes(4), (str(OWN), 0))
    kinds = {128}
    while not kinds & {4, 129}:
        kinds.add(answers.recv(2048)[0])
    assert not (hidden and 4 in kinds)
    taken = machine.run(receiver.receive)
    assert (taken is not None and taken[0][40:] == b"sealed") is hidden
    machine.run(receiver.close)
    netlink.close()
