"""DHCPv6 and its datagrams as octets: written by hand, refused, recognised."""

from ipaddress import IPv6Address

import pytest

from lab.errors import MalformedReason, WireError
from lab.wire.dhcpv6 import (
    Dhcpv6Message,
    Dhcpv6Option,
    Message,
    RelayForward,
    RelayReply,
    build_message,
    is_dhcpv6_of_link,
    name_of,
    option_of,
    parse_message,
)
from lab.wire.fields import FieldError
from lab.wire.packet import (
    Datagram,
    DestinationOptions,
    FragmentHeader,
    OpaquePayload,
    Packet,
    UnknownHeaderOption,
    build,
    parse,
)
from tests.unit.wire_octets import packet, summed

LINK, PEER = IPv6Address("2001:db8:1::1"), IPv6Address("fe80::100")
OPTIONS = (Dhcpv6Option(code=18, data=b"if"), Dhcpv6Option(code=9, data=b"\x0b\0\0\1"), Dhcpv6Option(code=14, data=b""))
OPTIONS_WRITTEN = "0012 0002 6966 0009 0004 0b000001 000e 0000"
ENDS = f"{LINK.packed.hex()} {PEER.packed.hex()}"
UDP = 17
VECTORS: list[tuple[Message, str, str]] = [
    (Dhcpv6Message(message_type=11, transaction_id=b"\1\2\3"), "0b 010203", "Information-request"),
    (
        Dhcpv6Message(message_type=1, transaction_id=b"\1\2\3", options=OPTIONS),
        f"01 010203 {OPTIONS_WRITTEN}",
        "Solicit",
    ),
    (Dhcpv6Message(message_type=200, transaction_id=bytes(3)), "c8 000000", "Message of type 200"),
    (
        RelayForward(hop_count=7, link_address=LINK, peer_address=PEER, options=OPTIONS),
        f"0c 07 {ENDS} {OPTIONS_WRITTEN}",
        "Relay-forward",
    ),
    (RelayReply(hop_count=0, link_address=LINK, peer_address=PEER), f"0d 00 {ENDS}", "Relay-reply"),
]


@pytest.mark.parametrize(("message", "octets", "name"), VECTORS, ids=[name for _, _, name in VECTORS])
def test_octets_of_messages(message: Message, octets: str, name: str) -> None:
    assert build_message(message) == bytes.fromhex(octets)
    assert parse_message(bytes.fromhex(octets)) == message
    assert name_of(message) == name


def test_options_are_found_by_their_codes() -> None:
    message = Dhcpv6Message(message_type=1, transaction_id=bytes(3), options=(*OPTIONS, Dhcpv6Option(code=9, data=b"")))
    assert option_of(message, 9) == b"\x0b\0\0\1"
    assert option_of(message, 14) == b""
    assert option_of(message, 1) is None


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("", MalformedReason.BAD_LENGTH),
        ("0b 0102", MalformedReason.BAD_LENGTH),
        (f"0c 00 {ENDS}"[:-2], MalformedReason.BAD_LENGTH),
        (f"0d 00 {ENDS}"[:-2], MalformedReason.BAD_LENGTH),
        ("0b 010203 0012", MalformedReason.BAD_OPTION),
        ("0b 010203 0012 00", MalformedReason.BAD_OPTION),
        ("0b 010203 0012 0002 69", MalformedReason.BAD_OPTION),
        (f"0c 00 {ENDS} 0009 ffff", MalformedReason.BAD_OPTION),
    ],
)
def test_what_is_no_message_is_refused(octets: str, reason: MalformedReason) -> None:
    with pytest.raises(WireError) as caught:
        parse_message(bytes.fromhex(octets))
    assert caught.value.reason is reason


@pytest.mark.parametrize(
    "message",
    [
        Dhcpv6Message(message_type=256, transaction_id=bytes(3)),
        Dhcpv6Message(message_type=1, transaction_id=bytes(4)),
        Dhcpv6Message(message_type=1, transaction_id=bytes(3), options=(Dhcpv6Option(code=65536, data=b""),)),
        Dhcpv6Message(message_type=1, transaction_id=bytes(3), options=(Dhcpv6Option(code=1, data=bytes(65536)),)),
        RelayForward(hop_count=256, link_address=LINK, peer_address=PEER),
    ],
)
def test_what_fits_no_field_cannot_be_written(message: Message) -> None:
    with pytest.raises(FieldError):
        build_message(message)


