"""Scapy and tshark open what we seal, and we open what Scapy seals, in the layouts of RFC 3776 §3."""

import struct
import subprocess
from ipaddress import IPv6Address
from pathlib import Path

import pytest
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

from lab.auth.esp import Association
from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.emulation.associations import as_esp_sa
from lab.events import PacketDropped
from lab.plane.ipsec import Ipsec, Message, Tunnelled
from lab.wire.icmpv6 import MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag, HomeTest, HomeTestInit
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import OpaquePayload, Packet, build, mobility_packet
from tests.auth.protections import AGENT, HOME, PAYLOAD, PREFIXES, REGISTRATION, TESTS
from tests.oracle.test_wire_tshark import RAW_IPV6

CARE_OF, PEER = IPv6Address("2001:db8:a1::2"), IPv6Address("2001:db8:c::1")
ALL = (REGISTRATION, PREFIXES, TESTS, PAYLOAD)
UPDATE = BindingUpdate(
    sequence=7,
    flags=BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION,
    lifetime=60,
    options=(AlternateCareOfAddress(address=CARE_OF),),
)
ACKNOWLEDGEMENT = BindingAcknowledgement(status=0, sequence=7, lifetime=60)
TO_AGENT = {
    "update": (REGISTRATION, mobility_packet(CARE_OF, AGENT, UPDATE, home_address=HOME)),
    "update from home": (REGISTRATION, mobility_packet(HOME, AGENT, UPDATE)),
}
TO_NODE = {
    "acknowledgement": (REGISTRATION, mobility_packet(AGENT, CARE_OF, ACKNOWLEDGEMENT, routed_home_address=HOME)),
    "acknowledgement at home": (REGISTRATION, mobility_packet(AGENT, HOME, ACKNOWLEDGEMENT)),
}
SOLICITATION = Packet(source=HOME, destination=AGENT, payload=MobilePrefixSolicitation(identifier=9))
ADVERTISEMENT = Packet(source=AGENT, destination=HOME, payload=MobilePrefixAdvertisement(identifier=9))
INIT = mobility_packet(HOME, PEER, HomeTestInit(cookie=b"a cookie"))
TEST = mobility_packet(PEER, HOME, HomeTest(nonce_index=1, cookie=b"a cookie", keygen_token=b"a token!"))


def refused(dropped: PacketDropped) -> None:
    raise AssertionError(dropped)


def end(*, at_home_agent: bool) -> Ipsec:
    return Ipsec(Policy(ALL, at_home_agent=at_home_agent), Secrets(b"oracle"), refused)


def in_scapy(association: Association, **outer: object) -> SecurityAssociation:
    header = IPv6(src=str(outer["source"]), dst=str(outer["destination"])) if outer else None
    return SecurityAssociation(
        ESP,
        spi=association.spi,
        crypt_algo="AES-CBC",
        crypt_key=association.encryption_key,
        auth_algo="SHA2-256-128",
        auth_key=association.integrity_key,
        tunnel_header=header,
    )


def towards(protection: Protection, *, agent: bool) -> Association:
    return protection.to_home_agent if agent else protection.from_home_agent


@pytest.mark.rfc6275("5.1-a", "5.4-a")
@pytest.mark.parametrize(
    ("protection", "packet", "agent"),
    [
        *(pytest.param(*what, True, id=name) for name, what in TO_AGENT.items()),
        *(pytest.param(*what, False, id=name) for name, what in TO_NODE.items()),
        pytest.param(PREFIXES, SOLICITATION, True, id="solicitation"),
        pytest.param(PREFIXES, ADVERTISEMENT, False, id="advertisement"),
    ],
)
def test_transport_mode(protection: Protection, packet: Packet, agent: bool) -> None:
    scapy = in_scapy(towards(protection, agent=agent))
    sealed = end(at_home_agent=not agent).write(packet)
    assert bytes(scapy.decrypt(IPv6(sealed))) == build(packet)
    opened = end(at_home_agent=agent).open(bytes(scapy.encrypt(IPv6(build(packet)))))
    assert opened == Message(packet=build(packet), protection=protection)


