"""Direct paths of a data plane on real stacks: what sockets send and receive, and what is on the wire between."""

import errno
import itertools
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from time import monotonic
from typing import Any

import pytest

from lab.engine.io import (
    ForgetRouter,
    InstallBinding,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
)
from lab.plane.user import UserPlane
from lab.wire.checksum import checksum
from lab.wire.headers import pseudo_addresses
from lab.wire.mobility import HomeTest, HomeTestInit
from lab.wire.packet import (
    IPV6,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HomeAddressOption,
    HopByHopOptions,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    UnknownHeaderOption,
    build,
    mobility_packet,
    parse,
)
from tests.lab.networks import WITHIN, state_of, until
from tests.plane.crossroads import CN, HOME, LINK, MN, PEER_HOME, STRANGER, TO_CN, TO_MN, Crossroads, Node

pytestmark = pytest.mark.privileged

PORT = 6275
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO, _IPV6_MTU = 23, 2, 24
SIZES = [*range(1200, 1501, 25), *(octets for fits in (1352, 1376, 1452, 1460) for octets in (fits - 48, fits - 47))]
"""Octets of payload; with its headers, a packet that just fits each path, and one that does not."""
Ends = tuple[Node, IPv6Address, Node, IPv6Address]


@pytest.fixture
def here(kind: type[UserPlane]) -> Iterator[Crossroads]:
    made = Crossroads(kind)
    yield made
    made.close()


def both_ways(here: Crossroads, peer: IPv6Address = CN) -> list[Ends]:
    """Give the ends of packets to the mobile node, and from it."""
    return [(here.cn, peer, here.mn, HOME), (here.mn, HOME, here.cn, peer)]


def headers_of(packets: Iterable[Packet]) -> set[tuple[IPv6Address, IPv6Address, tuple[type[ExtensionHeader], ...]]]:
    """Give the ends of packets and their headers but for fragments."""
    return {
        (p.source, p.destination, tuple(type(h) for h in p.headers if not isinstance(h, FragmentHeader)))
        for p in packets
    }


TO_HOME = (CN, MN, (RoutingHeaderType2,))
FROM_HOME = (MN, CN, (DestinationOptions,))


def raw(node: Node, octets: bytes) -> None:
    """Send a whole packet that is not what the node would send."""
    outlet = node.socket(socket.SOCK_RAW, socket.IPPROTO_RAW, bound=IPv6Address(octets[8:24]))
    outlet.sendto(octets, (str(IPv6Address(octets[24:40])), 0))


# What sockets send and receive


@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "11.3.1-a", "11.3.3-a", "6.3-a", "6.4-a")
@pytest.mark.case("MN-153", "MN-161", "CN-003")
def test_datagrams_of_any_size_go_straight_in_both_directions(here: Crossroads) -> None:
    """Of 4000 octets too: each fragment has the header, and upper layers see home addresses alone."""
    here.bind()
    for sender, source, receiver, destination in both_ways(here):
        inlet = receiver.socket(socket.SOCK_DGRAM, bound=destination, port=PORT)
        outlet = sender.socket(socket.SOCK_DGRAM, bound=source, port=PORT + 1)
        for size in (0, 1, 1000, 1400, 4000):
            data = bytes(n % 251 for n in range(size))
            outlet.sendto(data, (str(destination), PORT))
            got, address = inlet.recvfrom(1 << 16)
            assert got == data
            assert address[:2] == (str(source), PORT + 1)
    assert headers_of(here.seen()) == {TO_HOME, FROM_HOME}


@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "11.3.1-a", "11.3.3-a")
def test_a_connection_goes_straight_from_either_side(here: Crossroads) -> None:
    here.bind()
    for client, source, server, destination in both_ways(here):
        assert connection_carries(client, source, server, destination)
    assert headers_of(here.seen()) == {TO_HOME, FROM_HOME}


@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "11.3.1-a", "11.3.3-a")
@pytest.mark.case("CN-003", "MN-053")
@pytest.mark.parametrize("size", [8, 1400, 4000])
def test_the_kernel_s_own_answers_go_straight(here: Crossroads, size: int) -> None:
    """Its checksums hold for the addresses in the headers, or nothing here would be read (§6.3, §6.4)."""
    here.bind()
    for sender, source, _, destination in both_ways(here):
        answer = sender.run("ping", "-c2", "-i0.05", "-W5", f"-s{size}", "-I", str(source), str(destination))
        assert f"{size + 8} bytes from {destination}" in answer
    assert headers_of(here.seen()) == {TO_HOME, FROM_HOME}


