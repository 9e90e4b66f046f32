"""Doctorings of home agent address discovery."""

from scapy.layers import inet6

from tests.verify import discovery, handover
from tests.verify.doctor import doctoring
from tests.verify.handover import FROM_VISITED1, TO_VISITED1
from tests.verify.story import Story


@doctoring("discovery-request")
def asked_at_the_home_agent(story: Story) -> str:
    return story.add("haad-astray", 5.8, discovery.request(7, to=handover.HOME_AGENT), *FROM_VISITED1)


@doctoring("discovery-request")
def asked_at_the_anycast_address_of_the_visited_link(story: Story) -> str:
    astray = f"{handover.VISITED1_PREFIX.removesuffix(':')}0:fdff:ffff:ffff:fffe"
    return story.add("haad-astray", 5.8, discovery.request(7, to=astray), FROM_VISITED1[0])


@doctoring("discovery-reply")
def another_identifier(story: Story) -> str:
    return story.add("haad-reply-2", 5.8, discovery.reply(discovery.IDENTIFIER + 1), *TO_VISITED1)


@doctoring("discovery-reply")
def answered_before_it_was_asked(story: Story) -> str:
    return story.add("haad-reply-0", 2.35, discovery.reply(), *TO_VISITED1)


@doctoring("discovery-source")
def from_the_anycast_address(story: Story) -> str:
    return story.alter("haad-reply", inet6.IPv6, src=discovery.ANYCAST)


@doctoring("discovery-source")
def from_beyond_the_home_link(story: Story) -> str:
    return story.alter("haad-reply", inet6.IPv6, src=handover.CORRESPONDENT)


@doctoring("discovery-source")
def without_the_one_that_answers(story: Story) -> str:
    return story.alter("haad-reply", inet6.ICMPv6HAADReply, addresses=[discovery.OTHER_AGENT])


@doctoring("discovery-source")
def larger_than_every_link_carries(story: Story) -> str:
    many = [handover.HOME_AGENT, *(f"2001:db8:1::{number:x}" for number in range(0x1000, 0x104D))]
    return story.alter("haad-reply", inet6.ICMPv6HAADReply, addresses=many)


@doctoring("discovery-retransmission")
def repeated_too_soon(story: Story) -> str:
    story.move("haad-request-1", 3.4)
    return "haad-request-2"


@doctoring("discovery-retransmission")
def not_twice_the_time_out(story: Story) -> str:
    story.drop("haad-reply")
    story.move("haad-request-1", 1.2)
    story.move("haad-request-2", 4.25)
    story.add("haad-reply", 9.3, discovery.reply(), *TO_VISITED1)
    return story.add("haad-request-3", 9.25, discovery.request(), *FROM_VISITED1)


@doctoring("discovery-retransmission")
def repeated_without_end(story: Story) -> str:
    story.drop("haad-request-2", "haad-reply")
    for number, time in enumerate((5.4, 11.4, 23.4, 47.4, 143.4), start=2):
        story.add(f"haad-request-{number}", time, discovery.request(), FROM_VISITED1[0])
    story.add("haad-reply", 143.5, discovery.reply(), *TO_VISITED1)
    return "haad-request-6"
