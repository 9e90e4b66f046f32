"""What `parse` refuses, with the reason and the pointer that RFC 6275 §9.2 and RFC 8200 ask for."""

import pytest

from lab.errors import MalformedReason, WireError
from lab.wire.icmpv6 import MobilePrefixSolicitation, UnknownIcmpv6Message, parse_message
from lab.wire.mobility import BindingUpdate, HomeTestInit, UnknownMobilityMessage
from lab.wire.neighbor import UnknownNeighborOption
from lab.wire.packet import (
    IPV6,
    DestinationOptions,
    HopByHopOptions,
    OpaquePayload,
    OptionAction,
    Packet,
    UnknownHeaderOption,
    build,
    parse,
)
from tests.unit.wire_octets import (
    DESTINATION_OPTIONS,
    FRAGMENT,
    HOME,
    ICMPV6,
    MOBILITY_HEADER,
    ROUTING,
    icmpv6,
    mobility,
    packet,
    summed,
)

HOME_TEST_INIT = "3b01 01 00 0000 0000 0123456789abcdef"
HOME_ADDRESS = "02 0102 0000 c910" + HOME.hex()
"""A Destination Options header without its first octet."""


def refusal(octets: bytes) -> WireError:
    with pytest.raises(WireError) as caught:
        parse(octets)
    return caught.value


def refused(octets: bytes) -> tuple[MalformedReason, int | None]:
    error = refusal(octets)
    return error.reason, error.pointer


@pytest.mark.parametrize("size", [0, 1, 39])
def test_no_header(size: int) -> None:
    assert refused(bytes(size)) == (MalformedReason.TRUNCATED, None)


def test_not_version_6() -> None:
    assert refused(b"\x45" + packet(59, b"")[1:]) == (MalformedReason.NOT_IPV6, None)


def test_less_there_than_the_payload_length_says() -> None:
    assert refused(packet(17, bytes(8))[:-1]) == (MalformedReason.TRUNCATED, None)


@pytest.mark.rfc6275("6.1.1-a", "9.2-a")
@pytest.mark.parametrize("at", [40, 42, 45, 50])
def test_wrong_checksum_of_a_mobility_header_is_met_with_silence(at: int) -> None:
    octets = bytearray(packet(MOBILITY_HEADER, mobility(HOME_TEST_INIT)))
    octets[at] ^= 0x10
    assert refused(bytes(octets)) == (MalformedReason.BAD_CHECKSUM, None)


@pytest.mark.rfc6275("9.2-a")
def test_payload_proto_is_pointed_at() -> None:
    octets = packet(MOBILITY_HEADER, mobility("ff01 01 00 0000 0000 0123456789abcdef"))
    assert refused(octets) == (MalformedReason.BAD_PAYLOAD_PROTO, 40)


@pytest.mark.rfc6275("9.2-a")
def test_payload_proto_behind_a_home_address_option_is_pointed_at() -> None:
    header = bytes((MOBILITY_HEADER,)) + bytes.fromhex(HOME_ADDRESS)
    message = mobility("ff01 05 00 0000 0001 c000 000f 0102 0000", source=HOME)
    assert refused(packet(DESTINATION_OPTIONS, header + message)) == (MalformedReason.BAD_PAYLOAD_PROTO, 64)


@pytest.mark.rfc6275("9.2-a")
def test_payload_proto_of_a_tunnelled_message_is_pointed_at() -> None:
    inner = packet(MOBILITY_HEADER, mobility("ff01 01 00 0000 0000 0123456789abcdef"))
    assert refused(packet(IPV6, inner)) == (MalformedReason.BAD_PAYLOAD_PROTO, 80)


@pytest.mark.rfc6275("9.2-a")
@pytest.mark.parametrize(
    ("mh_type", "length"), [(1, 0), (2, 0), (3, 0), (3, 1), (4, 0), (4, 1), (5, 0), (6, 0), (7, 0), (7, 1)]
)
def test_length_below_the_minimum_is_pointed_at(mh_type: int, length: int) -> None:
    message = bytes((59, length, mh_type)) + bytes(length * 8 + 5)
    octets = packet(MOBILITY_HEADER, summed(MOBILITY_HEADER, message, at=4))
    assert refused(octets) == (MalformedReason.MESSAGE_TOO_SHORT, 41)


