"""The object that is kept beside its source: it is up to date, and says what the loader needs."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.plane.bpf.elf import OBJECT, Code, MapLayout, read
from lab.plane.bpf.programs import _COUNTERS
from lab.plane.paths import MAX_HEARD

SOURCE, BUILD = OBJECT.with_name("mip6.bpf.c"), OBJECT.with_name("build.sh")
FOUND = read(OBJECT.read_bytes())
_HASH, _NO_PREALLOC = 1, 1


def test_the_object_is_of_its_source() -> None:
    assert FOUND.sections["sha256"].rstrip(b"\0").decode() == hashlib.sha256(SOURCE.read_bytes()).hexdigest()


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is missing")
def test_it_can_be_built_anew(tmp_path: Path) -> None:
    """By the same compiler, to the very octets; other ones may find other instructions."""
    made = tmp_path / "made.o"
    subprocess.run(["sh", str(BUILD), str(made)], check=True, timeout=60)
    anew = read(made.read_bytes())
    assert {*anew.programs} == {*FOUND.programs}
    assert dict(anew.maps) == dict(FOUND.maps)
    if anew.sections["compiler"] == FOUND.sections["compiler"]:
        assert made.read_bytes() == OBJECT.read_bytes()


def test_maps_are_large_and_empty() -> None:
    """100,000 of each, for which no memory is set aside; but whoever spoofs shall not fill it (§11.3.3)."""
    many = {name: layout for name, layout in FOUND.maps.items() if layout.entries == 100_000}
    assert {*many} == {"towards", "backwards", "bindings", "routes"}
    assert FOUND.maps["heard"].entries == MAX_HEARD
    assert FOUND.maps["counts"].entries == len(_COUNTERS)
    for layout in (*many.values(), FOUND.maps["heard"]):
        assert (layout.kind, layout.flags) == (_HASH, _NO_PREALLOC)
    assert FOUND.maps["towards"] == MapLayout(kind=_HASH, key=16, value=32, entries=100_000, flags=_NO_PREALLOC)


def test_programs_refer_to_the_maps_that_there_are() -> None:
    assert {*FOUND.programs} == {"tcx/egress", "tcx/ingress"}
    for code in FOUND.programs.values():
        assert {*code.maps.values()} <= {*FOUND.maps}
        assert len(code.instructions) % 8 == 0


def test_descriptors_of_maps_are_put_into_instructions() -> None:
    load = bytes((0x18, 0x01, *bytes(14)))  # r1 = a value of 64 bits
    code = Code(instructions=bytes(8) + load, maps={8: "bindings"})
    assert code.bound({"bindings": 0x1234}) == bytes(8) + bytes((0x18, 0x11, 0, 0, 0x34, 0x12, *bytes(10)))
