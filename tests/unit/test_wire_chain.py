"""Headers of RFC 6275 put into octets and taken out again: nothing else of a packet changes."""

from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers import inet, inet6
from scapy.packet import Raw

from lab.wire.chain import (
    ADDED_OCTETS,
    FRAGMENT,
    HOP_BY_HOP,
    PERHAPS_NESTED,
    ROUTING,
    Nesting,
    destination,
    encapsulation_limit,
    fragments,
    is_prefix_discovery,
    nesting,
    optimise,
    restore,
    source,
    walk,
    with_payload,
)
from lab.wire.icmpv6 import EchoRequest, MobilePrefixAdvertisement, MobilePrefixSolicitation
from lab.wire.invoking import read_invoking
from lab.wire.mobility import BindingRefreshRequest
from lab.wire.packet import (
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
    HeaderOption,
    HomeAddressOption,
    HopByHopOptions,
    OpaquePayload,
    Packet,
    RoutingHeaderType2,
    UnknownHeaderOption,
    UnknownRoutingHeader,
    build,
    mobility_packet,
    parse,
)
from tests.fuzz import wire_packets
from tests.fuzz.wire_packets import (
    addresses,
    eights,
    icmpv6_messages,
    mobility_messages,
    opaque_payloads,
    packets,
    u32,
    unknown_header_options,
)

HOME, CARE_OF, PEER = (IPv6Address(f"2001:db8:{text}") for text in ("1::100", "a1::2", "c::1"))
PEERS_CARE_OF = IPv6Address("2001:db8:a2::2")
ECHO = EchoRequest(identifier=1, sequence=2, data=b"payload")
EXAMPLES = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])

_some_options = st.lists(unknown_header_options, max_size=3).map(tuple)
_plain: list[st.SearchStrategy[ExtensionHeader]] = [
    st.builds(
        UnknownRoutingHeader,
        routing_type=st.integers(0, 255).filter(lambda kind: kind != 2),
        segments_left=st.just(0),
        data=eights(4),
    ),
    st.builds(DestinationOptions, options=_some_options),
    st.builds(FragmentHeader, offset=st.just(0), more=st.just(False), identification=u32),
]


@st.composite
def plain_packets(draw: st.DrawFn) -> Packet:
    """Make a packet between home addresses, as the kernel sends it, whole or a fragment."""
    if draw(st.integers(0, 4)) == 0:
        return draw(wire_packets.fragments)
    headers: list[ExtensionHeader] = draw(st.lists(st.one_of(_plain), max_size=3))
    if draw(st.booleans()):
        headers.insert(0, draw(st.builds(HopByHopOptions, options=_some_options)))
    payload = draw(st.one_of(icmpv6_messages, mobility_messages, opaque_payloads))
    return Packet(source=draw(addresses), destination=draw(addresses), headers=tuple(headers), payload=payload)


directions: st.SearchStrategy[dict[str, bytes]] = st.fixed_dictionaries(
    {}, optional={"care_of_source": st.binary(min_size=16, max_size=16), "care_of_destination": st.just(CARE_OF.packed)}
)


def restored(octets: bytes) -> bytes:
    chain = walk(octets)
    assert chain is not None
    return restore(octets, chain)


@pytest.mark.rfc6275("6.3-a", "6.4-b", "9.3.1-b", "9.3.2-a", "11.3.1-a")
@given(plain_packets(), directions)
@EXAMPLES
def test_what_is_put_in_is_taken_out(packet: Packet, care_of: dict[str, bytes]) -> None:
    octets = build(packet)
    straight = optimise(octets, **care_of)
    assert len(straight) == len(octets) + ADDED_OCTETS * len(care_of)
    assert source(straight) == care_of.get("care_of_source", packet.source.packed)
    assert destination(straight) == care_of.get("care_of_destination", packet.destination.packed)
    assert restored(straight) == octets


