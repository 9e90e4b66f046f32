"""Rules about the direct path between mobile nodes and correspondents, RFC 6275 §6.4, §9.3, §9.5.3 and §11.3."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from itertools import pairwise

from lab.constants import INITIAL_BINDACK_TIMEOUT
from lab.verify.binding import BINDING_ACKNOWLEDGEMENT, JUST, Period, Update
from lab.verify.frame import MOBILITY, TUNNEL, Frame
from lab.verify.registration import TYPE_2_FORM
from lab.verify.rules import Findings, rule
from lab.verify.session import Session
from lab.verify.traffic import Payload, is_payload

UNDER_WAY = JUST
"""Seconds after a change in which packets of before may still be seen."""
REPEATED_WITHIN = 2 * INITIAL_BINDACK_TIMEOUT + JUST
"""Seconds after which it is clear that a mobile node got an acknowledgement: it would have asked again."""


@rule(
    "direct-path",
    "Once a correspondent has acknowledged, its packets and the mobile node's leave the triangle for the direct path",
    "9.3.2-a",
    "11.3.1-a",
)
def direct_path(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.3.2, §11.3.1: until the next move or the end of the binding nothing is tunnelled or sent bare."""
    for period in session.correspondence.periods:
        until = _until(session, period)
        if until is None:
            continue
        exchanged = session.payloads[period.home_address, period.peer]
        told = _told(session, period, exchanged)
        directly: list[Frame] = []
        first_seen: dict[bytes, float] = {}
        for payload in exchanged:
            # What a tunnel lets out has left its source when it was seen in there.
            left = first_seen.setdefault(payload.frame.same, payload.frame.time)
            begin = told if payload.from_mobile else period.begin
            if not begin + UNDER_WAY < payload.frame.time < until:
                continue
            if payload.direct:
                directly.append(payload.frame)
            elif left > begin + UNDER_WAY and _by_triangle(session, payload):
                findings.judge(
                    payload.frame, False, f"{payload.frame.source} to {payload.frame.destination}, indirectly"
                )
        for frame in directly[:1]:
            findings.judge(frame, True, "")


def _by_triangle(session: Session, payload: Payload) -> bool:
    """Tell whether a packet goes by the home agent; what others forge does not count."""
    if not payload.from_mobile:
        return payload.frame.destination == payload.pair[0]
    if payload.carrier is payload.frame:
        return payload.frame.source == payload.pair[0]
    care_of = {update.care_of_address for update in session.updates if update.home_address == payload.pair[0]}
    return payload.frame.source == payload.pair[0] and payload.carrier.source in care_of


def _told(session: Session, period: Period, exchanged: list[Payload]) -> float:
    """Give when the mobile node has got the acknowledgement: it shows that by what it sends, or does not ask again."""
    update, answer = period.acknowledgement.update, period.acknowledgement.frame
    if update is not None and update.frame.source_mac in session.mobile_macs:
        later = [u.frame.time for u in session.correspondence.asked(*update.peers) if u.frame.time > answer.time]
        patience = min([*later, session.last_time]) - answer.time
        if update.frame.link in session.mobility_sightings.get(answer.same, ()) and patience > REPEATED_WITHIN:
            return period.begin
    return min(
        (p.frame.time for p in exchanged if p.from_mobile and p.direct and p.frame.time >= period.begin),
        default=float("inf"),
    )


def _until(session: Session, period: Period) -> float | None:
    """Give until when the direct path must be taken; None if there is none, or if that cannot be known."""
    home, begin = period.home_address, period.begin
    registered = {u.care_of_address for u in session.updates if u.home_address == home and not u.ends}
    changes = [
        update
        for update in session.correspondence.asked(home, period.peer)
        if update.frame.time > begin and (update.ends or update.care_of_address != period.care_of_address)
    ]
    own = [update for update in session.updates if update.home_address == home]
    moves = [
        update.frame.time
        for before, update in pairwise([*own[:1], *own])
        if update.frame.time > begin
        and (update.ends or update.care_of_address != period.care_of_address or _missed_between(before, update))
    ]
    if period.care_of_address not in registered:
        return None
    if changes and not any(time <= changes[0].frame.time for time in moves):
        return None  # the mobile node moved unseen, or the binding was ended for another reason
    return min(
        [
            period.end,
            period.expires - JUST,
            *moves,
            *(update.frame.time for update in changes[:1]),
            *_losses(session, period),
        ]
    )


