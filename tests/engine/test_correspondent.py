"""What a correspondent answers, keeps and refuses, state by state (RFC 6275 §9)."""

import pickle
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest

from lab.constants import Status
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import REFRESH_AT, REFRESH_REQUESTS, UNREACHABLE_LIMIT
from lab.engine.io import (
    AskUse,
    DeadlineReached,
    Input,
    InstallBinding,
    LinkDown,
    Malformed,
    Refused,
    RemoveBinding,
    Started,
    Used,
)
from lab.errors import MalformedReason, WireError
from lab.events import (
    BindingDeregistered,
    BindingRefreshRequested,
    BindingRegistered,
    BindingRejected,
    BindingRemoved,
    PacketDropped,
    RegistrationKind,
)
from lab.wire.icmpv6 import DestinationUnreachable, ParameterProblem
from lab.wire.mobility import (
    BindingError,
    BindingUpdate,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    UnknownMobilityMessage,
)
from lab.wire.packet import OpaquePayload, Packet, mobility_packet
from tests.engine.correspondent_bench import (
    CARE_OF,
    COOKIE,
    HOME,
    NO_FLAGS,
    OTHER_CARE_OF,
    PEER,
    ROUTER,
    A,
    Bench,
    H,
    arrived,
    carried,
    echo,
    unreachable,
)
from tests.engine.effects import events, names, of_kind, sent
from tests.engine.home_agent_bench import acknowledgements, status

OTHER_HOME = IPv6Address("2001:db8:1::200")
THIRD_HOME = IPv6Address("2001:db8:1::300")
MALFORMED = Malformed(
    error=WireError(MalformedReason.BAD_PAYLOAD_PROTO, "no", 40),
    source=CARE_OF,
    destination=PEER,
    invoking=b"octets",
    interface="cn-eth0",
)


def in_state(state: str) -> Bench:
    """Give a bench on which the home address is in a state."""
    bench = Bench()
    if state != "absent":
        bench.register(10, lifetime=400)
    if state == "ended":
        bench.take(bench.update(11, lifetime=0))
    assert bench.states().get(HOME, "absent") == state
    return bench


STATES = ("absent", "bound", "ended")
BA, BE = "BindingAcknowledgement", "BindingError"
INPUTS: dict[str, tuple[list[str], list[str], list[str], str]] = {
    # Effects in each of the states, without reports; what the state becomes (- for as it was).
    "started": ([], [], [], "---"),
    "link down": ([], [], [], "---"),
    "malformed": (["ParameterProblem"], ["ParameterProblem"], ["ParameterProblem"], "---"),
    "home test init": (["HomeTest"], ["HomeTest"], ["HomeTest"], "---"),
    "care-of test init": (["CareOfTest"], ["CareOfTest"], ["CareOfTest"], "---"),
    "newer": (["InstallBinding", BA], [BA], ["InstallBinding", BA], "B-B"),
    "newer, moved": (["InstallBinding", BA], ["InstallBinding", BA], ["InstallBinding", BA], "B-B"),
    "newer, A clear": (["InstallBinding"], [], ["InstallBinding"], "B-B"),
    "not newer": (["InstallBinding", BA], [BA], [BA], "B--"),
    "deletion": (["RemoveBinding", BA], ["RemoveBinding", BA], ["RemoveBinding", BA], "EE-"),
    "deletion, not newer": (["RemoveBinding", BA], [BA], [BA], "E--"),
    "home registration": ([BA], [BA], [BA], "---"),
    "forged": ([], [], [], "---"),
    "unknown nonces": ([BA], [BA], [BA], "---"),
    "payload": ([BE], [], [BE], "---"),
    "unknown type": ([BE], [BE], [BE], "---"),
    "unreachable": ([], [], [], "---"),
    "in use": ([], ["BindingRefreshRequest"], [], "---"),
    "not in use": ([], [], [], "---"),
    "of a peer": ([], [], [], "---"),
    "nothing due": ([], [], [], "---"),
    "plane refuses": ([], ["RemoveBinding"], [], "-E-"),
    "plane refuses removal": ([], [], [], "---"),
}