@pytest.mark.rfc6275("9.3.2-a", "11.3.3-a")
def test_an_error_of_the_peer_s_stack_finds_its_way(here: Crossroads) -> None:
    """Nobody listens: the ICMPv6 error goes straight too, and its socket is told."""
    here.bind()
    for sender, source, _, destination in both_ways(here):
        outlet = sender.socket(socket.SOCK_DGRAM, bound=source)
        outlet.connect((str(destination), PORT))
        outlet.send(b"anybody there?")
        with pytest.raises(ConnectionRefusedError):
            outlet.recv(1)


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a", "11.3.3-a")
@pytest.mark.case("MN-189", "MN-197")
def test_between_two_mobile_nodes_packets_have_both_headers(here: Crossroads) -> None:
    here.bind_both()
    for sender, source, receiver, destination in both_ways(here, PEER_HOME):
        assert f"4008 bytes from {destination}" in sender.run(
            "ping", "-c2", "-i0.05", "-W5", "-s4000", "-I", str(source), str(destination)
        )
        assert connection_carries(sender, source, receiver, destination)
    both = (RoutingHeaderType2, DestinationOptions)
    assert headers_of(p for p in here.seen() if p.headers) == {(CN, MN, both), (MN, CN, both)}


def connection_carries(client: Node, source: IPv6Address, server: Node, destination: IPv6Address) -> bool:
    """Open a TCP connection, send what fills many segments to and fro; tell whether it is the same."""
    listener = server.socket(socket.SOCK_STREAM, bound=destination, port=PORT)
    listener.listen()
    outlet = client.socket(socket.SOCK_STREAM, bound=source)
    outlet.connect((str(destination), PORT))
    accepted, address = listener.accept()
    accepted.settimeout(WITHIN)
    assert address[0] == str(source)
    data = bytes(n % 251 for n in range(200_000))
    with accepted, outlet:
        for there, here in ((outlet, accepted), (accepted, outlet)):
            writer = threading.Thread(target=there.sendall, args=(data,))
            writer.start()
            got = b""
            while len(got) < len(data):
                got += here.recv(1 << 16)
            writer.join()
            if got != data:
                return False
    listener.close()
    return True


# What is not believed


@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
@pytest.mark.parametrize("source", [STRANGER, MN])
def test_a_home_address_of_somebody_else_reaches_no_socket(here: Crossroads, source: IPv6Address) -> None:
    here.bind()
    inlet = here.cn.socket(socket.SOCK_DGRAM, bound=CN, port=PORT)
    if source == STRANGER:  # names the bound home address from elsewhere
        here.mn.run("ip", "-6", "address", "add", f"{STRANGER}/64", "dev", LINK, "nodad")
        here.mn.run("ip", "-6", "route", "add", str(CN), "via", str(TO_MN))
    named = HOME if source == STRANGER else HOME + 1
    option = DestinationOptions(options=(HomeAddressOption(home_address=named),))
    octets = datagram(source, CN, option)
    raw(here.mn, octets)
    until(lambda: len(here.cn.unclaimed) == 1, "the engine has it")
    if here.cn.plane.knows_mobility:  # the kernel tells no more
        (told,) = here.cn.unclaimed
        assert (told.source, told.destination, told.headers) == (source, CN, (option,))
    else:
        assert here.cn.unclaimed == [replace(parse(octets), hop_limit=63)]
    here.mn.socket(socket.SOCK_DGRAM, bound=HOME).sendto(b"true", (str(CN), PORT))
    assert inlet.recv(100) == b"true"  # and nothing came before


@pytest.mark.rfc6275("6.4-a", "15.9-a")
@pytest.mark.case("MN-164")
def test_a_routing_header_with_another_address_is_dropped_and_not_sent_on(here: Crossroads) -> None:
    here.bind()
    for named in (CN, HOME + 1, TO_CN):
        payload = OpaquePayload(next_header=17, data=bytes.fromhex("1883188300080000"))
        header = RoutingHeaderType2(home_address=named)
        raw(here.cn, build(Packet(source=CN, destination=MN, headers=(header,), payload=payload)))
    if here.mn.plane.knows_mobility:  # the kernel drops them, and counts that nowhere
        here.cn.run("ping", "-c1", "-W5", str(MN))
    else:
        until(lambda: here.mn.count("foreign-routing-header") == 3, "all are dropped")
    assert {p.destination for p in here.seen() if p.headers} == {MN}
    assert not here.mn.unclaimed


