"""Rules about the home link: proxy Neighbor Discovery and returning home, RFC 6275 §7, §10.4.1 and §11.5.5."""

from ipaddress import IPv6Address

from scapy.layers.inet6 import ICMPv6NDOptDstLLAddr

from lab.verify.binding import JUST, Period, Update
from lab.verify.frame import ICMPV6, MOBILITY, NEIGHBOR_ADVERTISEMENT, Frame
from lab.verify.rules import Findings, rule
from lab.verify.session import Session, options, prefix_options, target

ALL_NODES = IPv6Address("ff02::1")
ANNOUNCED_WITHIN = 1.0
REPEATED_WITHIN = 3.5
ANSWERED_WITHIN = 2.0
"""Seconds: a proxy may delay its answer, RFC 4861 §7.2.8."""
ND_HOP_LIMIT = 255


def _announcements(session: Session, period: Period, within: float, *, by_mobile: bool) -> list[Frame]:
    return [
        frame
        for frame in session.neighbor_advertisements
        if frame.link in session.home_links(period.home_address)
        and period.begin - JUST <= frame.time <= period.begin + within
        and target(frame) == period.home_address
        and frame.destination == ALL_NODES
        and (frame.source_mac in session.mobile_macs) == by_mobile
    ]


def _fault(announcement: Frame, *, proxy: bool, solicited: bool = False) -> str:
    """Say what is wrong with a Neighbor Advertisement; nothing if it is right."""
    message = announcement.message
    # To whom asked, a proxy need not insist.
    if bool(message.S) != solicited or (not message.O and not solicited) or (proxy and message.R):
        return f"O {message.O}, R {message.R}, S {message.S}"
    told = [option.lladdr for option in options(announcement) if isinstance(option, ICMPv6NDOptDstLLAddr)]
    if not told or (announcement.source_mac and told != [announcement.source_mac.hex(":")]):
        return f"link-layer address {', '.join(told) or 'missing'}"
    return ""