# Datagrams


def test_a_datagram_is_read_where_length_and_checksum_are_right() -> None:
    right = summed(UDP, bytes.fromhex("0222 0223 0009 0000 0b"), at=6)
    assert parse(packet(UDP, right)).payload == Datagram(source_port=546, destination_port=547, data=b"\x0b")


@pytest.mark.parametrize(
    "octets",
    [
        summed(UDP, bytes.fromhex("0222 0223 0008 0000 0b"), at=6),
        summed(UDP, bytes.fromhex("0222 0223 000a 0000 0b"), at=6),
        bytes.fromhex("0222 0223 0009 0000 0b"),
        summed(UDP, bytes.fromhex("0222 0223 0009 0000 0b"), at=6)[:-1] + b"\x0c",
        bytes.fromhex("0222 0223 0009"),
    ],
    ids=["too long", "too short", "no checksum", "wrong checksum", "no header"],
)
def test_what_only_pretends_to_be_one_is_left_as_it_is(octets: bytes) -> None:
    assert parse(packet(UDP, octets)).payload == OpaquePayload(next_header=UDP, data=octets)


def test_a_checksum_of_zero_is_written_in_its_other_form() -> None:
    """RFC 8200 §8.1; the last two octets are what makes it zero."""
    datagram = Datagram(source_port=1, destination_port=2, data=bytes(2))
    found = int.from_bytes(build(Packet(source=LINK, destination=PEER, payload=datagram))[46:48], "big")
    zero = Datagram(source_port=1, destination_port=2, data=found.to_bytes(2, "big"))
    octets = build(Packet(source=LINK, destination=PEER, payload=zero))
    assert octets[46:48] == b"\xff\xff"
    assert parse(octets).payload == zero


# Recognised by planes

CLIENT, SERVERS, AGENT = IPv6Address("fe80::100"), IPv6Address("ff02::1:2"), IPv6Address("fe80::1")
HOME = IPv6Address("2001:db8:1::100")


def said(
    source: IPv6Address = CLIENT, destination: IPv6Address = SERVERS, ports: tuple[int, int] = (546, 547)
) -> Packet:
    return Packet(
        source=source,
        destination=destination,
        payload=Datagram(source_port=ports[0], destination_port=ports[1], data=b"\x0b\0\0\1"),
    )


@pytest.mark.rfc6275("10.4.4-a")
@pytest.mark.parametrize(
    ("spoken", "expected"),
    [
        (said(), True),
        (said(destination=AGENT), True),
        (said(source=AGENT, destination=CLIENT, ports=(547, 546)), True),
        (said(source=HOME), False),
        (said(destination=HOME), False),
        (said(destination=IPv6Address("ff05::1:3")), False),
        (said(destination=IPv6Address("ff02::1")), False),
        (said(ports=(546, 548)), False),
        (Packet(source=CLIENT, destination=SERVERS, payload=OpaquePayload(next_header=6, data=bytes(20))), False),
        (
            Packet(
                source=CLIENT,
                destination=SERVERS,
                headers=(FragmentHeader(offset=0, more=True, identification=1),),
                payload=OpaquePayload(next_header=UDP, data=bytes.fromhex("0222 0223 0100 0000")),
            ),
            False,
        ),
        (
            Packet(
                source=CLIENT,
                destination=SERVERS,
                headers=(DestinationOptions(options=(UnknownHeaderOption(option_type=30, data=b""),)),),
                payload=said().payload,
            ),
            True,
        ),
    ],
)
def test_dhcpv6_of_a_link_is_known_by_addresses_and_ports(spoken: Packet, expected: bool) -> None:
    assert is_dhcpv6_of_link(build(spoken)) is expected


def test_cut_packets_are_none() -> None:
    octets = build(said())
    assert [size for size in range(len(octets)) if is_dhcpv6_of_link(octets[:size])] == [*range(44, len(octets))]
