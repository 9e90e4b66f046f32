"""The binding cache of a home agent: states of a binding, and which is due next (RFC 6275 §9.1, §10.1)."""

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.engine.io import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What an acceptable Binding Update asked for, and how to answer it."""

    home_address: IPv6Address
    care_of_address: IPv6Address
    sequence: int
    lifetime: int
    link_local: IPv6Address | None
    """The link-local address to be defended too (L bit, §10.3.1)."""
    source: IPv6Address
    """Where the acknowledgement goes, §9.5.4."""
    home_agent_address: IPv6Address

    @property
    def defended(self) -> tuple[IPv6Address, ...]:
        """The addresses that the home agent answers for on the home link."""
        return (self.home_address,) if self.link_local is None else (self.home_address, self.link_local)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """A first registration waits for Duplicate Address Detection (§10.3.1)."""

    registration: Registration
    untested: frozenset[IPv6Address]
    deadline: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A binding in force until its deadline."""

    registration: Registration
    deadline: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Deregistered:
    """Nothing is served any more; the sequence number alone is kept until the deadline (§10.3.2)."""

    sequence: int
    deadline: Instant


State: TypeAlias = Probing | Registered | Deregistered


def last_sequence(state: State) -> int:
    """Give the sequence number that a later Binding Update must exceed, §9.5.1."""
    return state.sequence if isinstance(state, Deregistered) else state.registration.sequence


class BindingCache:
    """Home address to state, with the deadlines in a heap: a hundred thousand bindings cost no scan."""

    def __init__(self) -> None:
        self._states: dict[IPv6Address, State] = {}
        self._heap: list[tuple[Instant, int, IPv6Address, State]] = []
        self._order = itertools.count()

    def __iter__(self) -> Iterator[tuple[IPv6Address, State]]:
        return iter([*self._states.items()])

    def __len__(self) -> int:
        return len(self._states)

    def get(self, home_address: IPv6Address) -> State | None:
        """Look a home address up."""
        return self._states.get(home_address)

    def put(self, home_address: IPv6Address, state: State) -> None:
        """Replace the state of a home address."""
        self._states[home_address] = state
        if state.deadline is not None:
            heapq.heappush(self._heap, (state.deadline, next(self._order), home_address, state))

    def remove(self, home_address: IPv6Address) -> None:
        """Forget a home address."""
        self._states.pop(home_address, None)

    def deadline(self) -> Instant | None:
        """Give the earliest deadline of all."""
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def due(self, now: Instant) -> Iterator[tuple[IPv6Address, State]]:
        """Yield the states whose deadline has come; each must be replaced or removed by the caller."""
        while (earliest := self.deadline()) is not None and earliest <= now:
            _, _, home_address, state = heapq.heappop(self._heap)
            yield home_address, state

    def _drop_outdated(self) -> None:
        """Entries of the heap whose state has been replaced mean nothing any more."""
        while self._heap and self._states.get(self._heap[0][2]) is not self._heap[0][3]:
            heapq.heappop(self._heap)
