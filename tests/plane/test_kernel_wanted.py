"""What the kernel plane wants of the kernel, without any kernel: policies and states, gates and filters."""

import socket
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.plane import packet_filter
from lab.plane.host import MARK
from lab.plane.kernel.gate import MOST_PAIRS, Judged, gate, refused_by, strangers
from lab.plane.kernel.wanted import IN, OF_ANYBODY, OF_BINDING, OUT, Table, parts, policies, receivers
from lab.plane.packet_filter import (
    AND,
    EVERYTHING,
    INTERFACE,
    JUMP,
    JUMP_IF_EQUAL,
    JUMP_IF_GREATER,
    LOAD_BYTE,
    LOAD_KEPT,
    LOAD_LENGTH,
    LOAD_WORD,
    NOTHING,
    PACKET_TYPE,
    RETURN,
    STORE,
    Instruction,
    attach,
)
from lab.wire.packet import OpaquePayload, Packet, build
from lab.xfrm.objects import DESTINATION_OPTIONS, ROUTING, Direction, Mark, PolicyKind, State

CN, MN, MN_TOO = (IPv6Address(text) for text in ("2001:db8:c::2", "2001:db8:a::2", "2001:db8:a::3"))
HOME, PEER_HOME, OTHER = (IPv6Address(text) for text in ("2001:db8:1::100", "2001:db8:2::100", "2001:db8:1::101"))


def described(states: Iterator[State]) -> set[tuple[int, IPv6Address, IPv6Address, IPv6Address | None]]:
    return {(state.protocol, state.source, state.destination, state.care_of_address) for state in states}


def templates(table: Table) -> dict[tuple[Direction, str, str], list[int]]:
    """Give the protocols of the templates of each policy."""
    return {
        (policy.direction, str(policy.selector.source), str(policy.selector.destination)): [
            template.protocol for template in policy.templates
        ]
        for policy in policies(table)
    }


def one(address: IPv6Address) -> str:
    return f"{address}/128"


@pytest.mark.rfc6275("9.3.1-a", "9.3.2-a")
def test_a_binding_has_a_header_in_each_direction() -> None:
    table = Table(own=frozenset({CN}), bindings={HOME: MN})
    assert described(part.state for part in parts(table)) == {
        (ROUTING, CN, HOME, MN),
        (DESTINATION_OPTIONS, HOME, CN, MN),
    }
    assert templates(table) == {
        (Direction.OUT, one(CN), one(HOME)): [ROUTING],
        (Direction.IN, one(HOME), one(CN)): [DESTINATION_OPTIONS],
    }


@pytest.mark.rfc6275("11.3.1-a", "6.4-a")
def test_an_optimised_route_has_an_option_outwards_and_any_routing_header_for_the_home_address_inwards() -> None:
    table = Table(own=frozenset({MN, HOME}), homes={HOME}, routes={(HOME, CN): MN})
    assert (DESTINATION_OPTIONS, HOME, CN, MN) in described(part.state for part in parts(table))
    assert templates(table) == {
        (Direction.OUT, one(HOME), one(CN)): [DESTINATION_OPTIONS],
        (Direction.IN, "::/0", one(HOME)): [ROUTING],
    }


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a")
def test_between_two_mobile_nodes_there_are_both() -> None:
    table = Table(own=frozenset({MN, HOME}), homes={HOME}, bindings={PEER_HOME: CN}, routes={(HOME, PEER_HOME): MN})
    wanted = templates(table)
    assert wanted[Direction.OUT, one(HOME), one(PEER_HOME)] == [DESTINATION_OPTIONS, ROUTING]
    assert wanted[Direction.IN, one(PEER_HOME), one(HOME)] == [DESTINATION_OPTIONS, ROUTING]
    assert wanted[Direction.OUT, one(MN), one(PEER_HOME)] == [ROUTING]  # from the care-of address as such


@pytest.mark.rfc6275("9.3.1-a")
def test_a_home_registration_stands_for_what_comes_straight_and_sends_nothing() -> None:
    table = Table(own=frozenset({CN}), served={HOME: MN})
    assert templates(table) == {(Direction.IN, one(HOME), one(CN)): [DESTINATION_OPTIONS]}


@pytest.mark.rfc6275("9.3.1-a")
def test_what_takes_headers_from_anybody_satisfies_no_policy_of_a_binding() -> None:
    table = Table(own=frozenset({CN, HOME}), homes={HOME}, bindings={PEER_HOME: MN})
    assert {part.state.request for part in receivers(table)} == {OF_ANYBODY}
    bound = [p for p in policies(table) if p.selector.source == IPv6Network(PEER_HOME)]
    assert all(
        template.request == OF_BINDING
        for policy in bound
        for template in policy.templates
        if template.protocol == DESTINATION_OPTIONS
    )


