"""Lesson: the tunnel through the home agent."""

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen, told, unseen
from lab.lessons.work import Captured

OVERHEAD = "overhead"


def _down(work: Captured) -> Finding:
    return seen(work.to_mobile_nodes, "packets in a tunnel from a home agent to a care-of address")


def _up(work: Captured) -> Finding:
    return seen(work.from_mobile_nodes, "packets in a tunnel from a care-of address to a home agent")


def _same_inside(work: Captured) -> Finding:
    plain = {frame.same for frame in work.session.packets if frame.inner is None}
    tunnelled = [*work.to_mobile_nodes, *work.from_mobile_nodes]
    again = [frame for frame in tunnelled if frame.inner is not None and frame.inner.same in plain]
    return seen(again, "packets that are seen without a tunnel as well, with the same octets")


def _no_shortcut(work: Captured) -> Finding:
    straight = [*work.straight_to_mobile_nodes, *work.straight_from_mobile_nodes]
    return unseen(straight, "packets on a direct path")


def _overhead(work: Captured) -> Finding:
    added = {len(frame.captured) - len(frame.inner.octets) for frame in work.to_mobile_nodes if frame.inner is not None}
    right = float(added.pop()) if len(added) == 1 else None
    return told(work.answers, OVERHEAD, right, within=0, unit="octets")


LESSON = Lesson(
    name="tunnel",
    summary="How packets reach a mobile node that is away, and how it answers: through a tunnel of its home agent.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={OVERHEAD: "by how many octets a packet is longer in the home agent's tunnel"},
    criteria=(
        Criterion(
            name="down",
            wanted="the home agent tunnels packets for the home address to the care-of address (§10.4.2)",
            look_at="core-ha.pcapng: tshark -Y 'ipv6.nxt == 41'; does anybody send to the home address?",
            examine=_down,
        ),
        Criterion(
            name="up",
            wanted="the mobile node tunnels its packets to the home agent (§11.3.1)",
            look_at="visited1.pcapng: packets from the care-of address with another packet inside",
            examine=_up,
        ),
        Criterion(
            name="same-inside",
            wanted="what is in the tunnel is, octet for octet, what was sent without it",
            look_at="cn-core.pcapng beside core-ha.pcapng: hand in the captures of both links",
            examine=_same_inside,
        ),
        Criterion(
            name="no-shortcut",
            wanted="no packet takes the direct path: this lesson is played without route optimisation",
            look_at="was the network brought up with `--set ro=off`? tshark -Y 'ipv6.routing.type == 2'",
            examine=_no_shortcut,
        ),
        Criterion(
            name="overhead",
            wanted="you have measured by how many octets a packet is longer in the tunnel (--answer overhead=…)",
            look_at="the same packet on cn-core and on core-ar1: the length of its frame on both",
            examine=_overhead,
        ),
    ),
)
