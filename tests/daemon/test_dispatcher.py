"""The loop between an engine and the world: order, refusals, re-entrancy, faults, the one timer."""

import errno
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.secrets import Secrets
from lab.constants import RETRANS_TIMER, Status
from lab.daemon.dispatcher import DROPS_TOLD, FAULT_PAUSE, Dispatcher
from lab.engine.config import HomeAgentConfig
from lab.engine.home_agent import HomeAgent
from lab.engine.io import (
    AddAddress,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    DefendAddress,
    Effect,
    Engine,
    Input,
    InstallTunnel,
    JoinAnycast,
    JoinGroup,
    LeaveGroup,
    LinkUp,
    PlaneEffect,
    Received,
    Refused,
    Report,
    Send,
    StartDad,
    Started,
    StopDad,
)
from lab.engine.neighbor_discovery import anonymous_solicitation
from lab.errors import PlaneError
from lab.events import (
    DadFinished,
    DadStarted,
    EffectRefused,
    Event,
    LinkWentUp,
    MessageReceived,
    MessageSent,
    PacketDropped,
)
from lab.plane.memory import MemoryPlane
from lab.wire.mobility import BindingAcknowledgement, BindingRefreshRequest, BindingUpdate
from lab.wire.packet import OpaquePayload, Packet, mobility_packet
from tests.engine.home_agent_bench import AGENT, HOME, update
from tests.engine.mobile_node_bench import VISITED1, MobileBench, carrier

LINK = "eth0"
HERE, THERE = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
GROUP = IPv6Address("ff02::1:ff00:100")


def add(number: int) -> AddAddress:
    return AddAddress(interface=LINK, address=IPv6Address(number), prefix_length=64)


def send(interface: str | None = None) -> Send:
    return Send(packet=mobility_packet(HERE, THERE, BindingRefreshRequest()), interface=interface)


def report(name: str) -> Report:
    return Report(event=LinkWentUp(interface=name))


class Script:
    """An engine that answers as it was told, and notes what it was given."""

    def __init__(self) -> None:
        self.answers: dict[type[Any], Iterable[Effect]] = {}
        self.given: list[Input] = []
        self.instants: list[float] = []
        self.due: float | None = None
        self.before_answer: Callable[[Input], None] = lambda _: None

    def handle(self, happened: Input, now: float) -> Iterable[Effect]:
        self.given.append(happened)
        self.instants.append(now)
        self.before_answer(happened)
        return self.answers.get(type(happened), [])

    def deadline(self) -> float | None:
        return self.due

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        return []


@dataclass
class Outlet:
    """Notes what is sent; refuses what it is told to."""

    done: list[Any]
    refuse: bool = False
    on_send: Callable[[], None] = lambda: None

    def send(self, packet: Packet, interface: str | None) -> None:
        self._do(Send(packet=packet, interface=interface))
        self.on_send()

    def join(self, interface: str, group: IPv6Address) -> None:
        self._do(JoinGroup(interface=interface, group=group))

    def leave(self, interface: str, group: IPv6Address) -> None:
        self._do(LeaveGroup(interface=interface, group=group))

    def join_anycast(self, interface: str, address: IPv6Address) -> None:
        self._do(JoinAnycast(interface=interface, address=address))

    def _do(self, what: object) -> None:
        if self.refuse:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        self.done.append(what)


class Plane(MemoryPlane):
    """Notes what is carried out in one list with everything else."""

    def __init__(self, done: list[Any]) -> None:
        super().__init__()
        self._done = done

    def apply(self, effect: PlaneEffect) -> None:
        super().apply(effect)
        self._done.append(effect)


@dataclass
class World:
    """A dispatcher among fakes; `done` is what became real, in its order, and events are part of it."""

    engine: Engine
    done: list[Any] = field(default_factory=list)
    armed: list[float | None] = field(default_factory=list)
    now: float = 100.0
    make_plane: Callable[[list[Any]], Plane] = Plane

    def __post_init__(self) -> None:
        self.plane = self.make_plane(self.done)
        self.outlet = Outlet(self.done)
        self.dispatcher = Dispatcher(
            self.engine,
            self.plane,
            self.outlet,
            journal=self.done.append,
            clock=lambda: self.now,
            arm=self.armed.append,
        )

    def feed(self, happened: Input) -> list[Any]:
        """Feed an input; give what became real of it."""
        before = len(self.done)
        self.dispatcher.feed(happened)
        return self.done[before:]

    def events(self) -> list[Event]:
        return [what for what in self.done if isinstance(what, Event)]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def world(script: Script) -> World:
    return World(script)