def made(name: str, bench: Bench) -> Input:
    """Make an input."""
    install = InstallBinding(home_address=HOME, care_of_address=CARE_OF)
    match name:
        case "started":
            return Started()
        case "link down":
            return LinkDown(interface="cn-eth0")
        case "malformed":
            return MALFORMED
        case "home test init":
            return carried(HomeTestInit(cookie=COOKIE), source=HOME)
        case "care-of test init":
            return carried(CareOfTestInit(cookie=COOKIE))
        case "newer":
            return bench.update(12)
        case "newer, moved":
            return bench.update(12, care_of=OTHER_CARE_OF)
        case "newer, A clear":
            return bench.update(12, flags=NO_FLAGS)
        case "not newer":
            return bench.update(10)
        case "deletion":
            return bench.update(12, lifetime=0)
        case "deletion, not newer":
            return bench.update(10, lifetime=0, care_of=HOME)
        case "home registration":
            message = BindingUpdate(sequence=12, flags=A | H, lifetime=60)
            return arrived(mobility_packet(CARE_OF, PEER, message, home_address=HOME))
        case "forged":
            return bench.update(12, tokens=bench.tokens(OTHER_HOME))
        case "unknown nonces":
            update, bench.now = bench.update(12), bench.now + 240.0
            return update
        case "payload":
            return echo()
        case "unknown type":
            return carried(UnknownMobilityMessage(mh_type=8, data=bytes(10)))
        case "unreachable":
            return unreachable()
        case "in use" | "not in use":
            return Used(home_address=HOME, peer=None, used=name == "in use")
        case "of a peer":
            return Used(home_address=HOME, peer=PEER, used=True)
        case "nothing due":
            return DeadlineReached()
        case "plane refuses":
            return Refused(effect=install, reason="full")
        case "plane refuses removal":
            return Refused(effect=RemoveBinding(home_address=HOME), reason="gone")
    raise AssertionError(name)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_in_every_state(state: str, name: str) -> None:
    bench = in_state(state)
    place = STATES.index(state)
    expected, becomes = INPUTS[name][:3][place], INPUTS[name][3][place]
    assert names(bench.take(made(name, bench))) == expected
    assert bench.states().get(HOME, "absent") == {"-": state, "B": "bound", "E": "ended"}[becomes]
    assert {*bench.installed} == {home for home, now in bench.states().items() if now == "bound"}


def refused(bench: Bench, happened: Input) -> str:
    """Give the reason why a packet is dropped in silence."""
    effects = bench.take(happened)
    assert sent(effects) == []
    (event,) = events(effects, PacketDropped)
    return event.reason


@pytest.mark.rfc6275("8.2-a")
@pytest.mark.parametrize("name", ["home test init", "care-of test init", "home registration"])
def test_switched_off(name: str) -> None:
    bench = Bench(CorrespondentConfig(route_optimisation=False))
    assert refused(bench, made(name, Bench())) == "route-optimisation-off"
    assert refused(bench, Bench().update()) == "route-optimisation-off"
    assert names(bench.take(echo())) == [BE]  # what does not belong to it is answered as ever (§9.3.1)


@pytest.mark.rfc6275("9.4.1-a", "9.4.2-a", "9.5.1-a", "6.3-b", "6.4-a")
def test_silent_drops() -> None:
    bench = Bench()
    message = BindingUpdate(sequence=1, flags=A, lifetime=60)
    foreign = mobility_packet(CARE_OF, PEER, CareOfTestInit(cookie=COOKIE), routed_home_address=HOME)
    multicast, link_local = IPv6Address("ff0e::1"), IPv6Address("fe80::1")
    for reason, happened in (
        ("unauthorized-binding-update", carried(message, home=HOME)),
        ("invalid-home-address", carried(message, home=multicast)),
        ("invalid-home-address", carried(message, source=link_local)),
        ("invalid-home-address", echo(home=link_local)),
        ("invalid-source", carried(HomeTestInit(cookie=COOKIE), source=link_local)),
        ("home-address-option", carried(CareOfTestInit(cookie=COOKIE), home=HOME)),
        ("unexpected-message", carried(BindingError(status=1, home_address=HOME))),
        ("unsupported-packet", carried(OpaquePayload(next_header=17, data=b""))),
        ("unsupported-packet", carried(OpaquePayload(next_header=50, data=b""), home=HOME)),
        ("foreign-routing-header", arrived(foreign)),
    ):
        assert refused(bench, happened) == reason
    bench.register()
    assert refused(bench, echo()) == "early-packet"


@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
def test_the_rest_is_the_kernels() -> None:
    bench = Bench()
    assert bench.take(echo(home=None)) == []
    assert bench.node.deadline() is None
    assert bench.node.snapshot(0.0) == []


