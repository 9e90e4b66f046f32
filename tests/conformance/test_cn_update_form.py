"""What a Binding Update to a correspondent must be like (RFC 6275 §6.1.7, §6.2, §9.2, §9.5.1)."""

from collections.abc import Callable
from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.wire.icmpv6 import ParameterProblem
from tests.conformance.mobile_node import CARE_OF, HOME, OTHER_CARE_OF, MobileNode
from tests.conformance.node import ADDRESS, Node
from tests.conformance.octets import (
    RESERVED_FLAGS,
    A,
    K,
    L,
    padding,
    with_alternate,
    with_nonce_indices,
    with_refresh_advice,
)

MULTICAST, LINK_LOCAL = IPv6Address("ff0e::1"), IPv6Address("fe80::2")
UNUSABLE = pytest.mark.parametrize("address", [MULTICAST, LINK_LOCAL], ids=["multicast", "link-local"])


@pytest.fixture
def mobile() -> MobileNode:
    """Give a mobile node with both tokens."""
    mobile = MobileNode(Node())
    mobile.return_routability()
    return mobile


@pytest.fixture
def bound() -> MobileNode:
    mobile = MobileNode(Node())
    mobile.register(1)
    return mobile


@pytest.mark.rfc6275("6.1.1-b", "6.1.7-a", "6.2.4-a", "9.5.1-d", "9.5.4-a")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"between": with_refresh_advice}, marks=pytest.mark.case("CN-017"), id="refresh advice"),
        pytest.param({"reserved": 0xFF}, marks=pytest.mark.case("CN-020"), id="reserved octet"),
        pytest.param({"flags": A | L}, marks=pytest.mark.case("CN-023"), id="L"),
        pytest.param({"flags": A | K}, marks=pytest.mark.case("CN-024"), id="K"),
        pytest.param({"flags": A | RESERVED_FLAGS}, marks=pytest.mark.case("CN-025"), id="reserved bits"),
    ],
)
def test_what_means_nothing_is_ignored(mobile: MobileNode, fields: dict[str, Any]) -> None:
    mobile.accepted(mobile.send(1, **fields), 1)
    assert mobile.is_bound()


def alternate_behind(data: bytes) -> bytes:
    return with_alternate(data, CARE_OF)


def eight_octets_behind(data: bytes) -> bytes:
    return data + padding(8)


def is_ignored(mobile: MobileNode, reason: str, **fields: Any) -> None:
    """Verify that a Binding Update is dropped in silence and does nothing."""
    bound = mobile.is_bound()
    assert mobile.send(9, **fields) == []
    assert mobile.node.drops()[-1] == reason
    assert mobile.is_bound() == bound


@pytest.mark.rfc6275("6.2.1-a", "9.5.1-d", "9.3.1-a")
@pytest.mark.case("CN-018")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"behind": alternate_behind}, id="alternate care-of address"),
        pytest.param({"behind": lambda data: with_nonce_indices(data, 1, 1)}, id="further nonce indices"),
    ],
)
def test_authorization_comes_last(mobile: MobileNode, fields: dict[str, Callable[[bytes], bytes]]) -> None:
    is_ignored(mobile, "unauthorized-binding-update", **fields)


@pytest.mark.rfc6275("6.2.1-a", "9.5.1-d", "6.2.6-a")
@pytest.mark.case("CN-018")
def test_nonce_indices_behind_the_authorization_alone(mobile: MobileNode) -> None:
    def behind(data: bytes) -> bytes:
        return with_nonce_indices(data, mobile.home_token.index, mobile.care_of_token.index)

    is_ignored(mobile, "unauthorized-binding-update", indices=False, behind=behind)


@pytest.mark.rfc6275("9.5.1-d", "6.2.1-a", "5.2.6-b")
@pytest.mark.case("CN-028")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"authorized": False}, "unauthorized-binding-update", id="none"),
        pytest.param({"behind": eight_octets_behind}, "unauthorized-binding-update", id="padding behind"),
        pytest.param({"spoil": True}, "wrong-authenticator", id="wrong"),
    ],
)
def test_authorization_that_is_not_right(mobile: MobileNode, fields: dict[str, Any], reason: str) -> None:
    is_ignored(mobile, reason, **fields)
    assert mobile.is_nowhere_bound()


@pytest.mark.rfc6275("9.5.1-d", "6.2.6-a")
@pytest.mark.case("CN-026")
def test_nonce_indices_must_be_there(mobile: MobileNode) -> None:
    is_ignored(mobile, "unauthorized-binding-update", indices=False)


@pytest.mark.rfc6275("9.5.1-d", "9.5.3-a")
@pytest.mark.case("CN-027")
def test_nonce_indices_must_be_there_to_delete_too(bound: MobileNode) -> None:
    assert bound.node.receive(bound.from_home(2, indices=False)) == []
    assert not bound.is_plain()
    assert bound.is_bound()


