"""Entries of binding caches over time."""

from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from lab.events import (
    BindingDeregistered,
    BindingRecalled,
    BindingRegistered,
    BindingRemoved,
    Event,
    HomeAddressCutOff,
    NodeFailed,
    NodeKilled,
    NodeStopped,
    Record,
    RegistrationKind,
    ScenarioStep,
)
from lab.report.bindings import bindings

HOME, HERE, THERE = (IPv6Address(f"2001:db8::{n}") for n in (1, 2, 3))
REGISTERED = BindingRegistered(
    home_address=HOME, care_of_address=HERE, lifetime=60, sequence=1, kind=RegistrationKind.NEW
)


def spans(*told: tuple[float, Event], until: float = 100.0) -> list[tuple[IPv6Address, float, float]]:
    last = (until, ScenarioStep(text="the end"))
    records = [Record(time=time, node="ha", event=event) for time, event in (*told, last)]
    return [(held.care_of_address, held.begin, held.end) for held in bindings(records)]


def test_a_binding_lasts_as_long_as_it_was_granted() -> None:
    assert spans((1.0, REGISTERED)) == [(HERE, 1.0, 61.0)]


def test_or_as_long_as_the_run() -> None:
    assert spans((1.0, REGISTERED), until=9.0) == [(HERE, 1.0, 9.0)]


def test_a_refreshed_one_is_the_same_and_a_moved_one_another() -> None:
    moved = replace(REGISTERED, care_of_address=THERE, kind=RegistrationKind.MOVED)
    assert spans((1.0, REGISTERED), (50.0, REGISTERED), (70.0, moved), until=80) == [
        (HERE, 1.0, 70.0),
        (THERE, 70.0, 80.0),
    ]


def test_one_that_came_to_its_end_begins_anew() -> None:
    assert spans((1.0, REGISTERED), (70.0, REGISTERED)) == [(HERE, 1.0, 61.0), (HERE, 70.0, 100.0)]


@pytest.mark.parametrize(
    "event",
    [
        BindingDeregistered(home_address=HOME, sequence=2),
        BindingRemoved(home_address=HOME, reason="expired"),
        HomeAddressCutOff(home_address=HOME),
        NodeKilled(name="ha"),
        NodeFailed(name="ha"),
        NodeStopped(reason="SIGTERM"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_it_ends_with_what_ends_it(event: Event) -> None:
    assert spans((1.0, REGISTERED), (5.0, event)) == [(HERE, 1.0, 5.0)]


def test_what_is_not_of_this_binding_does_not_end_it() -> None:
    assert spans((1.0, REGISTERED), (5.0, NodeKilled(name="cn")), (6.0, HomeAddressCutOff(home_address=HERE))) == [
        (HERE, 1.0, 61.0)
    ]


def test_a_home_agent_recalls_it() -> None:
    recalled = BindingRecalled(home_address=HOME, care_of_address=HERE, sequence=1, remaining=30.0)
    sequence_alone = replace(recalled, care_of_address=None)
    assert spans((1.0, REGISTERED), (5.0, NodeKilled(name="ha")), (7.0, recalled)) == [
        (HERE, 1.0, 5.0),
        (HERE, 7.0, 37.0),
    ]
    assert spans((7.0, sequence_alone)) == []
