"""The topologies of the classroom: they are laid out as their drawings say, and their scenarios hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.emulation.network import Network
from lab.emulation.scenario import Stage, find_scenarios
from lab.emulation.settings import Settings
from lab.emulation.spec import Kind
from lab.emulation.topology import Topology
from lab.report.model import load
from lab.verify.check import Verdict
from tests.lab.networks import ROOT
from tests.lessons.steps import play as play_steps
from topologies.campus import Campus, campus
from topologies.nested_correspondents import NestedCorrespondents
from topologies.two_home_agents import TwoHomeAgents

MOST_NEIGHBOURS = 1024
"""The kernel's gc_thresh3, of all namespaces together."""
ALONE = 5
"""Neighbours of a mobile node: groups, and its router."""
OF_A_TALK = 3
"""Neighbours that whoever talks to another has by that: two addresses and a group."""
CORE_LINKS = ("agents", "access")


class SmallCampus(Campus):
    """Two departments of three."""

    departments, members, access_routers = 2, 3, 4


def test_the_campus_is_as_large_as_it_says() -> None:
    nodes = [*Campus().node_specs.values()]
    counts = {kind: sum(node.kind is kind for node in nodes) for kind in Kind}
    assert (counts[Kind.MOBILE_NODE], counts[Kind.ROUTER], counts[Kind.HOME_AGENT]) == (50, 11, 5)
    assert len({node.home_address for node in nodes if node.kind is Kind.MOBILE_NODE}) == 50


def test_the_campus_has_not_too_many_neighbours() -> None:
    """What it has at most leaves a quarter to others of the machine."""
    nodes = [*Campus().node_specs.values()]
    mobile_nodes = sum(node.kind is Kind.MOBILE_NODE for node in nodes)
    beside_core = sum(plug.link.name in CORE_LINKS for node in nodes if node.name != "core" for plug in node.plugs)
    # Core talks to all beside it, and they to it; a mobile node was at home with one router, and is away with another.
    talks = 2 * beside_core + 2 * mobile_nodes
    assert OF_A_TALK * talks + ALONE * len(nodes) < MOST_NEIGHBOURS * 3 / 4


@pytest.mark.parametrize("topology", [TwoHomeAgents, NestedCorrespondents])
def test_every_node_is_in_the_drawing(topology: type[Topology]) -> None:
    drawn = set(re.findall(r"\w+(?:-\w+)*", topology.__doc__ or ""))
    assert {*topology().node_specs} <= drawn


@pytest.mark.privileged
@pytest.mark.rfc6275("10.4.1-a", "10.4.2-a", "10.4.5-a", "5.2.6-b", "9.3.2-a", "11.3.1-a")
def test_scenarios_are_played(tmp_path: Path) -> None:
    """One after the other; the exit status tells that all their checks hold, those of captures too."""
    scenarios = ["two-home-agents", "nested-correspondents"]
    command = [sys.executable, "-m", "lab.cli.main", "run", *scenarios, "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    two, nested = (load(tmp_path / scenario) for scenario in scenarios)
    assert [move.to_link for move in two.handovers] == ["visited1", "visited2", "home"]
    assert [*nested.streams] == ["mn1-mn2", "mn2-mn3-1", "mn3-mn1-2"]


@pytest.mark.privileged
@pytest.mark.rfc6275("10.4.2-a", "11.3.3-a")
def test_a_small_campus(tmp_path: Path) -> None:
    (declared,) = find_scenarios("campus")
    assert declared.settings != Settings()
    with Network(SmallCampus, settings=declared.settings, directory=tmp_path) as network:
        network.start()
        network.wait_settled()
        stage = Stage(network)
        campus(stage)
    assert [(check.id, check.verdict) for check in stage.checks] == [
        ("scenario-stream-cn-mn1", Verdict.PASSED),
        ("scenario-bindings-kept", Verdict.PASSED),
    ]
    assert stage.checks[-1].detail == "3 bindings of 3 mobile nodes away"


@pytest.mark.privileged
def test_the_steps_of_a_page_are_what_its_lesson_asks_for(tmp_path: Path) -> None:
    """By the captures that they leave; those of another lesson do not do."""
    play_steps("tunnel", tmp_path)
    statuses = {
        lesson: main(["grade", lesson, str(tmp_path), *answer])
        for lesson, answer in (("tunnel", ["--answer", "overhead=40"]), ("route-optimisation", []), ("handover", []))
    }
    assert statuses == {"tunnel": 0, "route-optimisation": 1, "handover": 1}
