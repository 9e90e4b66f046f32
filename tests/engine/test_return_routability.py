"""The tests of return routability, as a mobile node asks for them (RFC 6275 §5.2.5, §11.6)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.constants import MAX_TOKEN_LIFETIME
from lab.engine.io import DeadlineReached, Effect, ListenFor, Malformed, PeerHeard, Received
from lab.engine.route_optimisation import MAX_PEERS
from lab.errors import MalformedReason, WireError
from lab.events import KeygenTokenReceived, PacketDropped, RouteOptimisationEnded
from lab.wire.icmpv6 import ParameterProblem
from lab.wire.mobility import CareOfTest, CareOfTestInit, HomeTest, HomeTestInit
from lab.wire.options import NonceIndices
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.effects import events, of_kind, sent
from tests.engine.mobile_node_bench import AGENT, HOME, HOME_LINK, INTERFACE, VISITED1, VISITED2
from tests.engine.route_optimisation_bench import (
    OTHER,
    PEER,
    Peer,
    RouteBench,
    inits,
    message_of,
    peer_updates,
    received,
    route_config,
    sends_of,
    with_reserved_bits,
)


def registered(**fields: Any) -> RouteBench:
    bench = RouteBench(route_config(**fields))
    bench.register(VISITED1)
    return bench


def reasons(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, PacketDropped)]


def indices(update: Packet) -> NonceIndices:
    return next(option for option in message_of(update).options if isinstance(option, NonceIndices))


# The beginning


@pytest.mark.rfc6275("11.3.3-a", "11.6.1-a", "5.2.5-b", "6.1.3-a")
@pytest.mark.case("MN-047")
def test_a_tunnelled_packet_leads_to_a_home_test_init_through_the_tunnel() -> None:
    bench = registered()
    (effect,) = sends_of(bench.hear(), HomeTestInit)
    assert effect.tunnelled
    assert (effect.packet.source, effect.packet.destination) == (HOME, PEER)
    assert effect.packet.headers == ()
    assert parse(build(effect.packet)) == effect.packet


@pytest.mark.rfc6275("11.3.3-a", "11.6.1-a", "5.2.5-b", "6.1.4-a")
@pytest.mark.case("MN-066")
def test_and_to_a_care_of_test_init_straight_from_the_care_of_address() -> None:
    bench = registered()
    (effect,) = sends_of(bench.hear(), CareOfTestInit)
    assert not effect.tunnelled
    assert (effect.packet.source, effect.packet.destination) == (VISITED1.care_of(), PEER)
    assert effect.packet.headers == ()


@pytest.mark.rfc6275("5.2.3-a")
def test_cookies_are_unlike_each_other() -> None:
    bench = registered()
    effects = bench.hear() + bench.hear(OTHER) + bench.pass_time(3)
    found = [p.payload.cookie for p in sent(effects) if isinstance(p.payload, HomeTestInit | CareOfTestInit)]
    assert len(found) == len({*found}) == 12
    assert {len(cookie) for cookie in found} == {8}


@pytest.mark.rfc6275("11.3.3-a", "11.6.1-a")
@pytest.mark.parametrize(
    ("home_address", "peer"),
    [
        pytest.param(HOME, AGENT, marks=pytest.mark.case("MN-052", "MN-070")),
        pytest.param(HOME + 1, PEER, marks=pytest.mark.case("MN-051")),
        (HOME, HOME),
        (HOME, IPv6Address("ff02::1")),
        (HOME, IPv6Address("fe80::1")),
        (HOME, IPv6Address("::")),
    ],
)
def test_with_whom_nothing_is_begun(home_address: IPv6Address, peer: IPv6Address) -> None:
    bench = registered()
    assert bench.take(PeerHeard(home_address=home_address, peer=peer)) == []
    assert len(bench.node.snapshot(bench.now)) == 1


@pytest.mark.rfc6275("11.3.1-a", "11.6.1-a")
@pytest.mark.parametrize(
    ("on", "optimised", "not_optimised", "begins"),
    [
        (True, (), (), True),
        pytest.param(False, (), (), False, marks=pytest.mark.case("MN-055")),
        pytest.param(True, (), ("2001:db8:c::/48",), False, marks=pytest.mark.case("MN-056")),
        (True, (), ("2001:db8:d::/48",), True),
        (False, ("2001:db8:c::/48",), (), True),
        (False, ("2001:db8:c::/48",), ("2001:db8:c::1/128",), False),
        (True, ("2001:db8:c::1/128",), ("2001:db8:c::/48",), True),
        (True, ("2001:db8:c::/48",), ("2001:db8:c::/48",), False),
        (False, ("::/0",), (), True),
    ],
)
def test_policy(on: bool, optimised: tuple[str, ...], not_optimised: tuple[str, ...], begins: bool) -> None:
    bench = registered(
        route_optimisation=on,
        optimised=tuple(map(IPv6Network, optimised)),
        not_optimised=tuple(map(IPv6Network, not_optimised)),
    )
    assert bool(sent(bench.hear())) is begins


@pytest.mark.rfc6275("11.7.1-b", "11.6.1-a")
def test_before_the_home_agent_answered_only_the_care_of_address_is_tested() -> None:
    bench = RouteBench()
    (update,) = [p for p in sent(bench.arrive(VISITED1)) if p.destination == AGENT]
    effects = bench.hear()
    assert len(inits(effects, CareOfTestInit)) == 1
    assert not inits(effects, HomeTestInit)
    assert not bench.answer_tests(effects)[1:]
    assert len(inits(bench.acknowledge(message_of(update)), HomeTestInit)) == 1


def test_a_peer_heard_without_an_address_is_kept_in_mind() -> None:
    bench = RouteBench()
    assert bench.hear() == []
    assert bench.state == "testing"
    assert len(inits(bench.register(VISITED1), HomeTestInit)) == 1


def test_a_peer_heard_at_home_is_listened_for_again() -> None:
    bench = RouteBench()
    bench.arrive(HOME_LINK)
    assert bench.hear() == [ListenFor(home_address=HOME, peer=PEER)]
    assert bench.state == "none"


def test_what_is_known_of_peers_has_an_end() -> None:
    bench = registered()
    peers = [PEER + number for number in range(MAX_PEERS)]
    for peer in peers:
        bench.hear(peer)
    assert of_kind(bench.hear(PEER - 1), ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    assert len(bench.node.snapshot(bench.now)) == MAX_PEERS + 1


def test_what_is_bound_makes_no_room() -> None:
    bench = registered()
    for number in range(MAX_PEERS):
        bench.peer = Peer(PEER + number)
        effects = bench.answer_tests(bench.hear(PEER + number))
        (update,) = peer_updates(effects, PEER + number)
        bench.take(bench.peer.acknowledgement(update))
    assert bench.hear(PEER - 1) == []


# Repetition


@pytest.mark.rfc6275("11.8-a", "11.6.1-a", "5.2.3-a", "11.7.2-b")
@pytest.mark.parametrize(
    ("unanswered", "answered"),
    [
        pytest.param(HomeTestInit, CareOfTestInit, marks=pytest.mark.case("MN-054")),
        pytest.param(CareOfTestInit, HomeTestInit, marks=pytest.mark.case("MN-071")),
    ],
)
def test_one_test_unanswered(unanswered: Any, answered: Any) -> None:
    bench = registered()
    begin, effects = bench.now, bench.hear()
    bench.answer_tests(sends_of(effects, answered))  # type: ignore[arg-type]
    history = [(begin, effects), *bench.timeline(60)]
    times = [when - begin for when, some in history for _ in inits(some, unanswered)]
    assert times == [0, 1, 3, 7]
    assert len(inits([e for _, some in history for e in some], answered)) == 1
    cookies = [init.payload for _, some in history for init in inits(some, unanswered)]
    assert len({repr(cookie) for cookie in cookies}) == 4
    ends = [(when - begin, event.reason) for when, some in history for event in events(some, RouteOptimisationEnded)]
    assert ends == [(15, "no answer")]
    assert bench.direct is None
    assert not peer_updates([e for _, some in history for e in some])


@pytest.mark.rfc6275("11.7.2-b")
def test_after_a_rest_the_peer_is_listened_for() -> None:
    bench = registered()
    bench.hear()
    bench.pass_time(15)
    assert bench.state == "resting"
    assert sent(bench.hear()) == []
    assert of_kind(bench.pass_time(299), ListenFor) == []
    assert of_kind(bench.pass_time(2), ListenFor) == [ListenFor(home_address=HOME, peer=PEER)]
    assert len(inits(bench.hear(), HomeTestInit)) == 1


@pytest.mark.rfc6275("11.8-b")
def test_inits_are_rate_limited() -> None:
    bench = registered()
    effects = bench.hear()
    for access in (VISITED2, VISITED1, VISITED2):
        effects += bench.arrive(access)
    assert len(inits(effects, CareOfTestInit)) == 3
    (init,) = inits(bench.pass_time(1), CareOfTestInit)
    assert init.source == VISITED2.care_of()


@pytest.mark.rfc6275("11.6.1-a")
def test_without_a_home_registration_no_home_test_is_repeated() -> None:
    bench = RouteBench(route_config(lifetime=4))
    bench.register(VISITED1)
    bench.now += 3.1  # its renewal goes unanswered
    bench.take(DeadlineReached())
    effects = bench.hear()
    (care_of,) = inits(effects, CareOfTestInit)
    bench.take(bench.peer.care_of_test(care_of))
    effects += bench.pass_time(30)
    assert len(inits(effects, HomeTestInit)) == 1
    assert bench.state == "testing"


# Answers


def asked() -> tuple[RouteBench, Packet, Packet]:
    bench = registered()
    effects = bench.hear()
    return bench, inits(effects, HomeTestInit)[0], inits(effects, CareOfTestInit)[0]


@pytest.mark.rfc6275("11.6.2-a", "11.7.2-a")
@pytest.mark.case("MN-057", "MN-072")
def test_care_of_test_first() -> None:
    bench, home, care_of = asked()
    effects = bench.take(bench.peer.care_of_test(care_of))
    (event,) = events(effects, KeygenTokenReceived)
    assert (event.peer, event.kind, event.nonce_index) == (PEER, "care-of", 22)
    assert not sent(effects)
    (update,) = peer_updates(bench.take(bench.peer.home_test(home)))
    assert indices(update) == NonceIndices(home=11, care_of=22)


@pytest.mark.rfc6275("11.6.2-a", "11.7.2-a")
@pytest.mark.case("MN-058", "MN-073")
def test_home_test_first() -> None:
    bench, home, care_of = asked()
    effects = bench.take(bench.peer.home_test(home))
    (event,) = events(effects, KeygenTokenReceived)
    assert (event.peer, event.kind, event.nonce_index) == (PEER, "home", 11)
    assert not sent(effects)
    (update,) = peer_updates(bench.take(bench.peer.care_of_test(care_of)))
    assert indices(update) == NonceIndices(home=11, care_of=22)


@pytest.mark.rfc6275("6.1.1-b", "11.6.2-a")
@pytest.mark.case("MN-059", "MN-074")
def test_reserved_fields_are_ignored() -> None:
    bench, home, care_of = asked()
    bench.take(with_reserved_bits(bench.peer.home_test(home)))
    assert peer_updates(bench.take(with_reserved_bits(bench.peer.care_of_test(care_of))))


@pytest.mark.rfc6275("11.6.2-a")
@pytest.mark.case("MN-060")
def test_a_second_home_test_is_ignored() -> None:
    bench, home, care_of = asked()
    bench.take(bench.peer.home_test(home, index=11))
    assert reasons(bench.take(bench.peer.home_test(home, index=12))) == ["unexpected-home-test"]
    (update,) = peer_updates(bench.take(bench.peer.care_of_test(care_of)))
    assert indices(update).home == 11


@pytest.mark.rfc6275("11.6.2-a")
@pytest.mark.case("MN-075")
def test_a_second_care_of_test_is_ignored() -> None:
    bench, home, care_of = asked()
    bench.take(bench.peer.care_of_test(care_of, index=22))
    assert reasons(bench.take(bench.peer.care_of_test(care_of, index=23))) == ["unexpected-care-of-test"]
    (update,) = peer_updates(bench.take(bench.peer.home_test(home)))
    assert indices(update).care_of == 22


@pytest.mark.rfc6275("11.6.2-a", "5.2.3-a")
@pytest.mark.case("MN-061", "MN-076")
def test_late_answers_to_earlier_inits_are_refused() -> None:
    bench, home, care_of = asked()
    repeated = bench.pass_time(1.5)
    (home_again,), (care_of_again,) = inits(repeated, HomeTestInit), inits(repeated, CareOfTestInit)
    assert reasons(bench.take(bench.peer.home_test(home, index=1))) == ["unexpected-home-test"]
    assert reasons(bench.take(bench.peer.care_of_test(care_of, index=2))) == ["unexpected-care-of-test"]
    bench.take(bench.peer.home_test(home_again, index=3))
    (update,) = peer_updates(bench.take(bench.peer.care_of_test(care_of_again, index=4)))
    assert indices(update) == NonceIndices(home=3, care_of=4)


@pytest.mark.rfc6275("5.2.3-a", "11.6.2-a", "11.8-a")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"cookie": bytes(8)}, marks=pytest.mark.case("MN-062")),
        pytest.param({"source": OTHER}, marks=pytest.mark.case("MN-063", "MN-064")),
        {"tunnelled": False},
    ],
)
def test_wrong_home_tests_are_ignored(fields: dict[str, Any]) -> None:
    bench, home, care_of = asked()
    bench.take(bench.peer.care_of_test(care_of))
    effects = bench.take(bench.peer.home_test(home, **fields))
    assert reasons(effects) == ["unexpected-home-test"]
    assert not sent(effects)
    assert len(inits(bench.pass_time(1), HomeTestInit)) == 1
    assert bench.direct is None


@pytest.mark.rfc6275("5.2.3-a", "11.6.2-a", "11.8-a")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"cookie": bytes(8)}, marks=pytest.mark.case("MN-077")),
        pytest.param({"source": OTHER}, marks=pytest.mark.case("MN-078", "MN-079")),
        {"tunnelled": True},
    ],
)
def test_wrong_care_of_tests_are_ignored(fields: dict[str, Any]) -> None:
    bench, home, care_of = asked()
    bench.take(bench.peer.home_test(home))
    effects = bench.take(bench.peer.care_of_test(care_of, **fields))
    assert reasons(effects) == ["unexpected-care-of-test"]
    assert not sent(effects)
    assert len(inits(bench.pass_time(1), CareOfTestInit)) == 1
    assert bench.direct is None


@pytest.mark.rfc6275("11.6.2-a")
@pytest.mark.parametrize(
    ("source", "destination", "headers", "reason"),
    [
        (PEER, VISITED1.care_of(), {}, "unexpected-home-test"),
        (PEER, HOME, {"routed_home_address": HOME}, "unexpected-home-test"),
        (PEER, HOME, {"home_address": OTHER}, "unexpected-message"),
    ],
)
def test_home_tests_by_other_ways(
    source: IPv6Address, destination: IPv6Address, headers: dict[str, IPv6Address], reason: str
) -> None:
    bench, home, _ = asked()
    answer = bench.peer.home_test(home).packet.payload
    assert isinstance(answer, HomeTest)
    packet = mobility_packet(source, destination, answer, **headers)
    assert reasons(bench.take(received(packet, tunnelled=True))) == [reason]


@pytest.mark.rfc6275("11.6.2-a")
@pytest.mark.parametrize(
    ("destination", "routed"), [(HOME, None), (VISITED2.care_of(), None), (VISITED1.care_of(), HOME)]
)
def test_care_of_tests_by_other_ways(destination: IPv6Address, routed: IPv6Address | None) -> None:
    bench, _, care_of = asked()
    answer = bench.peer.care_of_test(care_of).packet.payload
    assert isinstance(answer, CareOfTest)
    packet = mobility_packet(PEER, destination, answer, routed_home_address=routed)
    assert reasons(bench.take(received(packet))) == ["unexpected-care-of-test"]


@pytest.mark.rfc6275("11.6.2-a")
@pytest.mark.case("MN-065", "MN-080")
def test_unasked_answers_of_a_bound_peer_are_ignored() -> None:
    bench = registered()
    effects = bench.hear()
    (home,), (care_of,) = inits(effects, HomeTestInit), inits(effects, CareOfTestInit)
    (update,) = peer_updates(bench.answer_tests(effects))
    bench.take(bench.peer.acknowledgement(update))
    assert reasons(bench.take(bench.peer.home_test(home))) == ["unexpected-home-test"]
    assert reasons(bench.take(bench.peer.care_of_test(care_of))) == ["unexpected-care-of-test"]
    assert bench.state == "bound"
    assert sent(bench.pass_time(10)) == []


@pytest.mark.rfc6275("9.2-a", "6.1.1-a", "11.3.1-a")
@pytest.mark.parametrize(
    ("reason", "pointer"),
    [
        pytest.param(MalformedReason.BAD_PAYLOAD_PROTO, 40, marks=pytest.mark.case("MN-139", "MN-142")),
        pytest.param(MalformedReason.MESSAGE_TOO_SHORT, 41, marks=pytest.mark.case("MN-140", "MN-143")),
        pytest.param(MalformedReason.BAD_CHECKSUM, None, marks=pytest.mark.case("MN-141", "MN-144")),
    ],
)
@pytest.mark.parametrize("destination", [HOME, VISITED1.care_of()])
def test_malformed_answers(reason: MalformedReason, pointer: int | None, destination: IPv6Address) -> None:
    """A Parameter Problem from the home address takes the reverse tunnel as every packet from there does."""
    bench, _, _ = asked()
    malformed = Malformed(
        error=WireError(reason, "test", pointer),
        source=PEER,
        destination=destination,
        invoking=bytes(64),
        interface=INTERFACE,
    )
    effects = bench.take(malformed)
    assert reasons(effects) == [reason]
    found = [(p.source, p.destination, p.headers, p.payload) for p in sent(effects)]
    problem = ParameterProblem(code=0, pointer=pointer or 0, invoking=bytes(64))
    assert found == [(destination, PEER, (), problem)] * (pointer is not None)
    repeated = bench.pass_time(1)
    assert len(inits(repeated, HomeTestInit)) == len(inits(repeated, CareOfTestInit)) == 1


# Tokens


@pytest.mark.rfc6275("5.2.7-c", "11.7.2-a")
@pytest.mark.parametrize(("age", "asks_again"), [(MAX_TOKEN_LIFETIME - 1, 0), (MAX_TOKEN_LIFETIME, 1)])
def test_a_home_token_is_used_again_while_it_is_fresh(age: float, asks_again: int) -> None:
    bench = registered()
    bench.take(bench.peer.acknowledgement(bench.test()))
    bench.now += age
    effects = bench.register(VISITED2)
    assert len(inits(effects, HomeTestInit)) == asks_again
    (care_of,) = inits(effects, CareOfTestInit)
    assert care_of.source == VISITED2.care_of()


def test_the_snapshot_tells_the_ages_of_tokens() -> None:
    bench, home, _ = asked()
    bench.now += 0.5
    bench.take(bench.peer.home_test(home))
    bench.now += 0.25
    entry = bench.entry_of()
    assert entry == {
        "peer": str(PEER),
        "home_address": str(HOME),
        "care_of_address": None,
        "state": "testing",
        "sequence": 0,
        "remaining": 0.0,
        "home_token_age": 0.75,
        "care_of_token_age": None,
    }


def test_nothing_is_expected_from_peers_without_an_entry() -> None:
    bench = registered()
    test = HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))
    happened = Received(packet=mobility_packet(PEER, HOME, test), interface=INTERFACE, tunnelled=True)
    assert reasons(bench.take(happened)) == ["unexpected-home-test"]