@pytest.mark.rfc6275("9.2-a", "6.1.1-a", "9.3.1-a")
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        pytest.param({"length": 0}, 65, marks=pytest.mark.case("CN-019")),
        pytest.param({"payload_proto": 255}, 64, marks=pytest.mark.case("CN-021")),
    ],
)
def test_a_parameter_problem_points_behind_the_home_address_option(
    mobile: MobileNode, fields: dict[str, Any], pointer: int
) -> None:
    octets = mobile.update(1, **fields)
    (answer,) = mobile.node.receive(octets)
    assert answer.payload == ParameterProblem(code=0, pointer=pointer, invoking=octets)
    assert (answer.source, answer.destination, answer.headers) == (ADDRESS, CARE_OF, ())
    assert mobile.is_nowhere_bound()


@pytest.mark.rfc6275("9.2-a", "6.1.1-a")
@pytest.mark.case("CN-022")
def test_a_wrong_checksum_is_met_with_silence(mobile: MobileNode) -> None:
    is_ignored(mobile, "bad-checksum", checksum=bytes(2))


# Addresses that cannot be bound. Status 174 is defined, yet §6.1.7 has a Binding Update for a care-of address that is
# not unicast routable silently discarded: so that is what is asked for here. The tokens are right (the node's secrets
# are known to the tester), so that nothing but the address is at fault.


def tokens_of(mobile: MobileNode, home: IPv6Address, care_of: IPv6Address) -> tuple[bytes, bytes]:
    node = mobile.node
    return (
        node.stolen_token(home, mobile.home_token.index, 0),
        node.stolen_token(care_of, mobile.care_of_token.index, 1),
    )


@UNUSABLE
@pytest.mark.rfc6275("6.1.7-b", "9.5.4-a")
@pytest.mark.case("CN-036")
def test_a_source_that_cannot_be_bound(mobile: MobileNode, address: IPv6Address) -> None:
    tokens = tokens_of(mobile, HOME, address)
    assert mobile.send(1, source=address, tokens=tokens) == []
    assert mobile.send(2, source=address, alternate=CARE_OF) == []  # though the care-of address is in order
    assert mobile.node.bindings() == {}
    assert mobile.is_nowhere_bound()


@UNUSABLE
@pytest.mark.rfc6275("9.5.1-a", "6.3-b")
@pytest.mark.case("CN-037")
def test_a_home_address_that_cannot_be_bound(mobile: MobileNode, address: IPv6Address) -> None:
    tokens = tokens_of(mobile, address, CARE_OF)
    assert mobile.send(1, option=address, tokens=tokens) == []
    assert mobile.node.drops() == ["invalid-home-address"]
    assert mobile.node.bindings() == {}


@UNUSABLE
@pytest.mark.rfc6275("6.1.7-b", "6.2.5-a")
@pytest.mark.case("CN-038")
def test_an_alternate_care_of_address_that_cannot_be_bound(mobile: MobileNode, address: IPv6Address) -> None:
    tokens = tokens_of(mobile, HOME, address)
    assert mobile.send(1, alternate=address, tokens=tokens) == []
    assert mobile.node.drops() == ["invalid-care-of-address"]
    assert mobile.is_nowhere_bound()


@UNUSABLE
@pytest.mark.rfc6275("9.5.1-a", "9.5.3-a")
@pytest.mark.case("CN-039")
def test_a_deletion_from_an_address_that_cannot_be_bound(bound: MobileNode, address: IPv6Address) -> None:
    assert bound.send(2, units=0, source=address, option=False, tokens=tokens_of(bound, address, address)) == []
    assert bound.is_bound()


@UNUSABLE
@pytest.mark.rfc6275("6.1.7-b", "9.5.3-a")
@pytest.mark.case("CN-040")
def test_a_deletion_for_an_address_that_cannot_be_bound(bound: MobileNode, address: IPv6Address) -> None:
    assert bound.node.receive(bound.from_home(2, alternate=address)) == []
    assert bound.is_bound()


@pytest.mark.rfc6275("6.1.7-b", "9.3.1-a")
@pytest.mark.case("CN-125")
def test_a_circular_binding(bound: MobileNode) -> None:
    """§6.1.7 has it silently discarded, also where it closes through further bindings."""
    node = bound.node
    back = MobileNode(node, home=CARE_OF, care_of=HOME)
    back.return_routability()
    assert back.send(1) == []
    assert node.drops()[-1] == "circular-binding"
    assert not back.is_bound()
    further = MobileNode(node, home=CARE_OF, care_of=OTHER_CARE_OF)
    further.register(1)
    back = MobileNode(node, home=OTHER_CARE_OF, care_of=HOME)
    back.return_routability()
    assert back.send(1) == []
    assert node.drops()[-1] == "circular-binding"
    assert {*node.bindings()} == {str(HOME), str(CARE_OF)}