def test_effects_are_carried_out_in_their_order(script: Script, world: World) -> None:
    script.answers[Started] = [report("a"), add(1), send(), JoinGroup(interface=LINK, group=GROUP), add(2), report("b")]
    done = world.feed(Started())
    sent = done.pop(3)
    assert isinstance(sent, MessageSent)
    group = JoinGroup(interface=LINK, group=GROUP)
    assert done == [report("a").event, add(1), send(), group, add(2), report("b").event]


@pytest.mark.rfc6275("10.3.1-g")
def test_a_refused_effect_becomes_an_input_and_nothing_behind_it_is_carried_out(script: Script, world: World) -> None:
    world.plane.refuse = frozenset({DefendAddress})
    defend = DefendAddress(interface=LINK, address=HOME)
    script.answers[Started] = [add(1), defend, add(2), send(), report("never")]
    script.answers[Refused] = [report("told")]
    done = world.feed(Started())
    reason = "DefendAddress is refused"
    assert done == [add(1), EffectRefused(effect="DefendAddress", reason=reason), report("told").event]
    assert script.given == [Started(), Refused(effect=defend, reason=reason)]


def test_effects_are_carried_out_as_they_are_found(script: Script, world: World) -> None:
    seen: list[list[Any]] = []

    def think() -> Iterator[Effect]:
        yield add(1)
        seen.append([*world.done])
        yield add(2)

    script.answers[Started] = think()
    assert world.feed(Started()) == [add(1), add(2)]
    assert seen == [[add(1)]]


def test_an_engine_thinks_to_the_end_before_it_hears_of_a_refusal(script: Script, world: World) -> None:
    world.plane.refuse = frozenset({AddAddress})
    heard: list[int] = []

    def think() -> Iterator[Effect]:
        yield add(1)
        yield send()
        heard.append(len(script.given))

    script.answers[Started] = think()
    assert [type(event) for event in world.feed(Started())] == [EffectRefused]
    assert (heard, [type(happened) for happened in script.given]) == ([1], [Started, Refused])


def test_an_engine_thinks_to_the_end_where_an_effect_is_at_fault(script: Script, world: World) -> None:
    heard: list[int] = []

    def think() -> Iterator[Effect]:
        yield send()
        yield add(1)
        heard.append(len(script.given))

    script.answers = {Started: think(), DeadlineReached: [add(2)]}
    world.outlet.on_send = fault
    sent, told = world.feed(Started())
    assert (sent, told) == (send(), PacketDropped(reason="internal-error", detail="Started"))
    assert heard == [1]
    assert world.feed(DeadlineReached()) == [add(2)]


def test_a_fault_amid_a_move_leaves_the_timers_of_a_mobile_node_right() -> None:
    """The Binding Update that was at fault is repeated as one that got lost."""
    bench = MobileBench()
    world = World(bench.node)
    world.feed(carrier())
    world.outlet.on_send = fault
    assert isinstance(world.feed(VISITED1.advertisement())[-1], PacketDropped)
    timeout = bench.config.first_bindack_timeout
    assert world.armed[-1] == world.now + timeout
    world.outlet.on_send = lambda: None
    world.now += timeout
    sent = [what.packet.payload for what in world.feed(DeadlineReached()) if isinstance(what, Send)]
    assert [message.sequence for message in sent if isinstance(message, BindingUpdate)] == [2]


def test_the_engine_hears_of_a_refusal_before_anything_else(script: Script, world: World) -> None:
    world.plane.refuse = frozenset({AddAddress})

    def feed_another(happened: Input) -> None:
        if isinstance(happened, Started):
            world.dispatcher.feed(DeadlineReached())

    script.before_answer = feed_another
    script.answers[Started] = [add(1)]
    world.feed(Started())
    assert [type(happened) for happened in script.given] == [Started, Refused, DeadlineReached]


def test_a_refusal_of_the_answer_to_a_refusal_is_told_as_well(script: Script, world: World) -> None:
    world.plane.refuse = frozenset({AddAddress, DefendAddress})
    defend = DefendAddress(interface=LINK, address=HOME)

    def stop_then(happened: Input) -> None:
        if happened == Refused(effect=defend, reason="DefendAddress is refused"):
            script.answers.clear()

    script.before_answer = stop_then
    script.answers = {Started: [add(1)], Refused: [defend, report("never")]}
    world.feed(Started())
    assert [type(happened) for happened in script.given] == [Started, Refused, Refused]
    assert [type(event) for event in world.events()] == [EffectRefused, EffectRefused]


