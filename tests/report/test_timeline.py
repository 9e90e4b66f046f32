"""Records as sentences: every kind of event is told, or left to another that tells it."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network

import pytest

from lab.events import (
    EVENTS,
    CareOfAddressFormed,
    DadFinished,
    Event,
    LinkImpaired,
    LinkWentUp,
    MessageSent,
    MoveBegan,
    MovementDetected,
    PacketDropped,
    ProxyStarted,
    Record,
    ScenarioStep,
    StreamStarted,
)
from lab.report.timeline import MESSAGES_SHOWN, Choice, Line, chapters, sentence, timeline
from tests.unit.event_samples import sample

SILENT = {
    "BindingUpdateSent": "MessageSent tells it",
    "MessageReceived": "MessageSent of the other end tells it",
    "MoveDone": "LinkWentUp or LinkHinted tells it",
    "NodeStopped": "the lab ends its nodes when all is over",
    "RouterFound": "MovementDetected tells it, if it matters",
}


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_has_a_sentence_or_is_silent_for_a_reason(kind: type[Event]) -> None:
    said = sentence(sample(kind))
    assert bool(said) != (kind.__name__ in SILENT), said
    assert said == said.strip()
    assert "\n" not in said


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (ScenarioStep(text="The node moves"), "── The node moves"),
        (
            MoveBegan(mobile_node="mn", from_link="a", to_link="b", outage=0.01),
            "mn moves from a to b, 10 ms without carrier",
        ),
        (
            MoveBegan(mobile_node="mn", from_link="a", to_link="b", outage=None),
            "mn moves from a to b, without loss of carrier",
        ),
        (
            MovementDetected(from_prefix=None, to_prefix=IPv6Network("2001:db8::/64"), at_home=True),
            "at home: the router advertises the home prefix 2001:db8::/64",
        ),
        (
            MovementDetected(from_prefix=None, to_prefix=IPv6Network("2001:db8::/64"), at_home=False),
            "on a foreign link: new router, prefix 2001:db8::/64",
        ),
        (CareOfAddressFormed(address=IPv6Address("::1"), optimistic=False), "care-of address ::1"),
        (DadFinished(address=IPv6Address("::1"), unique=False), "::1 is used by somebody else"),
        (PacketDropped(reason="bad-checksum"), "drops a packet: bad-checksum"),
        (
            LinkImpaired(link="radio", delay=0.02, jitter=0.005, loss=0.01, rate=2.5e6),
            "link radio delays packets by 20 ± 5 ms, loses 1 % of them, carries 2.5 Mbit/s",
        ),
        (
            LinkImpaired(link="radio", delay=0.0, jitter=0.0, loss=0.0, rate=0.0),
            "link radio carries all packets, at once",
        ),
        (
            StreamStarted(stream="s", source="cn", destination="mn", every=0.0025),
            "stream cn → mn, a packet every 2.5 ms",
        ),
    ],
)
def test_sentences_say_what_matters(event: Event, said: str) -> None:
    assert sentence(event) == said


def test_times_count_from_the_first_record_or_from_a_start() -> None:
    records = [Record(time=100.0 + n, node="mn", event=LinkWentUp(interface="e")) for n in range(2)]
    assert [line.time for line in timeline(records)] == [0.0, 1.0]
    assert [line.time for line in timeline(records, 99.0)] == [1.0, 2.0]
    assert [*timeline([])] == []


def test_lines_name_node_and_section() -> None:
    record = Record(time=1.0, node="ha", event=ProxyStarted(address=IPv6Address("::1")))
    assert [*timeline([record])] == [
        Line(time=0.0, node="ha", text="answers for ::1 on the home link", section="§10.4.1")
    ]
    step = replace(record, event=ScenarioStep(text="x"))
    assert [line.section for line in timeline([step])] == [""]


def test_steps_are_the_titles_of_chapters() -> None:
    told = [
        Record(time=0.5, node="mn", event=sample(LinkWentUp)),
        Record(time=1.0, node="lab", event=ScenarioStep(text="first")),
        Record(time=2.0, node="mn", event=sample(LinkWentUp)),
        Record(time=3.0, node="lab", event=ScenarioStep(text="second")),
    ]
    found = chapters(told, 1.0)
    assert [(title, [line.time for line in lines]) for title, lines in found] == [
        ("", [-0.5]),
        ("first", [1.0]),
        ("second", []),
    ]
    assert chapters([], 0.0) == []


def test_of_a_flood_of_messages_a_few_are_shown_in_each_second() -> None:
    sent = sample(MessageSent)
    assert isinstance(sent, MessageSent)
    flood, other = (replace(sent, message=message) for message in ("Home Test", "Care-of Test"))
    times = [number / 100 for number in range(150)]
    records = [Record(time=time, node=node, event=flood) for time in times for node in ("cn", "mn")]
    records.append(Record(time=1.5, node="cn", event=other))
    shown = [*filter(Choice().takes, records)]
    numbers = [sum(record.node == node for record in shown) for node in ("cn", "mn")]
    assert numbers == [2 * MESSAGES_SHOWN + 1, 2 * MESSAGES_SHOWN]
    assert shown[-1].event == other
