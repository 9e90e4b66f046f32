"""Lesson: registration with the home agent, and its messages."""

import itertools

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen
from lab.lessons.work import Captured
from lab.verify.binding import ACKNOWLEDGE, HOME_REGISTRATION
from lab.verify.session import target

FLAGS = HOME_REGISTRATION | ACKNOWLEDGE


def _asks(work: Captured) -> Finding:
    right = (
        update.frame
        for update in work.session.updates
        if update.flags & FLAGS == FLAGS and update.frame.home_address is not None and not update.ends
    )
    return seen(right, "Binding Updates with the H and A bits and a Home Address option")


def _sealed(work: Captured) -> Finding:
    if not work.session.associations:
        return Finding(holds=False, found="no keys: the file esp_sa is not beside the captures")
    asked = [update.frame for update in (*work.session.updates, *work.session.unprotected)]
    plain = [frame for frame in asked if frame.protection is None]
    found = seen((frame for frame in asked if frame.protection is not None), "Binding Updates in ESP")
    if not plain:
        return found
    return Finding(holds=False, found=f"{len(plain)} without ESP", evidence=(plain[0].evidence(),))


def _tested_first(work: Captured) -> Finding:
    session = work.session
    tests = [
        frame
        for frame in session.solicitations
        if frame.source.is_unspecified and frame.source_mac in session.home_agent_macs
    ]
    before = (
        frame
        for frame in tests
        for stay in work.stays
        if stay.acknowledgement.update is not None
        and target(frame) == stay.home_address
        and stay.acknowledgement.update.frame.time < frame.time < stay.begin
    )
    return seen(before, "tests of the home address by the home agent between an update and its answer")


def _accepted(work: Captured) -> Finding:
    answers = (stay.acknowledgement.frame for stay in work.stays)
    right = (frame for frame in answers if frame.routed_home_address is not None)
    return seen(right, "accepting acknowledgements to a care-of address with a type 2 routing header")


def _renewed(work: Captured) -> Finding:
    pairs = [
        (earlier, later)
        for earlier, later in itertools.pairwise(sorted(work.session.periods, key=lambda p: (p.home_address, p.begin)))
        if earlier.home_address == later.home_address and earlier.care_of_address == later.care_of_address is not None
    ]
    in_time = (later.acknowledgement.frame for earlier, later in pairs if later.begin < earlier.expires)
    return seen(in_time, "renewals of a binding before its end, at the same care-of address")


LESSON = Lesson(
    name="registration",
    summary="What a Binding Update says, what comes before its acknowledgement, and when it is said again.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={},
    criteria=(
        Criterion(
            name="asks",
            wanted="a Binding Update with H and A bits comes from abroad and names the home address (§11.7.1)",
            look_at="visited1.pcapng, with the keys of esp_sa: tshark -Y 'mip6.mhtype == 5'",
            examine=_asks,
        ),
        Criterion(
            name="sealed",
            wanted="every home registration is in the ESP of its security association (§5.1)",
            look_at="esp_sa beside the captures; tshark -Y esp",
            examine=_sealed,
        ),
        Criterion(
            name="tested-first",
            wanted="before it accepts a first registration, the home agent tests the home address (§10.3.1)",
            look_at="home.pcapng: a Neighbor Solicitation from :: for the home address, after the move",
            examine=_tested_first,
        ),
        Criterion(
            name="accepted",
            wanted="an acknowledgement with a status below 128 goes to the care-of address (§9.5.4)",
            look_at="core-ha.pcapng: tshark -Y 'mip6.mhtype == 6'; its status, lifetime, and routing header",
            examine=_accepted,
        ),
        Criterion(
            name="renewed",
            wanted="the mobile node renews the binding before it ends, without having moved (§11.7.1)",
            look_at="did it stay away for longer than its lifetime? Bring the network up with `--set lifetime=8`",
            examine=_renewed,
        ),
    ),
)
