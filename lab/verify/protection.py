"""Rules about the ESP between mobile nodes and home agents, RFC 6275 §5.1, §5.4 and §5.5.

Only captures with a table of associations are judged: without keys, nobody can say what ought to be protected.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.verify.binding import Acknowledgement
from lab.verify.correspondence import HOME_TEST, HOME_TEST_INIT
from lab.verify.esp import Association
from lab.verify.frame import ICMPV6, MOBILITY, Frame
from lab.verify.registration import ANSWERED_WITHIN
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

PREFIX_SOLICITATION, PREFIX_ADVERTISEMENT = 146, 147
FIRST = 1
"""The sequence number that an association begins with, RFC 4303 §3.3.3."""
PLAIN = "not protected by ESP"


@rule(
    "esp-registration",
    "Binding Updates and Acknowledgements between mobile node and home agent are protected by ESP",
    "5.1-a",
)
def registration(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.1; what somebody else sends in the name of a mobile node is for the next rule."""
    if not session.associations:
        return
    updates = [update.frame for update in (*session.updates, *session.unprotected)]
    own = [frame for frame in updates if frame.protection is not None or not session.is_foreign(frame)]
    for frame in (*own, *(acknowledgement.frame for acknowledgement in session.acknowledgements)):
        findings.judge(frame, frame.protection is not None, PLAIN)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """What asks for a binding, and lacks its protection."""

    frame: Frame
    home_address: IPv6Address
    care_of_address: IPv6Address
    home_agent: IPv6Address


