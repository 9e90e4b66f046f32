"""Rules about DHCPv6 in tunnels, RFC 6275 §10.4.4."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from scapy.layers import dhcp6

from lab.constants import HOP_COUNT_LIMIT
from lab.verify.frame import Frame
from lab.verify.rules import Findings, rule
from lab.verify.session import Session

UDP, UDP_OCTETS = 17, 8
CLIENT_PORT, SERVER_PORT = 546, 547
RELAYED_WITHIN = 1.0
"""Seconds in which a message goes on; a home agent may have to find the server first."""
TRANSACTION = slice(1, 4)


@dataclass(frozen=True, kw_only=True)
class Said:
    """A message of DHCPv6 in a tunnel."""

    frame: Frame
    inner: Frame
    message: bytes


@rule(
    "dhcpv6-relayed",
    "DHCPv6 out of a tunnel goes on in a Relay-forward that tells who said it on which link, and never as it came",
    "10.4.4-a",
)
def relayed(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.4, RFC 8415 §19.1."""
    asked = [said for said in _tunnelled(session, SERVER_PORT) if said.frame.destination in session.home_agents]
    for said in asked:
        for other in session.packets:
            if other.same == said.inner.same and 0 <= other.time - said.frame.time < RELAYED_WITHIN:
                findings.judge(other, False, f"from {other.source} to {other.destination}, as it came from the tunnel")
    for frame in session.packets:
        forward = _relay_forward(frame) if frame.source in session.home_agents else None
        if forward is None:
            continue
        message = bytes(forward[dhcp6.DHCP6OptRelayMsg].message)
        of_tunnel = [
            said for said in asked if said.message == message and 0 <= frame.time - said.frame.time < RELAYED_WITHIN
        ]
        if of_tunnel:  # else it was said on a link
            wrong = _wrong(forward, of_tunnel[-1])
            findings.judge(frame, not wrong, wrong)


@rule(
    "dhcpv6-answered",
    "DHCPv6 for a mobile node goes to the link-local address that asked, in the tunnel of the mobile node that did",
    "10.4.4-a",
)
def answered(session: Session, findings: Findings) -> None:
    """RFC 6275 §10.4.4; it may have moved since it asked."""
    asked = [said for said in _tunnelled(session, SERVER_PORT) if said.frame.destination in session.home_agents]
    for answer in _tunnelled(session, CLIENT_PORT):
        if answer.frame.source not in session.home_agents or answer.message[0] == dhcp6.DHCP6_Reconf().msgtype:
            continue  # what a server says by itself answers nobody
        questions = [
            said
            for said in asked
            if said.message[TRANSACTION] == answer.message[TRANSACTION] and said.frame.time <= answer.frame.time
        ]
        askers = {home for said in questions for home in _homes(session, said.frame.source)}
        if not askers:
            continue  # who asked, or that anybody did, was not captured
        if answer.inner.destination not in {said.inner.source for said in questions}:
            findings.judge(answer.frame, False, f"to {answer.inner.destination}, which did not ask")
        else:
            right = bool(askers & _homes(session, answer.frame.destination))
            findings.judge(answer.frame, right, f"tunnelled to {answer.frame.destination}, which did not ask")


def _wrong(forward: Any, said: Said) -> str:
    """Say what is wrong with what a relay agent made of a message."""
    relays_before = said.message[1] + 1 if said.message[0] == forward.msgtype else 0
    if IPv6Address(forward.peeraddr) != said.inner.source:
        return f"peer address {forward.peeraddr}, but {said.inner.source} said it"
    if IPv6Address(forward.linkaddr).is_link_local or IPv6Address(forward.linkaddr).is_unspecified:
        return f"link address {forward.linkaddr}, which is no global one"
    if not forward.hopcount == relays_before <= HOP_COUNT_LIMIT:
        return f"hop count {forward.hopcount} after {relays_before} relay agents"
    return ""


def _tunnelled(session: Session, port: int) -> Iterator[Said]:
    """Give DHCPv6 for a port that is spoken in tunnels as on a link."""
    for frame in session.packets:
        inner = frame.inner
        message = None if inner is None or not inner.source.is_link_local else _message(inner, port)
        if inner is not None and message is not None:
            yield Said(frame=frame, inner=inner, message=message)


def _message(frame: Frame, port: int) -> bytes | None:
    """Give the DHCPv6 of a datagram to a port; None if there is none, or no whole header of one."""
    payload = frame.payload
    if frame.upper != UDP or not frame.whole or int.from_bytes(payload[2:4], "big") != port:
        return None
    return payload[UDP_OCTETS:] if len(payload) >= UDP_OCTETS + TRANSACTION.stop else None


def _relay_forward(frame: Frame) -> Any:
    """Read a Relay-forward with a message in it; None if it is none, or malformed."""
    message = _message(frame, SERVER_PORT)
    if message is None or message[0] != dhcp6.DHCP6_RelayForward().msgtype:
        return None
    try:
        forward = dhcp6.DHCP6_RelayForward(message)
    except Exception:  # whatever Scapy says of a message that is too short, or worse
        return None
    return forward if forward.haslayer(dhcp6.DHCP6OptRelayMsg) else None


def _homes(session: Session, care_of: IPv6Address) -> set[IPv6Address]:
    """Give the home addresses that were ever to be registered with a care-of address."""
    return {update.home_address for update in session.updates if update.care_of_address == care_of}
