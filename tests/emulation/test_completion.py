"""The prompt completes what fits where, explains itself, and has colours on a terminal alone."""

import io
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from lab.emulation import prompt
from lab.emulation.operations import Operations
from lab.emulation.prompt import Prompt
from lab.errors import ScenarioError

NODES = {"ha": True, "ar1": False, "cn": True, "mn": True}
ROOT = Path(__file__).parents[2]
WITHIN = 20.0
LINKS = ("home", "visited1", "visited2")


class Network:
    """Operations on a network that is not there."""

    def __init__(self) -> None:
        self.nodes = [
            SimpleNamespace(name=name, serves=serves, wait_ready=lambda: None, wait_settled=lambda: None)
            for name, serves in NODES.items()
        ]
        self.links = [SimpleNamespace(name=name) for name in LINKS]
        self.streams = {"cn-mn": None}

    @staticmethod
    def places() -> dict[str, str]:
        return {"mn": "home"}

    @staticmethod
    def kill(node: str) -> None:
        raise ScenarioError(f"{node} has no daemon [red]that runs")

    @staticmethod
    def bindings(*_: str) -> dict[str, Any]:
        return {"ha": {"bindings": [], "drops": {"no-binding": 2}}, "cn": None}


@pytest.fixture
def cli() -> Iterator[Prompt]:
    """Make a prompt that reads nothing."""
    with Path("/dev/null").open(encoding="ascii") as nothing:
        yield Prompt({}, nothing, "/dev/null", operations=cast("Operations", Network()))


def complete(cli: Prompt, line: str) -> list[str]:
    """Do as readline does with the last word of a line."""
    begin = line.rindex(" ") + 1 if " " in line else 0
    command = line.split(maxsplit=1)[0] if begin else ""
    complete = getattr(cli, f"complete_{command}", cli.completedefault) if command else cli.completenames
    return sorted(complete(line[begin:], line, begin, len(line)))


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("mo", ["move"]),
        ("m", ["mn", "move"]),
        ("c", ["capture", "cn", "cutoff"]),
        ("move ", ["mn"]),
        ("move mn ", ["--no-carrier-loss", "home", "visited1", "visited2"]),
        ("move mn v", ["visited1", "visited2"]),
        ("impair v", ["visited1", "visited2"]),
        ("impair home d", ["delay="]),
        ("kill ", ["cn", "ha", "mn"]),
        ("restart h", ["ha"]),
        ("bindings m", ["mn"]),
        ("cutoff ", ["mn"]),
        ("readmit ", ["mn"]),
        ("stream c", ["cn"]),
        ("endstream ", ["cn-mn"]),
        ("capture h", ["home"]),
        ("capture home ", []),
        ("mn ping c", ["cn"]),
        ("events a", ["ar1"]),
    ],
)
def test_completion(cli: Prompt, line: str, completed: list[str]) -> None:
    assert complete(cli, line) == completed


def test_tab_completes_names_with_hyphens_at_a_terminal(tmp_path: Path) -> None:
    """As readline calls it, which by itself would end a word at a hyphen."""
    ours, theirs = pty.openpty()
    program = (
        "from lab.emulation.prompt import Prompt\n"
        "from tests.emulation.test_completion import Network\n"
        "Prompt({}, operations=Network())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment(tmp_path)
    ) as process:
        os.close(theirs)
        hear(ours, "mip6lab> ")
        os.write(ours, b"endstream cn-\t")
        hear(ours, "endstream cn-mn")
        os.write(ours, b"\x15exit\n")  # Ctrl-U: all of it goes
        assert process.wait(WITHIN) == 0
    os.close(ours)


def environment(home: Path) -> dict[str, str]:
    """Give an environment with a home of its own, where Mininet keeps its history."""
    return os.environ | {"HOME": str(home), "TERM": "dumb", "PYTHONPATH": str(ROOT)}


def hear(terminal: int, wanted: str) -> None:
    """Wait until a terminal has shown something."""
    said, deadline = "", monotonic() + WITHIN
    while wanted not in said:
        assert monotonic() < deadline, said
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 4096).decode()


def test_every_command_of_the_lab_has_help_with_an_example(cli: Prompt, capsys: pytest.CaptureFixture[str]) -> None:
    cli.stdout = sys.stdout  # the one that pytest listens to now
    cli.onecmd("help")
    said = capsys.readouterr().out
    for name in prompt._own_commands():
        assert f"  {name} " in said
        cli.onecmd(f"help {name}")
        assert f"Example: {name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colours(monkeypatch: pytest.MonkeyPatch, cli: Prompt, terminal: bool, no_color: str, coloured: bool) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm-256color")
    said = io.StringIO()
    cli._out = Console(file=said, force_terminal=terminal, highlight=False, soft_wrap=True)
    cli.onecmd("kill ar1")
    cli.onecmd("bindings")
    assert "ar1 has no daemon [red]that runs" in said.getvalue()
    assert "dropped: 2 no-binding" in said.getvalue()
    assert ("\x1b[1;31m" in said.getvalue()) is coloured


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stream cn", "two nodes are needed; usage: stream SOURCE DESTINATION"),
        ("stream cn mn every=often", "every=often: write every=10ms or every=0.01"),
        ("endstream", "a stream is needed"),
        ("capture home", "a link and a file are needed"),
    ],
)
def test_wrong_words_are_told(cli: Prompt, capsys: pytest.CaptureFixture[str], line: str, said: str) -> None:
    cli._out = Console(highlight=False, soft_wrap=True)  # writes where pytest looks now
    cli.onecmd(line)
    assert said in capsys.readouterr().out
