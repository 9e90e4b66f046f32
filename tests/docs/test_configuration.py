"""`docs/configuration.md` says of settings, keys and the control socket what the code says."""

import ast
import asyncio
import dataclasses
import json
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from lab.auth.esp import Association
from lab.auth.ipsec_policy import Protection, Protects
from lab.auth.secrets import Secrets
from lab.daemon.config import NodeConfig, Role, parse
from lab.daemon.control import LONGEST_LINE, VERSION, Control, ask
from lab.daemon.service import Service
from lab.emulation.settings import Settings, settings_from
from lab.engine import correspondent_states
from lab.engine.config import CorrespondentConfig, HomeAgentConfig, MobileNodeConfig
from lab.engine.correspondent import Correspondent
from lab.engine.correspondent_binding import Bound, Ended
from lab.engine.io import CutOff, DadSucceeded
from lab.engine.mobile_node import MobileNode
from lab.engine.place import AtHome, Away, Returning, Settling, Unattached
from lab.errors import PlaneReason
from lab.plane import user
from lab.plane.user import UserPlane
from lab.safeguards import Safeguard
from tests.docs.markdown import ROOT, Document, Table, code, document, name
from tests.engine.home_agent_bench import HOME, Bench, from_home, update
from tests.engine.route_optimisation_bench import RouteBench

DOCUMENT = document("docs/configuration.md")
KEYS = ("key", "type", "default", "meaning")
WORDS: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    CorrespondentConfig: "table",
    Protection: "table",
    Association: "table",
    bytes: "hexadecimal digits",
    Safeguard: "protection",
    Path: "path",
    IPv6Address: "address",
    IPv6Network: "prefix",
}
PLURALS = {"address": "addresses", "prefix": "prefixes", "table": "tables", "protection": "protections"}
BOUND = Bound(
    care_of_address=IPv6Address("2001:db8:a1::2"),
    own_address=IPv6Address("2001:db8:c::2"),
    sequence=1,
    lifetime=420,
    expires=420.0,
    replayable_until=420.0,
    deadline=315.0,
)

# Settings of a network


def test_settings() -> None:
    rows = DOCUMENT.table("setting", "default", "meaning", "after").rows
    defaults = {field.name: shown(field.default) for field in dataclasses.fields(Settings)}
    assert {name(setting): name(default) for setting, default, _, _ in rows} == defaults
    assert settings_from(f"{setting}={default}" for setting, default in defaults.items()) == Settings()


def test_values_of_settings_that_are_named_can_be_set() -> None:
    rows = DOCUMENT.table("setting", "default", "meaning", "after").rows
    meanings = {name(setting): meaning for setting, _, meaning, _ in rows}
    settings_from(["ra_interval=0.05"])
    settings_from(["ra_interval=1285"])
    settings_from(["outage=0.002"])
    settings_from(["outage=60"])
    assert "from 0.05 to 1285" in meanings["ra_interval"]
    assert "from 0.002" in meanings["outage"]
    assert "to 60" in meanings["outage"]
    settings_from(["ro_lifetime=4"])
    settings_from(["ro_lifetime=420"])
    assert "from 4 to 420" in meanings["ro_lifetime"]
    for mode in code(meanings["dad"]):
        settings_from([f"dad={mode}"])


def shown(default: object) -> str:
    """Write a default as the document does."""
    match default:
        case bool():
            return "on" if default else "off"
        case float():
            return f"{default:g}"
        case _:
            return str(default)


# Keys of a node


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("Keys of every node", NodeConfig),
        ("[home_agent]", HomeAgentConfig),
        ("[correspondent]", CorrespondentConfig),
        ("[mobile_node]", MobileNodeConfig),
        ("[[ipsec]]", Protection),
        ("An association", Association),
    ],
)
def test_keys(heading: str, table: type[Any]) -> None:
    rows = DOCUMENT.table(*KEYS, heading=heading).rows
    documented = {name(key): (kind.replace("`", ""), default.replace("`", "")) for key, kind, default, _ in rows}
    hints = get_type_hints(table)
    tables = {role.table for role in Role} if table is NodeConfig else set()
    expected = {
        field.name: (type_in_words(hints[field.name]), default_in_words(field))
        for field in dataclasses.fields(table)
        if field.name not in tables
    }
    assert documented == expected


def test_every_role_has_its_keys() -> None:
    others = {"Keys of every node", "[[ipsec]]", "An association"}
    headings = {table.heading for table in DOCUMENT.tables if table.header == KEYS}
    assert {f"[{role.table}]" for role in Role} == headings - others


