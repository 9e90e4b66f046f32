"""Nonces too old, never issued, renewed; wrong keygen tokens (RFC 6275 §5.2.6, §5.2.7, §9.5.1)."""

from typing import Any

import pytest

from tests.conformance.mobile_node import EXPIRED, HOME, NEVER_ISSUED, MobileNode
from tests.conformance.node import Node
from tests.conformance.octets import HOME_TEST_INIT

STILL_GOOD = 209.0
REGISTER, FROM_AFAR, FROM_HOME = "register", "delete from the care-of address", "delete from home"


def prepared(what: str) -> MobileNode:
    """Give a mobile node: bound if it is to delete, else not."""
    mobile = MobileNode(Node())
    if what == REGISTER:
        mobile.return_routability()
    else:
        mobile.register(1)
    return mobile


def attempt(mobile: MobileNode, what: str, status: int, **fields: Any) -> None:
    """Send what is to be sent, and verify what comes of it; 0 stands for success."""
    if what == FROM_HOME:
        answers, to = mobile.node.receive(mobile.from_home(2, **fields)), HOME
    else:
        units = 105 if what == REGISTER else 0
        answers, to = mobile.send(2, units=units, **fields), mobile.care_of
    mobile.acknowledged(answers, status, 2, to=to, signed=status == 0)
    is_bound = (what == REGISTER) == (status == 0)
    assert mobile.is_plain() != is_bound
    assert mobile.is_bound() == is_bound


@pytest.mark.rfc6275("9.5.1-d", "5.2.7-a", "9.5.4-a", "9.5.3-a", "5.2.6-a")
@pytest.mark.parametrize(
    ("what", "fresh_home", "fresh_care_of", "status"),
    [
        pytest.param(REGISTER, False, True, 136, marks=pytest.mark.case("CN-073")),
        pytest.param(FROM_AFAR, False, True, 136, marks=pytest.mark.case("CN-074")),
        pytest.param(FROM_HOME, False, True, 136, marks=pytest.mark.case("CN-075")),
        pytest.param(REGISTER, True, False, 137, marks=pytest.mark.case("CN-076")),
        pytest.param(FROM_AFAR, True, False, 0, marks=pytest.mark.case("CN-077")),
        pytest.param(FROM_HOME, True, False, 0, marks=pytest.mark.case("CN-078")),
        pytest.param(REGISTER, False, False, 138, marks=pytest.mark.case("CN-079")),
        pytest.param(FROM_AFAR, False, False, 136, marks=pytest.mark.case("CN-080")),
        pytest.param(FROM_HOME, False, False, 136, marks=pytest.mark.case("CN-081")),
    ],
)
def test_too_old(what: str, fresh_home: bool, fresh_care_of: bool, status: int) -> None:
    mobile = prepared(what)
    mobile.node.pass_time(EXPIRED)
    if fresh_home:
        mobile.test_home()
    if fresh_care_of:
        mobile.test_care_of()
    attempt(mobile, what, status)


@pytest.mark.rfc6275("9.5.1-d", "9.5.4-a", "9.5.3-a", "5.2.6-a")
@pytest.mark.parametrize(
    ("what", "known_home", "known_care_of", "status"),
    [
        pytest.param(REGISTER, False, True, 136, marks=pytest.mark.case("CN-082")),
        pytest.param(FROM_AFAR, False, True, 136, marks=pytest.mark.case("CN-083")),
        pytest.param(FROM_HOME, False, True, 136, marks=pytest.mark.case("CN-084")),
        pytest.param(REGISTER, True, False, 137, marks=pytest.mark.case("CN-085")),
        pytest.param(FROM_AFAR, True, False, 0, marks=pytest.mark.case("CN-086")),
        pytest.param(FROM_HOME, True, False, 0, marks=pytest.mark.case("CN-087")),
        pytest.param(REGISTER, False, False, 138, marks=pytest.mark.case("CN-088")),
        pytest.param(FROM_AFAR, False, False, 136, marks=pytest.mark.case("CN-089")),
        pytest.param(FROM_HOME, False, False, 136, marks=pytest.mark.case("CN-090")),
    ],
)
def test_never_issued(what: str, known_home: bool, known_care_of: bool, status: int) -> None:
    mobile = prepared(what)
    assert NEVER_ISSUED not in (mobile.home_token.index, mobile.care_of_token.index)
    indices = (
        mobile.home_token.index if known_home else NEVER_ISSUED,
        mobile.care_of_token.index if known_care_of else NEVER_ISSUED,
    )
    attempt(mobile, what, status, indices=indices)


@pytest.mark.rfc6275("9.5.1-d", "5.2.6-b", "5.2.6-a", "9.5.3-a", "15.4.6-a", "15.4-a")
@pytest.mark.parametrize(
    ("what", "wrong"),
    [
        pytest.param(REGISTER, 0, marks=pytest.mark.case("CN-091")),
        pytest.param(FROM_AFAR, 0, marks=pytest.mark.case("CN-092")),
        pytest.param(FROM_HOME, 0, marks=pytest.mark.case("CN-093")),
        pytest.param(REGISTER, 1, marks=pytest.mark.case("CN-094")),
    ],
)
def test_wrong_tokens(what: str, wrong: int) -> None:
    mobile = prepared(what)
    tokens = [mobile.home_token.value, mobile.care_of_token.value]
    tokens[wrong] = bytes(octet ^ 1 for octet in tokens[wrong])
    fields: dict[str, Any] = {"tokens": (tokens[0], tokens[1])}
    if what == FROM_HOME:
        octets = mobile.from_home(2, **fields)
    else:
        octets = mobile.update(2, units=105 if what == REGISTER else 0, **fields)
    assert mobile.node.receive(octets) == []
    assert mobile.node.drops() == ["wrong-authenticator"]
    is_bound = what != REGISTER
    assert mobile.is_plain() != is_bound
    assert mobile.is_bound() == is_bound


@pytest.mark.rfc6275("5.2.7-a", "9.5.1-d", "9.5.3-a")
@pytest.mark.parametrize(
    "what",
    [
        pytest.param(REGISTER, marks=pytest.mark.case("CN-096")),
        pytest.param(FROM_AFAR, marks=pytest.mark.case("CN-097")),
        pytest.param(FROM_HOME, marks=pytest.mark.case("CN-098")),
    ],
)
def test_not_the_newest(what: str) -> None:
    mobile = prepared(what)
    mobile.node.pass_time(STILL_GOOD)
    other = MobileNode(mobile.node)
    other.test_home()
    assert other.home_token.index != mobile.home_token.index
    attempt(mobile, what, 0)


@pytest.mark.rfc6275("5.2.5-a", "15.4.5-a")
def test_test_inits_leave_nothing_behind() -> None:
    node = Node()
    mobile = MobileNode(node)
    for number in range(300):
        mobile.home += number
        assert len(node.receive(mobile.test_init(HOME_TEST_INIT))) == 1
    assert node.engine.snapshot(node.now) == []
    assert node.engine.deadline() is None
