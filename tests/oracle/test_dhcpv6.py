"""Scapy and tshark read the DHCPv6 that we write, and we read what Scapy writes."""

import shutil
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers import dhcp6
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6

from lab.wire.dhcpv6 import (
    INTERFACE_ID,
    RELAY_MESSAGE,
    Dhcpv6Message,
    Dhcpv6Option,
    RelayForward,
    RelayReply,
    build_message,
    parse_message,
)
from lab.wire.packet import Datagram, Packet, build, parse
from tests.fuzz.wire_packets import addresses, octets, u8
from tests.oracle.test_wire_tshark import read_by_tshark

AGENT, SERVER = IPv6Address("2001:db8:1::1"), IPv6Address("2001:db8:1::2")
Relayed = RelayForward | RelayReply
SCAPYS: dict[type[Relayed], Any] = {RelayForward: dhcp6.DHCP6_RelayForward, RelayReply: dhcp6.DHCP6_RelayReply}
inform = st.builds(Dhcpv6Message, message_type=st.just(11), transaction_id=octets(3))
"""What Scapy reads without options."""


@st.composite
def relayed_messages(draw: st.DrawFn) -> Relayed:
    """Make what goes between a relay agent and a server."""
    options = (
        Dhcpv6Option(code=INTERFACE_ID, data=draw(octets(16))),
        Dhcpv6Option(code=RELAY_MESSAGE, data=build_message(draw(inform))),
    )
    ends = {"link_address": draw(addresses), "peer_address": draw(addresses)}
    if draw(st.booleans()):
        return RelayForward(hop_count=draw(u8), options=options, **ends)
    return RelayReply(hop_count=draw(u8), options=options, **ends)


def packet_of(message: Relayed) -> Packet:
    payload = Datagram(source_port=547, destination_port=547, data=build_message(message))
    return Packet(source=AGENT, destination=SERVER, payload=payload)


def to_scapy(message: Relayed) -> Any:
    interface, relayed = message.options
    header = SCAPYS[type(message)](
        hopcount=message.hop_count, linkaddr=str(message.link_address), peeraddr=str(message.peer_address)
    )
    return (
        IPv6(src=str(AGENT), dst=str(SERVER))
        / UDP(sport=547, dport=547)
        / header
        / dhcp6.DHCP6OptIfaceId(ifaceid=interface.data)
        / dhcp6.DHCP6OptRelayMsg(message=dhcp6.DHCP6_InfoRequest(trid=int.from_bytes(relayed.data[1:], "big")))
    )


thorough = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.rfc6275("10.4.4-a")
@given(relayed_messages())
@thorough
def test_scapy_writes_the_same_octets(message: Relayed) -> None:
    assert bytes(to_scapy(message)) == build(packet_of(message))


@pytest.mark.rfc6275("10.4.4-a")
@given(relayed_messages())
@thorough
def test_we_read_what_scapy_writes(message: Relayed) -> None:
    packet = parse(bytes(to_scapy(message)))
    assert packet == packet_of(message)
    assert isinstance(packet.payload, Datagram)
    assert parse_message(packet.payload.data) == message


@pytest.mark.rfc6275("10.4.4-a")
@given(relayed_messages())
@thorough
def test_scapy_reads_what_we_write(message: Relayed) -> None:
    said = IPv6(build(packet_of(message)))[SCAPYS[type(message)]]
    assert (said.hopcount, IPv6Address(said.linkaddr), IPv6Address(said.peeraddr)) == (
        message.hop_count,
        message.link_address,
        message.peer_address,
    )
    interface, relayed = message.options
    assert said[dhcp6.DHCP6OptIfaceId].ifaceid == interface.data
    assert bytes(said[dhcp6.DHCP6OptRelayMsg].message) == relayed.data


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed: apt install tshark")
@pytest.mark.rfc6275("10.4.4-a")
def test_tshark_reads_what_we_write(tmp_path: Path) -> None:
    collected: list[Relayed] = []

    @given(relayed_messages())
    @settings(max_examples=50, database=None)
    def collect(message: Relayed) -> None:
        collected.append(message)

    collect()
    names = ["dhcpv6.msgtype", "dhcpv6.hopcount", "dhcpv6.linkaddr", "dhcpv6.peeraddr", "dhcpv6.interface_id"]
    names += ["dhcpv6.xid", "udp.checksum.status", "_ws.malformed"]
    read = read_by_tshark(tmp_path / "ours.pcap", [build(packet_of(message)) for message in collected], names)
    assert len(read) == len(collected)
    for message, found in zip(collected, read, strict=True):
        interface, relayed = message.options
        told = found["dhcpv6.msgtype"].split(",")
        assert told == [str(int(message.MESSAGE_TYPE)), "11"]
        assert int(found["dhcpv6.hopcount"]) == message.hop_count
        assert IPv6Address(found["dhcpv6.linkaddr"]) == message.link_address
        assert IPv6Address(found["dhcpv6.peeraddr"]) == message.peer_address
        assert found["dhcpv6.interface_id"].replace(":", "") == interface.data.hex()
        assert int(found["dhcpv6.xid"], 16) == int.from_bytes(relayed.data[1:], "big")
        assert found["_ws.malformed"] == ""
