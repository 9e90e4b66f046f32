"""A network is drawn with nothing upon another."""

import itertools
from dataclasses import replace
from math import hypot

import pytest

from lab.emulation.plan import plan_of
from lab.emulation.scenario import library
from lab.emulation.topology import Topology
from lab.report.drawing import Layout, layout
from tests.report.played import network
from tests.report.results import result

TOPOLOGIES = library().topologies


def planned(topology: type[Topology]) -> Layout:
    made = topology()
    plan = layout(plan_of(made), set(made.link_specs))
    assert plan is not None
    return plan


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_topology_has_a_drawing(name: str) -> None:
    plan = planned(TOPOLOGIES[name])
    places = [*plan.nodes.values(), *plan.bars.values(), *plan.rooms.values()]
    for place in places:
        assert 30 <= place.x <= plan.width - 30
        assert 0 < place.y < plan.height
    for one, other in itertools.combinations(places, 2):
        assert hypot(one.x - other.x, one.y - other.y) > 55
    assert {*plan.mobile, *plan.nodes} == {*TOPOLOGIES[name]().node_specs}
    for link in TOPOLOGIES[name]().link_specs:
        assert plan.link(link)


def test_correspondents_are_above_and_links_below_their_routers() -> None:
    plan = layout(network(), {"away"})
    assert plan is not None
    rows = [plan.nodes["cn"], plan.nodes["core"], plan.nodes["ha"], plan.bars["home"], plan.rooms["home"]]
    assert [place.y for place in rows] == sorted(place.y for place in rows)
    assert plan.lines == {"cn-core": ("core", "cn"), "core-ha": ("core", "ha"), "core-ar": ("core", "ar")}


def test_a_result_without_a_network_has_none() -> None:
    assert layout(result()) is None


def test_a_network_in_pieces_is_not_drawn() -> None:
    of = network()
    assert layout(replace(of, nodes=[node for node in of.nodes if node.name != "core"])) is None
