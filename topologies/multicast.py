"""Multicast of the home link for a mobile node wherever it is (RFC 6275 §10.4.2, §10.4.3, §11.3.4)."""

import time
from ipaddress import IPv6Address

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import SETTLED_AFTER, Stage, scenario
from lab.emulation.traffic import Stream
from lab.events import BindingDeregistered, BindingRegistered, GroupJoined, GroupLeft, ReturnedHome
from lab.report import streams
from topologies.two_visited_links import TwoVisitedLinks

UNDER_WAY = 0.2
"""Seconds before a move in which what is sent may still be under way."""
GLOBAL, OF_THE_LINK = "ff0e::6275", "ff02::6275"


class Neighbourhood(TwoVisitedLinks):
    """A mobile node with two visited links, and a neighbour on its home link.

    cn ─── core ─── ha ═══ home ─── neighbour, mn
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2
    """

    summary = "like two_visited_links, with a neighbour on the home link"

    def declare(self) -> None:
        """Add a neighbour to the network of two visited links."""
        super().declare()
        self.host("neighbour", on=[self.link_specs["home"]])


topos = {"neighbourhood": Neighbourhood}


@scenario(Neighbourhood)
def multicast(stage: Stage) -> None:
    """A group that is joined at home is heard on every link, and what the mobile node sends to it is heard at home."""
    down = stage.stream("neighbour", "mn", every=0.02, group=GLOBAL)
    up = stage.stream("mn", "neighbour", every=0.05, group=GLOBAL)
    near = stage.stream("neighbour", "mn", every=0.05, group=OF_THE_LINK)
    stage.wait(1.0)
    abroad: list[tuple[float, float]] = []
    for link in ("visited1", "visited2"):
        stage.say(f"The mobile node moves to {link}")
        stage.move("mn", link)
        stage.expect(BindingRegistered, node="ha", care_of_address=stage.care_of_address("mn", link))
        stage.expect(GroupJoined, node="ha", ever=True, group=IPv6Address(GLOBAL))
        stage.wait(SETTLED_AFTER)
        began = time.time()
        stage.wait(1.0)
        abroad.append((began, time.time() - UNDER_WAY))
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(GroupLeft, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.wait(1.5)
    stage.check_survival(down, "10.4.2-d", "10.4.3-a", "11.3.4-a")
    stage.check_survival(up, "11.3.4-a", "10.4.5-a")
    stage.check_survival(near, "10.4.2-d")
    for number, stay in enumerate(abroad, start=1):
        for stream, hears in ((down, True), (up, True), (near, False)):
            sent, received = during(stream, stay)
            name = f"{'hears' if hears else 'deaf'}-{stream.name}-{number}"
            holds = received == (sent if hears else 0) and sent > 0
            stage.check(name, holds, "10.4.2-d", "11.3.4-a", detail=f"{received} of {sent} arrived")


def during(stream: Stream, stay: tuple[float, float]) -> tuple[int, int]:
    """Count what was sent in a stay on a visited link, and what of that arrived."""
    began, ended = stay
    sent = [arrival for arrival in streams.read(stream.stop().path) if began < arrival.sent < ended]
    return len(sent), sum(arrival.received is not None for arrival in sent)
