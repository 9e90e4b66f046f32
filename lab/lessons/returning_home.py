"""Lesson: returning home."""

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen, unseen
from lab.lessons.work import Captured
from lab.verify.binding import JUST, Period
from lab.verify.session import target


def _returns(work: Captured) -> list[Period]:
    """Give the times at home that follow a registration abroad."""
    return [
        period
        for period in work.session.periods
        if period.care_of_address is None
        and any(stay.home_address == period.home_address and stay.begin < period.begin for stay in work.stays)
    ]


def _was_away(work: Captured) -> Finding:
    return seen((stay.acknowledgement.frame for stay in work.stays), "registrations of a care-of address")


def _asks_at_home(work: Captured) -> Finding:
    session = work.session
    asked = (u.frame for u in session.updates if u.ends and u.frame.link in session.home_links(u.home_address))
    return seen(asked, "Binding Updates on a home link that end a binding")


def _ended(work: Captured) -> Finding:
    return seen((period.acknowledgement.frame for period in _returns(work)), "acknowledgements that a binding ended")


def _claims_its_address(work: Captured) -> Finding:
    session = work.session
    claims = (
        frame
        for frame in session.neighbor_advertisements
        for period in _returns(work)
        if target(frame) == period.home_address
        and frame.message.O
        and frame.source_mac in session.mobile_macs
        and period.begin - JUST < frame.time < period.end
    )
    return seen(claims, "advertisements by which the mobile node claims its home address")


def _tunnel_ended(work: Captured) -> Finding:
    home = _returns(work)
    if not home:
        return Finding(holds=False, found="nobody returned home")
    return unseen((frame for period in home for frame in work.tunnelled_during(period)), "packets tunnelled after that")


def _reached_plainly(work: Captured) -> Finding:
    plain = (
        frame
        for period in _returns(work)
        for frame in work.at_home(period.home_address)
        if frame.destination == period.home_address and period.begin < frame.time < period.end
    )
    return seen(plain, "packets on the home link for the mobile node, in no tunnel")


LESSON = Lesson(
    name="returning-home",
    summary="How a binding is ended, and who answers for the home address from then on.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={},
    criteria=(
        Criterion(
            name="was-away",
            wanted="the mobile node was registered abroad",
            look_at="`move mn visited1` comes first",
            examine=_was_away,
        ),
        Criterion(
            name="asks-at-home",
            wanted="on its home link it sends a Binding Update with lifetime 0 (§11.5.5)",
            look_at="home.pcapng, with the keys of esp_sa: tshark -Y 'mip6.mhtype == 5'",
            examine=_asks_at_home,
        ),
        Criterion(
            name="ended",
            wanted="the home agent acknowledges the end of the binding (§10.3.2)",
            look_at="home.pcapng: tshark -Y 'mip6.mhtype == 6'",
            examine=_ended,
        ),
        Criterion(
            name="claims-its-address",
            wanted="then the mobile node tells the home link that the home address is its own again (§11.5.5)",
            look_at="home.pcapng: Neighbor Advertisements with the O bit, and whose link-layer address they tell",
            examine=_claims_its_address,
        ),
        Criterion(
            name="tunnel-ended",
            wanted="nothing is tunnelled to it any more",
            look_at="core-ha.pcapng after the acknowledgement",
            examine=_tunnel_ended,
        ),
        Criterion(
            name="reached-plainly",
            wanted="packets for it are on the home link as for any host",
            look_at="`cn ping -c 3 mn` after `move mn home`; home.pcapng",
            examine=_reached_plainly,
        ),
    ),
)
