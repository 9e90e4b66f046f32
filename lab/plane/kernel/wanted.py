"""Which policies and states the kernel needs for direct paths, without any socket.

A pair is an address of this node and a peer. What goes out gets a type 2 routing header where the peer is bound
(RFC 6275 §9.3.2), and a Home Address option where the pair has an optimised route (§11.3.1); what comes in may have the
same two. What the kernel takes from anybody, and then finds no policy for, it reports (§9.3.1).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import NamedTuple

from lab.plane.host import MARK
from lab.xfrm.objects import (
    DESTINATION_OPTIONS,
    ROUTING,
    UNSPECIFIED,
    Direction,
    Mark,
    Policy,
    PolicyKind,
    Selector,
    State,
    Template,
)

OF_BINDING, OF_ANYBODY = 6275, 6274
"""Numbers by which policies ask for states: those of a binding, and those that take a header from anybody."""
PAIR_PRIORITY, HOME_PRIORITY = 16, 19
OUT, IN = "direct-out", "direct-in"
"""Counters."""
_ANY_HOME = Template(protocol=ROUTING, request=OF_ANYBODY, optional=True)
_BOUND_HOME = Template(protocol=DESTINATION_OPTIONS, request=OF_BINDING, optional=True)
_FROM_HOME = Template(protocol=DESTINATION_OPTIONS, request=OF_BINDING)
_TO_HOME = Template(protocol=ROUTING, request=OF_BINDING)
_UNMARKED = Mark(0, MARK)
"""What the user plane sends has the headers that it needs already (§9.4.3)."""


@dataclass(slots=True)
class Table:
    """What is in force."""

    own: frozenset[IPv6Address] = frozenset()
    """Addresses of this node."""
    homes: set[IPv6Address] = field(default_factory=set)
    """Home addresses of this node."""
    bindings: dict[IPv6Address, IPv6Address] = field(default_factory=dict)
    """Home address to care-of address."""
    served: dict[IPv6Address, IPv6Address] = field(default_factory=dict)
    """The same of home registrations: their nodes are reached through tunnels, but may come straight."""
    routes: dict[tuple[IPv6Address, IPv6Address], IPv6Address] = field(default_factory=dict)
    """Home address and peer to care-of address."""


class Part(NamedTuple):
    """A state, and whose packets it transforms."""

    state: State
    own: IPv6Address
    peer: IPv6Address
    counter: str | None
    """None where another state of the pair counts the same packets."""


def receivers(table: Table) -> Iterator[Part]:
    """Give the states that take headers from anybody, for policies to judge."""
    yield Part(_receiver(DESTINATION_OPTIONS), UNSPECIFIED, UNSPECIFIED, None)
    if table.homes:
        yield Part(_receiver(ROUTING), UNSPECIFIED, UNSPECIFIED, IN)


def parts(table: Table) -> Iterator[Part]:
    """Give the states of bindings and optimised routes."""
    for own, peer in _pairs(table):
        care_of, bound, route = _care_of(table, peer), table.bindings.get(peer), table.routes.get((own, peer))
        if care_of is not None:
            counter = None if own in table.homes else IN  # with a type 2 routing header as well
            yield Part(_state(DESTINATION_OPTIONS, peer, own, care_of, OF_BINDING), own, peer, counter)
        if bound is not None:
            yield Part(_state(ROUTING, own, peer, bound, OF_BINDING), own, peer, None if route else OUT)
        if route is not None:
            yield Part(_state(DESTINATION_OPTIONS, own, peer, route, OF_BINDING), own, peer, OUT)
        if route is not None and care_of is None:  # a peer that is bound comes from its care-of address
            yield Part(_state(ROUTING, peer, own, route, OF_ANYBODY), own, peer, IN)


def policies(table: Table) -> Iterator[Policy]:
    """Give the policies, each the only one with its direction and selector."""
    for home in table.homes:
        yield _policy(Direction.IN, Selector(destination=IPv6Network(home)), [_ANY_HOME], HOME_PRIORITY)
    for own, peer in _pairs(table):
        outwards = [_FROM_HOME] if (own, peer) in table.routes else []
        outwards += [_TO_HOME] if peer in table.bindings else []
        if outwards:
            yield _policy(Direction.OUT, _between(own, peer), outwards, PAIR_PRIORITY)
        if _care_of(table, peer) is not None:
            inwards = [_BOUND_HOME, *([_ANY_HOME] if own in table.homes else [])]
            yield _policy(Direction.IN, _between(peer, own), inwards, PAIR_PRIORITY)


def _pairs(table: Table) -> set[tuple[IPv6Address, IPv6Address]]:
    here = table.own | table.homes
    known = {(own, peer) for peer in {*table.bindings, *table.served} for own in here} | set(table.routes)
    return {(own, peer) for own, peer in known if own in here and peer not in here}  # nobody is a peer of itself


def _care_of(table: Table, peer: IPv6Address) -> IPv6Address | None:
    """Give from where a Home Address option of a peer may come."""
    return table.bindings.get(peer) or table.served.get(peer)


def _receiver(protocol: int) -> State:
    return State(
        source=UNSPECIFIED,
        destination=UNSPECIFIED,
        protocol=protocol,
        request=OF_ANYBODY,
        care_of_address=UNSPECIFIED,
        wildcard=True,
    )


def _state(protocol: int, source: IPv6Address, destination: IPv6Address, care_of: IPv6Address, request: int) -> State:
    return State(source=source, destination=destination, protocol=protocol, request=request, care_of_address=care_of)


def _between(source: IPv6Address, destination: IPv6Address) -> Selector:
    return Selector(source=IPv6Network(source), destination=IPv6Network(destination))


def _policy(direction: Direction, selector: Selector, templates: list[Template], priority: int) -> Policy:
    return Policy(
        direction=direction,
        selector=selector,
        templates=tuple(templates),
        priority=priority,
        kind=PolicyKind.SUB,
        mark=_UNMARKED if direction is Direction.OUT else None,
    )
