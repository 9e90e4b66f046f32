"""Route optimisation from all sides: strangers, moves, crashes, peers that will not (RFC 6275 §6.4, §9.3, §11.3)."""

import signal
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.events import (
    BindingRefused,
    BindingRejected,
    Event,
    MessageReceived,
    MessageSent,
    PacketDropped,
    RouteOptimisationEnded,
    RouteOptimisationStarted,
)
from tests.lab.networks import HOME, LISTEN, SPEAK, Here, Neighbourhood, python_in, until

pytestmark = pytest.mark.privileged

ALL_SIZES = (1400, 4000)


class ManyCorrespondents(Neighbourhood):
    """With correspondents that do not want, that refuse, and that the mobile node does not want."""

    def declare(self) -> None:
        """Declare what is there, then the others."""
        super().declare()
        cn_core = self.link_specs["cn-core"]
        elsewhere = self.link("elsewhere", "2001:db8:d::/64")
        self.router("core2", on=[elsewhere, cn_core])
        self.correspondent("off", on=[cn_core], route_optimisation=False)
        self.correspondent("refuses", on=[cn_core], refused=["2001:db8:1::/64"])
        self.correspondent("unwanted", on=[elsewhere])
        self.node_specs["mn"].options["not_optimised"] = ["2001:db8:d::/64"]


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(ManyCorrespondents, settings=Settings(), captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


def address(here: Here, name: str) -> IPv6Address:
    return here[name].spec.address


def ping(here: Here, source: str, destination: IPv6Address, size: int = 56, count: int = 3) -> bool:
    """Tell whether all echo requests of a size are answered."""
    answer = here.run(source, "ping", "-i0.05", "-W5", f"-c{count}", f"-s{size}", str(destination))
    return f"{count} received" in answer


def converse(here: Here, name: str) -> None:
    """Check that packets of all sizes go to and fro between the mobile node and a peer, once their size is known."""
    for size in ALL_SIZES:
        for source, destination in ((name, HOME), ("mn", address(here, name))):
            until(partial(ping, here, source, destination, size, count=1), f"{size} octets from {source}")
            assert ping(here, source, destination, size)


def entry_of(here: Here, name: str) -> dict[str, Any]:
    """Give the mobile node's entry for a correspondent; empty if there is none."""
    peer = str(address(here, name))
    return next((dict(entry) for entry in here["mn"].control("bindings") if entry.get("peer") == peer), {})


def is_straight(here: Here, name: str) -> bool:
    """Tell whether both ends have the binding for where the mobile node is."""
    care_of = here["mn"].control("bindings")[0]["care_of_address"]
    caches = [entry for entry in here[name].control("bindings") if entry["state"] == "bound"]
    entry = entry_of(here, name)
    return [entry.get("state"), entry.get("care_of_address")] == ["bound", care_of] and [
        entry["care_of_address"] for entry in caches
    ] == [care_of]


def go_straight(here: Here, link: str, name: str = "cn") -> IPv6Address:
    """Have the mobile node on a link and a direct path to a correspondent; give its care-of address."""
    care_of = here.visit(link)
    assert ping(here, name, HOME, count=1)
    until(lambda: is_straight(here, name), f"{name} and mn talk straight")
    return care_of


def events(here: Here, kind: type[Event], node: str, since: float, **fields: Any) -> list[Event]:
    """Give events that happened already."""
    return [
        record.event
        for record in here.network.context.collector.records()
        if record.time >= since
        and record.node == node
        and isinstance(record.event, kind)
        and all(getattr(record.event, name) == value for name, value in fields.items())
    ]


# Every size, everywhere


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a", "10.4.2-c", "11.7.2-a")
@pytest.mark.case("MN-153", "MN-154", "MN-161", "CN-070")
def test_packets_of_all_sizes_go_straight_after_every_move(here: Here) -> None:
    here.return_home()
    converse(here, "cn")
    assert not here.counters("cn").get("direct-out")
    for link in ("visited1", "visited2", "visited1"):
        go_straight(here, link)
        before = [here.counters(name) for name in ("cn", "mn")]
        converse(here, "cn")
        for name, counted in zip(("cn", "mn"), before, strict=True):
            after = here.counters(name)
            for direction in ("direct-in", "direct-out"):
                assert after[direction] - counted.get(direction, 0) >= 12
            assert after.get("too-big") == counted.get("too-big")
    here.return_home()
    until(lambda: not entry_of(here, "cn"), "the correspondent's binding is deleted")
    before = [here.counters(name) for name in ("cn", "mn")]
    converse(here, "cn")
    assert [here.counters(name).get("direct-out") for name in ("cn", "mn")] == [c.get("direct-out") for c in before]


# Strangers

SPOOF = """
import socket, struct
from ipaddress import IPv6Address
from lab.wire.packet import DestinationOptions, HomeAddressOption, OpaquePayload, Packet, build
datagram = OpaquePayload(next_header=17, data=struct.pack("!HHHH", 6275, 6275, 8, 0))
option = DestinationOptions(options=(HomeAddressOption(home_address=IPv6Address("{home}")),))
packet = Packet(source=IPv6Address("{source}"), destination=IPv6Address("{to}"), headers=(option,), payload=datagram)
inlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 135)
inlet.settimeout(10)
outlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
outlet.sendto(build(packet), ("{to}", 0))
message, sender = inlet.recvfrom(2048)
assert sender[0] == "{to}", sender
assert message[2] == 7 and message[6] == 1, message  # a Binding Error of status 1
assert message[8:24] == IPv6Address("{home}").packed, message
"""
ROUTE = """
import socket, struct
from ipaddress import IPv6Address
from lab.wire.checksum import checksum
from lab.wire.headers import pseudo_addresses
from lab.wire.packet import OpaquePayload, Packet, RoutingHeaderType2, build
source, to, named = IPv6Address("{source}"), IPv6Address("{to}"), IPv6Address("{named}")
header = RoutingHeaderType2(home_address=named)
data = struct.pack("!HHHH", 6275, 6275, 13, 0) + b"truly"
sum = checksum(pseudo_addresses(source.packed, to.packed, (header,)), 17, data)
data = data[:6] + struct.pack("!H", sum) + data[8:]
packet = Packet(source=source, destination=to, headers=(header,), payload=OpaquePayload(next_header=17, data=data))
octets = bytearray(build(packet))
octets[41], octets[43] = {length}, {segments}
outlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
outlet.sendto(octets, ("{to}", 0))
"""


@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "15.8-a", "6.1.9-a")
@pytest.mark.case("CN-001")
@pytest.mark.parametrize("home", [HOME, HOME + 0x66], ids=["bound", "unbound"])
def test_a_stranger_cannot_speak_as_the_mobile_node(here: Here, home: IPv6Address) -> None:
    """A Binding Error is the answer, and what the socket gets first is the mobile node's own."""
    go_straight(here, "visited2")
    began = here.mark()
    cn, stranger = address(here, "cn"), address(here, "stranger")
    listener = here["cn"].popen(["python3", "-c", LISTEN.format(address=cn)])
    assert listener.stdout.readline() == b"ready\n"
    python_in(here["stranger"], SPOOF.format(home=home, source=stranger, to=cn))
    python_in(here["mn"], SPEAK.format(source=HOME, to=cn))
    assert listener.stdout.readline().split() == [b"truly", str(HOME).encode()]
    assert listener.wait(10) == 0
    (dropped,) = events(here, PacketDropped, "cn", began, reason="unknown-binding")
    assert isinstance(dropped, PacketDropped)
    assert dropped.source == stranger
    assert is_straight(here, "cn")


