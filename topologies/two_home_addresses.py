"""A mobile node with two home addresses on its home link."""

from ipaddress import IPv6Address

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged, BindingRegistered, ReturnedHome

HOME_ADDRESSES = (IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:1::101"))


class TwoHomeAddresses(Topology):
    """A mobile node with two home addresses and two links to visit.

    cn ─── ha ═══ home ─── mn
           ├───── ar1 ══ visited1
           └───── ar2 ══ visited2
    """

    summary = "a home agent, two access routers, a correspondent node, a mobile node with two home addresses"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited = [self.link(f"visited{n}", f"2001:db8:a{n}::/64") for n in (1, 2)]
        cn_ha = self.link("cn-ha", "2001:db8:c::/64")
        to_routers = [self.link(f"ha-ar{n}", f"2001:db8:f{n}::/64") for n in (1, 2)]
        self.home_agent("ha", home=home, on=[cn_ha, *to_routers])
        for n in (0, 1):
            self.access_router(f"ar{n + 1}", serves=visited[n], on=[to_routers[n]])
        self.correspondent("cn", on=[cn_ha])
        first, *further = map(str, HOME_ADDRESSES)
        self.mobile_node("mn", home=home, home_agent="ha", home_address=first, further_home_addresses=further)


topos = {"two_home_addresses": TwoHomeAddresses}


@scenario(TwoHomeAddresses, ro=False)
def two_home_addresses(stage: Stage) -> None:
    """Streams to both home addresses survive a move and the way home, each registered by itself."""
    streams = [stage.stream("cn", "mn", every=0.01, to=address) for address in HOME_ADDRESSES]
    stage.wait(0.5)
    for link in ("visited1", "visited2"):
        care_of_address = stage.care_of_address("mn", link)
        stage.say(f"The mobile node moves to {link}")
        stage.move("mn", link)
        for address in HOME_ADDRESSES:
            stage.expect(BindingRegistered, node="ha", home_address=address, care_of_address=care_of_address)
            stage.expect(BindingAcknowledged, node="mn", home_address=address, care_of_address=care_of_address)
        stage.wait(1.5)
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    for address in HOME_ADDRESSES:
        stage.expect(ReturnedHome, node="mn", home_address=address)
    stage.wait(1.5)
    for stream in streams:
        stage.check_survival(stream, "8.5-a", "11.7.1-a", "11.5.5-a")
