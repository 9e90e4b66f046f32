"""A mobile node that does not ask correspondents for acknowledgements (RFC 6275 §6.1.7, §11.7.2)."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.constants import MAX_RR_BINDING_LIFETIME, Status
from lab.engine.correspondent_registration import REFRESH_AT
from lab.engine.io import Effect, InstallRouteOptimisation, RemoveRouteOptimisation, Send
from lab.events import PacketDropped, RouteOptimisationEnded, RouteOptimisationStarted
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag, CareOfTestInit, HomeTestInit
from lab.wire.packet import Packet
from tests.engine.effects import events, of_kind
from tests.engine.mobile_node_bench import HOME, HOME_LINK, VISITED1, VISITED2, updates
from tests.engine.route_optimisation_bench import (
    PEER,
    RouteBench,
    inits,
    message_of,
    peer_updates,
    route_config,
)

LIFETIME = int(MAX_RR_BINDING_LIFETIME)


def registered(**fields: Any) -> tuple[RouteBench, Packet, list[Effect]]:
    """Register with the peer; give its Binding Update, and all that came with it."""
    bench = RouteBench(route_config(acknowledged_registrations=False), **fields)
    bench.register(VISITED1)
    effects = bench.answer_tests(bench.hear())
    (update,) = peer_updates(effects)
    return bench, update, effects


def ends(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, RouteOptimisationEnded)]


def reasons(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, PacketDropped)]


@pytest.mark.rfc6275("11.7.2-a", "6.1.7-a")
@pytest.mark.case("MN-082")
def test_packets_go_straight_behind_the_binding_update() -> None:
    bench, update, effects = registered()
    assert message_of(update).flags == BindingUpdateFlag(0)
    assert message_of(update).lifetime == LIFETIME
    order = [type(e.packet.payload) if isinstance(e, Send) else type(e) for e in effects]
    assert order.index(BindingUpdate) < order.index(InstallRouteOptimisation)
    assert len(events(effects, RouteOptimisationStarted)) == 1
    assert bench.direct == VISITED1.care_of()
    assert (bench.state, bench.entry_of()["remaining"]) == ("bound", LIFETIME)


@pytest.mark.rfc6275("11.7.2-a", "11.8-a")
def test_nothing_is_repeated() -> None:
    bench, _, _ = registered()
    assert of_kind(bench.pass_time(LIFETIME * REFRESH_AT - 1), Send) == []


@pytest.mark.rfc6275("11.3.6-a")
@pytest.mark.case("MN-134")
@pytest.mark.parametrize("to", [VISITED1.care_of(), HOME], ids=["straight", "tunnelled"])
def test_a_binding_error_that_answers_nothing_awaited_is_ignored(to: IPv6Address) -> None:
    bench, _, _ = registered()
    assert reasons(bench.take(bench.peer.error(2, to))) == ["unexpected-binding-error"]
    assert bench.direct == VISITED1.care_of()
    assert bench.state == "bound"


@pytest.mark.rfc6275("11.3.6-a")
def test_a_peer_without_the_binding_is_asked_anew() -> None:
    bench, _, _ = registered()
    effects = bench.take(bench.peer.error(1, VISITED1.care_of()))
    assert ends(effects) == ["unknown binding"]
    assert (len(inits(effects, HomeTestInit)), len(inits(effects, CareOfTestInit))) == (1, 1)
    assert len(peer_updates(bench.answer_tests(effects))) == 1
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("9.5.4-a", "11.7.3-a")
def test_a_refusal_comes_even_so() -> None:
    bench, update, _ = registered()
    effects = bench.take(bench.peer.acknowledgement(update, status=Status.ADMINISTRATIVELY_PROHIBITED))
    assert ends(effects) == ["refused"]
    assert bench.direct is None
    assert bench.state == "resting"


@pytest.mark.rfc6275("11.7.3-b", "11.7.3-c")
@pytest.mark.parametrize(
    ("fields", "sequence", "tests"),
    [
        ({"status": Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, "sequence": 77}, 78, (0, 0)),
        ({"status": Status.EXPIRED_HOME_NONCE_INDEX, "signed": False}, 2, (1, 0)),
        ({"status": Status.EXPIRED_NONCES, "signed": False}, 2, (1, 1)),
    ],
    ids=["sequence", "home nonce", "nonces"],
)
def test_what_can_be_mended_is_sent_again(fields: dict[str, Any], sequence: int, tests: tuple[int, int]) -> None:
    """Packets take the tunnel until it is, since the peer has no binding."""
    bench, update, _ = registered()
    effects = bench.take(bench.peer.acknowledgement(update, **fields))
    assert (len(inits(effects, HomeTestInit)), len(inits(effects, CareOfTestInit))) == tests
    effects += bench.answer_tests(effects)
    assert ends(effects) == ["refused"]
    kinds = [type(e) for e in effects if isinstance(e, InstallRouteOptimisation | RemoveRouteOptimisation)]
    assert kinds == [RemoveRouteOptimisation, InstallRouteOptimisation]
    (again,) = peer_updates(effects)
    assert message_of(again).sequence == sequence
    assert bench.direct == VISITED1.care_of()


@pytest.mark.rfc6275("11.7.3-a")
def test_an_acknowledgement_that_was_not_asked_for_counts() -> None:
    bench, update, _ = registered()
    assert reasons(bench.take(bench.peer.acknowledgement(update, lifetime=40))) == []
    assert bench.entry_of()["remaining"] == 40
    assert reasons(bench.take(bench.peer.acknowledgement(update))) == ["unexpected-acknowledgement"]


@pytest.mark.rfc6275("11.7.2-a", "11.7.4-a")
def test_a_binding_in_use_is_renewed_and_follows_a_move() -> None:
    bench, _, _ = registered(used=True)
    effects = bench.pass_time(LIFETIME * REFRESH_AT)
    (renewal,) = peer_updates(effects + bench.answer_tests(effects))
    assert (message_of(renewal).sequence, message_of(renewal).flags) == (2, BindingUpdateFlag(0))
    assert ends(effects) == []
    assert bench.entry_of()["remaining"] == LIFETIME
    effects = bench.register(VISITED2)
    (moved,) = peer_updates(bench.answer_tests(effects))
    assert moved.source == VISITED2.care_of()
    assert bench.direct == VISITED2.care_of()


@pytest.mark.rfc6275("11.7.2-a", "11.8-a")
def test_a_deletion_asks_for_its_acknowledgement() -> None:
    """The peer would go on sending to where nobody is."""
    bench, _, _ = registered()
    effects = bench.acknowledge(updates(bench.arrive(HOME_LINK))[-1], home=None)
    (deletion,) = peer_updates(effects)
    assert (message_of(deletion).lifetime, message_of(deletion).flags) == (0, BindingUpdateFlag.ACKNOWLEDGE)
    assert len(peer_updates(bench.pass_time(1.5))) == 1
    bench.take(bench.peer.acknowledgement(deletion, sequence=bench.entry_of(PEER)["sequence"]))
    assert bench.state == "none"
