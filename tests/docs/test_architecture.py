"""`docs/architecture.md` says of the house what the code says, and its examples of additions work."""

import argparse
import ast
import importlib
import inspect
import re
from functools import cache
from ipaddress import IPv6Address
from types import UnionType
from typing import Any, get_args

import pytest

from lab.auth.secrets import Secrets
from lab.emulation import topology
from lab.engine import io
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.io import Send
from lab.plane import base, host
from lab.verify import RULE_FILES, rules
from lab.verify.rules import Rule
from lab.verify.session import Session
from lab.wire.layout import layout
from lab.wire.mobility import FIXED_OCTETS
from lab.wire.summary import name as title
from tests.docs.markdown import ROOT, SPAN, code, document, name, run
from tests.engine.effects import of_kind
from tests.engine.home_agent_bench import HOME, Bench, update
from tests.engine.mobile_node_bench import VISITED1
from tests.engine.route_optimisation_bench import RouteBench, received
from tests.known_ids import unknown
from tests.unit.test_floors import FLOORS, rooms

DOCUMENT = document("docs/architecture.md")


def test_floors() -> None:
    rows = DOCUMENT.table("floor", "room", "job").rows
    documented = {name(room).removeprefix("lab/").removesuffix(".py"): int(floor) for floor, room, _ in rows}
    assert documented == {room: FLOORS[room] for _, room in rooms(ROOT)}
    floors = [int(floor) for floor, _, _ in rows]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("floor", range(6, 8))
def test_modules_of_a_floor_exist(floor: int) -> None:
    for number, room, job in DOCUMENT.table("floor", "room", "job").rows:
        if int(number) == floor:
            assert [module for module in code(job) if not (ROOT / name(room) / f"{module}.py").exists()] == []


def test_inputs() -> None:
    documented = [name(row[0]) for row in DOCUMENT.table("input", "what happened").rows]
    assert documented == [kind.__name__ for kind in get_args(io.Input)]


def test_effects() -> None:
    rows = DOCUMENT.table("effect", "carried out by", "what is asked for").rows
    assert [name(row[0]) for row in rows] == [kind.__name__ for kind in members(io.Effect)]
    assert [name(row[0]) for row in rows if row[1] == "plane"] == [kind.__name__ for kind in members(io.PlaneEffect)]


def test_the_way_to_a_direct_path() -> None:
    """Two engines say to each other what the diagram says, and ask their planes for what it notes."""
    drawn = DOCUMENT.block("mermaid", "The way to a direct path")
    bench = RouteBench()
    correspondent = Correspondent(CorrespondentConfig(), Secrets(b"cn"))
    bench.register(VISITED1)
    said: dict[str, list[str]] = {"M": [], "C": []}
    notes: dict[str, list[str]] = {"M": [], "C": []}
    pending = bench.hear()
    while pending:
        sent = of_kind(pending, Send)
        said["M"] += [title(effect.packet.payload) for effect in sent]
        notes["M"] += [type(effect).__name__ for effect in pending if isinstance(effect, io.PlaneEffect)]
        tunnelled = re.findall(r"M->>H: (.+), in the tunnel", drawn)
        assert {title(effect.packet.payload) for effect in sent if effect.tunnelled} <= {*tunnelled}
        answers = [answer for effect in sent for answer in correspondent.handle(received(effect.packet), bench.now)]
        said["C"] += [title(effect.packet.payload) for effect in of_kind(answers, Send)]
        notes["C"] += [type(effect).__name__ for effect in answers if isinstance(effect, io.PlaneEffect)]
        packets = [effect.packet for effect in of_kind(answers, Send)]
        arriving = [received(packet, tunnelled=packet.destination == HOME) for packet in packets]
        pending = [effect for arrival in arriving for effect in bench.take(arrival)]
    for engine, messages in said.items():
        found = re.findall(rf"{engine}->>[HMC]: (.+)", drawn)
        assert messages == [message.removesuffix(", in the tunnel") for message in found]
        assert notes[engine] == re.findall(rf"Note over {engine}: (Install\w+)", drawn)


def members(union: Any) -> list[type]:
    return [
        kind for option in get_args(union) for kind in (members(option) if isinstance(option, UnionType) else [option])
    ]


