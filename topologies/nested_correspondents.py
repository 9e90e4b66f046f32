"""Three mobile nodes in a ring, each the correspondent of the next, behind routers that are behind routers."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, BindingRegistered, ReturnedHome, RouteOptimisationStarted

PLACES = ("near", "middle", "far")
"""Links to visit; each is behind the router of the one before."""
RING = (("mn1", "mn2"), ("mn2", "mn3"), ("mn3", "mn1"))
"""Who sends to whom."""


class NestedCorrespondents(Topology):
    """Three homes, and links to visit that are one, two and three routers away.

    mn1 ─── home1 ══ ha1 ───┐
    mn2 ─── home2 ══ ha2 ─── core ─── r1 ─── r2 ─── r3
    mn3 ─── home3 ══ ha3 ───┘         ║      ║      ║
                                     near  middle  far
    """

    summary = "three mobile nodes of three home agents, links to visit one router behind the other"

    def declare(self) -> None:
        """Declare links, then nodes."""
        homes = [self.link(f"home{n}", f"2001:db8:{n}::/64") for n in (1, 2, 3)]
        visited = [self.link(name, f"2001:db8:a{n}::/64") for n, name in enumerate(PLACES, start=1)]
        to_agents = [self.link(f"core-ha{n}", f"2001:db8:f{n}::/64") for n in (1, 2, 3)]
        names = ("core-r1", "r1-r2", "r2-r3")
        chain = [self.link(name, f"2001:db8:fa{n}::/64") for n, name in enumerate(names, start=1)]
        self.router("core", on=[*to_agents, chain[0]])
        for n in (0, 1, 2):
            self.access_router(f"r{n + 1}", serves=visited[n], on=chain[n : n + 2])
            self.home_agent(f"ha{n + 1}", home=homes[n], on=[to_agents[n]])
            self.mobile_node(f"mn{n + 1}", home=homes[n], home_agent=f"ha{n + 1}")


topos = {"nested_correspondents": NestedCorrespondents}


@scenario(NestedCorrespondents)
def nested_correspondents(stage: Stage) -> None:
    """Three mobile nodes talk in a ring by direct paths, while one moves on and another goes home."""
    ring = [stage.stream(source, destination, every=0.04) for source, destination in RING]
    stage.wait(0.5)
    for number, place in enumerate(PLACES, start=1):
        _go(stage, f"mn{number}", place)
    stage.say("Each hears straight from the one before")
    where = dict(zip(("mn1", "mn2", "mn3"), PLACES, strict=True))
    for source, destination in RING:
        _expect_straight(stage, source, destination, where[destination])
    stage.wait(1.2)
    _go(stage, "mn1", "far")
    _expect_straight(stage, "mn3", "mn1", "far")
    stage.wait(1.2)
    stage.say("mn2 returns home, and is reached there")
    stage.move("mn2", "home2")
    stage.expect(ReturnedHome, node="mn2")
    stage.wait(1.2)
    for stream in ring:
        stage.check_survival(stream, "5.2.6-b", "9.3.2-a", "11.3.1-a")


def _go(stage: Stage, mobile_node: str, link: str) -> None:
    stage.say(f"{mobile_node} moves to {link}")
    stage.move(mobile_node, link)
    stage.expect(BindingAcknowledged, node=mobile_node, care_of_address=stage.care_of_address(mobile_node, link))


def _expect_straight(stage: Stage, source: str, destination: str, link: str) -> None:
    """Wait until a sender has a binding of its receiver, and the receiver knows that."""
    care_of_address = stage.care_of_address(destination, link)
    stage.expect(BindingRegistered, node=source, ever=True, care_of_address=care_of_address)
    stage.expect(RouteOptimisationStarted, node=destination, ever=True, care_of_address=care_of_address)
