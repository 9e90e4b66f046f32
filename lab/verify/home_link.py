"""Rules about the home link: proxy Neighbor Discovery and returning home, RFC 6275 §7, §10.4.1 and §11.5.5."""

from ipaddress import IPv6Address

from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo

from lab.verify.rules import Findings, rule
from lab.verify.session import Period, Session, target
from lab.verify.trace import ICMPV6, MOBILITY, Frame

ALL_NODES = IPv6Address("ff02::1")
ANNOUNCED_WITHIN = 1.0
REPEATED_WITHIN = 3.5
JUST = 0.1
"""Seconds before an acknowledgement in which its preparations may be seen already."""


def _announcements(session: Session, period: Period, until: float, *, by_mobile: bool) -> list[Frame]:
    return [
        frame
        for frame in session.neighbor_advertisements
        if period.begin - JUST <= frame.time <= until
        and target(frame) == period.home_address
        and frame.destination == ALL_NODES
        and (frame.source_mac in session.mobile_macs) == by_mobile
    ]


@rule("proxy-announced", "The home agent announces the home address: O set, R and S clear", "10.3.1-h", "10.4.1-a")
def proxy_announced(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1."""
    for period in session.periods:
        if not period.first or not session.home_links:
            continue
        seen = _announcements(session, period, period.begin + ANNOUNCED_WITHIN, by_mobile=False)
        if not seen:
            findings.judge(period.acknowledgement.frame, False, "no announcement follows")
        for frame in seen:
            message = frame.packet[ICMPv6ND_NA]
            findings.judge(frame, bool(message.O and not message.R and not message.S), "wrong flags")


@rule("proxy-repeated", "The home agent repeats its announcement", "10.3.1-h")
def proxy_repeated(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1, RFC 4861 §7.2.6."""
    for period in session.periods:
        home_again = [p.begin for p in session.periods if p.care_of_address is None and p.begin > period.begin]
        end = min([*home_again, session.last_time])
        if period.first and session.home_links and end - period.begin >= REPEATED_WITHIN:
            seen = _announcements(session, period, period.begin + REPEATED_WITHIN, by_mobile=False)
            findings.judge(period.acknowledgement.frame, len(seen) > 1, f"{len(seen)} announcements")


@rule("proxy-ends", "After deregistration the home agent is silent about the home address", "10.3.2-b")
def proxy_ends(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.2."""
    for period in session.periods:
        if period.care_of_address is not None:
            continue
        still = [
            frame
            for frame in session.neighbor_advertisements
            if period.begin < frame.time < period.end
            and target(frame) == period.home_address
            and frame.source_mac not in session.mobile_macs
        ]
        for frame in still:
            findings.judge(frame, False, "answers for an address that it no longer serves")
        if not still:
            findings.judge(period.acknowledgement.frame, True, "")


@rule("home-deregistration", "The binding is ended from the home address itself", "11.5.5-a", "6.1.7-a")
def deregistration(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for update in session.updates:
        if update.frame.link in session.home_links:
            right = update.lifetime == 0 and update.frame.source == update.home_address
            findings.judge(update.frame, right, f"lifetime {update.lifetime} from {update.frame.source}")


@rule("home-announced", "Home again, the mobile node announces its home address: O set, S clear", "11.5.5-a")
def home_announced(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for period in session.periods:
        if period.care_of_address is not None or session.last_time - period.begin < ANNOUNCED_WITHIN:
            continue
        seen = _announcements(session, period, period.begin + ANNOUNCED_WITHIN, by_mobile=True)
        if not seen:
            findings.judge(period.acknowledgement.frame, False, "no announcement follows")
        for frame in seen:
            message = frame.packet[ICMPv6ND_NA]
            findings.judge(frame, bool(message.O and not message.S), "wrong flags")


@rule("home-no-dad", "The mobile node does not test a home address that its home agent defends", "11.5.5-a")
def no_dad(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for period in session.periods:
        if period.care_of_address is None:
            continue
        tests = [
            frame
            for frame in session.solicitations
            if period.begin < frame.time < period.end
            and frame.source_mac in session.mobile_macs
            and frame.source.is_unspecified
            and target(frame) == period.home_address
        ]
        for frame in tests:
            findings.judge(frame, False, "Duplicate Address Detection while bound")
        if not tests:
            findings.judge(period.acknowledgement.frame, True, "")


@rule("home-waits", "Between deregistration and its acknowledgement the home address is not used", "11.5.5-a")
def waits(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5: only Binding Updates and answers to the home agent's solicitations leave from it."""
    for acknowledgement in session.acknowledgements:
        update = acknowledgement.update
        if update is None or not update.ends or update.frame.link not in session.home_links:
            continue
        used = [
            frame
            for frame in session.frames
            if frame.link == update.frame.link
            and update.frame.time < frame.time < acknowledgement.frame.time
            and frame.source_mac == update.frame.source_mac
            and frame.source == update.home_address
            and frame.upper not in (MOBILITY, ICMPV6)
        ]
        for frame in used:
            findings.judge(frame, False, "sent from the home address too early")
        if not used:
            findings.judge(update.frame, True, "")


@rule("ra-home-agent", "A home agent advertises its global address with the R bit", "7.1-a", "7.2-a")
def home_agent_advertisement(session: Session, findings: Findings) -> None:
    """RFC 6275 §7.1, §7.2."""
    for frame in session.advertisements:
        if not frame.packet[ICMPv6ND_RA].H:
            continue
        option = frame.packet.getlayer(ICMPv6NDOptPrefixInfo)
        whole = option is not None and bool(option.R) and int(IPv6Address(option.prefix)) & ((1 << 64) - 1) != 0
        findings.judge(frame, whole, "no prefix with the R bit and a full address")


@rule("nd-hop-limit", "Neighbor Discovery has hop limit 255", "7.1-a", "11.5.1-a")
def hop_limit(session: Session, findings: Findings) -> None:
    """RFC 4861 §6.1, §7.1."""
    for frame in (*session.advertisements, *session.solicitations, *session.neighbor_advertisements):
        findings.judge(frame, frame.octets[7] == 255, f"hop limit {frame.octets[7]}")
