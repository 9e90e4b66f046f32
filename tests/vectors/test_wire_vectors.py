"""Octets written by hand from the formats of the RFCs: read and written bit for bit."""

from dataclasses import dataclass
from ipaddress import IPv6Address

import pytest

from lab.wire import icmpv6, mobility, multicast_listener, neighbor, options
from lab.wire.mobility import BindingUpdateFlag as Flag
from lab.wire.packet import (
    Datagram,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HomeAddressOption,
    HopByHopOptions,
    OpaquePayload,
    Packet,
    Payload,
    RoutingHeaderType2,
    UnknownHeaderOption,
    UnknownRoutingHeader,
    build,
    parse,
)

MN = "20010db8 00a10000 00000000 00000002"
HA = "20010db8 00010000 00000000 00000001"
HOA = "20010db8 00010000 00000000 00000100"
LL, GROUP = "fe800000000000000000000000000100", "ff0e0000000000000000000000006275"
ROUTER_ALERT = HopByHopOptions(options=(UnknownHeaderOption(option_type=5, data=bytes(2)),))
ALL_NODES = "ff020000 00000000 00000000 00000001"
CARE_OF, HOME_AGENT, HOME = (IPv6Address(bytes.fromhex(text)) for text in (MN, HA, HOA))
HOME_ADDRESS = DestinationOptions(options=(HomeAddressOption(home_address=HOME),))
COOKIE, TOKEN = bytes.fromhex("0123456789abcdef"), bytes.fromhex("fedcba9876543210")


@dataclass(frozen=True, slots=True)
class Vector:
    """Octets and what they mean; `reads_only` where other octets are written for the same meaning."""

    octets: str
    payload: Payload
    headers: tuple[ExtensionHeader, ...] = ()
    reads_only: bool = False


