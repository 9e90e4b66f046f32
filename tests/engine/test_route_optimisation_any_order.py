"""A mobile node and two correspondents, whatever happens in whatever order (RFC 6275 §11.6 to §11.8)."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lab.constants import MAX_UPDATE_RATE, Status
from lab.engine.config import DadMode
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    Input,
    InstallRouteOptimisation,
    LinkDown,
    LinkHint,
    PeerHeard,
    Received,
    Refused,
    Send,
    Used,
)
from lab.events import KeygenTokenReceived, RouteOptimisationEnded, RouteOptimisationStarted
from lab.wire.icmpv6 import ParameterProblem
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTestInit,
    HomeTestInit,
)
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.effects import events, of_kind
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    acknowledgement,
    carrier,
)
from tests.engine.route_optimisation_bench import OTHER, PEER, Peer, RouteBench, inits, peer_updates, route_config

PEERS = {PEER: Peer(PEER), OTHER: Peer(OTHER, b"o" * 20)}
STATES = ["none", "testing", "half tested", "updating", "bound", "expiring", "renewing", "deleting", "resting"]


def in_state(state: str) -> RouteBench:
    """Bring the peer's entry into a state."""
    bench = RouteBench()
    bench.register(VISITED1)
    match state:
        case "none":
            pass
        case "testing" | "half tested" | "resting":
            effects = bench.hear()
            if state == "half tested":
                bench.take(bench.peer.care_of_test(inits(effects, CareOfTestInit)[0]))
            if state == "resting":
                bench.pass_time(20)
        case "updating":
            bench.test()
        case _:
            bench.take(bench.peer.acknowledgement(bench.test()))
    match state:
        case "expiring":
            bench.pass_time(400)
        case "renewing":
            bench.take(bench.peer.refresh_request())
        case "deleting":
            bench.arrive(HOME_LINK)
            sequence = bench.entry["sequence"]
            message = BindingAcknowledgement(status=0, sequence=sequence, lifetime=0)
            bench.take(acknowledgement(message, home=None))
    assert bench.state == {"half tested": "testing", "renewing": "updating"}.get(state, state)
    return bench


def about(message: HomeTestInit | CareOfTestInit) -> bytes:
    return build(mobility_packet(HOME if isinstance(message, HomeTestInit) else VISITED1.care_of(), PEER, message))


def error(code: int, message: HomeTestInit | CareOfTestInit) -> Received:
    problem = ParameterProblem(code=code, pointer=40, invoking=about(message))
    return Received(packet=Packet(source=PEER, destination=HOME, payload=problem), interface=INTERFACE)


INPUTS: dict[str, Input] = {
    "heard": PeerHeard(home_address=HOME, peer=PEER),
    "other heard": PeerHeard(home_address=HOME, peer=OTHER),
    "used": Used(home_address=HOME, peer=PEER, used=True),
    "unused": Used(home_address=HOME, peer=PEER, used=False),
    "not installed": Refused(
        effect=InstallRouteOptimisation(home_address=HOME, peer=PEER, care_of_address=VISITED1.care_of()), reason="test"
    ),
    "refresh request": PEERS[PEER].refresh_request(),
    "refresh request to the care-of address": Received(
        packet=mobility_packet(PEER, VISITED1.care_of(), BindingRefreshRequest(), routed_home_address=HOME),
        interface=INTERFACE,
    ),
    "unknown binding": PEERS[PEER].error(1, VISITED1.care_of()),
    "unknown message": PEERS[PEER].error(2, HOME),
    "unknown binding at the home agent": Peer(AGENT).error(1, VISITED1.care_of()),
    "no mobility header": error(1, HomeTestInit(cookie=bytes(8))),
    "no home address option": error(2, CareOfTestInit(cookie=bytes(8))),
    "unsigned acknowledgement": Received(
        packet=mobility_packet(
            PEER,
            VISITED1.care_of(),
            BindingAcknowledgement(status=0, sequence=1, lifetime=60),
            routed_home_address=HOME,
        ),
        interface=INTERFACE,
    ),
    "link up": carrier(),
    "link down": LinkDown(interface=INTERFACE),
    "link hint": LinkHint(interface=INTERFACE),
    "at home": HOME_LINK.advertisement(),
    "foreign link": VISITED1.advertisement(),
    "other foreign link": VISITED2.advertisement(),
    "short prefix": VISITED1.advertisement(valid=100),
    "care-of address unique": DadSucceeded(address=VISITED1.care_of()),
    "care-of address duplicate": DadFailed(address=VISITED1.care_of()),
    "home address duplicate": DadFailed(address=HOME),
    "home address unique": DadSucceeded(address=HOME),
    "deadline": DeadlineReached(),
}


