"""Doctorings of DHCPv6 in tunnels."""

from scapy.layers import dhcp6
from scapy.layers.inet import UDP

from tests.verify import dhcpv6, handover
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, HOME_AGENT
from tests.verify.story import Story


@doctoring("dhcpv6-relayed")
def forwarded_as_it_came(story: Story) -> str:
    return story.add("astray", 2.501, dhcpv6.asked(dhcpv6.FIRST), dhcpv6.TO_SERVER)


@doctoring("dhcpv6-relayed")
def peer_address_of_somebody_else(story: Story) -> str:
    return story.alter("dhcpv6-1-forward", dhcp6.DHCP6_RelayForward, peeraddr="fe80::101")


@doctoring("dhcpv6-relayed")
def link_address_of_no_link(story: Story) -> str:
    return story.alter("dhcpv6-1-forward", dhcp6.DHCP6_RelayForward, linkaddr="fe80::1")


@doctoring("dhcpv6-relayed")
def hop_count_of_others(story: Story) -> str:
    return story.alter("dhcpv6-1-forward", dhcp6.DHCP6_RelayForward, hopcount=1)


@doctoring("dhcpv6-relayed")
def hop_count_of_a_relay_agent_behind_not_raised(story: Story) -> str:
    before = dhcp6.DHCP6_RelayForward(hopcount=3, peeraddr="fe80::7") / dhcp6.DHCP6OptRelayMsg(
        message=dhcpv6.question(dhcpv6.FIRST)
    )
    asked = dhcpv6.asked(dhcpv6.FIRST)
    asked[UDP].remove_payload()
    story.add("behind", 2.6, handover.tunnelled(CARE_OF_1, HOME_AGENT, asked / before), *handover.FROM_VISITED1)
    return story.add("astray", 2.602, dhcpv6.forwarded(before, hopcount=3), dhcpv6.TO_SERVER)


@doctoring("dhcpv6-answered")
def answer_to_another_address(story: Story) -> str:
    packet = handover.tunnelled(HOME_AGENT, CARE_OF_1, dhcpv6.told(dhcpv6.FIRST, to="fe80::101"))
    return story.replace("dhcpv6-1-told", packet)


@doctoring("dhcpv6-answered")
def answer_in_the_tunnel_of_somebody_else(story: Story) -> str:
    packet = handover.tunnelled(HOME_AGENT, "2001:db8:a1::bad", dhcpv6.told(dhcpv6.FIRST))
    return story.replace("dhcpv6-1-told", packet)
