"""Multicast in the good story: the mobile node is asked what it listens to, and gets that in its tunnel."""

from scapy.layers import inet6
from scapy.layers.inet import UDP

from tests.verify import handover
from tests.verify.story import Hop, Scapy, Story

GROUP, OF_THE_LINK = "ff0e::6275", "ff02::6275"
QUERIER, LISTENER = "fe80::1", "fe80::100"
GROUP_MAC = "33:33:00:00:62:75"


def query() -> Scapy:
    """Say a query of all groups."""
    message = inet6.ICMPv6MLQuery2(mrd=100, QRV=2, QQIC=125)
    return _in_hop_by_hop(QUERIER, "ff02::1", message)


def report(*groups: str) -> Scapy:
    """Say a report of groups."""
    records = [inet6.ICMPv6MLDMultAddrRec(rtype=2, dst=group) for group in groups]
    return _in_hop_by_hop(LISTENER, "ff02::16", inet6.ICMPv6MLReport2(records=records))


def data(group: str) -> Scapy:
    """Say a datagram of the neighbour to a group."""
    return inet6.IPv6(src=handover.NEIGHBOUR, dst=group, hlim=16) / UDP(sport=7000, dport=6275) / b"to all"


def _in_hop_by_hop(source: str, destination: str, message: Scapy) -> Scapy:
    alert = inet6.IPv6ExtHdrHopByHop(options=[inet6.RouterAlert(), inet6.PadN(optdata=b"")])
    return inet6.IPv6(src=source, dst=destination, hlim=1) / alert / message


def tell(story: Story) -> None:
    """Add it to a story in which the mobile node is registered on the first visited link."""
    asked = handover.tunnelled(handover.HOME_AGENT, handover.CARE_OF_1, query())
    told = handover.tunnelled(handover.CARE_OF_1, handover.HOME_AGENT, report(OF_THE_LINK, GROUP))
    story.add("mld-query", 2.2, asked, *handover.TO_VISITED1)
    story.add("mld-report", 2.21, told, *handover.FROM_VISITED1)
    onto_home = Hop("home", handover.NEIGHBOUR_MAC, GROUP_MAC)
    for name, time, care_of, way in (
        ("group-1", 2.25, handover.CARE_OF_1, handover.TO_VISITED1),
        ("group-2", 9.55, handover.CARE_OF_2, handover.TO_VISITED2),
    ):
        story.add(name, time, data(GROUP), onto_home)
        packet = data(GROUP)
        packet[inet6.IPv6].hlim -= 1
        story.add(f"{name}-tunnel", time + 0.001, handover.tunnelled(handover.HOME_AGENT, care_of, packet), *way)
    story.add("group-of-the-link", 2.26, data(OF_THE_LINK), onto_home)
