"""Doctorings of multicast in tunnels."""

from tests.verify import handover, multicast
from tests.verify.doctor import doctoring
from tests.verify.handover import CARE_OF_1, HOME_AGENT, TO_VISITED1
from tests.verify.story import Story


def _tunnelled(story: Story, group: str) -> str:
    packet = handover.tunnelled(HOME_AGENT, CARE_OF_1, multicast.data(group))
    return story.add("astray", 2.27, packet, *TO_VISITED1)


@doctoring("group-scope")
def group_of_the_home_link_tunnelled(story: Story) -> str:
    return _tunnelled(story, multicast.OF_THE_LINK)


@doctoring("group-scope")
def router_advertisement_of_the_home_link_tunnelled(story: Story) -> str:
    advertisement = handover.router_advertisement(handover.HA_HOME, handover.HOME_PREFIX, home_agent=True)
    return story.add("astray", 2.27, handover.tunnelled(HOME_AGENT, CARE_OF_1, advertisement), *TO_VISITED1)


@doctoring("group-reported")
def group_that_nobody_reported(story: Story) -> str:
    return _tunnelled(story, "ff0e::6276")


@doctoring("group-reported")
def group_tunnelled_before_it_was_reported(story: Story) -> str:
    story.move("mld-report", 2.3)
    return "group-1-tunnel"


@doctoring("group-reported")
def group_reported_by_somebody_else(story: Story) -> str:
    story.replace("mld-report", handover.tunnelled("2001:db8:a1::bad", HOME_AGENT, multicast.report(multicast.GROUP)))
    return "group-2-tunnel"
