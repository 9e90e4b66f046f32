"""Correspondent registrations of a mobile node, from the first Binding Update to the last (RFC 6275 §11.7)."""

import hashlib
import hmac
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.constants import MAX_RR_BINDING_LIFETIME, Status
from lab.engine.correspondent_registration import REFRESH_AT, REST, RESTART_INTERVAL
from lab.engine.io import (
    AskUse,
    DadFailed,
    DeadlineReached,
    Effect,
    InstallRouteOptimisation,
    LinkDown,
    ListenFor,
    Received,
    Refused,
    RemoveRouteOptimisation,
    Report,
    Send,
    Used,
)
from lab.events import (
    BindingAcknowledged,
    BindingRefused,
    BindingUpdateSent,
    PacketDropped,
    RouteOptimisationEnded,
    RouteOptimisationStarted,
)
from lab.wire.icmpv6 import DestinationUnreachable, Icmpv6Message, ParameterProblem
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    BindingUpdateFlag,
    CareOfTestInit,
    HomeTestInit,
)
from lab.wire.options import (
    AlternateCareOfAddress,
    BindingAuthorizationData,
    BindingRefreshAdvice,
    NonceIndices,
    UnknownOption,
)
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.effects import events, names, of_kind, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    carrier,
    updates,
)
from tests.engine.route_optimisation_bench import (
    OTHER,
    PEER,
    RouteBench,
    inits,
    message_of,
    peer_updates,
    received,
    route_config,
    with_reserved_bits,
)

MAXIMUM = int(MAX_RR_BINDING_LIFETIME)


def updating(**fields: Any) -> tuple[RouteBench, Packet]:
    """Give a node that has just sent its first Binding Update to the peer."""
    bench = RouteBench(route_config(**fields))
    bench.register(VISITED1)
    return bench, bench.test()


def optimised(**fields: Any) -> RouteBench:
    bench = RouteBench(route_config(**fields))
    bench.optimise()
    assert bench.direct == VISITED1.care_of()
    return bench


def reasons(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, PacketDropped)]


def ends(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, RouteOptimisationEnded)]


def both_inits(effects: list[Effect]) -> tuple[int, int]:
    return len(inits(effects, HomeTestInit)), len(inits(effects, CareOfTestInit))


# The Binding Update


@pytest.mark.rfc6275("11.7.2-a", "5.2.6-b", "6.2.1-a", "6.2.6-a", "6.3-a", "6.2.5-a", "6.1.7-a")
@pytest.mark.case("MN-081", "MN-084")
def test_the_binding_update() -> None:
    bench, packet = updating()
    update = message_of(packet)
    assert (packet.source, packet.destination, packet.home_address) == (VISITED1.care_of(), PEER, HOME)
    assert packet.routed_home_address is None
    assert update.flags == BindingUpdateFlag.ACKNOWLEDGE
    assert update.lifetime == MAXIMUM
    indices, authorization = update.options
    assert indices == NonceIndices(home=11, care_of=22)
    assert isinstance(authorization, BindingAuthorizationData)
    assert not [option for option in update.options if isinstance(option, AlternateCareOfAddress)]
    assert parse(build(packet)) == packet
    assert bench.state == "updating"
    assert bench.direct is None


@pytest.mark.rfc6275("5.2.4-a", "5.2.4-b", "5.2.6-a", "5.2.6-b", "6.2.1-a")
@pytest.mark.case("MN-081")
def test_its_authenticator_by_hand() -> None:
    """Everything from the tokens on by the standard library alone (§5.2.5, §5.2.6, §6.2.7)."""
    bench, packet = updating()
    node_key, care_of = bench.peer.node_key, VISITED1.care_of()
    nonces = (11).to_bytes(8, "big"), (22).to_bytes(8, "big")
    home_token = hmac.new(node_key, HOME.packed + nonces[0] + b"\x00", hashlib.sha1).digest()[:8]
    care_of_token = hmac.new(node_key, care_of.packed + nonces[1] + b"\x01", hashlib.sha1).digest()[:8]
    key = hashlib.sha1(home_token + care_of_token).digest()
    message = build(packet)[-32:]
    assert message[:3] == bytes((59, 3, 5))
    data = message[:4] + bytes(2) + message[6:20]
    expected = hmac.new(key, care_of.packed + PEER.packed + data, hashlib.sha1).digest()[:12]
    assert message[18:20] == bytes((5, 12))
    assert message[20:] == expected


@pytest.mark.rfc6275("11.7.2-a")
@pytest.mark.parametrize(
    ("fields", "valid", "passed", "lifetime"),
    [
        ({}, 86400, 0, 420),
        ({"binding_lifetime": 100}, 86400, 0, 100),
        ({"lifetime": 60}, 86400, 0, 60),
        ({"lifetime": 60}, 86400, 2.5, 56),
        ({}, 203, 1, 196),
    ],
)
def test_the_lifetime_asked_for(fields: dict[str, Any], valid: int, passed: float, lifetime: int) -> None:
    bench = RouteBench(route_config(**fields))
    effects = bench.take(carrier()) + bench.take(VISITED1.advertisement(valid=valid))
    bench.acknowledge(updates(effects)[-1])
    bench.now += passed
    packet = bench.test()
    assert message_of(packet).lifetime == lifetime


