"""Registering, refreshing, moving; Binding Updates that only a home agent could serve (RFC 6275 §9.5)."""

from ipaddress import IPv6Address

import pytest

from lab.wire.mobility import BindingRefreshRequest
from lab.wire.packet import Packet
from tests.conformance.mobile_node import CARE_OF, EXPIRED, HOME, OTHER_CARE_OF, MobileNode
from tests.conformance.node import ADDRESS, Node, messages
from tests.conformance.octets import A, H, echo_request


@pytest.fixture
def mobile() -> MobileNode:
    return MobileNode(Node())


@pytest.fixture
def bound() -> MobileNode:
    mobile = MobileNode(Node())
    mobile.register(1)
    return mobile


@pytest.mark.case("CN-002")
@pytest.mark.rfc6275("9.5.1-d", "9.5.4-a", "5.2.6-b")
def test_registration(mobile: MobileNode) -> None:
    mobile.return_routability()
    message = mobile.accepted(mobile.send(7, units=100), 7)
    assert message.lifetime == 400
    assert mobile.is_bound()


@pytest.mark.case("CN-003")
@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a")
def test_answers_go_straight(bound: MobileNode) -> None:
    assert not bound.is_plain()
    assert bound.is_bound()
    sources = [packet.source for packet in bound.node.to_upper_layers]
    assert sources == [HOME] * 3  # upper layers know of no care-of address


@pytest.mark.case("CN-031")
@pytest.mark.rfc6275("9.5.4-a", "9.5.1-d")
def test_without_a_nothing_is_answered(mobile: MobileNode) -> None:
    mobile.return_routability()
    assert mobile.send(1, flags=0) == []
    assert mobile.is_bound()


@pytest.mark.case("CN-032")
@pytest.mark.rfc6275("9.5.1-b", "9.5.4-a")
def test_a_refusal_is_told_without_a(mobile: MobileNode) -> None:
    mobile.register(10000)
    mobile.acknowledged(mobile.send(10000, flags=0), 135, 10000)


@pytest.mark.rfc6275("9.5.1-d", "9.5.4-a", "5.2.7-a")
@pytest.mark.parametrize(
    ("old", "status"),
    [
        pytest.param("home", 136, marks=pytest.mark.case("CN-033")),
        pytest.param("care-of", 137, marks=pytest.mark.case("CN-034")),
        pytest.param("both", 138, marks=pytest.mark.case("CN-035")),
    ],
)
def test_old_tokens_are_told_without_a(mobile: MobileNode, old: str, status: int) -> None:
    mobile.return_routability()
    mobile.node.pass_time(EXPIRED)
    if old == "home":
        mobile.test_care_of()
    elif old == "care-of":
        mobile.test_home()
    mobile.acknowledged(mobile.send(1, flags=0), status, 1, signed=False)
    assert mobile.is_nowhere_bound()


@pytest.mark.rfc6275("9.5.4-a", "6.1.7-b", "9.3.2-a", "6.2.5-a")
@pytest.mark.parametrize(
    "alternate",
    [
        pytest.param(OTHER_CARE_OF, marks=pytest.mark.case("CN-041")),
        pytest.param(CARE_OF, marks=pytest.mark.case("CN-042")),
    ],
)
def test_an_alternate_care_of_address_is_bound(mobile: MobileNode, alternate: IPv6Address) -> None:
    mobile.test_home()
    mobile.test_care_of(alternate)
    mobile.accepted(mobile.send(1, alternate=alternate), 1)  # to the source
    assert mobile.is_bound(alternate)
    assert mobile.is_bound(CARE_OF) == (alternate == CARE_OF)
    (answer,) = mobile.node.receive(echo_request(source=HOME, destination=ADDRESS))
    assert (answer.destination, answer.routed_home_address) == (alternate, HOME)


@pytest.mark.rfc6275("9.5.2-a", "9.1-a", "9.3.1-a", "5.2.7-a")
@pytest.mark.parametrize(
    "new_tokens",
    [
        pytest.param(True, marks=pytest.mark.case("CN-043")),
        pytest.param(False, marks=pytest.mark.case("CN-044")),
    ],
)
def test_a_shorter_lifetime_counts(bound: MobileNode, new_tokens: bool) -> None:
    bound.node.pass_time(100.0)
    if new_tokens:
        bound.return_routability()  # the Home Test goes to the home address though it is bound
    message = bound.accepted(bound.send(2, units=1), 2)
    assert message.lifetime == 4
    assert bound.is_bound()
    bound.node.pass_time(3.9)
    assert bound.is_bound()
    bound.node.pass_time(0.1)
    assert bound.is_nowhere_bound()


def use_steadily(mobile: MobileNode, seconds: int) -> list[Packet]:
    """Ask back once a second, and give what came meanwhile by itself."""
    came = []
    for _ in range(seconds):
        came += mobile.node.pass_time(1.0)
        assert mobile.is_bound()
    return came


@pytest.mark.case("CN-045")
@pytest.mark.rfc6275("9.5.5-a", "6.1.2-a")
def test_a_binding_in_use_is_asked_to_be_refreshed(mobile: MobileNode) -> None:
    mobile.register(1, units=10)
    came = use_steadily(mobile, 39)
    assert 1 <= len(came) <= 3
    assert {(packet.source, packet.destination, packet.headers) for packet in came} == {(ADDRESS, HOME, ())}
    assert messages(came) == [BindingRefreshRequest()] * len(came)
    octets = [packet.payload_octets for packet in came]
    assert {octet[:4] + octet[6:] for octet in octets} == {bytes((59, 0, 0, 0, 0, 0))}


