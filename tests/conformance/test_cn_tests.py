"""Return routability and what every mobility message must be like (RFC 6275 §9.2, §9.4)."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.wire.icmpv6 import EchoReply, ParameterProblem
from lab.wire.mobility import BindingError, CareOfTest, HomeTest
from tests.conformance.mobile_node import CARE_OF, HOME, MobileNode
from tests.conformance.node import ADDRESS, SECOND_ADDRESS, Node
from tests.conformance.octets import (
    CARE_OF_TEST_INIT,
    HOME_TEST_INIT,
    MOBILITY_HEADER,
    echo_request,
    mobility,
    upper,
    with_alternate,
    with_nonce_indices,
)

MULTICAST = IPv6Address("ff0e::1")
INITS = {HOME_TEST_INIT: (HomeTest, HOME), CARE_OF_TEST_INIT: (CareOfTest, CARE_OF)}


@pytest.fixture
def mobile() -> MobileNode:
    return MobileNode(Node())


@pytest.mark.case("CN-001")
@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "9.4.3-a", "9.4.4-a", "5.2.5-b")
def test_return_routability(mobile: MobileNode) -> None:
    (answer,) = mobile.node.receive(echo_request(source=HOME, destination=ADDRESS))
    assert isinstance(answer.payload, EchoReply)
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, HOME, ())
    assert not mobile.is_bound()
    mobile.test_care_of()
    mobile.test_home()
    assert mobile.is_nowhere_bound()


def takes(mobile: MobileNode, kind: int, octets: bytes) -> None:
    """Verify that a test init is answered as any other."""
    answers = mobile.node.receive(octets)
    message, where = INITS[kind]
    assert [(type(answer.payload), answer.destination, answer.headers) for answer in answers] == [(message, where, ())]


@pytest.mark.rfc6275("6.1.1-b", "6.2.6-a", "9.4.3-a", "9.4.4-a")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(HOME_TEST_INIT, marks=pytest.mark.case("CN-004")),
        pytest.param(CARE_OF_TEST_INIT, marks=pytest.mark.case("CN-010")),
    ],
)
def test_stray_nonce_indices_are_ignored(mobile: MobileNode, kind: int) -> None:
    options = with_nonce_indices(bytes(10), 1, 2)[10:]
    takes(mobile, kind, mobile.test_init(kind, options=options))


@pytest.mark.case("CN-011")
@pytest.mark.rfc6275("6.1.1-b", "6.2.5-a", "9.4.4-a")
def test_a_stray_alternate_care_of_address_is_ignored(mobile: MobileNode) -> None:
    options = with_alternate(bytes(10), IPv6Address("2001:db8:a2::2"))[10:]
    takes(mobile, CARE_OF_TEST_INIT, mobile.test_init(CARE_OF_TEST_INIT, options=options))


@pytest.mark.rfc6275("9.4.1-a", "9.4.2-a")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(HOME_TEST_INIT, marks=pytest.mark.case("CN-005")),
        pytest.param(CARE_OF_TEST_INIT, marks=pytest.mark.case("CN-012")),
    ],
)
def test_a_home_address_option_makes_a_test_init_ignored(mobile: MobileNode, kind: int) -> None:
    assert mobile.node.receive(mobile.test_init(kind, source=CARE_OF, home=HOME)) == []
    assert mobile.node.drops() == ["home-address-option"]


@pytest.mark.rfc6275("9.2-a", "6.1.1-a")
@pytest.mark.parametrize(
    ("kind", "fields", "pointer"),
    [
        pytest.param(HOME_TEST_INIT, {"length": 0}, 41, marks=pytest.mark.case("CN-006")),
        pytest.param(HOME_TEST_INIT, {"payload_proto": 255}, 40, marks=pytest.mark.case("CN-008")),
        pytest.param(CARE_OF_TEST_INIT, {"length": 0}, 41, marks=pytest.mark.case("CN-013")),
        pytest.param(CARE_OF_TEST_INIT, {"payload_proto": 255}, 40, marks=pytest.mark.case("CN-015")),
    ],
)
def test_a_parameter_problem_points_at_the_field(
    mobile: MobileNode, kind: int, fields: dict[str, Any], pointer: int
) -> None:
    octets = mobile.test_init(kind, **fields)
    (answer,) = mobile.node.receive(octets)
    assert answer.payload == ParameterProblem(code=0, pointer=pointer, invoking=octets)
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, INITS[kind][1], ())


@pytest.mark.rfc6275("6.1.1-b", "9.4.3-a", "9.4.4-a")
@pytest.mark.parametrize("fields", [{"reserved": 0xFF}, {"first": b"\xff\xff"}])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(HOME_TEST_INIT, marks=pytest.mark.case("CN-007")),
        pytest.param(CARE_OF_TEST_INIT, marks=pytest.mark.case("CN-014")),
    ],
)
def test_reserved_fields_are_ignored(mobile: MobileNode, kind: int, fields: dict[str, Any]) -> None:
    takes(mobile, kind, mobile.test_init(kind, **fields))


@pytest.mark.rfc6275("9.2-a", "6.1.1-a")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(HOME_TEST_INIT, marks=pytest.mark.case("CN-009")),
        pytest.param(CARE_OF_TEST_INIT, marks=pytest.mark.case("CN-016")),
    ],
)
def test_a_wrong_checksum_is_met_with_silence(mobile: MobileNode, kind: int) -> None:
    assert mobile.node.receive(mobile.test_init(kind, checksum=bytes(2))) == []
    assert mobile.node.drops() == ["bad-checksum"]


@pytest.mark.case("CN-029")
@pytest.mark.rfc6275("9.2-a", "9.3.3-a", "6.1.9-a")
def test_an_unknown_type_gets_a_binding_error() -> None:
    node = Node()
    message = mobility(8, bytes(10))
    (answer,) = node.receive(upper(MOBILITY_HEADER, message, source=HOME, destination=ADDRESS))
    assert answer.payload == BindingError(status=2, home_address=IPv6Address("::"))
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, HOME, ())
    assert node.receive(upper(MOBILITY_HEADER, message, source=MULTICAST, destination=ADDRESS)) == []
    (answer,) = node.receive(upper(MOBILITY_HEADER, message, source=CARE_OF, destination=ADDRESS, home=HOME))
    assert answer.payload == BindingError(status=2, home_address=HOME)
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, CARE_OF, ())


@pytest.mark.case("CN-030")
@pytest.mark.rfc6275("9.4.3-a", "9.4.4-a", "5.2.5-b")
def test_every_address_answers_for_itself() -> None:
    node = Node()
    for address in (ADDRESS, SECOND_ADDRESS):
        MobileNode(node, peer=address).return_routability()


@pytest.mark.case("CN-095")
@pytest.mark.rfc6275("5.2.2-a", "5.2.7-a")
def test_nonces_are_renewed(mobile: MobileNode) -> None:
    home, care_of = set(), set()
    for _ in range(24):
        mobile.test_care_of()
        mobile.test_home()
        home.add(mobile.home_token.index)
        care_of.add(mobile.care_of_token.index)
        mobile.node.pass_time(10.0)
    assert len(home) > 1
    assert len(care_of) > 1
