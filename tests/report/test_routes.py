"""Which way packets took is told by captures, and sorted by what changed it."""

from dataclasses import replace
from typing import Any

import pytest
from scapy.layers import inet6

from lab.events import MoveBegan, NodeFailed, Record
from lab.report.address_book import address_book
from lab.report.paths import views
from lab.report.routes import Passage, Route, Share, Way, passages, routes
from lab.report.streams import Arrival
from tests.report.played import (
    AGENT,
    BEGAN,
    CARE_OF,
    CN,
    HOME,
    TUNNEL,
    Captures,
    captures,
    network,
    numbered,
    records,
    stream,
    tunnelled,
)


def links(route: Route) -> list[str]:
    return [hop.link for hop in route.hops]


def ways(route: Route) -> set[Way]:
    return {hop.way for hop in route.hops}


def passage() -> Passage:
    told = records()
    (found,) = passages(routes({"cn-mn": stream()}, captures(), address_book(network(), told)), told)
    return found


def test_each_packet_has_its_way() -> None:
    taken = routes({"cn-mn": stream()}, captures(), address_book(network(), records()))["cn-mn"]
    assert [sent for sent, _ in taken] == [packet.sent for packet in stream()]
    assert [route.arrived for _, route in taken] == [packet.received is not None for packet in stream()]
    _, at_home = taken[0]
    assert [(hop.sender, hop.receiver) for hop in at_home.hops] == [("cn", "core"), ("core", "ha"), ("ha", "mn")]
    assert ways(at_home) == {Way.PLAIN}


def test_a_move_has_a_before_a_during_and_an_after() -> None:
    found = passage()
    assert isinstance(found.cause, MoveBegan)
    (before,), (lost, by_tunnel), (after,) = found.before, found.during, found.after
    assert (links(before.route), before.packets, before.route.arrived) == (["cn-core", "core-ha", "home"], 10, True)
    assert (links(lost.route), lost.packets, lost.route.arrived) == (["cn-core", "core-ha", "home"], 5, False)
    assert links(by_tunnel.route) == ["cn-core", "core-ha", "core-ha", "core-ar", "away"]
    assert [hop.way for hop in by_tunnel.route.hops] == [Way.PLAIN, Way.PLAIN, Way.TUNNEL, Way.TUNNEL, Way.TUNNEL]
    assert (links(after.route), ways(after.route), after.packets) == (["cn-core", "core-ar", "away"], {Way.DIRECT}, 10)


def test_a_node_that_dies_is_a_change_of_its_own() -> None:
    told = records()
    told.insert(-1, Record(time=BEGAN + 0.1, node="lab", event=NodeFailed(name="ha")))
    taken = routes({"cn-mn": stream()}, captures(), address_book(network(), told))
    assert [type(found.cause) for found in passages(taken, told)] == [MoveBegan, NodeFailed]
    assert [view.title for view in views(network(), address_book(network(), told), taken, passages(taken, told))] == [
        "Move 1: mn from home to away",
        "ha dies",
    ]


def test_a_packet_that_no_capture_saw_has_no_links() -> None:
    taken = routes({"cn-mn": stream()}, [], address_book(network(), records()))["cn-mn"]
    assert {route.hops for _, route in taken} == {()}


def test_words_say_what_drawings_show() -> None:
    told = records()
    book = address_book(network(), told)
    taken = routes({"cn-mn": stream()}, captures(), book)
    (view,) = views(network(), book, taken, passages(taken, told))
    before, during, after = view.scenes
    assert [said.way for said in before.said] == ["cn → core → ha → mn"]
    assert [said.way for said in during.said] == ["cn → core → ha → link home", "cn → core → ha ⇒ core ⇒ ar ⇒ mn"]
    assert [said.way for said in after.said] == ["cn ⇢ core ⇢ ar ⇢ mn"]
    assert before.drawing.hung == {"mn": "home"}
    assert during.drawing.hung == after.drawing.hung == {"mn": "away"}
    assert len(during.drawing.gone) == len(during.drawing.losses) == 1


def test_without_a_change_the_network_is_shown_once() -> None:
    taken = routes({"cn-mn": stream()}, captures(), address_book(network(), []))
    (view,) = views(network(), address_book(network(), []), taken, passages(taken, []))
    (scene,) = view.scenes
    assert sum(said.packets for said in scene.said) == len(stream())


def pieces(packet: Any, kind: int) -> list[Any]:
    """Cut what an IPv6 packet carries in two, behind a Fragment Header each (RFC 8200 §4.5)."""
    content, cut, header = bytes(packet.payload), 800, inet6.IPv6ExtHdrFragment
    return [header(nh=kind, offset=0, m=1) / content[:cut], header(nh=kind, offset=cut // 8, m=0) / content[cut:]]


LARGE = numbered(0, 0.0) / bytes(1400)


@pytest.mark.parametrize(
    "fragments",
    [
        [inet6.IPv6(src=AGENT, dst=CARE_OF) / part for part in pieces(tunnelled(LARGE), 41)],
        [tunnelled(inet6.IPv6(src=CN, dst=HOME) / part) for part in pieces(LARGE, 17)],
    ],
    ids=["in the tunnel", "before it"],
)
def test_a_fragment_tells_whose_the_packet_is(fragments: list[Any]) -> None:
    seen = Captures()
    for fragment in fragments:
        seen.carry(0.0, fragment, TUNNEL)
    sent = [Arrival(sequence=0, sent=BEGAN, received=BEGAN)]
    ((_, route),) = routes({"cn-mn": sent}, seen.frames, address_book(network(), records()))["cn-mn"]
    assert links(route) == ["core-ha", "core-ar", "away"]
    assert ways(route) == {Way.TUNNEL}


def test_without_streams_the_network_is_shown_once_whatever_changes() -> None:
    (view,) = views(network(), address_book(network(), records()), {}, passages({}, records()))
    assert (view.title, [scene.said for scene in view.scenes]) == ("", [[]])


def test_who_hears_a_group_is_told_by_who_sends_it_on() -> None:
    seen = Captures()
    group = inet6.IPv6(src=CN, dst="ff0e::1") / numbered(0, 0.0).payload
    seen.carry(0.0, group, ["cn", "cn-core"])
    seen.frames[0] = replace(seen.frames[0], destination_mac=bytes.fromhex("333300000001"))
    seen.carry(0.001, group, ["core", "core-ar"])
    sent = [Arrival(sequence=0, sent=BEGAN, received=None)]
    book = address_book(network(), [])
    (view,) = views(network(), book, routes({"cn-mn": sent}, seen.frames, book), [])
    assert [said.way for said in view.scenes[0].said] == ["cn → core → link core-ar"]


def test_a_share_counts_what_took_the_same_way() -> None:
    (found,) = passage().after
    assert found == Share(stream="cn-mn", route=found.route, packets=10)
