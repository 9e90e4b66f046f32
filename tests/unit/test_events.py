"""Records: what a journal writes is read back, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.events import EVENTS, Event, NodeStarted, PacketDropped, Record
from tests.unit.event_samples import events_of, sample

EVENT = st.sampled_from([*EVENTS.values()]).flatmap(events_of)
LINE = Record(time=1.5, node="ha", event=NodeStarted(role="home-agent", plane="user")).to_json()


@given(EVENT, st.floats(0, 1e10), st.text())
def test_what_is_written_is_read_back(event: Event, time: float, node: str) -> None:
    line = Record(time=time, node=node, event=event).to_json()
    assert "\n" not in line
    assert Record.from_json(line) == Record(time=round(time, 6), node=node, event=event)


@pytest.mark.parametrize("kind", EVENTS.values(), ids=EVENTS)
def test_every_event_tells_its_section_and_its_name(kind: type[Event]) -> None:
    data = json.loads(Record(time=0.0, node="n", event=sample(kind)).to_json())
    assert [*data][:5] == ["v", "time", "node", "event", "section"]
    assert (data["v"], data["event"], data["section"]) == (1, kind.__name__, kind.SECTION)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        "5",
        "[" * 100000,
        "{}",
        LINE.replace('"NodeStarted"', '"Event"'),
        LINE.replace('"NodeStarted"', "[]"),
        LINE.replace('"NodeStarted"', "{}"),
        LINE.replace('"role"', '"rule"'),
        LINE.replace('"home-agent"', "5"),
        LINE.replace('"time": 1.5', '"time": "soon"'),
        LINE.replace('"time": 1.5', '"time": null'),
        LINE.replace('"time": 1.5', f'"time": 1{"0" * 400}'),
        LINE.replace('"v": 1, ', ""),
        LINE.replace('"v": 1', '"v": 2'),
    ],
    ids=lambda line: str(line)[:40],
)
def test_a_line_of_another_kind_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a journal record: "):
        Record.from_json(line)


def test_a_record_of_another_version_is_named() -> None:
    with pytest.raises(ValueError, match=r"not a journal record: .*version 2 instead of 1"):
        Record.from_json(LINE.replace('"v": 1', '"v": 2'))


@pytest.mark.parametrize(
    ("field", "value"), [("count", True), ("count", 1.5), ("source", 5), ("source", "x"), ("detail", None)]
)
def test_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    data = json.loads(Record(time=0.0, node="n", event=PacketDropped(reason="r")).to_json())
    with pytest.raises(ValueError, match="not a journal record: "):
        Record.from_json(json.dumps(data | {field: value}))


def test_fields_of_a_later_program_are_no_obstacle() -> None:
    data = json.loads(LINE) | {"mood": "good"}
    assert Record.from_json(json.dumps(data)) == Record.from_json(LINE)


@given(st.one_of(st.text(), st.binary().map(lambda octets: octets.decode(errors="replace"))))
def test_no_line_raises_anything_else(line: str) -> None:
    with pytest.raises(ValueError, match="not a journal record: "):
        Record.from_json(line)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from([*EVENTS.values()]).flatmap(events_of), st.data())
def test_no_changed_field_raises_anything_else(event: Event, data: st.DataObject) -> None:
    fields = json.loads(Record(time=0.0, node="n", event=event).to_json())
    fields[data.draw(st.sampled_from([*fields]))] = data.draw(_JSON)
    try:
        record = Record.from_json(json.dumps(fields))
    except ValueError:
        return
    assert type(record.event).__name__ == fields["event"]
