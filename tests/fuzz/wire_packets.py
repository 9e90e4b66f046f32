"""Hypothesis strategies for everything that `lab.wire` can write."""

from ipaddress import IPv6Address
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lab.wire import dhcpv6, icmpv6, mobility, multicast_listener, neighbor, options
from lab.wire.packet import (
    Datagram,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HeaderOption,
    HomeAddressOption,
    HopByHopOptions,
    OpaquePayload,
    Packet,
    Payload,
    RoutingHeaderType2,
    UnknownHeaderOption,
    UnknownRoutingHeader,
)

_READ_BY_US = {0, 41, 43, 44, 58, 60, 135}

u8 = st.integers(0, 0xFF)
u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
seconds_by_4 = u16.map(lambda units: units * 4)
addresses = st.integers(0, 2**128 - 1).map(IPv6Address)
flags = st.integers(0, 15).map(lambda bits: mobility.BindingUpdateFlag(bits << 12))


def octets(size: int) -> SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


def eights(more: int, limit: int = 5) -> SearchStrategy[bytes]:
    """Octets that, with so many `more` in front, fill units of eight."""
    return st.integers(1, limit).flatmap(lambda units: octets(units * 8 - more))


mobility_options = st.one_of(
    st.builds(options.BindingRefreshAdvice, refresh_interval=seconds_by_4),
    st.builds(options.AlternateCareOfAddress, address=addresses),
    st.builds(options.NonceIndices, home=u16, care_of=u16),
    st.builds(options.BindingAuthorizationData, authenticator=octets(12)),
    st.builds(options.UnknownOption, option_type=st.integers(6, 0xFF), data=st.binary(max_size=20)),
)
_options: dict[str, Any] = {"options": st.lists(mobility_options, max_size=5).map(tuple)}
_cookie: dict[str, Any] = {"cookie": octets(8)}
_test: dict[str, Any] = {"nonce_index": u16, "cookie": octets(8), "keygen_token": octets(8)}

mobility_messages = st.one_of(
    st.builds(mobility.BindingRefreshRequest, **_options),
    st.builds(mobility.HomeTestInit, **_cookie, **_options),
    st.builds(mobility.CareOfTestInit, **_cookie, **_options),
    st.builds(mobility.HomeTest, **_test, **_options),
    st.builds(mobility.CareOfTest, **_test, **_options),
    st.builds(mobility.BindingUpdate, sequence=u16, flags=flags, lifetime=seconds_by_4, **_options),
    st.builds(
        mobility.BindingAcknowledgement,
        status=u8,
        key_management_mobility_capability=st.booleans(),
        sequence=u16,
        lifetime=seconds_by_4,
        **_options,
    ),
    st.builds(mobility.BindingError, status=u8, home_address=addresses, **_options),
    st.builds(mobility.UnknownMobilityMessage, mh_type=st.integers(8, 0xFF), data=eights(6)),
)