def test_the_way_of_a_packet() -> None:
    """The engine answers as the diagram says."""
    bench = Bench()
    answers = [bench.take(update()), bench.take(io.DadSucceeded(address=HOME))]
    drawn = re.findall(r"E-->>D: (.+)", DOCUMENT.block("mermaid", "The way of a packet"))
    assert drawn == [", ".join(type(effect).__name__ for effect in effects) for effects in answers]


@pytest.mark.parametrize(("heading", "protocol"), [("Engines", io.Engine), ("Planes", base.Plane)])
def test_protocols(heading: str, protocol: type) -> None:
    """Each method is there, with the parameters and types that it has."""
    (shown,) = ast.parse(DOCUMENT.block("python", heading)).body
    (real,) = ast.parse(inspect.getsource(protocol)).body
    assert isinstance(shown, ast.ClassDef)
    assert isinstance(real, ast.ClassDef)
    assert declarations(shown) == declarations(real)


def declarations(protocol: ast.ClassDef) -> dict[str, str]:
    """Give what a protocol declares: methods with their signatures, attributes with their types."""
    found = {}
    for node in protocol.body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else ''}"
        elif isinstance(node, ast.AnnAssign):
            found[ast.unparse(node.target)] = ast.unparse(node.annotation)
    return found


def test_numbers() -> None:
    text = " ".join(DOCUMENT.prose.split())
    assert f"nodes count from {topology.FIRST_INDEX} and bridges' ends from {topology.FIRST_PEER_INDEX}" in text
    assert f"from {host.FIRST_TABLE} on" in text
    assert f"table {host.DIRECT_TABLE} for every packet" in text
    assert f"by table {host.DIRECT_TABLE}, which" in text
    assert host.TUNNEL_METRIC < host.ROUTER_METRIC  # the smaller one is the better one


def test_names_exist() -> None:
    """Whatever is set as code is found in the code, in the configuration of the tools or in a block beside it."""
    absent = set()
    for span in SPAN.findall(DOCUMENT.prose):
        if "/" not in span and not re.search(r"[A-Z]{4}\.", span):
            absent |= {word for word in re.findall(r"[A-Za-z_]\w+", span) if not re.search(rf"\b{word}\b", source())}
    assert absent == set()


@cache
def source() -> str:
    folders = [ROOT / folder for folder in ("lab", "topologies", "templates")]
    return "\n".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in (".py", ".j2")
    )


# How to add


def test_a_message() -> None:
    """The example is laid out as it says, and is written and read back."""
    names = {name: value for module in ("mobility", "options") for name, value in vars_of(f"lab.wire.{module}").items()}
    names |= vars_of("lab.wire.fields") | {"OPTIONS": names["OPTIONS"]}
    kind = run(DOCUMENT.block("python", "A message"), **names)["BindingRevocation"]
    codec = layout(kind, header=FIXED_OCTETS)
    message = kind(kind=1, trigger=2, sequence=0x0304, proxy=True, all_bindings=True)
    octets = bytes(FIXED_OCTETS) + codec.write(message)
    assert octets.hex() == "000000000000" + "01" + "02" + "0304" + "a0" + "00" + "01020000"  # PadN
    assert codec.read(octets, 0, len(octets)) == message
    assert hasattr(importlib.import_module("lab.wire.mobility"), "_KNOWN")


def vars_of(module: str) -> dict[str, Any]:
    return dict(vars(importlib.import_module(module)))


def test_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example registers a rule whose requirements exist, and which judges."""
    registered: list[Rule] = []
    monkeypatch.setattr(rules, "RULES", registered)
    run(DOCUMENT.block("python", "A rule for captures"), rule=rules.rule, Session=Session, Findings=rules.Findings)
    (rule,) = registered
    assert unknown("rfc6275", rule.requirements) == []
    assert rule.check(Session(frames=[])).verdict == "not-applicable"
    assert len(RULE_FILES) >= 4


def test_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The example has what every command has, and runs."""
    scope = run(DOCUMENT.block("python", "A command"))
    parser = argparse.ArgumentParser()
    scope["add_arguments"](parser)
    assert scope["run"](parser.parse_args(["60"])) == 0
    assert capsys.readouterr().out == "15\n"
    assert scope["EXAMPLES"].startswith("examples:\n  mip6lab units")


def test_addresses_of_the_story_are_documentation_addresses() -> None:
    found = re.findall(r"\b[0-9a-f]+(?::[0-9a-f]*){2,}", DOCUMENT.prose)
    assert all(str(IPv6Address(address)).startswith("2001:db8") for address in found)