@pytest.mark.rfc6275("6.3-a", "6.4-b")
@given(plain_packets(), directions)
@EXAMPLES
def test_parse_reads_the_same_packet(packet: Packet, care_of: dict[str, bytes]) -> None:
    """Which it refuses if the checksum of the upper layer is not right any more."""
    said = parse(optimise(build(packet), **care_of))
    assert said.payload == packet.payload
    assert said.home_address == (packet.source if "care_of_source" in care_of else None)
    assert said.routed_home_address == (packet.destination if "care_of_destination" in care_of else None)
    added = [header for header in said.headers if header not in packet.headers]
    assert [header for header in said.headers if header in packet.headers] == [*packet.headers]
    assert [type(header) for header in added] == [
        *([RoutingHeaderType2] if "care_of_destination" in care_of else []),
        *([DestinationOptions] if "care_of_source" in care_of else []),
    ]
    assert build(said) == optimise(build(packet), **care_of)


@given(packets)
@EXAMPLES
def test_walk_finds_what_parse_finds(packet: Packet) -> None:
    octets = build(packet)
    chain = walk(octets)
    if sum(isinstance(header, RoutingHeaderType2) for header in packet.headers) > 1:
        assert chain is None
        return
    assert chain is not None
    assert chain.home_address == (None if packet.home_address is None else packet.home_address.packed)
    routed = packet.routed_home_address
    assert chain.routed_home_address == (None if routed is None else routed.packed)
    if chain.next_header not in (FRAGMENT, ROUTING):
        assert octets[chain.at :] == parse(octets).payload_octets
    invoking = read_invoking(octets)
    assert invoking is not None
    assert (invoking.source, invoking.destination) == (packet.source, packet.destination)
    assert (invoking.home_address, invoking.routed_home_address) == (packet.home_address, routed)
    assert invoking.next_header == chain.next_header


@given(packets)
@EXAMPLES
def test_whatever_is_restored_can_be_read(packet: Packet) -> None:
    octets = build(packet)
    chain = walk(octets)
    if chain is not None:
        said = parse(restore(octets, chain))
        assert said.payload == packet.payload
        assert (said.home_address, said.routed_home_address) == (None, None)
        assert said.source == (packet.home_address or packet.source)
        assert said.destination == (packet.routed_home_address or packet.destination)


@given(packets, st.data())
@EXAMPLES
def test_cut_or_changed_octets_never_raise(packet: Packet, data: st.DataObject) -> None:
    octets = bytearray(build(packet))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    never_raises(bytes(octets[: data.draw(st.integers(0, len(octets)))]))


@given(st.binary(max_size=120), st.sampled_from([0, 43, 44, 60]))
@EXAMPLES
def test_any_octets_never_raise(octets: bytes, kind: int) -> None:
    never_raises(octets)
    never_raises(bytes((0x60, 0, 0, 0, 0, 120, kind, 64)) + bytes(32) + octets)


def test_packets_cut_at_every_octet() -> None:
    """As an ICMPv6 error may quote them."""
    plain = build(Packet(source=HOME, destination=PEER, payload=ECHO))
    straight = optimise(plain, care_of_source=CARE_OF.packed, care_of_destination=PEERS_CARE_OF.packed)
    for size in range(len(straight) + 1):
        octets = straight[:size]
        never_raises(octets)
        about = read_invoking(octets)
        assert (about is None) == (size < 40)
        if about is not None:
            assert about.routed_home_address == (PEER if size >= 40 + ADDED_OCTETS else None)
            assert about.home_address == (HOME if size >= 40 + 2 * ADDED_OCTETS else None)
            if about.home_address is not None:
                assert restored(octets) == plain[: size - 2 * ADDED_OCTETS]


def test_a_length_that_has_no_room_never_raises() -> None:
    never_raises(bytes((0x60, 0, 0, 0, 0xFF, 0xFF, 17, 64)) + bytes(40))


