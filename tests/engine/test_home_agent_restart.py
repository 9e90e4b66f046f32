"""A home agent that was restarted: what it remembered before it answered, and what it makes of it (RFC 6275 §15.3)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.constants import MAX_DELETE_BCE_TIMEOUT, Status
from lab.engine.config import HomeAgentConfig
from lab.engine.io import (
    BindingRecord,
    DadFailed,
    DadSucceeded,
    DefendAddress,
    Effect,
    Forget,
    InstallTunnel,
    Recalled,
    Refused,
    Remember,
    StartDad,
    StopDefending,
)
from lab.engine.sequence import is_newer
from lab.events import BindingRecalled, BindingRemoved
from tests.engine.effects import events, names, of_kind
from tests.engine.home_agent_bench import (
    AGENT,
    CARE_OF,
    HOME,
    LINK_LOCAL,
    OTHER_CARE_OF,
    PREFIX,
    A,
    Bench,
    H,
    L,
    acknowledgements,
    from_home,
    status,
    update,
)

RECORD = BindingRecord(
    home_address=HOME, care_of_address=CARE_OF, sequence=7, lifetime=60, link_local=None, deadline=1040.0
)
ENDED = replace(RECORD, care_of_address=None, lifetime=0, deadline=1005.0)


def recalled(record: BindingRecord = RECORD, bench: Bench | None = None) -> Bench:
    bench = bench or Bench()
    bench.take(Recalled(record=record))
    return bench


# What is remembered


@pytest.mark.rfc6275("15.3-a")
def test_a_binding_is_remembered_before_it_is_acknowledged() -> None:
    """New, refreshed, moved, ended: each time what must be known after a restart."""
    bench = Bench()
    answers = [
        bench.register(1, flags=A | H | L),
        bench.take(update(2, lifetime=8)),
        bench.take(update(3, care_of=OTHER_CARE_OF)),
        bench.take(from_home(4)),
    ]
    for effects in answers:
        order = names(effects)
        assert order[-2:] == ["Remember", "BindingAcknowledgement"]
        assert order.count("Remember") == order.count("BindingAcknowledgement") == 1
    first = replace(RECORD, sequence=1, link_local=LINK_LOCAL, deadline=1060.0)
    assert [effect.record for effects in answers for effect in of_kind(effects, Remember)] == [
        first,
        replace(first, sequence=2, lifetime=8, link_local=None, deadline=1008.0),
        replace(first, sequence=3, care_of_address=OTHER_CARE_OF, link_local=None),
        replace(ENDED, sequence=4, deadline=1000.0 + MAX_DELETE_BCE_TIMEOUT),
    ]


def test_what_is_refused_is_not_remembered() -> None:
    bench = Bench()
    bench.register(5)
    for refused in (update(5), update(4), update(6, care_of=IPv6Address("ff02::1")), update(6, home=AGENT - (1 << 64))):
        assert of_kind(bench.take(refused), Remember) == []


@pytest.mark.rfc6275("10.3.2-c")
def test_what_ends_is_forgotten() -> None:
    bench = Bench()
    bench.register(lifetime=8)
    assert of_kind(bench.pass_time(9), Forget) == [Forget(home_address=HOME)]
    bench.register()
    bench.take(from_home(2))
    assert of_kind(bench.pass_time(MAX_DELETE_BCE_TIMEOUT - 0.1), Forget) == []
    assert of_kind(bench.pass_time(0.2), Forget) == [Forget(home_address=HOME)]


def test_a_duplicate_is_forgotten_with_the_number_that_was_kept_before() -> None:
    bench = recalled(ENDED)
    bench.take(update(8))
    assert names(bench.take(DadFailed(address=HOME))) == ["BindingAcknowledgement", "Forget"]


@pytest.mark.rfc6275("15.3-a")
@pytest.mark.parametrize("moved", [False, True])
def test_what_cannot_be_kept_is_refused(moved: bool) -> None:
    bench = Bench()
    effects = bench.register(1)
    if moved:
        effects = bench.take(update(2, care_of=OTHER_CARE_OF))
    (remember,) = of_kind(effects, Remember)
    effects = bench.take(Refused(effect=remember, reason="disk full"))
    assert names(effects) == ["RemoveTunnel", "StopDefending", "BindingAcknowledgement", "Forget"]
    assert status(effects) == Status.INSUFFICIENT_RESOURCES
    assert [event.reason for event in events(effects, BindingRemoved)] == ["refused"]
    assert bench.states() == {}


@pytest.mark.rfc6275("15.3-a")
def test_an_end_that_cannot_be_kept_is_refused_until_it_can() -> None:
    """What is kept still is the binding: its number is not given up, here nor there."""
    bench = Bench()
    bench.register(1)
    (remember,) = of_kind(bench.take(from_home(2)), Remember)
    effects = bench.take(Refused(effect=remember, reason="disk full"))
    assert names(effects) == ["BindingAcknowledgement"]
    assert status(effects) == Status.INSUFFICIENT_RESOURCES
    assert bench.states() == {str(HOME): "deregistered"}
    assert status(bench.take(from_home(3))) == Status.ACCEPTED


# What is recalled


@pytest.mark.rfc6275("15.3-a", "10.4.1-a", "10.3.1-h")
def test_a_recalled_binding_is_served_at_once() -> None:
    bench = Bench()
    effects = bench.take(Recalled(record=replace(RECORD, link_local=LINK_LOCAL)))
    assert names(effects) == ["InstallTunnel", "DefendAddress", "DefendAddress"]
    assert [effect.address for effect in of_kind(effects, DefendAddress)] == [HOME, LINK_LOCAL]
    (tunnel,) = of_kind(effects, InstallTunnel)
    assert tunnel == InstallTunnel(home_agent_address=AGENT, home_address=HOME, care_of_address=CARE_OF)
    told = BindingRecalled(home_address=HOME, care_of_address=CARE_OF, sequence=7, remaining=40.0)
    assert events(effects, BindingRecalled) == [told]
    assert len(acknowledgements(effects)) == 0
    assert bench.agent.snapshot(bench.now)[0]["remaining"] == 40.0
    soon = names(bench.pass_time(0.0))
    assert soon == ["NeighborAdvertisement"] * 2 + ["Packet", "MulticastListenerReport"]  # §10.4.1, §10.4.3
    again = names(bench.pass_time(3.0))
    assert sorted(again) == ["MulticastListenerReport", *["NeighborAdvertisement"] * 4]  # §10.4.1: repeated


def test_without_a_link_nothing_is_announced() -> None:
    bench = Bench(linked=False)
    assert names(bench.take(Recalled(record=RECORD))) == ["InstallTunnel", "DefendAddress"]


@pytest.mark.rfc6275("15.3-a", "9.5.1-b")
@pytest.mark.parametrize("record", [RECORD, ENDED], ids=["bound", "deregistered"])
@pytest.mark.parametrize("again", [update(7), update(1), from_home(7), update(7, lifetime=0)])
def test_a_binding_update_played_back_is_refused(record: BindingRecord, again: Effect) -> None:
    bench = recalled(record)
    before = bench.agent.snapshot(bench.now)
    effects = bench.take(again)  # type: ignore[arg-type] # pytest's parameters have no types
    ((_, message),) = acknowledgements(effects)
    assert (message.status, message.sequence) == (Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, 7)
    assert names(effects) == ["BindingAcknowledgement"]
    assert bench.agent.snapshot(bench.now) == before


def test_a_recalled_binding_is_refreshed_moved_and_ended_like_any_other() -> None:
    bench = recalled()
    assert names(bench.take(update(8))) == ["Remember", "BindingAcknowledgement"]
    moved = bench.take(update(9, care_of=OTHER_CARE_OF))
    assert names(moved) == ["InstallTunnel", "Remember", "BindingAcknowledgement"]
    ended = bench.take(from_home(10))
    assert names(ended) == ["RemoveTunnel", "StopDefending", "Remember", "BindingAcknowledgement"]


@pytest.mark.rfc6275("15.3-a")
def test_a_restart_does_not_lengthen_a_lifetime() -> None:
    bench = recalled()
    assert of_kind(bench.pass_time(39.9), StopDefending) == []
    effects = bench.pass_time(0.2)
    assert of_kind(effects, StopDefending)
    assert of_kind(effects, Forget)
    assert bench.states() == {}


@pytest.mark.rfc6275("10.3.2-c")
def test_a_recalled_sequence_number_serves_nothing_and_is_forgotten_in_time() -> None:
    bench = Bench()
    effects = bench.take(Recalled(record=ENDED))
    assert names(effects) == []
    assert events(effects, BindingRecalled)[0].care_of_address is None
    assert bench.states() == {str(HOME): "deregistered"}
    bench.pass_time(5.1)
    assert bench.states() == {}
    assert of_kind(bench.take(update(1)), StartDad)  # §9.5.1: without an entry any number will do


ELSEWHERE = IPv6Network("2001:db8:2::/64")


@pytest.mark.parametrize(
    ("record", "config", "reason"),
    [
        pytest.param(replace(RECORD, deadline=1000.0), {}, "expired", id="expired"),
        pytest.param(replace(ENDED, deadline=999.0), {}, "expired", id="number expired"),
        pytest.param(RECORD, {"home_prefixes": (ELSEWHERE,)}, "refused", id="another home prefix"),
        pytest.param(RECORD, {"allowed": (HOME + 1,)}, "refused", id="not allowed any more"),
    ],
)
def test_what_is_over_is_told_and_forgotten(record: BindingRecord, config: dict[str, object], reason: str) -> None:
    usual = HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX,))
    bench = Bench(config=replace(usual, **config))  # type: ignore[arg-type] # of any field
    effects = bench.take(Recalled(record=record))
    assert names(effects) == ["Forget"]
    assert [event.reason for event in events(effects, BindingRemoved)] == [reason]
    assert bench.states() == {}


@pytest.mark.parametrize("state", ["probing", "registered", "deregistered"])
def test_what_is_there_already_is_younger(state: str) -> None:
    bench = Bench()
    bench.take(update(1))
    if state != "probing":
        bench.take(DadSucceeded(address=HOME))
    if state == "deregistered":
        bench.take(from_home(2))
    before = bench.agent.snapshot(bench.now)
    assert bench.take(Recalled(record=RECORD)) == []
    assert bench.agent.snapshot(bench.now) == before
    assert bench.states() == {str(HOME): state}


@pytest.mark.rfc6275("15.3-a", "9.5.1-b")
@pytest.mark.parametrize("kind", [DefendAddress, InstallTunnel])
def test_what_the_plane_cannot_serve_again_keeps_its_sequence_number(kind: type[DefendAddress | InstallTunnel]) -> None:
    """Nobody asked, so nobody is answered; and what is on the disk stays there for a better day."""
    bench = Bench()
    (refused,) = of_kind(bench.take(Recalled(record=RECORD)), kind)
    effects = bench.take(Refused(effect=refused, reason="no"))
    assert names(effects) == ["RemoveTunnel", "StopDefending"]
    assert [event.reason for event in events(effects, BindingRemoved)] == ["refused"]
    assert bench.states() == {str(HOME): "deregistered"}
    assert status(bench.take(update(7))) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    assert bench.take(Refused(effect=refused, reason="no")) == []
    assert status(bench.register(8)) == Status.ACCEPTED


# A crash at any instant

HOMES = tuple(HOME + number for number in range(3))
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("update"), st.sampled_from(HOMES), st.integers(1, 40), st.sampled_from([0, 4, 60]), st.booleans()
        ),
        st.tuples(st.just("time"), st.sampled_from([0.5, 3.0, 11.0])),
        st.tuples(st.just("crash"), st.integers(0, 6), st.sampled_from([0.0, 2.0, 11.0])),
    ),
    max_size=25,
)


class Disk:
    """Carries effects out until the power fails; what was forgotten last may still be there afterwards."""

    def __init__(self) -> None:
        self.records: dict[IPv6Address, BindingRecord] = {}
        self.promised: dict[IPv6Address, BindingRecord] = {}
        """What was on the disk when a mobile node was told that it is accepted."""

    def carry_out(self, effects: list[Effect], *, until: int | None = None, forget: bool = True) -> None:
        for effect in effects[:until]:
            match effect:
                case Remember(record=record):
                    self.records[record.home_address] = record
                    if (promise := self.promised.get(record.home_address)) is not None:
                        # Known before it is told: what replaces a binding may end sooner than that would have.
                        ends = min(promise.deadline, record.deadline)
                        self.promised[record.home_address] = replace(promise, deadline=ends)
                case Forget(home_address=home_address) if forget:
                    self.records.pop(home_address, None)
                case _:
                    for packet, message in acknowledgements([effect]):
                        if message.status == Status.ACCEPTED:
                            home = packet.routed_home_address or packet.destination
                            assert self.records[home].sequence == message.sequence
                            self.promised[home] = self.records[home]


@pytest.mark.rfc6275("15.3-a", "9.5.1-b")
@given(STEPS, st.booleans())
def test_whenever_it_crashes_no_acknowledged_binding_is_lost_and_no_replay_accepted(
    steps: list[tuple[object, ...]], forget: bool
) -> None:
    """The last answer before a crash is carried out in part; what comes back is what a running home agent had."""
    bench, disk = Bench(), Disk()
    pending: list[Effect] = []
    for step in steps:
        match step:
            case ("update", IPv6Address() as home, int(sequence), int(lifetime), bool(other)):
                disk.carry_out(pending)
                care_of = OTHER_CARE_OF if other else CARE_OF
                pending = bench.register(sequence, home=home, lifetime=lifetime, care_of=care_of)
            case ("time", float(seconds)):
                disk.carry_out(pending)
                pending = []
                disk.carry_out(bench.pass_time(seconds), forget=forget)
            case ("crash", int(until), float(off)):
                disk.carry_out(pending, until=until)
                pending = []
                bench = Bench(now=bench.now + off)
                for record in [*disk.records.values()]:
                    disk.carry_out(bench.take(Recalled(record=record)))
                check_promises(bench, disk)


def check_promises(bench: Bench, disk: Disk) -> None:
    """Compare with what mobile nodes were told, and play back what they were told of."""
    found = {entry["home_address"]: entry for entry in bench.agent.snapshot(bench.now)}
    for home, promise in [*disk.promised.items()]:
        if promise.deadline <= bench.now:
            del disk.promised[home]
            continue
        entry = found[str(home)]
        if entry["sequence"] == promise.sequence:
            assert entry.get("care_of_address") == (promise.care_of_address and str(promise.care_of_address))
            assert entry["remaining"] == pytest.approx(promise.deadline - bench.now, abs=0.001)
        else:  # one more was remembered, but not yet acknowledged
            assert is_newer(entry["sequence"], promise.sequence)
        for again in (update(promise.sequence, home=home), update(promise.sequence, home=home, lifetime=0)):
            assert status(bench.take(again)) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