@pytest.mark.rfc6275("6.4-a", "15.9-a", "11.3.3-a")
@pytest.mark.case("MN-161", "MN-162", "MN-163", "MN-164")
def test_a_stranger_s_routing_header_leads_to_the_home_address_alone(here: Here) -> None:
    """One with any other address, or of another form, goes nowhere; the right one is as good as a plain packet."""
    care_of = go_straight(here, "visited2")
    began = here.mark()
    source = address(here, "stranger")
    listener = here["mn"].popen(["python3", "-c", LISTEN.format(address=HOME)])
    assert listener.stdout.readline() == b"ready\n"
    dropped = here.counters("mn").get("foreign-routing-header", 0)
    before = here.counters("mn").get("direct-in", 0)
    forms = [
        *[(named, 2, 1) for named in (HOME + 1, address(here, "cn"), care_of)],  # another address
        *[(HOME, *form) for form in ((0, 1), (2, 0), (2, 2))],  # another form
    ]
    for named, length, segments in forms:
        words = {"source": source, "to": care_of, "named": named, "length": length, "segments": segments}
        python_in(here["stranger"], ROUTE.format(**words))
    until(lambda: here.counters("mn").get("foreign-routing-header", 0) == dropped + 3, "three are dropped")
    for reason in ("foreign-routing-header", "bad-routing-header"):
        told = partial(events, here, PacketDropped, "mn", began, source=source, reason=reason)
        until(lambda: len(told()) == 3, f"three are reported for {reason}")  # noqa: B023
    assert here.counters("mn").get("direct-in", 0) == before
    python_in(here["stranger"], ROUTE.format(source=source, to=care_of, named=HOME, length=2, segments=1))
    assert listener.stdout.readline().split() == [b"truly", str(source).encode()]
    assert listener.wait(10) == 0