@pytest.mark.rfc6275("9.2-a")
def test_length_field_that_does_not_own_up_to_its_octets_is_pointed_at() -> None:
    octets = packet(MOBILITY_HEADER, mobility("3b00 01 00 0000 0000 0123456789abcdef"))
    assert refused(octets) == (MalformedReason.MESSAGE_TOO_SHORT, 41)


@pytest.mark.rfc6275("9.2-a")
def test_unknown_type_comes_before_payload_proto() -> None:
    message = parse(packet(MOBILITY_HEADER, mobility("ff01 08 00 0000 0000 0123456789abcdef"))).payload
    assert message == UnknownMobilityMessage(mh_type=8, data=bytes.fromhex("00000123456789abcdef"))


@pytest.mark.rfc6275("9.2-a")
def test_payload_proto_comes_before_length() -> None:
    octets = packet(MOBILITY_HEADER, mobility("3a00 05 00 0000 0000 0123456789abcdef"))
    assert refused(octets) == (MalformedReason.BAD_PAYLOAD_PROTO, 40)


@pytest.mark.parametrize("size", [0, 7])
def test_mobility_header_of_less_than_eight_octets(size: int) -> None:
    assert refused(packet(MOBILITY_HEADER, bytes(size))) == (MalformedReason.TRUNCATED, None)


def test_mobility_header_longer_than_its_packet() -> None:
    octets = packet(MOBILITY_HEADER, mobility("3b02 01 00 0000 0000 0123456789abcdef"))
    assert refused(octets) == (MalformedReason.TRUNCATED, None)


@pytest.mark.rfc6275("6.1.1-a", "9.2-a")
@pytest.mark.parametrize("size", [0, 16])
def test_piggybacked_message_is_found_whichever_octets_were_summed_up(size: int) -> None:
    message = bytes.fromhex("3a01 01 00 0000 0000 0123456789abcdef 80000000 00010002")
    octets = packet(MOBILITY_HEADER, summed(MOBILITY_HEADER, message, at=4, size=size))
    assert refused(octets) == (MalformedReason.BAD_PAYLOAD_PROTO, 40)


def test_octets_behind_no_next_header_are_not_read() -> None:
    octets = packet(MOBILITY_HEADER, mobility(HOME_TEST_INIT + "ffffffffffffffff"))
    assert parse(octets).payload == HomeTestInit(cookie=bytes.fromhex("0123456789abcdef"))


@pytest.mark.rfc6275("6.2.1-a")
@pytest.mark.parametrize(
    "options",
    [
        "0201 00 00",  # Binding Refresh Advice of 1
        "0203 000000 00 00 00 00 00",  # and of 3
        "030f" + "00" * 18,  # Alternate Care-of Address of 15
        "0402 0000",  # Nonce Indices of 2
        "050b" + "00" * 15,  # Binding Authorization Data of 11
        "0510" + "00" * 18,  # and of 16, which Scapy thinks right
        "0104 0000",  # padding beyond the end
        "c803 0000",  # an unknown option beyond the end
        "0101 00 c8",  # an option without a length
    ],
)
def test_mobility_options_of_wrong_lengths(options: str) -> None:
    text = "0001 c000 000f" + options
    size = (6 + len(bytes.fromhex(text))) // 8
    octets = packet(MOBILITY_HEADER, mobility(f"3b{size - 1:02x} 05 00 0000" + text))
    assert refused(octets) == (MalformedReason.BAD_OPTION, None)


@pytest.mark.rfc6275("6.1.1-a", "6.3-a")
def test_home_address_stands_for_the_source_in_the_checksum() -> None:
    header = bytes((MOBILITY_HEADER,)) + bytes.fromhex(HOME_ADDRESS)
    text = "3b01 05 00 0000 0001 c000 000f 0102 0000"
    assert isinstance(parse(packet(DESTINATION_OPTIONS, header + mobility(text, source=HOME))).payload, BindingUpdate)
    assert refused(packet(DESTINATION_OPTIONS, header + mobility(text))) == (MalformedReason.BAD_CHECKSUM, None)


