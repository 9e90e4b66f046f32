"""Several home addresses of one mobile node, which may come and go (RFC 6275 §8.5, §11.4.3)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.constants import Status
from lab.engine.config import DadMode
from lab.engine.io import (
    AddAddress,
    DadSucceeded,
    DisownHomeAddress,
    Effect,
    InstallReverseTunnel,
    LinkDown,
    OwnHomeAddress,
    PeerHeard,
    RemoveAddress,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
    Send,
    StartDad,
    Started,
    UseRouter,
)
from lab.events import HomeAddressAdded, HomeAddressEnded, PacketDropped, ReturnedHome
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, CareOfTestInit, HomeTestInit
from lab.wire.packet import Packet, mobility_packet
from tests.engine.effects import events, of_kind
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    mobile_config,
    update_packets,
)
from tests.engine.route_optimisation_bench import PEER, RouteBench, inits, peer_updates, received, route_config

SECOND = HOME + 1
ELSEWHERE = IPv6Address("2001:db8:2::100")
ELSEWHERE_PREFIX = IPv6Network((ELSEWHERE, 64), strict=False)
"""Of another prefix of the home link."""


def two(**fields: Any) -> MobileBench:
    return MobileBench(mobile_config(further_home_addresses=(SECOND,), **fields))


def answer(bench: MobileBench, effects: list[Effect], home_address: IPv6Address, **fields: Any) -> list[Effect]:
    """Acknowledge the last Binding Update of a home address to its home agent."""
    packet, update = home_updates(effects, home_address)[-1]
    message = BindingAcknowledgement(
        status=fields.get("status", Status.ACCEPTED),
        sequence=fields.get("sequence", update.sequence),
        lifetime=update.lifetime,
    )
    routed = None if packet.source == home_address else home_address
    return bench.take(received(mobility_packet(AGENT, packet.source, message, routed_home_address=routed)))


def home_updates(effects: list[Effect], home_address: IPv6Address) -> list[tuple[Packet, BindingUpdate]]:
    sent = update_packets(effects)
    return [(p, u) for p, u in sent if (p.home_address or p.source) == home_address and p.destination == AGENT]


def entries(bench: MobileBench) -> dict[str, dict[str, Any]]:
    """Give the home agents' entries by home address."""
    return {entry["home_address"]: entry for entry in bench.node.snapshot(bench.now) if "place" in entry}


def states(bench: MobileBench) -> list[tuple[str, str]]:
    return [(entry["place"], entry["state"]) for entry in entries(bench).values()]


def registered(bench: MobileBench) -> MobileBench:
    """Take a node to a foreign link, acknowledge both home addresses, and let what was sent be long ago (§11.8)."""
    effects = bench.arrive(VISITED1)
    for home_address in (HOME, SECOND):
        answer(bench, effects, home_address)
    assert states(bench) == [("away", "registered")] * 2
    bench.now += 1.0
    return bench


def away() -> MobileBench:
    return registered(two())


# Moving


@pytest.mark.rfc6275("8.5-a")
def test_all_are_owned_from_the_start() -> None:
    assert two().take(Started()) == [OwnHomeAddress(home_address=HOME), OwnHomeAddress(home_address=SECOND)]


@pytest.mark.rfc6275("8.5-a", "11.7.1-a", "11.5.3-a")
def test_each_is_registered_by_a_binding_update_of_its_own_with_the_one_care_of_address() -> None:
    bench = two()
    effects = bench.arrive(VISITED1)
    assert [e.address for e in of_kind(effects, AddAddress)] == [VISITED1.care_of()]
    assert [e.home_address for e in of_kind(effects, InstallReverseTunnel)] == [HOME, SECOND]
    assert [(packet.source, packet.home_address) for packet, _ in update_packets(effects)] == [
        (VISITED1.care_of(), HOME),
        (VISITED1.care_of(), SECOND),
    ]
    assert [*entries(bench)] == [str(HOME), str(SECOND)]


@pytest.mark.rfc6275("8.5-a", "11.7.3-a")
def test_an_acknowledgement_is_of_the_home_address_that_it_names() -> None:
    bench = two()
    effects = bench.arrive(VISITED1)
    answer(bench, effects, SECOND)
    assert states(bench) == [("away", "pending"), ("away", "registered")]
    again = answer(bench, effects, SECOND)
    assert [event.reason for event in events(again, PacketDropped)] == ["unexpected-acknowledgement"]


@pytest.mark.rfc6275("8.5-a", "11.7.3-b", "11.7.3-d")
def test_one_is_refused_while_the_other_is_accepted() -> None:
    bench = two()
    effects = bench.arrive(VISITED1)
    answer(bench, effects, HOME)
    answer(bench, effects, SECOND, status=Status.ADMINISTRATIVELY_PROHIBITED)
    assert states(bench) == [("away", "registered"), ("away", "pending")]
    again = answer(bench, effects, SECOND, status=Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, sequence=99)
    assert [update.sequence for _, update in home_updates(again, SECOND)] == [100]
    assert entries(bench)[str(HOME)]["sequence"] == 1