def never_raises(octets: bytes) -> None:
    read_invoking(octets)
    chain = walk(octets)
    if chain is not None:
        restore(octets, chain)
        optimise(octets, care_of_source=CARE_OF.packed, care_of_destination=CARE_OF.packed)


def with_options(*options: HeaderOption) -> bytes:
    headers = (DestinationOptions(options=options),)
    return build(Packet(source=CARE_OF, destination=PEER, headers=headers, payload=ECHO))


@pytest.mark.rfc6275("6.3-a", "9.3.1-b")
@given(st.lists(unknown_header_options, max_size=3), st.lists(unknown_header_options, max_size=3))
@EXAMPLES
def test_options_beside_the_home_address_stay(before: list[HeaderOption], behind: list[HeaderOption]) -> None:
    octets = restored(with_options(*before, HomeAddressOption(home_address=HOME), *behind))
    said = parse(octets)
    assert (said.source, said.payload) == (HOME, ECHO)
    left = (*before, *behind)
    assert said.headers == ((DestinationOptions(options=left),) if left else ())
    if left:
        assert longest_padding(octets) <= 7  # Linux takes no more in one place


def test_an_option_that_shares_a_header_of_24_octets_stays() -> None:
    beside = UnknownHeaderOption(option_type=0x1E, data=b"\1\2")
    octets = with_options(beside, HomeAddressOption(home_address=HOME))
    assert octets[41] == 2
    assert parse(restored(octets)).headers == (DestinationOptions(options=(beside,)),)


def longest_padding(octets: bytes) -> int:
    """Give the most octets of padding in a row in the options header that follows the IPv6 header."""
    at, end = 42, 40 + (octets[41] + 1) * 8
    longest = now = 0
    while at < end:
        size = 1 if octets[at] == 0 else 2 + octets[at + 1]
        now = now + size if octets[at] <= 1 else 0
        longest, at = max(longest, now), at + size
    return longest


def test_a_home_address_padded_beyond_need_leaves_nothing() -> None:
    header = bytes((58, 3, 1, 2, 0, 0, 0xC9, 16)) + HOME.packed + bytes((0, 1, 5)) + bytes(5)
    message = build(Packet(source=HOME, destination=PEER, payload=ECHO))[40:]
    fixed = bytes((0x60, 0, 0, 0, 0, len(header + message), 60, 64))
    octets = fixed + CARE_OF.packed + PEER.packed + header + message
    assert parse(octets).home_address == HOME
    assert restored(octets) == build(Packet(source=HOME, destination=PEER, payload=ECHO))


def straight_with(*headers: ExtensionHeader) -> bytes:
    return build(Packet(source=CARE_OF, destination=PEERS_CARE_OF, headers=headers, payload=ECHO))


HOME_ADDRESS = DestinationOptions(options=(HomeAddressOption(home_address=HOME),))
BESIDE = DestinationOptions(
    options=(UnknownHeaderOption(option_type=0x1E, data=b"1"), HomeAddressOption(home_address=HOME))
)
TYPE_2 = RoutingHeaderType2(home_address=PEER)


@pytest.mark.parametrize("headers", [(HOME_ADDRESS, TYPE_2), (BESIDE, TYPE_2), (TYPE_2, BESIDE)])
def test_both_headers_are_taken_out_in_any_order(headers: tuple[ExtensionHeader, ...]) -> None:
    said = parse(restored(straight_with(*headers)))
    assert (said.source, said.destination, said.payload) == (HOME, PEER, ECHO)
    assert [len(header.options) for header in said.headers if isinstance(header, DestinationOptions)] in ([], [1])


@pytest.mark.rfc6275("6.3-a")
@pytest.mark.parametrize("headers", [(HOME_ADDRESS, HOME_ADDRESS), (TYPE_2, TYPE_2)])
def test_what_may_come_once_makes_a_packet_unreadable_twice(headers: tuple[ExtensionHeader, ...]) -> None:
    one, *_ = headers
    octets = bytearray(straight_with(one, DestinationOptions(), *headers[1:]) if one is TYPE_2 else b"")
    if not octets:  # which build refuses to write
        octets = bytearray(straight_with(one))
        octets[40:40] = bytes((60,)) + octets[41:64]
        octets[5] += ADDED_OCTETS
    assert walk(bytes(octets)) is None
    assert read_invoking(bytes(octets)) is None


