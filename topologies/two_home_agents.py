"""One home link, two home agents: each serves its own mobile nodes, and either stands for them on the link."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    HomeAgentListed,
    ProxyStarted,
    ReturnedHome,
)


class TwoHomeAgents(Topology):
    """A home link with two routers, both home agents, each of one mobile node.

    cn ─── core ─── ha1 ═══ home ─── mn1 (of ha1), mn2 (of ha2)
             ├───── ha2 ══════╝
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2

    Packets come to the home link by `ha1`, which is the first on the way. For `mn2` it asks the link as for any
    neighbour, and `ha2` answers in its place.
    """

    summary = "a home link with two home agents, each of one mobile node, two access routers"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited = [self.link(f"visited{n}", f"2001:db8:a{n}::/64") for n in (1, 2)]
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        to_agents = [self.link(f"core-ha{n}", f"2001:db8:f{n}::/64") for n in (1, 2)]
        to_routers = [self.link(f"core-ar{n}", f"2001:db8:fa{n}::/64") for n in (1, 2)]
        self.router("core", on=[cn_core, *to_agents, *to_routers])
        self.correspondent("cn", on=[cn_core])
        for n in (0, 1):
            self.home_agent(f"ha{n + 1}", home=home, on=[to_agents[n]])
            self.access_router(f"ar{n + 1}", serves=visited[n], on=[to_routers[n]])
            self.mobile_node(f"mn{n + 1}", home=home, home_agent=f"ha{n + 1}")


topos = {"two_home_agents": TwoHomeAgents}


@scenario(TwoHomeAgents, ro=False)
def two_home_agents(stage: Stage) -> None:
    """Two home agents share a home link: the tunnel of one ends there, and that of the other begins."""
    agents = {name: stage.network.node(name).spec.address for name in ("ha1", "ha2")}
    stage.expect(HomeAgentListed, node="ha1", addresses=str(agents["ha2"]), ever=True)
    stage.expect(HomeAgentListed, node="ha2", addresses=str(agents["ha1"]), ever=True)
    from_afar = stage.stream("cn", "mn2", every=0.02)
    between = stage.stream("mn1", "mn2", every=0.05)
    stage.wait(0.5)
    for n in (1, 2):
        stage.say(f"mn{n} moves to visited{n}, and registers with ha{n}")
        stage.move(f"mn{n}", f"visited{n}")
        care_of_address = stage.care_of_address(f"mn{n}", f"visited{n}")
        stage.expect(BindingRegistered, node=f"ha{n}", care_of_address=care_of_address)
        stage.expect(ProxyStarted, node=f"ha{n}", address=stage.network.node(f"mn{n}").spec.address)
        stage.expect(BindingAcknowledged, node=f"mn{n}", peer=agents[f"ha{n}"], care_of_address=care_of_address)
        stage.wait(1.5 if n == 1 else 3.0)
    stage.check_survival(between, "10.4.1-a", "10.4.2-a", "10.4.5-a")
    stage.say("mn2 returns home, where ha1 is a router as any other")
    stage.move("mn2", "home")
    stage.expect(BindingDeregistered, node="ha2")
    stage.expect(ReturnedHome, node="mn2")
    stage.wait(1.5)
    stage.check_survival(from_afar, "10.4.2-a", "11.5.5-a")
