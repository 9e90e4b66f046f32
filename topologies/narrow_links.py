"""Links that carry less than others: one that is visited and says so, and one on the way to another that does not."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, BindingDeregistered, ReturnedHome

MTU = 1400
TRANSFER, RATE = 50_000_000, 8_000_000
"""Octets, and octets a second: slow enough to be under way in every move."""
SIZE = 1452
"""Octets of a datagram that no tunnel takes whole: with its headers as large as an Ethernet allows."""


class NarrowLinks(Topology):
    """A mobile node with two links to visit, each behind a link of 1400 octets or one itself.

    cn ─── core ─── ha ═══ home ─── mn
             ├───── ar1 ══ visited1     1400 octets, as ar1 advertises
             └───── ar2 ══ visited2     1500 octets, but 1400 between core and ar2
    """

    summary = "like two_visited_links, with links that carry 1400 octets: the first visited one, and one on the way"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64", mtu=MTU)
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        core_ha = self.link("core-ha", "2001:db8:f0::/64")
        core_ar1 = self.link("core-ar1", "2001:db8:f1::/64")
        core_ar2 = self.link("core-ar2", "2001:db8:f2::/64", mtu=MTU)

        self.router("core", on=[cn_core, core_ha, core_ar1, core_ar2])
        self.home_agent("ha", home=home, on=[core_ha])
        self.access_router("ar1", serves=visited1, on=[core_ar1])
        self.access_router("ar2", serves=visited2, on=[core_ar2])
        self.correspondent("cn", on=[cn_core])
        self.mobile_node("mn", home=home, home_agent="ha")


topos = {"narrow_links": NarrowLinks}


@scenario(NarrowLinks, ro=False)
def small_mtu(stage: Stage) -> None:
    """Packets too big for a link behind the tunnel: their senders are told, and a transfer and streams go on."""
    transfer = stage.transfer("cn", "mn", octets=TRANSFER, rate=RATE)
    stage.wait(0.5)
    for link in ("visited1", "visited2"):
        stage.say(f"The mobile node moves to {link}")
        streams = [stage.stream(*ends, every=0.01, size=SIZE) for ends in (("cn", "mn"), ("mn", "cn"))]
        stage.move("mn", link)
        stage.expect(BindingAcknowledged, node="mn", care_of_address=stage.care_of_address("mn", link))
        stage.wait(1.5)
        for stream in streams:
            stage.check_survival(stream, "10.4.2-c", "11.3.1-a")
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.say("The transfer goes on to its end")
    summary = transfer.wait(within=60.0)
    detail = f"{summary.octets} octets in {summary.seconds:.1f} s, {'intact' if summary.intact else 'damaged'}"
    stage.check("transfer", summary.intact and summary.octets == TRANSFER, "10.4.2-c", detail=detail)
