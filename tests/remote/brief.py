"""What a teacher has the class play: one registration, on a network of two links."""

from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingRegistered


class Brief(Topology):
    """A home link and one to visit."""

    summary = "a home agent that serves both links"

    def declare(self) -> None:
        home = self.link("home", "2001:db8:1::/64")
        away = self.link("away", "2001:db8:2::/64")
        backbone = self.link("backbone", "2001:db8:b::/64")
        self.home_agent("ha", home=home, on=[backbone])
        self.access_router("ar", serves=away, on=[backbone])
        self.mobile_node("mn", home=home, home_agent="ha")


topos = {"brief": Brief}


@scenario(Brief)
def register(stage: Stage) -> None:
    """Take the mobile node away; it is bound."""
    stage.move("mn", "away")
    stage.expect(BindingRegistered, node="ha")
    stage.wait(0.2)
