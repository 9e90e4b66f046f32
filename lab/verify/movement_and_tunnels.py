"""Rules about movement and bi-directional tunnelling, RFC 6275 §10.4, §11.3 and §11.5."""

from ipaddress import IPv6Address, IPv6Network

from scapy.layers.inet6 import ICMPv6NDOptPrefixInfo

from lab.verify.rules import Findings, rule
from lab.verify.session import Session
from lab.verify.trace import MOBILITY


@rule("movement-first", "A care-of address has a prefix that was advertised on its link", "11.5.1-a", "11.5.3-a")
def movement_first(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.3."""
    for update in session.updates:
        if update.ends or update.frame.link in session.home_links:
            continue
        prefixes = [
            IPv6Network((frame.packet[ICMPv6NDOptPrefixInfo].prefix, 64), strict=False)
            for frame in session.advertisements
            if frame.link == update.frame.link
            and frame.time < update.frame.time
            and ICMPv6NDOptPrefixInfo in frame.packet
        ]
        known = any(update.care_of_address in prefix for prefix in prefixes)
        findings.judge(update.frame, known, f"{update.care_of_address} has no advertised prefix")


@rule("tunnel-current", "Packets for the home address are tunnelled to the care-of address in force", "10.4.2-a")
def tunnel_current(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.2; what is being registered may be served a moment before its acknowledgement is seen."""
    for frame in session.packets:
        inner = frame.inner
        if inner is None or frame.source not in session.home_agents:
            continue
        own = [p for p in session.periods if p.home_address == inner.destination]
        if not own:
            continue
        allowed: set[IPv6Address | None] = {p.care_of_address for p in own if p.begin <= frame.time < p.end}
        allowed |= {
            p.acknowledgement.update.care_of_address
            for p in own
            if p.acknowledgement.update and p.acknowledgement.update.frame.time <= frame.time < p.begin
        }
        findings.judge(frame, frame.destination in allowed, f"tunnelled to {frame.destination}")


@rule(
    "tunnel-reverse",
    "The reverse tunnel starts at the care-of address that is being registered",
    "10.4.5-a",
    "11.3.1-a",
)
def tunnel_reverse(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1."""
    homes = {update.home_address for update in session.updates}
    for frame in session.packets:
        inner = frame.inner
        if inner is None or inner.source not in homes or frame.destination not in session.home_agents:
            continue
        asked = [u.care_of_address for u in session.updates if u.home_address == inner.source]
        findings.judge(frame, frame.source in asked, f"tunnelled from {frame.source}")


@rule("no-bare-home-source", "On a foreign link nothing leaves from the home address outside the tunnel", "11.3.1-a")
def no_bare_home_source(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1."""
    homes = {update.home_address for update in session.updates}
    for frame in session.packets:
        if frame.link in session.foreign_links and frame.source_mac in session.mobile_macs:
            findings.judge(frame, frame.source not in homes, f"source {frame.source}")


@rule(
    "nothing-intercepted-escapes",
    "While registered, nothing for the home address reaches the home link",
    "10.4.2-a",
    "10.4.1-a",
)
def nothing_escapes(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1."""
    for period in session.periods:
        if period.care_of_address is None:
            continue
        escaped = [
            frame
            for frame in session.frames
            if frame.link in session.home_links
            and period.begin < frame.time < period.end
            and frame.destination == period.home_address
            and frame.upper != MOBILITY
            and frame.source_mac not in session.mobile_macs
            and not _deregistering(session, frame.time, period.home_address)
        ]
        for frame in escaped:
            findings.judge(frame, False, "forwarded onto the home link")
        if not escaped and session.home_links:
            findings.judge(period.acknowledgement.frame, True, "")


def _deregistering(session: Session, time: float, home_address: IPv6Address) -> bool:
    """Tell whether a deregistration was under way: its effect may be seen before its acknowledgement."""
    return any(
        a.update is not None
        and a.update.ends
        and a.update.home_address == home_address
        and a.update.frame.time <= time <= a.frame.time
        for a in session.acknowledgements
    )