def _missed_between(before: Update, update: Update) -> bool:
    """Tell whether the sequence numbers leave room for a registration that was not captured."""
    return (update.sequence - before.sequence) % 0x10000 > 1


def _losses(session: Session, period: Period) -> Iterator[float]:
    """Give since when a correspondent may have lost a binding, as it or a router says."""
    for error in session.correspondence.errors:
        about = (error.sender, error.payload[8:24]) == (period.peer, period.home_address.packed)
        if about and period.may_hold(error.time):
            used = [
                p.frame.time
                for p in session.payloads[period.home_address, period.peer]
                if not p.from_mobile and p.direct and period.begin <= p.frame.time <= error.time
            ]
            yield max(used, default=period.begin)
    for frame in session.unreachables:
        care_of_address = period.care_of_address
        about = care_of_address is not None and frame.payload[32:48] == care_of_address.packed
        if about and frame.receiver == period.peer and period.may_hold(frame.time):
            yield frame.time


@rule(
    "direct-to-mobile",
    "A correspondent's routing headers lead to the care-of address in force",
    "9.3.2-a",
    "11.7.2-a",
)
def to_mobile(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.3.2."""
    for exchanged in session.payloads.values():
        for payload in exchanged:
            frame = payload.frame
            if payload.from_mobile or not payload.direct or not _asked_before(session, payload, frame.destination):
                continue
            allowed = _in_force(session, payload)
            if allowed:
                findings.judge(frame, frame.destination in allowed, f"to {frame.destination}")


@rule(
    "direct-from-mobile",
    "A mobile node's packets with the Home Address option come from a care-of address that the correspondent knows",
    "11.3.1-a",
    "9.3.1-b",
)
def from_mobile(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1."""
    for exchanged in session.payloads.values():
        for payload in exchanged:
            frame = payload.frame
            if not payload.from_mobile or not payload.direct:
                continue
            known = _asked_before(session, payload, frame.source)
            if known or session.came_up(frame, frame.source):
                allowed = _in_force(session, payload) if known else set()
                findings.judge(frame, frame.source in allowed, f"from {frame.source}")


def _asked_before(session: Session, payload: Payload, care_of_address: IPv6Address) -> bool:
    return any(
        update.care_of_address == care_of_address and update.frame.time <= payload.frame.time
        for update in session.correspondence.asked(*payload.pair)
    )


def _in_force(session: Session, payload: Payload) -> set[IPv6Address]:
    """Give the care-of addresses that a correspondent can hold: what it acknowledged, and what it is about to."""
    time = payload.frame.time
    allowed = {
        period.care_of_address
        for period in session.correspondence.of_pair(*payload.pair)
        if period.begin <= time < period.end + UNDER_WAY and time < period.expires + UNDER_WAY
    }
    for update in session.correspondence.asked(*payload.pair):
        answer = session.correspondence.answer(update)
        # Who asks for no answer gets none, and is served all the same.
        if update.frame.time <= time and (answer is None or time < answer.frame.time):
            allowed.add(update.care_of_address)
    return {address for address in allowed if address is not None}


@rule(
    "direct-path-ends",
    "After a binding is deleted the correspondent sends to the home address plainly",
    "9.5.3-a",
)
def ends(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.3."""
    for period in session.correspondence.periods:
        if period.care_of_address is not None:
            continue
        exchanged = session.payloads[period.home_address, period.peer]
        still = [
            payload.frame
            for payload in exchanged
            if payload.direct and not payload.from_mobile and period.begin + UNDER_WAY < payload.frame.time < period.end
        ]
        for frame in still:
            findings.judge(frame, False, f"routing header for a binding that has ended, to {frame.destination}")
        if not still:
            findings.judge(period.acknowledgement.frame, True, "")


@rule(
    "routing-header",
    "Type 2 routing headers lead to care-of addresses that were registered, in the form of the RFC",
    "6.4-a",
    "15.9-a",
)
def routing_header(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.4; acknowledgements, which go to what they refuse too, are for another rule.

    Where a home address was never registered in the captures, nothing is known.
    """
    known: dict[IPv6Address, list[tuple[float, IPv6Address]]] = {}
    for update in session.all_updates:
        places = known.setdefault(update.home_address, [])
        places += [(update.frame.time, update.frame.source), (update.frame.time, update.care_of_address)]
    for packet in session.packets:
        if packet.upper != TUNNEL and packet.routing_header_at == 0:
            continue
        frame = packet.innermost
        home_address = frame.routed_home_address
        if home_address is None or home_address not in known or _may_be_acknowledgement(frame):
            continue
        if frame.routing_header_form != TYPE_2_FORM:
            findings.judge(frame, False, f"length and segments left {frame.routing_header_form}")
        elif any(time <= frame.time and address == frame.destination for time, address in known[home_address]):
            findings.judge(frame, True, "")
        elif session.came_up(frame, frame.destination):
            findings.judge(frame, False, f"{frame.destination} was not registered for {home_address}")


def _may_be_acknowledgement(frame: Frame) -> bool:
    closed = frame.closed_spi is not None
    return closed or (frame.upper, frame.message_type) == (MOBILITY, BINDING_ACKNOWLEDGEMENT)


@rule(
    "old-care-of-address",
    "After a move nothing of the mobile node's leaves by the care-of address before",
    "11.3.1-a",
    "11.7.2-a",
)
def old_care_of_address(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1: until correspondents know the new one, the tunnel carries everything."""
    for position, move in enumerate(session.moves):
        own = [u for u in session.moves if u.home_address == move.home_address]
        later = [u.frame.time for u in session.moves[position + 1 :] if u.home_address == move.home_address]
        old = {u.care_of_address for u in own if u.frame.time < move.frame.time} - {move.care_of_address}
        if not old or move.frame.source_mac not in session.mobile_macs:
            continue
        until = min(later, default=float("inf"))
        still = [
            payload.frame
            for pair, exchanged in session.payloads.items()
            if pair[0] == move.home_address
            for payload in exchanged
            if payload.from_mobile
            and move.frame.time + UNDER_WAY < payload.frame.time < until
            and payload.carrier.source_mac == move.frame.source_mac
            and payload.frame.source in old
        ]
        for frame in still:
            findings.judge(frame, False, f"from {frame.source}")
        if not still:
            findings.judge(move.frame, True, "")


@rule(
    "home-link-plain",
    "A mobile node that is at home neither sends nor gets its own home address in an option or a routing header",
    "11.3.1-a",
    "6.4-a",
)
def home_link_plain(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.4, §11.3.1; neighbours that correspond with it from its home link do, while it is away."""
    homes = {home_address: session.home_links(home_address) for home_address, _ in session.payloads}
    links = {link for home in homes.values() for link in home}
    for frame in session.frames:
        if frame.link not in links or not is_payload(frame):
            continue
        sent = (frame.sender, frame.receiver) in session.payloads and frame.source_mac in session.mobile_macs
        got = (frame.receiver, frame.sender) in session.payloads and frame.source_mac in session.home_agent_macs
        if sent and frame.link in homes[frame.sender]:
            findings.judge(frame, frame.home_address is None, "Home Address option")
        if got and frame.link in homes[frame.receiver]:
            findings.judge(frame, frame.routed_home_address is None, "routing header")