def type_in_words(kind: Any) -> str:
    if isinstance(kind, UnionType):
        (kind,) = (option for option in get_args(kind) if option is not NoneType)
    if get_origin(kind) in (tuple, frozenset):
        word = type_in_words(get_args(kind)[0])
        return f"list of {PLURALS[word]}"
    if kind in WORDS:
        return WORDS[kind]
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        *first, last = kind
        return f"{', '.join(first)} or {last}" if first else str(last)
    raise TypeError(f"no word for {kind}")


def default_in_words(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    match field.default:
        case None | b"":
            return "none"
        case bool():
            return str(field.default).lower()
        case () | frozenset():
            return "[]"
        case CorrespondentConfig():
            return "as there"
        case default:
            return shown(default)


def test_every_role_has_a_whole_example() -> None:
    """Read it, and see that it names every key that the role has."""
    examples = [block for block in DOCUMENT.blocks if block.language == "toml"]
    assert sorted(parse(example.text, example.heading).role for example in examples) == sorted(Role)
    for example in examples:
        role = example.heading.strip("[]")
        known = {field.name for field in dataclasses.fields(getattr(parse(example.text, role), role))}
        assert {*tomllib.loads(example.text)[role]} == known


# The control socket


@pytest.fixture
def agent() -> NodeConfig:
    return parse(DOCUMENT.block("toml", "[home_agent]"), "the example of a home agent")


@pytest.fixture
def commands(agent: NodeConfig) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
    """Give the commands of a node that was never started: it has neither sockets nor an engine."""
    service = object.__new__(Service)
    service._config = agent
    return service._commands()


def test_commands(commands: Mapping[str, object]) -> None:
    rows = DOCUMENT.table("command", "arguments", "result").rows
    assert {name(row[0]) for row in rows} == {*commands}
    assert "version of the protocol: 1." in DOCUMENT.prose
    assert VERSION == 1
    assert f"longer than {LONGEST_LINE} octets" in DOCUMENT.prose


def test_requests_are_known_commands(commands: Mapping[str, object]) -> None:
    text = DOCUMENT.path.read_text(encoding="utf-8")
    requests = [json.loads(found) for found in re.findall(r'\{"v": 1, "command": [^{}]*\}', text)]
    assert len(requests) >= 5
    assert {request["command"] for request in requests} == {*commands} - {"counters", "stop"} | {"move"}


def test_errors(agent: NodeConfig, commands: Mapping[str, Callable[[Mapping[str, Any]], Any]]) -> None:
    control = Control(Path("unused"), commands)
    rows = DOCUMENT.table("to the node `ha`", "`error`").rows
    assert len(rows) == 6
    for request, error in rows:
        assert json.loads(asyncio.run(control._answer(name(request).encode()))) == {"v": 1, "ok": False, "error": error}


def test_the_conversation(agent: NodeConfig) -> None:
    request, answer = DOCUMENT.block("json", "Control socket").splitlines()
    told = {"name": agent.name, "role": agent.role, "plane": UserPlane.name}
    control = Control(Path("unused"), {"ping": lambda _: told})
    assert asyncio.run(control._answer(request.encode())).decode() == answer + "\n"


def test_the_python_example(tmp_path: Path) -> None:
    """Ask a node that serves, by the example as it stands but for the path; and by `ask`, as the prose says."""
    path = tmp_path / "ha.sock"
    source = DOCUMENT.block("python", "Control socket")
    assert "/run/ha.sock" in source
    bindings = [{"home_address": "2001:db8:1::100", "state": "registered"}]

    async def converse() -> tuple[bytes, Any]:
        control = Control(path, {"bindings": lambda _: bindings})
        await control.start()
        command = [sys.executable, "-c", source.replace("/run/ha.sock", str(path))]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        printed, _ = await process.communicate()
        asked = await asyncio.to_thread(ask, path, "bindings")
        await control.close()
        return printed, asked

    assert asyncio.run(converse()) == (b"2001:db8:1::100 is registered\n", bindings)


def test_bindings_of_a_home_agent() -> None:
    bench = Bench()
    bench.take(update(1))
    seen = [*bench.agent.snapshot(bench.now)]
    bench.take(DadSucceeded(address=HOME))
    seen += bench.agent.snapshot(bench.now)
    bench.take(from_home(2))
    seen += bench.agent.snapshot(bench.now)
    bench.take(CutOff(home_address=HOME))
    seen += bench.agent.snapshot(bench.now)
    bindings, *_ = bindings_tables()
    documented = {name(key): meaning for key, meaning in bindings.rows}
    assert {*documented} == {key for entry in seen for key in entry}
    assert {entry["state"] for entry in seen} == {*code(documented["state"])}
    probing, _, deregistered, cut_off = seen
    assert "remaining" not in probing
    assert not {"care_of_address", "lifetime"} & {*deregistered}
    assert not {"sequence", "care_of_address", "lifetime", "remaining"} & {*cut_off}


def test_bindings_of_a_correspondent() -> None:
    cache = Correspondent(CorrespondentConfig(), Secrets(b"test"))
    cache._cache.put(HOME, BOUND)
    seen = [*cache.snapshot(0.0)]
    cache._cache.put(HOME, Ended(sequence=2, deadline=2.0))
    seen += cache.snapshot(0.0)
    _, bindings, *_ = bindings_tables()
    documented = {name(key): meaning for key, meaning in bindings.rows}
    bound, ended = seen
    assert [*documented] == [*bound]
    assert {*bound} - {*ended} == {key for key, meaning in documented.items() if "not if ended" in meaning}
    assert [bound["state"], ended["state"]] == code(documented["state"])


def test_bindings_of_a_mobile_node() -> None:
    table = parse(DOCUMENT.block("toml", "[mobile_node]"), "the example of a mobile node").mobile_node
    assert table is not None
    entry, further = MobileNode(table, Secrets(b"test")).snapshot(0.0)
    assert further == {**entry, "home_address": str(table.further_home_addresses[0])}
    *_, bindings, _ = bindings_tables()
    documented = {name(key): meaning for key, meaning in bindings.rows}
    assert [*documented] == [*entry]
    places = {place.__name__.lower() for place in (Unattached, Settling, AtHome, Returning, Away)}
    assert {*code(documented["place"])} == places
    assert {*code(documented["state"])} == {"none", "pending", "registered"}


def test_bindings_of_a_mobile_node_with_correspondents() -> None:
    bench = RouteBench()
    bench.optimise()
    bench.node._correspondent._cache.put(HOME, BOUND)
    home, entry, in_cache = bench.node.snapshot(bench.now)
    tables = bindings_tables()
    documented = {name(key): meaning for key, meaning in tables[3].rows}
    assert [*documented] == [*entry]
    assert ("place" in home, [*in_cache]) == (True, [name(key) for key, _ in tables[1].rows])
    rows = DOCUMENT.table("state", "what goes on").rows
    states = [state.__name__.lower() for state in get_args(correspondent_states.State)]
    assert [name(state) for state, _ in rows] == [state for state in states if state != "over"]


def bindings_tables() -> list[Table]:
    return [table for table in DOCUMENT.tables if table.heading == "Bindings"]


def test_counters() -> None:
    documented = {name(counter) for counter, _ in DOCUMENT.table("counter", "packets").rows}
    drops = {*PlaneReason} - {PlaneReason.NOT_SENT}  # which is counted by the kernel's errors
    assert documented == {*counters_in(Path(user.__file__)), *drops}


def counters_in(path: Path) -> Iterator[str]:
    """Give the names that a plane counts packets by; what a name is completed with becomes an ellipsis."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Subscript(value=ast.Attribute(attr="_counters"), slice=ast.Constant(value=counter)):
                yield str(counter)
            case ast.Subscript(value=ast.Attribute(attr="_counters"), slice=ast.JoinedStr(values=[start, *_])):
                assert isinstance(start, ast.Constant)
                yield str(start.value) + "…"
            case ast.Subscript(
                value=ast.Attribute(attr="_counters"), slice=ast.IfExp(orelse=ast.Constant(value=counter))
            ):
                yield str(counter)
            case ast.Call(func=ast.Attribute(attr="_count_delivery"), args=[ast.Constant(value=counter), _]):
                yield str(counter)


def test_other_documents_name_known_keys() -> None:
    """The template by which the lab configures its nodes has the keys of every node."""
    template = (ROOT / "templates" / "node.toml.j2").read_text(encoding="utf-8")
    keys = [*re.findall(r"^(\w+) = ", template, re.MULTILINE), *re.findall(r"for tables in (\w+) ", template)]
    documented = {name(row[0]) for row in Document(DOCUMENT.path).table(*KEYS, heading="Keys of every node").rows}
    assert {*keys} == documented


def test_purposes_of_associations() -> None:
    rows = DOCUMENT.table("`protects`", "packets", "mode").rows
    documented = {name(purpose): mode for purpose, _, mode in rows}
    assert documented == {purpose: "tunnel" if purpose.tunnels else "transport" for purpose in Protects}
