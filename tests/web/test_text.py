"""What is to be seen, as lines: messages when they arrived, bindings when they change."""

from typing import Any

import pytest

from lab.web.text import PATIENCE, Line, Text

UPDATE: dict[str, Any] = {
    "id": "visited1-61",
    "time": 1.5,
    "name": "Binding Update",
    "remark": "#1, 60 s",
    "source": "mn",
    "arrived": True,
    "legs": [{"source": "mn", "destination": "ha", "way": "direct", "sealed": True}],
}
ROW = ["home", "of 2001:db8:1::100", "at 2001:db8:a1::6", "registered", "#1", "60 of 60 s left"]
EVENT = {"time": 1.25, "node": "mn", "text": "link up", "section": "§11.5.1"}


def messages(*told: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "messages", "messages": [*told]}]


def bindings(*rows: list[str], node: str = "ha", place: str = "") -> list[dict[str, Any]]:
    held = {"place": place, "rows": [{"cells": row, "path": None} for row in rows], "drops": {}}
    return [{"kind": "bindings", "nodes": {node: held}}]


def test_a_message_that_arrived_is_told_once() -> None:
    text = Text()
    line = Line(time=1.5, node="mn", text="Binding Update #1, 60 s  (mn ⇢ ha, ESP)")
    assert [*text.take(messages(UPDATE), 0.0)] == [line]
    assert [*text.take(messages(UPDATE), 0.1)] == []


def test_a_message_is_awaited_a_while() -> None:
    lost, text = UPDATE | {"arrived": False}, Text()
    assert [*text.take(messages(lost), 0.0)] == []
    assert [*text.take([], PATIENCE - 0.1)] == []
    (line,) = text.take([], PATIENCE)
    assert line.lost
    assert line.text.endswith("not seen to arrive)")


def test_bindings_are_told_when_they_change() -> None:
    text = Text()
    assert [line.text for line in text.take(bindings(), 0.0)] == ["ha: no bindings"]
    told = [*text.take(bindings(ROW), 1.0)]
    assert [line.text for line in told] == ["ha:", f"  {'  '.join(ROW)}"]
    later = [*ROW[:-1], "59 of 60 s left"]
    assert [*text.take(bindings(later), 2.0)] == []
    assert text.bindings == ["ha:", f"  {'  '.join(later)}"]
    assert [line.text for line in text.take([{"kind": "bindings", "nodes": {"ha": None}}], 3.0)] == [
        "ha: does not answer"
    ]


@pytest.mark.parametrize(("wanted", "told"), [(True, ["link up  §11.5.1"]), (False, [])])
def test_events_are_told_if_they_are_wanted(wanted: bool, told: list[str]) -> None:
    text = Text(events=wanted)
    assert [line.text for line in text.take([{"kind": "events", "events": [EVENT]}], 0.0)] == told


def test_other_parts_are_of_no_interest() -> None:
    assert [*Text().take([{"kind": "flows"}, {"kind": "now"}, {"kind": "network"}], 0.0)] == []
