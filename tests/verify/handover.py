"""The good story: out to two visited links, a refresh, lost Binding Updates, home again.

    cn ─── core ─── ha ═══ home ─── mn, neighbour
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2

Every rule finds something in it to judge, and nothing wrong.
"""

from scapy.layers import inet6
from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP

from tests.verify.story import Hop, Scapy, Story

HOME_PREFIX, VISITED1_PREFIX, VISITED2_PREFIX = "2001:db8:1::", "2001:db8:a1::", "2001:db8:a2::"
HOME_AGENT, HOME_ADDRESS, NEIGHBOUR = "2001:db8:1::1", "2001:db8:1::100", "2001:db8:1::77"
CARE_OF_1, CARE_OF_2 = "2001:db8:a1::6", "2001:db8:a2::6"
CORRESPONDENT, AR1 = "2001:db8:c::2", "2001:db8:a1::1"
ALL_NODES, ALL_ROUTERS = "ff02::1", "ff02::2"

HA_HOME, HA_CORE = "02:00:00:00:02:00", "02:00:00:00:02:01"
AR1_VISITED, AR1_CORE = "02:00:00:00:03:00", "02:00:00:00:03:01"
AR2_VISITED, AR2_CORE = "02:00:00:00:04:00", "02:00:00:00:04:01"
CN, MN, NEIGHBOUR_MAC, FORGER = "02:00:00:00:05:00", "02:00:00:00:06:00", "02:00:00:00:07:00", "02:00:00:00:08:00"
EVERYBODY = "33:33:00:00:00:01"

ON_HOME = Hop("home", MN, HA_HOME)
TO_HOME_LINK = (Hop("core", CN, HA_CORE), Hop("home", HA_HOME, MN))
FROM_HOME_LINK = (ON_HOME, Hop("core", HA_CORE, CN))
FROM_VISITED1 = (Hop("visited1", MN, AR1_VISITED), Hop("core", AR1_CORE, HA_CORE))
FROM_VISITED2 = (Hop("visited2", MN, AR2_VISITED), Hop("core", AR2_CORE, HA_CORE))
TO_VISITED1 = (Hop("core", HA_CORE, AR1_CORE), Hop("visited1", AR1_VISITED, MN))
TO_VISITED2 = (Hop("core", HA_CORE, AR2_CORE), Hop("visited2", AR2_VISITED, MN))
TO_HOME_AGENT = (Hop("core", CN, HA_CORE),)
FROM_HOME_AGENT = (Hop("core", HA_CORE, CN),)
LIFETIME = 15
"""In units of 4 s."""


def link_local(mac: str) -> str:
    """Give the link-local address of a link-layer address, made simple."""
    return f"fe80::{int(mac[-5:].replace(':', ''), 16):x}"


def router_advertisement(router: str, prefix: str, *, to: str = ALL_NODES, home_agent: bool = False) -> Scapy:
    """Say a Router Advertisement; a home agent tells its whole address with the R bit."""
    option = inet6.ICMPv6NDOptPrefixInfo(prefix=f"{prefix}1" if home_agent else prefix, R=home_agent)
    message = inet6.ICMPv6ND_RA(H=home_agent) / inet6.ICMPv6NDOptSrcLLAddr(lladdr=router) / option
    return inet6.IPv6(src=link_local(router), dst=to, hlim=255) / message


def router_solicitation() -> Scapy:
    """Say the mobile node's Router Solicitation."""
    return inet6.IPv6(src=link_local(MN), dst=ALL_ROUTERS, hlim=255) / inet6.ICMPv6ND_RS()


def neighbor_solicitation(source: str, target: str) -> Scapy:
    """Say a Neighbor Solicitation; from the unspecified address it is Duplicate Address Detection."""
    return inet6.IPv6(src=source, dst=f"ff02::1:ff00:{target[-3:].lstrip(':')}", hlim=255) / inet6.ICMPv6ND_NS(
        tgt=target
    )


def neighbor_advertisement(
    source: str, target: str, mac: str, *, to: str = ALL_NODES, router: bool = False, solicited: bool = False
) -> Scapy:
    """Say a Neighbor Advertisement that overrides."""
    message = inet6.ICMPv6ND_NA(R=router, S=solicited, O=1, tgt=target)
    return inet6.IPv6(src=source, dst=to, hlim=255) / message / inet6.ICMPv6NDOptDstLLAddr(lladdr=mac)


