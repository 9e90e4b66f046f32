"""Protections of a mobile node: what it believes without one of them, and does not with it (RFC 6275 §15)."""

import pytest

from lab.events import MovementDetected, PrefixesLearned
from lab.safeguards import Safeguard
from lab.wire.icmpv6 import UNRECOGNIZED_NEXT_HEADER, ParameterProblem
from lab.wire.mobility import CareOfTestInit
from lab.wire.packet import Packet, build, mobility_packet
from tests.engine.effects import events
from tests.engine.mobile_node_bench import HOME_LINK, VISITED1, VISITED2, MobileBench, updates
from tests.engine.route_optimisation_bench import PEER, RouteBench, received
from tests.engine.test_prefix_discovery import HOME_PREFIX, NEW_HOME, NEW_PREFIX, advertisement, told
from tests.engine.test_safeguards import both_ways, dropped, without


@both_ways
@pytest.mark.rfc6275("11.5.1-a")
@pytest.mark.parametrize("at_home", [True, False], ids=["at home", "abroad"])
def test_router_probe(off: bool, at_home: bool) -> None:
    """A router that advertises itself beside the one that is there."""
    bench = MobileBench(without=without(Safeguard.ROUTER_PROBE, off))
    if at_home:
        bench.arrive(HOME_LINK)
    else:
        bench.register(VISITED1)
    effects = bench.take(VISITED2.advertisement())
    assert bool(events(effects, MovementDetected)) == off
    assert bool(updates(effects)) == off


@both_ways
@pytest.mark.rfc6275("15.6-a", "11.4.3-a")
def test_prefix_authentication(off: bool) -> None:
    """That the prefix of home is over, and there is another, which nobody asked for."""
    bench = MobileBench(without=without(Safeguard.PREFIX_AUTHENTICATION, off))
    bench.register(VISITED1)
    forged = advertisement(0, told(HOME_PREFIX, valid=0), told(NEW_PREFIX))
    effects = bench.take(received(forged))
    assert bool(events(effects, PrefixesLearned)) == off
    assert dropped(effects) == ([] if off else ["unsolicited-prefix-advertisement"])
    home_addresses = {entry["home_address"] for entry in bench.node.snapshot(bench.now)}
    assert (str(NEW_HOME) in home_addresses) == off
    assert [update.lifetime for update in updates(effects) if update.lifetime == 0] == ([0] if off else [])


@both_ways
@pytest.mark.rfc6275("11.3.5-a")
def test_awaited_answer_to_an_icmpv6_error(off: bool) -> None:
    bench = RouteBench(without=without(Safeguard.AWAITED_ANSWER, off))
    bench.optimise()
    asked = mobility_packet(VISITED1.care_of(), PEER, CareOfTestInit(cookie=bytes(8)))
    problem = ParameterProblem(code=UNRECOGNIZED_NEXT_HEADER, pointer=6, invoking=build(asked))
    bench.take(received(Packet(source=PEER, destination=VISITED1.care_of(), payload=problem)))
    assert bench.direct == (None if off else VISITED1.care_of())


@both_ways
@pytest.mark.rfc6275("11.3.6-a")
def test_awaited_answer_to_a_binding_error(off: bool) -> None:
    bench = RouteBench(without=without(Safeguard.AWAITED_ANSWER, off))
    bench.optimise()
    bench.take(bench.peer.error(2, VISITED1.care_of()))
    assert bench.direct == (None if off else VISITED1.care_of())