@pytest.mark.rfc6275("6.4-a", "15.9-a")
def test_a_mobility_message_behind_a_foreign_routing_header_gets_no_answer(here: Here) -> None:
    """A correspondent would answer from the address that is named there."""
    source, cn = address(here, "stranger"), address(here, "cn")
    began, before = here.mark(), here.counters("cn").get("foreign-routing-header", 0)
    python_in(
        here["stranger"],
        f"""
import socket
from ipaddress import IPv6Address
from lab.wire.mobility import CareOfTestInit
from lab.wire.packet import build, mobility_packet
packet = mobility_packet(IPv6Address("{source}"), IPv6Address("{cn}"), CareOfTestInit(cookie=bytes(8)),
                         routed_home_address=IPv6Address("2001:db8:f::1"))
outlet = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
outlet.sendto(build(packet), ("{cn}", 0))
""",
    )
    until(lambda: here.counters("cn").get("foreign-routing-header", 0) == before + 1, "it is dropped")
    assert events(here, MessageSent, "cn", began) == []


# A correspondent that forgets


@pytest.mark.rfc6275("11.3.6-a", "9.3.1-a", "9.3.3-a", "9.1-a")
def test_a_correspondent_that_was_killed_is_asked_anew(here: Here) -> None:
    """It says by a Binding Error that it knows of no binding: back to the tunnel, and to a new direct path."""
    go_straight(here, "visited1")
    began = here.mark()
    here["cn"].stop_daemon(signal.SIGKILL)
    here["cn"].start_daemon()
    here["cn"].wait_ready()
    ping(here, "mn", address(here, "cn"), count=1)  # with a Home Address option
    ended = here.wait(RouteOptimisationEnded, node="mn", since=began)
    assert isinstance(ended.event, RouteOptimisationEnded)
    assert (ended.event.peer, ended.event.reason) == (address(here, "cn"), "unknown binding")
    first, *_ = events(here, MessageSent, "cn", began)
    assert isinstance(first, MessageSent)
    assert first.message == "Binding Error"
    here.wait(RouteOptimisationStarted, node="mn", since=ended.time)
    until(lambda: is_straight(here, "cn"), "a new direct path")
    converse(here, "cn")
    assert here.run("cn", "ip", "-6", "rule", "show").count("lookup 6274") == 1


# Peers without a direct path


@pytest.mark.rfc6275("8.2-a", "11.3.1-a")
@pytest.mark.case("MN-054", "MN-152")
def test_a_correspondent_that_does_not_want_is_reached_by_the_tunnel(here: Here) -> None:
    here.visit("visited1")
    began = here.mark()
    converse(here, "off")
    until(lambda: bool(events(here, PacketDropped, "off", began, reason="route-optimisation-off")), "inits are ignored")
    assert events(here, MessageSent, "off", began) == []
    stays_in_the_tunnel(here, "off", began)


@pytest.mark.rfc6275("11.6.1-a", "11.3.1-a")
@pytest.mark.case("MN-056", "MN-152")
def test_a_correspondent_that_is_not_wanted_hears_nothing_of_it(here: Here) -> None:
    here.visit("visited1")
    began = here.mark()
    converse(here, "unwanted")
    assert entry_of(here, "unwanted") == {}
    assert events(here, MessageReceived, "unwanted", began) == []
    stays_in_the_tunnel(here, "unwanted", began)


@pytest.mark.rfc6275("9.5.1-f", "11.3.1-a", "11.7.3-a")
def test_a_correspondent_that_refuses_is_reached_by_the_tunnel(here: Here) -> None:
    here.visit("visited1")
    converse(here, "refuses")
    refused = here.wait(BindingRefused, node="mn")
    assert isinstance(refused.event, BindingRefused)
    assert (refused.event.peer, refused.event.status) == (address(here, "refuses"), 129)
    assert events(here, BindingRejected, "refuses", 0.0, status=129)
    until(lambda: entry_of(here, "refuses").get("state") == "resting", "it is left in peace")
    stays_in_the_tunnel(here, "refuses", 0.0)


def stays_in_the_tunnel(here: Here, name: str, since: float) -> None:
    """Check that packets of all sizes go through the tunnel, and nothing straight."""
    before, straight = here.counters("mn"), here.counters(name)
    converse(here, name)
    after = here.counters("mn")
    assert after["tunnelled"] - before.get("tunnelled", 0) >= 12
    assert after.get("direct-out") == before.get("direct-out")
    assert here.counters(name) == straight
    assert events(here, RouteOptimisationStarted, "mn", since, peer=address(here, name)) == []
