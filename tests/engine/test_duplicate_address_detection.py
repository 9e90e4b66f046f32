"""Duplicate Address Detection beside the kernel (RFC 4862 §5.4; RFC 6275 §10.3.1)."""

from ipaddress import IPv6Address

import pytest

from lab.engine.duplicate_address_detection import Answer, DuplicateAddressDetection
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    JoinGroup,
    LeaveGroup,
    Received,
    Send,
    StartDad,
    StopDad,
)
from lab.engine.neighbor_discovery import announcement, anonymous_solicitation, probe
from lab.wire.icmpv6 import EchoRequest
from lab.wire.packet import Packet

ADDRESS = IPv6Address("2001:db8:1::100")
MAC = bytes(6)


def started() -> tuple[DuplicateAddressDetection, list[Answer]]:
    dad = DuplicateAddressDetection(transmits=2)
    return dad, dad.handle(StartDad(interface="eth0", address=ADDRESS), 0.0)


@pytest.mark.rfc6275("10.3.1-d")
def test_silence_means_unique() -> None:
    dad, answers = started()
    assert [type(a) for a in answers if not hasattr(a, "event")] == [JoinGroup, Send]
    assert dad.handle(DeadlineReached(), 0.5) == []
    assert [type(a) for a in dad.handle(DeadlineReached(), 1.0)] == [Send]
    answers = dad.handle(DeadlineReached(), 2.0)
    assert answers[-1] == DadSucceeded(address=ADDRESS)
    assert isinstance(answers[0], LeaveGroup)
    assert dad.deadline() is None


@pytest.mark.rfc6275("10.3.1-d")
@pytest.mark.parametrize(
    ("packet", "verdict"),
    [
        (announcement(ADDRESS, MAC), DadFailed(address=ADDRESS, link_layer_address=MAC)),
        (anonymous_solicitation(ADDRESS), DadFailed(address=ADDRESS)),
        (probe(ADDRESS + 1, MAC, ADDRESS), None),
        pytest.param(announcement(IPv6Address("fe80::100"), MAC), None, marks=pytest.mark.case("HA-043")),
        (
            Packet(source=ADDRESS, destination=ADDRESS, hop_limit=255, payload=EchoRequest(identifier=1, sequence=1)),
            None,
        ),
    ],
)
def test_who_claims_the_address(packet: Packet, verdict: DadFailed | None) -> None:
    dad, _ = started()
    answers = dad.handle(Received(packet=packet, interface="eth0"), 0.1)
    assert [answer for answer in answers if isinstance(answer, DadSucceeded | DadFailed)] == [verdict] * bool(verdict)


def test_claims_from_elsewhere_do_not_count() -> None:
    dad, _ = started()
    claim = announcement(ADDRESS, MAC)
    assert dad.handle(Received(packet=claim, interface="eth1"), 0.1) == []
    forwarded = Packet(source=claim.source, destination=claim.destination, payload=claim.payload, hop_limit=254)
    assert dad.handle(Received(packet=forwarded, interface="eth0"), 0.1) == []


def test_a_test_given_up_says_nothing_more() -> None:
    dad, _ = started()
    assert dad.handle(StartDad(interface="eth0", address=ADDRESS), 0.1) == []
    assert [type(a) for a in dad.handle(StopDad(address=ADDRESS), 0.2)] == [LeaveGroup]
    assert dad.handle(StopDad(address=ADDRESS), 0.2) == []
    assert dad.handle(DeadlineReached(), 5.0) == []
