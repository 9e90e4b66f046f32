"""Rules about mobile prefix discovery, RFC 6275 §6.7, §6.8, §10.3.1, §10.6, §11.4.2 and §11.4.3."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise
from typing import Any

from scapy.layers.inet6 import ICMPv6MPAdv, ICMPv6MPSol, ICMPv6NDOptPrefixInfo

from lab.constants import INITIAL_SOLICIT_TIMER, LIFETIME_UNIT, PREFIX_ADV_RETRIES, PREFIX_ADV_TIMEOUT, Status
from lab.verify.binding import JUST, Acknowledgement
from lab.verify.discovery import SLACK, messages
from lab.verify.frame import Frame
from lab.verify.registration import TYPE_2_FORM
from lab.verify.rules import Findings, rule
from lab.verify.session import LONGEST_PREFIX, Session, prefix_options

ACCEPTED, PREFIX_DISCOVERY_NECESSARY = Status.ACCEPTED, Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY
INTERVAL = 1.0
"""Seconds between advertisements to a mobile node, §6.8."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What was said of a prefix, and when."""

    time: float
    valid_until: float
    preferred_until: float

    def agrees_with(self, other: "Said") -> bool:
        """Tell whether both mean the same ends, as far as lifetimes of bindings can tell."""
        ends = (self.valid_until - other.valid_until, self.preferred_until - other.preferred_until)
        return all(abs(difference) < LIFETIME_UNIT for difference in ends)


