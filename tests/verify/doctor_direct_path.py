"""Doctorings of the direct path between mobile node and correspondent."""

from scapy.layers import inet6

from tests.verify import handover
from tests.verify.correspondence import (
    PEER,
    TO_1_FROM_PEER,
    TO_2_FROM_PEER,
    TO_AGENT_FROM_PEER,
    TO_PEER_FROM_1,
    TO_PEER_FROM_2,
    TO_PEER_FROM_AGENT,
    TO_PEER_FROM_HOME,
    from_mobile,
    to_mobile,
)
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, CARE_OF_2, HOME_ADDRESS, HOME_AGENT, TO_VISITED1
from tests.verify.story import Hop, Story

NOBODY = "2001:db8:a1::bad"


@doctoring("direct-path")
def correspondent_stays_on_the_triangle(story: Story) -> str:
    packet = handover.data(PEER, HOME_ADDRESS, 80)
    story.add("triangle", 5.2, packet, *TO_AGENT_FROM_PEER)
    story.add("triangle-tunnel", 5.201, handover.tunnelled(HOME_AGENT, CARE_OF_1, packet), *TO_VISITED1)
    return "triangle"


@doctoring("direct-path")
def correspondent_seen_only_in_the_tunnel(story: Story) -> str:
    packet = handover.data(PEER, HOME_ADDRESS, 80)
    return story.add("triangle-tunnel", 5.2, handover.tunnelled(HOME_AGENT, CARE_OF_1, packet), *TO_VISITED1)


@doctoring("direct-path")
def mobile_node_stays_in_the_tunnel(story: Story) -> str:
    packet = handover.data(HOME_ADDRESS, PEER, 80)
    story.add("triangle", 5.2, handover.tunnelled(CARE_OF_1, HOME_AGENT, packet), *handover.FROM_VISITED1)
    story.add("triangle-out", 5.202, packet, *TO_PEER_FROM_AGENT)
    return "triangle"


@doctoring("direct-path")
def mobile_node_never_leaves_the_tunnel(story: Story) -> str:
    # It sends nothing directly, but does not ask again either.
    story.drop("ro-from-1", "ro-from-2")
    return mobile_node_stays_in_the_tunnel(story)


@doctoring("direct-to-mobile")
def routing_header_to_the_care_of_address_before(story: Story) -> str:
    return story.add("stale", 9.6, to_mobile(CARE_OF_1, 80), *TO_1_FROM_PEER)


@doctoring("direct-from-mobile")
def home_address_option_before_the_registration(story: Story) -> str:
    return story.add("hasty", 3.0, from_mobile(CARE_OF_1, 80), *TO_PEER_FROM_1)


@doctoring("direct-from-mobile")
def home_address_option_from_a_care_of_address_that_nobody_registered(story: Story) -> str:
    return story.add("hasty", 5.2, from_mobile("2001:db8:a1::7", 80), *TO_PEER_FROM_1)


@doctoring("direct-from-mobile")
def home_address_option_from_the_new_care_of_address_too_early(story: Story) -> str:
    return story.add("hasty", 8.0, from_mobile(CARE_OF_2, 80), *TO_PEER_FROM_2)


@doctoring("direct-from-mobile")
def home_address_option_after_the_deletion(story: Story) -> str:
    return story.add("late", 13.0, from_mobile(CARE_OF_2, 80), TO_PEER_FROM_2[1])


@doctoring("direct-path-ends")
def routing_header_after_the_deletion(story: Story) -> str:
    return story.add("still", 13.0, to_mobile(CARE_OF_2, 80), *TO_2_FROM_PEER)


@doctoring("routing-header")
def routing_header_to_somebody_else(story: Story) -> str:
    return story.add("astray", 5.2, to_mobile(NOBODY, 80), *TO_1_FROM_PEER)


@doctoring("routing-header")
def routing_header_to_a_care_of_address_to_come(story: Story) -> str:
    return story.add("astray", 4.0, to_mobile(CARE_OF_2, 80), *TO_2_FROM_PEER)


@doctoring("routing-header")
def routing_header_with_two_segments_left(story: Story) -> str:
    return story.alter("ro-to-2", inet6.IPv6ExtHdrRouting, segleft=2)


@doctoring("old-care-of-address")
def old_care_of_address_still_used(story: Story) -> str:
    return story.add("stale", 8.0, from_mobile(CARE_OF_1, 80), *TO_PEER_FROM_2)


@doctoring("home-link-plain")
def routing_header_onto_the_home_link(story: Story) -> str:
    # The home agent, or the mobile node, takes the routing header for one of the old kind, and sends it on.
    return story.add("onwards", 12.0, to_mobile(CARE_OF_2, 80), Hop("home", handover.HA_HOME, handover.MN))


@doctoring("home-link-plain")
def home_address_option_at_home(story: Story) -> str:
    packet = from_mobile(HOME_ADDRESS, 80)
    return story.add("needless", 12.0, packet, *TO_PEER_FROM_HOME)
