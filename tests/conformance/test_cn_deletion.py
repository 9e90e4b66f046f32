"""Deleting a binding, from a foreign link and from home (RFC 6275 §5.2.6, §5.2.8, §9.5.3)."""

from typing import Any

import pytest

from tests.conformance.mobile_node import CARE_OF, HOME, MobileNode
from tests.conformance.node import Node

RENEWAL = 40.0
"""Seconds after which a further Home Test surely brings a token of another nonce."""


@pytest.fixture
def bound() -> MobileNode:
    """Give a mobile node whose binding was in use for some time."""
    mobile = MobileNode(Node())
    mobile.register(1)
    mobile.node.pass_time(RENEWAL)
    return mobile


def renew(mobile: MobileNode, new_token: bool) -> None:
    """Get a new home keygen token, or keep the earlier one."""
    if new_token:
        index = mobile.home_token.index
        mobile.test_home()
        assert mobile.home_token.index != index


@pytest.mark.rfc6275("9.5.3-a", "9.5.4-a", "5.2.6-a", "5.2.6-b", "6.1.7-a", "6.2.5-a")
@pytest.mark.parametrize(
    ("new_token", "fields"),
    [
        pytest.param(True, {"units": 0}, marks=pytest.mark.case("CN-047")),
        pytest.param(False, {"units": 0}, marks=pytest.mark.case("CN-048")),
        pytest.param(True, {"units": 0, "alternate": HOME}, marks=pytest.mark.case("CN-049")),
        pytest.param(False, {"units": 0, "alternate": HOME}, marks=pytest.mark.case("CN-050")),
        pytest.param(True, {"units": 105, "alternate": HOME}, marks=pytest.mark.case("CN-051")),
        pytest.param(False, {"units": 105, "alternate": HOME}, marks=pytest.mark.case("CN-052")),
    ],
)
def test_from_a_foreign_link(bound: MobileNode, new_token: bool, fields: dict[str, Any]) -> None:
    renew(bound, new_token)
    message = bound.accepted(bound.send(2, **fields), 2, to=CARE_OF)
    assert message.lifetime == 0
    assert bound.is_nowhere_bound()


@pytest.mark.rfc6275("9.5.3-a", "9.5.4-a", "15.4.6-a", "5.2.6-a", "6.1.7-a", "6.2.5-a")
@pytest.mark.parametrize(
    ("new_token", "fields"),
    [
        pytest.param(True, {"units": 0}, marks=pytest.mark.case("CN-053")),
        pytest.param(False, {"units": 0}, marks=pytest.mark.case("CN-054")),
        pytest.param(True, {"units": 0, "option": HOME}, marks=pytest.mark.case("CN-055")),
        pytest.param(False, {"units": 0, "option": HOME}, marks=pytest.mark.case("CN-056")),
        pytest.param(True, {"units": 0, "alternate": HOME}, marks=pytest.mark.case("CN-057")),
        pytest.param(False, {"units": 0, "alternate": HOME}, marks=pytest.mark.case("CN-058")),
        pytest.param(True, {"units": 0, "option": HOME, "alternate": HOME}, marks=pytest.mark.case("CN-059")),
        pytest.param(False, {"units": 0, "option": HOME, "alternate": HOME}, marks=pytest.mark.case("CN-060")),
        pytest.param(True, {"units": 105}, marks=pytest.mark.case("CN-061")),
        pytest.param(False, {"units": 105}, marks=pytest.mark.case("CN-062")),
        pytest.param(True, {"units": 105, "option": HOME}, marks=pytest.mark.case("CN-063")),
        pytest.param(False, {"units": 105, "option": HOME}, marks=pytest.mark.case("CN-064")),
        pytest.param(True, {"units": 105, "alternate": HOME}, marks=pytest.mark.case("CN-065")),
        pytest.param(False, {"units": 105, "alternate": HOME}, marks=pytest.mark.case("CN-066")),
        pytest.param(True, {"units": 105, "option": HOME, "alternate": HOME}, marks=pytest.mark.case("CN-067")),
        pytest.param(False, {"units": 105, "option": HOME, "alternate": HOME}, marks=pytest.mark.case("CN-068")),
    ],
)
def test_from_home(bound: MobileNode, new_token: bool, fields: dict[str, Any]) -> None:
    renew(bound, new_token)
    message = bound.accepted(bound.node.receive(bound.from_home(2, **fields)), 2, to=HOME)
    assert message.lifetime == 0
    assert bound.is_nowhere_bound()


@pytest.mark.case("CN-069")
@pytest.mark.rfc6275("9.5.1-b", "9.5.4-a")
def test_with_an_old_sequence_number(bound: MobileNode) -> None:
    renew(bound, new_token=True)
    bound.acknowledged(bound.node.receive(bound.from_home(1)), 135, 1, to=HOME)
    assert not bound.is_plain()


@pytest.mark.case("CN-124")
@pytest.mark.rfc6275("5.2.8-a", "15.4.4-a")
def test_no_replay() -> None:
    mobile = MobileNode(Node())
    mobile.return_routability()
    captured = mobile.update(10000)
    mobile.accepted(mobile.node.receive(captured), 10000)
    key, signed_for = mobile.key, mobile.signed_for
    mobile.accepted(mobile.send(10001, units=0), 10001)
    mobile.key, mobile.signed_for = key, signed_for
    for _ in range(24):  # as long as its nonces are good, the sequence number of the deletion stands against it
        mobile.acknowledged(mobile.node.receive(captured), 135, 10001)
        assert mobile.is_nowhere_bound()
        mobile.node.pass_time(9.9)
    mobile.node.pass_time(10.0)
    mobile.acknowledged(mobile.node.receive(captured), 138, 10000, signed=False)
    assert mobile.is_nowhere_bound()


@pytest.mark.rfc6275("5.2.8-a", "15.4.4-a")
def test_no_replay_after_a_short_binding_has_run_out() -> None:
    mobile = MobileNode(Node())
    mobile.return_routability()
    captured = mobile.update(10000, units=1)
    mobile.accepted(mobile.node.receive(captured), 10000)
    mobile.node.pass_time(5.0)
    mobile.acknowledged(mobile.node.receive(captured), 135, 10000)
    assert mobile.is_nowhere_bound()