@pytest.mark.rfc6275("10.3.1-g")
def test_a_home_agent_without_a_tunnel_acknowledges_with_130() -> None:
    """No acknowledgement precedes its route: where the plane refuses, the home agent has no resources."""
    config = HomeAgentConfig(interface=LINK, address=AGENT, home_prefixes=(IPv6Network("2001:db8:1::/64"),))
    world = World(HomeAgent(config, Secrets(b"seed")))
    world.plane.refuse = frozenset({InstallTunnel})
    world.feed(LinkUp(interface=LINK, link_layer_address=bytes(6), link_local_address=IPv6Address("fe80::1")))
    world.feed(update(1))
    world.now += RETRANS_TIMER
    done = world.feed(DeadlineReached())
    replies = [what.packet.payload for what in done if isinstance(what, Send)]
    acknowledged = [reply.status for reply in replies if isinstance(reply, BindingAcknowledgement)]
    assert acknowledged == [Status.INSUFFICIENT_RESOURCES]
    assert world.plane.defended == set()
    assert world.plane.tunnels == {}


def test_an_input_that_comes_while_another_is_handled_waits_for_its_turn(script: Script, world: World) -> None:
    script.answers = {Started: [send(), add(1), report("first")], DeadlineReached: [add(2)]}
    world.outlet.on_send = lambda: world.dispatcher.feed(DeadlineReached())
    done = world.feed(Started())
    assert [what for what in done if isinstance(what, AddAddress | LinkWentUp)] == [
        add(1),
        report("first").event,
        add(2),
    ]
    assert len(world.armed) == 1


def test_the_engine_is_given_the_instant_of_each_input(script: Script, world: World) -> None:
    world.feed(Started())
    world.now = 200.0
    world.feed(DeadlineReached())
    assert script.instants == [100.0, 200.0]


# Packets


def test_mobility_messages_are_journalled_when_they_come_and_when_they_have_left(script: Script, world: World) -> None:
    packet = mobility_packet(THERE, HERE, BindingRefreshRequest())
    script.answers[Received] = [send()]
    seen, *_, sent = world.feed(Received(packet=packet, interface=LINK))
    assert isinstance(seen, MessageReceived)
    assert (seen.message, seen.source, seen.destination) == ("Binding Refresh Request", THERE, HERE)
    assert isinstance(sent, MessageSent)
    assert (sent.message, sent.source, sent.destination) == ("Binding Refresh Request", HERE, THERE)


def test_other_packets_are_not_journalled(script: Script, world: World) -> None:
    packet = Packet(source=THERE, destination=HERE, payload=OpaquePayload(next_header=59, data=b""))
    script.answers[Received] = [Send(packet=packet)]
    assert world.feed(Received(packet=packet, interface=LINK)) == [Send(packet=packet)]


def test_a_packet_that_cannot_be_sent_is_told_and_the_rest_goes_on(script: Script, world: World) -> None:
    world.outlet.refuse = True
    script.answers[Started] = [send(), JoinGroup(interface=LINK, group=GROUP), add(1)]
    dropped, added = world.feed(Started())
    assert added == add(1)
    assert dropped == PacketDropped(
        reason="not-sent", source=HERE, destination=THERE, detail="Binding Refresh Request: Network is unreachable"
    )


def test_drops_are_counted_by_reason(script: Script, world: World) -> None:
    def drop(reason: str) -> Report:
        return Report(event=PacketDropped(reason=reason))

    script.answers[Started] = [drop("a"), drop("b"), drop("a")]
    world.feed(Started())
    world.feed(Started())
    told = [(e.reason, e.count) for e in world.events() if isinstance(e, PacketDropped)]
    assert told == [("a", 1), ("b", 1), ("a", 2), ("a", 3), ("b", 2), ("a", 4)]
    assert world.dispatcher.drops == {"a": 4, "b": 2}


def test_a_flood_of_drops_is_counted_and_not_all_written_down(script: Script, world: World) -> None:
    script.answers[Started] = [Report(event=PacketDropped(reason="a"))] * 100
    script.answers[DeadlineReached] = [Report(event=PacketDropped(reason="b"))]

    def told(after: float) -> list[tuple[str, int]]:
        world.now += after
        events = [*world.feed(Started()), *world.feed(DeadlineReached())]
        return [(event.reason, event.count) for event in events]

    first = [("a", count) for count in range(1, DROPS_TOLD + 1)]
    assert told(0.0) == [*first, ("b", 1)]
    assert told(0.9) == [("b", 2)]
    assert told(0.2) == [*(("a", count) for count in range(201, 201 + DROPS_TOLD)), ("b", 3)]
    assert world.dispatcher.drops == {"a": 300, "b": 3}


# Faults of an engine


def fault(*_: Input) -> None:
    raise RuntimeError("a fault of ours")


def test_an_engine_that_raises_is_counted_and_the_node_goes_on(script: Script, world: World) -> None:
    script.before_answer = fault
    assert world.feed(Started()) == [PacketDropped(reason="internal-error", detail="Started")]
    assert world.feed(Started()) == [PacketDropped(reason="internal-error", detail="Started", count=2)]
    script.before_answer = lambda _: None
    script.answers[Started] = [add(1)]
    assert world.feed(Started()) == [add(1)]
    assert world.dispatcher.drops == {"internal-error": 2}


