"""Which association protects which packet: by home address, wherever the packet is (RFC 6275 §5.1, §5.4, §5.5)."""

from ipaddress import IPv6Address

import pytest

from lab.auth.ipsec_policy import Policy, Protection, Protects
from lab.errors import IpsecError, IpsecReason
from lab.safeguards import Safeguard
from lab.wire.headers import DestinationOptions
from lab.wire.icmpv6 import EchoRequest, MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingUpdate,
    BindingUpdateFlag,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    MobilityMessage,
)
from lab.wire.packet import (
    Datagram,
    HomeAddressOption,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    build,
    mobility_packet,
)
from tests.auth.protections import (
    AGENT,
    HOME,
    OTHER_AGENT,
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
AT_AGENT, AT_NODE = Policy(ALL, at_home_agent=True), Policy(ALL[:-1], at_home_agent=False)
UPDATE = BindingUpdate(sequence=1, flags=A | H, lifetime=60)
TO_PEER = BindingUpdate(sequence=1, flags=A, lifetime=60)
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence=1, lifetime=60)
SOLICITATION = MobilePrefixSolicitation(identifier=1)
ADVERTISEMENT = MobilePrefixAdvertisement(identifier=1)
INIT, TEST = HomeTestInit(cookie=bytes(8)), HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))


def away(
    message: MobilityMessage | MobilePrefixSolicitation, home: IPv6Address = HOME, agent: IPv6Address = AGENT
) -> Packet:
    """Send from a care-of address to a home agent."""
    option = DestinationOptions(options=(HomeAddressOption(home_address=home),))
    return Packet(source=CARE_OF, destination=agent, headers=(option,), payload=message)


def back(
    message: MobilityMessage | MobilePrefixAdvertisement, home: IPv6Address = HOME, agent: IPv6Address = AGENT
) -> Packet:
    """Send from a home agent to a care-of address."""
    return Packet(source=agent, destination=CARE_OF, headers=(RoutingHeaderType2(home_address=home),), payload=message)


def at_home(message: MobilityMessage) -> Packet:
    return mobility_packet(HOME, AGENT, message)


def reason(packet: Packet, policy: Policy, protection: Protection | None) -> IpsecReason | None:
    """Say why a packet that came in is refused."""
    try:
        policy.judge(packet, protection)
    except IpsecError as error:
        return error.reason
    return None


@pytest.mark.rfc6275("5.1-a", "5.1-c", "5.4-a")
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(away(UPDATE), REGISTRATION, id="from a care-of address"),
        pytest.param(at_home(UPDATE), REGISTRATION, id="from home"),
        pytest.param(away(UPDATE, OTHER_HOME), OTHER_REGISTRATION, id="of another"),
        pytest.param(away(SOLICITATION), PREFIXES, id="solicitation"),
    ],
)
def test_what_goes_to_the_home_agent(packet: Packet, expected: Protection) -> None:
    assert Policy(ALL, at_home_agent=False).outgoing(packet) is expected
    assert reason(packet, AT_AGENT, expected) is None
    assert reason(packet, AT_AGENT, None) is IpsecReason.UNPROTECTED


@pytest.mark.rfc6275("5.1-a", "5.1-c", "5.4-a")
@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        pytest.param(back(ACKNOWLEDGEMENT), REGISTRATION, id="to a care-of address"),
        pytest.param(mobility_packet(AGENT, HOME, ACKNOWLEDGEMENT), REGISTRATION, id="to home"),
        pytest.param(back(ADVERTISEMENT), PREFIXES, id="advertisement"),
    ],
)
def test_what_comes_from_the_home_agent(packet: Packet, expected: Protection) -> None:
    assert AT_AGENT.outgoing(packet) is expected
    assert reason(packet, AT_NODE, expected) is None
    assert reason(packet, AT_NODE, None) is IpsecReason.UNPROTECTED