VECTORS = {
    "binding refresh request": Vector(
        f"""60000000 0008 87 40 {MN} {HA}
            3b 00 00 00 6859 0000""",
        mobility.BindingRefreshRequest(),
    ),
    "home test init": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 01 00 c92a 0000 01234567 89abcdef""",
        mobility.HomeTestInit(cookie=COOKIE),
    ),
    "care-of test init": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 02 00 c82a 0000 01234567 89abcdef""",
        mobility.CareOfTestInit(cookie=COOKIE),
    ),
    "home test": Vector(
        f"""60000000 0018 87 40 {MN} {HA}
            3b 02 03 00 5313 1234 01234567 89abcdef fedcba98 76543210""",
        mobility.HomeTest(nonce_index=0x1234, cookie=COOKIE, keygen_token=TOKEN),
    ),
    "care-of test": Vector(
        f"""60000000 0018 87 40 {MN} {HA}
            3b 02 04 00 6447 ffff 01234567 89abcdef fedcba98 76543210""",
        mobility.CareOfTest(nonce_index=0xFFFF, cookie=COOKIE, keygen_token=TOKEN),
    ),
    "binding update to the home agent": Vector(
        f"""60000000 0038 3c 40 {MN} {HA}
            87 02 0102 0000 c910 {HOA}
            3b 03 05 00 705d 0007 c000 000f 0100 0310 {MN}""",
        mobility.BindingUpdate(
            sequence=7,
            flags=Flag.ACKNOWLEDGE | Flag.HOME_REGISTRATION,
            lifetime=60,
            options=(options.AlternateCareOfAddress(address=CARE_OF),),
        ),
        (HOME_ADDRESS,),
    ),
    "binding update to a correspondent": Vector(
        f"""60000000 0020 87 40 {MN} {HA}
            3b 03 05 00 8c06 ffff b000 ffff 0404 0001 0002 050c 00010203 04050607 08090a0b""",
        mobility.BindingUpdate(
            sequence=0xFFFF,
            flags=Flag.ACKNOWLEDGE | Flag.LINK_LOCAL_ADDRESS_COMPATIBILITY | Flag.KEY_MANAGEMENT_MOBILITY_CAPABILITY,
            lifetime=262140,
            options=(
                options.NonceIndices(home=1, care_of=2),
                options.BindingAuthorizationData(authenticator=bytes(range(12))),
            ),
        ),
    ),
    "binding update without options": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 05 00 624e 0000 0000 0000 0102 0000""",
        mobility.BindingUpdate(sequence=0, flags=Flag(0), lifetime=0),
    ),
    "binding acknowledgement with refresh advice": Vector(
        f"""60000000 0028 2b 40 {HA} {MN}
            87 02 02 01 00000000 {HOA}
            3b 01 06 00 5f4e 00 80 0007 000f 0202 000c""",
        mobility.BindingAcknowledgement(
            status=0,
            key_management_mobility_capability=True,
            sequence=7,
            lifetime=60,
            options=(options.BindingRefreshAdvice(refresh_interval=48),),
        ),
        (RoutingHeaderType2(home_address=HOME),),
    ),
    "binding acknowledgement with authorization data": Vector(
        f"""60000000 0020 87 40 {HA} {MN}
            3b 03 06 00 d526 87 00 0007 0000 0104 00000000 050c ffffffff ffffffff ffffffff""",
        mobility.BindingAcknowledgement(
            status=135,
            sequence=7,
            lifetime=0,
            options=(options.BindingAuthorizationData(authenticator=b"\xff" * 12),),
        ),
    ),
    "binding error": Vector(
        f"""60000000 0018 87 40 {HA} {MN}
            3b 02 07 00 318d 01 00 {HOA}""",
        mobility.BindingError(status=1, home_address=HOME),
    ),
    "message of an unknown type": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 ff 00 fb7b dead beef0123 456789ab""",
        mobility.UnknownMobilityMessage(mh_type=255, data=bytes.fromhex("deadbeef0123456789ab")),
    ),
    "unknown mobility option between known ones": Vector(
        f"""60000000 0020 87 40 {MN} {HA}
            3b 03 00 00 832c 0000 c801 aa 00 0202 0001 6405 0102030405 0104 00000000 000000""",
        mobility.BindingRefreshRequest(
            options=(
                options.UnknownOption(option_type=200, data=b"\xaa"),
                options.BindingRefreshAdvice(refresh_interval=4),
                options.UnknownOption(option_type=100, data=bytes((1, 2, 3, 4, 5))),
            )
        ),
        reads_only=True,  # padding of four octets and three of one each
    ),
    "reserved fields of a binding update are not zero": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 05 ff f29f 0001 8fff 0001 0102 dead""",
        mobility.BindingUpdate(sequence=1, flags=Flag.ACKNOWLEDGE, lifetime=4),
        reads_only=True,
    ),
    "reserved fields of a binding acknowledgement are not zero": Vector(
        f"""60000000 0010 87 40 {HA} {MN}
            3b 01 06 ff 60d0 00 7f 0001 0001 00000000""",
        mobility.BindingAcknowledgement(status=0, sequence=1, lifetime=4),
        reads_only=True,
    ),
    "reserved field of a home test init is not zero": Vector(
        f"""60000000 0010 87 40 {MN} {HA}
            3b 01 01 ff c82b ffff 01234567 89abcdef""",
        mobility.HomeTestInit(cookie=COOKIE),
        reads_only=True,
    ),
    "router solicitation": Vector(
        f"""60000000 0010 3a 40 {MN} {ALL_NODES}
            85 00 4a53 00000000 0101 0200 0000 0001""",
        icmpv6.RouterSolicitation(options=(neighbor.SourceLinkLayerAddress(address=bytes.fromhex("020000000001")),)),
    ),
    "router advertisement of a home agent": Vector(
        f"""60000000 0048 3a 40 {HA} {ALL_NODES}
            86 00 1c46 40 e0 0708 00007530 000003e8
            0304 40 e0 00278d00 00093a80 00000000 {HA}
            0501 0000 000005dc
            0701 0000 0000001e
            0801 0000 000a 1c20""",
        icmpv6.RouterAdvertisement(
            cur_hop_limit=64,
            managed=True,
            other=True,
            home_agent=True,
            router_lifetime=1800,
            reachable_time=30000,
            retrans_timer=1000,
            options=(
                neighbor.PrefixInformation(
                    prefix=HOME_AGENT,
                    prefix_length=64,
                    on_link=True,
                    autonomous=True,
                    router_address=True,
                    valid_lifetime=2592000,
                    preferred_lifetime=604800,
                ),
                neighbor.LinkMtu(mtu=1500),
                neighbor.AdvertisementInterval(interval=30),
                neighbor.HomeAgentInformation(preference=10, lifetime=7200),
            ),
        ),
    ),
    "neighbor solicitation": Vector(
        f"""60000000 0018 3a 40 {MN} {HA}
            87 00 eddb 00000000 {HOA}""",
        icmpv6.NeighborSolicitation(target=HOME),
    ),
    "neighbor advertisement": Vector(
        f"""60000000 0020 3a 40 {HA} {ALL_NODES}
            88 00 f828 20000000 {HOA} 0201 0200 0000 0002""",
        icmpv6.NeighborAdvertisement(
            override=True,
            target=HOME,
            options=(neighbor.TargetLinkLayerAddress(address=bytes.fromhex("020000000002")),),
        ),
    ),
    "neighbor advertisement of a router": Vector(
        f"""60000000 0018 3a 40 {HA} {MN}
            88 00 2dda c0000000 {HA}""",
        icmpv6.NeighborAdvertisement(router=True, solicited=True, target=HOME_AGENT),
    ),
    "unknown neighbor discovery option": Vector(
        f"""60000000 0010 3a 40 {MN} {HA}
            85 00 68fe 00000000 1801 dead beef 0001""",
        icmpv6.RouterSolicitation(
            options=(neighbor.UnknownNeighborOption(option_type=24, data=bytes.fromhex("deadbeef0001")),)
        ),
    ),
    "multicast listener query of all groups": Vector(
        f"""60000000 0024 00 40 {LL} {ALL_NODES}
            3a 00 0502 0000 0100
            82 00 7c43 0064 0000 00000000 00000000 00000000 00000000 02 7d 0000""",
        multicast_listener.MulticastListenerQuery(
            max_response_code=100, group=IPv6Address("::"), robustness=2, interval_code=125
        ),
        (ROUTER_ALERT,),
    ),
    "version 2 multicast listener report, as Linux writes it": Vector(
        f"""60000000 0024 00 40 {LL} ff020000000000000000000000000016
            3a 00 0502 0000 0100
            8f 00 0c8a 0000 0001 04 00 0000 {GROUP}""",
        multicast_listener.MulticastListenerReport(
            records=(multicast_listener.MulticastAddressRecord(record_type=4, group=IPv6Address("ff0e::6275")),)
        ),
        (ROUTER_ALERT,),
    ),
    "version 2 multicast listener report with a source, auxiliary data and more": Vector(
        f"""60000000 0050 00 40 {LL} ff020000000000000000000000000016
            3a 00 0502 0000 0100
            8f 00 72e3 dead 0002 06 01 0001 {GROUP} {HA} 12345678 03 00 0000 {GROUP} feed beef""",
        multicast_listener.MulticastListenerReport(
            records=(
                multicast_listener.MulticastAddressRecord(
                    record_type=6, group=IPv6Address("ff0e::6275"), sources=(HOME_AGENT,)
                ),
                multicast_listener.MulticastAddressRecord(record_type=3, group=IPv6Address("ff0e::6275")),
            )
        ),
        (ROUTER_ALERT,),
        reads_only=True,  # what is not read is not written either (RFC 3810 §5.2.11)
    ),
    "multicast listener report of the first version": Vector(
        f"""60000000 0018 3a 40 {LL} {GROUP}
            83 00 ba23 0000 0000 {GROUP}""",
        multicast_listener.MulticastListenerReportV1(group=IPv6Address("ff0e::6275")),
    ),
    "multicast listener done": Vector(
        f"""60000000 0018 3a 40 {LL} ff020000000000000000000000000002
            84 00 1ba3 0000 0000 {GROUP}""",
        multicast_listener.MulticastListenerDone(group=IPv6Address("ff0e::6275")),
    ),
    "multicast listener query of the first version": Vector(
        f"""60000000 0018 3a 40 {LL} {GROUP}
            82 00 9413 2710 0000 {GROUP}""",
        icmpv6.UnknownIcmpv6Message(icmpv6_type=130, code=0, body=bytes.fromhex(f"27100000{GROUP}")),
    ),
    "home agent address discovery request": Vector(
        f"""60000000 0008 3a 40 {MN} {HA}
            90 00 0172 1234 0000""",
        icmpv6.HomeAgentAddressDiscoveryRequest(identifier=0x1234),
    ),
    "home agent address discovery reply": Vector(
        f"""60000000 0028 3a 40 {HA} {MN}
            91 00 a3dc 1234 0000 {HA} {HOA}""",
        icmpv6.HomeAgentAddressDiscoveryReply(identifier=0x1234, addresses=(HOME_AGENT, HOME)),
    ),
    "mobile prefix solicitation": Vector(
        f"""60000000 0020 3c 40 {MN} {HA}
            3a 02 0102 0000 c910 {HOA}
            92 00 657a abcd 0000""",
        icmpv6.MobilePrefixSolicitation(identifier=0xABCD),
        (HOME_ADDRESS,),
    ),
    "mobile prefix advertisement": Vector(
        f"""60000000 0040 2b 40 {HA} {MN}
            3a 02 02 01 00000000 {HOA}
            93 00 1dc3 abcd c000
            0304 40 c0 00000e10 00000708 00000000 20010db8 00010000 00000000 00000000""",
        icmpv6.MobilePrefixAdvertisement(
            identifier=0xABCD,
            managed=True,
            other=True,
            options=(
                neighbor.PrefixInformation(
                    prefix=IPv6Address("2001:db8:1::"),
                    prefix_length=64,
                    on_link=True,
                    autonomous=True,
                    valid_lifetime=3600,
                    preferred_lifetime=1800,
                ),
            ),
        ),
        (RoutingHeaderType2(home_address=HOME),),
    ),
    "reserved field of a mobile prefix solicitation is not zero": Vector(
        f"""60000000 0008 3a 40 {MN} {HA}
            92 00 65d8 abcd ffff""",
        icmpv6.MobilePrefixSolicitation(identifier=0xABCD),
        reads_only=True,
    ),
    "echo request of an odd length": Vector(
        f"""60000000 000b 3a 40 {MN} {HA}
            80 00 ace3 0001 0002 aabbcc""",
        icmpv6.EchoRequest(identifier=1, sequence=2, data=b"\xaa\xbb\xcc"),
    ),
    "echo reply": Vector(
        f"""60000000 0008 3a 40 {MN} {HA}
            81 00 22a3 0001 0002""",
        icmpv6.EchoReply(identifier=1, sequence=2),
    ),
    "destination unreachable": Vector(
        f"""60000000 000a 3a 40 {HA} {MN}
            01 03 42a1 00000000 6000""",
        icmpv6.DestinationUnreachable(code=3, invoking=b"\x60\x00"),
    ),
    "packet too big": Vector(
        f"""60000000 000a 3a 40 {HA} {MN}
            02 00 3ca4 00000500 6000""",
        icmpv6.PacketTooBig(mtu=1280, invoking=b"\x60\x00"),
    ),
    "time exceeded": Vector(
        f"""60000000 000a 3a 40 {HA} {MN}
            03 01 40a3 00000000 6000""",
        icmpv6.TimeExceeded(code=1, invoking=b"\x60\x00"),
    ),
    "parameter problem": Vector(
        f"""60000000 000a 3a 40 {HA} {MN}
            04 00 3f7c 00000028 6000""",
        icmpv6.ParameterProblem(code=0, pointer=40, invoking=b"\x60\x00"),
    ),
    "unknown icmpv6 message": Vector(
        f"""60000000 0006 3a 40 {HA} {MN}
            c8 07 1cb1 beef""",
        icmpv6.UnknownIcmpv6Message(icmpv6_type=200, code=7, body=b"\xbe\xef"),
    ),
    "udp": Vector(
        f"""60000000 000a 11 40 {HA} {MN}
            0222 0223 000a 947d 0b01""",
        Datagram(source_port=546, destination_port=547, data=b"\x0b\x01"),
    ),
    "udp without checksum is not read": Vector(
        f"""60000000 0008 11 40 {HA} {MN}
            0001 0002 0008 0000""",
        OpaquePayload(next_header=17, data=bytes.fromhex("0001000200080000")),
    ),
    "hop-by-hop options": Vector(
        f"""60000000 0010 00 40 {MN} {HA}
            3a 00 0502 0000 0100
            81 00 22a3 0001 0002""",
        icmpv6.EchoReply(identifier=1, sequence=2),
        (HopByHopOptions(options=(UnknownHeaderOption(option_type=5, data=b"\x00\x00"),)),),
    ),
    "whole packet in one fragment": Vector(
        f"""60000000 0010 2c 40 {MN} {HA}
            3a 00 0000 12345678
            81 00 22a3 0001 0002""",
        icmpv6.EchoReply(identifier=1, sequence=2),
        (FragmentHeader(offset=0, more=False, identification=0x12345678),),
    ),
    "first fragment": Vector(
        f"""60000000 0010 2c 40 {MN} {HA}
            87 00 0001 12345678
            3b 03 05 00 0000 0000""",
        OpaquePayload(next_header=135, data=bytes.fromhex("3b03050000000000")),
        (FragmentHeader(offset=0, more=True, identification=0x12345678),),
    ),
    "last fragment": Vector(
        f"""60000000 000b 2c 40 {MN} {HA}
            3c 00 0578 12345678
            aabbcc""",
        OpaquePayload(next_header=60, data=b"\xaa\xbb\xcc"),
        (FragmentHeader(offset=1400, more=False, identification=0x12345678),),
    ),
    "routing header that has arrived": Vector(
        f"""60000000 0020 2b 40 {MN} {HA}
            3a 02 04 00 00000000 {HOA}
            81 00 22a3 0001 0002""",
        icmpv6.EchoReply(identifier=1, sequence=2),
        (UnknownRoutingHeader(routing_type=4, segments_left=0, data=bytes(4) + HOME.packed),),
    ),
    "routing header that has not arrived": Vector(
        f"""60000000 0010 2b 40 {MN} {HA}
            3a 00 04 01 00000000
            81 00 0000 0001 0002""",
        OpaquePayload(next_header=58, data=bytes.fromhex("8100000000010002")),
        (UnknownRoutingHeader(routing_type=4, segments_left=1, data=bytes(4)),),
    ),
    "all headers in their order": Vector(
        f"""60000000 0048 00 40 {MN} {HA}
            2b 00 0104 0000 0000
            3c 02 02 01 00000000 {HOA}
            2c 02 0102 0000 c910 {HOA}
            3a 00 0000 00000001
            92 00 647b abcd 0000""",
        icmpv6.MobilePrefixSolicitation(identifier=0xABCD),
        (
            HopByHopOptions(),
            RoutingHeaderType2(home_address=HOME),
            HOME_ADDRESS,
            FragmentHeader(offset=0, more=False, identification=1),
        ),
    ),
}


def octets_of(vector: Vector) -> bytes:
    return bytes.fromhex(vector.octets)


def packet_of(vector: Vector) -> Packet:
    octets = octets_of(vector)
    return Packet(
        source=IPv6Address(octets[8:24]),
        destination=IPv6Address(octets[24:40]),
        headers=vector.headers,
        payload=vector.payload,
    )


@pytest.mark.rfc6275("6.1.1-a", "6.1.1-b", "6.1.2-a", "6.1.7-a", "6.1.8-a", "6.1.9-a", "6.2.1-a", "6.3-a", "6.5-a")
@pytest.mark.rfc6275("7.1-a", "7.2-a", "7.3-a", "7.4-a")
@pytest.mark.parametrize("name", VECTORS)
def test_reads(name: str) -> None:
    assert parse(octets_of(VECTORS[name])) == packet_of(VECTORS[name])


@pytest.mark.rfc6275("6.1.1-a", "6.1.1-b", "6.1.2-a", "6.1.7-a", "6.1.8-a", "6.1.9-a", "6.2.1-a", "6.3-a", "6.5-a")
@pytest.mark.rfc6275("7.1-a", "7.2-a", "7.3-a", "7.4-a")
@pytest.mark.parametrize("name", [name for name, vector in VECTORS.items() if not vector.reads_only])
def test_writes(name: str) -> None:
    assert build(packet_of(VECTORS[name])).hex() == octets_of(VECTORS[name]).hex()


def test_tunnelled_packet() -> None:
    inner = VECTORS["home test"]
    outer = bytes.fromhex(f"60000000 0040 29 40 {HA} {MN}") + octets_of(inner)
    packet = Packet(source=HOME_AGENT, destination=CARE_OF, payload=packet_of(inner))
    assert parse(outer) == packet
    assert build(packet) == outer


@pytest.mark.rfc6275("5.2.6-b")
def test_keeps_the_payload_as_it_arrived() -> None:
    octets = octets_of(VECTORS["binding update to a correspondent"])
    packet = parse(octets)
    assert packet.payload_octets == octets[40:]
    assert isinstance(packet.payload, mobility.BindingUpdate)
    last = packet.payload.options[-1]
    assert isinstance(last, options.BindingAuthorizationData)
    assert packet.payload_octets.endswith(last.authenticator)  # so nothing came behind it, not even padding
