"""Rules about registrations, some only about those at home agents, RFC 6275 §9.5, §10.3, §11.7 and §11.8."""

from itertools import pairwise

from lab.constants import INITIAL_BINDACK_TIMEOUT, MAX_BINDACK_TIMEOUT, MAX_UPDATE_RATE, RETRANS_TIMER, Status
from lab.verify.binding import ACKNOWLEDGE, Update
from lab.verify.rules import Findings, rule
from lab.verify.session import Session, target

ANSWERED_WITHIN = 3.0
"""Seconds: Duplicate Address Detection takes one of them."""
SLACK = 0.9
"""Timers of a real machine may be early by clock rounding."""
OPTION_ALIGNMENT = (8, 6)
TYPE_2_FORM = (2, 1)
"""Length and segments left of a type 2 routing header, §6.4.1."""


@rule("bu-flags", "Home registrations ask for an acknowledgement", "11.7.1-a")
def flags(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.1."""
    for update in session.updates:
        findings.judge(update.frame, bool(update.flags & ACKNOWLEDGE), "A is clear")


@rule(
    "bu-home-address",
    "From a care-of address the home address is in an aligned Home Address option",
    "6.3-a",
    "11.7.1-a",
)
def home_address(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.3; only from the home address itself, which ends a binding, there is no option."""
    for update in session.updates:
        frame = update.frame
        if frame.home_address is not None:
            every, offset = OPTION_ALIGNMENT
            at = frame.home_address_option_at - 40
            findings.judge(frame, at % every == offset, f"the Home Address option is at {at}, not at {every}n+{offset}")
        elif not session.home_links(frame.source) and (session.home_prefixes or update.lifetime):
            findings.judge(frame, False, f"no Home Address option, and {frame.source} is no home address")


@rule("bu-alternate", "The care-of address is in an Alternate Care-of Address option, and unicast", "5.1-d", "6.1.7-b")
def alternate(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.1, §6.1.7; §6.2.5 lets it differ from the source."""
    for update in session.updates:
        if update.ends:
            continue
        address = update.alternate
        wrong = address is None or (
            address.is_multicast or address.is_link_local or address.is_unspecified or address.is_loopback
        )
        findings.judge(update.frame, not wrong, f"alternate {address}")


@rule("bu-sequence", "Every Binding Update has a newer sequence number", "11.8-a", "9.5.1-b")
def sequence(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.1: modulo 2**16."""
    for updates in session.updates_of_each():
        for before, update in pairwise(updates):
            newer = 0 < (update.sequence - before.sequence) % 0x10000 < 0x8000
            findings.judge(update.frame, newer, f"{update.sequence} after {before.sequence}")


@rule("bu-rate", "No more than MAX_UPDATE_RATE Binding Updates in a second", "11.8-b")
def rate(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    for updates in session.updates_of_each():
        for position, update in enumerate(updates):
            recent = [u for u in updates[: position + 1] if update.frame.time - u.frame.time < SLACK]
            findings.judge(update.frame, len(recent) <= MAX_UPDATE_RATE, f"{len(recent)} within a second")


@rule(
    "bu-retransmission",
    "An unanswered Binding Update is repeated after its time-out, which doubles each time",
    "11.8-a",
)
def retransmission(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    for updates in session.updates_of_each():
        timeout = INITIAL_BINDACK_TIMEOUT
        for before, update in pairwise(updates):
            if not _repeats(session, before, update):
                timeout = INITIAL_BINDACK_TIMEOUT
                continue
            waited = update.frame.time - before.frame.time
            findings.judge(update.frame, waited >= timeout * SLACK, f"after {waited:.3f} s, time-out {timeout} s")
            timeout = min(2 * timeout, MAX_BINDACK_TIMEOUT)


def _repeats(session: Session, before: Update, update: Update) -> bool:
    """Tell whether an update is the one before again, as no answer came; not after a new arrival on the link."""
    answers = [a.frame.time for a in session.all_acknowledgements if a.update is before]
    arrivals = [f.time for f in session.router_solicitations if f.source_mac == before.frame.source_mac]
    return (before.care_of_address, before.ends) == (update.care_of_address, update.ends) and not any(
        before.frame.time <= time <= update.frame.time for time in (*answers, *arrivals)
    )


@rule("ba-answers", "Every home registration is acknowledged", "10.3.1-i", "10.3.2-d")
def answers(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1; what was overtaken, got lost, or came as capture or home agent ended may go without."""
    for update in session.updates:
        overtaken = any(
            other.peers == update.peers and update.frame.time < other.frame.time < update.frame.time + ANSWERED_WITHIN
            for other in session.updates
        )
        late = session.last_time - update.frame.time < ANSWERED_WITHIN
        answered = [a for a in session.acknowledgements if a.update is update]
        if answered:
            findings.judge(answered[0].frame, True, "")
        elif not (overtaken or late or session.is_gone(update.peer, update.frame.time) or session.is_lost(update)):
            findings.judge(update.frame, False, "not acknowledged")


@rule("ba-sequence", "An acknowledgement carries the sequence number of a Binding Update", "6.1.8-a", "11.7.3-a")
def acknowledged_sequence(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.8; status 135 tells the peer's own."""
    for acknowledgement in session.all_acknowledgements:
        if acknowledgement.status != Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            frame, known = acknowledgement.frame, acknowledgement.update is not None
            # Without any update before, that of the first acknowledgement came before the captures began.
            if known or any(u.peer == frame.sender and u.frame.time <= frame.time for u in session.all_updates):
                findings.judge(frame, known, f"#{acknowledgement.sequence} was not asked")


@rule("ba-lifetime", "The granted lifetime is no longer than asked", "10.3.1-e", "9.5.2-a")
def lifetime(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1, §9.5.2."""
    for acknowledgement in session.all_acknowledgements:
        update = acknowledgement.update
        if update is not None and acknowledgement.accepts:
            wrong = f"{acknowledgement.lifetime} s for {update.lifetime} s"
            findings.judge(acknowledgement.frame, acknowledgement.lifetime <= update.lifetime, wrong)


@rule("ba-status", "The status is one that RFC 6275 defines", "6.1.8-a")
def status(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.8."""
    known = {int(value) for value in Status}
    for acknowledgement in session.all_acknowledgements:
        findings.judge(acknowledgement.frame, acknowledgement.status in known, f"status {acknowledgement.status}")


@rule(
    "ba-routing",
    "An acknowledgement goes to the source, by a type 2 routing header if a home address was told",
    "9.5.4-a",
    "6.4-a",
)
def routing(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.4."""
    for acknowledgement in session.all_acknowledgements:
        update, frame = acknowledgement.update, acknowledgement.frame
        if update is None:
            continue
        away = update.frame.home_address is not None and update.frame.source != update.home_address
        routed = update.home_address if away else None
        if frame.destination != update.frame.source or frame.routed_home_address != routed:
            findings.judge(frame, False, f"to {frame.destination}, routing header for {frame.routed_home_address}")
        else:
            form = frame.routing_header_form
            findings.judge(frame, form in (None, TYPE_2_FORM), f"length and segments left of the routing header {form}")


@rule("dad-before-ba", "Duplicate Address Detection precedes the first acknowledgement", "10.3.1-d")
def dad_first(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1."""
    for period in session.periods:
        home = session.home_links(period.home_address)
        if not period.first or not home:
            continue
        tests = [
            frame
            for frame in session.solicitations
            if frame.link in home
            and frame.source.is_unspecified
            and target(frame) == period.home_address
            and frame.source_mac not in session.mobile_macs
            and period.begin - ANSWERED_WITHIN < frame.time <= period.begin - RETRANS_TIMER * SLACK
        ]
        if tests or session.begins_binding(period):
            findings.judge(period.acknowledgement.frame, bool(tests), "no solicitation a RetransTimer before it")
