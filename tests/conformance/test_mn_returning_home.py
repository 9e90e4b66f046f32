"""A mobile node that comes home and does not know how to reach its home agent there (RFC 6275 §11.5.5)."""

from dataclasses import replace
from typing import Any

import pytest

from lab.constants import RETRANS_TIMER
from lab.engine.io import Effect, Received, Send, UseRouter
from lab.events import ReturnedHome
from lab.wire.addresses import UNSPECIFIED, solicited_node
from lab.wire.icmpv6 import NeighborSolicitation
from tests.engine.effects import events, names, of_kind, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    found,
    update_packets,
    updates,
)

SILENT = replace(HOME_LINK, link_layer=False)
"""The home agent, without its link-layer address in advertisements."""
MAC = HOME_LINK.mac


def returning() -> tuple[MobileBench, list[Effect]]:
    bench = MobileBench()
    bench.register(VISITED1)
    effects = bench.arrive(SILENT)
    assert bench.entry["place"] == "returning"
    return bench, effects


def questions(effects: list[Effect]) -> list[Send]:
    return [effect for effect in of_kind(effects, Send) if isinstance(effect.packet.payload, NeighborSolicitation)]


@pytest.mark.rfc6275("11.5.5-a")
@pytest.mark.case("MN-040")
def test_it_asks_from_the_unspecified_address_and_learns_from_the_answer() -> None:
    bench, effects = returning()
    (question,) = questions(effects)
    packet = question.packet
    assert (packet.source, packet.destination, packet.hop_limit) == (UNSPECIFIED, solicited_node(AGENT), 255)
    assert packet.payload == NeighborSolicitation(target=AGENT)  # no option tells an address of ours
    assert question.interface == INTERFACE
    assert not updates(effects)
    effects = bench.take(found(AGENT, MAC))
    assert names(effects) == ["UseRouter", "BindingUpdate"]
    (way,) = of_kind(effects, UseRouter)
    assert (way.source, way.router, way.destination, way.link_layer_address) == (HOME, None, AGENT, MAC)
    ((packet, update),) = update_packets(effects)
    assert (packet.source, packet.destination, packet.home_address, update.lifetime) == (HOME, AGENT, None, 0)
    assert events(bench.acknowledge(update, home=None, lifetime=0), ReturnedHome)
    assert not questions(bench.pass_time(10))


@pytest.mark.rfc6275("11.5.5-a")
def test_it_asks_until_it_is_answered_and_says_nothing_else() -> None:
    bench, _ = returning()
    for _ in range(5):
        effects = bench.pass_time(RETRANS_TIMER)
        assert len(questions(effects)) == len(sent(effects)) == 1
    assert len(updates(bench.take(found(AGENT, MAC)))) == 1


@pytest.mark.rfc6275("11.5.5-a")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(found(AGENT, MAC, hop_limit=64), id="forwarded"),
        pytest.param(found(AGENT, MAC, told=False), id="without an address"),
        pytest.param(found(AGENT + 1, MAC), id="of another"),
    ],
)
def test_other_answers_say_nothing(answer: Received) -> None:
    bench, _ = returning()
    assert bench.take(answer) == []
    assert len(questions(bench.pass_time(RETRANS_TIMER))) == 1


@pytest.mark.rfc6275("11.5.5-a")
@pytest.mark.parametrize("how", [{"next": VISITED2}, {"wait": 60.0}], ids=["left again", "binding over"])
def test_it_asks_no_more(how: dict[str, Any]) -> None:
    bench, _ = returning()
    if "next" in how:
        (update,) = updates(bench.arrive(how["next"]))
        assert update.lifetime > 0
        bench.acknowledge(update)
    else:
        bench.pass_time(how["wait"])
        assert bench.entry["place"] == "athome"
    assert not questions(bench.pass_time(3))
    assert bench.take(found(AGENT, MAC)) == []