@pytest.mark.rfc6275("9.3.1-b", "11.3.3-a")
def test_after_the_end_of_a_binding_packets_go_the_plain_way(here: Crossroads) -> None:
    here.bind()
    here.cn.apply(RemoveBinding(home_address=HOME))
    here.mn.apply(RemoveRouteOptimisation(home_address=HOME, peer=CN))
    here.cn.socket(socket.SOCK_DGRAM).sendto(b"", (str(HOME), PORT))
    here.mn.socket(socket.SOCK_DGRAM, bound=HOME).sendto(b"", (str(CN), PORT))
    until(lambda: here.mn.count("tunnelled") == 1, "by the home agent")
    seen: list[Packet] = []
    until(lambda: len(seen.extend(here.seen()) or seen) >= 2, "both")  # type: ignore[func-returns-value]
    assert headers_of(seen) >= {(CN, HOME, ())}
    assert {(p.payload.source, p.payload.destination) for p in seen if isinstance(p.payload, Packet)} == {(HOME, CN)}


# What comes first, or beside

ALERT = HopByHopOptions(options=(UnknownHeaderOption(option_type=5, data=b"\0\0"),))
LIMIT = DestinationOptions(options=(UnknownHeaderOption(option_type=4, data=b"\5"),))


def datagram(source: IPv6Address, destination: IPv6Address, *headers: ExtensionHeader) -> bytes:
    """Make a UDP datagram whose checksum is right for what the headers name."""
    data = struct.pack("!HHHH", PORT, PORT, 8 + 2, 0) + b"ok"
    found = checksum(pseudo_addresses(source.packed, destination.packed, headers), 17, data)
    payload = OpaquePayload(next_header=17, data=data[:6] + found.to_bytes(2, "big") + data[8:])
    return build(Packet(source=source, destination=destination, headers=headers, payload=payload))


@pytest.mark.rfc6275("6.3-a", "6.4-a", "9.3.1-b", "11.3.3-a")
@pytest.mark.parametrize("more", [(), (ALERT,)], ids=["nothing", "hop-by-hop options"])
def test_hop_by_hop_options_may_come_first(here: Crossroads, more: tuple[ExtensionHeader, ...]) -> None:
    """The kernel would answer what comes behind them with an error (RFC 8200 §4.1: they are always first)."""
    here.bind()
    option = DestinationOptions(options=(HomeAddressOption(home_address=HOME),))
    added: list[ExtensionHeader] = [RoutingHeaderType2(home_address=HOME), option]
    for (sender, source, receiver, destination), header, ends in zip(
        both_ways(here), added, ((CN, MN), (MN, CN)), strict=True
    ):
        inlet = receiver.socket(socket.SOCK_DGRAM, bound=destination, port=PORT)
        raw(sender, datagram(*ends, *more, header))
        assert inlet.recvfrom(100)[:2] == (b"ok", (str(source), PORT, 0, 0))
    test = mobility_packet(MN, CN, HomeTestInit(cookie=bytes(8)))
    raw(here.mn, build(replace(test, headers=more)))
    until(lambda: [packet.payload for packet in here.cn.unclaimed] == [test.payload], "the engine has it")


@pytest.mark.rfc6275("11.3.3-a")
@pytest.mark.parametrize("headers", [(LIMIT,), (ALERT,), (ALERT, LIMIT)], ids=len)
def test_a_tunnelled_packet_with_other_headers_is_the_kernel_s(
    here: Crossroads, headers: tuple[ExtensionHeader, ...]
) -> None:
    here.bind()
    inlet = here.mn.socket(socket.SOCK_DGRAM, bound=HOME, port=PORT)
    tunnel = here.router.socket(socket.SOCK_RAW, IPV6, bound=TO_MN)
    tunnel.sendto(datagram(STRANGER, HOME, *headers), (str(MN), 0))
    assert inlet.recvfrom(100)[:2] == (b"ok", (str(STRANGER), PORT, 0, 0))
    assert not here.mn.unclaimed


