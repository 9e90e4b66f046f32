"""Rules about multicast in tunnels, RFC 6275 §10.4.2 and §10.4.3."""

from collections.abc import Iterator
from ipaddress import IPv6Address
from typing import Any

from scapy.layers import inet6

from lab.verify.binding import Period
from lab.verify.frame import ICMPV6, LISTENER_DISCOVERY, LISTENER_REPORT, LISTENER_REPORT_2, Frame
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

LINK_SCOPE = 2


@rule("group-scope", "Of multicast that stays on its link, a home agent tunnels MLD and nothing else", "10.4.2-d")
def group_scope(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.2."""
    for frame, inner in _tunnelled_groups(session):
        stays = _scope(inner.destination) <= LINK_SCOPE
        findings.judge(frame, not stays or _is_listener_discovery(inner), f"to {inner.destination}")


@rule(
    "group-reported",
    "Multicast is tunnelled to a mobile node only when that has reported in its tunnel that it listens",
    "10.4.2-d",
    "10.4.3-a",
)
def group_reported(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.2, §10.4.3; what is told before the captures begin nobody can know."""
    reports = [*_reports(session)]
    for frame, inner in _tunnelled_groups(session):
        if _scope(inner.destination) <= LINK_SCOPE:
            continue
        homes = _homes(session, frame.destination)
        if not any(_began(session, period, frame) for period in session.periods if period.home_address in homes):
            continue
        reported = any(
            inner.destination == group and time <= frame.time and homes & _homes(session, care_of)
            for time, care_of, group in reports
        )
        findings.judge(frame, reported, f"{inner.destination} was not reported")


def _tunnelled_groups(session: Session) -> Iterator[tuple[Frame, Frame]]:
    """Give the packets of home agents in which multicast is tunnelled, and what is in them."""
    for frame in session.packets:
        inner = frame.inner
        if inner is not None and frame.source in session.home_agents and inner.destination.is_multicast:
            yield frame, inner


def _homes(session: Session, care_of: IPv6Address) -> set[IPv6Address]:
    """Give the home addresses that were ever to be registered with a care-of address."""
    return {update.home_address for update in session.updates if update.care_of_address == care_of}


def _began(session: Session, period: Period, frame: Frame) -> bool:
    """Tell whether a period is for sure the first, before a frame: without the home link, nobody knows."""
    known = session.begins_binding(period) and bool(session.home_links(period.home_address))
    return known and period.begin <= frame.time


def _reports(session: Session) -> Iterator[tuple[float, IPv6Address, IPv6Address]]:
    """Give when, from which care-of address and of which group mobile nodes reported in their tunnels."""
    for frame in session.packets:
        inner = frame.inner
        if inner is None or frame.destination not in session.home_agents or not _is_listener_discovery(inner):
            continue
        for group in _groups(inner):
            yield frame.time, frame.source, group


def _groups(report: Frame) -> Iterator[IPv6Address]:
    """Give the groups of a report; Scapy makes each record the payload of the one before."""
    if report.message_type == LISTENER_REPORT:
        yield IPv6Address(inet6.ICMPv6MLReport(report.payload).mladdr)
    elif report.message_type == LISTENER_REPORT_2:
        records: list[Any] = inet6.ICMPv6MLReport2(report.payload).records
        for record in [each for first in records[:1] for each in first.iterpayloads()]:
            if isinstance(record, inet6.ICMPv6MLDMultAddrRec):
                yield IPv6Address(record.dst)


def _is_listener_discovery(frame: Frame) -> bool:
    return frame.upper == ICMPV6 and frame.message_type in LISTENER_DISCOVERY and frame.whole


def _scope(group: IPv6Address) -> int:
    return group.packed[1] & 0xF
