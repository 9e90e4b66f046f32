"""Classic BPF programs of the kernel plane: what a tunnel lets through, and what Python is to see of it.

Python takes out of tunnels whatever may have something of RFC 6275 in it, and multicast; the kernel all else.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lab.plane.groups import MULTICAST
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
)
from lab.wire.mobility import MOBILITY_HEADER
from lab.wire.packet import DESTINATION_OPTIONS, HEADER_OCTETS, HOP_BY_HOP, ROUTING

UNUSUAL_HEADERS = frozenset({HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, MOBILITY_HEADER})
"""First headers of what Python takes out of tunnels."""

_FROM_NETWORK_HEADER = 0xFFF00000
"""Loads with this offset begin at the IPv6 header, wherever a program is."""
_NEXT_HEADER, _SOURCE, _DESTINATION = 6, 8, 24
_WORDS = 4
_PASS, _DROP = 0, 2
"""Actions of traffic control."""
_PACKET_OUTGOING = 4
_FIRST, _SECOND, _OUTER_SOURCE, _OUTER_DESTINATION = 0, 4, 8, 12
"""Where a program keeps addresses, word by word: to compare them from there takes the kernel a tenth of the room."""
_MOST_KNOWN = 580
"""Instructions that compare with what is known. The program before must fit beside a new one into the 20480 octets that
a socket has for such, and each instruction takes up to 12 of them."""
_MOST_CLOSED = 32
"""Tunnels whose gates refuse all, of which so many fit."""
MOST_PAIRS = 32
"""So many fit; of further ones Python hears in vain."""


class Judged(NamedTuple):
    """A tunnel, and what the kernel takes out of it: packets from some home addresses and to some others."""

    local: bytes
    remote: bytes
    sources: tuple[bytes, ...]
    """Home addresses at the far end (§10.4.5)."""
    destinations: tuple[bytes, ...]
    """Home addresses of this node (§5.5)."""


def gate(tunnel: Judged) -> tuple[Instruction, ...]:
    """Make what judges the packets that come out of a tunnel device."""
    refused = Instruction(RETURN, 0, 0, _DROP)
    base = _FROM_NETWORK_HEADER
    kept = _keep({base + _SOURCE: _FIRST, base + _DESTINATION: _SECOND})
    return (*_if_unusual(base, _DROP), *kept, *_if_home(tunnel, _PASS), refused)


def refused_by(tunnels: Iterable[Judged]) -> tuple[Instruction, ...]:
    """Make the filter of a raw socket that takes, of all tunnels and of none, what their gates refuse.

    There may be more tunnels than a program can know; then it takes what is unusual, and all of tunnels whose gates
    refuse all.
    """
    tunnels = [*tunnels]
    unusual = _if_unusual(0, EVERYTHING)
    outer = {_FROM_NETWORK_HEADER + _SOURCE: _OUTER_SOURCE, _FROM_NETWORK_HEADER + _DESTINATION: _OUTER_DESTINATION}
    kept = _keep({_SOURCE: _FIRST, _DESTINATION: _SECOND} | outer)
    known, rest = _of_each(tunnels), EVERYTHING
    if len(known) > _MOST_KNOWN:
        closed = [tunnel for tunnel in tunnels if not (tunnel.sources or tunnel.destinations)]
        known, rest = _of_each(closed[-_MOST_CLOSED:]), NOTHING
    return (*unusual, *kept, *known, Instruction(RETURN, 0, 0, rest))


def strangers(tunnels: Sequence[int], pairs: Sequence[tuple[bytes, bytes]]) -> tuple[Instruction, ...]:
    """Make the filter of a packet socket that takes out of tunnels what is between a home address and a new peer.

    `tunnels` are indexes of devices, `pairs` home addresses and peers that are known.
    """
    source, destination = _FROM_NETWORK_HEADER + _SOURCE, _FROM_NETWORK_HEADER + _DESTINATION
    outwards = _keep({source: _FIRST, destination: _SECOND})
    inwards = _keep({destination: _FIRST, source: _SECOND})
    known = [i for home, peer in pairs[-MOST_PAIRS:] for i in _if_is({_FIRST: home, _SECOND: peer}, NOTHING)]
    return (
        Instruction(LOAD_WORD, 0, 0, INTERFACE),
        *(Instruction(JUMP_IF_EQUAL, len(tunnels) - n, 0, index) for n, index in enumerate(tunnels)),
        Instruction(RETURN, 0, 0, NOTHING),
        Instruction(LOAD_BYTE, 0, 0, destination),
        Instruction(JUMP_IF_EQUAL, 0, 1, MULTICAST),  # a group is no peer
        Instruction(RETURN, 0, 0, NOTHING),
        Instruction(LOAD_WORD, 0, 0, PACKET_TYPE),
        Instruction(JUMP_IF_EQUAL, 0, len(outwards) + 1, _PACKET_OUTGOING),
        *outwards,
        Instruction(JUMP, 0, 0, len(inwards)),
        *inwards,
        *known,
        Instruction(RETURN, 0, 0, EVERYTHING),
    )


def _if_unusual(base: int, answer: int) -> tuple[Instruction, ...]:
    """Answer for packets that are no whole IPv6 header, or Python's to take; go on behind for others."""
    headers = sorted(UNUSUAL_HEADERS)
    count = len(headers)
    return (
        Instruction(LOAD_LENGTH, 0, 0, 0),
        Instruction(JUMP_IF_GREATER, 0, count + 6, HEADER_OCTETS - 1),
        Instruction(LOAD_BYTE, 0, 0, base),
        Instruction(AND, 0, 0, 0xF0),
        Instruction(JUMP_IF_EQUAL, 0, count + 3, 0x60),
        Instruction(LOAD_BYTE, 0, 0, base + _NEXT_HEADER),
        *(Instruction(JUMP_IF_EQUAL, count - n + 1, 0, kind) for n, kind in enumerate(headers)),
        Instruction(LOAD_BYTE, 0, 0, base + _DESTINATION),
        Instruction(JUMP_IF_EQUAL, 0, 1, MULTICAST),
        Instruction(RETURN, 0, 0, answer),
    )