def home_address_option() -> Scapy:
    """Say a Destination Options header with the Home Address option."""
    return inet6.IPv6ExtHdrDestOpt(options=[inet6.HAO(hoa=HOME_ADDRESS)])


def type_2_routing_header() -> Scapy:
    """Say a routing header to the home address."""
    return inet6.IPv6ExtHdrRouting(type=2, addresses=[HOME_ADDRESS])


def binding_update(sequence: int, care_of: str) -> Scapy:
    """Say a home registration."""
    options = [inet6.MIP6OptAltCoA(acoa=care_of)]
    message = inet6.MIP6MH_BU(seq=sequence, flags="HA", mhtime=LIFETIME, options=options)
    return inet6.IPv6(src=care_of, dst=HOME_AGENT) / home_address_option() / message


def deregistration(sequence: int) -> Scapy:
    """Say a Binding Update that ends the binding, at home."""
    return inet6.IPv6(src=HOME_ADDRESS, dst=HOME_AGENT) / inet6.MIP6MH_BU(seq=sequence, flags="HA", mhtime=0)


def acknowledgement(sequence: int, care_of: str, *, status: int = 0) -> Scapy:
    """Say a Binding Acknowledgement for a node that is away."""
    message = inet6.MIP6MH_BA(seq=sequence, status=status, mhtime=LIFETIME)
    return inet6.IPv6(src=HOME_AGENT, dst=care_of) / type_2_routing_header() / message


def acknowledgement_at_home(sequence: int, *, status: int = 0) -> Scapy:
    """Say a Binding Acknowledgement for a node that is at home."""
    return inet6.IPv6(src=HOME_AGENT, dst=HOME_ADDRESS) / inet6.MIP6MH_BA(seq=sequence, status=status, mhtime=0)


def data(source: str, destination: str, number: int) -> Scapy:
    """Say a datagram; its port tells it from others."""
    return inet6.IPv6(src=source, dst=destination) / UDP(sport=6000 + number, dport=6275) / b"payload"


def tunnelled(source: str, destination: str, inner: Scapy) -> Scapy:
    """Say a packet in a tunnel."""
    return inet6.IPv6(src=source, dst=destination) / inner


def too_big(source: str, destination: str, mtu: int, packet: Scapy) -> Scapy:
    """Say that a packet is too big, with as much of it as fits."""
    return inet6.IPv6(src=source, dst=destination) / inet6.ICMPv6PacketTooBig(mtu=mtu) / bytes(packet)[:1232]


def home_test_init() -> Scapy:
    """Say a Home Test Init, which travels in the tunnel."""
    return inet6.IPv6(src=HOME_ADDRESS, dst=CORRESPONDENT) / inet6.MIP6MH_HoTI(cookie=b"cookie!!")


def good_story() -> Story:
    """Tell it."""
    story = Story()
    _at_home_before(story)
    _on_visited1(story)
    _on_visited2(story)
    _at_home_again(story)
    return story


def _at_home_before(story: Story) -> None:
    for link, mac in (("home", HA_HOME), ("core", HA_CORE), ("visited1", AR1_VISITED)):
        # Not IPv6, but frames that count.
        story.add(f"arp-{link}", 0.05, ARP(hwsrc=mac), Hop(link, mac, "ff:ff:ff:ff:ff:ff"))
    story.add(
        "home-ra-1",
        0.1,
        router_advertisement(HA_HOME, HOME_PREFIX, home_agent=True),
        Hop("home", HA_HOME, EVERYBODY),
    )
    story.add(
        "visited1-ra-1",
        0.1,
        router_advertisement(AR1_VISITED, VISITED1_PREFIX),
        Hop("visited1", AR1_VISITED, EVERYBODY),
    )
    story.add(
        "visited2-ra-1",
        0.1,
        router_advertisement(AR2_VISITED, VISITED2_PREFIX),
        Hop("visited2", AR2_VISITED, EVERYBODY),
    )
    story.add("data-home-1", 0.5, data(CORRESPONDENT, HOME_ADDRESS, 1), *TO_HOME_LINK)
    story.add("reply-home-1", 0.6, data(HOME_ADDRESS, CORRESPONDENT, 2), *FROM_HOME_LINK)


