"""The system call bpf(2): maps, programs, and links that attach a program for as long as a descriptor is open."""

import contextlib
import ctypes
import os
import platform
import resource
import struct
from pathlib import Path

from lab.errors import PlaneError
from lab.plane.bpf.elf import INSTRUCTION_OCTETS, MapLayout

_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_NUMBER = _NUMBERS.get(platform.machine())
_ELEMENT = struct.Struct("=I4xQQ8x")
"""How an element of a map is named: the map, its key and its value."""
_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _PROG_LOAD, _LINK_CREATE = 0, 1, 2, 3, 5, 28
_SCHED_CLS, _PERCPU_ARRAY = 3, 6
_LOG_OCTETS = 1 << 16
_POSSIBLE = Path("/sys/devices/system/cpu/possible")

_libc = ctypes.CDLL(None, use_errno=True)


class Map:
    """A map that programs read and write too; it ends with the last of them."""

    def __init__(self, name: str, layout: MapLayout) -> None:
        with contextlib.suppress(ValueError, OSError):  # before Linux 5.11 maps count as locked memory
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        numbers = (layout.kind, layout.key, layout.value, layout.entries, layout.flags)
        try:
            self.descriptor = _bpf(_MAP_CREATE, struct.pack("=5I8x16s", *numbers, name.encode()))
        except OSError as error:
            raise PlaneError(f"make the map {name} for BPF: {error.strerror}") from error
        self._key = ctypes.create_string_buffer(layout.key)
        processors = _possible_processors() if layout.kind == _PERCPU_ARRAY else 1
        self._value = ctypes.create_string_buffer(processors * layout.value)
        key_at, value_at = ctypes.addressof(self._key), ctypes.addressof(self._value)
        self._whole = ctypes.create_string_buffer(_ELEMENT.pack(self.descriptor, key_at, value_at))
        self._bare = ctypes.create_string_buffer(_ELEMENT.pack(self.descriptor, key_at, 0))
        """What system calls are told of an element: with its value, and without."""

    def __getitem__(self, key: bytes) -> bytes:
        """Look a value up, of per-processor maps that of each one after the other; raises KeyError."""
        try:
            self._call(_MAP_LOOKUP, key)
        except FileNotFoundError as error:
            raise KeyError(key) from error
        return self._value.raw

    def __setitem__(self, key: bytes, value: bytes) -> None:
        """Set a value; one that there is no room for is not there afterwards, nor an older one."""
        self._value.raw = value
        try:
            self._call(_MAP_UPDATE, key)
        except OSError:
            self.remove(key)

    def remove(self, key: bytes) -> None:
        """Remove a value; one that is not there is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._call(_MAP_DELETE, key)

    def close(self) -> None:
        """Let go of the map."""
        os.close(self.descriptor)

    def _call(self, command: int, key: bytes) -> None:
        self._key.raw = key
        _call(command, self._bare if command == _MAP_DELETE else self._whole, _ELEMENT.size)


def load(name: str, instructions: bytes, licence: bytes) -> int:
    """Have the kernel verify a program for traffic control; gives its descriptor, raises `PlaneError`."""
    try:
        return _load(name, instructions, licence, None)
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_OCTETS)
        with contextlib.suppress(OSError):
            os.close(_load(name, instructions, licence, log))
        said = log.value.decode(errors="replace").strip().splitlines()
        why = next((line for line in reversed(said) if not line.startswith("processed ")), "")
        raise PlaneError(f"load the BPF program {name}: {error.strerror}{why and f' ({why})'}") from error


def link(program: int, interface: int, hook: int) -> int:
    """Attach a program to an interface (by index) until the descriptor that is given is closed; raises OSError."""
    return _bpf(_LINK_CREATE, struct.pack("=IIII16x", program, interface, hook, 0))


def _load(name: str, instructions: bytes, licence: bytes, log: ctypes.Array[ctypes.c_char] | None) -> int:
    code, words = ctypes.create_string_buffer(instructions), ctypes.create_string_buffer(licence)
    wanted = (0, 0, 0) if log is None else (1, len(log), ctypes.addressof(log))
    attributes = struct.pack(
        "=IIQQIIQII16s",
        _SCHED_CLS,
        len(instructions) // INSTRUCTION_OCTETS,
        ctypes.addressof(code),
        ctypes.addressof(words),
        *wanted,
        0,
        0,
        name.encode(),
    )
    return _bpf(_PROG_LOAD, attributes)


def _bpf(command: int, attributes: bytes) -> int:
    return _call(command, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes))


def _call(command: int, attributes: ctypes.Array[ctypes.c_char], size: int) -> int:
    if _NUMBER is None:
        raise OSError(0, f"the number of the system call is not known for {platform.machine()}")
    answer = _libc.syscall(ctypes.c_long(_NUMBER), ctypes.c_long(command), attributes, ctypes.c_long(size))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(answer)


def _possible_processors() -> int:
    """Count the processors that there may be: per-processor maps have a value for each."""
    return int(_POSSIBLE.read_text(encoding="ascii").strip().replace("-", ",").rpartition(",")[2]) + 1