@pytest.mark.rfc6275("5.5-c", "5.5-d", "10.4.6-a")
@pytest.mark.parametrize(
    ("protection", "inner", "agent"),
    [
        pytest.param(TESTS, build(INIT), True, id="home test init"),
        pytest.param(TESTS, build(TEST), False, id="home test"),
        pytest.param(
            PAYLOAD,
            build(Packet(source=HOME, destination=PEER, payload=OpaquePayload(next_header=253, data=bytes(50)))),
            True,
            id="payload",
        ),
    ],
)
def test_tunnel_mode(protection: Protection, inner: bytes, agent: bool) -> None:
    source, destination = (CARE_OF, AGENT) if agent else (AGENT, CARE_OF)
    scapy = in_scapy(towards(protection, agent=agent), source=source, destination=destination)
    near = end(at_home_agent=not agent)
    sealed = near.seal_tunnelled(near.tunnel(HOME, AGENT), inner)
    assert sealed is not None
    outer = build(Packet(source=source, destination=destination, payload=OpaquePayload(next_header=50, data=sealed)))
    assert bytes(scapy.decrypt(IPv6(outer))) == inner
    opened = end(at_home_agent=agent).open(bytes(scapy.encrypt(IPv6(inner))))
    assert isinstance(opened, Tunnelled)
    assert opened.outer_source == source
    # Scapy counts down the hop limit of what it tunnels, as a router does.
    assert opened.packet[:7] + opened.packet[8:] == inner[:7] + inner[8:]


@pytest.mark.rfc6275("5.1-a", "5.5-c", "5.4-a")
def test_tshark_opens_what_we_seal(tmp_path: Path) -> None:
    """With the table of associations that a run leaves beside its captures."""
    node, agent = end(at_home_agent=False), end(at_home_agent=True)
    init = node.seal_tunnelled(node.tunnel(HOME, AGENT), build(INIT))
    assert init is not None
    octets = [
        *(node.write(packet) for _, packet in TO_AGENT.values()),
        *(agent.write(packet) for _, packet in TO_NODE.values()),
        build(Packet(source=CARE_OF, destination=AGENT, payload=OpaquePayload(next_header=50, data=init))),
        node.write(SOLICITATION),
    ]
    spoiled = bytearray(octets[0])
    spoiled[-1] ^= 1
    capture = tmp_path / "sealed.pcap"
    with capture.open("wb") as file:
        file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 0xFFFF, RAW_IPV6))
        for packet in (*octets, bytes(spoiled)):
            file.write(struct.pack("=IIII", 0, 0, len(packet), len(packet)) + packet)
    table = [argument for line in as_esp_sa(ALL).splitlines() for argument in ("-o", f"uat:esp_sa:{line}")]
    fields = [argument for name in ("icv_good", "icv_bad", "sequence") for argument in ("-e", f"esp.{name}")]
    command = [
        *("tshark", "-n", "-r", str(capture), "-T", "fields", "-E", "separator=|", "-o"),
        *("esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE", *table),
        *("-e", "_ws.col.Info", *fields),
    ]
    rows = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    expected = [("Binding Update", "1"), ("Binding Update", "2")]
    expected += [("Binding Acknowledgement", "1"), ("Binding Acknowledgement", "2")]
    expected += [("Home Test Init", "1"), ("Mobile Prefix Solicitation", "1"), ("Binding Update", "1")]
    read = [line.split("|") for line in rows.splitlines()]
    for (name, sequence), row in zip(expected, read, strict=True):
        assert name in row[0]
        assert row[3] == sequence
    truths = [(good in ("1", "True"), bad in ("1", "True")) for _, good, bad, _ in read]
    assert truths == [(True, False)] * 6 + [(False, True)]
