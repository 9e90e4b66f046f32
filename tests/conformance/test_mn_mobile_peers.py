"""A mobile node away from home and its peers that are mobile nodes too (RFC 6275 §9, §11.3.1, §11.3.3)."""

import pytest

from lab.wire.mobility import BindingError, BindingUpdate, CareOfTestInit, HomeTestInit
from lab.wire.packet import Packet
from tests.conformance.octets import CARE_OF_TEST_INIT, HOME_TEST_INIT, echo_request
from tests.conformance.visitor import CARE_OF, PEER_CARE_OF, PEER_HOME, MobilePeer, Visitor
from tests.engine.mobile_node_bench import HOME


@pytest.fixture
def peer() -> MobilePeer:
    return MobilePeer(Visitor())


@pytest.fixture
def bound(peer: MobilePeer) -> MobilePeer:
    """Give a peer that has registered with the mobile node, which has not heard of it otherwise."""
    peer.return_routability()
    peer.accepted(peer.send(1), 1)
    return peer


def answers_leave_by_the_tunnel(peer: MobilePeer, since: int) -> bool:
    """Tell whether all that was sent went that way, from the home address, and there was something."""
    sent = peer.visitor.sent[since:]
    assert {(packet.source, packet.home_address) for packet in sent} == {(HOME, None)}
    return peer.visitor.goes_by_tunnel(sent)


@pytest.mark.rfc6275("11.6.1-a", "9.3.1-b", "11.3.3-a")
@pytest.mark.case("MN-190")
def test_a_bound_peer_that_is_heard_through_the_tunnel_is_asked_for_tests(bound: MobilePeer) -> None:
    """The Home Test Init goes to its home address, and so does the Care-of Test Init."""
    visitor = bound.visitor
    visitor.receive(echo_request(source=PEER_CARE_OF, destination=HOME, home=PEER_HOME))
    home, care_of = visitor.listen()
    assert isinstance(home.payload, HomeTestInit)
    assert isinstance(care_of.payload, CareOfTestInit)
    assert (home.source, home.destination, home.headers) == (HOME, PEER_HOME, ())
    assert (care_of.source, care_of.destination, care_of.headers) == (CARE_OF, PEER_HOME, ())
    assert visitor.goes_by_tunnel([home])
    assert not visitor.goes_by_tunnel([care_of])


@pytest.mark.rfc6275("9.4.3-a", "9.4.4-a", "11.6.1-a", "11.3.1-a")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(CARE_OF_TEST_INIT, marks=pytest.mark.case("MN-191"), id="care-of"),
        pytest.param(HOME_TEST_INIT, marks=pytest.mark.case("MN-192"), id="home"),
    ],
)
def test_test_inits_of_a_peer_are_answered_by_the_tunnel_and_lead_to_nothing_else(peer: MobilePeer, kind: int) -> None:
    visitor, before = peer.visitor, len(peer.visitor.sent)
    peer.test_home() if kind == HOME_TEST_INIT else peer.test_care_of()
    assert visitor.listen() == []
    assert len(visitor.sent) == before + 1
    assert answers_leave_by_the_tunnel(peer, before)


@pytest.mark.rfc6275("9.4.4-a", "11.3.1-a")
@pytest.mark.case("MN-193")
def test_a_care_of_test_for_a_bound_peer_brings_no_headers_of_the_binding(bound: MobilePeer) -> None:
    before = len(bound.visitor.sent)
    bound.test_care_of()
    assert answers_leave_by_the_tunnel(bound, before)


@pytest.mark.rfc6275("9.5.4-a", "9.5.1-d", "11.3.1-a")
@pytest.mark.case("MN-194")
def test_a_registration_is_acknowledged_by_the_tunnel(peer: MobilePeer) -> None:
    peer.return_routability()
    before = len(peer.visitor.sent)
    peer.accepted(peer.send(1), 1)
    assert answers_leave_by_the_tunnel(peer, before)
    assert peer.is_bound()


@pytest.mark.rfc6275("9.5.4-a", "9.5.2-a", "5.2.5-a")
@pytest.mark.case("MN-195")
def test_a_binding_is_refreshed_with_new_tests(bound: MobilePeer) -> None:
    visitor, tokens = bound.visitor, (bound.home_token, bound.care_of_token)
    visitor.pass_time(300.0)
    before = len(visitor.sent)
    bound.return_routability()
    assert bound.home_token != tokens[0]
    assert bound.care_of_token != tokens[1]
    bound.accepted(bound.send(2), 2)
    assert answers_leave_by_the_tunnel(bound, before)
    visitor.pass_time(300.0)  # the first would have ended meanwhile
    assert bound.is_bound()


@pytest.mark.rfc6275("9.5.3-a", "9.5.4-a", "15.4.6-a")
@pytest.mark.case("MN-196")
def test_a_binding_is_deleted_by_the_home_token_alone(bound: MobilePeer) -> None:
    before = len(bound.visitor.sent)
    bound.test_home()
    message = bound.accepted(bound.send(2, units=0), 2, to=PEER_CARE_OF)
    assert message.lifetime == 0
    assert answers_leave_by_the_tunnel(bound, before)
    assert bound.is_nowhere_bound()


@pytest.mark.rfc6275("9.3.1-a", "9.3.3-a", "11.3.1-a")
@pytest.mark.case("MN-198")
def test_after_its_end_the_home_address_option_is_refused(bound: MobilePeer) -> None:
    bound.accepted(bound.send(2, units=0), 2, to=PEER_CARE_OF)
    visitor, before = bound.visitor, len(bound.visitor.sent)
    (error,) = visitor.receive(echo_request(source=PEER_CARE_OF, destination=HOME, home=PEER_HOME))
    assert error.payload == BindingError(status=1, home_address=PEER_HOME)
    assert (error.source, error.destination, error.headers) == (HOME, PEER_CARE_OF, ())
    assert answers_leave_by_the_tunnel(bound, before)
    assert visitor.to_upper_layers == []
    assert visitor.listen() == []


# The mobile node registers with its peer


def register_with(peer: MobilePeer) -> Packet:
    """Have the mobile node hear of its peer and pass its tests; give its Binding Update."""
    visitor = peer.visitor
    visitor.receive(echo_request(source=PEER_HOME, destination=HOME))
    (update,) = [packet for init in visitor.listen() for packet in peer.answer(init)]
    assert isinstance(update.payload, BindingUpdate)
    return update


@pytest.mark.rfc6275("9.3.1-a", "9.3.1-b", "11.7.3-a")
@pytest.mark.parametrize("option", [True, False], ids=["away", "at home"])
@pytest.mark.parametrize("which", ["peer", "bound"])
def test_a_peer_acknowledges_from_where_it_is(request: pytest.FixtureRequest, which: str, option: bool) -> None:
    """Away it may put a Home Address option into the acknowledgement, whose authenticator says enough."""
    peer: MobilePeer = request.getfixturevalue(which)
    update = register_with(peer)
    assert peer.acknowledge(update, option=option) == []
    assert peer.visitor.plane.direct[HOME, PEER_HOME].care_of_address == CARE_OF
    assert peer.visitor.drops() == []


@pytest.mark.rfc6275("9.3.1-a", "11.7.3-a")
def test_whoever_names_another_home_address_acknowledges_nothing(peer: MobilePeer) -> None:
    update = register_with(peer)
    peer.home = PEER_HOME + 1
    assert peer.acknowledge(update, option=True) == []
    assert peer.visitor.drops() == ["unexpected-acknowledgement"]
    assert not peer.visitor.plane.direct
