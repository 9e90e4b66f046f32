"""A timetable finds what is due, and keeps nothing that is not in force."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.engine.io import Instant
from lab.engine.timetable import AT_ONCE, SPARE, Timetable

HOME = IPv6Address("2001:db8:1::100")


@dataclass(frozen=True)
class State:
    deadline: Instant | None


def test_what_is_due_comes_in_its_order_and_once() -> None:
    cache: Timetable[State] = Timetable()
    for number, deadline in enumerate((3.0, 1.0, 2.0, None)):
        cache.put(HOME + number, State(deadline))
    assert cache.deadline() == 1.0
    due = []
    for address, state in cache.due(2.5):
        due.append((address, state.deadline))
        cache.remove(address)
    assert due == [(HOME + 1, 1.0), (HOME + 2, 2.0)]
    assert cache.deadline() == 3.0
    assert len(cache) == 2


def test_a_replaced_state_is_never_due() -> None:
    cache: Timetable[State] = Timetable()
    cache.put(HOME, State(1.0))
    cache.put(HOME, State(5.0))
    assert [*cache.due(4.0)] == []
    assert cache.deadline() == 5.0


def test_refreshing_all_the_time_fills_no_memory() -> None:
    cache: Timetable[State] = Timetable()
    for number in range(10_000):
        cache.put(HOME, State(1000.0 + number))
    assert len(cache._heap) <= 2 * len(cache) + SPARE
    assert cache.deadline() == 1000.0 + 9_999


def test_of_very_many_that_are_due_the_rest_is_due_a_moment_later() -> None:
    cache: Timetable[State] = Timetable()
    for number in range(AT_ONCE + 1):
        cache.put(HOME + number, State(1.0))
    for address, _ in cache.due(2.0):
        cache.remove(address)
    assert len(cache) == 1
    assert cache.deadline() == 1.0
