"""Mobile prefix discovery by a mobile node, octet by octet (RFC 6275 §11.4.2, §11.4.3)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.constants import INITIAL_SOLICIT_TIMER
from lab.engine.io import DisownHomeAddress, Effect, OwnHomeAddress
from lab.engine.prefix_discovery import SOLICIT_RETRIES
from lab.events import HomeAddressAdded, HomeAddressEnded, PacketDropped, PrefixesLearned
from lab.wire.icmpv6 import MobilePrefixSolicitation
from lab.wire.mobility import BindingUpdate, CareOfTestInit, HomeTestInit
from lab.wire.packet import build, parse
from tests.conformance.prefix_octets import SOLICITATION, Told, advertisement, prefix_information, read
from tests.engine.effects import events, sent
from tests.engine.mobile_node_bench import AGENT, HOME, HOME_LINK, VISITED1, update_packets
from tests.engine.route_optimisation_bench import RouteBench, inits, peer_updates, received

CARE_OF, PREFIX = VISITED1.care_of(), HOME_LINK.prefix
NEW_PREFIX, NEW_HOME = IPv6Network("2001:db8:9::/64"), IPv6Address("2001:db8:9::100")
STATUS_1 = 1
OLD = 240.0
"""Seconds after which no token can be used any more."""


def solicitations(effects: list[Effect]) -> list[Told]:
    """Pick the Mobile Prefix Solicitations."""
    return [read(build(p)) for p in sent(effects) if isinstance(p.payload, MobilePrefixSolicitation)]


def home_updates(effects: list[Effect]) -> list[BindingUpdate]:
    return [update for packet, update in update_packets(effects) if packet.destination == AGENT]


def tell(bench: RouteBench, identifier: int, *options: bytes, **fields: Any) -> list[Effect]:
    """Let a Mobile Prefix Advertisement arrive."""
    octets = advertisement(
        identifier,
        *(options or (prefix_information(PREFIX, valid=86400),)),
        source=fields.get("source", AGENT),
        destination=fields.get("destination", CARE_OF),
        routed=fields.get("routed", HOME),
        reserved=fields.get("reserved", 0),
    )
    return bench.take(received(parse(octets)))


def asking(bench: RouteBench) -> int:
    """Register with status 1; give the identifier of the solicitation that follows."""
    (asked,) = solicitations(bench.register(status=STATUS_1))
    return asked.identifier


def learn(bench: RouteBench, valid: int) -> list[Effect]:
    """Let the home prefix be told to last so long from now on, and confirmed."""
    (asked,) = solicitations(tell(bench, 0, prefix_information(PREFIX, valid=valid)))
    return tell(bench, asked.identifier, prefix_information(PREFIX, valid=valid))


@pytest.mark.rfc6275("11.7.3-e", "11.4.2-a")
@pytest.mark.case("MN-023")
def test_status_1_makes_it_ask() -> None:
    bench = RouteBench()
    (asked,) = solicitations(bench.register(status=STATUS_1))
    assert (asked.kind, asked.destination) == (SOLICITATION, AGENT)
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.4.2-a", "6.5-a", "6.3-a")
@pytest.mark.case("MN-117")
def test_it_asks_before_the_home_prefix_ends() -> None:
    bench = RouteBench()
    bench.arrive(replace(HOME_LINK, valid=100))
    bench.pass_time(2.0)
    bench.register()
    seen = [(instant, solicitations(effects)) for instant, effects in bench.timeline(98.0)]
    instants = [instant - 1000.0 for instant, asked in seen if asked]
    assert instants[0] == 80.0
    asked = next(asked for _, asked in seen if asked)[0]
    assert (asked.source, asked.destination, asked.home) == (CARE_OF, AGENT, HOME)
    assert asked.reserved == 0


@pytest.mark.rfc6275("11.4.3-a", "11.4.2-a")
@pytest.mark.case("MN-118")
def test_what_was_not_asked_for_is_asked_for() -> None:
    bench = RouteBench()
    bench.register()
    effects = tell(bench, 77, prefix_information(PREFIX, valid=1000))
    (asked,) = solicitations(effects)
    assert events(effects, PrefixesLearned) == []
    assert len(events(tell(bench, asked.identifier), PrefixesLearned)) == 1


@pytest.mark.rfc6275("11.4.2-a")
@pytest.mark.case("MN-119")
def test_without_an_answer_it_asks_ever_more_rarely() -> None:
    bench = RouteBench()
    first = asking(bench)
    started = bench.now
    seen = [(t - started, s.identifier) for t, effects in bench.timeline(500) for s in solicitations(effects)]
    assert [instant for instant, _ in seen] == [3.0, 9.0, 21.0, 45.0]
    assert seen[0][0] == INITIAL_SOLICIT_TIMER
    assert len(seen) == SOLICIT_RETRIES
    assert len({first, *(identifier for _, identifier in seen)}) == 1 + SOLICIT_RETRIES  # §11.4.2: random each time


@pytest.mark.rfc6275("11.4.3-a", "6.5-a")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="as it should be", marks=pytest.mark.case("MN-120")),
        pytest.param({"reserved": 0x3FFF}, id="reserved bits", marks=pytest.mark.case("MN-121")),
        pytest.param({"extra": bytes((99, 1)) + bytes(6)}, id="unknown option", marks=pytest.mark.case("MN-126")),
    ],
)
def test_the_answer_ends_the_repetitions(fields: dict[str, Any]) -> None:
    bench = RouteBench()
    identifier = asking(bench)
    reserved = fields.get("reserved", 0)
    option = prefix_information(PREFIX, valid=86400, reserved=reserved)
    effects = tell(bench, identifier, fields.get("extra", b""), option, reserved=reserved)
    (learned,) = events(effects, PrefixesLearned)
    assert learned.prefixes == f"{PREFIX} valid 86400 preferred 86400"
    assert home_updates(effects) == []
    assert solicitations(bench.pass_time(500)) == []


@pytest.mark.rfc6275("11.4.3-a", "11.7.1-a")
@pytest.mark.parametrize(
    "confirmed",
    [
        pytest.param(True, id="confirmed", marks=pytest.mark.case("MN-038")),
        pytest.param(False, id="asked for", marks=pytest.mark.case("MN-122")),
    ],
)
def test_the_binding_is_shortened_with_the_prefix(confirmed: bool) -> None:
    bench = RouteBench()
    if confirmed:
        bench.register()
        before = bench.entry["sequence"]
        effects = learn(bench, 202)
    else:
        identifier = asking(bench)
        before = bench.entry["sequence"]
        effects = tell(bench, identifier, prefix_information(PREFIX, valid=202))
    (update,) = home_updates(effects)
    assert update.sequence == before + 1
    assert update.lifetime == 200
    assert home_updates(bench.acknowledge(update)) == []
    assert all(u.lifetime <= 202 for u in home_updates(bench.pass_time(190)))


@pytest.mark.rfc6275("11.4.3-a", "11.4.2-a", "15.6-a")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        pytest.param(
            {"source": IPv6Address("2001:db8:c::1")},
            "unexpected-prefix-advertisement",
            id="of somebody else",
            marks=pytest.mark.case("MN-123"),
        ),
        pytest.param(
            {"routed": None},
            "unexpected-prefix-advertisement",
            id="without routing header",
            marks=pytest.mark.case("MN-124"),
        ),
        pytest.param(
            {"routed": None, "destination": HOME},
            "unexpected-prefix-advertisement",
            id="to the home address",
            marks=pytest.mark.case("MN-124"),
        ),
        pytest.param(
            {"routed": IPv6Address("2001:db8:1::101")},
            "unexpected-prefix-advertisement",
            id="for another home address",
        ),
        pytest.param(
            {"flip": 1},
            "unsolicited-prefix-advertisement",
            id="with another identifier",
            marks=pytest.mark.case("MN-125"),
        ),
    ],
)
def test_what_is_no_answer_is_not_believed(fields: dict[str, Any], reason: str) -> None:
    bench = RouteBench()
    identifier = asking(bench)
    wrong = tell(bench, identifier ^ fields.get("flip", 0), prefix_information(PREFIX, valid=8), **fields)
    (dropped,) = events(wrong, PacketDropped)
    assert dropped.reason == reason
    assert home_updates(wrong) == []
    (again,) = solicitations(bench.pass_time(INITIAL_SOLICIT_TIMER))
    assert len(events(tell(bench, again.identifier), PrefixesLearned)) == 1


@pytest.mark.rfc6275("11.4.3-a", "11.7.2-a", "10.6.4-a")
@pytest.mark.case("MN-102")
def test_correspondents_are_told_of_a_shorter_life() -> None:
    bench = RouteBench()
    bench.optimise()
    effects = learn(bench, 82)
    (home,) = home_updates(effects)
    effects += bench.acknowledge(home)
    (packet,) = peer_updates(effects)
    assert isinstance(packet.payload, BindingUpdate)
    assert packet.payload.sequence == 2
    assert packet.payload.lifetime <= min(82, home.lifetime)
    bench.take(bench.peer.acknowledgement(packet))  # whose authenticator is made of the same key
    assert bench.state == "bound"
    assert bench.entry_of()["remaining"] == packet.payload.lifetime


@pytest.mark.rfc6275("11.4.3-a", "11.7.2-a", "5.2.7-c")
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(HomeTestInit, marks=pytest.mark.case("MN-050")),
        pytest.param(CareOfTestInit, marks=pytest.mark.case("MN-069")),
    ],
)
def test_where_tokens_are_too_old_correspondents_are_asked_for_new_ones(
    kind: type[HomeTestInit | CareOfTestInit],
) -> None:
    bench = RouteBench()
    bench.optimise()
    bench.pass_time(OLD)
    effects = learn(bench, 82)
    (home,) = home_updates(effects)
    assert home.lifetime == 80
    assert peer_updates(effects) == []
    (init,) = inits(effects, kind)
    assert sent(effects).index(init) > [p.payload for p in sent(effects)].index(home)
    bench.acknowledge(home)
    (packet,) = peer_updates(bench.answer_tests(effects))
    assert isinstance(packet.payload, BindingUpdate)
    assert packet.payload.lifetime <= 80


@pytest.mark.rfc6275("11.4.3-a", "8.5-a")
def test_a_new_prefix_gives_a_home_address_and_one_that_is_over_takes_its_own_away() -> None:
    bench = RouteBench()
    old = prefix_information(PREFIX, valid=20)
    effects = tell(bench, asking(bench), old, prefix_information(NEW_PREFIX, valid=86400))
    assert [event.home_address for event in events(effects, HomeAddressAdded)] == [NEW_HOME]
    assert OwnHomeAddress(home_address=NEW_HOME) in effects
    asked = [(packet.home_address, update.lifetime) for packet, update in update_packets(effects)]
    assert sorted(asked) == [(HOME, 20), (NEW_HOME, 3600)]
    for _, update in update_packets(effects):
        if update.lifetime == 20:
            bench.acknowledge(update)
    ended = [effect for _, effects in bench.timeline(25) for effect in effects]
    assert DisownHomeAddress(home_address=HOME) in ended
    assert [event.home_address for event in events(ended, HomeAddressEnded)] == [HOME]
    assert {entry["home_address"] for entry in bench.node.snapshot(bench.now)} == {str(NEW_HOME)}


@pytest.mark.rfc6275("11.4.3-a", "10.6.3-a")
def test_what_another_home_address_is_told_is_asked_for_by_that_one() -> None:
    bench = RouteBench()
    effects = tell(bench, asking(bench), prefix_information(NEW_PREFIX, valid=86400))
    (packet, update) = update_packets(effects)[-1]
    bench.acknowledge(update, home=NEW_HOME)
    assert packet.home_address == NEW_HOME
    bench.pass_time(INITIAL_SOLICIT_TIMER)
    effects = tell(bench, 0, prefix_information(NEW_PREFIX, valid=1000), routed=NEW_HOME)
    (asked,) = solicitations(effects)
    assert asked.home == NEW_HOME
    assert len(events(tell(bench, asked.identifier, routed=NEW_HOME), PrefixesLearned)) == 1


@pytest.mark.rfc6275("11.4.3-a")
def test_the_last_home_address_stays_though_its_prefix_is_over() -> None:
    bench = RouteBench()
    tell(bench, asking(bench), prefix_information(PREFIX, valid=20))
    ended = [effect for _, effects in bench.timeline(100) for effect in effects]
    assert events(ended, HomeAddressEnded) == []
    assert [entry["home_address"] for entry in bench.node.snapshot(bench.now)] == [str(HOME)]
