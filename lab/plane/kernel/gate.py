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
    LOAD_LENGTH,
    LOAD_WORD,
    NOTHING,
    PACKET_TYPE,
    RETURN,
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
_MOST_INSTRUCTIONS = 4096
_PACKET_OUTGOING = 4
MOST_PAIRS = 100
"""As many as fit into a program."""


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
    return (*_if_unusual(_FROM_NETWORK_HEADER, _DROP), *_if_home(tunnel, _FROM_NETWORK_HEADER, _PASS), refused)


def refused_by(tunnels: Iterable[Judged]) -> tuple[Instruction, ...]:
    """Make the filter of a raw socket that takes, of all tunnels and of none, what their gates refuse.

    There may be more tunnels than a program can know; then it takes what is unusual.
    """
    unusual = _if_unusual(0, EVERYTHING)
    known = [
        instruction
        for tunnel in tunnels
        for instruction in _if_between(tunnel, [*_if_home(tunnel, 0, NOTHING), Instruction(RETURN, 0, 0, EVERYTHING)])
    ]
    rest = EVERYTHING
    if len(unusual) + len(known) >= _MOST_INSTRUCTIONS:
        known, rest = [], NOTHING
    return (*unusual, *known, Instruction(RETURN, 0, 0, rest))


def strangers(tunnels: Sequence[int], pairs: Sequence[tuple[bytes, bytes]]) -> tuple[Instruction, ...]:
    """Make the filter of a packet socket that takes out of tunnels what is between a home address and a new peer.

    `tunnels` are indexes of devices, `pairs` home addresses and peers that are known.
    """
    known = pairs[-MOST_PAIRS:]
    source, destination = _FROM_NETWORK_HEADER + _SOURCE, _FROM_NETWORK_HEADER + _DESTINATION
    outwards = [i for home, peer in known for i in _if_is({source: home, destination: peer}, NOTHING)]
    inwards = [i for home, peer in known for i in _if_is({source: peer, destination: home}, NOTHING)]
    news = Instruction(RETURN, 0, 0, EVERYTHING)
    return (
        Instruction(LOAD_WORD, 0, 0, INTERFACE),
        *(Instruction(JUMP_IF_EQUAL, len(tunnels) - n, 0, index) for n, index in enumerate(tunnels)),
        Instruction(RETURN, 0, 0, NOTHING),
        Instruction(LOAD_WORD, 0, 0, PACKET_TYPE),
        Instruction(JUMP_IF_EQUAL, 1, 0, _PACKET_OUTGOING),
        Instruction(JUMP, 0, 0, len(outwards) + 1),
        *(*outwards, news),
        *(*inwards, news),
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


def _if_home(tunnel: Judged, base: int, answer: int) -> list[Instruction]:
    """Answer for what may come out of a tunnel; go on behind for others."""
    judged = ((_SOURCE, tunnel.sources), (_DESTINATION, tunnel.destinations))
    return [i for at, addresses in judged for address in addresses for i in _if_is({base + at: address}, answer)]


def _if_between(tunnel: Judged, block: list[Instruction]) -> list[Instruction]:
    """Do what a block says for what came by a tunnel; go on behind for others."""
    outer = {_FROM_NETWORK_HEADER + _SOURCE: tunnel.remote, _FROM_NETWORK_HEADER + _DESTINATION: tunnel.local}
    beside = Instruction(JUMP, 0, 0, len(block))
    return [*_compare(outer, 1), beside, *block]


def _if_is(addresses: dict[int, bytes], answer: int) -> list[Instruction]:
    """Answer for packets with addresses at offsets; go on behind for others."""
    return [*_compare(addresses, 1), Instruction(JUMP, 0, 0, 1), Instruction(RETURN, 0, 0, answer)]


def _compare(addresses: dict[int, bytes], skipped: int) -> list[Instruction]:
    """Skip instructions behind for packets with addresses at offsets."""
    words = [(at + 4 * n, address[4 * n : 4 * n + 4]) for at, address in addresses.items() for n in range(_WORDS)]
    made = []
    for number, (at, word) in enumerate(words):
        is_last = number == len(words) - 1
        made.append(Instruction(LOAD_WORD, 0, 0, at))
        unequal = 0 if is_last else 2 * (len(words) - number - 1)
        made.append(Instruction(JUMP_IF_EQUAL, skipped if is_last else 0, unequal, int.from_bytes(word, "big")))
    return made