neighbor_options = st.one_of(
    st.builds(neighbor.SourceLinkLayerAddress, address=octets(6)),
    st.builds(neighbor.TargetLinkLayerAddress, address=octets(6)),
    st.builds(
        neighbor.PrefixInformation,
        prefix=addresses,
        prefix_length=u8,
        on_link=st.booleans(),
        autonomous=st.booleans(),
        router_address=st.booleans(),
        valid_lifetime=u32,
        preferred_lifetime=u32,
    ),
    st.builds(neighbor.LinkMtu, mtu=u32),
    st.builds(neighbor.AdvertisementInterval, interval=u32),
    st.builds(neighbor.HomeAgentInformation, preference=u16, lifetime=u16),
    st.builds(
        neighbor.UnknownNeighborOption,
        option_type=u8.filter(lambda kind: kind not in {1, 2, 3, 5, 7, 8}),
        data=eights(2),
    ),
    st.builds(neighbor.UnknownNeighborOption, option_type=st.sampled_from([1, 2, 5, 8]), data=octets(14)),
)
_neighbor_options: dict[str, Any] = {"options": st.lists(neighbor_options, max_size=4).map(tuple)}
_configuration: dict[str, Any] = {"managed": st.booleans(), "other": st.booleans()}
_invoking: dict[str, Any] = {"invoking": st.binary(max_size=60)}
_echo: dict[str, Any] = {"identifier": u16, "sequence": u16, "data": st.binary(max_size=60)}
_sources: dict[str, Any] = {"sources": st.lists(addresses, max_size=3).map(tuple)}
multicast_listener_messages = st.one_of(
    st.builds(
        multicast_listener.MulticastListenerQuery,
        max_response_code=u16,
        group=addresses,
        robustness=st.integers(0, 15),
        interval_code=u8,
        **_sources,
    ),
    st.builds(multicast_listener.MulticastListenerReportV1, group=addresses),
    st.builds(multicast_listener.MulticastListenerDone, group=addresses),
    st.builds(
        multicast_listener.MulticastListenerReport,
        records=st.lists(
            st.builds(
                multicast_listener.MulticastAddressRecord,
                record_type=st.integers(1, 6),
                group=addresses,
                **_sources,
            ),
            max_size=3,
        ).map(tuple),
    ),
)
_KNOWN_ICMPV6 = {
    1,
    2,
    3,
    4,
    128,
    129,
    *multicast_listener.MULTICAST_LISTENER_TYPES,
    133,
    134,
    135,
    136,
    144,
    145,
    146,
    147,
}

icmpv6_messages = st.one_of(
    st.builds(icmpv6.DestinationUnreachable, code=u8, **_invoking),
    st.builds(icmpv6.PacketTooBig, mtu=u32, **_invoking),
    st.builds(icmpv6.TimeExceeded, code=u8, **_invoking),
    st.builds(icmpv6.ParameterProblem, code=u8, pointer=u32, **_invoking),
    st.builds(icmpv6.EchoRequest, **_echo),
    st.builds(icmpv6.EchoReply, **_echo),
    multicast_listener_messages,
    st.builds(icmpv6.RouterSolicitation, **_neighbor_options),
    st.builds(
        icmpv6.RouterAdvertisement,
        cur_hop_limit=u8,
        home_agent=st.booleans(),
        router_lifetime=u16,
        reachable_time=u32,
        retrans_timer=u32,
        **_configuration,
        **_neighbor_options,
    ),
    st.builds(icmpv6.NeighborSolicitation, target=addresses, **_neighbor_options),
    st.builds(
        icmpv6.NeighborAdvertisement,
        router=st.booleans(),
        solicited=st.booleans(),
        override=st.booleans(),
        target=addresses,
        **_neighbor_options,
    ),
    st.builds(icmpv6.HomeAgentAddressDiscoveryRequest, identifier=u16),
    st.builds(
        icmpv6.HomeAgentAddressDiscoveryReply, identifier=u16, addresses=st.lists(addresses, max_size=4).map(tuple)
    ),
    st.builds(icmpv6.MobilePrefixSolicitation, identifier=u16),
    st.builds(icmpv6.MobilePrefixAdvertisement, identifier=u16, **_configuration, **_neighbor_options),
    st.builds(
        icmpv6.UnknownIcmpv6Message,
        icmpv6_type=u8.filter(lambda kind: kind not in _KNOWN_ICMPV6),
        code=u8,
        body=st.binary(max_size=60),
    ),
    st.builds(
        icmpv6.UnknownIcmpv6Message,
        icmpv6_type=st.sampled_from([2, 128, 130, 134, 143, 144, 147]),
        code=st.integers(1, 0xFF),
        body=st.binary(max_size=60),
    ),
)

