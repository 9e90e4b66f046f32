"""`docs/results.md` says of a run's folder what the code says, and its ways of reading one work."""

import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
from ipaddress import IPv6Address
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from scapy.utils import RawPcapWriter

from lab.cli.main import FAILED, INTERRUPTED
from lab.emulation import experiment
from lab.emulation.settings import Settings
from lab.emulation.spec import Kind
from lab.events import EVENTS, BindingUpdateSent, MessageSent, Record
from lab.report import streams
from lab.report.handovers import PARTS, STAGES, Handover
from lab.report.html import SHOWN_MESSAGES, read_events
from lab.report.model import SCHEMA_VERSION, Attack, Interface, Link, Node, Result, load
from lab.report.streams import Arrival
from lab.verify.check import Check, Evidence, Verdict
from lab.verify.rules import SHOWN
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag
from lab.wire.packet import build, mobility_packet
from tests.docs.markdown import ROOT, code, document, name

DOCUMENT = document("docs/results.md")
FIELDS = ("field", "type", "meaning")
WORDS: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    Attack: "attack",
    Verdict: ", ".join(list(Verdict)[:-1]) + f" or {list(Verdict)[-1]}",
}
PLURALS: dict[object, str] = {
    str: "strings",
    float: "numbers",
    Check: "checks",
    Handover: "handovers",
    Evidence: "evidence",
    Link: "links",
    Node: "nodes",
    Interface: "interfaces",
    Attack: "attack",
}


def fields(heading: str) -> list[dict[str, str]]:
    """Give the tables of fields under a heading: names and types."""
    tables = [table for table in DOCUMENT.tables if (table.header, table.heading) == (FIELDS, heading)]
    return [{name(field): kind.replace("`", "") for field, kind, _ in table.rows} for table in tables]


def in_words(kind: Any) -> str:
    """Say what JSON makes of a type."""
    if isinstance(kind, UnionType):
        return " or ".join("null" if option is NoneType else in_words(option) for option in get_args(kind))
    if get_origin(kind) in (list, tuple):
        return f"list of {PLURALS[get_args(kind)[0]]}"
    if get_origin(kind) is dict:
        return f"object of {PLURALS[get_args(kind)[1]]}"
    return WORDS[kind]


@pytest.mark.parametrize(
    ("kind", "heading", "number"),
    [
        (Result, "result.json", 0),
        (Check, "A check", 0),
        (Evidence, "A check", 1),
        (Handover, "A handover", 0),
        (Link, "The network", 0),
        (Node, "The network", 1),
        (Interface, "The network", 2),
        (Attack, "An attack", 0),
    ],
)
def test_fields(kind: type[Any], heading: str, number: int) -> None:
    hints = get_type_hints(kind)
    expected = [(field.name, in_words(hints[field.name])) for field in dataclasses.fields(kind)]
    assert [*fields(heading)[number].items()] == expected


def test_a_result_is_as_documented() -> None:
    """Make a result of everything that there can be, and hold it against the tables."""
    check = Check(
        id="bu-flags",
        title="Flags",
        requirements=("11.7.1-a",),
        verdict=Verdict.FAILED,
        detail="1 of 1",
        evidence=(Evidence(capture="home", frame=7, note="A is clear"),),
    )
    handover = Handover(
        mobile_node="mn",
        from_link="home",
        to_link="visited1",
        began=1e9,
        interruption_ms=5.0,
        lost=1,
        breakdown={"link": 5.0},
    )
    interface = Interface(link="home", address=None, link_layer_address="02:00:00:06:00:00")
    result = Result(
        scenario="handover",
        topology="TwoVisitedLinks",
        seed=1,
        plane="user",
        kernel="host",
        time="real",
        settings={"dad": "standard"},
        versions={"mip6lab": "0.1.0"},
        started=1e9,
        duration_s=1.0,
        ok=False,
        error="it broke off",
        checks=[check],
        handovers=[handover],
        captures={"home": "captures/home.pcapng"},
        streams={"cn-mn": "streams/cn-mn.csv"},
        links=[Link(name="home", prefix="2001:db8:1::/64")],
        nodes=[Node(name="mn", kind="mobile-node", home="home", home_addresses=[], interfaces=[interface])],
        without=["esp"],
        attack=Attack(
            section="15.3",
            protection="esp",
            attempted=True,
            succeeded=True,
            expected=True,
            evidence=[Evidence(capture="outside", frame=1)],
            events=["ha: binding new"],
            caught_by=["bu-flags"],
        ),
    )
    for made in (result, dataclasses.replace(result, error=None, attack=None)):
        assert [*mismatches(json.loads(made.to_json()), "result.json")] == []


