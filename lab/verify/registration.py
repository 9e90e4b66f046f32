"""Rules about home registrations, RFC 6275 §9.5, §10.3, §11.7 and §11.8."""

from lab.constants import INITIAL_BINDACK_TIMEOUT, MAX_UPDATE_RATE, Status
from lab.verify.rules import Findings, rule
from lab.verify.session import ACKNOWLEDGE, Session, target

ANSWERED_WITHIN = 3.0
"""Seconds: Duplicate Address Detection takes one of them."""
SLACK = 0.9
"""Timers of a real machine may be early by clock rounding."""
DAD_WAIT = 1.0


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
    """RFC 6275 §6.3."""
    for update in session.updates:
        if update.alternate is not None and update.alternate != update.home_address:
            frame = update.frame
            aligned = frame.home_address is not None and (frame.home_address_option_at - 40) % 8 == 6
            findings.judge(frame, aligned, "no Home Address option at 8n+6")


@rule("bu-alternate", "The Alternate Care-of Address is the source of the Binding Update", "5.1-d", "6.2.5-a")
def alternate(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.7.1."""
    for update in session.updates:
        if not update.ends:
            findings.judge(update.frame, update.alternate == update.frame.source, f"alternate {update.alternate}")


@rule("bu-sequence", "Every Binding Update has a newer sequence number", "11.8-a", "9.5.1-b")
def sequence(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.1: modulo 2**16."""
    last: dict[object, int] = {}
    for update in session.updates:
        before = last.get(update.home_address)
        if before is not None:
            newer = 0 < (update.sequence - before) % 0x10000 < 0x8000
            findings.judge(update.frame, newer, f"{update.sequence} after {before}")
        last[update.home_address] = update.sequence


@rule("bu-rate", "No more than MAX_UPDATE_RATE Binding Updates in a second", "11.8-b")
def rate(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    for position, update in enumerate(session.updates):
        earlier = [
            other
            for other in session.updates[:position]
            if other.home_address == update.home_address and update.frame.time - other.frame.time < SLACK
        ]
        findings.judge(update.frame, len(earlier) < MAX_UPDATE_RATE, f"{len(earlier) + 1} within a second")


@rule("bu-retransmission", "An unanswered Binding Update is not repeated before its time-out", "11.8-a")
def retransmission(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.8."""
    for before, update in zip(session.updates, session.updates[1:], strict=False):
        answered = any(
            before.frame.time <= a.frame.time <= update.frame.time
            for a in session.acknowledgements
            if a.update is before
        )
        if before.care_of_address == update.care_of_address and not answered:
            waited = update.frame.time - before.frame.time
            findings.judge(update.frame, waited >= INITIAL_BINDACK_TIMEOUT * SLACK, f"after {waited:.3f} s")


@rule("ba-answers", "Every home registration is acknowledged", "10.3.1-i", "10.3.2-d")
def answers(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1; one that a later one overtook, or that came as the capture ended, may go without."""
    for update in session.updates:
        overtaken = any(
            other.home_address == update.home_address
            and update.frame.time < other.frame.time < update.frame.time + ANSWERED_WITHIN
            for other in session.updates
        )
        late = session.last_time - update.frame.time < ANSWERED_WITHIN
        answered = [a for a in session.acknowledgements if a.update is update]
        if answered:
            findings.judge(answered[0].frame, True, "")
        elif not overtaken and not late:
            findings.judge(update.frame, False, "not acknowledged")


@rule("ba-sequence", "An acknowledgement carries the sequence number of a Binding Update", "6.1.8-a", "11.7.3-a")
def acknowledged_sequence(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.8; status 135 tells the home agent's own."""
    for acknowledgement in session.acknowledgements:
        if acknowledgement.status != Status.SEQUENCE_NUMBER_OUT_OF_WINDOW:
            known = acknowledgement.update is not None
            findings.judge(acknowledgement.frame, known, f"#{acknowledgement.sequence} was not asked")


@rule("ba-lifetime", "The granted lifetime is no longer than asked", "10.3.1-e")
def lifetime(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1."""
    for acknowledgement in session.acknowledgements:
        update = acknowledgement.update
        if update is not None and acknowledgement.accepts:
            wrong = f"{acknowledgement.lifetime} s for {update.lifetime} s"
            findings.judge(acknowledgement.frame, acknowledgement.lifetime <= update.lifetime, wrong)


@rule("ba-status", "The status is one that RFC 6275 defines", "6.1.8-a")
def status(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.1.8."""
    known = {int(value) for value in Status}
    for acknowledgement in session.acknowledgements:
        findings.judge(acknowledgement.frame, acknowledgement.status in known, f"status {acknowledgement.status}")


@rule(
    "ba-routing",
    "An acknowledgement goes to the source, by a type 2 routing header if a home address was told",
    "9.5.4-a",
    "6.4-a",
)
def routing(session: Session, findings: Findings) -> None:
    """RFC 6275 §9.5.4."""
    for acknowledgement in session.acknowledgements:
        update, frame = acknowledgement.update, acknowledgement.frame
        if update is None:
            continue
        away = update.frame.home_address is not None and update.frame.source != update.home_address
        routed = update.home_address if away else None
        right = frame.destination == update.frame.source and frame.routed_home_address == routed
        findings.judge(frame, right, f"to {frame.destination}, routing header for {frame.routed_home_address}")


@rule("dad-before-ba", "Duplicate Address Detection precedes the first acknowledgement", "10.3.1-d", "10.3.1-g")
def dad_first(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1."""
    for period in session.periods:
        update = period.acknowledgement.update
        if not period.first or update is None or not session.home_links:
            continue
        tests = [
            frame
            for frame in session.solicitations
            if frame.link in session.home_links
            and frame.source.is_unspecified
            and target(frame) == period.home_address
            and frame.source_mac not in session.mobile_macs
            and period.begin - ANSWERED_WITHIN < frame.time <= period.begin - DAD_WAIT * SLACK
        ]
        findings.judge(period.acknowledgement.frame, bool(tests), "no solicitation a RetransTimer before it")
