"""Sequence numbers modulo 2**16, and lifetimes in units of four seconds (RFC 6275 §9.5.1, §9.5.2)."""

import pytest

from tests.conformance.mobile_node import MobileNode
from tests.conformance.node import Node

LONGEST = 105


@pytest.fixture
def mobile() -> MobileNode:
    return MobileNode(Node())


@pytest.mark.rfc6275("9.5.1-b", "6.1.8-a", "9.5.4-a")
@pytest.mark.parametrize(
    ("last", "sequence", "status"),
    [
        pytest.param(10000, 10001, 0, marks=pytest.mark.case("CN-099")),
        pytest.param(10000, 42767, 0, marks=pytest.mark.case("CN-100")),
        pytest.param(42768, 0, 0, marks=pytest.mark.case("CN-101")),
        pytest.param(42768, 9999, 0, marks=pytest.mark.case("CN-102")),
        pytest.param(10000, 9999, 135, marks=pytest.mark.case("CN-103")),
        pytest.param(10000, 10000, 135, marks=pytest.mark.case("CN-104")),
        pytest.param(10000, 42768, 135, marks=pytest.mark.case("CN-105")),
        pytest.param(10000, 0, 135, marks=pytest.mark.case("CN-106")),
    ],
)
def test_sequence_numbers(mobile: MobileNode, last: int, sequence: int, status: int) -> None:
    mobile.register(last)
    mobile.acknowledged(mobile.send(sequence), status, last if status else sequence)
    assert mobile.is_bound()


@pytest.mark.rfc6275("9.5.1-b", "9.1-a")
@pytest.mark.parametrize(
    "sequence",
    [
        pytest.param(0, marks=pytest.mark.case("CN-107")),
        pytest.param(32768, marks=pytest.mark.case("CN-108")),
        pytest.param(65535, marks=pytest.mark.case("CN-109")),
    ],
)
def test_the_first_may_be_any(mobile: MobileNode, sequence: int) -> None:
    mobile.register(sequence)


@pytest.mark.rfc6275("9.5.2-a", "6.1.8-a")
@pytest.mark.parametrize(
    ("units", "alive", "gone"),
    [
        pytest.param(0xFFFF, 410.0, 420.0, marks=pytest.mark.case("CN-110")),
        pytest.param(10, 39.0, 40.0, marks=pytest.mark.case("CN-111")),
        pytest.param(106, 410.0, 420.0, marks=pytest.mark.case("CN-112")),
    ],
)
def test_lifetimes(mobile: MobileNode, units: int, alive: float, gone: float) -> None:
    message = mobile.register(1, units=units)
    assert message.lifetime <= min(units, LONGEST) * 4
    lives(mobile, alive, gone)


def lives(mobile: MobileNode, alive: float, gone: float) -> None:
    """Verify that a binding is in force for so many seconds, and after so many seconds no more."""
    mobile.node.pass_time(alive)
    assert mobile.is_bound()
    mobile.node.pass_time(gone - alive)
    assert mobile.is_nowhere_bound()


@pytest.mark.rfc6275("9.5.2-a", "5.2.7-a")
@pytest.mark.parametrize(
    "units",
    [
        pytest.param(0xFFFF, marks=pytest.mark.case("CN-113")),
        pytest.param(106, marks=pytest.mark.case("CN-116")),
    ],
)
@pytest.mark.parametrize("later", [0.0, 2.5, 20.0, 39.0])
def test_a_lifetime_counts_from_return_routability(mobile: MobileNode, units: int, later: float) -> None:
    mobile.register(1, units=10)
    mobile.node.pass_time(later)
    message = mobile.accepted(mobile.send(2, units=units), 2)
    assert message.lifetime <= LONGEST * 4
    lives(mobile, 410.0 - later, 420.0 - later)


@pytest.mark.rfc6275("9.5.2-a", "5.2.7-a")
@pytest.mark.parametrize("before", [0.0, 0.5, 3.9, 4.0, 17.0])
def test_a_late_binding_update_gets_no_more(mobile: MobileNode, before: float) -> None:
    """However long before the nonce was made, and however late the Binding Update comes."""
    MobileNode(mobile.node).test_home()
    mobile.node.pass_time(before)
    mobile.return_routability()
    mobile.node.pass_time(200.0)
    mobile.accepted(mobile.send(1, units=LONGEST), 1)
    lives(mobile, 210.0, 220.0)


@pytest.mark.rfc6275("9.5.2-a", "9.1-a")
@pytest.mark.parametrize(
    ("first", "units", "alive", "gone"),
    [
        pytest.param(100, 10, 39.0, 40.0, marks=pytest.mark.case("CN-114")),
        pytest.param(10, 20, 60.0, 80.0, marks=pytest.mark.case("CN-115")),
    ],
)
def test_the_last_lifetime_counts(mobile: MobileNode, first: int, units: int, alive: float, gone: float) -> None:
    mobile.register(1, units=first)
    message = mobile.accepted(mobile.send(2, units=units), 2)
    assert message.lifetime == units * 4
    lives(mobile, alive, gone)


@pytest.mark.case("CN-117")
@pytest.mark.rfc6275("9.5.1-b", "9.5.2-a")
def test_a_refused_binding_update_leaves_the_lifetime(mobile: MobileNode) -> None:
    mobile.register(1, units=10)
    mobile.acknowledged(mobile.send(1, units=20), 135, 1)
    lives(mobile, 30.0, 40.0)
