"""Classic BPF programs on sockets: what is not wanted never wakes Python."""

import ctypes
import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

_SO_ATTACH_FILTER = 26

LOAD_BYTE, LOAD_WORD, AND, JUMP_IF_EQUAL, JUMP_IF_GREATER, RETURN = 0x30, 0x20, 0x54, 0x15, 0x25, 0x06
JUMP, LOAD_LENGTH, STORE, LOAD_KEPT = 0x05, 0x80, 0x02, 0x60
PACKET_TYPE = 0xFFFFF000 + 4
INTERFACE = 0xFFFFF000 + 8
"""Where a filter of an AF_PACKET socket finds the packet type, and the index of the interface."""
EVERYTHING, NOTHING = 0x40000, 0


class Instruction(NamedTuple):
    """One instruction: jumps count the instructions that are skipped."""

    code: int
    jump_true: int
    jump_false: int
    value: int


TAKE_NOTHING = (Instruction(RETURN, 0, 0, NOTHING),)


def attach(target: socket.socket, program: Sequence[Instruction]) -> None:
    """Filter what a socket receives from now on."""
    buffer = ctypes.create_string_buffer(octets(program))
    target.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(program), ctypes.addressof(buffer))
    )


class Filter:
    """What a socket receives. The kernel hears of changes alone: freeing a program keeps a worker from other work."""

    def __init__(self, target: socket.socket) -> None:
        self._target = target
        self._program: Sequence[Instruction] | None = None

    def set(self, program: Sequence[Instruction]) -> None:
        """Filter by a program from now on."""
        if program != self._program:
            attach(self._target, program)
            self._program = program


def octets(program: Sequence[Instruction]) -> bytes:
    """Give a program as the kernel takes it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
