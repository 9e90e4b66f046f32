"""A private home network: its addresses lead nowhere in the Internet, and are to say nothing there (RFC 6275 §15.7)."""

from ipaddress import IPv6Address

from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.topology import Topology
from lab.safeguards import Safeguard
from lab.verify.frame import Frame
from topologies.attack_range import go

SEVERAL = 3
"""So many packets are no chance."""


class PrivateHome(Topology):
    """A home network and an office of unique local addresses (RFC 4193), and a visited link in the Internet.

    cn ─── office ─── ha ═══ home ─── mn
                      │
                   internet ─── ar1 ══ visited1 ─── guest
    """

    summary = "a home network of private addresses, and a visited link in the Internet"

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "fd6d:6970:1::/64")
        office = self.link("office", "fd6d:6970:c::/64")
        internet = self.link("internet", "2001:db8:f::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64")
        self.home_agent("ha", home=home, on=[office, internet])
        self.correspondent("cn", on=[office])
        self.access_router("ar1", serves=visited1, on=[internet])
        self.mobile_node("mn", home=home, home_agent="ha")
        self.host("guest", on=[visited1])


topos = {"private_home": PrivateHome}


@exercise(PrivateHome, "15.7", Safeguard.PAYLOAD_ESP, ro=False, ipsec_payload=True)
def private_address_leak(stage: AttackStage) -> None:
    """A guest of the visited link listens with whom in its private network a mobile node talks."""
    cn, ha = (stage.network.node(name).spec.address for name in ("cn", "ha"))
    guest = stage.attacker("guest")
    stage.stream("mn", "cn", every=0.05)
    go(stage, "visited1")
    care_of_address = stage.care_of_address("mn", "visited1")
    stage.say("The guest listens")
    stage.attempted_if(guest.link, _leaves(care_of_address, ha), "a packet of the mobile node for its home agent")
    stage.succeeds_if(guest.link, _names(cn), "the address of somebody in the private network", at_least=SEVERAL)
    stage.wait(2.0)


def _leaves(care_of_address: IPv6Address, home_agent: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        return (frame.source, frame.destination) == (care_of_address, home_agent)

    return matches


def _names(address: IPv6Address) -> Matches:
    """Match what names an address in any place where it can be read: what is in ESP is none."""

    def matches(frame: Frame) -> bool:
        return address.packed in frame.captured

    return matches
