"""Rules about movement and bi-directional tunnelling, RFC 6275 §10.4, §11.3 and §11.5."""

from ipaddress import IPv6Address

from lab.constants import MINIMUM_MTU
from lab.verify.binding import JUST
from lab.verify.frame import HEADER_OCTETS, ICMPV6, PACKET_TOO_BIG, TUNNEL, Frame
from lab.verify.rules import Findings, rule
from lab.verify.session import Session, prefixes


@rule("movement-first", "A care-of address has a prefix that was advertised on its link", "11.5.1-a", "11.5.3-a")
def movement_first(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.5.3; a link whose routers are never heard was not captured where the mobile node was."""
    for update in session.updates:
        heard = [frame for frame in session.advertisements if frame.link == update.frame.link]
        if update.ends or not heard or update.frame.link in session.home_links(update.home_address):
            continue
        earlier = [prefix for frame in heard if frame.time < update.frame.time for prefix in prefixes(frame)]
        known = any(update.care_of_address in prefix for prefix in earlier)
        findings.judge(update.frame, known, f"{update.care_of_address} has no advertised prefix")


@rule("tunnel-current", "Packets for the home address are tunnelled to the care-of address in force", "10.4.2-a")
def tunnel_current(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.2; what is being registered may be served a moment before its acknowledgement is seen."""
    for frame in session.packets:
        inner = frame.inner
        if inner is None or frame.source not in session.home_agents:
            continue
        if any(period.home_address == inner.destination for period in session.periods):
            served = _served(session, inner.destination, frame.time)
            if frame.destination not in served and not session.came_up(frame, frame.destination):
                continue  # it was there, and registered or not, before the captures began
            findings.judge(frame, frame.destination in served, f"tunnelled to {frame.destination}")


@rule("tunnel-reverse", "The mobile node's tunnel starts at the care-of address that is being registered", "11.3.1-a")
def tunnel_reverse(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1."""
    asked = {home_address: _asked(session, home_address) for home_address in session.home_addresses}
    for frame in session.packets:
        inner = frame.inner
        if inner is None or inner.source not in session.home_addresses or frame.destination not in session.home_agents:
            continue
        if frame.source_mac not in session.mobile_macs:
            continue  # somebody else's forgery
        # The last one, and around a move also what was on its way.
        own = asked[inner.source]
        allowed = [address for time, address in own if time <= frame.time - JUST][-1:]
        allowed += [address for time, address in own if frame.time - JUST < time <= frame.time + JUST]
        if frame.source in allowed or session.came_up(frame, frame.source):
            findings.judge(frame, frame.source in allowed, f"tunnelled from {frame.source}")


def _asked(session: Session, home_address: IPv6Address) -> list[tuple[float, IPv6Address | None]]:
    """Give the care-of addresses that are being registered, each from when on.

    It is the last that the mobile node itself asked for, and with a refusal the one before is back.
    """
    refused = {id(a.update): a.frame.time for a in session.acknowledgements if a.update is not None and not a.accepts}
    own = [
        (update.frame.time, refused.get(id(update), float("inf")), update.care_of_address)
        for update in session.updates
        if update.home_address == home_address and not session.played_back(update)
    ]

    def last(now: float) -> IPv6Address | None:
        return next((address for begin, end, address in reversed(own) if begin <= now < end), None)

    return [(time, last(time)) for time in sorted({time for begin, end, _ in own for time in (begin, end)})]


@rule(
    "tunnel-checked",
    "What comes through the tunnel from any other than the care-of address in force goes no further",
    "10.4.5-a",
    "5.5-a",
)
def tunnel_checked(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.5."""
    for frame in session.packets:
        inner = frame.inner
        if inner is None or inner.source not in session.home_addresses or frame.destination not in session.home_agents:
            continue
        if frame.source not in _served(session, inner.source, frame.time) and session.came_up(frame, frame.source):
            onward = [
                other
                for other in session.packets
                if other.same == inner.same and frame.time <= other.time < frame.time + JUST
            ]
            for other in onward:
                findings.judge(other, False, f"came from {frame.source}")
            if not onward:
                findings.judge(frame, True, "")


@rule(
    "too-big-relayed",
    "A home agent that hears that a tunnel packet is too big tells whoever sent what is in it",
    "10.4.2-c",
)
def too_big_relayed(session: Session, findings: Findings) -> None:
    """RFC 2473 §7.1: of what every link carries its sender cannot be told; the tunnel packet is fragmented instead."""
    errors = [frame for frame in session.packets if frame.upper == ICMPV6 and frame.message_type == PACKET_TOO_BIG]
    own = session.home_agents | session.home_addresses  # what they are told is not seen, or in a tunnel
    for frame in errors:
        inner = _in_tunnel_packet(frame)
        if frame.destination not in session.home_agents or inner is None or IPv6Address(inner[8:24]) in own:
            continue
        if frame.time > session.last_time - JUST or HEADER_OCTETS + int.from_bytes(inner[4:6], "big") <= MINIMUM_MTU:
            continue
        fits = max(_mtu(frame) - HEADER_OCTETS, MINIMUM_MTU)
        told = [
            _mtu(other)
            for other in errors
            if other.destination.packed == inner[8:24]
            and other.payload[_INVOKING][8:HEADER_OCTETS] == inner[8:HEADER_OCTETS]
            and frame.time <= other.time <= frame.time + JUST
        ]
        findings.judge(frame, fits in told, f"its sender should be told of {fits} octets, not {told or 'nothing'}")


_MTU, _INVOKING = slice(4, 8), slice(8, None)


def _mtu(error: Frame) -> int:
    return int.from_bytes(error.payload[_MTU], "big")


def _in_tunnel_packet(error: Frame) -> bytes | None:
    """Give what is in the tunnel packet that an error is about."""
    invoking = error.payload[_INVOKING]
    return invoking[HEADER_OCTETS:] if len(invoking) >= 2 * HEADER_OCTETS and invoking[6] == TUNNEL else None


def _served(session: Session, home_address: IPv6Address, time: float) -> set[IPv6Address | None]:
    """Give the care-of addresses that can have been in force: what was acknowledged, and what was about to be."""
    own = [period for period in session.periods if period.home_address == home_address]
    coming = [(period, period.acknowledgement.update) for period in own if period.acknowledgement.update is not None]
    return {period.care_of_address for period in own if period.may_hold(time)} | {
        update.care_of_address for period, update in coming if update.frame.time <= time < period.begin
    }


@rule("no-bare-home-source", "On a foreign link nothing leaves from the home address outside the tunnel", "11.3.1-a")
def no_bare_home_source(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.3.1; until it knows that it has moved (§11.5.1), a mobile node sends as it did before."""
    foreign = {home_address: session.foreign_links(home_address) for home_address in session.home_addresses}
    visited = {link for links in foreign.values() for link in links}
    for frame in session.packets:
        if frame.link in visited and frame.source_mac in session.mobile_macs and not _unaware(session, frame):
            findings.judge(frame, frame.link not in foreign.get(frame.source, ()), f"source {frame.source}")


def _unaware(session: Session, frame: Frame) -> bool:
    """Tell whether a home address had yet to be registered from the link that a frame was seen on, and then was."""
    own = [update.frame for update in session.updates if update.home_address == frame.source]
    before = [update.link for update in own if update.time <= frame.time][-1:]
    after = [update.link for update in own if update.time > frame.time][:1]
    return before != [frame.link] and after == [frame.link]


@rule(
    "nothing-intercepted-escapes",
    "From the acknowledgement on, nothing for the home address reaches the home link",
    "10.4.2-a",
    "10.3.1-g",
)
def nothing_escapes(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.1."""
    for period in session.periods:
        home = session.home_links(period.home_address)
        if period.care_of_address is None or not home:
            continue
        escaped = [
            frame
            for frame in session.frames
            if frame.link in home
            and period.must_hold(frame.time)
            and frame.destination == period.home_address
            and not _intercepted(session, frame)
            and not _deregistering(session, frame.time, period.home_address)
        ]
        for frame in escaped:
            findings.judge(frame, False, "forwarded onto the home link")
        if not escaped:
            findings.judge(period.acknowledgement.frame, True, "")


def _intercepted(session: Session, frame: Frame) -> bool:
    """Tell whether a home agent is the one that gets it: its neighbours send to the proxy, as they should."""
    if frame.destination_mac:
        return frame.destination_mac in session.home_agent_macs
    return frame.source_mac not in session.home_agent_macs


def _deregistering(session: Session, time: float, home_address: IPv6Address) -> bool:
    """Tell whether a deregistration was under way: its effect may be seen before its acknowledgement."""
    return any(
        a.update is not None
        and a.update.ends
        and a.update.home_address == home_address
        and a.update.frame.time <= time <= a.frame.time
        for a in session.acknowledgements
    )