@pytest.mark.rfc6275("11.5.4-a")
def test_the_care_of_address_left_behind_goes_when_the_home_agent_has_answered_for_all() -> None:
    bench = away()
    effects = bench.arrive(VISITED2)
    assert not of_kind(answer(bench, effects, HOME), RemoveAddress)
    last = answer(bench, effects, SECOND, status=Status.ADMINISTRATIVELY_PROHIBITED)
    assert [e.address for e in of_kind(last, RemoveAddress)] == [VISITED1.care_of()]


@pytest.mark.rfc6275("8.5-a", "11.5.5-a")
def test_each_comes_home_by_itself() -> None:
    bench = away()
    effects = bench.arrive(HOME_LINK)
    deregistrations = [(packet.source, update.lifetime) for packet, update in update_packets(effects)]
    assert deregistrations == [(HOME, 0), (SECOND, 0)]
    first = answer(bench, effects, SECOND)
    assert [event.home_address for event in events(first, ReturnedHome)] == [SECOND]
    assert [e.address for e in of_kind(first, AddAddress)] == [SECOND]
    assert states(bench) == [("returning", "pending"), ("athome", "none")]
    assert [e.home_address for e in of_kind(answer(bench, effects, HOME), RemoveReverseTunnel)] == [HOME]


@pytest.mark.rfc6275("11.8-b")
def test_one_limit_counts_the_binding_updates_of_all() -> None:
    further = tuple(HOME + n for n in range(1, 5))
    bench = MobileBench(mobile_config(further_home_addresses=further))
    effects = bench.arrive(VISITED1)
    assert len(update_packets(effects)) == 3
    assert len(update_packets(bench.pass_time(1.0))) == 2


@pytest.mark.rfc6275("8.5-a", "11.5.2-a")
def test_a_further_prefix_means_home_too() -> None:
    bench = MobileBench(mobile_config(home_prefix=VISITED2.prefix, further_home_addresses=(HOME,)))
    bench.arrive(HOME_LINK)
    assert {place for place, _ in states(bench)} == {"athome"}


# Direct paths


def heard(bench: MobileBench, home_address: IPv6Address) -> list[Effect]:
    return bench.take(PeerHeard(home_address=home_address, peer=PEER))


@pytest.mark.rfc6275("8.5-a", "11.6.1-a", "11.6.2-a")
def test_tests_with_one_peer_are_of_the_home_address_that_asked() -> None:
    bench = RouteBench(route_config(further_home_addresses=(SECOND,)))
    registered(bench)
    first, second = heard(bench, HOME), heard(bench, SECOND)
    assert [init.source for init in inits(first + second, HomeTestInit)] == [HOME, SECOND]
    for effects in (second, first):  # the cookie tells whose it is: both came to one care-of address
        assert not events(bench.take(bench.peer.care_of_test(inits(effects, CareOfTestInit)[0])), PacketDropped)
    effects = bench.take(bench.peer.home_test(inits(first, HomeTestInit)[0]))
    assert [update.home_address for update in peer_updates(effects)] == [HOME]
    bench.take(bench.peer.acknowledgement(peer_updates(effects)[0]))
    assert [*bench.plane.direct] == [(HOME, PEER)]


# A home address more


@pytest.mark.rfc6275("11.4.3-a", "8.5-a")
def test_away_an_added_one_is_registered() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    effects = bench.node.add_home_address(SECOND, HOME_LINK.prefix, bench.now)
    assert effects[0] == OwnHomeAddress(home_address=SECOND)
    assert [event.home_address for event in events(effects, HomeAddressAdded)] == [SECOND]
    assert [packet.home_address for packet, _ in update_packets(effects)] == [SECOND]
    answer(bench, effects, SECOND)
    assert states(bench) == [("away", "registered")] * 2
    assert bench.node.add_home_address(SECOND, HOME_LINK.prefix, bench.now) == []


@pytest.mark.rfc6275("11.4.3-a")
def test_at_home_an_added_one_is_tested_and_used() -> None:
    bench = MobileBench(mobile_config(dad=DadMode.STANDARD))
    bench.arrive(HOME_LINK)
    bench.take(DadSucceeded(address=HOME))
    effects = bench.node.add_home_address(ELSEWHERE, ELSEWHERE_PREFIX, bench.now)
    assert [e.address for e in of_kind(effects, StartDad)] == [ELSEWHERE]
    assert [e.address for e in of_kind(bench.take(DadSucceeded(address=ELSEWHERE)), AddAddress)] == [ELSEWHERE]
    assert states(bench) == [("athome", "none")] * 2