@pytest.mark.rfc6275("11.3.3-a", "9.3.1-b", "11.6.1-a")
@pytest.mark.case("MN-190")
def test_a_bound_peer_is_heard_through_the_tunnel_by_its_home_address(here: Crossroads) -> None:
    """It knows no binding of this node, and sends by way of the home agent with a Home Address option."""
    here.bind_both()
    here.mn.apply(RemoveRouteOptimisation(home_address=HOME, peer=PEER_HOME))
    inlet = here.mn.socket(socket.SOCK_DGRAM, bound=HOME, port=PORT)
    tunnel = here.router.socket(socket.SOCK_RAW, IPV6, bound=TO_MN)
    option = DestinationOptions(options=(HomeAddressOption(home_address=PEER_HOME),))
    tunnel.sendto(datagram(CN, HOME, option), (str(MN), 0))
    assert inlet.recvfrom(100)[:2] == (b"ok", (str(PEER_HOME), PORT, 0, 0))
    assert here.mn.heard == [(HOME, PEER_HOME)]


# What is not led into a direct path


@pytest.mark.rfc6275("9.4.3-a", "9.3.2-a", "6.1.3-a")
def test_a_home_test_goes_by_the_home_agent_although_the_home_address_is_bound(here: Crossroads) -> None:
    here.bind()
    test = HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))
    here.cn.send(mobility_packet(CN, HOME, test))
    here.mn.send(mobility_packet(HOME, CN, HomeTestInit(cookie=bytes(8))))
    seen: list[Packet] = []
    until(lambda: len(seen.extend(here.seen()) or seen) >= 2, "both")  # type: ignore[func-returns-value]
    answer = next(p for p in seen if p.source == CN)
    assert (answer.destination, answer.headers, answer.payload) == (HOME, (), test)
    init = next(p for p in seen if p.source == MN).payload  # §11.6.1: in the tunnel
    assert isinstance(init, Packet)
    assert (init.source, init.destination, init.headers) == (HOME, CN, ())


@pytest.mark.rfc6275("9.3.2-a")
def test_packets_of_others_are_sent_on_as_they_are(here: Crossroads) -> None:
    """A router, as a home agent is one, may be a correspondent: the binding is for its own packets."""
    here.mn.own(HOME)
    here.router.run("ip", "-6", "route", "add", str(HOME), "via", str(MN))
    here.router.apply(InstallBinding(home_address=HOME, care_of_address=MN))
    inlet = here.mn.socket(socket.SOCK_DGRAM, bound=HOME, port=PORT)
    here.cn.socket(socket.SOCK_DGRAM).sendto(b"sent on", (str(HOME), PORT))
    assert inlet.recvfrom(100)[0] == b"sent on"
    assert here.router.count("direct-out") == 0
    here.router.socket(socket.SOCK_DGRAM).sendto(b"own", (str(HOME), PORT))
    assert inlet.recvfrom(100)[0] == b"own"
    until(lambda: here.router.count("direct-out") == here.mn.count("direct-in") == 1, "it went straight")


# Who uses a path


@pytest.mark.rfc6275("9.5.5-a", "9.1-a", "11.7.2-a")
def test_use_is_told_at_both_ends(here: Crossroads) -> None:
    here.bind()
    for node, peer in ((here.cn, None), (here.mn, CN)):
        assert not node.used(HOME, peer)
    here.cn.run("ping", "-c1", "-W5", str(HOME))
    for node, peer in ((here.cn, None), (here.mn, CN)):
        assert node.used(HOME, peer)
        assert not node.used(HOME, peer)
    here.mn.apply(RemoveRouteOptimisation(home_address=HOME, peer=CN))
    here.mn.socket(socket.SOCK_DGRAM, bound=HOME).sendto(b"", (str(CN), PORT))
    until(lambda: here.mn.count("tunnelled") == 1, "by the tunnel")
    until(lambda: here.mn.heard == [(HOME, CN)], "it is news")
    assert not here.mn.used(HOME, CN)


# Sizes