@pytest.mark.rfc6275("5.1-b")
@pytest.mark.parametrize(
    ("packet", "protection"),
    [
        pytest.param(away(UPDATE, OTHER_HOME), REGISTRATION, id="by another's"),
        pytest.param(away(UPDATE), OTHER_REGISTRATION, id="for another"),
        pytest.param(away(UPDATE), PREFIXES, id="by that of prefixes"),
        pytest.param(away(SOLICITATION), REGISTRATION, id="prefixes by that of bindings"),
        pytest.param(away(INIT), REGISTRATION, id="what has none"),
        pytest.param(away(UPDATE, agent=OTHER_AGENT), REGISTRATION, id="to another address"),
        pytest.param(back(ACKNOWLEDGEMENT), REGISTRATION, id="in the wrong direction"),
    ],
)
def test_an_association_is_for_what_it_is_for(packet: Packet, protection: Protection) -> None:
    assert reason(packet, AT_AGENT, protection) is IpsecReason.MISUSED_ASSOCIATION


@pytest.mark.rfc6275("5.1-a")
def test_no_home_registration_goes_plainly() -> None:
    """Where some home addresses have associations, those that have none cannot register."""
    stranger = away(UPDATE, IPv6Address("2001:db8:1::bad"))
    assert reason(stranger, AT_AGENT, None) is IpsecReason.UNPROTECTED
    with pytest.raises(IpsecError, match="no association with"):
        AT_NODE.outgoing(away(UPDATE, agent=OTHER_AGENT))


@pytest.mark.parametrize(
    "packet",
    [
        mobility_packet(CARE_OF, PEER, TO_PEER, home_address=HOME),
        mobility_packet(CARE_OF, PEER, CareOfTestInit(cookie=bytes(8))),
        mobility_packet(AGENT, CARE_OF, BindingError(status=1, home_address=HOME)),
        back(ACKNOWLEDGEMENT, agent=PEER),
        Packet(source=CARE_OF, destination=AGENT, payload=EchoRequest(identifier=1, sequence=1, data=b"")),
    ],
    ids=["update of a correspondent", "test init", "binding error", "acknowledgement of a correspondent", "echo"],
)
def test_the_rest_goes_plainly(packet: Packet) -> None:
    for policy in (AT_AGENT, AT_NODE):
        assert policy.outgoing(packet) is None
        assert reason(packet, policy, None) is None


def test_correspondents_are_not_asked_for_associations_at_a_home_agent() -> None:
    update = mobility_packet(CARE_OF, AGENT, TO_PEER, home_address=IPv6Address("2001:db8:9::1"))
    assert reason(update, AT_AGENT, None) is None


def test_a_mobile_node_judges_home_registrations_as_a_correspondent_does() -> None:
    assert reason(mobility_packet(CARE_OF, HOME, UPDATE, home_address=OTHER_HOME), AT_NODE, None) is None


def test_without_associations_everything_goes_plainly() -> None:
    for policy in (Policy((), at_home_agent=True), Policy((), at_home_agent=False)):
        assert not policy
        for packet in (away(UPDATE), back(ACKNOWLEDGEMENT), away(SOLICITATION)):
            assert policy.outgoing(packet) is None
            assert reason(packet, policy, None) is None


def test_associations_are_found_by_the_spi_of_packets_that_come_in() -> None:
    assert AT_AGENT.inbound(TESTS.to_home_agent.spi) == (TESTS, TESTS.to_home_agent)
    assert AT_NODE.inbound(TESTS.from_home_agent.spi) == (TESTS, TESTS.from_home_agent)
    for policy, spi in ((AT_AGENT, TESTS.from_home_agent.spi), (AT_NODE, TESTS.to_home_agent.spi), (AT_AGENT, 1)):
        with pytest.raises(IpsecError) as caught:
            policy.inbound(spi)
        assert caught.value.reason is IpsecReason.UNKNOWN_SPI


