"""Two home agents on one home link: when one dies, the mobile node finds the other (RFC 6275 §10.5, §11.4.1)."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    DiscoveryAnswered,
    HomeAgentAbandoned,
    HomeAgentListed,
    HomeAgentsDiscovered,
    HomeAgentUnlisted,
    ReturnedHome,
)

PREFERENCE = 10
ADVERTISED = 4
"""Seconds that an advertisement of a home agent holds: so long the other one lists it after its end."""


class HomeAgentsFailover(Topology):
    """A home link with two home agents beside its router.

    cn ─── core ─── hr ═══ home ─── mn
             │              ├────── ha1 (preferred)
             │              └────── ha2
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2

    Routes are static and lead to the home link by `hr`. Were a home agent the router of the link, its end would cut the
    link off, and there would be nobody to ask for another.
    """

    summary = "two home agents beside the router of the home link, two access routers"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64")
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        core_hr = self.link("core-hr", "2001:db8:f0::/64")
        core_ar1 = self.link("core-ar1", "2001:db8:f1::/64")
        core_ar2 = self.link("core-ar2", "2001:db8:f2::/64")

        self.router("core", on=[cn_core, core_hr, core_ar1, core_ar2])
        self.access_router("hr", serves=home, on=[core_hr])
        self.home_agent("ha1", home=home, preference=PREFERENCE, lifetime=ADVERTISED)
        self.home_agent("ha2", home=home, lifetime=ADVERTISED)
        self.access_router("ar1", serves=visited1, on=[core_ar1])
        self.access_router("ar2", serves=visited2, on=[core_ar2])
        self.correspondent("cn", on=[cn_core])
        self.mobile_node("mn", home=home, home_agent="ha1")


topos = {"home_agents_failover": HomeAgentsFailover}


@scenario(HomeAgentsFailover, ro=False, lifetime=8)
def ha_failover(stage: Stage) -> None:
    """The home agent dies; the mobile node discovers the other one of the home link, and its session goes on."""
    first, second = (stage.network.node(name).spec.address for name in ("ha1", "ha2"))
    stage.expect(HomeAgentListed, node="ha2", addresses=str(first), preference=PREFERENCE, ever=True)
    stream = stage.stream("cn", "mn", every=0.01)
    back = stage.stream("mn", "cn", every=0.05)
    stage.wait(0.5)
    care_of_address = stage.care_of_address("mn", "visited1")
    stage.say("The mobile node moves to visited1")
    stage.move("mn", "visited1")
    stage.expect(BindingRegistered, node="ha1", care_of_address=care_of_address)
    stage.expect(BindingAcknowledged, node="mn", peer=first)
    stage.wait(2.5)
    stage.say("The home agent ha1 dies")
    stage.fail("ha1")
    stage.expect(HomeAgentUnlisted, node="ha2", reason="expired", within=ADVERTISED + 2.0)
    stage.expect(DiscoveryAnswered, node="ha2", to=care_of_address, home_agents=str(second), within=20.0)
    stage.expect(HomeAgentsDiscovered, node="mn", source=second, home_agents=str(second))
    stage.expect(HomeAgentAbandoned, node="mn", home_agent=first, successor=second)
    stage.expect(BindingRegistered, node="ha2", care_of_address=care_of_address)
    stage.expect(BindingAcknowledged, node="mn", peer=second)
    stage.wait(2.0)
    stage.check_survival(stream, "11.4.1-a", "10.5-a", "10.5.1-a", "10.1-a")
    stage.check_survival(back, "11.4.1-a", "11.3.1-a")
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha2")
    stage.expect(ReturnedHome, node="mn")
    home = stage.stream("cn", "mn", every=0.01)
    stage.wait(2.0)
    stage.check_survival(home, "11.5.5-a", "10.3.2-d")
