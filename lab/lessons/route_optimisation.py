"""Lesson: route optimisation, and the return routability that comes first."""

from collections.abc import Iterator

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen
from lab.lessons.work import Captured
from lab.verify.binding import Period
from lab.verify.correspondence import Test, TestInit


def _triangle(work: Captured) -> Finding:
    first = min((period.begin for period in _bindings(work)), default=0.0)
    early = (frame for frame in work.to_mobile_nodes if frame.time < first)
    return seen(early, "packets through the home agent before a correspondent has a binding")


def _bindings(work: Captured) -> list[Period]:
    return [period for period in work.session.correspondence.periods if period.care_of_address is not None]


def _answered(work: Captured, *, home: bool) -> Iterator[tuple[TestInit, Test]]:
    """Give what was asked and its answer, known by its cookie."""
    correspondence = work.session.correspondence
    for init in correspondence.test_inits:
        for test in correspondence.tests:
            if init.home is test.home is home and init.cookie == test.cookie and init.peer == test.peer:
                yield init, test


def _home_test(work: Captured) -> Finding:
    proven = (test.frame for init, test in _answered(work, home=True) if init.message.tunnelled)
    return seen(proven, "Home Tests that answer what came through the tunnel")


def _care_of_test(work: Captured) -> Finding:
    proven = (test.frame for init, test in _answered(work, home=False) if not init.message.tunnelled)
    return seen(proven, "Care-of Tests that answer what came straight")


def _registered(work: Captured) -> Finding:
    correspondence = work.session.correspondence
    proven = (
        period.acknowledgement.frame
        for period in _bindings(work)
        if (update := period.acknowledgement.update) is not None and correspondence.key(update) is not None
    )
    return seen(proven, "bindings at a correspondent by the tokens of both tests")


def _straight(work: Captured) -> Finding:
    to, back = work.straight_to_mobile_nodes, work.straight_from_mobile_nodes
    both = [*to[:1], *back[:1]] if to and back else []
    found = f"{len(to)} packets straight to a care-of address, {len(back)} straight from one"
    return Finding(holds=bool(both), found=found, evidence=tuple(frame.evidence() for frame in both))


def _same_address_above(work: Captured) -> Finding:
    home = work.session.home_addresses
    ends = {(f.sender, f.receiver) for f in work.straight_to_mobile_nodes if f.receiver in home}
    tunnelled = (f for f in work.to_mobile_nodes if (f.innermost.sender, f.innermost.receiver) in ends)
    return seen(tunnelled, "packets through the tunnel between the same two that talk straight later")


LESSON = Lesson(
    name="route-optimisation",
    summary="How a correspondent is convinced of a care-of address, and packets leave the triangle.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={},
    criteria=(
        Criterion(
            name="triangle",
            wanted="before there is a binding, packets for the mobile node go through the home agent",
            look_at="core-ha.pcapng, the first packets after the move",
            examine=_triangle,
        ),
        Criterion(
            name="home-test",
            wanted="a Home Test Init goes through the tunnel, and is answered (§5.2.5)",
            look_at="core-ha.pcapng: tshark -Y 'mip6.mhtype == 1 || mip6.mhtype == 3'",
            examine=_home_test,
        ),
        Criterion(
            name="care-of-test",
            wanted="a Care-of Test Init goes straight, and is answered (§5.2.5)",
            look_at="visited1.pcapng: tshark -Y 'mip6.mhtype == 2 || mip6.mhtype == 4'",
            examine=_care_of_test,
        ),
        Criterion(
            name="registered",
            wanted="by the tokens of both, a correspondent accepts a binding (§5.2.6)",
            look_at="cn-core.pcapng: the nonce indices of the Binding Update, and those of the tests",
            examine=_registered,
        ),
        Criterion(
            name="straight",
            wanted="payload goes straight, both ways, with a routing header and a Home Address option (§9.3)",
            look_at="visited1.pcapng: tshark -Y 'ipv6.routing.type == 2'; does the mobile node answer?",
            examine=_straight,
        ),
        Criterion(
            name="same-ends",
            wanted="those who talk straight are the same, by their addresses, as through the tunnel before",
            look_at="the home address in the routing header, and in the packet inside the tunnel",
            examine=_same_address_above,
        ),
    ),
)
