"""What a move cost: the gap it made in a stream, and where its time went."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.events import (
    BindingAcknowledged,
    BindingUpdateSent,
    Event,
    KeygenTokenReceived,
    LinkHinted,
    LinkWentDown,
    LinkWentUp,
    MoveBegan,
    MovementDetected,
    NodeKilled,
    Record,
)
from lab.report.handovers import PARTS, STAGES, Handover, handovers
from lab.report.streams import Arrival
from tests.unit.event_samples import sample


def record(time: float, kind: type[Event], node: str = "mn") -> Record:
    return Record(time=time, node=node, event=sample(kind))


def move(time: float, to: str = "visited1", outage: float | None = 0.01) -> Record:
    event = MoveBegan(mobile_node="mn", from_link="home", to_link=to, outage=outage)
    return Record(time=time, node="lab", event=event)


def stream(*times: float, lost: tuple[float, ...] = ()) -> list[Arrival]:
    """Make a stream of packets that arrived the instant they were sent, and others that did not."""
    sent = sorted([*((time, time) for time in times), *((time, None) for time in lost)])
    return [Arrival(sequence=n, sent=at, received=received) for n, (at, received) in enumerate(sent)]


def only(records: list[Record], arrivals: list[Arrival]) -> Handover:
    (found,) = handovers(records, arrivals)
    return found


def whole() -> list[Record]:
    """Make the records of a move at 10 that lasts until 10.5."""
    kinds: list[tuple[float, type[Event]]] = [
        (10.0, LinkWentDown),
        (10.1, LinkWentUp),
        (10.2, MovementDetected),
        (10.25, BindingUpdateSent),
        (10.4, BindingAcknowledged),
    ]
    return [move(10.0), *(record(time, kind) for time, kind in kinds)]


def test_each_part_ends_with_its_event() -> None:
    found = only(whole(), stream(9.9, 9.99, 10.5, 10.6, lost=(10.0, 10.2, 10.45)))
    assert found.interruption_ms == pytest.approx(510)
    assert found.breakdown == pytest.approx(
        {"link": 110, "router": 100, "address": 50, "registration": 150, "return_routability": 0, "first_packet": 100}
    )
    assert (found.mobile_node, found.from_link, found.to_link, found.began, found.lost) == (
        *("mn", "home", "visited1", 10.0),
        3,
    )


def test_a_hint_ends_the_first_part_as_well() -> None:
    records = [move(10.0, outage=None), record(10.1, LinkHinted), *whole()[3:]]
    assert only(records, stream(9.99, 10.5)).breakdown["link"] == pytest.approx(110)


def test_the_first_event_of_a_kind_counts_and_others_nodes_do_not() -> None:
    records = [*whole(), record(10.05, LinkWentUp, node="other"), record(10.45, LinkWentUp)]
    assert only(records, stream(9.99, 10.5)).breakdown["link"] == pytest.approx(110)


def test_packets_that_flow_before_the_acknowledgement_end_the_interruption() -> None:
    """What comes after the gap costs nothing."""
    found = only(whole(), stream(9.99, 10.3, 10.35))
    assert found.interruption_ms == pytest.approx(310)
    assert found.breakdown == pytest.approx(
        {"link": 110, "router": 100, "address": 50, "registration": 50, "return_routability": 0, "first_packet": 0}
    )


def test_what_happened_before_the_gap_costs_nothing() -> None:
    found = only(whole(), stream(9.99, 10.22, 10.5))
    assert found.breakdown == pytest.approx(
        {"link": 0, "router": 0, "address": 30, "registration": 150, "return_routability": 0, "first_packet": 100}
    )


def test_a_missing_event_leaves_its_part_what_is_left() -> None:
    records = [r for r in whole() if not isinstance(r.event, BindingUpdateSent | BindingAcknowledged)]
    assert only(records, stream(9.99, 10.5)).breakdown == pytest.approx(
        {"link": 110, "router": 100, "address": 300, "registration": 0, "return_routability": 0, "first_packet": 0}
    )


def test_without_moves_there_are_no_handovers() -> None:
    assert handovers(whole()[1:], stream(1.0, 2.0)) == []


@pytest.mark.parametrize(
    "arrivals",
    [
        pytest.param([], id="no stream"),
        pytest.param(stream(lost=(9.0, 11.0)), id="nothing arrived"),
        pytest.param(stream(9.0, 9.9), id="stream ended before"),
        pytest.param(stream(10.6), id="stream began after"),
    ],
)
def test_without_a_packet_before_and_after_there_is_no_gap(arrivals: list[Arrival]) -> None:
    found = only(whole(), arrivals)
    assert found.interruption_ms == 0
    assert found.breakdown == dict.fromkeys(PARTS, 0)


def test_a_move_is_not_charged_for_the_next_one() -> None:
    """The gap of the next move begins with the last packet before it, within the time of this one."""
    records = [move(10.0), move(20.0, to="visited2")]
    first, second = handovers(
        records, stream(9.99, 10.05, 10.06, *(n / 10 for n in range(101, 200)), 19.99, 21.0, 21.1)
    )
    assert first.interruption_ms < 150
    assert second.interruption_ms == pytest.approx(1010)


def test_a_move_is_not_charged_for_a_daemon_that_is_killed() -> None:
    records = [move(10.0), Record(time=20.0, node="lab", event=NodeKilled(name="ha")), move(30.0, to="home")]
    times = [n / 10 for n in range(90, 400) if not 101 <= n < 103 and not 200 <= n < 215]
    assert [found.interruption_ms for found in handovers(records, stream(*times))] == pytest.approx([300, 100])


def test_a_loss_belongs_to_the_move_in_whose_time_it_was_sent() -> None:
    records = [move(10.0), move(20.0, to="visited2")]
    arrivals = stream(9.0, 15.0, 25.0, lost=(9.5, 10.0, 12.0, 20.0, 29.0))
    assert [found.lost for found in handovers(records, arrivals)] == [2, 2]


def proved(time: float) -> list[Record]:
    """Make a Binding Update to a correspondent, of which a token came long ago."""
    token, update = sample(KeygenTokenReceived), sample(BindingUpdateSent)
    assert isinstance(token, KeygenTokenReceived)
    assert isinstance(update, BindingUpdateSent)
    peer = IPv6Address("2001:db8:c::2")
    return [
        Record(time=1.0, node="mn", event=replace(token, peer=peer)),
        Record(time=time, node="mn", event=replace(update, peer=peer)),
    ]


def test_a_stream_that_waits_for_the_proof_says_how_long() -> None:
    found = only([*whole(), *proved(10.44)], stream(9.99, 10.5))
    assert found.breakdown == pytest.approx(
        {"link": 110, "router": 100, "address": 50, "registration": 150, "return_routability": 40, "first_packet": 60}
    )


def test_a_stream_that_goes_on_before_the_proof_does_not_wait_for_it() -> None:
    assert only([*whole(), *proved(10.6)], stream(9.99, 10.5)).breakdown["return_routability"] == 0


TIMES = st.floats(0, 100, allow_nan=False)
KINDS = [kind for _, kinds in STAGES for kind in kinds]
RECORDS = st.lists(
    st.one_of(
        TIMES.map(move),
        st.builds(record, TIMES, st.sampled_from([*KINDS, LinkWentDown]), st.sampled_from(["mn", "other"])),
    ),
    max_size=20,
).map(lambda records: sorted(records, key=lambda r: r.time))
ARRIVALS = st.lists(st.tuples(TIMES, st.none() | st.floats(0, 5)), max_size=20).map(
    lambda pairs: [
        Arrival(sequence=n, sent=sent, received=None if delay is None else sent + delay)
        for n, (sent, delay) in enumerate(sorted(pairs, key=lambda pair: pair[0]))
    ]
)


@given(RECORDS, ARRIVALS)
def test_the_parts_add_up_whatever_happened(records: list[Record], arrivals: list[Arrival]) -> None:
    found = handovers(records, arrivals)
    moves = [r for r in records if isinstance(r.event, MoveBegan)]
    assert [handover.began for handover in found] == [r.time for r in moves]
    for handover in found:
        assert [*handover.breakdown] == [*PARTS]
        assert all(part >= 0 for part in handover.breakdown.values())
        assert sum(handover.breakdown.values()) == pytest.approx(handover.interruption_ms, abs=0.001)
        received = [a.received for a in arrivals if a.received is not None]
        last = max([*received, *(a.sent for a in arrivals if received)], default=0.0)
        longest = last - min(received, default=0.0)
        assert handover.interruption_ms <= longest * 1000 + 0.01
    assert sum(handover.lost for handover in found) <= sum(a.received is None for a in arrivals)


def test_a_stream_that_never_recovers_is_interrupted_until_its_end() -> None:
    found = only([move(10.0)], stream(9.9, 9.99, lost=(10.0, 11.0, 12.0)))
    assert found.interruption_ms == pytest.approx(2010)
    assert found.lost == 3