def _keep(addresses: dict[int, int]) -> list[Instruction]:
    """Keep the addresses at some offsets, each where it says."""
    return [
        instruction
        for at, place in addresses.items()
        for n in range(_WORDS)
        for instruction in (Instruction(LOAD_WORD, 0, 0, at + 4 * n), Instruction(STORE, 0, 0, place + n))
    ]


def _if_home(tunnel: Judged, answer: int) -> list[Instruction]:
    """Answer for what may come out of a tunnel; go on behind for others."""
    judged = ((_FIRST, tunnel.sources), (_SECOND, tunnel.destinations))
    return [i for place, addresses in judged for address in addresses for i in _if_is({place: address}, answer)]


def _of_each(tunnels: Iterable[Judged]) -> list[Instruction]:
    """Answer for what came by one of some tunnels; go on behind for others."""
    taken = Instruction(RETURN, 0, 0, EVERYTHING)
    return [i for tunnel in tunnels for i in _if_between(tunnel, [*_if_home(tunnel, NOTHING), taken])]


def _if_between(tunnel: Judged, block: list[Instruction]) -> list[Instruction]:
    """Do what a block says for what came by a tunnel; go on behind for others."""
    ends = _compare({_OUTER_SOURCE: tunnel.remote, _OUTER_DESTINATION: tunnel.local}, 1)
    return [*ends, Instruction(JUMP, 0, 0, len(block)), *block]


def _if_is(addresses: dict[int, bytes], answer: int) -> list[Instruction]:
    """Answer for packets with some addresses; go on behind for others."""
    return [*_compare(addresses, 1), Instruction(JUMP, 0, 0, 1), Instruction(RETURN, 0, 0, answer)]


def _compare(addresses: dict[int, bytes], skipped: int) -> list[Instruction]:
    """Skip instructions behind for packets with these addresses where they are kept."""
    words = [(place + n, address[4 * n : 4 * n + 4]) for place, address in addresses.items() for n in range(_WORDS)]
    made = []
    for number, (place, word) in enumerate(words):
        is_last = number == len(words) - 1
        made.append(Instruction(LOAD_KEPT, 0, 0, place))
        unequal = 0 if is_last else 2 * (len(words) - number - 1)
        made.append(Instruction(JUMP_IF_EQUAL, skipped if is_last else 0, unequal, int.from_bytes(word, "big")))
    return made