@pytest.mark.rfc6275("9.5.1-d", "9.5.4-a")
def test_an_answer_is_addressed_as_the_question_was() -> None:
    bench = Bench()
    ((answer, _),) = acknowledgements(bench.register(1))
    assert (answer.source, answer.destination, answer.routed_home_address) == (PEER, CARE_OF, HOME)
    ((answer, _),) = acknowledgements(bench.take(bench.update(2, lifetime=0, care_of=HOME)))
    assert (answer.source, answer.destination, answer.routed_home_address) == (PEER, HOME, None)


def test_kinds_of_registration() -> None:
    bench = Bench()
    kinds = []
    for sequence, care_of in enumerate((CARE_OF, CARE_OF, OTHER_CARE_OF)):
        (event,) = events(bench.register(sequence, care_of=care_of), BindingRegistered)
        kinds.append(event.kind)
    assert kinds == [RegistrationKind.NEW, RegistrationKind.REFRESHED, RegistrationKind.MOVED]
    assert bench.installed == {HOME: OTHER_CARE_OF}
    (ended,) = events(bench.take(bench.update(9, lifetime=0)), BindingDeregistered)
    assert (ended.home_address, ended.sequence) == (HOME, 9)


def test_the_snapshot_tells_what_is_kept() -> None:
    bench = Bench()
    bench.register(7, lifetime=400)
    bench.now += 100.0
    (entry,) = bench.node.snapshot(bench.now)
    assert entry == {
        "home_address": str(HOME),
        "care_of_address": str(CARE_OF),
        "state": "bound",
        "sequence": 7,
        "lifetime": 400,
        "remaining": 300.0,
    }
    assert bench.node.has_binding(HOME)
    bench.take(bench.update(8, lifetime=0))
    (entry,) = bench.node.snapshot(bench.now)
    assert entry == {"home_address": str(HOME), "state": "ended", "sequence": 8, "remaining": 240.0}
    assert not bench.node.has_binding(HOME)
    bench.pass_time(240.0)
    assert bench.node.snapshot(bench.now) == []
    assert bench.node.deadline() is None


@pytest.mark.rfc6275("5.2.8-a")
def test_a_sequence_number_is_kept_as_long_as_the_newest_nonces_are_good() -> None:
    bench = Bench()
    early = bench.tokens()
    bench.now += 100.0
    late = bench.tokens()
    captured = bench.update(5, tokens=late, lifetime=4)
    assert status(bench.take(captured)) == Status.ACCEPTED
    assert status(bench.take(bench.update(6, tokens=early, lifetime=4))) == Status.ACCEPTED
    bench.pass_time(140.0)  # the nonces of the last Binding Update are forgotten, those of the one before are not
    assert status(bench.take(captured)) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    bench.take(bench.update(7, lifetime=0))
    assert status(bench.take(captured)) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    bench.pass_time(100.0)
    assert status(bench.take(captured)) == Status.EXPIRED_NONCES
    bench.pass_time(240.0)
    assert bench.states() == {}


@pytest.mark.rfc6275("5.2.8-a", "15.4.4-a")
def test_nor_does_a_binding_after_the_deletion_shorten_it() -> None:
    bench = Bench()
    early = bench.tokens()
    bench.now += 100.0
    late = bench.tokens()
    captured = bench.update(5, tokens=late)
    bench.take(captured)
    bench.take(bench.update(6, tokens=late, lifetime=0))
    bench.take(bench.update(7, tokens=early, lifetime=4))
    bench.pass_time(140.0)
    assert status(bench.take(captured)) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW


@pytest.mark.rfc6275("9.5.1-d")
def test_nonce_indices_come_once() -> None:
    """Twice they would leave open which of them count."""
    bench = Bench()
    packet = bench.update(1).packet
    message = packet.payload
    assert isinstance(message, BindingUpdate)
    doubled = replace(message, options=(message.options[0], *message.options))
    assert refused(bench, arrived(replace(packet, payload=doubled))) == "unauthorized-binding-update"


@pytest.mark.rfc6275("9.5.1-f")
def test_refused_by_policy() -> None:
    bench = Bench(CorrespondentConfig(refused=(IPv6Network("2001:db8:1::/64"),)))
    effects = bench.register()
    assert status(effects) == Status.ADMINISTRATIVELY_PROHIBITED
    assert [event.status for event in events(effects, BindingRejected)] == [Status.ADMINISTRATIVELY_PROHIBITED]
    assert bench.states() == {}


