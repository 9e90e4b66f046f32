"""DHCPv6 in the good story: the home agent relays between the tunnel and a server on the home link."""

from ipaddress import IPv6Address
from typing import Any

from scapy.layers import dhcp6, inet6
from scapy.layers.inet import UDP

from tests.verify import handover
from tests.verify.handover import (
    CARE_OF_1,
    CARE_OF_2,
    FROM_VISITED1,
    FROM_VISITED2,
    HA_HOME,
    HOME_AGENT,
    NEIGHBOUR,
    NEIGHBOUR_MAC,
    TO_VISITED1,
    TO_VISITED2,
)
from tests.verify.story import Hop, Scapy, Story

CLIENT, AGENT_IN_TUNNEL, SERVERS = "fe80::100", "fe80::1", "ff02::1:2"
TO_SERVER, FROM_SERVER = Hop("home", HA_HOME, NEIGHBOUR_MAC), Hop("home", NEIGHBOUR_MAC, HA_HOME)
FIRST, SECOND, LATE = 0x6275, 0x6276, 0x6277
"""Transactions."""


def question(transaction: int) -> Scapy:
    """Say an Information-request."""
    return dhcp6.DHCP6_InfoRequest(trid=transaction) / dhcp6.DHCP6OptOptReq(reqopts=[23])


def answer(transaction: int) -> Scapy:
    """Say a Reply."""
    return dhcp6.DHCP6_Reply(trid=transaction) / dhcp6.DHCP6OptDNSServers(dnsservers=["2001:db8:1::53"])


def asked(transaction: int, *, source: str = CLIENT) -> Scapy:
    """Say a question as a client says it on a link."""
    return inet6.IPv6(src=source, dst=SERVERS) / UDP(sport=546, dport=547) / question(transaction)


def told(transaction: int, *, to: str = CLIENT) -> Scapy:
    """Say an answer as a relay agent says it on a link."""
    return inet6.IPv6(src=AGENT_IN_TUNNEL, dst=to) / UDP(sport=547, dport=546) / answer(transaction)


def forwarded(message: Scapy, **fields: Any) -> Scapy:
    """Say a Relay-forward of the home agent."""
    header = {"hopcount": 0, "linkaddr": HOME_AGENT, "peeraddr": CLIENT} | fields
    forward = dhcp6.DHCP6_RelayForward(**header) / _noted() / dhcp6.DHCP6OptRelayMsg(message=message)
    return inet6.IPv6(src=HOME_AGENT, dst=NEIGHBOUR) / UDP(sport=547, dport=547) / forward


def returned(message: Scapy) -> Scapy:
    """Say the server's Relay-reply."""
    reply = dhcp6.DHCP6_RelayReply(linkaddr=HOME_AGENT, peeraddr=CLIENT) / _noted()
    return (
        inet6.IPv6(src=NEIGHBOUR, dst=HOME_AGENT)
        / UDP(sport=547, dport=547)
        / (reply / dhcp6.DHCP6OptRelayMsg(message=message))
    )


def _noted() -> Scapy:
    return dhcp6.DHCP6OptIfaceId(ifaceid=IPv6Address(handover.HOME_ADDRESS).packed)


def tell(story: Story) -> None:
    """Add it to a story that goes from the first to the second visited link."""
    for name, time, transaction, care_of, there, back in (
        ("dhcpv6-1", 2.5, FIRST, CARE_OF_1, FROM_VISITED1, TO_VISITED1),
        ("dhcpv6-2", 9.6, SECOND, CARE_OF_2, FROM_VISITED2, TO_VISITED2),
    ):
        story.add(f"{name}-asked", time, handover.tunnelled(care_of, HOME_AGENT, asked(transaction)), *there)
        story.add(f"{name}-forward", time + 0.002, forwarded(question(transaction)), TO_SERVER)
        story.add(f"{name}-reply", time + 0.003, returned(answer(transaction)), FROM_SERVER)
        story.add(f"{name}-told", time + 0.004, handover.tunnelled(HOME_AGENT, care_of, told(transaction)), *back)
    # Where the mobile node has moved meanwhile, the answer finds it.
    late = handover.tunnelled(CARE_OF_1, HOME_AGENT, asked(LATE))
    story.add("dhcpv6-late-asked", 5.6, late, *FROM_VISITED1)
    story.add("dhcpv6-late-told", 9.7, handover.tunnelled(HOME_AGENT, CARE_OF_2, told(LATE)), *TO_VISITED2)
