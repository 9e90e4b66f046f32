"""Rules about dynamic home agent address discovery, RFC 6275 §6.5, §6.6, §10.5 and §11.4.1."""

from collections.abc import Iterator
from ipaddress import IPv6Address, IPv6Network
from itertools import pairwise
from typing import Any

from scapy.layers.inet6 import ICMPv6HAADReply, ICMPv6HAADRequest

from lab.constants import DHAAD_RETRIES, INITIAL_DHAAD_TIMEOUT, MINIMUM_MTU
from lab.verify.frame import ICMPV6, Frame
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

HOME_AGENTS = 0xFDFF_FFFF_FFFF_FFFE
"""The identifier of the Mobile IPv6 Home-Agents anycast address behind a prefix of 64 bits, RFC 2526."""
IDENTIFIER = (1 << 64) - 1
SLACK = 0.9
"""Timers of a real machine may be early by clock rounding."""


@rule(
    "discovery-request",
    "Home agents are asked for at the Home-Agents anycast address of a home prefix",
    "11.4.1-a",
    "6.5-a",
)
def request_goes_to_anycast(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.4.1; of prefixes whose links were not captured nothing is known."""
    home = {prefix for _, prefix in session.home_prefixes}
    for frame, _ in messages(session, ICMPv6HAADRequest):
        right = _is_anycast(frame.destination) and (not home or _prefix(frame.destination) in home)
        findings.judge(frame, right, f"to {frame.destination}")


@rule("discovery-reply", "A discovery reply carries the identifier of a request of its receiver", "10.5-a", "6.5-a")
def reply_copies_identifier(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.6, §10.5."""
    for frame, message in messages(session, ICMPv6HAADReply):
        asked = _request_of(session, frame, message) is not None
        findings.judge(frame, asked, f"{frame.destination} did not ask with identifier {message.id}")


@rule(
    "discovery-source",
    "A discovery reply comes from a unicast address of the home prefix, names that too, and fits the minimum MTU",
    "10.5-a",
)
def reply_comes_from_home_agent(session: Session, findings: Findings) -> None:
    """RFC 6275 §6.6, §10.5."""
    for frame, message in messages(session, ICMPv6HAADReply):
        request = _request_of(session, frame, message)
        listed = {IPv6Address(address) for address in message.addresses}
        if request is None:
            continue
        if _is_anycast(frame.source) or frame.source not in _prefix(request.destination):
            findings.judge(frame, False, f"from {frame.source}")
        elif frame.source not in listed:
            findings.judge(frame, False, f"{frame.source} does not name itself")
        else:
            findings.judge(frame, len(frame.octets) <= MINIMUM_MTU, f"{len(frame.octets)} octets")


@rule(
    "discovery-retransmission",
    "An unanswered discovery request is repeated after its time-out, which doubles, DHAAD_RETRIES times at most",
    "11.4.1-a",
)
def request_is_repeated(session: Session, findings: Findings) -> None:
    """RFC 6275 §11.4.1."""
    asked: dict[tuple[IPv6Address, IPv6Address, int], list[Frame]] = {}
    for frame, message in messages(session, ICMPv6HAADRequest):
        asked.setdefault((frame.source, frame.destination, message.id), []).append(frame)
    for frames in asked.values():
        timeout = INITIAL_DHAAD_TIMEOUT
        for number, (before, frame) in enumerate(pairwise(frames), start=1):
            waited = frame.time - before.time
            if number > DHAAD_RETRIES:
                findings.judge(frame, False, f"repetition {number}")
            else:
                findings.judge(frame, waited >= timeout * SLACK, f"after {waited:.3f} s, time-out {timeout:g} s")
            timeout *= 2


def messages(session: Session, layer: Any) -> Iterator[tuple[Frame, Any]]:
    """Give the ICMPv6 messages that a layer of Scapy reads, each once; tunnels carry none of RFC 6275."""
    kind = layer().type
    for frame in session.packets:
        if frame.upper == ICMPV6 and frame.message_type == kind and frame.whole and len(frame.payload) >= 8:
            yield frame, layer(frame.payload)


def _request_of(session: Session, reply: Frame, message: Any) -> Frame | None:
    """Find the request that a reply answers."""
    earlier = [
        frame
        for frame, request in messages(session, ICMPv6HAADRequest)
        if (request.id, frame.source) == (message.id, reply.destination) and frame.time <= reply.time
    ]
    return earlier[-1] if earlier else None


def _is_anycast(address: IPv6Address) -> bool:
    return int(address) & IDENTIFIER == HOME_AGENTS


def _prefix(address: IPv6Address) -> IPv6Network:
    return IPv6Network((address, 64), strict=False)
