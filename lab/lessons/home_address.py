"""Lesson: what a home address is."""

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, seen
from lab.lessons.work import Captured
from lab.verify.frame import Frame


def _speaks_at_home(work: Captured) -> Finding:
    own = (frame for home_address in work.session.home_addresses for frame in work.at_home(home_address))
    return seen((f for f in own if f.source in work.session.home_addresses), "packets from a home address at home")


def _goes_away(work: Captured) -> Finding:
    away = [stay.acknowledgement.frame for stay in work.stays]
    return seen(away, "registrations of a care-of address that were accepted")


def _keeps_its_address(work: Captured) -> Finding:
    both = [*work.from_mobile_nodes, *work.straight_from_mobile_nodes]
    return seen(_after_first_stay(work, both), "packets that the home address sends from abroad")


def _is_reached_by_it(work: Captured) -> Finding:
    both = [*work.to_mobile_nodes, *work.straight_to_mobile_nodes]
    return seen(_after_first_stay(work, both), "packets for the home address that arrive abroad")


def _after_first_stay(work: Captured, frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if any(stay.begin < frame.time for stay in work.stays)]


def _changes_its_care_of_address(work: Captured) -> Finding:
    by_home: dict[str, set[str]] = {}
    for stay in work.stays:
        by_home.setdefault(str(stay.home_address), set()).add(str(stay.care_of_address))
    told = "; ".join(f"{home} was at {', '.join(sorted(at))}" for home, at in sorted(by_home.items()))
    return Finding(holds=any(len(at) > 1 for at in by_home.values()), found=told or "nobody was away")


LESSON = Lesson(
    name="home-address",
    summary="What a home address is: it stays, while the care-of address changes from link to link.",
    kind=Kind.CAPTURES,
    topology="two_visited_links",
    asks={},
    criteria=(
        Criterion(
            name="speaks-at-home",
            wanted="the mobile node sends from its home address while it is on its home link",
            look_at="home.pcapng before the move: `mn ping -c 3 cn` shows as echo requests from the home address",
            examine=_speaks_at_home,
        ),
        Criterion(
            name="goes-away",
            wanted="it moves to another link and registers a care-of address there",
            look_at="visited1.pcapng: tshark -Y 'esp || mipv6'; at the prompt, `move mn visited1` and `bindings`",
            examine=_goes_away,
        ),
        Criterion(
            name="keeps-its-address",
            wanted="away from home it still speaks by its home address",
            look_at="cn-core.pcapng after the move: the source of its echo requests",
            examine=_keeps_its_address,
        ),
        Criterion(
            name="is-reached",
            wanted="away from home it is reached by its home address",
            look_at="visited1.pcapng: packets to the care-of address, and the home address inside of them",
            examine=_is_reached_by_it,
        ),
        Criterion(
            name="changes-its-care-of-address",
            wanted="the same home address is bound to a second care-of address after another move",
            look_at="`move mn visited2`, and the table of `bindings` before and after",
            examine=_changes_its_care_of_address,
        ),
    ),
)
