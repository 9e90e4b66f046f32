"""Messages in one line."""

from ipaddress import IPv6Address

import pytest

from lab.wire import icmpv6, mobility, multicast_listener, neighbor, options
from lab.wire.mobility import BindingUpdateFlag as Flag
from lab.wire.packet import Datagram, OpaquePayload, Packet, Payload
from lab.wire.summary import name, summary

CARE_OF, HOME = IPv6Address("2001:db8:a1::2"), IPv6Address("2001:db8:1::100")
PREFIX = neighbor.PrefixInformation(
    prefix=IPv6Address("2001:db8:1::"), prefix_length=64, valid_lifetime=60, preferred_lifetime=30
)
SUMMARIES: list[tuple[Payload, str]] = [
    (
        mobility.BindingUpdate(
            sequence=7,
            flags=Flag.ACKNOWLEDGE | Flag.HOME_REGISTRATION,
            lifetime=60,
            options=(options.AlternateCareOfAddress(address=CARE_OF),),
        ),
        "Binding Update #7 AH lifetime 60 s, alternate care-of 2001:db8:a1::2",
    ),
    (mobility.BindingUpdate(sequence=7, flags=Flag(0), lifetime=0), "Binding Update #7 lifetime 0 s"),
    (
        mobility.BindingUpdate(
            sequence=8,
            flags=Flag.LINK_LOCAL_ADDRESS_COMPATIBILITY | Flag.KEY_MANAGEMENT_MOBILITY_CAPABILITY,
            lifetime=4,
            options=(
                options.NonceIndices(home=1, care_of=2),
                options.UnknownOption(option_type=99, data=b""),
                options.BindingAuthorizationData(authenticator=bytes(12)),
            ),
        ),
        "Binding Update #8 LK lifetime 4 s, nonce indices 1 and 2, option of unknown type 99, authorization data",
    ),
    (
        mobility.BindingAcknowledgement(
            status=0,
            key_management_mobility_capability=True,
            sequence=7,
            lifetime=60,
            options=(options.BindingRefreshAdvice(refresh_interval=48),),
        ),
        "Binding Acknowledgement #7 status 0 (accepted) K lifetime 60 s, refresh within 48 s",
    ),
    (
        mobility.BindingAcknowledgement(status=135, sequence=7, lifetime=0),
        "Binding Acknowledgement #7 status 135 (sequence number out of window) lifetime 0 s",
    ),
    (
        mobility.BindingAcknowledgement(status=200, sequence=7, lifetime=0),
        "Binding Acknowledgement #7 status 200 lifetime 0 s",
    ),
    (
        mobility.BindingError(status=2, home_address=HOME),
        "Binding Error status 2 (unrecognized mh type) for 2001:db8:1::100",
    ),
    (mobility.BindingRefreshRequest(), "Binding Refresh Request"),
    (mobility.HomeTestInit(cookie=bytes(8)), "Home Test Init"),
    (mobility.CareOfTestInit(cookie=bytes(8)), "Care-of Test Init"),
    (mobility.HomeTest(nonce_index=3, cookie=bytes(8), keygen_token=bytes(8)), "Home Test nonce index 3"),
    (mobility.CareOfTest(nonce_index=4, cookie=bytes(8), keygen_token=bytes(8)), "Care-of Test nonce index 4"),
    (mobility.UnknownMobilityMessage(mh_type=99, data=bytes(2)), "Mobility Header of unknown type 99"),
    (icmpv6.RouterSolicitation(), "Router Solicitation"),
    (
        icmpv6.RouterAdvertisement(home_agent=True, router_lifetime=30, options=(neighbor.LinkMtu(mtu=1500), PREFIX)),
        "Router Advertisement H lifetime 30 s, 2001:db8:1::/64",
    ),
    (icmpv6.RouterAdvertisement(router_lifetime=0), "Router Advertisement lifetime 0 s"),
    (icmpv6.NeighborSolicitation(target=HOME), "Neighbor Solicitation for 2001:db8:1::100"),
    (
        icmpv6.NeighborAdvertisement(target=HOME, router=True, solicited=True, override=True),
        "Neighbor Advertisement for 2001:db8:1::100 RSO",
    ),
    (icmpv6.NeighborAdvertisement(target=HOME), "Neighbor Advertisement for 2001:db8:1::100"),
    (icmpv6.HomeAgentAddressDiscoveryRequest(identifier=1), "Home Agent Address Discovery Request"),
    (
        icmpv6.HomeAgentAddressDiscoveryReply(identifier=1, addresses=(HOME, CARE_OF)),
        "Home Agent Address Discovery Reply, 2001:db8:1::100, 2001:db8:a1::2",
    ),
    (icmpv6.MobilePrefixSolicitation(identifier=1), "Mobile Prefix Solicitation"),
    (icmpv6.MobilePrefixAdvertisement(identifier=1, options=(PREFIX,)), "Mobile Prefix Advertisement, 2001:db8:1::/64"),
    (icmpv6.DestinationUnreachable(code=3, invoking=b""), "Destination Unreachable code 3"),
    (icmpv6.TimeExceeded(code=0, invoking=b""), "Time Exceeded code 0"),
    (icmpv6.ParameterProblem(code=0, pointer=40, invoking=b""), "Parameter Problem code 0 at 40"),
    (icmpv6.PacketTooBig(mtu=1280, invoking=b""), "Packet Too Big MTU 1280"),
    (icmpv6.EchoRequest(identifier=1, sequence=2), "Echo Request #2"),
    (icmpv6.EchoReply(identifier=1, sequence=2), "Echo Reply #2"),
    (
        multicast_listener.MulticastListenerQuery(
            max_response_code=100, group=IPv6Address("::"), robustness=2, interval_code=125
        ),
        "Multicast Listener Query",
    ),
    (
        multicast_listener.MulticastListenerQuery(
            max_response_code=100, group=IPv6Address("ff0e::1"), robustness=2, interval_code=125
        ),
        "Multicast Listener Query for ff0e::1",
    ),
    (
        multicast_listener.MulticastListenerReportV1(group=IPv6Address("ff0e::1")),
        "Multicast Listener Report V1 for ff0e::1",
    ),
    (multicast_listener.MulticastListenerDone(group=IPv6Address("ff0e::1")), "Multicast Listener Done for ff0e::1"),
    (
        multicast_listener.MulticastListenerReport(
            records=(multicast_listener.MulticastAddressRecord(record_type=4, group=IPv6Address("ff0e::1")),)
        ),
        "Multicast Listener Report, ff0e::1",
    ),
    (icmpv6.UnknownIcmpv6Message(icmpv6_type=200, code=1, body=b""), "ICMPv6 message of type 200 code 1"),
    (Datagram(source_port=546, destination_port=547, data=bytes(9)), "UDP 546 → 547, 9 octets"),
    (OpaquePayload(next_header=17, data=bytes(9)), "UDP, 9 octets"),
    (OpaquePayload(next_header=99, data=b""), "Payload of next header 99, 0 octets"),
    (
        Packet(source=HOME, destination=CARE_OF, payload=icmpv6.EchoRequest(identifier=1, sequence=2)),
        "Tunnelled packet 2001:db8:1::100 → 2001:db8:a1::2: Echo Request #2",
    ),
]


@pytest.mark.parametrize(("payload", "line"), SUMMARIES)
def test_summary(payload: Payload, line: str) -> None:
    assert summary(payload) == line
    assert line.startswith(name(payload))