def _on_visited1(story: Story) -> None:
    story.add("rs-1", 1.0, router_solicitation(), Hop("visited1", MN, EVERYBODY))
    story.add(
        "visited1-ra-2",
        1.01,
        router_advertisement(AR1_VISITED, VISITED1_PREFIX, to=link_local(MN)),
        Hop("visited1", AR1_VISITED, MN),
    )
    # The sequence numbers pass zero on their way: they are compared modulo 2**16.
    story.add("bu-1", 1.1, binding_update(0xFFFE, CARE_OF_1), *FROM_VISITED1)
    story.add("care-of-dad", 1.12, neighbor_solicitation("::", CARE_OF_1), Hop("visited1", MN, EVERYBODY))
    story.add("agent-dad", 1.13, neighbor_solicitation("::", HOME_ADDRESS), Hop("home", HA_HOME, EVERYBODY))
    for number, time in enumerate((2.14, 3.14, 4.14), start=1):
        announcement = neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME)
        story.add(f"proxy-{number}", time, announcement, Hop("home", HA_HOME, EVERYBODY))
    story.add("ba-1", 2.15, acknowledgement(0xFFFE, CARE_OF_1), *TO_VISITED1)
    _both_ways(story, 1, 2.3, CARE_OF_1)
    story.add("bu-2", 2.9, binding_update(0xFFFF, CARE_OF_1), *FROM_VISITED1)
    story.add("ba-2", 2.91, acknowledgement(0xFFFF, CARE_OF_1), *TO_VISITED1)
    _neighbour_of_the_home_link(story)
    story.add("hoti", 4.5, tunnelled(CARE_OF_1, HOME_AGENT, home_test_init()), *FROM_VISITED1)
    story.add("hoti-out", 4.502, home_test_init(), *FROM_HOME_AGENT)
    # Too big for the tunnel, as the router of the visited link finds.
    large = inet6.IPv6(src=CORRESPONDENT, dst=HOME_ADDRESS) / UDP(sport=6006, dport=6275) / bytes(1400)
    story.add("too-large", 5.0, large, *TO_HOME_AGENT)
    story.add("too-large-tunnel", 5.001, tunnelled(HOME_AGENT, CARE_OF_1, large), TO_VISITED1[0])
    told = too_big(AR1, HOME_AGENT, 1400, tunnelled(HOME_AGENT, CARE_OF_1, large))
    story.add("too-big", 5.002, told, FROM_VISITED1[1])
    story.add("too-big-relayed", 5.003, too_big(HOME_AGENT, CORRESPONDENT, 1360, large), *FROM_HOME_AGENT)
    # Somebody else claims to be the mobile node; the home agent drops it.
    forged = tunnelled("2001:db8:a1::bad", HOME_AGENT, data(HOME_ADDRESS, CORRESPONDENT, 5))
    story.add("forged", 5.5, forged, Hop("visited1", FORGER, AR1_VISITED), FROM_VISITED1[1])


def _neighbour_of_the_home_link(story: Story) -> None:
    # It finds the home agent instead of the mobile node, and sends to it: that is no leak.
    question = neighbor_solicitation(NEIGHBOUR, HOME_ADDRESS)
    answer = neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME, to=NEIGHBOUR, solicited=True)
    story.add("neighbour-asks", 3.3, question, Hop("home", NEIGHBOUR_MAC, EVERYBODY))
    story.add("proxy-answers", 3.301, answer, Hop("home", HA_HOME, NEIGHBOUR_MAC))
    ping = data(NEIGHBOUR, HOME_ADDRESS, 3)
    story.add("neighbour-data", 3.302, ping, Hop("home", NEIGHBOUR_MAC, HA_HOME))
    story.add("neighbour-tunnel", 3.303, tunnelled(HOME_AGENT, CARE_OF_1, ping), *TO_VISITED1)


def _on_visited2(story: Story) -> None:
    story.add("rs-2", 6.0, router_solicitation(), Hop("visited2", MN, EVERYBODY))
    story.add(
        "visited2-ra-2",
        6.01,
        router_advertisement(AR2_VISITED, VISITED2_PREFIX, to=link_local(MN)),
        Hop("visited2", AR2_VISITED, MN),
    )
    # Two Binding Updates are lost, one before and one after the access router.
    story.add("bu-3", 6.1, binding_update(0, CARE_OF_2), FROM_VISITED2[0])
    story.add("late-tunnel", 6.5, tunnelled(HOME_AGENT, CARE_OF_1, data(CORRESPONDENT, HOME_ADDRESS, 4)), *TO_VISITED1)
    story.add("bu-4", 7.1, binding_update(1, CARE_OF_2), *FROM_VISITED2)
    story.add("bu-5", 9.1, binding_update(2, CARE_OF_2), *FROM_VISITED2)
    story.add("ba-5", 9.11, acknowledgement(2, CARE_OF_2), *TO_VISITED2)
    _both_ways(story, 2, 9.5, CARE_OF_2)


