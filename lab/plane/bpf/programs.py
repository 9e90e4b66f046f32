"""The programs in the kernel: loaded, attached to devices, and gone when this process ends."""

import contextlib
import errno
import os
import struct
from collections.abc import Callable
from enum import Enum

from lab.errors import PlaneError, PlaneReason
from lab.netlink import Direction, Netlink
from lab.plane.bpf import syscalls
from lab.plane.bpf.elf import OBJECT, read
from lab.plane.bpf.syscalls import Map

_COUNTERS = ("tunnelled", "detunnelled", "direct-out", "direct-in", "not-sent-ENOMEM", PlaneReason.NOT_DELIVERED)
"""In the order of the map `counts`."""
_LOOPBACK = 1
NO_LINKS = errno.EINVAL
"""How a kernel before 6.6 refuses to attach a program to a device by a link."""


class Program(Enum):
    """What a program looks at; the value is its section in the object, and the kernel's number of its hook."""

    OUTWARDS = ("tcx/egress", 47)
    INWARDS = ("tcx/ingress", 46)

    @property
    def direction(self) -> Direction:
        """Where traffic control has it in kernels that know no links."""
        return Direction.EGRESS if self is Program.OUTWARDS else Direction.INGRESS


class Programs:
    """Both programs and their maps; raises `PlaneError` with the kernel's reason where they cannot be had."""

    def __init__(self) -> None:
        self._closing = contextlib.ExitStack()
        found = read(OBJECT.read_bytes())
        with contextlib.ExitStack() as failing:
            self.maps: dict[str, Map] = {}
            failing.callback(self.maps.clear)
            for name, layout in found.maps.items():
                self.maps[name] = Map(name, layout)
                failing.callback(self.maps[name].close)
            descriptors = {name: made.descriptor for name, made in self.maps.items()}
            self._programs = {}
            for program in Program:
                section, _ = program.value
                instructions = found.programs[section].bound(descriptors)
                self._programs[program] = syscalls.load(program.name.lower(), instructions, found.sections["license"])
                failing.callback(os.close, self._programs[program])
            self._closing = failing.pop_all()

    def attach(self, program: Program, index: int, netlink: Netlink) -> Callable[[], None]:
        """Let a program see what passes a device; gives what undoes it, raises `PlaneError`."""
        descriptor = self._programs[program]
        try:
            held = syscalls.link(descriptor, index, program.value[1])
        except OSError as error:
            if error.errno != NO_LINKS:
                raise PlaneError(f"attach a BPF program to link {index}: {error.strerror}") from error
        else:
            return lambda: os.close(held)
        netlink.add_classifier(index, program.direction, descriptor)
        return lambda: netlink.remove_classifier(index, program.direction)

    def counts(self) -> dict[str, int]:
        """Packets that the programs carried, under the names of the user plane; nothing when they are closed."""
        counts: dict[str, int] = {}
        if not self.maps:
            return counts
        for number, name in enumerate(_COUNTERS):
            by_processor = self.maps["counts"][number.to_bytes(4, "little")]
            if packets := sum(packets for (packets,) in struct.iter_unpack("=Q", by_processor)):
                counts[name] = packets
        return counts

    def close(self) -> None:
        """Let go of programs and maps; may be called twice."""
        self._closing.close()


def probe() -> None:
    """Try what the plane needs of the kernel: load its programs, attach one; raises `PlaneError`."""
    with Netlink() as netlink, contextlib.closing(Programs()) as programs:
        programs.attach(Program.INWARDS, _LOOPBACK, netlink)()
