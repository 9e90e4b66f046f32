"""A home agent's real data plane: interception, tunnels, and what it lets through (RFC 6275 §5.5, §10.4)."""

from collections.abc import Iterator
from textwrap import indent

import pytest

from lab.daemon.dispatcher import DROPS_TOLD
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.events import PacketDropped
from lab.report.caches import described
from tests.lab.networks import (
    AGENT,
    HOME,
    LISTEN,
    SPEAK,
    Here,
    Neighbourhood,
    NobodyAtHome,
    python_in,
    state_of,
    until,
)

pytestmark = pytest.mark.privileged

TUNNEL = """
import socket
from ipaddress import IPv6Address
from lab.wire.packet import OpaquePayload, Packet, build
inner = Packet(source=IPv6Address("{inner}"), destination=IPv6Address("{to}"),
               payload=OpaquePayload(next_header=59, data=b""))
outlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 41)
outlet.bind(("{outer}", 0))
outlet.sendto(build(inner), ("{endpoint}", 0))
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(Neighbourhood, settings=Settings(ro=False), captures=False) as network:  # all goes by the tunnel
        network.start()
        network.wait_settled()
        yield Here(network)


@pytest.fixture(scope="module")
def virtual() -> Iterator[Here]:
    """Give a network with a home link that is none to the mobile node: it starts elsewhere."""
    with Network(NobodyAtHome, settings=Settings(ro=False), captures=False) as network:
        network.build()
        network.move("mn", "visited1", hint=False, outage=0.0)
        network.start()
        network.wait_settled()
        yield Here(network)


@pytest.fixture(params=["here", "virtual"])
def either(request: pytest.FixtureRequest) -> Here:
    """Give the one network and the other."""
    network: Here = request.getfixturevalue(request.param)
    return network


@pytest.mark.rfc6275("10.4.1-a", "10.3.1-h", "10.4.2-a", "10.3.2-b")
def test_interception_begins_and_ends_with_the_binding(here: Here) -> None:
    """A neighbour on the home link finds the node at home, through the home agent while away, and at home again."""
    mac = {name: here[name].spec.plugs[0].link_layer_address.hex(":") for name in ("ha", "mn")}

    def neighbour_of_home() -> str:
        assert "1 received" in here.run("neighbour", "ping", "-c1", "-W2", str(HOME))
        return here.run("neighbour", "ip", "-6", "neigh", "show", str(HOME))

    assert mac["mn"] in neighbour_of_home()
    here.visit("visited1")
    seen = neighbour_of_home()
    assert mac["ha"] in seen
    assert " router " not in seen  # §10.4.1: the R bit is clear
    here.return_home()
    assert mac["mn"] in neighbour_of_home()


@pytest.mark.rfc6275("10.4.5-a", "15.7-a", "5.5-a")
@pytest.mark.case("HA-179", "HA-180")
def test_the_reverse_tunnel_is_taken_from_the_care_of_address_alone(either: Here) -> None:
    here = either
    here.visit("visited1")
    stranger = here["stranger"].spec.address
    before = here.counters("ha").get("wrong-outer-source", 0)
    source = TUNNEL.format(outer=stranger, endpoint=AGENT, inner=HOME, to=here["cn"].spec.address)
    python_in(here["stranger"], source)
    until(lambda: here.counters("ha").get("wrong-outer-source", 0) == before + 1, "a packet of a stranger dropped")


@pytest.mark.rfc6275("10.4.5-a", "15.7-a")
def test_a_flood_is_counted_and_not_all_of_it_is_written_down(here: Here) -> None:
    here.visit("visited1")
    flood = 300
    began, before = here.mark(), here["ha"].control("counters")["drops"].get("wrong-outer-source", 0)
    ends = {"outer": here["stranger"].spec.address, "endpoint": AGENT, "inner": HOME, "to": here["cn"].spec.address}
    python_in(here["stranger"], f"for _ in range({flood}):\n" + indent(TUNNEL.format(**ends).strip(), "    "))

    def drops() -> int:
        return int(here["ha"].control("counters")["drops"].get("wrong-outer-source", 0))

    until(lambda: drops() == before + flood, "all are dropped")
    records = here.network.context.collector.records()
    told = [
        record
        for record in records
        if record.time >= began
        and isinstance(record.event, PacketDropped)
        and record.event.reason == "wrong-outer-source"
    ]
    seconds = told[-1].time - told[0].time
    assert 1 <= len(told) <= DROPS_TOLD * (seconds + 1)
    assert f"{before + flood} wrong-outer-source" in described("ha", [], here["ha"].control("counters")["drops"])[-1]


@pytest.mark.rfc6275("10.4.5-a", "5.5-a")
@pytest.mark.case("HA-175", "HA-177", "HA-176", "HA-178")
def test_what_comes_by_the_reverse_tunnel_goes_on_from_the_home_address(either: Here) -> None:
    """From one care-of address and from the next."""
    cn = str(either["cn"].spec.address)
    for link in ("visited1", "visited2"):
        either.visit(link)
        before = either.counters("ha").get("detunnelled", 0)
        listener = either["cn"].popen(["python3", "-c", LISTEN.format(address=cn)])
        assert listener.stdout.readline() == b"ready\n"
        python_in(either["mn"], SPEAK.format(source=HOME, to=cn))
        assert listener.stdout.readline().split() == [b"truly", str(HOME).encode()]
        assert listener.wait(10) == 0
        assert either.counters("ha")["detunnelled"] > before
        assert " 0% packet loss" in either.run("mn", "ping", "-c2", "-i0.2", "-W5", "-I", str(HOME), cn)


@pytest.mark.rfc6275("10.4.5-a", "15.7-a")
def test_a_tunnelled_packet_must_come_from_a_registered_home_address(here: Here) -> None:
    care_of = here.visit("visited1")
    before = here.counters("ha").get("unknown-inner-source", 0)
    source = TUNNEL.format(outer=care_of, endpoint=AGENT, inner="2001:db8:1::666", to=here["cn"].spec.address)
    python_in(here["mn"], source)
    until(lambda: here.counters("ha").get("unknown-inner-source", 0) == before + 1, "a foreign home address dropped")


@pytest.mark.rfc6275("5.5-b", "15.7-a", "11.3.3-a")
@pytest.mark.case("MN-051")
def test_the_mobile_node_takes_tunnelled_packets_from_its_home_agent_alone(here: Here) -> None:
    care_of = here.visit("visited1")
    before = here.counters("mn").get("wrong-outer-source", 0)
    source = TUNNEL.format(outer=here["stranger"].spec.address, endpoint=care_of, inner="2001:db8:c::2", to=HOME)
    python_in(here["stranger"], source)
    until(lambda: here.counters("mn").get("wrong-outer-source", 0) == before + 1, "a packet of a stranger dropped")
    before = here.counters("mn").get("unknown-inner-source", 0)
    source = TUNNEL.format(outer=here["stranger"].spec.address, endpoint=care_of, inner="2001:db8:c::2", to=HOME + 1)
    python_in(here["stranger"], source)
    until(lambda: here.counters("mn").get("unknown-inner-source", 0) == before + 1, "not a home address of this node")


@pytest.mark.rfc6275("10.4.2-c", "10.4.2-e")
def test_a_packet_too_big_for_the_tunnel_is_told_to_its_sender(here: Here) -> None:
    here.visit("visited2")
    cn = here["cn"].spec.address
    assert "mtu=1460" in here.run("cn", "ping", "-c1", "-W2", "-s", "1452", "-M", "do", str(HOME))
    assert "1 received" in here.run("cn", "ping", "-c1", "-W2", "-s", "1412", "-M", "do", str(HOME))
    assert "1 received" in here.run("mn", "ping", "-c1", "-W2", "-s", "1412", "-M", "do", "-I", str(HOME), str(cn))


@pytest.mark.rfc6275("10.4.2-e", "10.4.2-c")
def test_a_bottleneck_inside_the_tunnel_is_told_to_the_sender(here: Here) -> None:
    here.visit("visited2")
    plug = next(p for p in here["ar2"].spec.plugs if p.link.name == "visited2")
    here.run("ar2", "ip", "link", "set", plug.interface, "mtu", "1400")
    try:
        until(
            lambda: "mtu=1360" in here.run("cn", "ping", "-c1", "-W1", "-s", "1400", "-M", "do", str(HOME)),
            "Packet Too Big of 1360 octets",
        )
    finally:
        here.run("ar2", "ip", "link", "set", plug.interface, "mtu", "1500")


@pytest.mark.rfc6275("11.5.4-a", "11.5.3-a")
@pytest.mark.case("MN-010", "MN-160")
def test_a_care_of_address_that_was_left_does_not_answer(here: Here) -> None:
    care_of = here.visit("visited1")
    here.visit("visited2")
    assert str(care_of) not in here.run("mn", "ip", "-6", "addr")
    assert "0 received" in here.run("stranger", "ping", "-c1", "-W1", str(care_of))


@pytest.mark.rfc6275("11.3.1-a", "10.4.5-a", "5.5-a")
@pytest.mark.case("MN-152", "HA-175", "HA-176")
def test_a_session_of_the_home_address_survives_moves(here: Here) -> None:
    """A socket that is bound to the home address keeps it, whatever the link."""
    here.return_home()
    cn = str(here["cn"].spec.address)
    ping = here["mn"].spawn(["ping", "-i", "0.05", "-c", "60", "-W", "5", "-I", str(HOME), cn])
    here.visit("visited1")
    here.visit("visited2")
    here.return_home()
    assert ping.wait(30) == 0


def test_a_daemon_that_ends_leaves_its_host_as_it_was(here: Here) -> None:
    """Stopped in order while it serves a binding, a home agent takes back all that it did."""
    here.return_home()
    for name in ("ha", "mn"):
        here[name].stop_daemon()
    before = {name: state_of(here[name].namespace) for name in ("ha", "mn")}
    for name in ("ha", "mn"):
        here[name].start_daemon()
        here[name].wait_ready()
    here["mn"].wait_settled()
    here.visit("visited1")
    assert state_of(here["ha"].namespace) != before["ha"]
    for name in ("mn", "ha"):
        here[name].stop_daemon()
    assert {name: state_of(here[name].namespace) for name in ("ha", "mn")} == before
    for name in ("ha", "mn"):
        here[name].start_daemon()
        here[name].wait_ready()
    here["mn"].wait_settled()