# One less


@pytest.mark.rfc6275("11.4.3-a", "11.7.1-a")
def test_away_one_that_ends_is_deregistered_first() -> None:
    bench = away()
    effects = bench.node.end_home_address(SECOND, bench.now)
    ((packet, update),) = update_packets(effects)
    assert (packet.source, packet.home_address, update.lifetime) == (VISITED1.care_of(), SECOND, 0)
    assert update.options == ()
    assert not of_kind(effects, DisownHomeAddress)
    effects = answer(bench, effects, SECOND)
    assert of_kind(effects, DisownHomeAddress) == [DisownHomeAddress(home_address=SECOND)]
    assert of_kind(effects, RemoveReverseTunnel) == [RemoveReverseTunnel(home_address=SECOND)]
    assert [event.home_address for event in events(effects, HomeAddressEnded)] == [SECOND]
    assert [*entries(bench)] == [str(HOME)]
    assert states(bench) == [("away", "registered")]
    assert bench.node.end_home_address(SECOND, bench.now) == []


@pytest.mark.rfc6275("11.4.3-a", "11.8-a")
def test_without_an_answer_it_ends_with_its_binding() -> None:
    bench = away()
    sent = update_packets(bench.node.end_home_address(SECOND, bench.now))
    effects = bench.pass_time(58)
    assert {update.lifetime for _, update in home_updates(effects, SECOND)} == {0}
    assert len(sent) + len(home_updates(effects, SECOND)) > 3
    assert not events(effects, HomeAddressEnded)
    assert events(bench.pass_time(1), HomeAddressEnded)


@pytest.mark.rfc6275("11.4.3-a")
def test_a_move_while_it_ends_does_not_keep_it() -> None:
    bench = away()
    bench.node.end_home_address(SECOND, bench.now)
    effects = bench.arrive(VISITED2)
    packet, update = home_updates(effects, SECOND)[-1]
    assert (packet.source, update.lifetime) == (VISITED2.care_of(), 0)
    assert events(answer(bench, effects, SECOND), HomeAddressEnded)
    assert [*entries(bench)] == [str(HOME)]


@pytest.mark.rfc6275("11.4.3-a")
def test_at_home_one_that_ends_is_taken_away_at_once() -> None:
    bench = two()
    bench.arrive(HOME_LINK)
    effects = bench.node.end_home_address(HOME, bench.now)
    assert not update_packets(effects)
    assert RemoveAddress(interface=INTERFACE, address=HOME, prefix_length=64) in effects
    assert of_kind(effects, DisownHomeAddress) == [DisownHomeAddress(home_address=HOME)]
    assert [*entries(bench)] == [str(SECOND)]


@pytest.mark.rfc6275("11.4.3-a")
def test_without_any_home_address_the_node_goes_on() -> None:
    bench = MobileBench()
    bench.arrive(HOME_LINK)
    bench.node.end_home_address(HOME, bench.now)
    assert bench.node.snapshot(bench.now) == []
    bench.take(LinkDown(interface=INTERFACE))
    assert of_kind(bench.arrive(VISITED1), UseRouter)
    assert update_packets(bench.node.add_home_address(HOME, HOME_LINK.prefix, bench.now))


@pytest.mark.rfc6275("11.4.3-a", "11.7.2-a", "15.4.6-a")
def test_correspondents_forget_it_before_the_home_agent_does() -> None:
    """By the home token alone, through the tunnel, which the home agent therefore keeps up until then."""
    bench = RouteBench(route_config(further_home_addresses=(SECOND,)))
    registered(bench)
    (update,) = peer_updates(bench.answer_tests(heard(bench, HOME)))
    bench.take(bench.peer.acknowledgement(update))
    bench.now += 300  # the tokens are too old
    effects = bench.node.end_home_address(HOME, bench.now)
    assert of_kind(effects, RemoveRouteOptimisation) == [RemoveRouteOptimisation(home_address=HOME, peer=PEER)]
    assert not home_updates(effects, HOME)
    (init,) = [send for send in of_kind(effects, Send) if isinstance(send.packet.payload, HomeTestInit)]
    assert (init.packet.source, init.tunnelled) == (HOME, True)
    effects = bench.take(bench.peer.home_test(init.packet))
    (update,) = peer_updates(effects)
    assert (update.source, update.home_address) == (HOME, None)
    effects = bench.take(bench.peer.acknowledgement(update, tunnelled=True))
    ((packet, last),) = home_updates(effects, HOME)
    assert (packet.source, last.lifetime) == (VISITED1.care_of(), 0)
    assert events(answer(bench, effects, HOME), HomeAddressEnded)