def test_it_stops_where_others_are_to_read_on() -> None:
    on_its_way = UnknownRoutingHeader(routing_type=4, segments_left=1, data=bytes(4))
    chain = walk(straight_with(on_its_way, HOME_ADDRESS))
    assert chain is not None
    assert (chain.next_header, chain.at, chain.home_address) == (ROUTING, 40, None)
    chain = walk(straight_with(TYPE_2, HopByHopOptions()))  # RFC 8200 §4.1: only the first
    assert chain is not None
    assert (chain.next_header, chain.at, chain.routed_home_address) == (HOP_BY_HOP, 64, PEER.packed)
    rest = Packet(
        source=CARE_OF,
        destination=PEER,
        headers=(HOME_ADDRESS, FragmentHeader(offset=8, more=False, identification=1)),
        payload=OpaquePayload(next_header=60, data=bytes((58, 0)) + bytes(6)),
    )
    chain = walk(build(rest))
    assert chain is not None
    assert (chain.next_header, chain.at, chain.home_address) == (FRAGMENT, 64, HOME.packed)


def test_a_type_2_header_of_another_form_is_left_to_be_refused() -> None:
    octets = bytearray(straight_with(TYPE_2))
    octets[43] = 0
    chain = walk(bytes(octets))
    assert chain is not None
    assert chain.routed_home_address is None


def test_what_follows_the_packet_is_not_read() -> None:
    empty = Packet(source=CARE_OF, destination=PEER, payload=OpaquePayload(next_header=60, data=b""))
    chain = walk(build(empty) + straight_with(HOME_ADDRESS)[40:])
    assert chain is not None
    assert chain.home_address is None


@pytest.mark.rfc6275("6.4-b", "6.3-a")
def test_options_for_routers_on_the_way_stay_before_the_routing_header() -> None:
    way = UnknownRoutingHeader(routing_type=4, segments_left=0, data=bytes(4))
    seen = DestinationOptions(options=(UnknownHeaderOption(option_type=0x1E, data=b""),))
    plain = Packet(source=HOME, destination=PEER, headers=(seen, way, seen), payload=ECHO)
    said = parse(optimise(build(plain), care_of_source=CARE_OF.packed, care_of_destination=PEERS_CARE_OF.packed))
    assert said.headers == (seen, way, TYPE_2, HOME_ADDRESS, seen)
    assert restored(build(said)) == build(plain)


UPPER_LAYERS = {
    "udp": inet.UDP(sport=4000, dport=4001) / Raw(b"datagram"),
    "tcp": inet.TCP(sport=4000, dport=4001, flags="S", seq=7),
    "echo": inet6.ICMPv6EchoRequest(id=1, seq=2, data=b"odd"),
}


def in_scapys_words(*, home: bool, routed: bool, upper: Any) -> bytes:
    """Let Scapy build a packet with the headers that are asked for."""
    packet = inet6.IPv6(src=str(CARE_OF if home else HOME), dst=str(PEERS_CARE_OF if routed else PEER), hlim=64)
    if routed:
        packet /= inet6.IPv6ExtHdrRouting(type=2, addresses=[str(PEER)])
    if home:
        packet /= inet6.IPv6ExtHdrDestOpt(options=[inet6.HAO(hoa=str(HOME))])
    return bytes(packet / upper)