@pytest.mark.rfc6275("11.7.2-a")
def test_no_binding_is_asked_for_shortly_before_the_home_registration_ends() -> None:
    bench = RouteBench(route_config(lifetime=8))
    bench.register(VISITED1)
    bench.now += 6.5
    (renewal,) = updates(bench.take(DeadlineReached()))
    assert not peer_updates(bench.answer_tests(bench.hear()))
    (update,) = peer_updates(bench.acknowledge(renewal))
    assert message_of(update).lifetime == 8


def test_the_event_of_a_binding_update() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    (event,) = events(bench.answer_tests(bench.hear()), BindingUpdateSent)
    assert (event.peer, event.home_address, event.care_of_address) == (PEER, HOME, VISITED1.care_of())
    assert (event.sequence, event.lifetime, event.attempt) == (1, MAXIMUM, 1)


# Its acknowledgement


@pytest.mark.rfc6275("11.7.2-a", "11.7.3-a", "11.3.1-a")
@pytest.mark.case("MN-083", "MN-086")
def test_accepted() -> None:
    bench, update = updating()
    bench.now += 0.5
    effects = bench.take(bench.peer.acknowledgement(update, lifetime=100))
    install = InstallRouteOptimisation(home_address=HOME, peer=PEER, care_of_address=VISITED1.care_of())
    (started,) = events(effects, RouteOptimisationStarted)
    assert effects.index(install) < effects.index(Report(event=started))
    (acknowledged,) = events(effects, BindingAcknowledged)
    assert (acknowledged.peer, acknowledged.lifetime) == (PEER, 99)
    assert bench.entry_of()["remaining"] == 99.5
    assert bench.entry_of()["care_of_address"] == str(VISITED1.care_of())
    assert bench.state == "bound"
    assert not sent(bench.pass_time(80))


@pytest.mark.rfc6275("11.7.3-a")
def test_no_more_is_believed_than_was_asked() -> None:
    bench, update = updating(binding_lifetime=40)
    bench.take(bench.peer.acknowledgement(update, lifetime=4000))
    assert bench.entry_of()["remaining"] == 40


@pytest.mark.rfc6275("6.1.1-b", "11.7.3-a")
@pytest.mark.case("MN-087")
def test_reserved_bits_are_ignored() -> None:
    bench, update = updating()
    bench.take(with_reserved_bits(bench.peer.acknowledgement(update), bench.peer.key(update)))
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("6.2.4-a", "6.1.1-b")
@pytest.mark.case("MN-096")
def test_a_refresh_advice_is_ignored() -> None:
    bench, update = updating()
    options = (BindingRefreshAdvice(refresh_interval=8), UnknownOption(option_type=99, data=bytes(2)))
    bench.take(bench.peer.acknowledgement(update, options=options))
    assert bench.state == "bound"
    assert bench.pass_time(MAXIMUM * REFRESH_AT - 1) == []


@pytest.mark.rfc6275("11.7.3-a", "11.8-a", "5.2.6-b", "6.2.1-a")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param({"sequence": 2}, "unexpected-acknowledgement", marks=pytest.mark.case("MN-095")),
        pytest.param({"key": bytes(20)}, "unauthorized-acknowledgement", marks=pytest.mark.case("MN-097")),
        ({"signed": False}, "unauthorized-acknowledgement"),
        ({"signed": False, "status": Status.REASON_UNSPECIFIED}, "unauthorized-acknowledgement"),
        ({"signed": False, "status": Status.SEQUENCE_NUMBER_OUT_OF_WINDOW}, "unauthorized-acknowledgement"),
        ({"signed": False, "status": Status.EXPIRED_NONCES, "sequence": 2}, "unexpected-acknowledgement"),
        ({"routed": None}, "unexpected-acknowledgement"),
        ({"routed": OTHER}, "unexpected-acknowledgement"),
        ({"destination": VISITED2.care_of()}, "unexpected-acknowledgement"),
        ({"destination": HOME, "routed": None}, "unexpected-acknowledgement"),
        ({"source": OTHER}, "unexpected-acknowledgement"),
        ({"tunnelled": True}, "unexpected-acknowledgement"),
    ],
)
def test_wrong_acknowledgements_are_ignored(fields: dict[str, Any], reason: str) -> None:
    bench, update = updating()
    assert reasons(bench.take(bench.peer.acknowledgement(update, **fields))) == [reason]
    assert bench.direct is None
    (again,) = peer_updates(bench.pass_time(1))
    assert message_of(again).sequence == 2


@pytest.mark.rfc6275("6.2.1-a", "11.7.3-a", "11.8-a")
@pytest.mark.case("MN-098")
def test_nothing_may_follow_the_authorization_data() -> None:
    bench, update = updating()
    right = bench.peer.acknowledgement(update).packet
    assert isinstance(right.payload, BindingAcknowledgement)
    options = (*right.payload.options, UnknownOption(option_type=99, data=bytes(6)))
    packet = replace(right, payload=replace(right.payload, options=options))
    assert reasons(bench.take(received(packet))) == ["unauthorized-acknowledgement"]
    assert bench.direct is None
    assert peer_updates(bench.pass_time(1))