@pytest.mark.rfc6275("9.4.3-a")
def test_what_bears_the_mark_is_left_alone() -> None:
    table = Table(own=frozenset({CN}), bindings={HOME: MN})
    outwards = [policy for policy in policies(table) if policy.direction is Direction.OUT]
    assert {(policy.mark, policy.kind) for policy in outwards} == {(Mark(0, MARK), PolicyKind.SUB)}


addresses = st.sampled_from([CN, MN, MN_TOO, HOME, PEER_HOME, OTHER])
tables = st.builds(
    Table,
    own=st.frozensets(addresses),
    homes=st.sets(addresses),
    bindings=st.dictionaries(addresses, addresses),
    served=st.dictionaries(addresses, addresses),
    routes=st.dictionaries(st.tuples(addresses, addresses), addresses),
)


@given(tables)
def test_each_state_and_policy_is_the_only_one_with_its_name(table: Table) -> None:
    """The kernel would take one for the other."""
    found = [(p.state.protocol, p.state.source, p.state.destination) for p in (*receivers(table), *parts(table))]
    assert len(found) == len(set(found))
    selectors = [(policy.direction, policy.selector) for policy in policies(table)]
    assert len(selectors) == len(set(selectors))


@given(tables)
def test_no_pair_counts_a_packet_twice_on_its_way_out(table: Table) -> None:
    counted = [(part.own, part.peer) for part in parts(table) if part.counter == OUT]
    assert len(counted) == len(set(counted))


def test_what_comes_with_both_headers_is_counted_once() -> None:
    table = Table(own=frozenset({HOME}), homes={HOME}, bindings={PEER_HOME: CN})
    counting = [part.state.protocol for part in (*receivers(table), *parts(table)) if part.counter == IN]
    assert counting == [ROUTING]


# Programs

LOCAL, REMOTE, ELSEWHERE = CN, MN, MN_TOO
TUNNEL = Judged(LOCAL.packed, REMOTE.packed, (HOME.packed,), (OTHER.packed,))
UDP, MOBILITY = 17, 135
DROP, PASS = 2, 0


def inner(source: IPv6Address = HOME, destination: IPv6Address = PEER_HOME, kind: int = UDP) -> bytes:
    payload = OpaquePayload(next_header=kind, data=bytes(8))
    return build(Packet(source=source, destination=destination, payload=payload))


def outcome(
    program: Sequence[Instruction], data: bytes, header: bytes, interface: int = 0, packet_type: int = 0
) -> int:
    """Run a program as the kernel does: 0 is what reading beyond the end gives."""
    accumulator, at, kept = 0, 0, [0] * 16
    ancillary = {INTERFACE: interface, PACKET_TYPE: packet_type}
    while True:
        code, jump_true, jump_false, value = program[at]
        at += 1
        if code == RETURN:
            return value
        if code == LOAD_LENGTH:
            accumulator = len(data)
        elif code == STORE:
            kept[value] = accumulator
        elif code == LOAD_KEPT:
            accumulator = kept[value]
        elif code == AND:
            accumulator &= value
        elif code == JUMP:
            at += value
        elif code == JUMP_IF_EQUAL:
            at += jump_true if accumulator == value else jump_false
        elif code == JUMP_IF_GREATER:
            at += jump_true if accumulator > value else jump_false
        elif code == LOAD_WORD and value in ancillary:
            accumulator = ancillary[value]
        else:
            assert code in (LOAD_BYTE, LOAD_WORD)
            source, offset = (header, value - 0xFFF00000) if value >= 0xFFF00000 else (data, value)
            form = "!B" if code == LOAD_BYTE else "!I"
            if offset + struct.calcsize(form) > len(source):
                return 0
            (accumulator,) = struct.unpack_from(form, source, offset)


def outer(source: IPv6Address = REMOTE, destination: IPv6Address = LOCAL) -> bytes:
    return build(Packet(source=source, destination=destination, payload=OpaquePayload(next_header=41, data=b"")))


JUDGED = {
    "from a home address": (inner(), True),
    "for a home address of this node": (inner(PEER_HOME, OTHER), True),
    "from a stranger": (inner(PEER_HOME, CN), False),
    "a mobility message": (inner(kind=MOBILITY), False),
    "behind hop-by-hop options": (inner(kind=0), False),
    "behind destination options": (inner(kind=60), False),
    "behind a routing header": (inner(kind=43), False),
    "multicast": (inner(destination=IPv6Address("ff0e::1")), False),
    "no IPv6": (b"\x45" + inner()[1:], False),
    "cut": (inner()[:39], False),
    "nothing": (b"", False),
}


@pytest.mark.rfc6275("10.4.5-a", "5.5-a")
@pytest.mark.parametrize(("packet", "passes"), JUDGED.values(), ids=JUDGED)
def test_python_takes_exactly_what_the_gate_refuses(packet: bytes, passes: bool) -> None:
    assert outcome(gate(TUNNEL), packet, packet) == (PASS if passes else DROP)
    assert outcome(refused_by([TUNNEL]), packet, outer()) == (NOTHING if passes else EVERYTHING)