@pytest.mark.rfc6275("6.1.1-a", "6.4-a")
def test_home_address_stands_for_the_destination_in_the_checksum() -> None:
    header = bytes((ICMPV6, 2, 2, 1)) + bytes(4) + HOME
    text = "9200 0000 abcd 0000"
    message = parse(packet(ROUTING, header + icmpv6(text, destination=HOME))).payload
    assert message == MobilePrefixSolicitation(identifier=0xABCD)
    assert refused(packet(ROUTING, header + icmpv6(text))) == (MalformedReason.BAD_CHECKSUM, None)


@pytest.mark.rfc6275("6.3-a")
@pytest.mark.parametrize("next_header", [MOBILITY_HEADER, 17, 50])
def test_second_home_address_option(next_header: int) -> None:
    twice = (
        bytes((DESTINATION_OPTIONS,))
        + bytes.fromhex(HOME_ADDRESS)
        + bytes((next_header,))
        + bytes.fromhex(HOME_ADDRESS)
    )
    message = mobility(HOME_TEST_INIT, source=HOME)
    assert refused(packet(DESTINATION_OPTIONS, twice + message)) == (MalformedReason.BAD_OPTION, None)


@pytest.mark.rfc6275("6.3-a")
@pytest.mark.parametrize("length", [0, 4, 15, 17, 20])
def test_home_address_option_of_a_wrong_length(length: int) -> None:
    option = bytes((0xC9, length)) + bytes(length)
    padding = bytes(-(2 + len(option)) % 8)
    size = (2 + len(option) + len(padding)) // 8 - 1
    header = bytes((17, size)) + option + padding
    assert refused(packet(DESTINATION_OPTIONS, header)) == (MalformedReason.BAD_OPTION, None)


@pytest.mark.rfc6275("6.4-a", "15.9-a")
@pytest.mark.parametrize(
    ("header", "detail"),
    [
        (bytes((ICMPV6, 4, 2, 1)) + bytes(36), "type 2 routing header of length 4, not 2"),
        (bytes((ICMPV6, 0, 2, 1)) + bytes(4), "type 2 routing header of length 0, not 2"),
        (bytes((ICMPV6, 2, 2, 0)) + bytes(4) + HOME, "type 2 routing header, 0 segments left"),
        (bytes((ICMPV6, 2, 2, 2)) + bytes(4) + HOME, "type 2 routing header, 2 segments left"),
    ],
)
def test_type_2_routing_header_is_refused_in_silence(header: bytes, detail: str) -> None:
    error = refusal(packet(ROUTING, header + icmpv6("8000 0000 0001 0002", destination=HOME)))
    assert (error.reason, error.detail) == (MalformedReason.BAD_ROUTING_HEADER, detail)
    assert error.pointer is None  # §11.3.3


@pytest.mark.parametrize(
    ("next_header", "payload"), [(0, b""), (60, b"\x3b"), (43, bytes(7)), (44, bytes(7)), (60, b"\x3b\x01" + bytes(13))]
)
def test_extension_header_longer_than_its_packet(next_header: int, payload: bytes) -> None:
    assert refused(packet(next_header, payload)) == (MalformedReason.TRUNCATED, None)


def test_fragment_that_leaves_a_gap_is_pointed_at() -> None:
    octets = packet(FRAGMENT, bytes((17, 0, 0, 1, 0, 0, 0, 1)) + bytes(9))
    assert refused(octets) == (MalformedReason.BAD_FRAGMENT, 4)


def test_fragment_beyond_the_largest_packet_is_pointed_at() -> None:
    octets = packet(FRAGMENT, bytes((17, 0, 0xFF, 0xF8, 0, 0, 0, 1)) + bytes(8))
    assert refused(octets) == (MalformedReason.BAD_FRAGMENT, 42)


def test_wrong_checksum_of_icmpv6() -> None:
    assert refused(packet(ICMPV6, bytes.fromhex("8000 0000 0001 0002"))) == (MalformedReason.BAD_CHECKSUM, None)


@pytest.mark.parametrize("text", ["8000 0000 0001", "8700 0000" + "00" * 19, "9200 0000 abcd"])
def test_icmpv6_too_short(text: str) -> None:
    assert refused(packet(ICMPV6, icmpv6(text))) == (MalformedReason.BAD_LENGTH, None)