@rule(
    "proxy-announced",
    "The home agent announces the home address: O set, R and S clear, its own link-layer address",
    "10.3.1-h",
)
def proxy_announced(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1."""
    for period in session.periods:
        if not period.first or not session.home_links(period.home_address):
            continue
        seen = _announcements(session, period, ANNOUNCED_WITHIN, by_mobile=False)
        missing = not seen and session.last_time - period.begin >= ANNOUNCED_WITHIN
        if missing and session.begins_binding(period):
            findings.judge(period.acknowledgement.frame, False, "no announcement follows")
        for frame in seen:
            wrong = _fault(frame, proxy=True)
            findings.judge(frame, not wrong, wrong)


@rule("proxy-repeated", "The home agent repeats its announcement", "10.3.1-h")
def proxy_repeated(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1, RFC 4861 §7.2.6."""
    for period in session.periods:
        home_again = [
            p.begin
            for p in session.periods
            if p.home_address == period.home_address and p.care_of_address is None and p.begin > period.begin
        ]
        end = min([*home_again, period.expires, session.last_time])
        if not period.first or not session.home_links(period.home_address) or end - period.begin < REPEATED_WITHIN:
            continue
        seen = _announcements(session, period, REPEATED_WITHIN, by_mobile=False)
        if len(seen) > 1 or session.begins_binding(period):
            findings.judge(period.acknowledgement.frame, len(seen) > 1, f"{len(seen)} announcements")


@rule(
    "proxy-answers",
    "The home agent answers Neighbor Solicitations for the home address: R clear, its own link-layer address",
    "10.4.1-a",
)
def proxy_answers(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1; Duplicate Address Detection by others is answered to all nodes."""
    for question in session.solicitations:
        address, until = target(question), question.time + ANSWERED_WITHIN
        if (
            not session.mobile_macs
            or question.link not in session.home_links(address)
            or question.source_mac in session.mobile_macs | session.home_agent_macs
            or not (session.bound(address, question.time) and session.bound(address, until))
            or until > session.last_time
        ):
            continue
        asker = ALL_NODES if question.source.is_unspecified else question.source
        answers = [
            frame
            for frame in session.neighbor_advertisements
            if frame.link == question.link
            and question.time <= frame.time <= until
            and target(frame) == address
            and frame.destination == asker
            and frame.source_mac not in session.mobile_macs
        ]
        if not answers:
            findings.judge(question, False, f"no answer to {asker}")
        for frame in answers:
            wrong = _fault(frame, proxy=True, solicited=asker != ALL_NODES)
            findings.judge(frame, not wrong, wrong)


@rule("proxy-ends", "After deregistration the home agent is silent about the home address", "10.3.2-b")
def proxy_ends(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.3.2."""
    for period in session.periods:
        if period.care_of_address is not None or not session.mobile_macs:
            continue
        # Announcements of the next binding come before its acknowledgement.
        registrations = (u.frame.time for u in session.updates if u.home_address == period.home_address and not u.ends)
        until = min((time for time in registrations if time > period.begin), default=period.end)
        still = [
            frame
            for frame in session.neighbor_advertisements
            if frame.link in session.home_links(period.home_address)
            and period.begin < frame.time < until
            and target(frame) == period.home_address
            and frame.source_mac not in session.mobile_macs
        ]
        for frame in still:
            findings.judge(frame, False, "answers for an address that it no longer serves")
        if not still and session.home_links(period.home_address):
            findings.judge(period.acknowledgement.frame, True, "")


@rule("home-deregistration", "The binding is ended from the home address itself", "11.5.5-a", "6.1.7-a")
def deregistration(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for update in session.updates:
        if update.frame.link in session.home_links(update.home_address):
            right = update.lifetime == 0 and update.frame.source == update.home_address
            findings.judge(update.frame, right, f"lifetime {update.lifetime} from {update.frame.source}")


@rule(
    "home-announced",
    "Home again, the mobile node announces its home address: O set, S clear, its own link-layer address",
    "11.5.5-a",
)
def home_announced(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for period in session.periods:
        update = period.acknowledgement.update
        home = session.home_links(period.home_address)
        returned = period.care_of_address is None and update is not None and update.frame.link in home
        if not returned or not session.mobile_macs:
            continue
        seen = _announcements(session, period, ANNOUNCED_WITHIN, by_mobile=True)
        if not seen and session.last_time - period.begin >= ANNOUNCED_WITHIN:
            findings.judge(period.acknowledgement.frame, False, "no announcement follows")
        for frame in seen:
            wrong = _fault(frame, proxy=False)
            findings.judge(frame, not wrong, wrong)


@rule("home-no-dad", "The mobile node does not test a home address that its home agent defends", "11.5.5-a")
def no_dad(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.5."""
    for period in session.periods:
        if period.care_of_address is None or not session.mobile_macs:
            continue
        tests = [
            frame
            for frame in session.solicitations
            if period.must_hold(frame.time)
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
        if update is None or not update.ends or update.frame.link not in session.home_links(update.home_address):
            continue
        begin = _first_attempt(session, update).frame.time
        used = [
            frame
            for frame in session.frames
            if frame.link == update.frame.link
            and begin < frame.time < acknowledgement.frame.time
            and frame.source_mac == update.frame.source_mac
            and frame.source == update.home_address
            and frame.upper != MOBILITY
            and (frame.upper, frame.message_type) != (ICMPV6, NEIGHBOR_ADVERTISEMENT)
        ]
        for frame in used:
            findings.judge(frame, False, "sent from the home address too early")
        if not used:
            findings.judge(update.frame, True, "")


def _first_attempt(session: Session, update: Update) -> Update:
    """Go back to where retransmissions of a deregistration began."""
    answered = [acknowledgement.update for acknowledgement in session.acknowledgements]
    for other in reversed(session.updates[: session.updates.index(update)]):
        if other.peers != update.peers:
            continue
        if not other.ends or other.frame.link != update.frame.link or other in answered:
            break
        update = other
    return update


@rule("ra-home-agent", "A home agent advertises its global address with the R bit", "7.1-a", "7.2-a")
def home_agent_advertisement(session: Session, findings: Findings) -> None:
    """RFC 6275 §7.1, §7.2."""
    for frame in session.advertisements:
        if frame.message.H:
            told = [IPv6Address(option.prefix) for option in prefix_options(frame) if option.R]
            whole = [address for address in told if int(address) & ((1 << 64) - 1) and not address.is_link_local]
            findings.judge(frame, bool(whole), "no prefix with the R bit and a full address")


@rule("nd-hop-limit", "Neighbor Discovery has hop limit 255", "10.4.1-a", "11.5.1-a")
def hop_limit(session: Session, findings: Findings) -> None:
    """RFC 4861 §6.1, §7.1, §8.1: what came from beyond the link neither tells of movement nor claims addresses."""
    for frame in session.neighbor_discovery:
        findings.judge(frame, frame.hop_limit == ND_HOP_LIMIT, f"hop limit {frame.hop_limit}")
