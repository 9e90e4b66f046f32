"""DHCPv6 in tunnels, by the planes (RFC 6275 §10.4.4)."""

import socket
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address

import pytest

from lab.auth.ipsec_policy import Protection, Protects
from lab.engine.io import InstallReverseTunnel, RemoveReverseTunnel, SendIntoTunnel
from lab.errors import PlaneError
from lab.plane.user import UserPlane
from lab.wire.chain import ESP
from lab.wire.packet import IPV6, Datagram, Packet, build, parse
from tests.auth.protections import protection
from tests.lab.networks import settle_addresses
from tests.plane.machine import FAR, FAR_TOO, HOME, OTHER_HOME, OWN, Machine
from tests.plane.test_protected_tunnels import far_end, from_tunnel
from tests.plane.test_tunnels import serve, tunnelled, visit

pytestmark = pytest.mark.privileged

CLIENT, OTHER_CLIENT, AGENT = IPv6Address("fe80::100"), IPv6Address("fe80::101"), IPv6Address("fe80::1")
SERVERS = IPv6Address("ff02::1:2")
CLIENT_PORT, SERVER_PORT = 546, 547
WORDS = b"\x0b\0\0\1"


@pytest.fixture
def machine(kind: type[UserPlane]) -> Iterator[Machine]:
    made = Machine(kind)
    yield made
    made.close()


def question(source: IPv6Address = CLIENT, destination: IPv6Address = SERVERS) -> Packet:
    """Make what a client says on a link."""
    payload = Datagram(source_port=CLIENT_PORT, destination_port=SERVER_PORT, data=WORDS)
    return Packet(source=source, destination=destination, payload=payload)


def answer(destination: IPv6Address = CLIENT) -> Packet:
    """Make what a relay agent says to it."""
    payload = Datagram(source_port=SERVER_PORT, destination_port=CLIENT_PORT, data=WORDS)
    return Packet(source=AGENT, destination=destination, payload=payload)


def client(machine: Machine, address: IPv6Address = CLIENT) -> socket.socket:
    """Make a client on the tunnel device."""
    index = machine.namespace.netlink.link("mip0").index
    made = machine.socket(machine.namespace, socket.SOCK_DGRAM)
    made.bind((str(address), CLIENT_PORT, 0, index))
    return made


def ask(machine: Machine, asking: socket.socket, to: IPv6Address = SERVERS) -> None:
    """Have a client ask."""
    asking.sendto(WORDS, (str(to), SERVER_PORT, 0, machine.namespace.netlink.link("mip0").index))


# A home agent


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize("destination", [SERVERS, AGENT], ids=["all", "one"])
def test_a_question_goes_to_the_engine_with_its_tunnel(machine: Machine, destination: IPv6Address) -> None:
    machine.plane(dhcpv6=True)
    serve(machine)
    tunnelled(machine, build(question(destination=destination)), outer=FAR_TOO)
    machine.pump(machine.counts("unknown-inner-source"))
    tunnelled(machine, build(question(destination=destination)))
    machine.pump(machine.counts("detunnelled"))
    (octets,) = machine.delivered
    assert parse(octets) == Packet(source=FAR, destination=OWN, payload=question(destination=destination))


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize("destination", [SERVERS, AGENT], ids=["all", "one"])
def test_it_goes_nowhere_unless_that_is_wanted(machine: Machine, destination: IPv6Address) -> None:
    machine.plane()
    serve(machine)
    tunnelled(machine, build(question(destination=destination)))
    machine.pump(machine.counts("unknown-inner-source"))
    assert machine.delivered == []


@pytest.mark.rfc6275("10.4.4-a")
def test_an_answer_goes_into_the_tunnel_of_the_home_address_whatever_its_destination(machine: Machine) -> None:
    machine.plane(dhcpv6=True)
    serve(machine, HOME, FAR)
    serve(machine, OTHER_HOME, FAR_TOO)
    inlets = {care_of: machine.socket(machine.far, socket.SOCK_RAW, IPV6) for care_of in (FAR, FAR_TOO)}
    for care_of, inlet in inlets.items():
        inlet.bind((str(care_of), 0))
    # Both clients may have the same link-local address: each tunnel is a link of its own.
    machine.apply(SendIntoTunnel(home_address=OTHER_HOME, packet=answer()))
    machine.apply(SendIntoTunnel(home_address=HOME, packet=answer(AGENT)))
    assert parse(inlets[FAR_TOO].recv(2048)) == answer()
    assert parse(inlets[FAR].recv(2048)) == answer(AGENT)
    assert machine.counts("tunnelled", 2)()


def test_without_a_tunnel_it_is_refused(machine: Machine) -> None:
    machine.plane(dhcpv6=True)
    with pytest.raises(PlaneError, match="no tunnel of 2001:db8:1::100"):
        machine.apply(SendIntoTunnel(home_address=HOME, packet=answer()))