@pytest.mark.rfc6275("6.3-a", "6.4-b", "9.3.2-a", "11.3.1-a")
@pytest.mark.parametrize("upper", UPPER_LAYERS.values(), ids=UPPER_LAYERS)
@pytest.mark.parametrize(("home", "routed"), [(True, False), (False, True), (True, True)])
def test_scapy_builds_the_same_octets(upper: Any, home: bool, routed: bool) -> None:
    """Checksums included: Scapy counts the home addresses by itself."""
    plain = in_scapys_words(home=False, routed=False, upper=upper)
    straight = in_scapys_words(home=home, routed=routed, upper=upper)
    care_of = {
        **({"care_of_source": CARE_OF.packed} if home else {}),
        **({"care_of_destination": PEERS_CARE_OF.packed} if routed else {}),
    }
    assert optimise(plain, **care_of) == straight
    assert restored(straight) == plain


LIMIT = DestinationOptions(
    options=(UnknownHeaderOption(option_type=0x1E, data=b""), UnknownHeaderOption(option_type=4, data=b"\x03"))
)
WAY = UnknownRoutingHeader(routing_type=4, segments_left=0, data=bytes(4))
FRAGMENT_OF_ALL = FragmentHeader(offset=0, more=False, identification=1)


@pytest.mark.rfc6275("15.1-a")
@pytest.mark.parametrize(
    ("headers", "next_header", "found"),
    [
        pytest.param((), 41, Nesting(limit=None), id="a tunnel without a limit"),
        pytest.param((LIMIT,), 41, Nesting(limit=3, pointer=46), id="with one"),
        pytest.param((WAY, FRAGMENT_OF_ALL, LIMIT), 41, Nesting(limit=3, pointer=62), id="behind others"),
        pytest.param((HOME_ADDRESS,), 41, Nesting(limit=None), id="behind another option"),
        pytest.param((LIMIT,), 17, Nesting(limit=3, pointer=46), id="a limit without a tunnel"),
        pytest.param((HOME_ADDRESS,), 17, None, id="no tunnel"),
        pytest.param((), 50, None, id="what nobody can read"),
        pytest.param((FragmentHeader(offset=8, more=False, identification=1),), 41, None, id="a later fragment"),
    ],
)
def test_what_a_tunnel_carries_already(
    headers: tuple[ExtensionHeader, ...], next_header: int, found: Nesting | None
) -> None:
    payload = OpaquePayload(next_header=next_header, data=build(Packet(source=PEER, destination=HOME, payload=ECHO)))
    octets = build(Packet(source=CARE_OF, destination=HOME, headers=headers, payload=payload))
    assert nesting(octets) == found
    assert found is None or octets[6] in PERHAPS_NESTED
    for size in range(40, len(octets)):  # a packet that is cut says what it can
        assert nesting(octets[:size]) in (None, Nesting(limit=None), found)


@pytest.mark.rfc6275("15.1-a")
@given(st.integers(0, 255))
def test_a_limit_is_read_as_it_was_written(limit: int) -> None:
    header = encapsulation_limit(limit)
    octets = bytes(6) + bytes((60,)) + bytes(33) + header
    assert nesting(octets) == Nesting(limit=limit, pointer=44)
    option, padding = inet6.IPv6ExtHdrDestOpt(header).options
    assert (option.otype, option.optlen, option.optdata) == (4, 1, bytes((limit,)))
    assert (padding.otype, len(bytes(padding))) == (1, 3)


ROUTED = RoutingHeaderType2(home_address=HOME)


@given(
    size=st.integers(0, 3000),
    headers=st.sampled_from([(), (HopByHopOptions(options=()),), (HOME_ADDRESS,), (ROUTED, HOME_ADDRESS)]),
    largest=st.integers(200, 1500),
)
def test_fragments_fit_and_make_the_packet_again(size: int, headers: tuple[ExtensionHeader, ...], largest: int) -> None:
    """Also from the pieces of the pieces, in another order (RFC 8200 §4.5)."""
    payload = OpaquePayload(next_header=17, data=bytes(n % 251 for n in range(size)))
    octets = build(Packet(source=CARE_OF, destination=HOME, headers=headers, payload=payload))
    pieces = [*fragments(octets, largest)]
    assert all(len(piece) <= largest for piece in pieces)
    smaller = [fragment for piece in reversed(pieces) for fragment in fragments(piece, largest - 60)]
    assert all(len(piece) <= largest - 60 for piece in smaller)
    for some in (pieces, smaller):
        assert not some or reassembled(some) == octets


