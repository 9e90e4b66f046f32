"""Addresses, their states, and which of them is due next."""

import heapq
import itertools
from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Generic, Protocol, TypeVar

from lab.engine.io import Instant

SPARE = 64
"""Outdated deadlines that may be kept whatever the number of addresses."""
AT_ONCE = 256
"""So many states are due at once; others have their turn before the rest."""


class Timed(Protocol):
    """A state that may end by itself."""

    @property
    def deadline(self) -> Instant | None:
        """When something is to be done about it."""
        ...


S = TypeVar("S", bound=Timed)


class Timetable(Generic[S]):
    """Address to state, with the deadlines in a heap: a hundred thousand addresses cost no scan."""

    def __init__(self) -> None:
        self._states: dict[IPv6Address, S] = {}
        self._heap: list[tuple[Instant, int, IPv6Address, S]] = []
        self._order = itertools.count()

    def __iter__(self) -> Iterator[tuple[IPv6Address, S]]:
        return iter([*self._states.items()])

    def __len__(self) -> int:
        return len(self._states)

    def get(self, address: IPv6Address) -> S | None:
        """Look an address up."""
        return self._states.get(address)

    def put(self, address: IPv6Address, state: S) -> None:
        """Replace the state of an address."""
        self._states[address] = state
        if state.deadline is not None:
            heapq.heappush(self._heap, (state.deadline, next(self._order), address, state))
            if len(self._heap) > 2 * len(self._states) + SPARE:  # one that refreshes all the time must not fill memory
                self._heap = [entry for entry in self._heap if self._states.get(entry[2]) is entry[3]]
                heapq.heapify(self._heap)

    def remove(self, address: IPv6Address) -> None:
        """Forget an address."""
        self._states.pop(address, None)

    def deadline(self) -> Instant | None:
        """Give the earliest deadline of all."""
        self._drop_outdated()
        return self._heap[0][0] if self._heap else None

    def due(self, now: Instant) -> Iterator[tuple[IPv6Address, S]]:
        """Yield states whose deadline has come, AT_ONCE at most; each must be replaced or removed by the caller."""
        for _ in range(AT_ONCE):
            if (earliest := self.deadline()) is None or earliest > now:
                return
            _, _, address, state = heapq.heappop(self._heap)
            yield address, state

    def _drop_outdated(self) -> None:
        """Entries of the heap whose state has been replaced mean nothing any more."""
        while self._heap and self._states.get(self._heap[0][2]) is not self._heap[0][3]:
            heapq.heappop(self._heap)
