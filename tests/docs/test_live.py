"""docs/live.md says what is true: commands of the lab's socket, and what pages are told."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.cli import web
from lab.emulation import lab_control
from lab.emulation.lab_control import LabControl
from lab.emulation.operations import EVERY, LONGEST_INTERVAL, SHORTEST_INTERVAL
from lab.verify.growing import MOST_FRAMES
from lab.web import observer, viewers
from lab.web.driving import ARGUMENTS
from lab.web.flows import BIN, BINS, LOST_AFTER
from lab.web.server import TAKEN_WITHIN
from tests.docs.markdown import ROOT, code, document

DOCUMENT = document("docs/live.md")


def commands() -> dict[str, set[str]]:
    rows = DOCUMENT.table("command", "arguments", "result").rows
    return {code(name)[0]: {*code(arguments)} for name, arguments, _ in rows}


def test_commands(tmp_path: Path) -> None:
    operations: Any = SimpleNamespace(context=SimpleNamespace(run=tmp_path))
    control = LabControl(operations, topology="two_visited_links")
    assert {*commands()} == {*control._commands()}
    control._loop.close()


def test_commands_of_a_page_are_those_that_change_something() -> None:
    changing = {
        name: arguments for name, arguments in commands().items() if name not in ("network", "look", "bindings")
    }
    assert changing == ARGUMENTS


def test_kinds() -> None:
    told = {code(kind)[0] for kind, *_ in DOCUMENT.table("kind", "fields", "when").rows}
    script = (ROOT / "templates" / "live" / "live.js").read_text(encoding="utf-8")
    (takes,) = re.findall(r"^const TAKES = \{\n(.*?)^\};", script, flags=re.DOTALL | re.MULTILINE)
    assert told == {*re.findall(r"^  (\w+):", takes, flags=re.MULTILINE)}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "lab" / "web").glob("*.py"))
    assert told == {*re.findall(r'"kind": "(\w+)"', source)}


@pytest.mark.parametrize(
    "said",
    [
        f"`{web.DEFAULT}`",
        f"up to {viewers.MOST_VIEWERS}",
        f"`records` from that one on, {lab_control.AT_MOST} at most",
        f"({EVERY:g} seconds, from {SHORTEST_INTERVAL:g} to {LONGEST_INTERVAL:g})",
        f"takes nothing for {TAKEN_WITHIN:g} seconds",
        f"the last {BIN * BINS:g} seconds",
        f"not seen to arrive in {LOST_AFTER:g} seconds",
        f"more than {MOST_FRAMES} packets",
        f"a message is {observer.WRITTEN_WITHIN:g} seconds old",
    ],
)
def test_numbers(said: str) -> None:
    assert said in DOCUMENT.path.read_text(encoding="utf-8").replace("\n", " ")