def reassembled(pieces: list[bytes]) -> bytes:
    """Put a packet together from its fragments, whose Fragment header Scapy finds."""
    parts: dict[int, bytes] = {}
    more: dict[int, int] = {}
    for piece in pieces:
        fragment = inet6.IPv6(piece)[inet6.IPv6ExtHdrFragment]
        parts[fragment.offset * 8] = bytes(fragment)[8:]
        more[fragment.offset * 8] = fragment.m
        before = bytearray(piece[: len(piece) - len(bytes(fragment))])
    assert [start for start in more if not more[start]] == [max(more)]
    packet = before + b"".join(parts[offset] for offset in sorted(parts))
    assert all(start + len(part) in {*parts, len(packet) - len(before)} for start, part in parts.items())
    packet[4:6] = (len(packet) - 40).to_bytes(2, "big")
    named_at = 6 if len(before) == 40 else 40
    packet[named_at] = fragment.nh
    return bytes(packet)


def test_fragments_of_one_packet_and_of_no_other_belong_together() -> None:
    def identifications(octets: bytes) -> set[bytes]:
        return {piece[44:48] for piece in fragments(octets, 100)}

    made = [
        build(Packet(source=HOME, destination=PEER, payload=OpaquePayload(next_header=17, data=bytes((n,)) * 200)))
        for n in range(2)
    ]
    assert [len(identifications(octets)) for octets in made] == [1, 1]
    assert identifications(made[0]) != identifications(made[1])


def test_esp_is_not_looked_into() -> None:
    sealed = OpaquePayload(next_header=50, data=bytes(range(32)))
    plain = build(Packet(source=HOME, destination=PEER, payload=sealed))
    straight = optimise(plain, care_of_source=CARE_OF.packed)
    assert replace(parse(straight), headers=(), source=HOME) == parse(plain)
    assert straight[64:] == plain[40:]


@given(packets, st.binary(max_size=64))
@EXAMPLES
def test_another_payload_leaves_the_headers_as_they_are(packet: Packet, data: bytes) -> None:
    octets = build(packet)
    chain = walk(octets)
    if chain is None or chain.next_header in (FRAGMENT, ROUTING):
        return
    other = replace(packet, payload=OpaquePayload(next_header=50, data=data))
    assert with_payload(octets + b"padding", chain, 50, data) == build(other)


@pytest.mark.rfc6275("11.4.2-a", "10.6.3-a")
def test_prefix_discovery_is_told_from_payload() -> None:
    solicitation, advertisement = MobilePrefixSolicitation(identifier=1), MobilePrefixAdvertisement(identifier=1)
    assert is_prefix_discovery(build(mobility_packet(CARE_OF, PEER, solicitation, home_address=HOME)))
    assert is_prefix_discovery(build(mobility_packet(PEER, CARE_OF, advertisement, routed_home_address=HOME)))
    assert not is_prefix_discovery(build(mobility_packet(CARE_OF, PEER, ECHO, home_address=HOME)))
    assert not is_prefix_discovery(build(mobility_packet(CARE_OF, PEER, BindingRefreshRequest(), home_address=HOME)))
    plain = build(mobility_packet(CARE_OF, PEER, solicitation))
    assert not is_prefix_discovery(plain)  # the kernel shows it to the engine
    assert not any(is_prefix_discovery(plain[:cut]) for cut in range(len(plain)))


@given(packets)
@EXAMPLES
def test_whatever_is_cut_off_is_no_prefix_discovery(packet: Packet) -> None:
    octets = build(packet)
    headers = 40 + 24
    assert not any(is_prefix_discovery(octets[:cut]) for cut in range(min(headers, len(octets))))
