"""A campus: five departments with ten mobile nodes each, and ten access routers that all of them visit."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, ReturnedHome

WITHIN = 20.0
"""Seconds in which a crowd that moves at once must be registered: the home agents test each home address for one."""
WANDERERS = 10
"""So many move on to another link, and half of them go home then."""


class Campus(Topology):
    """Home links of departments, and links to visit.

    core ─┬─ agents ─┬─ cn
          │          ├─ ha1 ══ home1 ─── mn1 … mn10
          │          │   …
          │          └─ ha5 ══ home5 ─── mn41 … mn50
          └─ access ─┬─ ar1 ══ visited1
                     │   …
                     └─ ar10 ══ visited10

    The kernel keeps at most 1024 neighbours, in all namespaces together, and whoever talks to another on a link has
    three by that: two addresses and a group. So home agents and access routers are on links of their own, joined by
    `core`.
    """

    summary = "ten access routers, fifty mobile nodes of five home agents"
    departments = 5
    members = 10
    """Mobile nodes of each department."""
    access_routers = 10

    def declare(self) -> None:
        """Declare links, then nodes."""
        agents = self.link("agents", "2001:db8:f0::/64")
        access = self.link("access", "2001:db8:fa::/64")
        homes = [self.link(f"home{n}", f"2001:db8:{n}::/64") for n in range(1, self.departments + 1)]
        self.router("core", on=[agents, access])
        self.correspondent("cn", on=[agents])
        for n, home in enumerate(homes, start=1):
            self.home_agent(f"ha{n}", home=home, on=[agents])
        for n in range(1, self.access_routers + 1):
            visited = self.link(f"visited{n}", f"2001:db8:a{n:x}::/64")
            self.access_router(f"ar{n}", serves=visited, on=[access])
        for n in range(self.departments * self.members):
            department = n // self.members
            self.mobile_node(f"mn{n + 1}", home=homes[department], home_agent=f"ha{department + 1}")


topos = {"campus": Campus}


@scenario(Campus, ro=False, ra_interval=1.0)
def campus(stage: Stage) -> None:
    """Fifty mobile nodes leave home and register, ten of them move on, five go home: nobody is lost."""
    topology = stage.network.topology
    assert isinstance(topology, Campus)
    names = [f"mn{n}" for n in range(1, 1 + topology.departments * topology.members)]
    places = {name: n % topology.access_routers + 1 for n, name in enumerate(names)}
    stream = stage.stream("cn", names[0], every=0.02)
    stage.say("Everybody leaves home")
    for name, place in places.items():
        stage.move(name, f"visited{place}")
    _expect_registered(stage, places)
    wanderers = {name: places[name] % topology.access_routers + 1 for name in names[:WANDERERS]}
    stage.say(f"{len(wanderers)} move on to the next link")
    for name, place in wanderers.items():
        stage.move(name, f"visited{place}")
    _expect_registered(stage, wanderers)
    stage.wait(1.5)
    stage.check_survival(stream, "10.4.2-a", "11.3.3-a")
    homecomers = names[: len(wanderers) // 2]
    stage.say(f"{len(homecomers)} return home")
    for name in homecomers:
        home = topology.node_specs[name].home
        assert home is not None
        stage.move(name, home.name)
    for name in homecomers:
        stage.expect(ReturnedHome, node=name, within=WITHIN, ever=True)
    agents = [stage.network.node(f"ha{n + 1}") for n in range(topology.departments)]
    kept = sum(binding["state"] == "registered" for agent in agents for binding in agent.control("bindings"))
    away = len(names) - len(homecomers)
    stage.check("bindings-kept", kept == away, "10.3.1-c", detail=f"{kept} bindings of {away} mobile nodes away")


def _expect_registered(stage: Stage, places: dict[str, int]) -> None:
    """Wait until home agents acknowledged where all are; they were moved before the first of them was asked for."""
    for name, place in places.items():
        care_of_address = stage.care_of_address(name, f"visited{place}")
        stage.expect(BindingAcknowledged, node=name, within=WITHIN, ever=True, care_of_address=care_of_address)