@pytest.mark.rfc6275("11.8-a", "11.7.2-b")
@pytest.mark.case("MN-085")
def test_never_acknowledged() -> None:
    bench, update = updating()
    begin, timeline = bench.now, bench.timeline(40)
    found = [(when - begin, message_of(p).sequence) for when, effects in timeline for p in peer_updates(effects)]
    assert found == [(1, 2), (3, 3), (7, 4)]
    assert message_of(update).sequence == 1
    attempts = [event.attempt for _, effects in timeline for event in events(effects, BindingUpdateSent)]
    assert attempts == [2, 3, 4]
    assert [(when - begin, ends(effects)) for when, effects in timeline if ends(effects)] == [(15, ["no answer"])]
    assert bench.state == "resting"
    assert bench.direct is None


@pytest.mark.rfc6275("11.7.3-a", "11.7.2-b", "11.8-b")
@pytest.mark.parametrize(
    "status",
    [
        pytest.param(128, marks=pytest.mark.case("MN-090")),
        *(Status.ADMINISTRATIVELY_PROHIBITED, Status.INSUFFICIENT_RESOURCES),
        *(Status.REGISTRATION_TYPE_CHANGE_DISALLOWED, Status.INVALID_CARE_OF_ADDRESS, 255),
    ],
)
def test_refused(status: int) -> None:
    bench, update = updating()
    effects = bench.take(bench.peer.acknowledgement(update, status=status, lifetime=0))
    (refused,) = events(effects, BindingRefused)
    assert (refused.peer, refused.sequence, refused.status) == (PEER, 1, status)
    assert ends(effects) == ["refused"]
    assert bench.direct is None
    rest = bench.pass_time(REST)
    assert not sent(rest)
    assert of_kind(rest, ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    bench.peer.node_key = b"K" * 20
    assert message_of(bench.test()).sequence == 2


@pytest.mark.rfc6275("11.7.3-a")
def test_a_lifetime_of_nothing_is_a_refusal() -> None:
    bench, update = updating()
    assert ends(bench.take(bench.peer.acknowledgement(update, lifetime=0))) == ["refused"]
    assert bench.state == "resting"


@pytest.mark.rfc6275("11.7.3-b")
@pytest.mark.case("MN-091")
@pytest.mark.parametrize(("told", "following"), [(500, 501), (65535, 0)])
def test_a_sequence_number_out_of_window(told: int, following: int) -> None:
    bench, update = updating()
    status = Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    effects = bench.take(bench.peer.acknowledgement(update, status=status, sequence=told, lifetime=0))
    (again,) = peer_updates(effects)
    assert message_of(again).sequence == following
    assert both_inits(effects) == (0, 0)
    assert bench.direct is None
    bench.take(bench.peer.acknowledgement(again))
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("11.7.3-c", "5.2.3-a")
@pytest.mark.parametrize(
    ("status", "tests"),
    [
        pytest.param(Status.EXPIRED_HOME_NONCE_INDEX, (1, 0), marks=pytest.mark.case("MN-092")),
        pytest.param(Status.EXPIRED_CARE_OF_NONCE_INDEX, (0, 1), marks=pytest.mark.case("MN-093")),
        pytest.param(Status.EXPIRED_NONCES, (1, 1), marks=pytest.mark.case("MN-094")),
    ],
)
def test_expired_nonces(status: Status, tests: tuple[int, int]) -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    first = bench.hear()
    (update,) = peer_updates(bench.answer_tests(first))
    effects = bench.take(bench.peer.acknowledgement(update, status=status, signed=False, lifetime=0))
    assert both_inits(effects) == tests
    cookies = [repr(p.payload) for some in (first, effects) for p in sent(some)]
    assert len(cookies) == len({*cookies})
    answers: list[Effect] = []
    for init in inits(effects, HomeTestInit):
        answers += bench.take(bench.peer.home_test(init, index=12))
    for init in inits(effects, CareOfTestInit):
        answers += bench.take(bench.peer.care_of_test(init, index=23))
    (again,) = peer_updates(answers)
    assert message_of(again).options[0] == NonceIndices(home=11 + tests[0], care_of=22 + tests[1])
    assert message_of(again).sequence == 2
    bench.take(bench.peer.acknowledgement(again))
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("11.7.3-c", "11.8-b", "11.7.2-b")
def test_a_peer_that_never_takes_its_tokens() -> None:
    bench, update = updating()
    spent: list[Effect] = []
    for _ in range(2):
        effects = bench.take(bench.peer.acknowledgement(update, status=138, signed=False))
        assert both_inits(effects) == (1, 1)
        (update,) = peer_updates(bench.answer_tests(effects))
    spent = bench.take(bench.peer.acknowledgement(update, status=138, signed=False))
    assert both_inits(spent) == (0, 0)  # three of each within a second
    later = bench.pass_time(1)
    assert both_inits(later) == (1, 1)
    (update,) = peer_updates(bench.answer_tests(later))
    assert ends(bench.take(bench.peer.acknowledgement(update, status=138, signed=False))) == ["refused"]


@pytest.mark.rfc6275("11.8-b", "11.7.3-b")
def test_binding_updates_are_rate_limited() -> None:
    bench, update = updating()
    for number in (100, 200):
        (update,) = peer_updates(bench.take(bench.peer.acknowledgement(update, status=135, sequence=number)))
    assert not peer_updates(bench.take(bench.peer.acknowledgement(update, status=135, sequence=300)))
    assert bench.state == "testing"
    (update,) = peer_updates(bench.pass_time(1))
    assert message_of(update).sequence == 301
    assert ends(bench.take(bench.peer.acknowledgement(update, status=135, sequence=400))) == ["refused"]


def test_a_token_that_aged_during_the_back_off_is_asked_for_again() -> None:
    bench, _ = updating()
    bench.now += 211  # the link was gone: no timer ended
    bench.take(DeadlineReached())
    assert bench.state == "testing"
    bench = RouteBench()
    bench.register(VISITED1)
    bench.test()
    bench.now += 211
    effects = bench.take(DeadlineReached())
    assert both_inits(effects) == (1, 1)
    (again,) = peer_updates(bench.answer_tests(effects))
    assert message_of(again).sequence == 2


def test_a_plane_that_cannot_install_the_direct_path() -> None:
    bench, update = updating()
    effects = bench.take(bench.peer.acknowledgement(update))
    (install,) = of_kind(effects, InstallRouteOptimisation)
    effects = bench.take(Refused(effect=install, reason="test"))
    assert ends(effects) == ["not installed"]
    assert bench.direct is None
    other = InstallRouteOptimisation(home_address=HOME, peer=OTHER, care_of_address=VISITED1.care_of())
    assert bench.take(Refused(effect=other, reason="test")) == []


# The end of a binding, and its renewal


@pytest.mark.rfc6275("11.3.1-a", "11.3.3-a")
@pytest.mark.case("MN-053")
def test_a_bound_peer_is_not_tested_anew() -> None:
    bench = optimised()
    assert bench.hear() == []
    assert bench.state == "bound"


@pytest.mark.rfc6275("11.7.3-a", "11.3.1-a", "11.6.1-a", "11.3.3-a")
@pytest.mark.case("MN-048", "MN-067")
@pytest.mark.parametrize(
    ("granted", "used", "reason"),
    [
        pytest.param(100, False, "unused", marks=pytest.mark.case("MN-088")),
        pytest.param(MAXIMUM, False, "unused", marks=pytest.mark.case("MN-089")),
        (100, None, "expired"),
    ],
)
def test_a_binding_that_is_not_renewed_runs_out(granted: int, used: bool | None, reason: str) -> None:
    bench = RouteBench(used=used)
    bench.optimise(lifetime=granted)
    effects = bench.pass_time(granted - 1)
    assert of_kind(effects, AskUse) == [AskUse(home_address=HOME, peer=PEER)]
    assert bench.direct == VISITED1.care_of()
    effects = bench.pass_time(1)
    assert names(effects) == ["RemoveRouteOptimisation", "ListenFor"]
    assert ends(effects) == [reason]
    assert bench.direct is None
    assert both_inits(bench.hear()) == (1, 1)
    bench.peer.node_key = b"K" * 20


@pytest.mark.rfc6275("11.7.2-a", "5.2.7-c")
@pytest.mark.case("MN-099")
@pytest.mark.parametrize(("lifetime", "tests"), [(100, (0, 0)), (MAXIMUM, (1, 1))])
def test_a_binding_in_use_is_renewed_in_time(lifetime: int, tests: tuple[int, int]) -> None:
    bench = RouteBench(used=True)
    bench.optimise(lifetime=lifetime)
    effects = bench.pass_time(lifetime * REFRESH_AT)
    assert both_inits(effects) == tests
    (update,) = peer_updates(effects + bench.answer_tests(effects))
    assert message_of(update).sequence == 2
    effects = bench.take(bench.peer.acknowledgement(update))
    assert names(effects) == []
    assert bench.direct == VISITED1.care_of()
    assert bench.entry_of()["remaining"] == MAXIMUM


def test_a_binding_that_turns_out_to_be_in_use_after_all() -> None:
    bench = RouteBench(used=False)
    bench.optimise(lifetime=100)
    bench.pass_time(90)
    assert bench.state == "expiring"
    (update,) = peer_updates(bench.take(Used(home_address=HOME, peer=PEER, used=True)))
    assert bench.state == "updating"
    bench.take(bench.peer.acknowledgement(update))
    assert bench.entry_of()["remaining"] == MAXIMUM
    assert bench.direct == VISITED1.care_of()


def test_an_answer_about_use_that_nobody_asked_for() -> None:
    bench = optimised()
    for home_address, peer in ((HOME, OTHER), (HOME, None), (OTHER, PEER)):
        assert bench.take(Used(home_address=home_address, peer=peer, used=True)) == []
    assert bench.take(Used(home_address=HOME, peer=PEER, used=False)) == []
    assert bench.state == "bound"


@pytest.mark.rfc6275("11.7.2-a")
def test_the_path_closes_while_a_renewal_is_under_way() -> None:
    bench = RouteBench(used=True)
    bench.optimise(lifetime=12)
    renewal = bench.pass_time(11)
    assert len(peer_updates(renewal)) == 1
    effects = bench.pass_time(1)
    assert ends(effects) == ["expired"]
    assert bench.direct is None
    (update,) = peer_updates(effects) or peer_updates(renewal)
    effects = bench.take(bench.peer.acknowledgement(update))
    assert names(effects) == ["InstallRouteOptimisation"]


@pytest.mark.rfc6275("11.7.2-a")
def test_a_renewal_waits_for_that_of_the_home_registration() -> None:
    """A home registration of 60 s is renewed after 48 s, the binding of 56 s would be after 47.6 s, for 12 s."""
    bench = RouteBench(route_config(lifetime=60), used=True)
    bench.register(VISITED1)
    bench.now += 0.05
    bench.take(bench.peer.acknowledgement(bench.test()))
    effects = bench.pass_time(47.9)
    assert len(of_kind(effects, AskUse)) == 1
    assert not peer_updates(effects)
    (renewal,) = updates(bench.pass_time(0.1))
    (update,) = peer_updates(bench.acknowledge(renewal))
    assert message_of(update).lifetime >= 56


def test_an_overdue_binding_ends_without_a_question() -> None:
    bench = optimised()
    bench.now += MAXIMUM
    effects = bench.take(DeadlineReached())
    assert ends(effects) == ["expired"]
    assert not of_kind(effects, AskUse)


@pytest.mark.rfc6275("11.7.4-a", "11.7.2-a")
@pytest.mark.parametrize(
    "routed", [pytest.param(False, marks=pytest.mark.case("MN-104")), True], ids=["tunnelled", "direct"]
)
def test_a_refresh_request(routed: bool) -> None:
    bench = optimised()
    bench.now += 300
    happened = bench.peer.refresh_request()
    if routed:
        message = BindingRefreshRequest()
        happened = received(mobility_packet(PEER, VISITED1.care_of(), message, routed_home_address=HOME))
    effects = bench.take(happened)
    assert both_inits(effects) == (1, 1)
    (update,) = peer_updates(bench.answer_tests(effects))
    assert message_of(update).lifetime == MAXIMUM
    assert bench.direct == VISITED1.care_of()
    assert bench.take(bench.peer.refresh_request()) == []


@pytest.mark.rfc6275("6.1.1-b", "11.7.4-a")
@pytest.mark.case("MN-105")
def test_a_refresh_request_with_reserved_bits() -> None:
    bench = optimised()
    bench.now += 300
    effects = bench.take(with_reserved_bits(bench.peer.refresh_request()))
    assert peer_updates(bench.answer_tests(effects))


@pytest.mark.rfc6275("11.7.4-a")
@pytest.mark.parametrize(
    ("source", "destination", "routed", "tunnelled"),
    [
        pytest.param(OTHER, HOME, None, True, marks=pytest.mark.case("MN-106")),
        (PEER, VISITED1.care_of(), None, False),
        (PEER, VISITED1.care_of(), OTHER, False),
        (PEER, VISITED2.care_of(), HOME, False),
        (PEER, HOME, None, False),
        (AGENT, HOME, None, True),
    ],
)
def test_other_refresh_requests_are_ignored(
    source: IPv6Address, destination: IPv6Address, routed: IPv6Address | None, tunnelled: bool
) -> None:
    bench = optimised()
    packet = mobility_packet(source, destination, BindingRefreshRequest(), routed_home_address=routed)
    effects = bench.take(received(packet, tunnelled=tunnelled))
    assert reasons(effects) == ["unexpected-refresh-request"]
    assert bench.state == "bound"


# Movement


@pytest.mark.rfc6275("11.7.1-b", "11.7.2-a", "5.2.6-b", "6.2.5-a")
@pytest.mark.case("MN-049", "MN-068", "MN-100", "MN-101")
def test_a_move() -> None:
    bench = optimised()
    bench.now += 220
    effects = bench.arrive(VISITED2)
    remove = RemoveRouteOptimisation(home_address=HOME, peer=PEER)
    assert remove in effects
    assert ends(effects) == ["moved"]
    assert bench.direct is None
    home_update = next(e for e in of_kind(effects, Send) if e.packet.destination == AGENT)
    (care_of,) = inits(effects, CareOfTestInit)
    assert care_of.source == VISITED2.care_of()
    assert effects.index(home_update) < effects.index(Send(packet=care_of))
    assert not inits(effects, HomeTestInit)
    bench.take(bench.peer.care_of_test(care_of, index=30))
    effects = bench.acknowledge(message_of(home_update.packet))
    (home,) = inits(effects, HomeTestInit)
    (update,) = peer_updates(bench.take(bench.peer.home_test(home, index=31)))
    assert (update.source, update.home_address) == (VISITED2.care_of(), HOME)
    assert message_of(update).sequence == 2
    assert message_of(update).options[0] == NonceIndices(home=31, care_of=30)
    assert bench.direct is None
    bench.take(bench.peer.acknowledgement(update))
    assert bench.direct == VISITED2.care_of()


@pytest.mark.rfc6275("11.7.1-b", "5.2.7-c")
@pytest.mark.case("MN-049")
def test_a_move_with_a_fresh_home_token() -> None:
    bench = optimised()
    effects = bench.arrive(VISITED2)
    (care_of,) = inits(effects, CareOfTestInit)
    bench.take(bench.peer.care_of_test(care_of))
    effects = bench.acknowledge(updates(effects)[-1])
    assert not inits(effects, HomeTestInit)
    (update,) = peer_updates(effects)
    bench.take(bench.peer.acknowledgement(update))
    assert bench.direct == VISITED2.care_of()


@pytest.mark.rfc6275("5.2.7-c", "11.7.2-a")
def test_a_care_of_token_is_for_its_address_alone() -> None:
    bench = optimised()
    bench.now += 5
    bench.arrive(VISITED2)
    effects = bench.arrive(VISITED1)
    assert len(inits(effects, CareOfTestInit)) == 1
    # Nothing was obtained for the second address in between, but what was asked from there counts no more.
    assert not inits(effects, HomeTestInit)


@pytest.mark.rfc6275("11.7.3-a")
def test_an_acknowledgement_for_the_address_left_behind_opens_nothing() -> None:
    bench, update = updating()
    bench.arrive(VISITED2)
    assert reasons(bench.take(bench.peer.acknowledgement(update))) == ["unexpected-acknowledgement"]
    assert bench.direct is None


@pytest.mark.rfc6275("11.6.2-a")
def test_answers_to_inits_from_the_address_left_behind() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    first = bench.hear()
    bench.register(VISITED2)
    (home,), (care_of,) = inits(first, HomeTestInit), inits(first, CareOfTestInit)
    assert reasons(bench.take(bench.peer.home_test(home))) == ["unexpected-home-test"]
    assert reasons(bench.take(bench.peer.care_of_test(care_of))) == ["unexpected-care-of-test"]


@pytest.mark.rfc6275("11.7.2-a")
def test_a_resting_peer_that_may_hold_a_binding_is_told_of_a_move() -> None:
    bench = optimised()
    bench.now += 230
    (care_of,) = inits(bench.take(bench.peer.refresh_request()), CareOfTestInit)
    assert care_of
    bench.pass_time(20)
    assert bench.state == "resting"
    effects = bench.register(VISITED2)
    assert both_inits(effects) == (1, 1)


def test_a_resting_peer_without_binding_is_left_alone() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    bench.hear()
    bench.pass_time(20)
    assert bench.state == "resting"
    assert both_inits(bench.register(VISITED2)) == (0, 0)


@pytest.mark.parametrize("how", ["duplicate", "duplicate without link", "expired"])
def test_a_lost_care_of_address_closes_the_path(how: str) -> None:
    bench = RouteBench()
    bench.take(carrier())
    effects = bench.take(VISITED1.advertisement(valid=300))
    bench.acknowledge(updates(effects)[-1])
    bench.take(bench.peer.acknowledgement(bench.test()))
    match how:
        case "duplicate":
            effects = bench.take(DadFailed(address=VISITED1.care_of()))
            assert len(inits(effects, CareOfTestInit)) == 1
        case "duplicate without link":
            bench.take(LinkDown(interface=INTERFACE))
            effects = bench.take(DadFailed(address=VISITED1.care_of()))
        case _:
            bench.now += 300
            effects = bench.take(DeadlineReached())
    assert ends(effects)[0] == "care-of address lost"
    assert bench.direct is None
    assert bench.state == "testing"


# Home


def at_home(age: float = 220) -> tuple[RouteBench, list[Effect]]:
    bench = optimised()
    bench.now += age
    effects = bench.arrive(HOME_LINK)
    assert not peer_updates(effects)
    assert both_inits(effects) == (0, 0)
    assert bench.direct is None
    message = updates(effects)[-1]
    assert message.lifetime == 0
    return bench, bench.acknowledge(message, home=None)


@pytest.mark.rfc6275("11.7.2-a", "15.4.6-a", "5.2.6-a", "11.5.5-a")
@pytest.mark.case("MN-103")
def test_returning_home() -> None:
    bench, effects = at_home()
    (init,) = of_kind(effects, Send)[-1:]
    assert isinstance(init.packet.payload, HomeTestInit)
    assert not init.tunnelled
    assert (init.packet.source, init.packet.destination, init.packet.headers) == (HOME, PEER, ())
    (update,) = peer_updates(bench.answer_tests(effects))
    message = message_of(update)
    assert (update.source, update.destination, update.headers) == (HOME, PEER, ())
    assert (message.sequence, message.lifetime, message.flags) == (2, 0, BindingUpdateFlag.ACKNOWLEDGE)
    indices, authorization = message.options
    assert indices == NonceIndices(home=11, care_of=0)  # the care-of token is forgotten by now
    assert isinstance(authorization, BindingAuthorizationData)
    token = hmac.new(bench.peer.node_key, HOME.packed + (11).to_bytes(8, "big") + b"\0", hashlib.sha1).digest()[:8]
    octets = build(update)[40:]
    data = HOME.packed + PEER.packed + octets[:4] + bytes(2) + octets[6:-12]
    assert authorization.authenticator == hmac.new(hashlib.sha1(token).digest(), data, hashlib.sha1).digest()[:12]
    effects = bench.take(bench.peer.acknowledgement(update))
    assert of_kind(effects, ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    assert bench.state == "none"


@pytest.mark.rfc6275("11.7.2-a", "5.2.6-a")
@pytest.mark.case("MN-002")
def test_returning_home_with_a_fresh_home_token() -> None:
    bench, effects = at_home(age=20)
    assert both_inits(effects) == (0, 0)
    (update,) = peer_updates(effects)
    assert message_of(update).options[0] == NonceIndices(home=11, care_of=22)
    bench.take(bench.peer.acknowledgement(update))
    assert bench.state == "none"


@pytest.mark.rfc6275("11.7.3-c", "11.8-b")
def test_returning_home_with_a_token_that_the_peer_does_not_take() -> None:
    bench, effects = at_home(age=20)
    for number in range(3):
        (update,) = peer_updates(effects)
        effects = bench.take(bench.peer.acknowledgement(update, status=136, signed=False))
        assert len(inits(effects, HomeTestInit)) == 1
        effects = bench.answer_tests(effects)
        if number == 2:  # the fourth within a second
            assert not peer_updates(effects)
            effects = bench.pass_time(1)
    (update,) = peer_updates(effects)
    effects = bench.take(bench.peer.acknowledgement(update, status=136, signed=False))
    assert len(of_kind(effects, ListenFor)) == 1
    assert bench.state == "none"


@pytest.mark.rfc6275("11.8-a", "11.7.2-b")
@pytest.mark.parametrize(("age", "gives_up"), [(220, 15), (20, 15), (MAXIMUM - 5, 5)])
def test_returning_home_without_an_answer(age: float, gives_up: float) -> None:
    bench, _ = at_home(age)
    assert of_kind(bench.pass_time(gives_up - 0.1), ListenFor) == []
    assert of_kind(bench.pass_time(0.1), ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    assert not sent(bench.pass_time(600))


@pytest.mark.rfc6275("11.7.2-a")
def test_at_home_nothing_is_left_of_peers_without_a_binding() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    bench.hear()
    effects = bench.arrive(HOME_LINK)
    effects = bench.acknowledge(updates(effects)[-1], home=None)
    assert of_kind(effects, ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    assert both_inits(effects) == (0, 0)


def test_at_home_a_resting_peer_goes_on_resting() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    bench.hear()
    bench.pass_time(20)
    effects = bench.arrive(HOME_LINK)
    bench.acknowledge(updates(effects)[-1], home=None)
    assert bench.state == "resting"
    assert of_kind(bench.pass_time(REST), ListenFor)


def test_leaving_home_before_the_peer_answered() -> None:
    bench, _ = at_home()
    assert bench.state == "deleting"
    effects = bench.register(VISITED2)
    (care_of,) = inits(effects, CareOfTestInit)
    assert care_of.source == VISITED2.care_of()
    (update,) = peer_updates(bench.answer_tests(effects))
    bench.take(bench.peer.acknowledgement(update))
    assert bench.direct == VISITED2.care_of()


def test_a_duplicate_of_the_home_address_stops_everything() -> None:
    bench, _ = at_home()
    bench.take(DadFailed(address=HOME))
    assert bench.state == "testing"
    assert both_inits(bench.pass_time(60)) == (0, 0)


# Errors


@pytest.mark.rfc6275("11.3.6-a")
@pytest.mark.case("MN-130")
def test_a_bound_peer_that_knows_no_binding() -> None:
    bench = optimised()
    effects = bench.take(bench.peer.error(1, VISITED1.care_of()))
    assert ends(effects) == ["unknown binding"]
    assert bench.direct is None
    assert both_inits(effects) == (1, 1)
    (update,) = peer_updates(bench.answer_tests(effects))
    bench.take(bench.peer.acknowledgement(update))
    assert bench.direct == VISITED1.care_of()
    effects = bench.take(bench.peer.error(1, VISITED1.care_of()))
    assert ends(effects) == ["unknown binding"]
    assert both_inits(effects) == (0, 0)
    assert of_kind(bench.pass_time(RESTART_INTERVAL), ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]


@pytest.mark.rfc6275("11.3.6-a")
def test_a_resting_peer_that_knows_no_binding() -> None:
    bench = optimised()
    (update,) = peer_updates(bench.take(bench.peer.refresh_request()))
    bench.take(bench.peer.acknowledgement(update, status=129))
    assert bench.take(bench.peer.error(1, VISITED1.care_of())) == []
    assert bench.state == "resting"
    assert reasons(bench.take(bench.peer.error(1, VISITED1.care_of()))) == ["unexpected-binding-error"]


@pytest.mark.rfc6275("11.3.6-a")
@pytest.mark.parametrize(
    ("awaited", "to"),
    [
        pytest.param("tests", VISITED1.care_of(), marks=pytest.mark.case("MN-131")),
        pytest.param("tests", HOME, marks=pytest.mark.case("MN-132")),
        pytest.param("acknowledgement", VISITED1.care_of(), marks=pytest.mark.case("MN-133")),
    ],
)
def test_a_peer_that_does_not_know_the_message(awaited: str, to: IPv6Address) -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    if awaited == "tests":
        bench.hear()
    else:
        bench.test()
    assert ends(bench.take(bench.peer.error(2, to))) == ["peer unable"]
    assert bench.state == "resting"
    assert not sent(bench.hear() + bench.pass_time(REST - 1))
    assert both_inits(bench.register(VISITED2)) == (0, 0)


@pytest.mark.rfc6275("11.3.6-a")
@pytest.mark.parametrize(("status", "home_address"), [(2, HOME), (1, OTHER), (3, HOME)])
def test_binding_errors_that_answer_nothing(status: int, home_address: IPv6Address) -> None:
    bench = optimised()
    effects = bench.take(bench.peer.error(status, VISITED1.care_of(), home_address))
    assert reasons(effects) == ["unexpected-binding-error"]
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("11.3.6-a", "11.6.1-a")
@pytest.mark.case("MN-135")
def test_a_binding_error_of_a_node_without_an_entry() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    assert reasons(bench.take(bench.peer.error(2, VISITED1.care_of()))) == ["unexpected-binding-error"]
    assert both_inits(bench.hear()) == (1, 1)


@pytest.mark.rfc6275("11.3.6-a")
def test_a_binding_error_at_home() -> None:
    bench, _ = at_home()
    assert reasons(bench.take(bench.peer.error(1, HOME))) == ["unexpected-binding-error"]
    assert len(of_kind(bench.take(bench.peer.error(2, HOME)), ListenFor)) == 1


@pytest.mark.rfc6275("11.3.6-a")
def test_a_binding_error_of_the_home_agent_renews_the_home_registration() -> None:
    bench = optimised()
    bench.peer.address = AGENT
    error = bench.peer.error(1, VISITED1.care_of())
    effects = bench.take(error)
    (update,) = updates(effects)
    assert names(effects) == ["BindingUpdate"]
    assert bench.take(error) == []
    bench.acknowledge(update)
    assert bench.entry["state"] == "registered"
    assert bench.direct == VISITED1.care_of()
    for other in (bench.peer.error(2, VISITED1.care_of()), bench.peer.error(1, VISITED1.care_of(), OTHER)):
        assert reasons(bench.take(other)) == ["unexpected-binding-error"]


def problem(
    about: Packet, code: int, source: IPv6Address = PEER, to: IPv6Address | None = None, cut: int = 1232
) -> Received:
    """Make the Parameter Problem that quotes a packet."""
    message = ParameterProblem(code=code, pointer=40, invoking=build(about)[:cut])
    return error_from(source, about.source if to is None else to, message)


def error_from(source: IPv6Address, to: IPv6Address, message: Icmpv6Message) -> Received:
    packet = Packet(source=source, destination=to, payload=message)
    return Received(packet=packet, interface="mip0" if to == HOME else INTERFACE)


@pytest.mark.rfc6275("11.3.5-a")
@pytest.mark.parametrize(
    "which",
    [
        pytest.param("home", marks=pytest.mark.case("MN-146")),
        pytest.param("care-of", marks=pytest.mark.case("MN-147")),
        pytest.param("update", marks=pytest.mark.case("MN-148")),
    ],
)
@pytest.mark.parametrize("cut", [1232, 72])
def test_a_peer_without_mobility_headers(which: str, cut: int) -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    effects = bench.hear()
    match which:
        case "home":
            (about,) = inits(effects, HomeTestInit)
        case "care-of":
            (about,) = inits(effects, CareOfTestInit)
        case _:
            (about,) = peer_updates(bench.answer_tests(effects))
    assert ends(bench.take(problem(about, 1, cut=cut))) == ["peer unable"]
    assert bench.state == "resting"
    assert bench.direct is None
    assert not sent(bench.hear() + bench.pass_time(REST - 1))


@pytest.mark.rfc6275("11.3.5-a")
def test_other_parameter_problems_mean_nothing() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    (about,) = inits(bench.hear(), HomeTestInit)
    elsewhere = Packet(source=HOME, destination=OTHER, payload=about.payload)
    foreign = Packet(source=OTHER, destination=PEER, payload=about.payload)
    payload = Packet(source=HOME, destination=PEER, payload=ParameterProblem(code=0, pointer=0, invoking=b""))
    for happened in (
        problem(about, 0),
        problem(about, 2),
        problem(about, 1, source=OTHER),
        problem(about, 1, cut=39),
        problem(elsewhere, 1),
        problem(foreign, 1, to=HOME),
        problem(payload, 1),
    ):
        assert bench.take(happened) == []
    bench.arrive(HOME_LINK)
    bench.take(problem(about, 1))
    assert bench.state == "testing"


@pytest.mark.rfc6275("11.3.5-a")
@pytest.mark.case("MN-151")
def test_the_home_address_option_is_known_to_whoever_is_bound() -> None:
    bench, update = updating()
    bench.take(bench.peer.acknowledgement(update))
    assert reasons(bench.take(problem(update, 2))) == ["unrecognized-home-address-option"]
    assert bench.take(problem(update, 1)) == []  # no answer is awaited
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("11.3.5-a", "11.6.1-a")
@pytest.mark.case("MN-149")
def test_a_router_that_reports_a_peer_unreachable_is_a_peer_like_others() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    (about,) = inits(bench.hear(), CareOfTestInit)
    unreachable = DestinationUnreachable(code=0, invoking=build(about))
    assert bench.take(error_from(OTHER, VISITED1.care_of(), unreachable)) == []
    assert both_inits(bench.hear(OTHER)) == (1, 1)


@pytest.mark.rfc6275("11.6.1-a", "11.3.3-a")
@pytest.mark.case("MN-150")
def test_an_error_of_a_node_without_an_entry_begins_nothing() -> None:
    bench = RouteBench()
    bench.register(VISITED1)
    about = Packet(source=HOME, destination=PEER, payload=ParameterProblem(code=0, pointer=0, invoking=b""))
    assert bench.take(problem(about, 1)) == []
    assert bench.take(error_from(PEER, HOME, DestinationUnreachable(code=1, invoking=build(about)))) == []
    assert bench.state == "none"