GROUP = "ff0e" + "00" * 14


@pytest.mark.parametrize(
    "text",
    [
        "8f00 0000 0000",  # no number of records
        "8f00 0000 0000 0001",
        f"8f00 0000 0000 0002 0400 0000 {GROUP}",
        f"8f00 0000 0000 0001 0400 0001 {GROUP} 20010db8",  # the source is cut
        f"8200 0000 0064 0000 {GROUP} 027d",  # no number of sources
        f"8200 0000 0064 0000 {GROUP} 027d 0001",
        "8300 0000 0000 0000",
        "8400 0000 0000 0000 ff0e",
    ],
)
def test_multicast_listener_discovery_that_ends_too_soon(text: str) -> None:
    assert refused(packet(ICMPV6, icmpv6(text))) == (MalformedReason.BAD_LENGTH, None)


def test_icmpv6_shorter_than_its_fixed_part() -> None:
    with pytest.raises(WireError, match="an ICMPv6 message of 3 octets"):
        parse_message(bytes(3))


@pytest.mark.parametrize("option", ["0100 0000 0000 0000", "0502 0000 0000 0000", "05"])
def test_neighbor_discovery_options_of_wrong_lengths(option: str) -> None:
    octets = packet(ICMPV6, icmpv6("8500 0000 00000000" + option))
    assert refused(octets) == (MalformedReason.BAD_OPTION, None)


def test_neighbor_discovery_option_of_a_length_of_its_own_is_unknown() -> None:
    message = parse(packet(ICMPV6, icmpv6("8500 0000 00000000 0502" + "00" * 14))).payload
    assert getattr(message, "options", None) == (UnknownNeighborOption(option_type=5, data=bytes(14)),)


def test_icmpv6_code_that_its_type_does_not_define_is_unknown() -> None:
    message = parse(packet(ICMPV6, icmpv6("8701 0000" + "00" * 20))).payload
    assert message == UnknownIcmpv6Message(icmpv6_type=135, code=1, body=bytes(20))


@pytest.mark.parametrize(
    ("option_type", "action"),
    [
        (0x05, OptionAction.SKIP),
        (0x45, OptionAction.DISCARD),
        (0x85, OptionAction.REPORT),
        (0xC5, OptionAction.REPORT_UNLESS_MULTICAST),
    ],
)
def test_unknown_header_option_is_kept_with_what_to_do_about_it(option_type: int, action: OptionAction) -> None:
    (header,) = parse(packet(DESTINATION_OPTIONS, bytes((17, 0, 0, option_type, 3, 1, 2, 3)))).headers
    assert header == DestinationOptions(options=(UnknownHeaderOption(option_type=option_type, data=b"\1\2\3"),))
    (option,) = header.options
    assert isinstance(option, UnknownHeaderOption)
    assert option.action is action
    assert option.pointer == 43


@pytest.mark.rfc6275("6.3-a")
def test_home_address_option_means_nothing_hop_by_hop() -> None:
    found = parse(packet(0, bytes((17,)) + bytes.fromhex(HOME_ADDRESS)))
    assert found.headers == (HopByHopOptions(options=(UnknownHeaderOption(option_type=0xC9, data=HOME),)),)
    assert found.home_address is None


def test_hop_by_hop_options_come_first_or_not_at_all() -> None:
    chain = bytes((0, 0, 1, 4, 0, 0, 0, 0)) + bytes((17, 0, 1, 4, 0, 0, 0, 0))
    found = parse(packet(DESTINATION_OPTIONS, chain))
    assert found.headers == (DestinationOptions(),)
    assert found.payload == OpaquePayload(next_header=0, data=chain[8:])


def test_deep_nesting_is_left_unread() -> None:
    octets = packet(17, b"")
    for _ in range(20):
        octets = packet(IPV6, octets)
    found = parse(octets)
    depth = 0
    while isinstance(found.payload, Packet):
        found, depth = found.payload, depth + 1
    assert depth == 8
    assert isinstance(found.payload, OpaquePayload)
    assert found.payload.next_header == IPV6
    assert build(parse(octets)) == octets
