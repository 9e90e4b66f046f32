"""A home agent behind a link that loses packets: registrations come through by being repeated (RFC 6275 §11.8)."""

import time

from lab.emulation.scenario import Stage, scenario
from lab.events import BindingAcknowledged, BindingUpdateSent
from lab.report import streams
from topologies.two_visited_links import TwoVisitedLinks

LINK = "core-ha"
"""What the tunnel takes goes over it twice: to the home agent, and back."""
LOST_UPDATES = 2
UNDER_WAY = 0.5
"""Seconds after a change of the link for which packets are left out of account."""


@scenario(TwoVisitedLinks, ro=False, impairs=True)
def lossy_link(stage: Stage) -> None:
    """Two Binding Updates get lost, a third registers, and the session bears a link that loses one packet in ten."""
    stream = stage.stream("cn", "mn", every=0.02)
    stage.say("All is lost on the link of the home agent, and the mobile node moves to visited1")
    stage.impair(LINK, loss=1.0)
    stage.move("mn", "visited1")
    for attempt in range(1, LOST_UPDATES + 1):
        stage.expect(BindingUpdateSent, node="mn", attempt=attempt, within=10.0)
    stage.say("The link carries again, but takes its time")
    stage.impair(LINK, delay=0.02)
    there = stage.care_of_address("mn", "visited1")
    stage.expect(BindingAcknowledged, node="mn", care_of_address=there, within=10.0)
    attempts = [record.event.attempt for record in stage.records() if isinstance(record.event, BindingUpdateSent)]
    repeated = attempts == [*range(1, LOST_UPDATES + 2)]
    stage.check("lost-updates-are-repeated", repeated, "11.8-a", detail=f"{len(attempts)} Binding Updates were sent")
    stage.say("The link loses one packet in ten")
    stage.impair(LINK, delay=0.02, loss=0.1)
    lossy = time.time()
    stage.wait(3.0)
    stage.say("The link is as good as new")
    mended = time.time()
    stage.impair(LINK)
    stage.wait(1.5)

    arrivals = streams.read(stream.stop().path)
    meanwhile = [it for it in arrivals if lossy + UNDER_WAY < it.sent < mended - UNDER_WAY]
    arrived = [it.received - it.sent for it in meanwhile if it.received is not None]
    stage.check(
        "lossy-link",
        len(meanwhile) / 2 < len(arrived) < len(meanwhile) and min(arrived) >= 2 * 0.02,
        "11.3.3-a",
        detail=f"{len(arrived)} of {len(meanwhile)} arrived, the fastest after {min(arrived, default=0) * 1000:.1f} ms",
    )
    after = [it for it in arrivals if it.sent > mended + UNDER_WAY]
    stage.check(
        "mended-link",
        bool(after) and all(it.received is not None for it in after),
        "11.3.3-a",
        detail=f"{sum(it.received is not None for it in after)} of {len(after)} arrived",
    )
