"""Reading files of topologies and scenarios: what is found, and how a mistake in one is told."""

from pathlib import Path

import pytest

from lab.emulation.scenario import find_scenarios, find_topology, library
from lab.errors import ScenarioError, TopologyError

HEAD = """
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology

class Small(Topology):
    '''A link.'''
    summary = "a link"
    def declare(self):
        self.host("h", on=[self.link("l", "2001:db8:1::/64")])
"""
TOPOS = "topos = {'small': Small}\n"
SCENARIO = """
@scenario(Small)
def stay_here(stage: Stage) -> None:
    '''Nothing moves.

    And so on.
    '''
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a file of a user's own."""
    path = tmp_path / "mine.py"
    path.write_text(HEAD + TOPOS + SCENARIO, encoding="utf-8")
    return path


def broken(path: Path, text: str) -> str:
    """Give what is said about a file."""
    path.write_text(text, encoding="utf-8")
    found = library(path)
    assert (found.topologies, found.scenarios) == ({}, {})
    return found.broken[path]


def test_the_lab_s_own_files_are_whole() -> None:
    found = library()
    assert found.broken == {}
    assert "two_visited_links" in found.topologies
    assert found.scenarios["handover"].topology.__name__ == "TwoVisitedLinks"
    for topology in found.topologies.values():
        assert topology.summary
        topology()
    for played in found.scenarios.values():
        assert played.summary


def test_a_file_has_topologies_and_scenarios(file: Path) -> None:
    found = library(file)
    assert [*found.topologies] == ["small"]
    assert [*found.scenarios] == ["stay-here"]
    assert found.scenarios["stay-here"].summary == "Nothing moves."


def test_scenarios_and_topologies_are_found_by_name_and_by_file(file: Path) -> None:
    assert [found.name for found in find_scenarios("handover")] == ["handover"]
    assert [found.name for found in find_scenarios(str(file))] == ["stay-here"]
    assert [found.name for found in find_scenarios(f"{file}:stay-here")] == ["stay-here"]
    assert find_topology("two_visited_links").__name__ == "TwoVisitedLinks"
    assert find_topology(str(file)).__name__ == "Small"


def test_scenarios_of_an_imported_file_are_not_those_of_the_importing_one(file: Path) -> None:
    file.write_text(
        "from lab.emulation.scenario import scenario\n"
        "from topologies.two_visited_links import TwoVisitedLinks, handover\n"
        "@scenario(TwoVisitedLinks)\n"
        "def stay(stage): '''Nothing moves.'''\n",
        encoding="utf-8",
    )
    assert [*library(file).scenarios] == ["stay"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def", "SyntaxError: "),
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit('enough')", "SystemExit: enough"),
        ("topos = ['small']", "TopologyError: topos is a table of names and topologies, not ['small']"),
        ("topos = None", "TopologyError: topos is a table of names and topologies, not None"),
        ("topos = {'small': int}", "TopologyError: topos: 'small' is no class that is made from Topology"),
        ("topos = {'small': lambda: None}", "TopologyError: topos: 'small' is no class that is made from Topology"),
        (HEAD + "@scenario\ndef f(stage): pass", "ScenarioError: @scenario(<function f at "),
        (HEAD + "@scenario('small')\ndef f(stage): pass", "ScenarioError: @scenario('small'): name a topology, as in "),
    ],
    ids=["syntax", "import", "fault", "exit", "list", "none", "no topology", "lambda", "bare", "name"],
)
def test_a_broken_file_is_told_with_its_reason(file: Path, text: str, said: str) -> None:
    assert broken(file, text).startswith(said)


def test_a_broken_file_does_not_hide_the_others(file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("def", encoding="utf-8")
    found = library(bad, file)
    assert [*found.broken] == [bad]
    assert [*found.scenarios] == ["stay-here"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "no scenario nothing; known: "),
        ("missing.py", "missing.py has no scenario: FileNotFoundError: "),
        ("missing.py:x", "no scenario x; known: none\n  missing.py: FileNotFoundError: "),
        ("{file}:x", "no scenario x; known: stay-here"),
        ("{file}:", "no scenario ; known: stay-here"),
        ("{bare}", "{bare} has no scenario: no function in it is marked with @scenario"),
    ],
)
def test_what_scenario_is_not_there_is_told(file: Path, tmp_path: Path, name: str, said: str) -> None:
    bare = tmp_path / "bare.py"
    bare.write_text(HEAD, encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        find_scenarios(name.format(file=file, bare=bare))
    assert str(caught.value).startswith(said.format(bare=bare))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "no topology nothing; known: "),
        ("missing.py", "missing.py: FileNotFoundError: "),
        ("{bare}", "{bare}: it has no `topos`, a table of names and topologies"),
    ],
)
def test_what_topology_is_not_there_is_told(tmp_path: Path, name: str, said: str) -> None:
    bare = tmp_path / "bare.py"
    bare.write_text(HEAD, encoding="utf-8")
    with pytest.raises(TopologyError) as caught:
        find_topology(name.format(bare=bare))
    assert str(caught.value).startswith(said.format(bare=bare))
