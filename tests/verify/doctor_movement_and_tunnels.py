"""Doctorings of movement and of the tunnel between mobile node and home agent."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.doctor import doctoring
from tests.verify.handover import (
    CARE_OF_1,
    CARE_OF_2,
    CORRESPONDENT,
    FROM_VISITED1,
    FROM_VISITED2,
    HA_HOME,
    HOME_ADDRESS,
    HOME_AGENT,
    MN,
    TO_VISITED2,
)
from tests.verify.story import Hop, Scapy, Story

ONTO_HOME_LINK = Hop("home", HA_HOME, MN)


def _to_mobile(care_of: str) -> Scapy:
    return handover.tunnelled(HOME_AGENT, care_of, handover.data(CORRESPONDENT, HOME_ADDRESS, 40))


def _from_mobile(care_of: str) -> Scapy:
    return handover.tunnelled(care_of, HOME_AGENT, handover.data(HOME_ADDRESS, CORRESPONDENT, 41))


@doctoring("movement-first")
def prefix_never_advertised(story: Story) -> str:
    for name in ("visited1-ra-1", "visited1-ra-2"):
        story.alter(name, inet6.ICMPv6NDOptPrefixInfo, prefix="2001:db8:bad::")
    return "bu-1"


@doctoring("movement-first")
def prefix_longer_than_the_one_of_the_care_of_address(story: Story) -> str:
    for name in ("visited1-ra-1", "visited1-ra-2"):
        story.alter(name, inet6.ICMPv6NDOptPrefixInfo, prefix=f"{handover.VISITED1_PREFIX}100", prefixlen=120)
    return "bu-1"


@doctoring("movement-first")
def prefix_advertised_afterwards(story: Story) -> str:
    story.drop("visited1-ra-1")
    story.move("visited1-ra-2", 1.2)
    return "bu-1"


@doctoring("tunnel-current")
def tunnel_to_the_care_of_address_before(story: Story) -> str:
    return story.alter("tunnel-2", inet6.IPv6, dst=CARE_OF_1)


@doctoring("tunnel-current")
def tunnel_before_the_registration(story: Story) -> str:
    return story.add("early", 1.05, _to_mobile(CARE_OF_1), *handover.TO_VISITED1)


@doctoring("tunnel-current")
def tunnel_after_the_deregistration(story: Story) -> str:
    return story.add("late", 12.0, _to_mobile(CARE_OF_2), *TO_VISITED2)


@doctoring("tunnel-current")
def tunnel_after_the_lifetime(story: Story) -> str:
    story.alter("ba-2", inet6.MIP6MH_BA, mhtime=1)  # until 6.91, so that the next registration is a first one again
    everybody = Hop("home", HA_HOME, handover.EVERYBODY)
    story.add("agent-dad-2", 8.0, handover.neighbor_solicitation("::", HOME_ADDRESS), everybody)
    story.add("proxy-4", 9.105, handover.neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME), everybody)
    return story.move("late-tunnel", 7.5)


@doctoring("too-big-relayed")
def what_is_too_big_for_the_tunnel_is_not_told(story: Story) -> str:
    story.drop("too-big-relayed")
    return "too-big"


@doctoring("too-big-relayed")
def what_fits_the_tunnel_is_told_with_its_header(story: Story) -> str:
    story.alter("too-big-relayed", inet6.ICMPv6PacketTooBig, mtu=1400)
    return "too-big"


@doctoring("too-big-relayed")
def somebody_else_is_told(story: Story) -> str:
    story.alter("too-big-relayed", inet6.IPv6, dst=handover.NEIGHBOUR)
    return "too-big"


@doctoring("tunnel-checked")
def forged_packet_let_through(story: Story) -> str:
    inner = story.sent["forged"].packet[inet6.IPv6].payload.copy()
    return story.add("forged-out", 5.502, inner, *handover.FROM_HOME_AGENT)


@doctoring("tunnel-checked")
def packet_from_the_care_of_address_before_let_through(story: Story) -> str:
    inner = handover.data(HOME_ADDRESS, CORRESPONDENT, 42)
    story.add("old", 9.7, handover.tunnelled(CARE_OF_1, HOME_AGENT, inner), FROM_VISITED1[1])
    return story.add("old-out", 9.702, inner, *handover.FROM_HOME_AGENT)


@doctoring("tunnel-reverse")
def reverse_tunnel_from_the_care_of_address_before(story: Story) -> str:
    story.drop("reply-2")
    return story.alter("reverse-2", inet6.IPv6, src=CARE_OF_1)


@doctoring("tunnel-reverse")
def reverse_tunnel_from_a_care_of_address_to_come(story: Story) -> str:
    story.drop("reply-1")
    return story.alter("reverse-1", inet6.IPv6, src=CARE_OF_2)


@doctoring("tunnel-reverse")
def reverse_tunnel_before_the_registration(story: Story) -> str:
    return story.add("early", 0.9, _from_mobile(CARE_OF_1), *FROM_VISITED1)


@doctoring("tunnel-reverse")
def reverse_tunnel_at_home(story: Story) -> str:
    return story.add("late", 12.0, _from_mobile(CARE_OF_2), *FROM_VISITED2)


@doctoring("no-bare-home-source")
def bare_datagram(story: Story) -> str:
    return story.add("bare", 5.0, handover.data(HOME_ADDRESS, CORRESPONDENT, 40), *FROM_VISITED1)


@doctoring("no-bare-home-source")
def bare_datagram_that_the_router_filters(story: Story) -> str:
    return story.add("bare", 5.0, handover.data(HOME_ADDRESS, CORRESPONDENT, 40), FROM_VISITED1[0])


@doctoring("no-bare-home-source")
def bare_datagram_after_a_registration_that_went_unanswered(story: Story) -> str:
    return story.add("bare", 6.5, handover.data(HOME_ADDRESS, CORRESPONDENT, 40), FROM_VISITED2[0])


@doctoring("nothing-intercepted-escapes")
def datagram_forwarded_onto_the_home_link(story: Story) -> str:
    return story.add("escaped", 5.0, handover.data(CORRESPONDENT, HOME_ADDRESS, 40), *handover.TO_HOME_LINK)


@doctoring("nothing-intercepted-escapes")
def signalling_forwarded_onto_the_home_link(story: Story) -> str:
    test = inet6.IPv6(src=CORRESPONDENT, dst=HOME_ADDRESS) / inet6.MIP6MH_HoT(cookie=b"cookie!!", token=b"a token!")
    return story.add("escaped", 5.0, test, *handover.TO_HOME_LINK)


@doctoring("nothing-intercepted-escapes")
def neighbour_still_sends_to_the_mobile_node(story: Story) -> str:
    stray = handover.data(handover.NEIGHBOUR, HOME_ADDRESS, 40)
    return story.add("escaped", 5.0, stray, Hop("home", handover.NEIGHBOUR_MAC, MN))