def test_a_fault_does_not_lose_what_waits(script: Script, world: World) -> None:
    def feed_and_fail(happened: Input) -> None:
        if isinstance(happened, Started):
            world.dispatcher.feed(DeadlineReached())
            fault(happened)

    script.before_answer = feed_and_fail
    script.answers[DeadlineReached] = [add(1)]
    assert world.feed(Started())[-1] == add(1)


def test_an_engine_that_fails_at_its_deadline_does_not_keep_the_machine_busy(script: Script, world: World) -> None:
    script.due = world.now
    script.before_answer = fault
    world.feed(DeadlineReached())
    assert world.armed == [world.now + FAULT_PAUSE]
    script.before_answer = lambda _: None
    world.now += FAULT_PAUSE
    script.due = world.now + 0.5
    world.feed(DeadlineReached())
    assert world.armed[-1] == world.now + 0.5


# The timer


def test_the_timer_is_armed_anew_after_each_input(script: Script, world: World) -> None:
    for due in (None, 105.0, 103.0, None):
        script.due = due
        world.feed(Started())
    assert world.armed == [None, 105.0, 103.0, None]


def test_the_timer_is_armed_after_refusals_and_faults(script: Script, world: World) -> None:
    world.plane.refuse = frozenset({AddAddress})
    script.answers[Started] = [add(1)]
    script.due = 105.0
    world.feed(Started())
    script.before_answer = fault
    world.feed(Started())
    assert world.armed == [105.0, 105.0]


@pytest.mark.parametrize(("engine", "armed"), [(None, 101.0), (100.5, 100.5), (102.0, 101.0)])
def test_the_timer_goes_by_the_engine_or_duplicate_address_detection(
    script: Script, world: World, engine: float | None, armed: float
) -> None:
    script.answers[Started] = [StartDad(interface=LINK, address=HOME)]
    script.due = engine
    world.feed(Started())
    assert world.armed == [armed]


# Duplicate Address Detection


def test_an_address_that_nobody_claims_is_unique(script: Script, world: World) -> None:
    script.answers = {Started: [StartDad(interface=LINK, address=HOME), report("after")], DadSucceeded: [add(1)]}
    done = world.feed(Started())
    assert [type(what) for what in done] == [JoinGroup, DadStarted, Send, LinkWentUp]
    world.now += RETRANS_TIMER
    done = world.feed(DeadlineReached())
    assert [type(what) for what in done] == [LeaveGroup, DadFinished, AddAddress]
    assert script.given[1:] == [DeadlineReached(), DadSucceeded(address=HOME)]


def test_an_address_that_somebody_claims_is_not(script: Script, world: World) -> None:
    script.answers = {Started: [StartDad(interface=LINK, address=HOME)], DadFailed: [report("lost")]}
    world.feed(Started())
    seen = Received(packet=anonymous_solicitation(HOME), interface=LINK)
    assert [type(what) for what in world.feed(seen)] == [LeaveGroup, DadFinished, LinkWentUp]
    assert script.given[1:] == [seen, DadFailed(address=HOME)]
    assert world.armed[-1] is None


def test_a_test_that_is_given_up_has_no_result(script: Script, world: World) -> None:
    script.answers = {Started: [StartDad(interface=LINK, address=HOME), StopDad(address=HOME)]}
    world.feed(Started())
    world.now += RETRANS_TIMER
    world.feed(DeadlineReached())
    assert script.given == [Started(), DeadlineReached()]


# Whatever an engine answers


@given(
    st.lists(st.lists(st.integers(min_value=1, max_value=8), max_size=6), max_size=6),
    st.sets(st.integers(min_value=1, max_value=8), max_size=3),
)
def test_of_each_answer_the_part_before_a_refusal_is_carried_out(answers: list[list[int]], refused: set[int]) -> None:
    class Picky(Plane):
        def apply(self, effect: PlaneEffect) -> None:
            if isinstance(effect, AddAddress) and int(effect.address) in refused:
                raise PlaneError("refused")
            super().apply(effect)

    script = Script()
    world = World(script, make_plane=Picky)
    expected: list[int] = []
    for answer in answers:
        script.answers[Started] = [add(number) for number in answer]
        world.feed(Started())
        for number in answer:
            if number in refused:
                break
            expected.append(number)
    assert [int(effect.address) for effect in world.plane.applied if isinstance(effect, AddAddress)] == expected
    told = sum(isinstance(happened, Refused) for happened in script.given)
    assert told == sum(bool(refused & {*answer}) for answer in answers)
