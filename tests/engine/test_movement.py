"""Movement detection: which router the link has, and when another one is believed (RFC 6275 §11.5.1, §11.5.2)."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from lab.engine.io import Effect, Input, LinkDown, LinkHint, LinkUp, Received, SetLinkMtu
from lab.engine.movement import MISSED_ADVERTISEMENTS, PROBES, REPETITION, SOLICITATION_INTERVALS
from lab.events import CareOfAddressLost, MovementDetected, RouterFound, RouterLost
from lab.wire.icmpv6 import NeighborSolicitation, RouterSolicitation
from tests.engine.effects import events, sent
from tests.engine.mobile_node_bench import (
    HOME_LINK,
    INTERFACE,
    MAC,
    VISITED1,
    VISITED2,
    Access,
    MobileBench,
    carrier,
    updates,
)

SILENT = VISITED1
"""A router that does not tell its interval: only probing shows whether it is there."""
PUNCTUAL = replace(VISITED1, interval=500)


def probed(effects: list[Effect]) -> list[IPv6Address]:
    return [p.payload.target for p in sent(effects) if isinstance(p.payload, NeighborSolicitation)]


def moves(effects: list[Effect]) -> list[MovementDetected]:
    return events(effects, MovementDetected)


def on(access: Access) -> MobileBench:
    bench = MobileBench()
    bench.register(access)
    return bench


@pytest.mark.rfc6275("11.5.1-a")
def test_carrier_makes_the_node_look_for_routers_until_one_answers() -> None:
    bench = MobileBench()
    (solicitation,) = sent(bench.take(carrier()))
    assert isinstance(solicitation.payload, RouterSolicitation)
    assert solicitation.hop_limit == 255
    times = [when - 1000.0 for when, effects in bench.timeline(16) if sent(effects)]
    assert times == [0.25, 0.75, 1.75, 3.75, 7.75, 11.75, 15.75]
    assert SOLICITATION_INTERVALS[-1] == 4.0
    bench.take(VISITED1.advertisement())
    assert not [p for p in sent(bench.pass_time(1.4)) if isinstance(p.payload, RouterSolicitation)]


def mtus(effects: list[Effect]) -> list[int | None]:
    return [effect.mtu for effect in effects if isinstance(effect, SetLinkMtu)]


def test_the_mtu_of_the_link_is_what_its_router_says() -> None:
    """RFC 4861 §6.3.4; a value below what every link carries counts for nothing."""
    bench = MobileBench()
    assert mtus(bench.arrive(replace(VISITED1, mtu=1400))) == [1400]
    assert mtus(bench.take(replace(VISITED1, mtu=1400).advertisement())) == []
    assert mtus(bench.take(replace(VISITED1, mtu=1300).advertisement())) == [1300]
    assert mtus(bench.take(replace(VISITED1, mtu=1279).advertisement())) == [None]
    assert mtus(bench.take(replace(VISITED1, mtu=1280).advertisement())) == [1280]
    bench.take(LinkHint(interface=INTERFACE))  # without a loss of carrier, the kernel keeps it
    assert mtus(bench.take(VISITED2.advertisement())) == [None]
    assert mtus(bench.take(VISITED2.advertisement())) == []


def test_with_the_carrier_goes_the_mtu() -> None:
    """The kernel has forgotten it when the carrier is back."""
    bench, narrow = MobileBench(), replace(VISITED1, mtu=1400)
    bench.arrive(narrow)
    bench.take(LinkDown(interface=INTERFACE))
    bench.take(carrier())
    assert mtus(bench.take(narrow.advertisement())) == [1400]
    bench.take(LinkDown(interface=INTERFACE))
    bench.take(carrier())
    assert mtus(bench.take(VISITED2.advertisement())) == []


def test_the_mtu_of_another_router_counts_once_it_is_believed() -> None:
    bench = on(VISITED1)
    assert mtus(bench.take(replace(VISITED2, mtu=1400).advertisement())) == []
    assert [mtu for _, effects in bench.timeline(10) for mtu in mtus(effects)] == [1400]


@pytest.mark.rfc6275("11.5.1-a")
def test_a_link_hint_is_a_reason_to_look() -> None:
    bench = on(VISITED1)
    (solicitation,) = sent(bench.take(LinkHint(interface=INTERFACE)))
    assert isinstance(solicitation.payload, RouterSolicitation)
    (move,) = moves(bench.take(VISITED2.advertisement()))
    assert (move.from_prefix, move.to_prefix, move.at_home) == (VISITED1.prefix, VISITED2.prefix, False)


@pytest.mark.rfc6275("11.5.1-a")
def test_the_same_router_after_a_hint_is_no_movement() -> None:
    bench = on(VISITED1)
    bench.take(LinkHint(interface=INTERFACE))
    assert bench.take(VISITED1.advertisement()) == []
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.5.2-a")
@pytest.mark.parametrize(("access", "at_home"), [(HOME_LINK, True), (VISITED1, False)])
def test_the_home_link_is_known_by_its_prefix(access: Access, at_home: bool) -> None:
    (move,) = moves(MobileBench().arrive(access))
    assert move.at_home is at_home


@pytest.mark.rfc6275("11.5.1-a")
@pytest.mark.case("MN-007")
@pytest.mark.parametrize("access", [PUNCTUAL, SILENT], ids=["with interval", "without interval"])
def test_a_new_router_makes_the_node_probe_the_current_one(access: Access) -> None:
    bench = on(access)
    effects = bench.take(VISITED2.advertisement())
    assert probed(effects) == [VISITED1.global_address]
    assert [found.router for found in events(effects, RouterFound)] == [VISITED2.address]
    assert not moves(effects)


@pytest.mark.rfc6275("11.5.1-a")
@pytest.mark.case("MN-009")
def test_the_current_router_answers_and_stays() -> None:
    bench = on(SILENT)
    bench.take(VISITED2.advertisement())
    assert bench.take(VISITED1.answer()) == []
    effects = bench.pass_time(20)
    assert not moves(effects)
    assert not updates(effects)
    assert bench.entry["care_of_address"] == str(VISITED1.care_of())


@pytest.mark.rfc6275("11.5.1-a")
@pytest.mark.case("MN-010")
def test_the_current_router_is_gone_and_the_new_one_takes_its_place() -> None:
    bench = on(SILENT)
    bench.take(VISITED2.advertisement())
    effects = bench.pass_time(PROBES + 0.1)
    assert [lost.router for lost in events(effects, RouterLost)] == [VISITED1.address]
    (move,) = moves(effects)
    assert move.to_prefix == VISITED2.prefix
    assert len(probed(effects)) == PROBES - 1


@pytest.mark.rfc6275("11.5.1-a", "7.2-a")
@pytest.mark.case("MN-008")
def test_routers_with_one_link_local_address_are_told_apart_by_their_global_ones() -> None:
    twin = replace(VISITED2, mac=VISITED1.mac)
    bench = on(SILENT)
    effects = bench.take(twin.advertisement())
    assert probed(effects) == [VISITED1.global_address]
    assert moves(bench.pass_time(PROBES + 0.1))


@pytest.mark.rfc6275("7.2-a")
def test_without_an_r_bit_the_link_local_address_is_probed() -> None:
    bench = on(replace(SILENT, router_address=False))
    assert probed(bench.take(VISITED2.advertisement())) == [VISITED1.address]


@pytest.mark.rfc6275("11.5.1-a")
def test_one_missed_advertisement_is_not_movement() -> None:
    bench = on(PUNCTUAL)
    assert not probed(bench.pass_time((MISSED_ADVERTISEMENTS - 1) * 0.5))


@pytest.mark.rfc6275("11.5.1-a")
def test_a_router_silent_for_three_intervals_is_probed() -> None:
    bench = on(PUNCTUAL)
    assert probed(bench.pass_time(MISSED_ADVERTISEMENTS * 0.5)) == [VISITED1.global_address]
    bench.take(VISITED1.answer())
    assert probed(bench.pass_time(MISSED_ADVERTISEMENTS * 0.5 - 0.01)) == []


@pytest.mark.rfc6275("11.5.1-a")
def test_a_silent_router_without_successor_makes_the_node_look_around() -> None:
    bench = on(PUNCTUAL)
    effects = bench.pass_time(MISSED_ADVERTISEMENTS * 0.5 + PROBES + 0.1)
    assert [lost.reason for lost in events(effects, RouterLost)] == ["no answer to probes"]
    assert any(isinstance(p.payload, RouterSolicitation) for p in sent(effects))
    assert moves(bench.take(VISITED2.advertisement()))


@pytest.mark.rfc6275("11.5.1-a")
def test_a_candidate_wins_as_soon_as_the_current_router_is_overdue() -> None:
    bench = on(PUNCTUAL)
    bench.pass_time(1.0)
    bench.take(VISITED2.advertisement())
    effects = bench.pass_time(MISSED_ADVERTISEMENTS * 0.5 - 1.0)
    assert [lost.reason for lost in events(effects, RouterLost)] == ["advertisements missed"]
    assert moves(effects)


@pytest.mark.rfc6275("11.5.1-a")
def test_a_second_advertisement_of_the_candidate_changes_nothing() -> None:
    bench = on(SILENT)
    bench.take(VISITED2.advertisement())
    assert bench.take(VISITED2.advertisement()) == []


@pytest.mark.rfc6275("11.5.1-a")
def test_a_router_that_says_the_same_again_is_there() -> None:
    """Each time counts, also those between which nothing else is looked into."""
    bench = on(PUNCTUAL)
    assert hear(bench, PUNCTUAL) == []
    assert probed(bench.pass_time(MISSED_ADVERTISEMENTS * 0.5 - 0.01)) == []
    assert probed(bench.pass_time(0.01)) == [VISITED1.global_address]


def test_lifetimes_of_what_is_said_again_are_counted_anew() -> None:
    brief = replace(VISITED1, valid=1)
    bench = on(brief)
    assert not events(hear(bench, brief), CareOfAddressLost)
    assert not events(bench.pass_time(brief.valid - REPETITION - 0.01), CareOfAddressLost)
    assert events(bench.pass_time(REPETITION + 0.01), CareOfAddressLost)


def test_what_changed_is_looked_into_at_once() -> None:
    bench = on(VISITED1)
    bench.take(VISITED1.advertisement())
    bench.take(VISITED1.advertisement(valid=1))
    assert events(bench.pass_time(1.0), CareOfAddressLost)


@pytest.mark.rfc6275("11.5.1-a")
@pytest.mark.parametrize("doubt", [LinkHint(interface=INTERFACE), VISITED2.advertisement()], ids=["hint", "candidate"])
def test_what_is_said_again_ends_a_doubt(doubt: Input) -> None:
    bench = on(SILENT)
    bench.take(SILENT.advertisement())
    assert sent(bench.take(doubt))
    bench.take(SILENT.advertisement())
    assert sent(bench.pass_time(PROBES + 0.1)) == []


def hear(bench: MobileBench, access: Access) -> list[Effect]:
    """Hear a router say the same many times a second, for some seconds; the last one is none that is looked into."""
    effects: list[Effect] = []
    for _ in range(30):
        effects += bench.take(access.advertisement()) + bench.pass_time(0.15)
    return effects + bench.take(access.advertisement())


def test_an_answer_of_somebody_else_does_not_save_the_router() -> None:
    bench = on(SILENT)
    bench.take(VISITED2.advertisement())
    bench.take(VISITED2.answer())
    answer = VISITED1.answer()
    bench.take(replace(answer, packet=replace(answer.packet, hop_limit=64)))
    assert moves(bench.pass_time(PROBES + 0.1))


@pytest.mark.rfc6275("7.1-a", "11.5.1-a")
@pytest.mark.parametrize(
    "advertisement",
    [
        pytest.param(VISITED1.advertisement(hop_limit=254), id="forwarded"),
        pytest.param(VISITED1.advertisement(source=IPv6Address("2001:db8:a1::1")), id="not link-local"),
        pytest.param(VISITED1.advertisement(valid=0), id="prefix without life"),
        pytest.param(VISITED1.advertisement(autonomous=False), id="prefix not for autoconfiguration"),
        pytest.param(replace(VISITED1.advertisement(), interface="eth9"), id="another interface"),
    ],
)
def test_advertisements_that_do_not_count(advertisement: Received) -> None:
    bench = MobileBench()
    bench.take(carrier())
    assert bench.take(advertisement) == []
    assert bench.entry["place"] == "unattached"


def test_other_interfaces_are_not_this_nodes_concern() -> None:
    bench = MobileBench()
    up = LinkUp(interface="eth9", link_layer_address=MAC, link_local_address=carrier().link_local_address)
    for happened in (up, LinkDown(interface="eth9"), LinkHint(interface="eth9")):
        assert bench.take(happened) == []


@pytest.mark.rfc6275("11.5.1-a")
def test_without_carrier_nothing_is_sent() -> None:
    bench = on(VISITED1)
    bench.take(LinkDown(interface=INTERFACE))
    assert sent(bench.take(LinkHint(interface=INTERFACE))) == []
    assert sent(bench.pass_time(100)) == []