@pytest.mark.case("CN-046")
@pytest.mark.rfc6275("9.5.5-a", "9.5.4-a", "9.3.2-a")
def test_refreshed_in_time_it_is_left_alone(mobile: MobileNode) -> None:
    mobile.register(1, units=10)
    assert len(messages(use_steadily(mobile, 31))) == 1
    mobile.register(2, units=100)
    assert use_steadily(mobile, 200) == []


@pytest.mark.rfc6275("9.5.5-a")
def test_an_unused_binding_is_left_to_end(bound: MobileNode) -> None:
    bound.node.plane.used(HOME, None)
    assert bound.node.pass_time(500.0) == []
    assert bound.is_nowhere_bound()


@pytest.mark.rfc6275("9.5.2-a", "9.5.4-a", "9.3.2-a", "5.2.7-a")
@pytest.mark.parametrize(
    "new_home_token",
    [
        pytest.param(True, marks=pytest.mark.case("CN-070")),
        pytest.param(False, marks=pytest.mark.case("CN-071")),
    ],
)
def test_a_move(bound: MobileNode, new_home_token: bool) -> None:
    bound.node.pass_time(50.0)
    bound.care_of = OTHER_CARE_OF
    bound.test_care_of()
    if new_home_token:
        bound.test_home()
    bound.accepted(bound.send(2), 2)
    assert bound.is_bound(OTHER_CARE_OF)
    assert not bound.is_bound(CARE_OF)
    (answer,) = bound.node.receive(echo_request(source=HOME, destination=ADDRESS))
    assert (answer.destination, answer.routed_home_address) == (OTHER_CARE_OF, HOME)


@pytest.mark.case("CN-072")
@pytest.mark.rfc6275("9.5.1-b", "9.5.4-a")
def test_a_move_with_an_old_sequence_number(bound: MobileNode) -> None:
    bound.care_of = OTHER_CARE_OF
    bound.return_routability()
    bound.acknowledged(bound.send(1), 135, 1)
    assert bound.is_bound(CARE_OF)
    assert not bound.is_bound(OTHER_CARE_OF)


@pytest.mark.case("CN-118")
@pytest.mark.rfc6275("9.5.1-e", "9.5.4-a")
def test_a_home_registration_is_refused(mobile: MobileNode) -> None:
    answers = mobile.send(1, flags=A | H, indices=False, authorized=False)
    mobile.acknowledged(answers, 131, 1, signed=False)
    assert mobile.is_nowhere_bound()


@pytest.mark.case("CN-119")
@pytest.mark.rfc6275("9.5.1-c", "9.5.4-a")
def test_a_binding_stays_what_it_is(mobile: MobileNode) -> None:
    mobile.register(1, units=10)
    answers = mobile.send(2, flags=A | H, units=1, indices=False, authorized=False)
    mobile.acknowledged(answers, 139, 2, signed=False)
    mobile.node.pass_time(39.0)
    assert mobile.is_bound()
    mobile.node.pass_time(1.0)
    assert mobile.is_nowhere_bound()


@pytest.mark.case("CN-120")
@pytest.mark.rfc6275("9.5.1-c", "9.5.3-a")
def test_a_home_deregistration_deletes_nothing(bound: MobileNode) -> None:
    answers = bound.node.receive(bound.from_home(2, flags=A | H, indices=False, authorized=False))
    bound.acknowledged(answers, 139, 2, to=HOME, signed=False)
    assert bound.is_bound()


# With H set, Nonce Indices must not be present (§9.5.1), and what fails that test is silently discarded: only an old
# sequence number, a change of the registration type and old nonces are told, and those tests come after this one.


@pytest.mark.case("CN-121")
@pytest.mark.rfc6275("9.5.1-e", "6.2.6-a")
def test_a_home_registration_with_nonce_indices(mobile: MobileNode) -> None:
    mobile.return_routability()
    assert mobile.send(1, flags=A | H) == []
    assert mobile.is_nowhere_bound()


@pytest.mark.case("CN-122")
@pytest.mark.rfc6275("9.5.1-c", "6.2.6-a")
def test_a_home_registration_with_nonce_indices_changes_nothing(mobile: MobileNode) -> None:
    mobile.register(1, units=10)
    mobile.return_routability()
    assert mobile.send(2, flags=A | H, units=1) == []
    mobile.node.pass_time(39.0)
    assert mobile.is_bound()


@pytest.mark.case("CN-123")
@pytest.mark.rfc6275("9.5.1-c", "6.2.6-a")
def test_a_home_deregistration_with_nonce_indices_deletes_nothing(bound: MobileNode) -> None:
    bound.test_home()
    assert bound.node.receive(bound.from_home(2, flags=A | H)) == []
    assert bound.is_bound()


@pytest.mark.case("CN-126")
@pytest.mark.rfc6275("9.1-a", "9.5.4-a", "9.3.2-a")
def test_two_mobile_nodes() -> None:
    node = Node()
    first = MobileNode(node)
    second = MobileNode(node, home=IPv6Address("2001:db8:1::200"), care_of=OTHER_CARE_OF)
    first.register(1)
    second.register(1)
    assert first.is_bound()
    assert second.is_bound()
    assert not first.is_bound(OTHER_CARE_OF)
    assert not second.is_bound(CARE_OF)
