"""The relay agent of a home agent: DHCPv6 between tunnels and servers (RFC 6275 §10.4.4, RFC 8415 §19)."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.constants import HOP_COUNT_LIMIT
from lab.engine.config import HomeAgentConfig
from lab.engine.io import Effect, Received, Refused, SendIntoTunnel
from lab.events import Dhcpv6Answered, Dhcpv6Forwarded, PacketDropped
from lab.wire.dhcpv6 import (
    INTERFACE_ID,
    RELAY_MESSAGE,
    Dhcpv6Message,
    Dhcpv6Option,
    Dhcpv6Type,
    Message,
    RelayForward,
    RelayReply,
    build_message,
    parse_message,
)
from lab.wire.packet import Datagram, OpaquePayload, Packet, build, parse
from tests.engine.effects import events, of_kind, sent
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, OTHER_CARE_OF, PREFIX, Bench, from_home, update
from tests.fuzz.wire_packets import dhcpv6_messages

SERVER, OTHER_SERVER = IPv6Address("2001:db8:1::2"), IPv6Address("2001:db8:d::547")
STRANGER = IPv6Address("2001:db8:bad::1")
CLIENT, SERVERS = IPv6Address("fe80::100"), IPv6Address("ff02::1:2")
OTHER_HOME = IPv6Address("2001:db8:1::101")
QUESTION = Dhcpv6Message(message_type=Dhcpv6Type.INFORMATION_REQUEST, transaction_id=b"abc")
ANSWER = Dhcpv6Message(message_type=Dhcpv6Type.REPLY, transaction_id=b"abc", options=(Dhcpv6Option(code=23, data=b""),))
CONFIG = HomeAgentConfig(
    interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX,), dhcpv6_servers=(SERVER, OTHER_SERVER)
)


@pytest.fixture
def bench() -> Bench:
    """Serve a mobile node that is away."""
    bench = Bench(config=CONFIG)
    bench.register()
    return bench


def said(
    message: Message | bytes, care_of: IPv6Address = CARE_OF, client: IPv6Address = CLIENT, port: int = 547
) -> Received:
    """Make DHCPv6 that came out of the tunnel of a care-of address."""
    data = message if isinstance(message, bytes) else build_message(message)
    payload = Datagram(source_port=546, destination_port=port, data=data)
    inner = Packet(source=client, destination=SERVERS, payload=payload)
    return Received(packet=Packet(source=care_of, destination=AGENT, payload=inner), interface="mip0", tunnelled=True)


def returned(message: Message | bytes, source: IPv6Address = SERVER) -> Received:
    """Make what a server sends."""
    data = message if isinstance(message, bytes) else build_message(message)
    payload = Datagram(source_port=547, destination_port=547, data=data)
    return Received(packet=Packet(source=source, destination=AGENT, payload=payload), interface="ha-eth0")


def reply_to(forward: RelayForward, answer: Message | bytes = ANSWER) -> RelayReply:
    """Answer as a server does: with what the Relay-forward tells, and the Interface-Id as it came."""
    noted, _ = forward.options
    data = answer if isinstance(answer, bytes) else build_message(answer)
    return RelayReply(
        hop_count=forward.hop_count,
        link_address=forward.link_address,
        peer_address=forward.peer_address,
        options=(noted, Dhcpv6Option(code=RELAY_MESSAGE, data=data)),
    )


def forwards(effects: list[Effect]) -> list[tuple[IPv6Address, RelayForward]]:
    """Pick the Relay-forwards with the servers that they go to."""
    found = []
    for packet in sent(effects):
        assert packet.source == AGENT
        assert isinstance(packet.payload, Datagram)
        assert (packet.payload.source_port, packet.payload.destination_port) == (547, 547)
        assert parse(build(packet)) == packet
        message = parse_message(packet.payload.data)
        assert isinstance(message, RelayForward)
        found.append((packet.destination, message))
    return found


def forward_of(bench: Bench, message: Message = QUESTION) -> RelayForward:
    """Have a message relayed, and give what became of it."""
    return forwards(bench.take(said(message)))[0][1]


def reasons(effects: list[Effect]) -> list[str]:
    """Give why packets were dropped; nothing else may have happened."""
    dropped = events(effects, PacketDropped)
    assert len(dropped) == len(effects)
    return [event.reason for event in dropped]


# To the servers


@pytest.mark.rfc6275("10.4.4-a")
def test_a_message_goes_to_each_server_and_tells_tunnel_link_and_client(bench: Bench) -> None:
    effects = bench.take(said(QUESTION))
    assert [to for to, _ in forwards(effects)] == [SERVER, OTHER_SERVER]
    for _, forward in forwards(effects):
        assert forward == RelayForward(
            hop_count=0,
            link_address=AGENT,
            peer_address=CLIENT,
            options=(
                Dhcpv6Option(code=INTERFACE_ID, data=HOME.packed),
                Dhcpv6Option(code=RELAY_MESSAGE, data=build_message(QUESTION)),
            ),
        )
    assert events(effects, Dhcpv6Forwarded) == [Dhcpv6Forwarded(home_address=HOME, message="Information-request")]


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize(("hops", "told"), [(0, 1), (HOP_COUNT_LIMIT - 1, HOP_COUNT_LIMIT)])
def test_a_relay_agent_behind_the_mobile_node_is_counted(bench: Bench, hops: int, told: int) -> None:
    behind = RelayForward(hop_count=hops, link_address=IPv6Address("::"), peer_address=IPv6Address("fe80::7"))
    forward = forward_of(bench, behind)
    assert (forward.hop_count, forward.peer_address) == (told, CLIENT)
    assert forward.options[1].data == build_message(behind)


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize("hops", [HOP_COUNT_LIMIT, 255])
def test_beyond_the_limit_of_hops_nothing_is_relayed(bench: Bench, hops: int) -> None:
    behind = RelayForward(hop_count=hops, link_address=IPv6Address("::"), peer_address=CLIENT)
    assert reasons(bench.take(said(behind))) == ["dhcpv6-hop-limit"]


def test_a_message_of_an_unknown_type_is_relayed_too(bench: Bench) -> None:
    """RFC 7283 §4."""
    unknown = Dhcpv6Message(message_type=99, transaction_id=b"abc")
    assert forward_of(bench, unknown).options[1].data == build_message(unknown)


@pytest.mark.parametrize("kind", [Dhcpv6Type.ADVERTISE, Dhcpv6Type.REPLY, Dhcpv6Type.RECONFIGURE])
def test_what_servers_alone_say_is_not_taken_from_a_client(bench: Bench, kind: Dhcpv6Type) -> None:
    message = Dhcpv6Message(message_type=kind, transaction_id=b"abc")
    assert reasons(bench.take(said(message))) == ["unexpected-dhcpv6"]


def test_a_relay_reply_is_not_taken_from_a_client(bench: Bench) -> None:
    assert reasons(bench.take(said(reply_to(forward_of(bench))))) == ["unexpected-dhcpv6"]


@pytest.mark.parametrize("data", [b"", b"\x0b\0\0", b"\x0b\0\0\1\0"])
def test_what_is_malformed_is_not_relayed(bench: Bench, data: bytes) -> None:
    assert reasons(bench.take(said(data))) == ["malformed-dhcpv6"]


@pytest.mark.rfc6275("10.4.4-a", "10.4.5-a")
def test_who_has_no_binding_is_not_served(bench: Bench) -> None:
    assert reasons(bench.take(said(QUESTION, care_of=OTHER_CARE_OF))) == ["unexpected-tunnel-packet"]
    bench.take(from_home(2))
    assert reasons(bench.take(said(QUESTION))) == ["unexpected-tunnel-packet"]


def test_a_registration_that_is_being_tested_has_no_tunnel_yet() -> None:
    bench = Bench(config=CONFIG)
    bench.take(update(1))
    assert reasons(bench.take(said(QUESTION))) == ["unexpected-tunnel-packet"]


def test_what_is_for_another_port_is_no_question(bench: Bench) -> None:
    assert reasons(bench.take(said(QUESTION, port=546))) == ["unexpected-tunnel-packet"]


@pytest.mark.rfc6275("10.4.4-a")
def test_without_servers_no_answer_comes() -> None:
    bench = Bench(config=replace(CONFIG, dhcpv6_servers=()))
    bench.register()
    assert reasons(bench.take(said(QUESTION))) == ["unexpected-tunnel-packet"]


def test_a_datagram_that_is_none_is_met_with_silence(bench: Bench) -> None:
    """A wrong checksum, for example."""
    inner = Packet(source=CLIENT, destination=SERVERS, payload=OpaquePayload(next_header=17, data=bytes(12)))
    happened = replace(said(QUESTION), packet=Packet(source=CARE_OF, destination=AGENT, payload=inner))
    assert reasons(bench.take(happened)) == ["unexpected-tunnel-packet"]


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize(
    ("client", "noted"),
    [("fe80::100", HOME), ("fe80::101", OTHER_HOME), ("fe80::77", HOME)],
    ids=["first", "second", "of neither"],
)
def test_of_home_addresses_with_one_care_of_address_the_client_s_own_is_noted(
    bench: Bench, client: str, noted: IPv6Address
) -> None:
    bench.register(home=OTHER_HOME)
    ((_, forward), _) = forwards(bench.take(said(QUESTION, client=IPv6Address(client))))
    assert forward.options[0].data == noted.packed


# Back to the mobile node


@pytest.mark.rfc6275("10.4.4-a")
def test_an_answer_goes_into_the_tunnel_that_the_question_came_from(bench: Bench) -> None:
    effects = bench.take(returned(reply_to(forward_of(bench))))
    (into,) = of_kind(effects, SendIntoTunnel)
    assert into.home_address == HOME
    assert into.packet.destination == CLIENT
    assert into.packet.source.is_link_local
    assert into.packet.payload == Datagram(source_port=547, destination_port=546, data=build_message(ANSWER))
    assert events(effects, Dhcpv6Answered) == [Dhcpv6Answered(home_address=HOME, server=SERVER, message="Reply")]


@pytest.mark.rfc6275("10.4.4-a")
def test_an_answer_for_a_relay_agent_goes_to_its_port(bench: Bench) -> None:
    behind = RelayForward(hop_count=0, link_address=IPv6Address("::"), peer_address=IPv6Address("fe80::7"))
    nested = RelayReply(hop_count=0, link_address=IPv6Address("::"), peer_address=IPv6Address("fe80::7"))
    (into,) = of_kind(bench.take(returned(reply_to(forward_of(bench, behind), nested))), SendIntoTunnel)
    assert isinstance(into.packet.payload, Datagram)
    assert into.packet.payload.destination_port == 547


@pytest.mark.rfc6275("10.4.4-a")
def test_an_answer_finds_the_mobile_node_that_has_moved_but_not_one_that_is_home(bench: Bench) -> None:
    forward = forward_of(bench)
    bench.take(update(2, care_of=OTHER_CARE_OF))
    assert of_kind(bench.take(returned(reply_to(forward))), SendIntoTunnel)
    bench.take(from_home(3))
    assert reasons(bench.take(returned(reply_to(forward)))) == ["unexpected-dhcpv6"]


def test_a_server_may_answer_from_another_address_of_its_link(bench: Bench) -> None:
    reply = reply_to(forward_of(bench))
    assert of_kind(bench.take(returned(reply, source=OTHER_SERVER + 1)), SendIntoTunnel)
    assert reasons(bench.take(returned(reply, source=STRANGER))) == ["unexpected-dhcpv6"]


def test_what_is_no_reply_to_a_relay_agent_is_dropped(bench: Bench) -> None:
    forward = forward_of(bench)
    reply = reply_to(forward)
    noted, relayed = reply.options
    other_interfaces = [Dhcpv6Option(code=INTERFACE_ID, data=data) for data in (b"", b"eth0", OTHER_HOME.packed)]
    messages: tuple[Message, ...] = (
        ANSWER,
        forward,
        replace(reply, options=(noted,)),
        replace(reply, options=(relayed,)),
        *(replace(reply, options=(interface, relayed)) for interface in other_interfaces),
        replace(reply, peer_address=STRANGER),
        replace(reply, peer_address=SERVERS),
    )
    for message in messages:
        assert reasons(bench.take(returned(message))) == ["unexpected-dhcpv6"], message


@pytest.mark.parametrize("data", [b"", b"\x07\0\0", b"\x07\0\0\1\0"])
def test_a_malformed_answer_is_dropped(bench: Bench, data: bytes) -> None:
    assert reasons(bench.take(returned(data))) == ["malformed-dhcpv6"]
    assert reasons(bench.take(returned(reply_to(forward_of(bench), data)))) == ["malformed-dhcpv6"]


def test_an_answer_that_the_plane_cannot_send_ends_no_binding(bench: Bench) -> None:
    (into,) = of_kind(bench.take(returned(reply_to(forward_of(bench)))), SendIntoTunnel)
    assert bench.take(Refused(effect=into, reason="no tunnel")) == []
    assert bench.states() == {str(HOME): "registered"}


@given(dhcpv6_messages, st.booleans(), st.binary(max_size=20))
def test_no_message_makes_it_fail(message: Message, from_server: bool, tail: bytes) -> None:
    bench = Bench(config=CONFIG)
    bench.register()
    data = build_message(message) + tail
    assert bench.take(returned(data) if from_server else said(data))