# In the tunnel

TO_AGENT = build(mobility_packet(HOME, PEER, INIT))
TO_NODE = build(mobility_packet(PEER, HOME, TEST))
REPLY = build(Packet(source=PEER, destination=HOME, payload=OpaquePayload(next_header=17, data=bytes(8))))
REPORT = build(
    Packet(
        source=IPv6Address("fe80::100"),
        destination=IPv6Address("ff02::16"),
        payload=OpaquePayload(next_header=58, data=b""),
    )
)
FOR_GROUP = build(
    Packet(source=PEER, destination=IPv6Address("ff0e::1"), payload=OpaquePayload(next_header=17, data=bytes(8)))
)
CLIENT, RELAY = IPv6Address("fe80::100"), IPv6Address("fe80::1")
ASKED = build(
    Packet(
        source=CLIENT,
        destination=IPv6Address("ff02::1:2"),
        payload=Datagram(source_port=546, destination_port=547, data=b""),
    )
)
ANSWERED = build(
    Packet(source=RELAY, destination=CLIENT, payload=Datagram(source_port=547, destination_port=546, data=b""))
)
DATA = build(Packet(source=HOME, destination=PEER, payload=OpaquePayload(next_header=17, data=bytes(8))))


@pytest.mark.rfc6275("5.5-c", "5.5-d", "10.4.6-a", "10.4.4-a")
@pytest.mark.parametrize(
    ("protections", "tests", "rest"),
    [
        pytest.param((), None, None, id="nothing"),
        pytest.param((REGISTRATION, PREFIXES), None, None, id="not the tunnel"),
        pytest.param((TESTS,), TESTS, None, id="tests"),
        pytest.param((PAYLOAD,), PAYLOAD, PAYLOAD, id="payload, so tests too"),
        pytest.param((TESTS, PAYLOAD), TESTS, PAYLOAD, id="both"),
    ],
)
def test_what_is_wanted_in_a_tunnel(
    protections: tuple[Protection, ...], tests: Protection | None, rest: Protection | None
) -> None:
    at_agent = Policy(protections, at_home_agent=True).tunnel(HOME, AGENT)
    at_node = Policy(protections, at_home_agent=False).tunnel(HOME, AGENT)
    assert at_node.protects_anything == at_agent.protects_anything == (tests is not None or rest is not None)
    assert (at_node.outgoing(TO_AGENT), at_node.outgoing(DATA)) == (tests, rest)
    assert (at_agent.outgoing(TO_NODE), at_agent.outgoing(REPLY)) == (tests, rest)
    # In the other direction each is what the mobile node is to others as a correspondent.
    as_correspondent = mobility_packet(HOME, PEER, TEST), mobility_packet(PEER, HOME, INIT)
    answer, question = map(build, as_correspondent)
    assert (at_node.outgoing(answer), at_agent.outgoing(question)) == (rest, rest)
    # What names no home address no selector finds: MLD, and what is sent to groups (§10.4.3).
    assert (at_node.outgoing(REPORT), at_agent.outgoing(FOR_GROUP)) == (None, None)
    # DHCPv6 goes as other packets do (§10.4.4).
    assert (at_node.outgoing(ASKED), at_agent.outgoing(ANSWERED)) == (rest, rest)
    at_agent.judge(ASKED, rest)
    at_node.judge(ANSWERED, rest)
    at_agent.judge(TO_AGENT, tests)
    at_agent.judge(DATA, rest)
    at_node.judge(TO_NODE, tests)


@pytest.mark.rfc6275("5.5-c")
def test_tunnels_of_others_have_their_own_associations() -> None:
    policy = Policy((TESTS,), at_home_agent=True)
    assert not policy.tunnel(OTHER_HOME, AGENT).protects_anything
    assert not policy.tunnel(HOME, OTHER_AGENT).protects_anything