unknown_header_options = st.builds(
    UnknownHeaderOption,
    option_type=st.integers(2, 0xFF).filter(lambda kind: kind != 0xC9),
    data=st.binary(max_size=20),
)
home_address_options = st.builds(HomeAddressOption, home_address=addresses)
opaque_payloads = st.builds(
    OpaquePayload, next_header=u8.filter(lambda kind: kind not in _READ_BY_US), data=st.binary(max_size=80)
)
datagrams = st.builds(Datagram, source_port=u16, destination_port=u16, data=st.binary(max_size=80))

_dhcpv6_options: dict[str, Any] = {
    "options": st.lists(st.builds(dhcpv6.Dhcpv6Option, code=u16, data=st.binary(max_size=40)), max_size=4).map(tuple)
}
_relayed: dict[str, Any] = {"hop_count": u8, "link_address": addresses, "peer_address": addresses, **_dhcpv6_options}
dhcpv6_messages = st.one_of(
    st.builds(
        dhcpv6.Dhcpv6Message,
        message_type=u8.filter(lambda kind: kind not in {12, 13}),
        transaction_id=octets(3),
        **_dhcpv6_options,
    ),
    st.builds(dhcpv6.RelayForward, **_relayed),
    st.builds(dhcpv6.RelayReply, **_relayed),
)


@st.composite
def destination_options(draw: st.DrawFn) -> DestinationOptions:
    """Make a header with at most one Home Address option (§6.3)."""
    chosen: list[HeaderOption] = draw(st.lists(unknown_header_options, max_size=3))
    if draw(st.booleans()):
        chosen.insert(draw(st.integers(0, len(chosen))), draw(home_address_options))
    return DestinationOptions(options=tuple(chosen))


_routing_headers = st.one_of(
    st.builds(RoutingHeaderType2, home_address=addresses),
    st.builds(
        UnknownRoutingHeader,
        routing_type=u8.filter(lambda kind: kind != 2),
        segments_left=st.just(0),
        data=eights(4),
    ),
)


@st.composite
def extension_headers(draw: st.DrawFn) -> tuple[ExtensionHeader, ...]:
    """Make a chain behind which the payload can be read: in any order, one Home Address option at most."""
    headers: list[ExtensionHeader] = []
    if draw(st.booleans()):
        some = st.lists(unknown_header_options, max_size=3).map(tuple)
        headers.append(draw(st.builds(HopByHopOptions, options=some)))
    others: list[SearchStrategy[ExtensionHeader]] = [
        _routing_headers,
        st.builds(FragmentHeader, offset=st.just(0), more=st.just(False), identification=u32),
        st.builds(DestinationOptions, options=st.lists(unknown_header_options, max_size=3).map(tuple)),
    ]
    headers += draw(st.lists(st.one_of(others), max_size=3))
    if draw(st.booleans()):
        headers.append(draw(destination_options()))
    return tuple(headers)


def _packet(payload: SearchStrategy[Any], headers: SearchStrategy[Any]) -> SearchStrategy[Packet]:
    return st.builds(
        Packet,
        source=addresses,
        destination=addresses,
        payload=payload,
        headers=headers,
        hop_limit=u8,
        traffic_class=u8,
        flow_label=st.integers(0, 0xFFFFF),
    )


_messages: SearchStrategy[Payload] = st.one_of(mobility_messages, icmpv6_messages, datagrams, opaque_payloads)
whole_packets = st.recursive(
    _packet(_messages, extension_headers()),
    lambda inner: _packet(inner, extension_headers()),
    max_leaves=3,
)
fragments = _packet(
    st.builds(OpaquePayload, next_header=u8, data=eights(0)),
    st.tuples(
        st.builds(FragmentHeader, offset=u8.map(lambda eight: eight * 8), more=st.just(True), identification=u32)
    ),
)
source_routed = _packet(
    st.builds(OpaquePayload, next_header=u8, data=st.binary(max_size=80)),
    st.tuples(
        st.builds(UnknownRoutingHeader, routing_type=st.just(4), segments_left=st.integers(1, 0xFF), data=eights(4))
    ),
)
packets = st.one_of(whole_packets, fragments, source_routed)
"""Every packet of which `parse(build(packet)) == packet`."""