def _both_ways(story: Story, number: int, time: float, care_of: str) -> None:
    to_mobile, from_mobile = (TO_VISITED1, FROM_VISITED1) if care_of == CARE_OF_1 else (TO_VISITED2, FROM_VISITED2)
    there = data(CORRESPONDENT, HOME_ADDRESS, 10 + number)
    back = data(HOME_ADDRESS, CORRESPONDENT, 20 + number)
    story.add(f"data-{number}", time, there, *TO_HOME_AGENT)
    story.add(f"tunnel-{number}", time + 0.001, tunnelled(HOME_AGENT, care_of, there), *to_mobile)
    story.add(f"reverse-{number}", time + 0.01, tunnelled(care_of, HOME_AGENT, back), *from_mobile)
    story.add(f"reply-{number}", time + 0.012, back, *FROM_HOME_AGENT)


def _at_home_again(story: Story) -> None:
    story.add("rs-3", 11.0, router_solicitation(), Hop("home", MN, EVERYBODY))
    story.add(
        "home-ra-2",
        11.01,
        router_advertisement(HA_HOME, HOME_PREFIX, to=link_local(MN), home_agent=True),
        Hop("home", HA_HOME, MN),
    )
    # Who asks for the home agent from the unspecified address claims nothing; the answer goes to all.
    story.add("find-agent", 11.05, neighbor_solicitation("::", HOME_AGENT), Hop("home", MN, EVERYBODY))
    found = neighbor_advertisement(HOME_AGENT, HOME_AGENT, HA_HOME, router=True)
    story.add("agent-found", 11.051, found, Hop("home", HA_HOME, EVERYBODY))
    story.add("bu-6", 11.1, deregistration(3), ON_HOME)
    story.add(
        "agent-asks",
        11.102,
        neighbor_solicitation(link_local(HA_HOME), HOME_ADDRESS),
        Hop("home", HA_HOME, EVERYBODY),
    )
    answer = neighbor_advertisement(HOME_ADDRESS, HOME_ADDRESS, MN, to=link_local(HA_HOME), solicited=True)
    story.add("mobile-answers", 11.103, answer, ON_HOME)
    story.add("data-home-early", 11.104, data(CORRESPONDENT, HOME_ADDRESS, 30), *TO_HOME_LINK)
    story.add("ba-6", 11.11, acknowledgement_at_home(3), Hop("home", HA_HOME, MN))
    for number, time in enumerate((11.12, 12.12), start=1):
        announcement = neighbor_advertisement(HOME_ADDRESS, HOME_ADDRESS, MN)
        story.add(f"home-announced-{number}", time, announcement, Hop("home", MN, EVERYBODY))
    story.add("data-home-2", 11.5, data(CORRESPONDENT, HOME_ADDRESS, 31), *TO_HOME_LINK)
    story.add("reply-home-2", 11.6, data(HOME_ADDRESS, CORRESPONDENT, 32), *FROM_HOME_LINK)
    story.add(
        "home-ra-3",
        15.0,
        router_advertisement(HA_HOME, HOME_PREFIX, home_agent=True),
        Hop("home", HA_HOME, EVERYBODY),
    )


def leave_again(story: Story) -> None:
    """Go on: once more to the first visited link, where all that comes with a first registration begins anew."""
    story.add("rs-4", 16.0, router_solicitation(), Hop("visited1", MN, EVERYBODY))
    advertisement = router_advertisement(AR1_VISITED, VISITED1_PREFIX, to=link_local(MN))
    story.add("visited1-ra-4", 16.01, advertisement, Hop("visited1", AR1_VISITED, MN))
    story.add("bu-7", 16.1, binding_update(4, CARE_OF_1), *FROM_VISITED1)
    story.add("agent-dad-7", 16.11, neighbor_solicitation("::", HOME_ADDRESS), Hop("home", HA_HOME, EVERYBODY))
    for number, time in enumerate((17.14, 18.14), start=7):
        announcement = neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME)
        story.add(f"proxy-{number}", time, announcement, Hop("home", HA_HOME, EVERYBODY))
    story.add("ba-7", 17.15, acknowledgement(4, CARE_OF_1), *TO_VISITED1)
    last = router_advertisement(HA_HOME, HOME_PREFIX, home_agent=True)
    story.add("home-ra-4", 22.0, last, Hop("home", HA_HOME, EVERYBODY))
