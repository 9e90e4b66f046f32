"""`docs/events.md` says of events what the code says."""

import ast
import dataclasses
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from lab.emulation.scenario import Stage
from lab.engine import correspondent, correspondent_registration
from lab.engine.correspondent_states import EndReason
from lab.errors import IpsecReason, MalformedReason, PlaneReason
from lab.events import EVENTS, BindingRegistered, Event, Record, RegistrationKind
from tests.docs.markdown import ROOT, code, document, name, run

EVENT_HEADER = ("event", "§", "fields", "meaning")
DOCUMENT = document("docs/events.md")


@cache
def documented() -> dict[str, tuple[str, list[str], str]]:
    """Give section, fields and meaning of each event."""
    rows = [row for table in DOCUMENT.tables if table.header == EVENT_HEADER for row in table.rows]
    assert len({row[0] for row in rows}) == len(rows), "an event is documented twice"
    return {name(event): (section, code(fields), meaning) for event, section, fields, meaning in rows}


def test_every_event_is_documented_in_the_order_of_the_code() -> None:
    assert [*documented()] == [*EVENTS]


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_section_and_fields(event: type[Event]) -> None:
    section, fields, meaning = documented()[event.__name__]
    assert section == event.SECTION
    assert fields == [field.name for field in dataclasses.fields(event)]
    assert meaning


def test_kinds_of_registration() -> None:
    assert {*RegistrationKind} <= {*code(documented()["BindingRegistered"][2])}


def test_reasons_of_dropped_packets() -> None:
    rows = DOCUMENT.table("reason", "§", "when", "answer").rows
    reasons = {*MalformedReason, *IpsecReason, *PlaneReason, *reasons_in_code()}
    assert sorted(name(row[0]) for row in rows) == sorted(reasons)


def test_reasons_of_other_events() -> None:
    for event, reason in reasons_of_events():
        if event != "PacketDropped":
            assert f"`{reason}`" in documented()[event][2], f"{event}: the reason {reason} is not documented"


def test_reasons_why_route_optimisation_ends() -> None:
    rows = DOCUMENT.table("reason", "when", "what follows").rows
    assert sorted(name(reason) for reason, _, _ in rows) == sorted(EndReason)
    text = DOCUMENT.path.read_text(encoding="utf-8")
    assert f"nothing for {correspondent_registration.REST:g} seconds" in text
    assert correspondent_registration.RESTART_INTERVAL == 10.0
    assert "nothing for ten seconds" in text


def test_reasons_why_a_correspondent_removes_bindings() -> None:
    tree = ast.parse(Path(correspondent.__file__).read_text(encoding="utf-8"))
    ends = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and ast.unparse(call.func) == "self._end"]
    reasons = {call.args[1].value for call in ends if isinstance(call.args[1], ast.Constant)}
    assert reasons == {"evicted", "expired", "unreachable", "refused"}
    assert reasons < {*code(documented()["BindingRemoved"][2])}


def reasons_in_code() -> Iterator[str]:
    """Give the words by which the code drops packets."""
    for call in calls():
        if called(call) == "drop":
            assert isinstance(call.args[1], ast.Constant)
            yield str(call.args[1].value)
    yield from (reason for event, reason in reasons_of_events() if event == "PacketDropped")


def reasons_of_events() -> Iterator[tuple[str, str]]:
    """Give the events that the code makes with a `reason` that is spelled out."""
    for call in calls():
        for keyword in call.keywords:
            if called(call) in EVENTS and keyword.arg == "reason" and isinstance(keyword.value, ast.Constant):
                yield called(call), str(keyword.value.value)


@cache
def calls() -> list[ast.Call]:
    """Give every call in the code."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "lab").rglob("*.py"))]
    return [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)]


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def test_the_record() -> None:
    """The example is a record as it is written, and what all records have is in the table."""
    line = DOCUMENT.block("json", "Events")
    record = Record.from_json(line)
    assert isinstance(record.event, BindingRegistered)
    assert record.to_json() == line.strip()
    head = [name(field) for field, _ in DOCUMENT.table("field", "meaning").rows]
    assert [*json.loads(line)] == head + documented()["BindingRegistered"][1]


def test_no_field_of_an_event_hides_one_of_the_record() -> None:
    head = {name(field) for field, _ in DOCUMENT.table("field", "meaning").rows}
    assert [event for event, (_, fields, _) in documented().items() if head & {*fields}] == []


def test_what_a_scenario_calls_exists() -> None:
    assert "registration_takes" in run(DOCUMENT.block("python", "In a scenario"))
    assert callable(Stage.expect)
    assert callable(Stage.care_of_address)