# A mobile node


@pytest.mark.rfc6275("10.4.4-a")
def test_what_a_client_asks_goes_into_the_tunnel_and_the_answer_comes_from_it(machine: Machine) -> None:
    machine.plane(dhcpv6=True)
    visit(machine)
    tunnels = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    asking = client(machine)
    for to in (SERVERS, AGENT):
        ask(machine, asking, to)
        machine.pump(machine.counts("tunnelled", 1 if to == SERVERS else 2))
        asked = parse(tunnels.recv(2048))
        assert (asked.source, asked.destination, asked.payload) == (CLIENT, to, question().payload)
    tunnelled(machine, build(answer()), outer=FAR_TOO)
    machine.pump(machine.counts("unknown-inner-source"))
    tunnelled(machine, build(answer()))
    machine.pump(machine.counts("detunnelled"))
    told, address = asking.recvfrom(2048)
    assert (told, address[:2]) == (WORDS, (str(AGENT), SERVER_PORT))
    assert machine.heard == []  # nobody for a direct path


@pytest.mark.rfc6275("10.4.4-a")
def test_a_client_is_left_alone_unless_that_is_wanted(machine: Machine) -> None:
    machine.plane()
    visit(machine)
    before = machine.planes[-1].counters().get("no-tunnel", 0)
    ask(machine, client(machine))
    machine.pump(lambda: machine.planes[-1].counters().get("no-tunnel", 0) > before)
    tunnelled(machine, build(answer()))
    machine.pump(machine.counts("unknown-inner-source"))
    assert not machine.planes[-1].counters().get("tunnelled")


@pytest.mark.rfc6275("10.4.4-a")
def test_at_home_the_kernel_tells_a_client_that_there_is_no_way(machine: Machine) -> None:
    machine.plane(dhcpv6=True)
    visit(machine)
    asking = client(machine)
    machine.apply(RemoveReverseTunnel(home_address=HOME))
    with pytest.raises(OSError, match="unreachable"):
        ask(machine, asking)
    visit(machine)
    ask(machine, asking)
    machine.pump(machine.counts("tunnelled"))


@pytest.mark.rfc6275("10.4.4-a")
def test_each_home_address_asks_by_its_own_tunnel(machine: Machine) -> None:
    machine.plane(dhcpv6=True)
    visit(machine)
    machine.apply(InstallReverseTunnel(home_agent_address=FAR_TOO, home_address=OTHER_HOME, care_of_address=OWN))
    settle_addresses(machine.namespace)
    tunnels = machine.socket(machine.far, socket.SOCK_RAW, IPV6)
    tunnels.bind((str(FAR_TOO), 0))
    ask(machine, client(machine, OTHER_CLIENT))
    machine.pump(machine.counts("tunnelled"))
    assert parse(tunnels.recv(2048)).source == OTHER_CLIENT


# In ESP


def sealed_machine(machine: Machine, *, at_home_agent: bool) -> Sequence[Protection]:
    """Make the machine one end of a tunnel that protects its payload; the other end is afar."""
    made = [protection(Protects.PAYLOAD, agent=OWN if at_home_agent else FAR)]
    machine.plane(made, at_home_agent=at_home_agent, dhcpv6=True)
    (serve if at_home_agent else visit)(machine)
    return made


@pytest.mark.rfc6275("10.4.4-a", "5.5-d")
def test_a_home_agent_seals_and_opens_it_where_payload_is(machine: Machine) -> None:
    node = far_end(sealed_machine(machine, at_home_agent=True), at_home_agent=False)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    machine.apply(SendIntoTunnel(home_address=HOME, packet=answer()))
    assert parse(from_tunnel(inlet, node, OWN, FAR).packet) == answer()
    tunnelled(machine, build(question()))
    machine.pump(machine.counts("unprotected"))
    assert machine.delivered == []
    machine.planes[-1].take_opened(build(question()), FAR)
    assert [parse(octets).payload for octets in machine.delivered] == [question()]


@pytest.mark.rfc6275("10.4.4-a", "5.5-d")
def test_a_mobile_node_seals_and_opens_it_where_payload_is(machine: Machine) -> None:
    agent = far_end(sealed_machine(machine, at_home_agent=False), at_home_agent=True)
    inlet = machine.socket(machine.far, socket.SOCK_RAW, ESP)
    asking = client(machine)
    ask(machine, asking)
    machine.pump(machine.counts("tunnelled"))
    assert parse(from_tunnel(inlet, agent, OWN, FAR).packet).payload == question().payload
    tunnelled(machine, build(answer()))
    machine.pump(machine.counts("unprotected"))
    machine.planes[-1].take_opened(build(answer()), FAR)
    assert asking.recv(2048) == WORDS
