"""A mobile node that was away when it crashed, and starts again at home: its home agent defends its home address.

The node knows of no binding; the home agent may still have one, and is asked to end it (RFC 6275 §11.5.5, §9.5.1).
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from lab.constants import Status
from lab.engine.io import AddAddress, DadFailed, Effect, StartDad
from lab.engine.sequence import is_newer
from lab.events import ReturnedHome
from tests.engine.effects import events, of_kind
from tests.engine.mobile_node_bench import (
    HOME,
    HOME_LINK,
    VISITED1,
    MobileBench,
    mobile_config,
    update_packets,
    updates,
)

DEFENDED = DadFailed(address=HOME, link_layer_address=HOME_LINK.mac)


def restarted(sequence: int = 0) -> tuple[MobileBench, list[Effect]]:
    """Start a node at home, and let the home agent defend the home address."""
    bench = MobileBench(mobile_config(initial_sequence=sequence))
    bench.arrive(HOME_LINK)
    return bench, bench.take(DEFENDED)


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-b", "9.5.1-b")
def test_the_binding_of_before_is_ended() -> None:
    bench, effects = restarted()
    ((packet, update),) = update_packets(effects)
    assert (packet.source, packet.home_address, update.lifetime) == (HOME, None, 0)
    assert bench.entry["place"] == "returning"
    again = bench.acknowledge(update, home=None, status=Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, sequence=41, lifetime=0)
    (retry,) = updates(again)
    assert (retry.sequence, retry.lifetime) == (42, 0)
    effects = bench.acknowledge(retry, home=None, lifetime=0)
    assert events(effects, ReturnedHome)
    assert [e.address for e in of_kind(effects, AddAddress)] == [HOME]
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("9.5.1-b", "11.8-a")
@pytest.mark.parametrize("known", [0, 1, 2, 300, 32767, 32768, 32769, 40000, 65534, 65535])
def test_even_if_its_answers_are_lost_the_home_agent_is_told_a_newer_number_soon(known: int) -> None:
    """It may answer into the tunnel that is still there."""
    bench, effects = restarted(sequence=1)
    numbers = [update.sequence for update in updates(effects + bench.pass_time(5))]
    assert any(is_newer(number, known) for number in numbers[:3])
    assert all(is_newer(after, before) for before, after in pairwise(numbers))


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-d")
def test_an_address_that_the_home_agent_has_no_binding_for_is_somebody_else_s() -> None:
    bench, effects = restarted()
    status = Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
    effects = bench.acknowledge(updates(effects)[0], home=None, status=status, lifetime=0)
    assert not of_kind(effects, StartDad)
    assert not of_kind(effects, AddAddress)
    assert bench.entry["place"] == "settling"
    assert not updates(bench.pass_time(300))


@pytest.mark.rfc6275("11.5.3-a")
@pytest.mark.parametrize("defender", [None, VISITED1.mac], ids=["nobody told", "not the home agent"])
def test_an_address_that_somebody_else_defends_is_left_alone(defender: bytes | None) -> None:
    bench = MobileBench()
    bench.arrive(HOME_LINK)
    assert not updates(bench.take(replace(DEFENDED, link_layer_address=defender)))
    assert bench.entry["place"] == "settling"


@pytest.mark.rfc6275("11.5.5-a", "11.5.3-a")
def test_without_any_answer_the_home_address_is_tested_again_when_no_binding_can_be_left() -> None:
    bench, _ = restarted()
    assert not of_kind(bench.pass_time(59), StartDad)
    assert [test.address for test in of_kind(bench.pass_time(1), StartDad)] == [HOME]
