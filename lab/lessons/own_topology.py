"""Lesson: write your own topology."""

import re

from lab.emulation.spec import Kind as Role
from lab.emulation.spec import LinkSpec, NodeSpec
from lab.emulation.topology import Topology
from lab.lessons.lesson import Criterion, Finding, Kind, Lesson
from lab.lessons.work import Written

MOBILE_NODES, VISITED, HOPS = 2, 3, 3
"""At least so many mobile nodes and links to visit; so many routers after the home agent to the farthest."""


def _laid_out(work: Written) -> Finding:
    if work.fault is not None or work.network is None:
        return Finding(holds=False, found=work.fault or "the file has no `topos`, a table of names and topologies")
    nodes, links = len(work.network.node_specs), len(work.network.link_specs)
    return Finding(holds=True, found=f"{next(iter(work.classes))}: {nodes} nodes, {links} links")


def _drawn(work: Written) -> Finding:
    names = [] if work.network is None else [*work.network.node_specs]
    absent = [name for name in names if not re.search(rf"\b{re.escape(name)}\b", work.drawing)]
    found = f"not in it: {', '.join(absent)}" if absent else f"all of {len(names)} nodes are in it"
    return Finding(holds=bool(names) and not absent, found=found)


def _of(work: Written, *roles: Role) -> list[NodeSpec]:
    return [] if work.network is None else [node for node in work.network.node_specs.values() if node.kind in roles]


def _homes(work: Written) -> Finding:
    agents, mobile = _of(work, Role.HOME_AGENT), _of(work, Role.MOBILE_NODE)
    holds = bool(agents) and len(mobile) >= MOBILE_NODES
    return Finding(holds=holds, found=f"{len(agents)} home agents, {len(mobile)} mobile nodes")


def _visited(work: Written) -> list[LinkSpec]:
    homes = [node.home for node in _of(work, Role.HOME_AGENT)]
    return [link for node in _of(work, Role.ROUTER) for link in node.advertises if link not in homes]


def _links_to_visit(work: Written) -> Finding:
    names = [link.name for link in _visited(work)]
    return Finding(holds=len(names) >= VISITED, found=f"{len(names)}: {', '.join(names) or 'none'}")


def _far(work: Written) -> Finding:
    farthest = max(
        (
            (_hops(work.network, agent, link), link.name, agent.name)
            for agent in _of(work, Role.HOME_AGENT)
            for link in _visited(work)
            if work.network is not None
        ),
        default=None,
    )
    if farthest is None:
        return Finding(holds=False, found="no home agent, or no link to visit")
    hops, link, agent_name = farthest
    return Finding(holds=hops >= HOPS, found=f"{link} is the farthest: {hops} routers after {agent_name}")


def _hops(network: Topology, start: NodeSpec, link: LinkSpec) -> int:
    """Count the routers on the way from a node to a link."""
    at = {plug.address: node for node in network.node_specs.values() for plug in node.plugs if plug.address}
    node, hops = start, 0
    while node.plug_on(link) is None:
        node, hops = at[node.routes[link.prefix]], hops + 1
    return hops


def _correspondent(work: Written) -> Finding:
    homes = [node.home for node in _of(work, Role.HOME_AGENT)]
    found = _of(work, Role.CORRESPONDENT)
    elsewhere = [node.name for node in found if all(plug.link not in homes for plug in node.plugs)]
    return Finding(holds=bool(elsewhere), found=f"{len(found)} correspondents, off home links: {len(elsewhere)}")


def _scenario(work: Written) -> Finding:
    own = [scenario for scenario in work.scenarios if scenario.topology in work.classes.values()]
    found = ", ".join(f"{scenario.name}: {scenario.summary or 'no sentence'}" for scenario in own) or "none"
    return Finding(holds=any(scenario.summary for scenario in own), found=found)


LESSON = Lesson(
    name="own-topology",
    summary="Write your own topology, and a scenario that is played on it.",
    kind=Kind.TOPOLOGY,
    topology=None,
    asks={},
    criteria=(
        Criterion(
            name="laid-out",
            wanted="the file can be read, and its topology be laid out",
            look_at="`mip6lab list FILE.py`, and README: a topology and a scenario of your own",
            examine=_laid_out,
        ),
        Criterion(
            name="drawn",
            wanted="the description of its class is a drawing with every node in it",
            look_at='the text between """ below the line of `class`',
            examine=_drawn,
        ),
        Criterion(
            name="homes",
            wanted=f"it has a home agent, and {MOBILE_NODES} mobile nodes or more",
            look_at="self.home_agent(…) and self.mobile_node(…)",
            examine=_homes,
        ),
        Criterion(
            name="links-to-visit",
            wanted=f"it has {VISITED} links to visit or more, each with an access router",
            look_at="self.access_router(…, serves=…)",
            examine=_links_to_visit,
        ),
        Criterion(
            name="far",
            wanted=f"from a home agent to the farthest link to visit there are {HOPS} routers or more",
            look_at="which links the access router of that link is `on`, and who else is on them",
            examine=_far,
        ),
        Criterion(
            name="correspondent",
            wanted="it has a correspondent that is on no home link",
            look_at="self.correspondent(…, on=[…])",
            examine=_correspondent,
        ),
        Criterion(
            name="scenario",
            wanted="a scenario in the file is played on it, and says in a sentence what it shows",
            look_at='@scenario(…) with the name of your class, and """a sentence""" below `def`',
            examine=_scenario,
        ),
    ),
)
