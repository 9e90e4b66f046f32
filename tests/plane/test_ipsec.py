"""Sealing what goes out, opening and judging what comes in; nothing that a peer sends does harm (RFC 4301 §5)."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.esp import seal
from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.errors import IpsecReason, WireError
from lab.events import PacketDropped
from lab.plane.ipsec import Ipsec, Message, Plain, Refused, Tunnelled
from lab.wire.chain import ESP
from lab.wire.icmpv6 import MobilePrefixSolicitation
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag, HomeTestInit
from lab.wire.packet import OpaquePayload, Packet, build, mobility_packet, parse
from tests.auth.protections import (
    AGENT,
    HOME,
    OTHER_HOME,
    OTHER_REGISTRATION,
    PAYLOAD,
    PREFIXES,
    REGISTRATION,
    TESTS,
)

CARE_OF, PEER = IPv6Address("2001:db8:a1::2"), IPv6Address("2001:db8:c::1")
A, H = BindingUpdateFlag.ACKNOWLEDGE, BindingUpdateFlag.HOME_REGISTRATION
ALL = (REGISTRATION, PREFIXES, TESTS, PAYLOAD, OTHER_REGISTRATION)
UPDATE = mobility_packet(CARE_OF, AGENT, BindingUpdate(sequence=1, flags=A | H, lifetime=60), home_address=HOME)
INIT = build(mobility_packet(HOME, PEER, HomeTestInit(cookie=bytes(8))))
DATA = build(Packet(source=HOME, destination=PEER, payload=OpaquePayload(next_header=17, data=bytes(20))))


class End:
    """One end of the associations, with what it refused."""

    def __init__(self, protections: Sequence[Protection] = ALL, *, at_home_agent: bool) -> None:
        self.dropped: list[PacketDropped] = []
        policy = Policy(protections, at_home_agent=at_home_agent)
        self.ipsec = Ipsec(policy, Secrets(bytes((at_home_agent,))), self.dropped.append)

    def reasons(self) -> list[str]:
        return [dropped.reason for dropped in self.dropped]


@pytest.fixture
def node() -> End:
    return End(at_home_agent=False)


@pytest.fixture
def agent() -> End:
    return End(at_home_agent=True)


def tunnelled(node: End, inner: bytes, source: IPv6Address = CARE_OF, destination: IPv6Address = AGENT) -> bytes:
    """Seal a packet for the tunnel as a plane does, below an outer header."""
    sealed = node.ipsec.seal_tunnelled(node.ipsec.tunnel(HOME, AGENT), inner)
    assert sealed is not None
    return esp_packet(sealed, source, destination)


def esp_packet(sealed: bytes, source: IPv6Address = CARE_OF, destination: IPv6Address = AGENT) -> bytes:
    return build(Packet(source=source, destination=destination, payload=OpaquePayload(next_header=ESP, data=sealed)))


@pytest.mark.rfc6275("5.1-a", "5.1-c", "6.3-a")
def test_a_binding_update_is_sealed_behind_its_home_address(node: End, agent: End) -> None:
    octets = node.ipsec.write(UPDATE)
    packet = parse(octets)
    assert (packet.source, packet.home_address, packet.headers) == (CARE_OF, HOME, UPDATE.headers)
    assert isinstance(packet.payload, OpaquePayload)
    assert packet.payload.next_header == ESP
    opened = agent.ipsec.open(octets)
    assert opened == Message(packet=build(UPDATE), protection=REGISTRATION)
    assert agent.ipsec.admits(parse(build(UPDATE)), REGISTRATION)
    assert agent.dropped == []


@pytest.mark.rfc6275("5.1-a")
def test_sequence_numbers_count_up_and_no_iv_comes_twice(node: End) -> None:
    sealed = [parse(node.ipsec.write(UPDATE)).payload_octets for _ in range(3)]
    assert [int.from_bytes(octets[4:8], "big") for octets in sealed] == [1, 2, 3]
    assert len({octets[8:24] for octets in sealed}) == 3
    init = parse(tunnelled(node, INIT)).payload_octets
    assert int.from_bytes(init[4:8], "big") == 1  # each association counts for itself


@pytest.mark.rfc6275("5.1-a")
def test_a_packet_may_come_twice(node: End, agent: End) -> None:
    """Mobile IPv6's own sequence numbers see to replays: keys set by hand allow no others (§5.1)."""
    octets = node.ipsec.write(UPDATE)
    assert agent.ipsec.open(octets) == agent.ipsec.open(octets)