@pytest.mark.rfc6275("9.5.1-f")
def test_no_room() -> None:
    bench = Bench(CorrespondentConfig(max_bindings=1))
    bench.register(1)
    assert status(bench.take(bench.update(1, home=OTHER_HOME))) == Status.INSUFFICIENT_RESOURCES
    assert status(bench.register(2)) == Status.ACCEPTED
    bench.take(bench.update(3, lifetime=0))
    assert status(bench.take(bench.update(2, home=OTHER_HOME))) == Status.ACCEPTED
    none = Bench(CorrespondentConfig(max_bindings=0, evict=True))
    assert status(none.register()) == Status.INSUFFICIENT_RESOURCES


@pytest.mark.rfc6275("9.6-a", "5.2.8-a")
def test_what_ends_first_makes_room() -> None:
    bench = Bench(CorrespondentConfig(max_bindings=2, evict=True))
    short = bench.update(1, lifetime=40, home=OTHER_HOME)
    bench.take(short)
    bench.register(1)
    effects = bench.take(bench.update(1, home=THIRD_HOME))
    assert names(effects) == ["RemoveBinding", "InstallBinding", BA]
    (removed,) = events(effects, BindingRemoved)
    assert (removed.home_address, removed.reason) == (OTHER_HOME, "evicted")
    assert {*bench.installed} == {HOME, THIRD_HOME}
    assert status(bench.take(short)) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW


@pytest.mark.rfc6275("5.2.8-a")
def test_what_is_evicted_late_is_forgotten_at_once() -> None:
    bench = Bench(CorrespondentConfig(max_bindings=1, evict=True))
    bench.register(1)
    bench.pass_time(300.0)
    bench.take(bench.update(1, home=OTHER_HOME))
    bench.pass_time(0.0)
    assert bench.states() == {OTHER_HOME: "bound"}


def test_without_a_route_there_is_no_answer() -> None:
    """The dispatcher drops the acknowledgement behind the effect that the plane refuses."""
    bench = Bench()
    bench.register(1)
    effects = bench.take(Refused(effect=InstallBinding(home_address=HOME, care_of_address=CARE_OF), reason="full"))
    assert names(effects) == ["RemoveBinding"]
    assert [event.reason for event in events(effects, BindingRemoved)] == ["refused"]
    assert bench.states() == {HOME: "ended"}


@pytest.mark.rfc6275("9.5.2-a")
def test_lifetimes_are_cut_to_what_is_allowed() -> None:
    bench = Bench(CorrespondentConfig(max_binding_lifetime=100))
    for sequence, asked, granted in ((1, 400, 100), (2, 100, 100), (3, 8, 8), (4, 4, 4)):
        ((_, message),) = acknowledgements(bench.register(sequence, lifetime=asked))
        assert message.lifetime == granted


@pytest.mark.rfc6275("9.5.2-a", "5.2.7-a")
def test_the_older_test_need_not_count() -> None:
    """A home keygen token used again does not make the binding of a new care-of address shorter (§5.2.7)."""
    bench = Bench()
    early = bench.tokens()
    bench.now += 200.0
    late = bench.tokens(care_of=OTHER_CARE_OF)
    tokens = type(early)(early.home, late.care_of)
    ((_, message),) = acknowledgements(bench.take(bench.update(1, tokens=tokens, care_of=OTHER_CARE_OF)))
    assert message.lifetime == 420


# Binding Refresh Requests, §9.5.5


@pytest.mark.rfc6275("9.5.5-a")
def test_a_binding_in_use_is_asked_for_a_few_times() -> None:
    bench = Bench()
    began = bench.now
    bench.register(lifetime=400)
    times = []
    while HOME in bench.states():
        due = bench.node.deadline()
        assert due is not None
        effects = bench.pass_time(due - bench.now)
        times += [bench.now - began] * len(of_kind(effects, AskUse))
        requests = [packet for packet in sent(effects) if packet.headers == ()]
        assert [(packet.source, packet.destination) for packet in requests] == [(PEER, HOME)] * len(requests)
        assert [e.attempt for e in events(effects, BindingRefreshRequested)] == [len(times)] * len(requests)
    assert times == [400 * REFRESH_AT + 25.0 * number for number in range(REFRESH_REQUESTS)]
    assert bench.now == began + 400.0
    assert bench.states() == {}
    assert bench.installed == {}