def mismatches(given: dict[str, Any], heading: str, number: int = 0) -> list[str]:
    """Compare an object with a table: each field there, none else, of its type."""
    documented = fields(heading)[number]
    found = [f"{heading}: {key}" for key in {*documented} ^ {*given}]
    for key, kind in documented.items():
        if key in given and not is_a(given[key], kind):
            found.append(f"{heading}: {key} is no {kind}: {given[key]!r}")
    nested = [(check, "A check", 0) for check in given.get("checks", [])]
    nested += [(handover, "A handover", 0) for handover in given.get("handovers", [])]
    nested += [(given["attack"], "An attack", 0)] if given.get("attack") else []
    nested += [(evidence, "A check", 1) for evidence in given.get("evidence", [])]
    nested += [(link, "The network", 0) for link in given.get("links", [])]
    nested += [(node, "The network", 1) for node in given.get("nodes", [])]
    nested += [(interface, "The network", 2) for interface in given.get("interfaces", [])]
    return found + [fault for entry in nested for fault in mismatches(*entry)]


def is_a(value: Any, kind: str) -> bool:
    match kind.split():
        case ["object", "of", what]:
            return isinstance(value, dict) and all(is_a(v, what.removesuffix("s")) for v in value.values())
        case ["list", "of", "strings"]:
            return isinstance(value, list) and all(isinstance(v, str) for v in value)
        case ["list", "of", _]:
            return isinstance(value, list) and all(isinstance(v, dict) for v in value)
        case ["attack", "or", "null"]:
            return value is None or isinstance(value, dict)
        case ["string", "or", "null"]:
            return value is None or isinstance(value, str)
        case ["string"]:
            return isinstance(value, str)
        case ["boolean"]:
            return isinstance(value, bool)
        case ["integer"]:
            return isinstance(value, int) and not isinstance(value, bool)
        case ["number"]:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return value in kind.replace(",", "").split()


def test_the_example(tmp_path: Path) -> None:
    """It is read as a result, with nothing left out, and is as documented."""
    text = DOCUMENT.block("json", "An example")
    (tmp_path / "result.json").write_text(text, encoding="utf-8")
    result = load(tmp_path)
    assert json.loads(result.to_json()) == json.loads(text)
    assert [*json.loads(text)] == [field.name for field in dataclasses.fields(Result)]
    assert mismatches(json.loads(text), "result.json") == []
    assert result.schema == SCHEMA_VERSION == 1
    assert [*result.settings] == [field.name for field in dataclasses.fields(Settings)]
    assert result.ok
    assert not result.failed()
    for handover in result.handovers:
        assert sum(handover.breakdown.values()) == pytest.approx(handover.interruption_ms)


def test_versions() -> None:
    (meaning,) = (row[2] for row in DOCUMENT.table(*FIELDS, heading="result.json").rows if name(row[0]) == "versions")
    tools = {tool for tool in ("radvd", "dumpcap") if shutil.which(tool)}
    assert {*code(meaning)} - {"radvd", "dumpcap"} | tools == {*experiment.versions()}


def test_parts_of_a_handover() -> None:
    rows = DOCUMENT.table("part", "ends with").rows
    assert [name(part) for part, _ in rows] == [*PARTS]
    for (_, kinds), (_, ends) in zip(STAGES, rows, strict=False):
        assert [word for word in code(ends) if word in EVENTS] == [kind.__name__ for kind in kinds]


def test_kinds_of_nodes() -> None:
    _, of_nodes, _ = [table for table in DOCUMENT.tables if (table.header, table.heading) == (FIELDS, "The network")]
    (meaning,) = (row[2] for row in of_nodes.rows if name(row[0]) == "kind")
    assert code(meaning) == [*Kind]


def test_sections_of_the_report() -> None:
    page = (ROOT / "templates" / "report.html.j2").read_text(encoding="utf-8")
    assert [row[0] for row in DOCUMENT.table("section", "what it shows").rows] == re.findall("<h2>(.*?)</h2>", page)
    assert f"up to {SHOWN_MESSAGES} messages" in DOCUMENT.path.read_text(encoding="utf-8")


