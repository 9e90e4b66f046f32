"""Doctorings of the home link: proxying, returning home, Neighbor Discovery."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_2, HA_HOME, HOME_ADDRESS, HOME_AGENT, MN, ON_HOME
from tests.verify.story import Hop, Story

TO_ALL = Hop("home", MN, handover.EVERYBODY)
TO_MOBILE = Hop("home", HA_HOME, MN)


@doctoring("proxy-announced")
def announced_as_a_router(story: Story) -> str:
    return story.alter("proxy-1", inet6.ICMPv6ND_NA, R=1)


@doctoring("proxy-announced")
def announced_as_if_solicited(story: Story) -> str:
    return story.alter("proxy-1", inet6.ICMPv6ND_NA, S=1)


@doctoring("proxy-announced")
def announced_without_override(story: Story) -> str:
    return story.alter("proxy-1", inet6.ICMPv6ND_NA, O=0)


@doctoring("proxy-announced")
def announced_with_the_link_layer_address_of_the_mobile_node(story: Story) -> str:
    return story.alter("proxy-1", inet6.ICMPv6NDOptDstLLAddr, lladdr=MN)


@doctoring("proxy-announced")
def announced_without_link_layer_address(story: Story) -> str:
    packet = story.sent["proxy-1"].packet.copy()
    packet[inet6.ICMPv6ND_NA].remove_payload()
    return story.replace("proxy-1", packet)


@doctoring("proxy-announced")
def announced_too_late(story: Story) -> str:
    story.move("proxy-1", 3.4)
    story.move("proxy-2", 4.4)
    story.drop("proxy-3")
    return "ba-1"


@doctoring("proxy-announced", also=("proxy-repeated",))
def not_announced_when_the_mobile_node_left_again(story: Story) -> str:
    handover.leave_again(story)
    story.drop("proxy-7", "proxy-8")
    return "ba-7"


@doctoring("proxy-announced", also=("proxy-repeated",))
def announced_on_another_link(story: Story) -> str:
    for name in ("proxy-1", "proxy-2", "proxy-3"):
        sent = story.sent[name]
        story.drop(name)
        story.add(name, sent.time, sent.packet, Hop("visited2", handover.AR2_VISITED, handover.EVERYBODY))
    return "ba-1"


@doctoring("proxy-announced", also=("proxy-repeated",))
def announced_to_one_neighbour_only(story: Story) -> str:
    for name in ("proxy-1", "proxy-2", "proxy-3"):
        story.alter(name, inet6.IPv6, dst="2001:db8:1::78")
    return "ba-1"


@doctoring("proxy-repeated")
def announced_once(story: Story) -> str:
    story.drop("proxy-2", "proxy-3")
    return "ba-1"


@doctoring("proxy-answers")
def neighbour_not_answered(story: Story) -> str:
    story.drop("proxy-answers")
    return "neighbour-asks"


@doctoring("proxy-answers")
def neighbour_answered_as_a_router(story: Story) -> str:
    return story.alter("proxy-answers", inet6.ICMPv6ND_NA, R=1)


@doctoring("proxy-answers")
def neighbour_answered_as_if_unasked(story: Story) -> str:
    return story.alter("proxy-answers", inet6.ICMPv6ND_NA, S=0)


@doctoring("proxy-answers")
def neighbour_answered_with_the_link_layer_address_of_the_mobile_node(story: Story) -> str:
    return story.alter("proxy-answers", inet6.ICMPv6NDOptDstLLAddr, lladdr=MN)


@doctoring("proxy-answers")
def home_address_not_defended(story: Story) -> str:
    # Who tests an address hears only what is sent to all nodes.
    test = handover.neighbor_solicitation("::", HOME_ADDRESS)
    answer = handover.neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME, to=handover.NEIGHBOUR)
    story.add("answer", 5.01, answer, Hop("home", HA_HOME, handover.NEIGHBOUR_MAC))
    return story.add("test", 5.0, test, Hop("home", handover.NEIGHBOUR_MAC, handover.EVERYBODY))


@doctoring("proxy-ends")
def announced_after_the_end(story: Story) -> str:
    announcement = handover.neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME)
    return story.add("undead", 12.5, announcement, Hop("home", HA_HOME, handover.EVERYBODY))


@doctoring("proxy-ends")
def answered_after_the_end(story: Story) -> str:
    answer = handover.neighbor_advertisement(HOME_AGENT, HOME_ADDRESS, HA_HOME, to=handover.NEIGHBOUR, solicited=True)
    return story.add("undead", 12.5, answer, Hop("home", HA_HOME, handover.NEIGHBOUR_MAC))


@doctoring("home-deregistration")
def deregistered_with_a_lifetime(story: Story) -> str:
    return story.alter("bu-6", inet6.MIP6MH_BU, mhtime=15)


@doctoring("home-deregistration")
def deregistered_from_the_care_of_address(story: Story) -> str:
    update = handover.binding_update(3, CARE_OF_2)
    update[inet6.MIP6MH_BU].mhtime = 0
    answer = handover.acknowledgement(3, CARE_OF_2)
    answer[inet6.MIP6MH_BA].mhtime = 0
    story.replace("ba-6", answer)
    return story.replace("bu-6", update)


@doctoring("home-announced")
def home_announced_as_if_solicited(story: Story) -> str:
    return story.alter("home-announced-1", inet6.ICMPv6ND_NA, S=1)


@doctoring("home-announced")
def home_announced_without_override(story: Story) -> str:
    return story.alter("home-announced-1", inet6.ICMPv6ND_NA, O=0)


@doctoring("home-announced")
def home_announced_with_the_link_layer_address_of_the_home_agent(story: Story) -> str:
    return story.alter("home-announced-1", inet6.ICMPv6NDOptDstLLAddr, lladdr=HA_HOME)


@doctoring("home-announced")
def home_announced_too_late(story: Story) -> str:
    story.drop("home-announced-1")
    return "ba-6"


@doctoring("home-no-dad")
def home_address_tested_before_deregistration(story: Story) -> str:
    return story.add("dad", 11.03, handover.neighbor_solicitation("::", HOME_ADDRESS), TO_ALL)


@doctoring("home-waits")
def datagram_before_the_acknowledgement(story: Story) -> str:
    return story.add("early", 11.106, handover.data(HOME_ADDRESS, handover.CORRESPONDENT, 40), *handover.FROM_HOME_LINK)


@doctoring("home-waits")
def echo_before_the_acknowledgement(story: Story) -> str:
    echo = inet6.IPv6(src=HOME_ADDRESS, dst=handover.CORRESPONDENT) / inet6.ICMPv6EchoRequest()
    return story.add("early", 11.106, echo, *handover.FROM_HOME_LINK)


@doctoring("home-waits")
def home_agent_asked_for_from_the_home_address(story: Story) -> str:
    return story.add("early", 11.101, handover.neighbor_solicitation(HOME_ADDRESS, HOME_AGENT), TO_ALL)


@doctoring("home-waits")
def datagram_between_two_attempts(story: Story) -> str:
    early = handover.data(HOME_ADDRESS, handover.CORRESPONDENT, 40)
    story.add("early", 11.5, early, *handover.FROM_HOME_LINK)
    story.drop("data-home-early", "home-announced-1", "data-home-2", "reply-home-2")
    story.add("bu-7", 12.1, handover.deregistration(4), ON_HOME)
    story.move("ba-6", 12.11)
    story.alter("ba-6", inet6.MIP6MH_BA, seq=4)
    return "early"


@doctoring("ra-home-agent")
def advertised_without_the_r_bit(story: Story) -> str:
    return story.alter("home-ra-2", inet6.ICMPv6NDOptPrefixInfo, R=0)


@doctoring("ra-home-agent")
def advertised_the_prefix_for_the_address(story: Story) -> str:
    return story.alter("home-ra-2", inet6.ICMPv6NDOptPrefixInfo, prefix=handover.HOME_PREFIX)


@doctoring("nd-hop-limit")
def router_advertisement_from_afar(story: Story) -> str:
    return story.alter("visited1-ra-2", inet6.IPv6, hlim=254)


@doctoring("nd-hop-limit")
def proxy_advertisement_from_afar(story: Story) -> str:
    return story.alter("proxy-2", inet6.IPv6, hlim=64)


@doctoring("nd-hop-limit")
def router_solicitation_from_afar(story: Story) -> str:
    return story.alter("rs-2", inet6.IPv6, hlim=64)