@pytest.mark.rfc6275("5.4-a")
def test_prefix_messages_come_with_what_tells_their_home_address(node: End, agent: End) -> None:
    plain = replace(UPDATE, payload=MobilePrefixSolicitation(identifier=9))
    opened = agent.ipsec.open(node.ipsec.write(plain))
    assert opened == Message(packet=build(plain), protection=PREFIXES)
    assert agent.ipsec.admits(plain, PREFIXES)


@pytest.mark.rfc6275("5.1-c", "5.4-a", "15.3-b")
@pytest.mark.case("MN-173", "MN-188")
def test_associations_outlive_moves_and_a_stay_at_home(node: End, agent: End) -> None:
    message = MobilePrefixSolicitation(identifier=9)
    sent = [
        replace(UPDATE, payload=message),
        Packet(source=HOME, destination=AGENT, payload=message),
        replace(UPDATE, source=IPv6Address("2001:db8:a2::2"), payload=message),
    ]
    sealed = [parse(node.ipsec.write(packet)).payload_octets[:8] for packet in sent]
    spi = PREFIXES.to_home_agent.spi
    assert sealed == [spi.to_bytes(4, "big") + number.to_bytes(4, "big") for number in (1, 2, 3)]
    opened = {agent.ipsec.open(node.ipsec.write(packet)) for packet in sent}
    assert opened == {Message(packet=build(packet), protection=PREFIXES) for packet in sent}


@pytest.mark.rfc6275("5.1-a")
def test_what_nobody_protects_is_left_as_it_is(node: End) -> None:
    bare = End((), at_home_agent=True)
    sealed = node.ipsec.write(UPDATE)
    assert bare.ipsec.open(sealed) == Plain()
    assert bare.ipsec.write(UPDATE) == build(UPDATE)
    assert bare.ipsec.seal_tunnelled(bare.ipsec.tunnel(HOME, AGENT), INIT) is None
    assert bare.ipsec.admits(UPDATE)
    assert bare.ipsec.admits_tunnelled(bare.ipsec.tunnel(HOME, AGENT), INIT)
    assert bare.ipsec.room(1460) == 1460


@pytest.mark.rfc6275("5.1-a", "5.1-c")
def test_a_plain_registration_does_not_reach_the_engine(agent: End) -> None:
    assert agent.ipsec.open(build(UPDATE)) == Plain()
    assert not agent.ipsec.admits(UPDATE)
    assert agent.dropped == [
        PacketDropped(reason="unprotected", source=CARE_OF, destination=AGENT, detail="Binding Update")
    ]


@pytest.mark.rfc6275("5.1-b")
def test_nobody_registers_another_s_home_address(agent: End) -> None:
    """The other has an association with the home agent, and every checksum right."""
    sealed = seal(OTHER_REGISTRATION.to_home_agent, 1, bytes(16), 135, parse(build(UPDATE)).payload_octets)
    octets = build(replace(UPDATE, payload=OpaquePayload(next_header=ESP, data=sealed)))
    opened = agent.ipsec.open(octets)
    assert opened == Message(packet=build(UPDATE), protection=OTHER_REGISTRATION)
    assert not agent.ipsec.admits(parse(build(UPDATE)), OTHER_REGISTRATION)
    assert agent.reasons() == [IpsecReason.MISUSED_ASSOCIATION]


@pytest.mark.parametrize(
    ("sealed", "reason"),
    [
        (b"", IpsecReason.MALFORMED_ESP),
        (bytes(7), IpsecReason.MALFORMED_ESP),
        (bytes(100), IpsecReason.UNKNOWN_SPI),
        (REGISTRATION.from_home_agent.spi.to_bytes(4, "big") + bytes(68), IpsecReason.UNKNOWN_SPI),
        (REGISTRATION.to_home_agent.spi.to_bytes(4, "big") + bytes(68), IpsecReason.WRONG_ICV),
        (REGISTRATION.to_home_agent.spi.to_bytes(4, "big") + bytes(20), IpsecReason.MALFORMED_ESP),
    ],
)
def test_what_cannot_be_opened_is_dropped_with_its_reason(agent: End, sealed: bytes, reason: IpsecReason) -> None:
    assert agent.ipsec.open(esp_packet(sealed)) == Refused()
    assert agent.reasons() == [reason]


