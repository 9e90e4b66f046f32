"""DHCPv6 of the home link for a mobile node wherever it is (RFC 6275 §10.4.4)."""

from contextlib import closing
from ipaddress import IPv6Address

from lab.emulation.dhcpv6_client import Dhcpv6Client
from lab.emulation.node import DNS_SERVER, LEASES_FROM, LEASES_TO
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.events import BindingAcknowledged, BindingDeregistered, BindingRegistered, Dhcpv6Answered, ReturnedHome
from lab.plane.user import DEVICE
from topologies.two_visited_links import TwoVisitedLinks


class Dhcpv6AtHome(TwoVisitedLinks):
    """A DHCPv6 server on the home link, and a home agent that relays to it.

    cn ─── core ─── ha ═══ home ─── server, mn
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2
    """

    summary = "like two_visited_links, with a DHCPv6 server on the home link"

    def declare(self) -> None:
        """Add the server, and tell home agent and mobile node."""
        super().declare()
        server = self.dhcpv6_server("server", on=self.link_specs["home"])
        self.node_specs["ha"].options["dhcpv6_servers"] = [str(server.address)]
        self.node_specs["mn"].options["dhcpv6"] = True


topos = {"dhcpv6_at_home": Dhcpv6AtHome}


@scenario(Dhcpv6AtHome, ro=False)
def dhcpv6(stage: Stage) -> None:
    """Away, the mobile node learns the name server of home and leases an address there, by DHCPv6 in its tunnel."""
    mn, home = stage.network.node("mn"), stage.network.topology.link_specs["home"].prefix.network_address
    name_server, leases = home + DNS_SERVER, (home + LEASES_FROM, home + LEASES_TO)
    stage.say("At home, the server is asked on the link itself")
    with closing(Dhcpv6Client(mn, mn.spec.plugs[0].interface)) as client:
        told = client.inform()
        stage.check("name-server-at-home", told == [name_server], "10.4.4-a", detail=_listed(told))
    _visit(stage, "visited1")
    with closing(Dhcpv6Client(mn, DEVICE)) as client:
        stage.say("It asks for the name server (Information-request) and for an address (Solicit, Request)")
        told = client.inform()
        stage.check("name-server-away", told == [name_server], "10.4.4-a", detail=_listed(told))
        lease = client.solicit()
        stage.check("lease-of-home", leases[0] <= lease <= leases[1], "10.4.4-a", detail=str(lease))
        stage.expect(Dhcpv6Answered, node="ha", home_address=mn.spec.address, message="Advertise")
        _visit(stage, "visited2")
        stage.say("It renews the lease from there (Renew)")
        renewed = client.renew()
        stage.check("lease-renewed", renewed == lease, "10.4.4-a", detail=f"{renewed} for {lease}")
        stage.expect(Dhcpv6Answered, node="ha", home_address=mn.spec.address, message="Reply")
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.wait(1.5)


def _visit(stage: Stage, link: str) -> None:
    care_of_address = stage.care_of_address("mn", link)
    stage.say(f"The mobile node moves to {link}")
    stage.move("mn", link)
    stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address)
    stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)


def _listed(addresses: list[IPv6Address]) -> str:
    return ", ".join(map(str, addresses)) or "none"
