"""Two visited links: the smallest network in which a handover can be seen."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, BindingDeregistered, BindingRegistered, ReturnedHome


class TwoVisitedLinks(Topology):
    """A mobile node with a home link and two links to visit.

    cn ─── core ─── ha ═══ home ─── mn
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2
    """

    summary = "a home agent, two access routers, a correspondent node, a mobile node"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64")
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        core_ha = self.link("core-ha", "2001:db8:f0::/64")
        core_ar1 = self.link("core-ar1", "2001:db8:f1::/64")
        core_ar2 = self.link("core-ar2", "2001:db8:f2::/64")

        self.router("core", on=[cn_core, core_ha, core_ar1, core_ar2])
        self.home_agent("ha", home=home, on=[core_ha])
        self.access_router("ar1", serves=visited1, on=[core_ar1])
        self.access_router("ar2", serves=visited2, on=[core_ar2])
        self.correspondent("cn", on=[cn_core])
        self.mobile_node("mn", home=home, home_agent="ha")


topos = {"two_visited_links": TwoVisitedLinks}


@scenario(TwoVisitedLinks, ro=False)
def handover(stage: Stage) -> None:
    """The session survives two moves and the way home, by bi-directional tunnelling."""
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05)
    stage.wait(0.5)
    for link in ("visited1", "visited2"):
        care_of_address = stage.care_of_address("mn", link)
        stage.say(f"The mobile node moves to {link}")
        stage.move("mn", link)
        stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address)
        stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)
        # The home agent repeats its announcement for two seconds: long enough to be seen.
        stage.wait(3.6 if link == "visited1" else 1.5)
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.wait(1.5)
    stage.check_survival(down, "10.4.2-a", "11.3.3-a")
    stage.check_survival(up, "10.4.5-a", "11.3.1-a")
