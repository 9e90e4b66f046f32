"""The compiled programs: what is in an ELF object that clang made for BPF, without any kernel."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

OBJECT = Path(__file__).with_name("mip6.bpf.o")
INSTRUCTION_OCTETS = 8
_SECTIONS_AT, _SECTION_HEADERS = 0x28, 0x3A
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QQ")
_MAP = struct.Struct("<IIIII")
_SYMBOLS, _RELOCATIONS = 2, 9
_OBJECT = 1
_MAP_DESCRIPTOR = 1
"""What the kernel calls BPF_PSEUDO_MAP_FD: the value that an instruction loads is the descriptor of a map."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapLayout:
    """What the kernel must know to make a map; sizes in octets."""

    kind: int
    key: int
    value: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The instructions of a program, and where in them (in octets) which map is meant."""

    instructions: bytes
    maps: Mapping[int, str]

    def bound(self, descriptors: Mapping[str, int]) -> bytes:
        """Give the instructions as the kernel takes them, with maps that are there."""
        instructions = bytearray(self.instructions)
        for at, name in self.maps.items():
            instructions[at + 1] |= _MAP_DESCRIPTOR << 4
            struct.pack_into("<i", instructions, at + 4, descriptors[name])
        return bytes(instructions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Maps by their names, programs by those of their sections, and the other sections as they are."""

    maps: Mapping[str, MapLayout]
    programs: Mapping[str, Code]
    sections: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    name: str
    kind: int
    octets: bytes
    target: int
    """The section that relocations are for."""


def read(octets: bytes) -> Object:
    """Read an object; it is our own, so that nothing in it is doubted."""
    sections = [*_sections(octets)]
    strings = next(section.octets for section in sections if section.name == ".strtab")
    symbols = [
        (_name(strings, name), kind & 0xF, section, value)
        for table in sections
        if table.kind == _SYMBOLS
        for name, kind, _, section, value, _ in _SYMBOL.iter_unpack(table.octets)
    ]
    maps = {
        name: _layout(sections[section].octets, value)
        for name, kind, section, value in symbols
        if kind == _OBJECT and sections[section].name == "maps"
    }
    meant = {
        sections[section.target].name: {
            at: symbols[info >> 32][0] for at, info in _RELOCATION.iter_unpack(section.octets)
        }
        for section in sections
        if section.kind == _RELOCATIONS
    }
    return Object(
        maps=maps,
        programs={
            section.name: Code(instructions=section.octets, maps=meant[section.name])
            for section in sections
            if section.name in meant
        },
        sections={section.name: section.octets for section in sections},
    )


def _layout(octets: bytes, at: int) -> MapLayout:
    kind, key, value, entries, flags = _MAP.unpack_from(octets, at)
    return MapLayout(kind=kind, key=key, value=value, entries=entries, flags=flags)


def _sections(octets: bytes) -> Iterator[_Section]:
    (start,) = struct.unpack_from("<Q", octets, _SECTIONS_AT)
    size, number, names = struct.unpack_from("<HHH", octets, _SECTION_HEADERS)
    headers = [_SECTION.unpack_from(octets, start + size * index) for index in range(number)]
    _, _, _, _, at, length, *_ = headers[names]
    strings = octets[at : at + length]
    for name, kind, _, _, at, length, _, target, *_ in headers:
        yield _Section(name=_name(strings, name), kind=kind, octets=octets[at : at + length], target=target)


def _name(strings: bytes, at: int) -> str:
    return strings[at : strings.index(0, at)].decode()
