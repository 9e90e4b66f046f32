"""The floors of the house: imports point down only, and what is below `daemon` stays pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = {
    "cli": 9,
    "web": 8,
    "bench": 8,
    "lessons": 8,
    "topologies": 8,
    "emulation": 7,
    "daemon": 6,
    "plane": 5,
    "engine": 4,
    "auth": 3,
    "report": 3,
    "xfrm": 3,
    "wire": 2,
    "verify": 2,
    "remote": 2,
    "netlink": 2,
    "templating": 2,
    "events": 1,
    "safeguards": 1,
    "constants": 1,
    "rtnetlink": 1,
    "errors": 1,
}
IMPURE = {"asyncio", "time", "random", "socket", "logging", "secrets", "threading"}
MAY_USE_SOCKETS = {"plane", "netlink", "xfrm"}
REACHES_OUT = {"remote"}
"""Rooms that have to do with other machines, and nothing with the protocol."""


def test_the_house_stands() -> None:
    assert [fault for path, room in rooms(ROOT) for fault in faults(path.read_text(encoding="utf-8"), room)] == []


def test_every_room_is_looked_at() -> None:
    seen = {room for _, room in rooms(ROOT)}
    assert {"cli", "emulation", "daemon", "plane", "engine", "wire", "verify", "events", "topologies"} <= seen


@pytest.mark.parametrize(
    ("room", "source", "fault"),
    [
        ("wire", "from lab.engine.io import Send", "wire (floor 2) imports engine (floor 4)"),
        ("wire", "def f():\n    import lab.daemon.config", "wire (floor 2) imports daemon (floor 6)"),
        ("verify", "from lab.wire.packet import parse", "verify (floor 2) imports wire (floor 2)"),
        ("verify", "from lab import wire", "verify (floor 2) imports wire (floor 2)"),
        ("topologies", "from lab.bench.measure import row", "topologies (floor 8) imports bench (floor 8)"),
        ("emulation", "from lab.cli.common import console", "emulation (floor 7) imports cli (floor 9)"),
        ("engine", "import time", "engine imports time"),
        ("engine", "from asyncio.events import AbstractEventLoop", "engine imports asyncio"),
        ("plane", "import random, socket", "plane imports random"),
        ("wire", "import socket", "wire imports socket"),
        ("remote", "from lab.verify import verify", "remote (floor 2) imports verify (floor 2)"),
        ("cellar", "import json", "cellar has no floor"),
        ("emulation", "from lab.cellar import wine", "emulation imports cellar, which has no floor"),
        ("engine", "from . import io", "engine imports relatively"),
    ],
)
def test_faults_are_found(room: str, source: str, fault: str) -> None:
    assert list(faults(source, room)) == [fault]


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("engine", "from lab.engine.io import Send\nfrom lab.wire.packet import Packet\nfrom lab.events import Event"),
        ("daemon", "import asyncio, time, random, socket, logging, secrets, threading"),
        ("plane", "import socket"),
        ("netlink", "import socket\nfrom lab.errors import PlaneError"),
        ("remote", "import socket, threading, time"),
        ("cli", "from lab.cli.common import console\nfrom lab import emulation"),
        ("wire", "import struct\nfrom timeit import timeit"),
    ],
)
def test_what_is_right_passes(room: str, source: str) -> None:
    assert list(faults(source, room)) == []


def test_a_new_package_needs_a_floor(tmp_path: Path) -> None:
    (tmp_path / "lab" / "cellar").mkdir(parents=True)
    (tmp_path / "topologies").mkdir()
    (tmp_path / "lab" / "__init__.py").touch()
    (tmp_path / "lab" / "cellar" / "wine.py").touch()
    assert [room for _, room in rooms(tmp_path)] == ["cellar"]


def rooms(root: Path) -> Iterator[tuple[Path, str]]:
    """Give every module with the package (or the module of `lab` itself) that it belongs to."""
    for path in sorted((root / "lab").rglob("*.py")):
        room = path.relative_to(root / "lab").parts[0].removesuffix(".py")
        if room != "__init__":
            yield path, room
    for path in sorted((root / "topologies").glob("*.py")):
        yield path, "topologies"


def faults(source: str, room: str) -> Iterator[str]:
    """Give what a module imports though it must not."""
    floor = FLOORS.get(room)
    if floor is None:
        yield f"{room} has no floor"
        return
    for module in imports(ast.parse(source)):
        first, _, rest = module.partition(".")
        if first == "":
            yield f"{room} imports relatively"
        elif first == "lab" and rest:
            yield from climb(room, floor, rest.partition(".")[0])
        elif room in REACHES_OUT:
            continue
        elif first in IMPURE and floor < FLOORS["daemon"] and not (first == "socket" and room in MAY_USE_SOCKETS):
            yield f"{room} imports {first}"


def climb(room: str, floor: int, other: str) -> Iterator[str]:
    """Give the fault of an import of our own, if it does not point down."""
    above = FLOORS.get(other)
    if above is None:
        yield f"{room} imports {other}, which has no floor"
    elif other != room and above >= floor:
        yield f"{room} (floor {floor}) imports {other} (floor {above})"


def imports(tree: ast.Module) -> Iterator[str]:
    """Give the modules that are imported anywhere in a tree; relative ones begin with a dot."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"lab.{alias.name}" for alias in names) if module == "lab" else [module]
            case ast.ImportFrom():
                yield "."
