"""Lesson: movement, and the handover that follows."""

import itertools
from collections.abc import Iterator

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen, unseen
from lab.lessons.work import Captured
from lab.verify import judge
from lab.verify.binding import JUST, Period
from lab.verify.check import Verdict


def _moves(work: Captured) -> Iterator[tuple[Period, Period]]:
    """Give registrations and the ones before them that were of another care-of address."""
    stays = sorted(work.stays, key=lambda stay: (stay.home_address, stay.begin))
    for earlier, later in itertools.pairwise(stays):
        if earlier.home_address == later.home_address and earlier.care_of_address != later.care_of_address:
            yield earlier, later


def _moved(work: Captured) -> Finding:
    return seen((later.acknowledgement.frame for _, later in _moves(work)), "moves from one visited link to another")


def _found_a_router(work: Captured) -> Finding:
    asked = (frame for frame in work.session.router_solicitations if frame.source_mac in work.session.mobile_macs)
    return seen(asked, "Router Solicitations of a mobile node")


def _tunnel_follows(work: Captured) -> Finding:
    followed = [
        frames[0]
        for earlier, later in _moves(work)
        if any(f.destination == earlier.care_of_address for f in work.to_mobile_nodes)
        and (frames := [f for f in work.tunnelled_during(later) if f.destination == later.care_of_address])
    ]
    return seen(followed, "moves after which the tunnel leads to the new care-of address")


def _nothing_left_behind(work: Captured) -> Finding:
    moves = list(_moves(work))
    if not moves:
        return Finding(holds=False, found="nobody moved from one visited link to another")
    late = (f for _, later in moves for f in work.tunnelled_during(later) if f.destination != later.care_of_address)
    return unseen(late, f"packets to an old care-of address, later than {JUST:g} s after the acknowledgement")


def _rules_hold(work: Captured) -> Finding:
    checks = judge(work.session)
    failed = [check for check in checks if check.verdict is Verdict.FAILED]
    passed = sum(check.verdict is Verdict.PASSED for check in checks)
    evidence = tuple(seen for check in failed for seen in check.evidence[:1])
    told = f"{passed} rules hold, {len(failed)} do not" + "".join(f"; {check.id}: {check.detail}" for check in failed)
    return Finding(holds=bool(passed) and not failed, found=told, evidence=evidence)


LESSON = Lesson(
    name="handover",
    summary="What happens between leaving one link and being reached on the next.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={},
    criteria=(
        Criterion(
            name="moved",
            wanted="the mobile node moves from one visited link to another and registers on both",
            look_at="visited1.pcapng and visited2.pcapng: a Binding Update on each, by different care-of addresses",
            examine=_moved,
        ),
        Criterion(
            name="found-a-router",
            wanted="on a new link it asks for a router first (§11.5.1)",
            look_at="visited2.pcapng: tshark -Y 'icmpv6.type == 133 || icmpv6.type == 134', and their times",
            examine=_found_a_router,
        ),
        Criterion(
            name="tunnel-follows",
            wanted="packets for the home address were tunnelled to the old care-of address, and then to the new one",
            look_at="core-ha.pcapng: destinations of tunnel packets over time; did anybody send all the while?",
            examine=_tunnel_follows,
        ),
        Criterion(
            name="nothing-left-behind",
            wanted="once the new registration is acknowledged, nothing is tunnelled to the old care-of address",
            look_at="core-ha.pcapng: the acknowledgement, and what is tunnelled after it",
            examine=_nothing_left_behind,
        ),
        Criterion(
            name="rules-hold",
            wanted="the captures agree with all rules of RFC 6275",
            look_at="`mip6lab verify` with the same captures names requirement and frame",
            examine=_rules_hold,
        ),
    ),
)