@pytest.mark.rfc6275("5.5-c", "5.5-d", "10.4.6-a")
@pytest.mark.parametrize("inner", [INIT, DATA], ids=["test init", "payload"])
def test_a_tunnel(node: End, agent: End, inner: bytes) -> None:
    outer = tunnelled(node, inner)
    assert inner[40:] not in outer
    assert agent.ipsec.open(outer) == Tunnelled(packet=inner, outer_source=CARE_OF)
    tunnel = agent.ipsec.tunnel(HOME, AGENT)
    assert not agent.ipsec.admits_tunnelled(tunnel, inner)
    assert agent.reasons() == [IpsecReason.UNPROTECTED]
    assert (agent.dropped[0].source, agent.dropped[0].destination) == (HOME, PEER)


@pytest.mark.rfc6275("5.5-c", "5.1-b")
@pytest.mark.parametrize(
    ("protection", "next_header", "inner", "destination"),
    [
        pytest.param(TESTS, 41, DATA, AGENT, id="payload by the association of tests"),
        pytest.param(TESTS, 135, INIT[40:], AGENT, id="transport mode"),
        pytest.param(TESTS, 59, b"", AGENT, id="a dummy"),
        pytest.param(TESTS, 41, INIT, PEER, id="not with the home agent"),
        pytest.param(PAYLOAD, 41, DATA.replace(HOME.packed, OTHER_HOME.packed), AGENT, id="another home address"),
        pytest.param(PAYLOAD, 41, DATA[:20], AGENT, id="no packet"),
    ],
)
def test_a_tunnel_s_association_is_for_one_tunnel(
    agent: End, protection: Protection, next_header: int, inner: bytes, destination: IPv6Address
) -> None:
    sealed = seal(protection.to_home_agent, 1, bytes(16), next_header, inner)
    assert agent.ipsec.open(esp_packet(sealed, destination=destination)) == Refused()
    assert agent.reasons() == [IpsecReason.MISUSED_ASSOCIATION]


def test_what_is_wrong_before_the_payload_is_left_to_whoever_reads_the_message(node: End, agent: End) -> None:
    """Here one hop too many in a type 2 routing header."""
    header = bytes((ESP, 2, 2, 2, 0, 0, 0, 0)) + HOME.packed
    sealed = parse(node.ipsec.write(UPDATE)).payload_octets
    packet = Packet(source=CARE_OF, destination=AGENT, payload=OpaquePayload(next_header=43, data=header + sealed))
    opened = agent.ipsec.open(build(packet))
    assert isinstance(opened, Message)
    with pytest.raises(WireError):
        parse(opened.packet)


def test_headers_that_are_cut_are_not_opened(agent: End) -> None:
    """Whoever reads the packet next says what is wrong: 24 octets of a header, of which eight are there."""
    packet = Packet(
        source=CARE_OF, destination=AGENT, payload=OpaquePayload(next_header=60, data=bytes((ESP, 2, 1, 4, 0, 0, 0, 0)))
    )
    assert agent.ipsec.open(build(packet)) == Plain()


def test_what_a_link_layer_put_behind_a_packet_is_no_part_of_it(node: End, agent: End) -> None:
    assert isinstance(agent.ipsec.open(node.ipsec.write(UPDATE) + bytes(6)), Message)


@given(st.binary(max_size=200), st.sampled_from([ESP, 60, 43, 0, 135]), st.booleans())
def test_no_octets_do_harm(octets: bytes, kind: int, is_packet: bool) -> None:
    agent = End(at_home_agent=True)
    if is_packet:
        octets = build(Packet(source=CARE_OF, destination=AGENT, payload=OpaquePayload(next_header=kind, data=octets)))
    assert agent.ipsec.open(octets) in (Plain(), Refused())


@given(st.sampled_from([p for p in ALL if not p.protects.tunnels]), st.integers(0, 255), st.binary(max_size=80))
def test_whoever_has_a_key_does_no_harm_either(protection: Protection, next_header: int, payload: bytes) -> None:
    agent = End(at_home_agent=True)
    opened = agent.ipsec.open(esp_packet(seal(protection.to_home_agent, 1, bytes(16), next_header, payload)))
    assert isinstance(opened, Message)
    assert opened.protection is protection


@pytest.mark.rfc6275("5.5-d")
def test_a_tunnel_has_less_room_where_payload_is_sealed(node: End) -> None:
    fits = node.ipsec.room(1460)
    tunnel = node.ipsec.tunnel(HOME, AGENT)
    assert fits == node.ipsec.room(1460, tunnel) == 1406
    for octets, whole in ((fits, 1448), (fits + 1, 1464)):
        sealed = node.ipsec.seal_tunnelled(tunnel, DATA + bytes(octets - len(DATA)))
        assert sealed is not None
        assert len(sealed) == whole
    only_tests = End((TESTS,), at_home_agent=False)
    assert only_tests.ipsec.room(1460) == 1460