def test_the_end_of_a_binding_is_told() -> None:
    bench = Bench(used=False)
    bench.register(lifetime=40)
    effects = bench.pass_time(40.0)
    assert names(effects) == ["AskUse", "RemoveBinding"]
    assert [event.reason for event in events(effects, BindingRemoved)] == ["expired"]
    assert bench.states() == {HOME: "ended"}


@pytest.mark.rfc6275("9.5.5-a")
def test_once_unused_it_is_left_alone() -> None:
    bench = Bench()
    bench.register(lifetime=400)
    assert len(of_kind(bench.pass_time(301.0), AskUse)) == 1
    bench.used = False
    assert names(bench.pass_time(500.0)) == ["AskUse", "RemoveBinding"]


def test_a_late_answer_means_nothing() -> None:
    bench = Bench()
    bench.register(lifetime=4)
    bench.now += 4.0
    assert bench.take(Used(home_address=HOME, peer=None, used=True)) == []


# Errors about straight packets, §9.3.4


@pytest.mark.rfc6275("9.3.4-a")
def test_so_many_errors_end_a_binding() -> None:
    bench = Bench()
    bench.register(1)
    for _ in range(UNREACHABLE_LIMIT - 1):
        assert bench.take(unreachable()) == []
    bench.register(2)  # a Binding Update proves that it is reachable
    for _ in range(UNREACHABLE_LIMIT - 1):
        assert bench.take(unreachable()) == []
    assert bench.take(unreachable(care_of=OTHER_CARE_OF)) == []
    assert bench.take(unreachable(home=OTHER_HOME)) == []
    effects = bench.take(unreachable())
    assert names(effects) == ["RemoveBinding"]
    assert [event.reason for event in events(effects, BindingRemoved)] == ["unreachable"]


@pytest.mark.parametrize("invoking", [b"", bytes(40), bytes((0x60,)) + bytes(39)])
def test_errors_about_nothing_of_ours(invoking: bytes) -> None:
    bench = Bench()
    bench.register()
    assert bench.take(carried(DestinationUnreachable(code=0, invoking=invoking), source=ROUTER)) == []


# A correspondent that is mobile itself, §6.4, §9.5.4


@pytest.mark.rfc6275("5.2.6-b", "6.4-a", "9.4.3-a")
def test_a_mobile_correspondent_means_its_home_address() -> None:
    bench = Bench(own_home_address=OTHER_HOME)
    init = mobility_packet(HOME, PEER, HomeTestInit(cookie=COOKIE), routed_home_address=OTHER_HOME)
    (answer,) = sent(bench.take(arrived(init)))
    assert isinstance(answer.payload, HomeTest)
    assert (answer.source, answer.destination) == (OTHER_HOME, HOME)
    foreign = mobility_packet(HOME, PEER, HomeTestInit(cookie=COOKIE), routed_home_address=THIRD_HOME)
    assert refused(bench, arrived(foreign)) == "foreign-routing-header"


# Memory, §5.2.5


@pytest.mark.rfc6275("5.2.5-a", "15.4.5-a")
def test_a_flood_leaves_nothing_behind() -> None:
    bench = Bench()
    tokens = bench.tokens()
    bench.take(bench.update(tokens=bench.tokens(OTHER_HOME), home=HOME))  # forged: and counted once
    before = len(pickle.dumps(bench.node))
    for number in range(300):
        source = IPv6Address(int(HOME) + 1 + number)
        bench.take(carried(HomeTestInit(cookie=COOKIE), source=source))
        bench.take(carried(CareOfTestInit(cookie=COOKIE), source=source))
        bench.take(bench.update(number, tokens=tokens, home=source))
        bench.take(bench.update(number, tokens=tokens, home=source, lifetime=0))
        bench.take(echo(home=source))
    assert bench.node.snapshot(bench.now) == []
    assert bench.node.deadline() is None
    assert len(pickle.dumps(bench.node)) <= before + 64  # numbers may take more digits


def test_a_parameter_problem_tells_what_was_wrong() -> None:
    (answer,) = sent(Bench().take(MALFORMED))
    problem = ParameterProblem(code=0, pointer=40, invoking=b"octets")
    assert answer == Packet(source=PEER, destination=CARE_OF, payload=problem)