@pytest.mark.rfc6275("10.4.5-a", "5.5-a")
def test_python_takes_what_comes_by_no_tunnel() -> None:
    for header in (outer(ELSEWHERE), outer(destination=ELSEWHERE)):
        assert outcome(refused_by([TUNNEL]), inner(), header) == EVERYTHING


def test_each_tunnel_has_home_addresses_of_its_own() -> None:
    other = Judged(LOCAL.packed, ELSEWHERE.packed, (PEER_HOME.packed,), ())
    program = refused_by([TUNNEL, other])
    assert outcome(program, inner(), outer()) == NOTHING
    assert outcome(program, inner(), outer(ELSEWHERE)) == EVERYTHING
    assert outcome(program, inner(PEER_HOME), outer(ELSEWHERE)) == NOTHING


def test_with_too_many_tunnels_what_is_unusual_is_still_taken() -> None:
    many = [Judged(LOCAL.packed, (REMOTE + n).packed, (HOME.packed,), ()) for n in range(1000)]
    program = refused_by(many)
    assert outcome(program, inner(), outer()) == NOTHING
    assert outcome(program, inner(kind=MOBILITY), outer()) == EVERYTHING


def test_with_too_many_tunnels_all_is_taken_of_those_that_are_left_alone() -> None:
    many = [Judged(LOCAL.packed, (REMOTE + n).packed, (HOME.packed,), ()) for n in range(1, 1000)]
    program = refused_by([Judged(LOCAL.packed, REMOTE.packed, (), ()), *many])
    assert outcome(program, inner(), outer(REMOTE + 1)) == NOTHING
    assert outcome(program, inner(), outer()) == EVERYTHING


def largest_programs() -> list[tuple[Instruction, ...]]:
    """Make those that know as much as fits."""
    unlike = [IPv6Address(bytes((0xFE,)) * 15 + bytes((n,))) for n in range(250)]  # words that take most room
    closed = [Judged(address.packed, address.packed, (), ()) for address in unlike]
    open_ = [Judged(address.packed, address.packed, (address.packed,), ()) for address in unlike]
    most = next(n for n in range(250) if len(refused_by(open_[: n + 1])) < len(refused_by(open_[:n])))
    pairs = [(address.packed, address.packed) for address in unlike]
    return [refused_by(closed), refused_by(open_[:most]), strangers([7], pairs)]


@pytest.mark.privileged
@pytest.mark.parametrize("program", largest_programs())
def test_the_largest_programs_fit_beside_each_other(program: tuple[Instruction, ...]) -> None:
    """Kernels have less room for them before 6.9, as the guest's."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as taking:
        for _ in range(3):
            attach(taking, program)


@pytest.mark.rfc6275("11.3.3-a")
@pytest.mark.parametrize("outgoing", [False, True])
@pytest.mark.parametrize(("peer", "tunnel", "news"), [(CN, 7, False), (PEER_HOME, 7, True), (PEER_HOME, 8, False)])
def test_peers_are_heard_that_were_not_heard_yet(peer: IPv6Address, tunnel: int, outgoing: bool, news: bool) -> None:
    program = strangers([6, 7], [(HOME.packed, MN.packed), (HOME.packed, CN.packed)])
    packet = inner(HOME, peer) if outgoing else inner(peer, HOME)
    taken = outcome(program, packet, packet, interface=tunnel, packet_type=4 if outgoing else 0)
    assert taken == (EVERYTHING if news else NOTHING)


def test_a_group_is_no_peer() -> None:
    packet = inner(PEER_HOME, IPv6Address("ff0e::1"))
    assert outcome(strangers([7], []), packet, packet, interface=7) == NOTHING


def test_the_kernel_is_told_of_another_filter_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Sequence[Instruction]] = []
    monkeypatch.setattr(packet_filter, "attach", lambda _, program: told.append(program))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as target:
        kept = packet_filter.Filter(target)
        for peer in (MN, MN, CN):
            kept.set(strangers([7], [(HOME.packed, peer.packed)]))
    assert told == [strangers([7], [(HOME.packed, peer.packed)]) for peer in (MN, CN)]


def test_more_pairs_than_fit_are_looked_at_again() -> None:
    pairs = [(HOME.packed, (CN + n).packed) for n in range(MOST_PAIRS + 1)]
    program = strangers([7], pairs)
    oldest, newest = inner(HOME, CN), inner(HOME, CN + MOST_PAIRS)
    assert outcome(program, oldest, oldest, interface=7, packet_type=4) == EVERYTHING
    assert outcome(program, newest, newest, interface=7, packet_type=4) == NOTHING