@pytest.mark.rfc6275("5.5-c", "5.1-b")
@pytest.mark.parametrize(
    ("inner", "protection", "expected"),
    [
        (TO_AGENT, None, IpsecReason.UNPROTECTED),
        (DATA, None, IpsecReason.UNPROTECTED),
        (TO_AGENT, PAYLOAD, IpsecReason.MISUSED_ASSOCIATION),
        (DATA, TESTS, IpsecReason.MISUSED_ASSOCIATION),
        (build(mobility_packet(OTHER_HOME, PEER, INIT)), TESTS, IpsecReason.MISUSED_ASSOCIATION),
        (b"", PAYLOAD, IpsecReason.MISUSED_ASSOCIATION),
    ],
    ids=["plain test", "plain data", "test as data", "data as a test", "for another", "nothing"],
)
def test_what_must_not_come_out_of_a_tunnel(inner: bytes, protection: Protection | None, expected: IpsecReason) -> None:
    tunnel = Policy((TESTS, PAYLOAD), at_home_agent=True).tunnel(HOME, AGENT)
    with pytest.raises(IpsecError) as caught:
        tunnel.judge(inner, protection)
    assert caught.value.reason is expected


def test_a_header_before_a_test_init_hides_nothing() -> None:
    """Whoever puts one there does not get around the policy."""
    options = DestinationOptions()
    hidden = build(Packet(source=HOME, destination=PEER, headers=(options,), payload=INIT))
    assert hidden[6] == 60
    with pytest.raises(IpsecError, match=IpsecReason.UNPROTECTED):
        Policy((TESTS,), at_home_agent=True).tunnel(HOME, AGENT).judge(hidden, None)


def test_purposes_and_their_modes() -> None:
    assert [purpose for purpose in Protects if purpose.tunnels] == [Protects.RETURN_ROUTABILITY, Protects.PAYLOAD]


@pytest.mark.rfc6275("5.1-a")
def test_without_esp_plain_registrations_pass_and_what_is_sealed_is_still_looked_at() -> None:
    policy = Policy(ALL, at_home_agent=True, without=frozenset({Safeguard.ESP}))
    assert reason(away(UPDATE), policy, None) is None
    assert reason(away(UPDATE, OTHER_HOME), policy, REGISTRATION) is IpsecReason.MISUSED_ASSOCIATION


@pytest.mark.rfc6275("5.1-b")
def test_without_the_check_of_associations_any_will_do_but_one_there_must_be() -> None:
    policy = Policy(ALL, at_home_agent=True, without=frozenset({Safeguard.ASSOCIATION_CHECK}))
    assert reason(away(UPDATE, OTHER_HOME), policy, REGISTRATION) is None
    assert reason(away(UPDATE), policy, None) is IpsecReason.UNPROTECTED


@pytest.mark.rfc6275("15.6-a")
def test_without_the_authentication_of_prefixes_they_may_come_plainly_and_nothing_else_may() -> None:
    policy = Policy(ALL, at_home_agent=False, without=frozenset({Safeguard.PREFIX_AUTHENTICATION}))
    assert reason(back(MobilePrefixAdvertisement(identifier=1)), policy, None) is None
    acknowledgement = BindingAcknowledgement(status=0, sequence=1, lifetime=60)
    assert reason(back(acknowledgement), policy, None) is IpsecReason.UNPROTECTED


@pytest.mark.rfc6275("15.7-b", "5.5-d")
def test_without_esp_for_payload_tests_alone_are_sealed() -> None:
    tunnel = Policy(ALL, at_home_agent=False, without=frozenset({Safeguard.PAYLOAD_ESP})).tunnel(HOME, AGENT)
    assert tunnel.outgoing(build(Packet(source=HOME, destination=PEER, payload=INIT))) is TESTS
    request = EchoRequest(identifier=1, sequence=1)
    assert tunnel.outgoing(build(Packet(source=HOME, destination=PEER, payload=request))) is None
