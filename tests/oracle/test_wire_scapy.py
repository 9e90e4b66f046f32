"""Scapy reads what we write, and we read what Scapy writes, field by field."""

from ipaddress import IPv6Address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet6 import HAO, IPv6, IPv6ExtHdrDestOpt

from lab.bench import codec
from lab.wire import icmpv6 as i6
from lab.wire import mobility as mh
from lab.wire import neighbor as nd
from lab.wire.options import UnknownOption
from lab.wire.packet import DestinationOptions, HomeAddressOption, Packet, RoutingHeaderType2, build, parse
from tests.fuzz.wire_packets import addresses, icmpv6_messages, mobility_messages, u8
from tests.oracle.scapy_packets import from_scapy, to_scapy

LAST_OPTION_THAT_SCAPY_KNOWS = 19
NOT_IN_SCAPY = (
    mh.UnknownMobilityMessage,  # whose length Scapy reads wrong
    i6.UnknownIcmpv6Message,
    i6.DestinationUnreachable,  # whose invoking packet Scapy dissects: so are those of Time Exceeded
    i6.TimeExceeded,
)


def in_scapys_terms(message: object) -> bool:
    """Tell whether Scapy can say a message; it has Binding Errors without options only."""
    if isinstance(message, NOT_IN_SCAPY):
        return False
    options = getattr(message, "options", ())
    if isinstance(message, mh.BindingError) and options:
        return False
    return not any(
        isinstance(option, nd.UnknownNeighborOption)
        or (isinstance(option, UnknownOption) and option.option_type <= LAST_OPTION_THAT_SCAPY_KNOWS)
        for option in options
    )


home_address_headers = addresses.map(
    lambda address: DestinationOptions(options=(HomeAddressOption(home_address=address),))
)
routing_headers = addresses.map(lambda address: RoutingHeaderType2(home_address=address))
packets = st.builds(
    Packet,
    source=addresses,
    destination=addresses,
    hop_limit=u8,
    traffic_class=u8,
    flow_label=st.integers(0, 0xFFFFF),
    headers=st.one_of(
        st.just(()),
        st.tuples(home_address_headers),
        st.tuples(routing_headers),
        st.tuples(routing_headers, home_address_headers),
    ),
    payload=st.one_of(mobility_messages, icmpv6_messages).filter(in_scapys_terms),
)
thorough = settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@pytest.mark.rfc6275("6.1.1-a", "6.1.2-a", "6.1.7-a", "6.1.8-a", "6.1.9-a", "6.2.1-a", "6.3-a", "6.5-a", "7.1-a")
@given(packets)
@thorough
def test_we_read_what_scapy_writes(packet: Packet) -> None:
    assert parse(bytes(to_scapy(packet))) == packet


@pytest.mark.rfc6275("6.1.1-a", "6.1.2-a", "6.1.7-a", "6.1.8-a", "6.1.9-a", "6.2.1-a", "6.3-a", "6.5-a", "7.1-a")
@given(packets)
@thorough
def test_scapy_reads_what_we_write(packet: Packet) -> None:
    said = IPv6(build(packet))
    assert from_scapy(said) == packet


def with_scapys_checksum(octets: bytes) -> bytes:
    packet = layer = IPv6(octets)
    while layer:
        if "cksum" in layer.fields:
            del layer.cksum
        if isinstance(layer, IPv6ExtHdrDestOpt):  # Scapy takes note of a Home Address option without padding only
            layer.options = [option for option in layer.options if isinstance(option, HAO)]
        layer = layer.payload
    return bytes(packet)


@given(packets)
@thorough
def test_scapy_makes_the_same_checksum(packet: Packet) -> None:
    octets = build(packet)
    assert with_scapys_checksum(octets) == octets


def test_scapy_would_make_another_checksum() -> None:
    octets = bytearray(codec.ours())
    octets[68] ^= 1
    assert with_scapys_checksum(bytes(octets)) == codec.ours()


@pytest.mark.rfc6275("6.1.7-a", "6.2.5-a", "6.3-a")
def test_binding_update_of_the_benchmark_is_the_same_on_both_sides() -> None:
    assert codec.ours(5) == codec.scapys(5)
    texts = ("2001:db8:a1::105", "2001:db8:1::1", "2001:db8:1::105")
    care_of_address, home_agent, home_address = map(IPv6Address, texts)
    assert codec.our_fields(codec.ours(5)) == (
        *(0, 0, 64, care_of_address, home_agent),
        *(home_address, 5, codec.FLAGS, 60, care_of_address),
    )
    assert codec.scapys_fields(codec.ours(5)) == (
        *(0, 0, 64, texts[0], texts[1]),
        *(texts[2], 5, "HA", 60 // 4, texts[0]),
    )