def test_so_many_frames_are_evidence() -> None:
    assert SHOWN == 8
    assert "up to eight frames" in DOCUMENT.path.read_text(encoding="utf-8")


def test_the_folder_is_what_a_run_replaces(tmp_path: Path) -> None:
    """Of what an earlier run left nothing remains; what is not of a result stays."""
    entries = [name(entry) for entry, _ in DOCUMENT.table("in the folder", "what it is").rows]
    for entry in (*entries, "notes.txt"):
        (tmp_path / entry).parent.mkdir(exist_ok=True)
        (tmp_path / entry).touch()
    experiment.empty(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_exit_status() -> None:
    rows = DOCUMENT.table("status", "`mip6lab run`").rows
    assert [status for status, _ in rows] == ["0", "1", str(FAILED), str(INTERRUPTED), "129, 143"]


# Reading it


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a place with a folder of results as the examples name it: the example, and what goes with it."""
    top = tmp_path_factory.mktemp("reading")
    folder = top / "results" / "handover"
    for inside in ("captures", "streams"):
        (folder / inside).mkdir(parents=True)
    (folder / "result.json").write_text(DOCUMENT.block("json", "An example"), encoding="utf-8")
    home, care_of, agent = (IPv6Address(f"2001:db8:{end}") for end in ("1::100", "a1::2", "1::1"))
    sent = BindingUpdateSent(peer=agent, home_address=home, care_of_address=care_of, sequence=1, lifetime=60, attempt=1)
    message = MessageSent(message="Binding Update", source=care_of, destination=agent, summary="Binding Update #1")
    lines = [Record(time=1e9, node="mn", event=event).to_json() + "\n" for event in (message, sent)]
    (folder / "events.jsonl").write_text("".join(lines), encoding="utf-8")
    packets = [Arrival(sequence=0, sent=1e9, received=1e9 + 0.001), Arrival(sequence=1, sent=1e9 + 0.01, received=None)]
    streams.write(folder / "streams" / "cn-mn.csv", packets)
    flags = BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
    update = mobility_packet(care_of, agent, BindingUpdate(sequence=1, flags=flags, lifetime=60), home_address=home)
    for link in ("core-ha", "home"):
        with RawPcapWriter(str(folder / "captures" / f"{link}.pcapng"), linktype=101) as file:
            file.write(build(update))
    return top


def lines(tool: str) -> list[str]:
    return [
        line
        for block in DOCUMENT.blocks
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith(f"{tool} ")
    ]


def test_the_csv_is_as_shown(tmp_path: Path) -> None:
    path = tmp_path / "shown.csv"
    path.write_text(DOCUMENT.block("csv", "Streams"), encoding="ascii")
    streams.write(tmp_path / "written.csv", streams.read(path))
    assert (tmp_path / "written.csv").read_text(encoding="ascii") == path.read_text(encoding="ascii")


def test_python(place: Path) -> None:
    source = DOCUMENT.block("python", "Reading it")
    done = subprocess.run([sys.executable, "-I", "-c", source], cwd=place, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "visited1 1050.333 ms, most of it for registration",
        "1 lost, longest delay 1.0 ms",
        "1 Binding Updates",
    ]


def test_this_package(place: Path) -> None:
    folder = place / "results" / "handover"
    assert load(folder).scenario == "handover"
    assert [type(record.event) for record in read_events(folder)] == [MessageSent, BindingUpdateSent]
    assert len(streams.read(folder / load(folder).streams["cn-mn"])) == 2


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (0, ["true"]),
        (1, []),
        (2, ["home\tvisited1\t1050.333\t104"]),
        (3, ["1000000000\tMessageSent\t6.1", "1000000000\tBindingUpdateSent\t11.7.1"]),
        (4, ["Binding Update #1"]),
    ],
)
@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_jq(place: Path, number: int, answer: list[str]) -> None:
    command = lines("jq")[number]
    done = subprocess.run(shlex.split(command), cwd=place, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout.splitlines()) == ("", answer)


@pytest.mark.parametrize("command", lines("tshark"))
@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_tshark(place: Path, command: str) -> None:
    """The filters and fields exist; what concerns Mobile IPv6 finds the packet that is there."""
    done = subprocess.run(shlex.split(command), cwd=place, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    if "mip" in command:
        assert len(done.stdout.splitlines()) == 1