@pytest.mark.rfc6275("9.3.2-a", "9.3.4-a", "10.4.2-c")
@pytest.mark.parametrize("both", [False, True], ids=["one header", "both headers"])
@pytest.mark.parametrize(("narrow", "mtu"), [(None, 1500), ("mn", 1400), ("cn", 1400)])
def test_no_size_is_lost_for_good(here: Crossroads, narrow: str | None, mtu: int, both: bool) -> None:
    """A packet that does not fit may be lost once, until its sender was told what does: by a router or at once."""
    if narrow is not None:
        here.narrow(narrow, mtu)
    here.bind_both() if both else here.bind()
    for sender, source, receiver, destination in both_ways(here, PEER_HOME if both else CN):
        # No more than the tunnel's device takes; a correspondent on the plane kernel has none.
        device = 1500 if sender is here.cn and sender.plane.knows_mobility and not both else 1460
        fits = min(mtu - (48 if both else 24), device)
        inlet = receiver.socket(socket.SOCK_DGRAM, bound=destination, port=PORT)
        outlet = sender.socket(socket.SOCK_DGRAM, bound=source)
        outlet.connect((str(destination), PORT))
        for size in SIZES:
            arrives(outlet, inlet, size)
        assert outlet.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU) == fits
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        with pytest.raises(OSError, match="Message too long"):
            outlet.send(bytes(fits - 48 + 1))
        arrives(outlet, inlet, fits - 48)
        inlet.close()


@pytest.mark.rfc6275("9.3.2-a", "9.3.4-a")
@pytest.mark.parametrize("both", [False, True], ids=["one header", "both headers"])
@pytest.mark.parametrize("narrow", ["mn", "cn"])
def test_a_connection_finds_its_size(here: Crossroads, narrow: str, both: bool) -> None:
    """Also one that begins before the way becomes narrow."""
    here.bind_both() if both else here.bind()
    for client, source, server, destination in both_ways(here, PEER_HOME if both else CN):
        assert connection_carries(client, source, server, destination)
    here.narrow(narrow, 1400)
    for client, source, server, destination in both_ways(here, PEER_HOME if both else CN):
        assert connection_carries(client, source, server, destination)


NUMBERS = itertools.count()
NUMBER_OCTETS = 4


def arrives(outlet: socket.socket, inlet: socket.socket, size: int) -> None:
    """Send numbered datagrams until one arrives as it was; the first may be too big for the way.

    One that was believed lost may come while the next size is tried: its number tells.
    """
    inlet.settimeout(0.25)
    deadline = monotonic() + WITHIN
    sent: list[bytes] = []
    while True:
        assert monotonic() < deadline, f"{size} octets do not arrive"
        try:
            sent.append(next(NUMBERS).to_bytes(NUMBER_OCTETS, "big") + bytes(size - NUMBER_OCTETS))
            outlet.send(sent[-1])
            got = inlet.recv(1 << 16)
            while got[:NUMBER_OCTETS] < sent[0][:NUMBER_OCTETS]:
                got = inlet.recv(1 << 16)
        except TimeoutError:
            continue
        except OSError as error:  # a connected socket is told so of the one before
            if error.errno != errno.EMSGSIZE:
                raise
            continue
        assert got in sent
        return


# The end


@pytest.mark.rfc6275("9.5.3-a", "11.5.5-a")
def test_what_is_undone_leaves_no_trace_at_either_end(here: Crossroads) -> None:
    here.mn.own(HOME)
    before = [stack_of(node) for node in (here.cn, here.mn)]
    here.bind()
    assert is_bound(here.cn, HOME)
    here.cn.run("ping", "-c1", "-W5", str(HOME))
    here.cn.apply(InstallBinding(home_address=HOME + 1, care_of_address=MN), RemoveBinding(home_address=HOME))
    assert not is_bound(here.cn, HOME)
    assert is_bound(here.cn, HOME + 1)
    here.cn.apply(RemoveBinding(home_address=HOME + 1), RemoveBinding(home_address=HOME + 1))
    here.mn.apply(
        RemoveRouteOptimisation(home_address=HOME, peer=CN),
        RemoveReverseTunnel(home_address=HOME),
        ForgetRouter(interface=LINK, source=MN),
    )
    assert [stack_of(node) for node in (here.cn, here.mn)] == before


def is_bound(node: Node, home_address: IPv6Address) -> bool:
    """Tell whether the kernel leads packets for a home address into a direct path."""
    if node.plane.knows_mobility:
        return f"dst {home_address}/128" in node.run("ip", "xfrm", "policy")
    rule = "from all fwmark 0/0x1883 iif lo lookup 6274"
    is_led = f"{home_address} dev mip0" in node.run("ip", "-6", "route", "show", "table", "6274")
    return is_led and rule in node.run("ip", "-6", "rule", "show")


def stack_of(node: Node) -> dict[str, Any]:
    """Describe a node's stack but for its packet filter, which counts."""
    return {what: state for what, state in state_of(node.namespace).items() if what != "nft"}
