"""Route optimisation: packets between a mobile node and its correspondents go straight (RFC 6275 §5.2, §9, §11)."""

from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRefreshRequested,
    BindingRegistered,
    RegistrationKind,
    ReturnedHome,
    RouteOptimisationEnded,
    RouteOptimisationStarted,
)
from topologies.two_visited_links import TwoVisitedLinks

TRANSFER, RATE = 100_000_000, 12_000_000
"""Octets, and octets a second: slow enough to be under way in every move."""
SIZE = 1400
"""Octets of a packet that fits each way there is, if path MTUs are counted right."""


class TwoCorrespondents(TwoVisitedLinks):
    """A mobile node with two visited links, and two correspondents of which one has links of its own.

    cn, cn2 ─── core ─── ha ═══ home ─── mn
                  ├───── ar1 ══ visited1
                  └───── ar2 ══ visited2
    """

    summary = "like two_visited_links, with a second correspondent node"

    def declare(self) -> None:
        """Add a correspondent to the network of two visited links."""
        super().declare()
        self.correspondent("cn2", on=[self.link_specs["cn-core"]])


class LegacyCorrespondent(TwoVisitedLinks):
    """A mobile node with two visited links, and a host that knows nothing of Mobile IPv6.

    cn, legacy ─── core ─── ha ═══ home ─── mn
                     ├───── ar1 ══ visited1
                     └───── ar2 ══ visited2
    """

    summary = "like two_visited_links, with a host that knows nothing of Mobile IPv6"

    def declare(self) -> None:
        """Add a host to the network of two visited links."""
        super().declare()
        self.host("legacy", on=[self.link_specs["cn-core"]])


topos = {"two_correspondents": TwoCorrespondents, "legacy_correspondent": LegacyCorrespondent}


def go(stage: Stage, link: str, *correspondents: str) -> None:
    """Move to a visited link and wait until packets to the correspondents go straight from there."""
    care_of_address = stage.care_of_address("mn", link)
    stage.say(f"The mobile node moves to {link}")
    stage.move("mn", link)
    stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)
    for name in correspondents:
        peer = stage.network.node(name).spec.address
        stage.expect(BindingRegistered, node=name, care_of_address=care_of_address)
        stage.expect(RouteOptimisationStarted, node="mn", peer=peer, care_of_address=care_of_address)


def return_home(stage: Stage, *correspondents: str) -> None:
    """Return home and wait until home agent and correspondents know."""
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    for name in correspondents:
        stage.expect(BindingDeregistered, node=name)


@scenario(TwoVisitedLinks)
def route_optimisation(stage: Stage) -> None:
    """The stream leaves the triangle through the home agent for the direct path."""
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05, size=SIZE)
    stage.wait(0.5)
    go(stage, "visited1", "cn")
    stage.wait(2.0)
    stage.check_survival(down, "9.3.2-a", "11.3.3-a")
    stage.check_survival(up, "9.3.1-b", "11.3.1-a")


@scenario(TwoVisitedLinks)
def ro_handover(stage: Stage) -> None:
    """The direct path follows the mobile node from link to link; the tunnel carries the stream meanwhile."""
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05, size=SIZE)
    stage.wait(0.5)
    for link in ("visited1", "visited2", "visited1"):
        go(stage, link, "cn")
        stage.wait(1.5)
    stage.check_survival(down, "9.3.2-a", "11.3.3-a", "11.7.2-a")
    stage.check_survival(up, "9.3.1-b", "11.3.1-a")


@scenario(TwoVisitedLinks)
def ro_return_home(stage: Stage) -> None:
    """Home again, the mobile node ends its bindings with home agent and correspondent, and is reached plainly."""
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05)
    stage.wait(0.5)
    go(stage, "visited1", "cn")
    stage.wait(1.5)
    return_home(stage, "cn")
    stage.wait(1.5)
    stage.check_survival(down, "9.5.3-a", "11.7.2-a", "15.4.6-a")
    stage.check_survival(up, "9.5.3-a", "11.5.5-a")


@scenario(TwoCorrespondents)
def two_correspondents(stage: Stage) -> None:
    """Two correspondents each get a binding of their own, and hear of the move and of the way home."""
    streams = [stage.stream(name, "mn", every=0.01) for name in ("cn", "cn2")]
    stage.wait(0.5)
    go(stage, "visited1", "cn", "cn2")
    stage.wait(1.0)
    go(stage, "visited2", "cn", "cn2")
    stage.wait(1.0)
    return_home(stage, "cn", "cn2")
    stage.wait(1.5)
    for stream in streams:
        stage.check_survival(stream, "9.1-a", "11.1-a", "11.7.2-a")


@scenario(TwoVisitedLinks, ro_lifetime=8)
def binding_refresh(stage: Stage) -> None:
    """A binding in use is renewed before its end, as the correspondent asks."""
    down = stage.stream("cn", "mn", every=0.01)
    stage.wait(0.5)
    go(stage, "visited1", "cn")
    stage.say("The binding for 8 seconds nears its end")
    stage.expect(BindingRefreshRequested, node="cn", within=8.0)
    stage.expect(BindingRegistered, node="cn", kind=RegistrationKind.REFRESHED, within=8.0)
    stage.wait(3.0)
    ended = [r for r in stage.records() if isinstance(r.event, RouteOptimisationEnded)]
    stage.check("direct-path-kept", not ended, "9.5.5-a", "11.7.4-a", detail=f"direct path ended {len(ended)} times")
    stage.check_survival(down, "9.5.5-a", "11.7.4-a")


@scenario(TwoVisitedLinks)
def tcp_transfer(stage: Stage) -> None:
    """A TCP transfer of 100 MB survives every move, and packets of 1400 octets do as well."""
    down = stage.stream("cn", "mn", every=0.02, size=SIZE)
    transfer = stage.transfer("cn", "mn", octets=TRANSFER, rate=RATE)
    stage.wait(0.5)
    for link in ("visited1", "visited2"):
        go(stage, link, "cn")
        stage.wait(1.0)
    return_home(stage, "cn")
    stage.check("transfer-under-way", transfer.running, detail="the transfer outlasts the moves")
    stage.say("The transfer goes on to its end")
    summary = transfer.wait(within=120.0)
    stage.wait(1.5)
    detail = f"{summary.octets} octets in {summary.seconds:.1f} s, {'intact' if summary.intact else 'damaged'}"
    stage.check("transfer", summary.intact and summary.octets == TRANSFER, "9.3.1-b", "9.3.2-a", detail=detail)
    stage.check_survival(down, "9.3.2-a", "10.4.2-c")


@scenario(LegacyCorrespondent)
def ro_refused(stage: Stage) -> None:
    """A host that knows no Mobility Header says so; traffic with it goes on through the tunnel."""
    down = stage.stream("legacy", "mn", every=0.01)
    up = stage.stream("mn", "legacy", every=0.05)
    stage.wait(0.5)
    go(stage, "visited1")
    peer = stage.network.node("legacy").spec.address
    stage.expect(RouteOptimisationEnded, node="mn", peer=peer)
    stage.wait(1.5)
    go(stage, "visited2")
    stage.wait(1.5)
    started = [r for r in stage.records() if isinstance(r.event, RouteOptimisationStarted)]
    stage.check("no-direct-path", not started, "11.3.5-a", detail=f"direct path began {len(started)} times")
    stage.check_survival(down, "11.3.5-a", "10.4.2-a")
    stage.check_survival(up, "11.3.5-a", "10.4.5-a")