@pytest.mark.rfc6275("11.1-a")
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("happened", INPUTS)
def test_every_input_in_every_state(state: str, happened: str) -> None:
    """Nothing raises, everything sent can be built, and time goes on."""
    bench = in_state(state)
    bench.now += 0.5
    effects = bench.take(INPUTS[happened]) + bench.pass_time(1000)
    for effect in of_kind(effects, Send):
        assert parse(build(effect.packet)) == effect.packet
    due = bench.node.deadline()
    assert due is None or due >= bench.now


class AnyOrder(RuleBasedStateMachine):
    """Inputs, answers and errors in any order; what was sent is kept, and answered late or never."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = RouteBench()
        self.times: dict[tuple[IPv6Address, type[Any]], list[float]] = {}
        self.open: dict[IPv6Address, list[Packet]] = {peer: [] for peer in PEERS}
        self.tokens: set[tuple[IPv6Address, str]] = set()
        self.accepted: set[tuple[IPv6Address, IPv6Address]] = set()
        self.started: set[IPv6Address] = set()

    def do(self, happened: Input) -> list[Effect]:
        effects = self.bench.take(happened)
        self.look_at(effects)
        return effects

    def look_at(self, effects: list[Effect]) -> None:
        for event in events(effects, KeygenTokenReceived):
            self.tokens.add((event.peer, event.kind))
        for effect in of_kind(effects, Send):
            packet = parse(build(effect.packet))
            if packet.destination not in PEERS:
                continue
            assert packet.routed_home_address is None
            self.times.setdefault((packet.destination, type(packet.payload)), []).append(self.bench.now)
            self.open[packet.destination].append(packet)
            match packet.payload:
                case HomeTestInit():
                    assert (packet.source, packet.headers) == (HOME, ())
                    assert effect.tunnelled is (self.bench.entry["place"] == "away")
                case CareOfTestInit():
                    assert packet.headers == ()
                    assert str(packet.source) == self.bench.entry["care_of_address"]
                    assert not effect.tunnelled
                case BindingUpdate(lifetime=0):
                    assert (packet.source, packet.headers) == (HOME, ())
                    assert self.bench.entry["place"] == "athome"
                    assert (packet.destination, "home") in self.tokens
                case BindingUpdate(lifetime=lifetime):
                    assert packet.home_address == HOME
                    assert {(packet.destination, "home"), (packet.destination, "care-of")} <= self.tokens
                    assert lifetime <= 420
                    assert lifetime <= self.bench.entry["remaining"]
        for begun in events(effects, RouteOptimisationStarted):
            assert (begun.peer, begun.care_of_address) in self.accepted
            assert begun.peer not in self.started
            self.started.add(begun.peer)
        for ended in events(effects, RouteOptimisationEnded):
            self.started.discard(ended.peer)

    @rule(happened=st.sampled_from(sorted(INPUTS)))
    def happen(self, happened: str) -> None:
        self.do(INPUTS[happened])

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.3, 1.0, 5.0, 60.0, 200.0, 400.0]))
    def wait(self, seconds: float) -> None:
        end = self.bench.now + seconds
        while (due := self.bench.node.deadline()) is not None and due <= end:
            self.bench.now = max(due, self.bench.now)
            self.look_at(self.bench.take(DeadlineReached()))
        self.bench.now = end

    @rule(link=st.sampled_from([HOME_LINK, VISITED1, VISITED2]))
    def move(self, link: Any) -> None:
        self.look_at(self.bench.arrive(link))

    @rule(status=st.sampled_from([0, 0, 0, 128, 133]))
    def home_agent_answers(self, status: int) -> None:
        message = BindingAcknowledgement(status=status, sequence=self.bench.entry["sequence"], lifetime=3600)
        home = None if self.bench.entry["place"] == "returning" else HOME
        self.do(acknowledgement(message, home=home))

    @precondition(lambda self: any(self.open.values()))
    @rule(data=st.data())
    def peer_answers(self, data: st.DataObject) -> None:
        peer = data.draw(st.sampled_from(sorted(address for address, packets in self.open.items() if packets)))
        back = data.draw(st.integers(0, min(len(self.open[peer]), 3) - 1))
        packet, script = self.open[peer][-1 - back], PEERS[peer]
        tunnelled = self.bench.entry["place"] == "away"
        match packet.payload:
            case HomeTestInit():
                self.do(script.home_test(packet, tunnelled=tunnelled))
            case CareOfTestInit():
                self.do(script.care_of_test(packet))
            case BindingUpdate() as update:
                status = data.draw(st.sampled_from([0, 0, 0, 129, 135, 136, 137, 138]))
                lifetime = data.draw(st.sampled_from([0, 4, update.lifetime]))
                if status == 0:
                    self.accepted.add((peer, packet.source))
                self.do(
                    script.acknowledgement(
                        packet,
                        status=status,
                        signed=status not in (136, 137, 138),
                        lifetime=lifetime,
                        sequence=update.sequence + 7
                        if status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
                        else update.sequence,
                    )
                )

    @invariant()
    def nothing_is_sent_too_often(self) -> None:
        for times in self.times.values():
            for position in range(MAX_UPDATE_RATE, len(times)):
                assert times[position] >= times[position - MAX_UPDATE_RATE] + 1.0

    @invariant()
    def paths_are_open_from_the_care_of_address_alone(self) -> None:
        entry = self.bench.entry
        for effect in self.bench.plane.direct.values():
            assert entry["place"] == "away"
            assert str(effect.care_of_address) == entry["care_of_address"]
            assert (effect.peer, effect.care_of_address) in self.accepted
        assert {effect.peer for effect in self.bench.plane.direct.values()} == self.started

    @invariant()
    def time_goes_on(self) -> None:
        self.bench.node.snapshot(self.bench.now)


class AnyOrderTestedFirst(AnyOrder):
    """The same for a node that uses an address only after its test."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = RouteBench(route_config(dad=DadMode.STANDARD, lifetime=60))


class AnyOrderFromBound(AnyOrder):
    """The same from where both peers are bound."""

    def __init__(self) -> None:
        super().__init__()
        self.look_at(self.bench.register(VISITED1))
        for peer, script in PEERS.items():
            self.bench.peer = script
            self.look_at(self.bench.hear(peer))
            for kind in (HomeTestInit, CareOfTestInit):
                (init,) = [packet for packet in self.open[peer] if isinstance(packet.payload, kind)]
                answer = script.home_test(init) if kind is HomeTestInit else script.care_of_test(init)
                effects = self.do(answer)
            (update,) = peer_updates(effects, peer)
            self.accepted.add((peer, update.source))
            self.do(script.acknowledgement(update))


TestAnyOrder = AnyOrder.TestCase
TestAnyOrderTestedFirst = AnyOrderTestedFirst.TestCase
TestAnyOrderFromBound = AnyOrderFromBound.TestCase
