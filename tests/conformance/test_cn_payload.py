"""Packets with a Home Address option or a type 2 routing header, and errors about them (RFC 6275 §6.3, §6.4, §9.3)."""

from ipaddress import IPv6Address

import pytest

from lab.auth.esp import Association, open_sealed, seal
from lab.wire.icmpv6 import EchoReply
from lab.wire.mobility import BindingError
from lab.wire.packet import OpaquePayload
from tests.conformance.mobile_node import CARE_OF, HOME, OTHER_CARE_OF, MobileNode
from tests.conformance.node import ADDRESS, Node
from tests.conformance.octets import CARE_OF_TEST_INIT, ESP, HOME_TEST_INIT, echo_request, ipv6, unreachable, upper

OTHER_HOME = IPv6Address("2001:db8:1::200")
MULTICAST = IPv6Address("ff0e::1")
ROUTER = IPv6Address("2001:db8:a1::1")


@pytest.fixture
def mobile() -> MobileNode:
    return MobileNode(Node())


@pytest.fixture
def bound() -> MobileNode:
    mobile = MobileNode(Node())
    mobile.register(1)
    return mobile


def named(mobile: MobileNode, source: IPv6Address, home: IPv6Address) -> None:
    """Verify that a Home Address option without a binding gets a Binding Error that names it."""
    (answer,) = mobile.node.receive(echo_request(source=source, destination=ADDRESS, home=home))
    assert answer.payload == BindingError(status=1, home_address=home)
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, source, ())


@pytest.mark.case("CN-127")
@pytest.mark.rfc6275("9.3.4-a", "9.3.1-a")
def test_unreachable_care_of_addresses_are_given_up(bound: MobileNode) -> None:
    node = bound.node
    for _ in range(10):
        if not bound.is_bound():
            break
        node.receive(unreachable(ROUTER, ADDRESS, node.sent_octets[-1]))
    assert bound.is_nowhere_bound()


@pytest.mark.rfc6275("9.3.4-a")
def test_errors_about_other_packets_do_no_harm(bound: MobileNode) -> None:
    node = bound.node
    for invoking in (
        echo_request(source=ADDRESS, destination=CARE_OF),
        echo_request(source=ADDRESS, destination=OTHER_CARE_OF, routed=HOME),
        echo_request(source=ADDRESS, destination=CARE_OF, routed=OTHER_HOME),
        b"",
    ):
        for _ in range(5):
            assert node.receive(unreachable(ROUTER, ADDRESS, invoking)) == []
    assert bound.is_bound()


@pytest.mark.case("CN-128")
@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "15.8-a")
def test_a_home_address_option_makes_no_binding(mobile: MobileNode) -> None:
    for _ in range(2):
        named(mobile, CARE_OF, HOME)
    assert mobile.is_nowhere_bound()


@pytest.mark.case("CN-129")
@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "15.8-a")
def test_both_addresses_must_match(bound: MobileNode) -> None:
    named(bound, CARE_OF, OTHER_HOME)
    named(bound, OTHER_CARE_OF, HOME)


@pytest.mark.case("CN-130")
@pytest.mark.rfc6275("9.3.1-a", "9.3.2-a", "15.8-a")
def test_another_care_of_address_changes_nothing(bound: MobileNode) -> None:
    named(bound, OTHER_CARE_OF, HOME)
    assert bound.is_bound(CARE_OF)


@pytest.mark.case("CN-131")
@pytest.mark.rfc6275("9.3.3-a", "9.3.1-a")
def test_a_multicast_source_gets_no_answer(mobile: MobileNode) -> None:
    octets = echo_request(source=MULTICAST, destination=ADDRESS, home=HOME)
    assert mobile.node.receive(octets) == []
    mobile.register(1)
    assert mobile.node.receive(octets) == []
    assert mobile.is_bound()


@pytest.mark.rfc6275("6.3-b", "9.3.3-a")
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(CARE_OF, marks=pytest.mark.case("CN-132")),
        pytest.param(MULTICAST, marks=pytest.mark.case("CN-133")),
    ],
)
def test_a_multicast_home_address_is_dropped(mobile: MobileNode, source: IPv6Address) -> None:
    assert mobile.node.receive(echo_request(source=source, destination=ADDRESS, home=MULTICAST)) == []
    assert mobile.node.drops() == ["invalid-home-address"]
    assert mobile.node.to_upper_layers == []


@pytest.mark.case("CN-134")
@pytest.mark.rfc6275("9.3.1-a", "9.3.1-b", "6.3-a")
def test_addresses_have_their_places(bound: MobileNode) -> None:
    named(bound, HOME, CARE_OF)
    wrong = echo_request(source=CARE_OF, destination=ADDRESS, home=HOME, summed_source=CARE_OF)
    assert bound.node.receive(wrong) == []
    assert bound.is_bound()


