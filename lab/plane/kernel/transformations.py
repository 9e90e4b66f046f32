"""Has the kernel do what a table of direct paths wants, and counts what it does."""

import contextlib
from collections import Counter
from ipaddress import IPv6Address
from typing import NamedTuple

from lab.errors import PlaneError
from lab.plane.kernel.wanted import OF_ANYBODY, OF_BINDING, Part, Table, parts, policies, receivers
from lab.xfrm.kernel import Xfrm
from lab.xfrm.objects import Direction, Policy, Selector, State


class _Ends(NamedTuple):
    """What tells one state from others."""

    protocol: int
    source: IPv6Address
    destination: IPv6Address


class _Which(NamedTuple):
    """What tells one policy from others."""

    direction: Direction
    selector: Selector


class Transformations:
    """The policies and states of this node; `table` is changed, and then `follow` has the kernel follow it."""

    def __init__(self) -> None:
        self.table = Table()
        self._xfrm = Xfrm()
        self._states: dict[_Ends, State] = {}
        self._policies: dict[_Which, Policy] = {}
        self._parts: dict[_Ends, Part] = {}
        self._used: dict[_Ends, int] = {}
        """Packets that were told of already."""
        self._counted: Counter[str] = Counter()
        """Packets of states that are gone."""
        try:
            sweep(self._xfrm)
            self.follow()
        except PlaneError:
            self._xfrm.close()
            raise

    def follow(self) -> None:
        """Have the kernel do what the table wants now; raises `PlaneError`."""
        found = {_ends(part.state): part for part in (*receivers(self.table), *parts(self.table))}
        wanted = {_Which(policy.direction, policy.selector): policy for policy in policies(self.table)}
        for which in self._policies.keys() - wanted.keys():  # before the states that they ask for
            self._xfrm.remove_policy(self._policies.pop(which))
        for ends in self._states.keys() - found.keys():
            self._count_last(ends)
            self._xfrm.remove_state(self._states.pop(ends))
        self._parts = found
        moved = set()
        for ends, (state, *_) in found.items():
            if (before := self._states.get(ends)) != state:
                (self._xfrm.add_state if before is None else self._xfrm.update_state)(state)
                self._states[ends] = state
                moved.add(ends)
        for which, policy in wanted.items():
            # Also where only a care-of address is another: so the kernel forgets the way to the one before.
            if self._policies.get(which) != policy or any(_concerns(which, ends) for ends in moved):
                self._xfrm.update_policy(policy)
                self._policies[which] = policy

    def used(self, own: IPv6Address | None, peer: IPv6Address) -> bool:
        """Tell whether packets went between a peer and an address, or any, since this was last asked."""
        is_used = False
        for ends, part in self._parts.items():
            if part.peer == peer and own in (None, part.own):
                packets = self._packets(part.state)
                is_used |= packets > self._used.get(ends, 0)
                self._used[ends] = packets
        return is_used

    def counters(self) -> Counter[str]:
        """Count packets by direction."""
        counted = Counter(self._counted)
        for part in self._parts.values():
            if part.counter is not None:
                counted[part.counter] += self._packets(part.state)
        return counted

    def close(self) -> None:
        """Remove all; may be called twice."""
        for policy in self._policies.values():
            with contextlib.suppress(PlaneError):
                self._xfrm.remove_policy(policy)
        for ends, state in self._states.items():
            with contextlib.suppress(PlaneError):
                self._count_last(ends)
                self._xfrm.remove_state(state)
        self._policies.clear()
        self._states.clear()
        self._parts.clear()
        self._xfrm.close()

    def _packets(self, state: State) -> int:
        use = self._xfrm.use(state)
        return 0 if use is None else use.packets

    def _count_last(self, ends: _Ends) -> None:
        part = self._parts.get(ends)
        self._used.pop(ends, None)
        if part is not None and part.counter is not None:
            self._counted[part.counter] += self._packets(part.state)


def sweep(xfrm: Xfrm) -> None:
    """Remove what a crash left of ours; raises `PlaneError`."""
    for policy in xfrm.policies():
        if any(template.request in (OF_BINDING, OF_ANYBODY) for template in policy.templates):
            xfrm.remove_policy(policy)
    for state in xfrm.states():
        if state.request in (OF_BINDING, OF_ANYBODY):
            xfrm.remove_state(state)


def _ends(state: State) -> _Ends:
    return _Ends(state.protocol, state.source, state.destination)


def _concerns(which: _Which, ends: _Ends) -> bool:
    selector = which.selector
    return selector.source.network_address == ends.source and selector.destination.network_address == ends.destination