@rule("esp-accepted", "No Binding Update that lacks its protection is accepted, or takes effect", "5.1-a", "5.1-b")
def accepted(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.1: what is accepted came in the ESP of its home address, with the right ICV."""
    attempts = list(_attempts(session))
    effects = {id(attempt): _tunnelled(session, attempt) for attempt in attempts}
    first = {id(acknowledgement.update): acknowledgement for acknowledgement in reversed(session.acknowledgements)}
    for acknowledgement in session.acknowledgements if session.associations else ():
        if not acknowledgement.accepts:
            continue
        if acknowledgement.update is not None and first[id(acknowledgement.update)] is acknowledgement:
            findings.judge(acknowledgement.frame, True, "")
            continue
        for attempt in [attempt for attempt in attempts if _may_answer(acknowledgement, attempt)][-1:]:
            effects[id(attempt)].append(acknowledgement.frame)
    for attempt in attempts:
        for frame in effects[id(attempt)]:
            findings.judge(frame, False, f"follows what {attempt.frame.source} sent without protection")
        if not effects[id(attempt)]:
            findings.judge(attempt.frame, True, "")


def _attempts(session: Session) -> Iterator[_Attempt]:
    for update in session.unprotected:
        yield _Attempt(
            frame=update.frame,
            home_address=update.home_address,
            care_of_address=update.care_of_address,
            home_agent=update.peer,
        )
    known = {association.spi for association in session.associations}
    for frame in session.packets:
        if frame.closed_spi in known and frame.destination in session.home_agents:
            yield _Attempt(
                frame=frame,
                home_address=frame.sender,
                care_of_address=frame.source,
                home_agent=frame.destination,
            )


def _may_answer(acknowledgement: Acknowledgement, attempt: _Attempt) -> bool:
    frame = acknowledgement.frame
    to_attempt = frame.receiver == attempt.home_address or frame.destination == attempt.frame.source
    soon = attempt.frame.time <= frame.time < attempt.frame.time + ANSWERED_WITHIN
    return frame.source == attempt.home_agent and to_attempt and soon


def _tunnelled(session: Session, attempt: _Attempt) -> list[Frame]:
    """Give what a home agent tunnels to where only an attempt asked for it."""
    asked = [
        update.frame.time
        for update in session.updates
        if (update.home_address, update.care_of_address) == (attempt.home_address, attempt.care_of_address)
    ]
    return [
        frame
        for frame in session.packets
        if attempt.frame.time < frame.time < min(asked, default=float("inf"))
        and (frame.source, frame.destination) == (attempt.home_agent, attempt.care_of_address)
        and frame.inner is not None
        and frame.inner.destination == attempt.home_address
    ]


@rule("esp-home-address", "A security association protects packets of one home address only", "5.1-b")
def one_home_address(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.1."""
    owners: dict[Association, IPv6Address] = {}
    for frame, association, home_address in _protected(session):
        owner = owners.setdefault(association, home_address)
        findings.judge(frame, owner == home_address, f"{home_address} by the association of {owner}")


@rule(
    "esp-care-of-address",
    "A home address keeps its security associations when its care-of address changes",
    "5.1-c",
)
def every_care_of_address(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.1: policy is looked up by home address; keys of a table, which come by hand, do not change."""
    before: dict[object, tuple[IPv6Address, Association]] = {}
    for frame, association, home_address in _protected(session):
        outgoing = frame.destination in session.home_agents
        care_of_address, home_agent = (
            (frame.source, frame.destination) if outgoing else (frame.destination, frame.source)
        )
        message = frame.innermost
        what = (home_address, home_agent, outgoing, message.upper, message.message_type)
        there, used = before.get(what, (care_of_address, association))
        before[what] = (care_of_address, association)
        if care_of_address != there:
            wrong = f"SPI {association.spi:#x} at {care_of_address}, {used.spi:#x} at {there}"
            findings.judge(frame, association == used, wrong)


def _protected(session: Session) -> Iterator[tuple[Frame, Association, IPv6Address]]:
    """Give what is protected between mobile nodes and home agents, with association and home address.

    What is said of groups, or to them, names no home address: the tunnel alone tells whose it is (§10.4.3).
    """
    for frame in session.packets:
        if frame.protection is None:
            continue
        told = frame.inner or frame
        if frame.destination in session.home_agents:
            home_address = told.sender
        elif frame.source in session.home_agents:
            home_address = told.receiver
        else:
            continue
        if not (home_address.is_multicast or home_address.is_link_local):
            yield frame, frame.protection.association, home_address


@rule("esp-sequence", "The ESP sequence numbers of an association rise", "5.1-a")
def sequence(session: Session, findings: Findings) -> None:
    """RFC 4303 §3.3.3; a node that starts anew with keys that came by hand begins anew."""
    last: dict[Association, int] = {}
    sent: dict[bytes, bytes] = {}
    for frame in session.packets:
        if frame.protection is None or sent.setdefault(frame.same, frame.source_mac) != frame.source_mac:
            continue  # the second is a play-back by somebody else
        association, number = frame.protection.association, frame.protection.sequence
        if association in last:
            risen = number > last[association] or number == FIRST
            findings.judge(frame, risen, f"SPI {association.spi:#x}: {number} after {last[association]}")
        last[association] = number


@rule("esp-prefix", "Mobile Prefix Solicitations and Advertisements are protected by ESP", "5.4-a")
def prefix_discovery(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.4."""
    for frame in session.packets if session.associations else ():
        if frame.upper != ICMPV6:
            continue
        asked = frame.message_type == PREFIX_SOLICITATION and frame.destination in session.home_agents
        told = frame.message_type == PREFIX_ADVERTISEMENT and frame.source in session.home_agents
        if told or (asked and (frame.protection is not None or not session.is_foreign(frame))):
            findings.judge(frame, frame.protection is not None, PLAIN)


@rule(
    "esp-home-test",
    "Home Test Init and Home Test go through the tunnel in ESP where anything does",
    "5.5-c",
    "10.4.6-a",
)
def home_test(session: Session, findings: Findings) -> None:
    """RFC 6275 §5.5, §10.4.6."""
    guarded = {home_address for frame, _, home_address in _protected(session) if frame.inner is not None}
    for frame in session.packets:
        inner = frame.inner
        if inner is None or inner.upper != MOBILITY:
            continue
        asked = inner.message_type == HOME_TEST_INIT and frame.destination in session.home_agents
        told = inner.message_type == HOME_TEST and frame.source in session.home_agents
        if asked and frame.protection is None and session.is_foreign(frame):
            continue  # somebody else's forgery
        if (asked and inner.sender in guarded) or (told and inner.receiver in guarded):
            findings.judge(frame, frame.protection is not None, PLAIN)