SEALED = bytes(range(1, 41))
"""What an ESP packet holds: SPI, sequence number, and what only the keys would tell."""


@pytest.mark.case("CN-135")
@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "6.3-a")
def test_ipsec_sees_home_addresses_alone(bound: MobileNode) -> None:
    node = bound.node
    assert node.receive(upper(ESP, SEALED, source=CARE_OF, destination=ADDRESS, home=HOME)) == []
    arrived = node.to_upper_layers[-1]  # so a policy is found by the home address
    assert (arrived.source, arrived.destination, arrived.headers) == (HOME, ADDRESS, ())
    assert arrived.payload == OpaquePayload(next_header=ESP, data=SEALED)
    # A reply that IPsec has sealed for the home address goes straight, the routing header before ESP.
    reply = node.transmit(ipv6(ADDRESS, HOME, ESP, SEALED))
    assert (reply.destination, reply.routed_home_address, len(reply.headers)) == (CARE_OF, HOME, 1)
    assert reply.payload == OpaquePayload(next_header=ESP, data=SEALED)


@pytest.mark.case("CN-135")
@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "5.1-c")
def test_ipsec_above_the_direct_path_opens_and_seals(bound: MobileNode) -> None:
    """As a kernel's would: by the association of the home address, which sees no care-of address."""
    to_node, to_mobile = (Association(spi=spi, integrity_key=bytes(32)) for spi in (0x1001, 0x1002))
    associations = {HOME: (to_node, to_mobile)}
    request = echo_request(source=HOME, destination=ADDRESS)[40:]
    sealed = seal(to_node, 1, b"", 58, request)
    assert bound.node.receive(upper(ESP, sealed, source=CARE_OF, destination=ADDRESS, home=HOME)) == []
    arrived = bound.node.to_upper_layers[-1]
    inwards, outwards = associations[arrived.source]
    opened = open_sealed(inwards, arrived.payload_octets)
    assert opened == (58, request)
    # The reply, with the checksum that home addresses give, is sealed and then goes straight.
    plain = upper(58, bytes((129, 0, 0, 0)) + opened.payload[4:], source=ADDRESS, destination=HOME)[40:]
    reply = bound.node.transmit(ipv6(ADDRESS, arrived.source, ESP, seal(outwards, 1, b"", 58, plain)))
    assert (reply.destination, reply.routed_home_address, len(reply.headers)) == (CARE_OF, HOME, 1)
    assert open_sealed(to_mobile, reply.payload_octets) == (58, plain)


@pytest.mark.rfc6275("9.3.1-a")
def test_ipsec_judges_a_home_address_without_a_binding(mobile: MobileNode) -> None:
    assert mobile.node.receive(upper(ESP, SEALED, source=CARE_OF, destination=ADDRESS, home=HOME)) == []
    assert not mobile.node.drops()


@pytest.mark.case("CN-136")
@pytest.mark.rfc6275("6.4-a", "15.9-a")
def test_a_foreign_routing_header_leads_nowhere(mobile: MobileNode) -> None:
    node = mobile.node
    assert node.receive(echo_request(source=CARE_OF, destination=ADDRESS, routed=HOME)) == []
    for kind in (HOME_TEST_INIT, CARE_OF_TEST_INIT):
        assert node.receive(mobile.test_init(kind, routed=HOME)) == []
    assert (node.sent, node.to_upper_layers) == ([], [])
    mobile.register(1)
    assert node.receive(echo_request(source=CARE_OF, destination=ADDRESS, home=HOME, routed=OTHER_HOME)) == []


@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a")
def test_an_error_with_a_home_address_option_is_no_exception(mobile: MobileNode) -> None:
    octets = upper(58, bytes((1, 0)) + bytes(6) + bytes(48), source=CARE_OF, destination=ADDRESS, home=HOME)
    (answer,) = mobile.node.receive(octets)
    assert answer.payload == BindingError(status=1, home_address=HOME)


@pytest.mark.rfc6275("9.3.3-a")
def test_binding_errors_are_limited(mobile: MobileNode) -> None:
    octets = echo_request(source=CARE_OF, destination=ADDRESS, home=HOME)
    answers = [answer for _ in range(100) for answer in mobile.node.receive(octets)]
    assert len(answers) == 10
    mobile.node.pass_time(1.0)
    assert len(mobile.node.receive(octets)) == 1


@pytest.mark.rfc6275("9.3.1-b")
def test_what_follows_a_mobility_message_does_not_count(mobile: MobileNode) -> None:
    """Octets behind a header that says nothing follows (RFC 8200 §4.7) are ignored."""
    mobile.return_routability()
    octets = bytearray(mobile.update(1))
    octets += bytes(8)
    octets[5] += 8
    mobile.accepted(mobile.node.receive(bytes(octets)), 1)
    (answer,) = mobile.node.receive(echo_request(source=HOME, destination=ADDRESS))
    assert isinstance(answer.payload, EchoReply)
