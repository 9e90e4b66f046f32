"""Two mobile nodes of two home agents, each the other's correspondent."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, BindingRegistered, RouteOptimisationStarted

MOBILE_NODES = ("mn1", "mn2")


class TwoMobileNodes(Topology):
    """Two mobile nodes with home links and home agents of their own, and two links to visit.

    mn1 ─── home1 ══ ha1 ─── core ─── ha2 ══ home2 ─── mn2
                       ar1 ───┤├─── ar2
                       ║            ║
                    visited1     visited2
    """

    summary = "two mobile nodes with home agents of their own, two access routers"

    def declare(self) -> None:
        """Declare links, then nodes."""
        homes = [self.link(f"home{n}", f"2001:db8:{n}::/64") for n in (1, 2)]
        visited = [self.link(f"visited{n}", f"2001:db8:a{n}::/64") for n in (1, 2)]
        to_agents = [self.link(f"core-ha{n}", f"2001:db8:f{n}::/64") for n in (1, 2)]
        to_routers = [self.link(f"core-ar{n}", f"2001:db8:fa{n}::/64") for n in (1, 2)]
        self.router("core", on=[*to_agents, *to_routers])
        for n in (0, 1):
            self.home_agent(f"ha{n + 1}", home=homes[n], on=[to_agents[n]])
            self.access_router(f"ar{n + 1}", serves=visited[n], on=[to_routers[n]])
            self.mobile_node(f"mn{n + 1}", home=homes[n], home_agent=f"ha{n + 1}")


topos = {"two_mobile_nodes": TwoMobileNodes}


@scenario(TwoMobileNodes)
def mobile_to_mobile(stage: Stage) -> None:
    """Two mobile nodes away from home talk straight, each bound in the other's cache."""
    there = stage.stream("mn1", "mn2", every=0.01)
    back = stage.stream("mn2", "mn1", every=0.05, size=1400)
    stage.wait(0.5)
    for name, link in zip(MOBILE_NODES, ("visited1", "visited2"), strict=True):
        stage.say(f"{name} moves to {link}")
        stage.move(name, link)
        stage.expect(BindingAcknowledged, node=name, care_of_address=stage.care_of_address(name, link))
    for name, link, peer in zip(MOBILE_NODES, ("visited1", "visited2"), reversed(MOBILE_NODES), strict=True):
        care_of_address = stage.care_of_address(name, link)
        stage.expect(BindingRegistered, node=peer, ever=True, care_of_address=care_of_address)
        stage.expect(RouteOptimisationStarted, node=name, ever=True, care_of_address=care_of_address)
    stage.wait(2.0)
    stage.say("Both are on one link")
    stage.move("mn2", "visited1")
    care_of_address = stage.care_of_address("mn2", "visited1")
    stage.expect(BindingRegistered, node="mn1", care_of_address=care_of_address)
    stage.expect(RouteOptimisationStarted, node="mn2", care_of_address=care_of_address)
    stage.wait(1.5)
    stage.check_survival(there, "5.2.6-b", "9.3.2-a", "11.3.1-a")
    stage.check_survival(back, "5.2.6-b", "9.3.2-a", "11.3.1-a")