@rule(
    "prefix-solicitation",
    "Prefixes are asked for from a care-of address with a Home Address option, the reserved field zero",
    "11.4.2-a",
    "6.5-a",
    "6.3-a",
)
def solicitation(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.7, §11.4.2."""
    for frame, message in messages(session, ICMPv6MPSol):
        if frame.home_address is None or frame.home_address == frame.source:
            findings.judge(frame, False, f"from {frame.source}, Home Address option of {frame.home_address}")
        elif session.home_agents and frame.destination not in session.home_agents:
            findings.judge(frame, False, f"to {frame.destination}, which is no home agent")
        else:
            findings.judge(frame, message.res == 0, f"reserved {message.res:#x}")


@rule(
    "prefix-advertisement",
    "Prefixes are told at the care-of address in force, by a type 2 routing header, the reserved field zero",
    "10.6.3-a",
    "6.5-a",
)
def advertisement(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.8, §10.6.3."""
    for frame, message in messages(session, ICMPv6MPAdv):
        home_address, known = frame.routed_home_address, [p.home_address for p in session.periods]
        right = home_address not in known or any(
            (period.home_address, period.care_of_address) == (home_address, frame.destination)
            and period.may_hold(frame.time)
            for period in session.periods
        )
        if frame.routing_header_form != TYPE_2_FORM:
            findings.judge(frame, False, "no type 2 routing header")
        elif not right:
            findings.judge(frame, False, f"{frame.destination} is not the care-of address of {home_address}")
        else:
            findings.judge(frame, message.res == 0, f"reserved {message.res:#x}")


@rule("prefix-identifier", "What answers a solicitation has its identifier", "10.6.3-a", "6.5-a")
def identifier(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.8: of what comes while an answer is awaited nothing else can be said than that it is the answer."""
    for asked, told in _conversations(session):
        answers = [(frame, message) for frame, message in told if frame.time < asked[0].time + INITIAL_SOLICIT_TIMER]
        if answers:
            right = any(message.id == asked[1].id for _, message in answers)
            findings.judge(answers[0][0], right, f"identifier {answers[0][1].id} for {asked[1].id}")


@rule(
    "prefix-solicitation-repeated",
    "An unanswered solicitation is repeated after INITIAL_SOLICIT_TIMER at the soonest, then after twice the time",
    "11.4.2-a",
)
def solicitation_is_repeated(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.4.2."""
    timeouts: dict[IPv6Address | None, float] = {}
    for (asked, told), (again, _) in _successive(session):
        home_address = asked[0].home_address
        timeout = timeouts.get(home_address, INITIAL_SOLICIT_TIMER)
        answered = any(message.id == asked[1].id for _, message in told)
        if answered:
            timeouts.pop(home_address, None)
            continue
        waited = again[0].time - asked[0].time
        findings.judge(again[0], waited >= timeout * SLACK, f"after {waited:.3f} s, time-out {timeout:g} s")
        timeouts[home_address] = 2 * timeout


@rule(
    "prefix-advertisement-repeated",
    "Advertisements that nobody answers are repeated after their time-out, which doubles, PREFIX_ADV_RETRIES times",
    "10.6.3-a",
)
def advertisement_is_repeated(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.6.3, and §6.8: to no mobile node are there more than one in a second."""
    signs = [(f.time, f.home_address) for f, _ in messages(session, ICMPv6MPSol)]
    signs += [(update.frame.time, update.home_address) for update in session.updates]
    for home_address, told in _advertisements(session).items():
        timeout, repetitions = PREFIX_ADV_TIMEOUT, 0
        for (before, _), (frame, _) in pairwise(told):
            waited = frame.time - before.time
            if any(before.time <= time <= frame.time and who == home_address for time, who in signs):
                timeout, repetitions = PREFIX_ADV_TIMEOUT, 0
                findings.judge(frame, waited >= INTERVAL * SLACK, f"{waited:.3f} s after the one before")
                continue
            repetitions += 1
            if repetitions > PREFIX_ADV_RETRIES and waited < 2 * timeout:
                findings.judge(frame, False, f"repetition {repetitions}")
            else:
                findings.judge(frame, waited >= timeout * SLACK, f"after {waited:.3f} s, time-out {timeout:g} s")
            timeout *= 2


@rule(
    "binding-within-prefix",
    "No binding is granted, nor asked by whoever was told, beyond the end of the home address's prefix",
    "10.6.4-a",
    "10.3.1-e",
    "11.4.3-a",
)
def binding_within_prefix(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.6.4, §11.4.2; to ask for less than a unit is to end the binding."""
    for acknowledgement, said in _grants(session):
        frame, lifetime = acknowledgement.frame, acknowledgement.lifetime
        left = said.valid_until - frame.time
        findings.judge(frame, lifetime <= left + JUST, f"{lifetime} s granted of {left:.1f} s")
    for update in session.updates:
        frame = update.frame
        told = _learned(session, update.home_address, frame.time)
        if told is not None and not update.ends:
            left = told.valid_until - frame.time
            right = update.lifetime <= max(left + JUST, LIFETIME_UNIT)
            findings.judge(frame, right, f"{update.lifetime} s asked of {left:.1f} s")


@rule(
    "ba-prefix-status",
    "Status 1 says that the prefix is deprecated before the end of the binding, or ends with it, and nothing else",
    "10.3.1-e",
    "6.1.8-a",
)
def status_tells_of_prefix(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.1; within a unit, in which the lifetimes are compared, nothing is judged."""
    for acknowledgement, said in _grants(session):
        frame, known = acknowledgement.frame, acknowledgement.status in (ACCEPTED, PREFIX_DISCOVERY_NECESSARY)
        lasts = min(said.preferred_until, said.valid_until) - frame.time - acknowledgement.lifetime
        if known and abs(lasts) > LIFETIME_UNIT:
            right = ACCEPTED if lasts > 0 else PREFIX_DISCOVERY_NECESSARY
            findings.judge(frame, acknowledgement.status == right, f"status {acknowledgement.status}, not {right}")


Message = tuple[Frame, Any]


def _advertisements(session: Session) -> dict[IPv6Address | None, list[Message]]:
    """Sort advertisements by home address."""
    told: dict[IPv6Address | None, list[Message]] = {}
    for frame, message in messages(session, ICMPv6MPAdv):
        told.setdefault(frame.routed_home_address, []).append((frame, message))
    return told


def _conversations(session: Session) -> Iterator[tuple[Message, list[Message]]]:
    """Give each solicitation with the advertisements up to the next one of the same mobile node."""
    told = _advertisements(session)
    asked = [*messages(session, ICMPv6MPSol)]
    for position, (frame, message) in enumerate(asked):
        later = (other.time for other, _ in asked[position + 1 :] if other.home_address == frame.home_address)
        end = next(later, float("inf"))
        answers = [it for it in told.get(frame.home_address, []) if frame.time <= it[0].time < end]
        yield (frame, message), answers


def _successive(
    session: Session,
) -> Iterator[tuple[tuple[Message, list[Message]], tuple[Message, list[Message]]]]:
    """Give each two solicitations of a mobile node that follow one another, with what came after each."""
    conversations = [*_conversations(session)]
    for home_address in {asked.home_address for (asked, _), _ in conversations}:
        yield from pairwise(it for it in conversations if it[0][0].home_address == home_address)


def _grants(session: Session) -> Iterator[tuple[Acknowledgement, Said]]:
    """Give the acknowledgements of bindings, each with what the home link then said of the prefix."""
    said = {home_address: _said_of(session, home_address) for home_address in session.home_addresses}
    for acknowledgement in session.acknowledgements:
        update, time = acknowledgement.update, acknowledgement.frame.time
        if update is None or not acknowledgement.accepts or not acknowledgement.lifetime:
            continue
        before = [it for it in said[update.home_address] if it.time <= time]
        recent = [it for it in before if it.time > time - JUST]
        lasting = [*before[-len(recent) - 1 :]]  # those, and the last one before them
        if lasting and all(it.agrees_with(lasting[-1]) for it in lasting):  # else it is just changing
            yield acknowledgement, lasting[-1]


def _said_of(session: Session, home_address: IPv6Address) -> list[Said]:
    """Give what home agents advertise of the prefix of a home address."""
    found = [_said(prefix_options(f), home_address, f.time) for f in session.advertisements if f.message.H]
    return [said for said in found if said is not None]


def _learned(session: Session, home_address: IPv6Address, time: float) -> Said | None:
    """Give what a mobile node was told last; None if it has been at home since, and heard more there."""
    answers = [
        (frame, message)
        for (asked, told) in _conversations(session)
        if asked[0].home_address == home_address
        for frame, message in told
        if message.id == asked[1].id and frame.time < time - JUST
    ]
    if not answers:
        return None
    frame, message = answers[-1]
    at_home = [p.begin for p in session.periods if p.home_address == home_address and p.care_of_address is None]
    if any(frame.time < begin <= time for begin in at_home):
        return None
    return _said([*message.payload.iterpayloads()], home_address, frame.time)


def _said(options: list[Any], home_address: IPv6Address, time: float) -> Said | None:
    for option in options:
        if not isinstance(option, ICMPv6NDOptPrefixInfo) or option.prefixlen > LONGEST_PREFIX:
            continue
        if home_address in IPv6Network((option.prefix, option.prefixlen), strict=False):
            valid_until, preferred_until = time + option.validlifetime, time + option.preferredlifetime
            return Said(time=time, valid_until=valid_until, preferred_until=preferred_until)
    return None
