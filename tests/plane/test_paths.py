"""Direct paths without any socket: what is put into packets, what is taken out, and what is not believed."""

import struct
from ipaddress import IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lab.errors import PlaneReason
from lab.plane.paths import MAX_HEARD, Arrival, Dropped, Paths, Restored, Unclaimed
from lab.safeguards import NOTHING, Safeguard
from lab.wire import icmpv6, mobility
from lab.wire.packet import (
    Datagram,
    DestinationOptions,
    ExtensionHeader,
    FragmentHeader,
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
from tests.fuzz.wire_packets import addresses, mobility_messages

CN, OTHER_CN = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:c::3")
HOME, CARE_OF = IPv6Address("2001:db8:1::100"), IPv6Address("2001:db8:a1::100")
PEER_HOME, PEER_CARE_OF = IPv6Address("2001:db8:2::100"), IPv6Address("2001:db8:a2::100")
STRANGER = IPv6Address("2001:db8:e::e")
UDP, TCP, ESP, AH = 17, 6, 50, 51
DATA = bytes.fromhex("1883188300101234") + b"payload."

LIMIT = DestinationOptions(options=(UnknownHeaderOption(option_type=4, data=b"\5"),))
ALERT = HopByHopOptions(options=(UnknownHeaderOption(option_type=5, data=b"\0\0"),))
SEGMENTS = UnknownRoutingHeader(routing_type=253, segments_left=0, data=bytes(4))
WHOLE = FragmentHeader(identification=7, offset=0, more=False)
FIRST = FragmentHeader(identification=7, offset=0, more=True)
REST = FragmentHeader(identification=7, offset=16, more=False)
CHAINS: dict[str, tuple[ExtensionHeader, ...]] = {
    "plain": (),
    "hop-by-hop options": (ALERT,),
    "another routing header": (SEGMENTS,),
    "hop-by-hop options and another routing header": (ALERT, SEGMENTS),
    "destination options": (LIMIT,),
    "the first fragment": (FIRST,),
    "the last fragment": (REST,),
    "hop-by-hop options and a fragment": (ALERT, REST),
    "a fragment that is all": (WHOLE, LIMIT),
}


def home_address_option(address: IPv6Address) -> DestinationOptions:
    return DestinationOptions(options=(HomeAddressOption(home_address=address),))


def routing_header(address: IPv6Address) -> RoutingHeaderType2:
    return RoutingHeaderType2(home_address=address)


def packet(
    source: IPv6Address, destination: IPv6Address, *headers: ExtensionHeader, kind: int = UDP, data: bytes = DATA
) -> bytes:
    payload = OpaquePayload(next_header=kind, data=data)
    return build(Packet(source=source, destination=destination, headers=headers, payload=payload))


def correspondent(home: IPv6Address = HOME, care_of: IPv6Address = CARE_OF) -> Paths:
    """Make paths of a node that a mobile node is bound at."""
    paths = Paths()
    paths.bind(home, care_of)
    return paths


def mobile_node(peer: IPv6Address = CN, home: IPv6Address = HOME, care_of: IPv6Address = CARE_OF) -> Paths:
    """Make paths of a mobile node that is bound at a peer."""
    paths = Paths()
    paths.own(home)
    paths.route(home, peer, care_of)
    return paths


def two_mobile_nodes() -> tuple[Paths, Paths]:
    """Make paths of two mobile nodes that are bound at each other."""
    one, other = mobile_node(PEER_HOME), mobile_node(HOME, PEER_HOME, PEER_CARE_OF)
    one.bind(PEER_HOME, PEER_CARE_OF)
    other.bind(HOME, CARE_OF)
    return one, other


def leaves(paths: Paths, octets: bytes) -> Packet:
    straight = paths.outwards(octets)
    assert straight is not None
    return parse(straight)


def restored(arrival: Arrival) -> bytes:
    assert isinstance(arrival, Restored)
    return arrival.packet


# What leaves


@pytest.mark.rfc6275("9.3.2-a", "6.4-a")
@pytest.mark.case("CN-003")
def test_to_a_bound_home_address_a_routing_header_leads() -> None:
    sent = leaves(correspondent(), packet(CN, HOME))
    assert (sent.source, sent.destination) == (CN, CARE_OF)
    assert sent.headers == (routing_header(HOME),)
    assert sent.payload == OpaquePayload(next_header=UDP, data=DATA)


@pytest.mark.rfc6275("11.3.1-a", "6.3-a")
@pytest.mark.case("MN-153")
def test_from_a_home_address_an_option_tells_of_it() -> None:
    sent = leaves(mobile_node(), packet(HOME, CN))
    assert (sent.source, sent.destination) == (CARE_OF, CN)
    assert sent.headers == (home_address_option(HOME),)
    assert sent.payload == OpaquePayload(next_header=UDP, data=DATA)


@pytest.mark.rfc6275("11.3.1-a", "9.3.2-a", "6.3-a", "6.4-a")
@pytest.mark.case("MN-189", "MN-197")
def test_between_mobile_nodes_both_headers_go_the_option_behind() -> None:
    one, _ = two_mobile_nodes()
    sent = leaves(one, packet(HOME, PEER_HOME))
    assert (sent.source, sent.destination) == (CARE_OF, PEER_CARE_OF)
    assert sent.headers == (routing_header(PEER_HOME), home_address_option(HOME))
    one.unbind(PEER_HOME)  # its peer deleted the binding: the option alone
    sent = leaves(one, packet(HOME, PEER_HOME))
    assert (sent.destination, sent.headers) == (PEER_HOME, (home_address_option(HOME),))


@pytest.mark.rfc6275("11.3.1-a", "9.3.2-a")
@pytest.mark.case("MN-152", "MN-155")
def test_without_a_binding_nothing_goes_straight() -> None:
    paths = correspondent()
    paths.route(PEER_HOME, CN, PEER_CARE_OF)
    paths.serve((HOME + 1).packed, CARE_OF.packed)
    assert paths.outwards(packet(CN, HOME + 1)) is None  # its tunnel is the way of a home registration
    assert paths.outwards(packet(HOME, CN)) is None
    assert paths.outwards(packet(PEER_HOME, OTHER_CN)) is None
    paths.unbind(HOME)
    paths.unroute(PEER_HOME, CN)
    assert paths.outwards(packet(CN, HOME)) is None
    assert paths.outwards(packet(PEER_HOME, CN)) is None


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a")
@pytest.mark.case("CN-070", "MN-160")
def test_after_a_move_the_new_care_of_address_counts() -> None:
    cn, mn = correspondent(), mobile_node()
    moved = CARE_OF + 1
    cn.bind(HOME, moved)
    mn.route(HOME, CN, moved)
    assert leaves(cn, packet(CN, HOME)).destination == moved
    assert leaves(mn, packet(HOME, CN)).source == moved
    assert cn.inwards(packet(CARE_OF, CN, home_address_option(HOME))) == Unclaimed()


@pytest.mark.rfc6275("6.3-a", "6.4-b")
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_both_headers_have_their_place_in_a_chain(chain: tuple[ExtensionHeader, ...]) -> None:
    """Behind hop-by-hop options and other routing headers, before fragment, ESP and the like."""
    one, other = two_mobile_nodes()
    before = packet(HOME, PEER_HOME, *chain)
    straight = one.outwards(before)
    assert straight is not None
    sent = parse(straight).headers
    place = sum(isinstance(header, HopByHopOptions | UnknownRoutingHeader) for header in chain)
    assert sent == (*chain[:place], routing_header(PEER_HOME), home_address_option(HOME), *chain[place:])
    assert restored(other.inwards(straight)) == before


@pytest.mark.rfc6275("6.1.3-a", "6.1.4-a", "9.4.3-a")
@pytest.mark.parametrize("chain", [(), (ALERT,)], ids=["plain", "hop-by-hop options"])
def test_mobility_messages_are_never_touched(chain: tuple[ExtensionHeader, ...]) -> None:
    one, _ = two_mobile_nodes()
    message = mobility.HomeTest(nonce_index=1, cookie=bytes(8), keygen_token=bytes(8))
    test = Packet(source=HOME, destination=PEER_HOME, headers=chain, payload=message)
    assert one.outwards(build(test)) is None
    assert not one.used(HOME, PEER_HOME)


def test_what_would_grow_beyond_the_largest_packet_does_not_go_straight() -> None:
    octets = bytearray(packet(CN, HOME))
    octets[4:6] = (0xFFFF - 47).to_bytes(2, "big")
    assert correspondent().outwards(bytes(octets)) is None
    octets[4:6] = (0xFFFF - 48).to_bytes(2, "big")
    assert correspondent().outwards(bytes(octets)) is not None


# What arrives


@pytest.mark.rfc6275("9.3.1-b")
@pytest.mark.case("CN-003")
def test_a_bound_home_address_is_the_source_for_upper_layers() -> None:
    octets = packet(CARE_OF, CN, home_address_option(HOME))
    assert restored(correspondent().inwards(octets)) == packet(HOME, CN)


@pytest.mark.rfc6275("9.3.1-b")
def test_a_home_registration_stands_for_a_home_address_too() -> None:
    paths = Paths()
    paths.serve(HOME.packed, CARE_OF.packed)
    octets = packet(CARE_OF, CN, home_address_option(HOME))
    assert restored(paths.inwards(octets)) == packet(HOME, CN)
    paths.bind(HOME, PEER_CARE_OF)  # both at once: each for its own care-of address
    assert restored(paths.inwards(octets)) == packet(HOME, CN)
    assert isinstance(paths.inwards(packet(PEER_CARE_OF, CN, home_address_option(HOME))), Restored)
    paths.end_service(HOME.packed)
    assert paths.inwards(octets) == Unclaimed()


@pytest.mark.rfc6275("11.3.3-a", "6.4-a")
@pytest.mark.case("MN-161")
def test_a_routing_header_leads_to_the_own_home_address() -> None:
    octets = packet(CN, CARE_OF, routing_header(HOME))
    assert restored(mobile_node().inwards(octets)) == packet(CN, HOME)


@pytest.mark.rfc6275("6.4-a", "15.9-a")
@pytest.mark.case("MN-164")
@pytest.mark.parametrize("kind", ["payload", "mobility message", "fragment", "with an option"])
def test_a_routing_header_that_names_somebody_else_is_dropped(kind: str) -> None:
    """Also with a mobility message: its answer would come from the address that is named."""
    foreign = routing_header(STRANGER)
    _, other = two_mobile_nodes()
    match kind:
        case "mobility message":
            octets = build(
                Packet(
                    source=CN,
                    destination=PEER_CARE_OF,
                    headers=(foreign,),
                    payload=mobility.HomeTestInit(cookie=bytes(8)),
                )
            )
        case "fragment":
            octets = packet(CN, PEER_CARE_OF, foreign, FIRST)
        case "with an option":
            octets = packet(CARE_OF, PEER_CARE_OF, foreign, home_address_option(HOME))
        case _:
            octets = packet(CN, PEER_CARE_OF, foreign)
    for paths in (other, correspondent(), Paths()):
        assert paths.inwards(octets) == Dropped(reason=PlaneReason.FOREIGN_ROUTING_HEADER)


@pytest.mark.rfc6275("6.4-a")
@pytest.mark.case("MN-162", "MN-163")
@pytest.mark.parametrize(("length", "segments"), [(0, 1), (4, 1), (2, 0), (2, 2)])
def test_a_routing_header_of_another_form_is_none(length: int, segments: int) -> None:
    """It is left to what reports malformed packets."""
    octets = bytearray(packet(CN, CARE_OF, routing_header(HOME), data=bytes(64)))
    octets[41], octets[43] = length, segments
    assert mobile_node().inwards(bytes(octets)) == Unclaimed()


@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
@pytest.mark.parametrize("kind", [UDP, TCP, 44, 59, 58, 253])
def test_an_option_without_a_binding_is_not_believed(kind: int) -> None:
    data = DATA + bytes(8)
    for source, home in ((CARE_OF, STRANGER), (STRANGER, HOME), (HOME, HOME), (CN, CARE_OF)):
        octets = packet(source, CN, home_address_option(home), kind=kind, data=data)
        assert correspondent().inwards(octets) == Unclaimed()
        assert Paths().inwards(octets) == Unclaimed()
        assert mobile_node().inwards(octets) == Unclaimed()


@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
def test_an_option_behind_a_good_routing_header_is_not_believed_for_that() -> None:
    octets = packet(STRANGER, CARE_OF, routing_header(HOME), home_address_option(CN))
    assert mobile_node().inwards(octets) == Unclaimed()


@pytest.mark.rfc6275("9.3.1-a", "5.1-c")
@pytest.mark.case("MN-157")
@pytest.mark.parametrize("kind", [ESP, AH])
def test_a_security_association_judges_an_option_itself(kind: int) -> None:
    octets = packet(STRANGER, CN, home_address_option(HOME), kind=kind)
    assert restored(Paths().inwards(octets)) == packet(HOME, CN, kind=kind)


@pytest.mark.rfc6275("6.3-b")
@pytest.mark.parametrize("home", ["ff02::1", "fe80::1", "::1", "::", "::ffff:192.0.2.1"])
@pytest.mark.parametrize("kind", [UDP, ESP, AH])
def test_an_option_with_an_address_that_nobody_can_have_is_never_restored(home: str, kind: int) -> None:
    assert Paths().inwards(packet(CARE_OF, CN, home_address_option(IPv6Address(home)), kind=kind)) == Unclaimed()


@pytest.mark.rfc6275("9.3.1-a")
@pytest.mark.parametrize("headers", [(), (home_address_option(HOME),), (routing_header(HOME),)])
def test_a_mobility_message_goes_to_the_engine(headers: tuple[ExtensionHeader, ...]) -> None:
    update = mobility.BindingUpdate(sequence=1, flags=mobility.BindingUpdateFlag(0), lifetime=4)
    octets = build(Packet(source=STRANGER, destination=CARE_OF, headers=headers, payload=update))
    assert mobile_node().inwards(octets) == Unclaimed()


@pytest.mark.rfc6275("6.3-a")
@pytest.mark.parametrize("twice", ["in one header", "in two headers", "two routing headers"])
def test_what_must_be_once_is_not_taken_twice(twice: str) -> None:
    """The one left over would be judged again, as of the address in the other."""
    option = HomeAddressOption(home_address=HOME)
    other = HomeAddressOption(home_address=STRANGER)
    headers: dict[str, tuple[ExtensionHeader, ...]] = {
        "in one header": (DestinationOptions(options=(option, other)),),
        "in two headers": (DestinationOptions(options=(other,)), DestinationOptions(options=(option,))),
        "two routing headers": (routing_header(HOME), routing_header(HOME)),
    }
    paths = correspondent()
    paths.own(HOME)
    assert paths.inwards(packet(CARE_OF, CN, *headers[twice])) == Dropped(reason=PlaneReason.MALFORMED)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_other_options_beside_a_home_address_stay(where: str) -> None:
    option, other = HomeAddressOption(home_address=HOME), UnknownHeaderOption(option_type=0x1E, data=b"ab")
    both = (other, option) if where == "before" else (option, other)
    got = parse(restored(correspondent().inwards(packet(CARE_OF, CN, DestinationOptions(options=both)))))
    assert (got.source, got.home_address) == (HOME, None)
    assert got.headers == (DestinationOptions(options=(other,)),)
    assert got.payload == OpaquePayload(next_header=UDP, data=DATA)


def test_an_option_after_padding_of_any_kind_is_alone_in_its_header() -> None:
    octets = bytearray(packet(CARE_OF, CN, home_address_option(HOME)))
    octets[42:46] = bytes(4)  # four times Pad1 in place of PadN
    assert restored(correspondent().inwards(bytes(octets))) == packet(HOME, CN)


@pytest.mark.parametrize("octets", [b"", b"\x60", bytes(40), packet(CN, HOME)[:39], b"\x45" + packet(CN, HOME)[1:]])
def test_what_is_no_packet_is_dropped(octets: bytes) -> None:
    paths = correspondent()
    assert paths.inwards(octets) == Dropped(reason=PlaneReason.MALFORMED)
    assert paths.outwards(octets) is None


def test_what_has_nothing_of_mobility_is_not_ours() -> None:
    for octets in (packet(CN, HOME), packet(CN, HOME, ALERT, LIMIT), packet(CN, HOME, SEGMENTS)):
        assert mobile_node().inwards(octets) == Unclaimed()


# Who uses a path


@pytest.mark.rfc6275("9.5.5-a", "9.1-a", "11.7.2-a")
def test_each_use_is_told_once_in_both_directions() -> None:
    cn, mn = correspondent(), mobile_node()
    assert not cn.used(HOME, None)
    assert not mn.used(HOME, CN)
    there = cn.outwards(packet(CN, HOME))
    back = mn.outwards(packet(HOME, CN))
    assert there is not None
    assert back is not None
    for paths, arriving, peer in ((cn, back, None), (mn, there, CN)):
        assert paths.used(HOME, peer)
        assert not paths.used(HOME, peer)
        paths.inwards(arriving)
        assert paths.used(HOME, peer)
        assert not paths.used(HOME, peer)


def test_uses_of_different_paths_are_told_apart() -> None:
    one, _ = two_mobile_nodes()
    one.route(HOME, CN, CARE_OF)
    one.outwards(packet(HOME, CN))
    assert not one.used(PEER_HOME, None)
    assert not one.used(HOME, PEER_HOME)
    assert one.used(HOME, CN)
    one.outwards(packet(OTHER_CN, PEER_HOME))  # from another address of this node
    assert not one.used(HOME, PEER_HOME)
    assert one.used(PEER_HOME, None)


@pytest.mark.rfc6275("15.9-a")
def test_strangers_do_not_fill_the_memory() -> None:
    """Whoever is off the path may send routing headers and tunnelled packets from ever so many addresses."""
    paths = mobile_node()
    for number in range(2 * MAX_HEARD):
        peer = STRANGER + number
        assert isinstance(paths.inwards(packet(peer, CARE_OF, routing_header(HOME))), Restored)
        assert not paths.used(HOME, peer)
        assert paths.hear(HOME.packed, peer.packed)
    assert len(paths._heard) == MAX_HEARD
    assert not paths._used
    assert not paths.hear(HOME.packed, (STRANGER + 2 * MAX_HEARD - 1).packed)
    assert paths.hear(HOME.packed, STRANGER.packed)  # news again, which the engine can do with


@pytest.mark.rfc6275("11.3.3-a")
@pytest.mark.case("MN-047", "MN-053")
def test_a_peer_in_the_tunnel_is_news_once() -> None:
    paths = mobile_node()
    assert not paths.hear(PEER_HOME.packed, OTHER_CN.packed)  # not a home address of this node
    assert not paths.hear(HOME.packed, CN.packed)  # has its path
    assert paths.hear(HOME.packed, OTHER_CN.packed)
    assert not paths.hear(HOME.packed, OTHER_CN.packed)
    paths.listen(HOME, OTHER_CN)
    paths.listen(HOME, OTHER_CN)
    assert paths.hear(HOME.packed, OTHER_CN.packed)
    paths.unroute(HOME, CN)
    assert paths.hear(HOME.packed, CN.packed)


# ICMPv6 errors

ROUTER = IPv6Address("2001:db8:f::1")
PATHS: dict[str, tuple[Paths, bytes, int]] = {
    "of a correspondent": (correspondent(), packet(CN, HOME), 24),
    "of a mobile node": (mobile_node(), packet(HOME, CN), 24),
    "between mobile nodes": (two_mobile_nodes()[0], packet(HOME, PEER_HOME), 48),
    "of fragments": (correspondent(), packet(CN, HOME, ALERT, FIRST), 24),
}


def straight_of(paths: Paths, octets: bytes) -> bytes:
    straight = paths.outwards(octets)
    assert straight is not None
    return straight


def explained(paths: Paths, message: icmpv6.Icmpv6Message, to: bytes) -> icmpv6.Icmpv6Message | None:
    """Have an error about a packet arrive; give what upper layers are told."""
    error = Packet(source=ROUTER, destination=IPv6Address(to[8:24]), payload=message)
    told = paths.error(error)
    if told is None:
        return None
    assert told.source == ROUTER
    assert not isinstance(told.payload, mobility.MobilityMessage | Datagram | OpaquePayload | Packet)
    return told.payload


@pytest.mark.rfc6275("9.3.4-a", "9.3.2-a", "10.4.2-c")
@pytest.mark.parametrize(("paths", "octets", "added"), PATHS.values(), ids=PATHS)
def test_an_error_is_told_as_one_about_home_addresses(paths: Paths, octets: bytes, added: int) -> None:
    sent = straight_of(paths, octets)
    for code in range(7):
        told = explained(paths, icmpv6.DestinationUnreachable(code=code, invoking=sent), sent)
        assert told == icmpv6.DestinationUnreachable(code=code, invoking=octets)
    assert explained(paths, icmpv6.TimeExceeded(code=1, invoking=sent), sent) == icmpv6.TimeExceeded(
        code=1, invoking=octets
    )
    told = explained(paths, icmpv6.PacketTooBig(mtu=1400, invoking=sent), sent)
    assert told == icmpv6.PacketTooBig(mtu=1400 - added, invoking=octets)
    error = paths.error(
        Packet(source=ROUTER, destination=CARE_OF, payload=icmpv6.PacketTooBig(mtu=1400, invoking=sent))
    )
    assert error is not None
    assert error.destination == IPv6Address(octets[8:24])


@pytest.mark.rfc6275("9.3.2-a", "9.3.4-a")
@pytest.mark.parametrize("mtu", [20, 1280, 1303])
def test_a_path_that_added_headers_make_too_narrow_gets_fragments_until_the_binding_is_renewed(mtu: int) -> None:
    """No sender can be told of less than 1280 octets (RFC 8200 §5): the headers are this node's own concern."""
    told: list[tuple[bytes, bytes, int]] = []
    paths = Paths(lambda *path: told.append(path))
    paths.bind(HOME, CARE_OF)
    fits, large = (packet(CN, HOME, data=bytes(size - 40)) for size in (1280, 1281))
    straight = [straight_of(paths, octets) for octets in (fits, large)]
    assert [*paths.pieces(fits, straight[0])] == [straight[0]]
    assert explained(paths, icmpv6.PacketTooBig(mtu=mtu, invoking=straight[0]), straight[0]) is None
    assert told == [(CN.packed, HOME.packed, max(mtu, 1280))]
    pieces = [*paths.pieces(fits, straight[0])]
    assert [len(piece) <= max(mtu, 1280) for piece in pieces] == [True, True]
    assert [IPv6Address(piece[24:40]) for piece in pieces] == [CARE_OF, CARE_OF]
    assert [*paths.pieces(large, straight[1])] == [straight[1]]  # so that its sender is told
    error = icmpv6.PacketTooBig(mtu=mtu, invoking=straight[1])
    assert explained(paths, error, straight[1]) == icmpv6.PacketTooBig(mtu=1280, invoking=large)
    paths.bind(HOME, CARE_OF)
    assert [*paths.pieces(fits, straight[0])] == [straight[0]]


@pytest.mark.rfc6275("9.3.4-a", "11.3.5-a")
@pytest.mark.parametrize(("paths", "octets", "added"), PATHS.values(), ids=PATHS)
def test_a_problem_behind_what_was_added_is_moved_and_one_inside_is_not_told(
    paths: Paths, octets: bytes, added: int
) -> None:
    sent = straight_of(paths, octets)
    first = 40 + (8 if octets[6] == 0 else 0)
    for pointer in range(len(sent) + 4):
        told = explained(paths, icmpv6.ParameterProblem(code=1, pointer=pointer, invoking=sent), sent)
        if pointer < first + added:
            assert told is None
        else:
            assert told == icmpv6.ParameterProblem(code=1, pointer=pointer - added, invoking=octets)


@pytest.mark.rfc6275("9.3.4-a")
@pytest.mark.parametrize(("paths", "octets", "added"), PATHS.values(), ids=PATHS)
def test_an_error_with_the_beginning_of_a_packet_is_told_if_it_can_be_read(
    paths: Paths, octets: bytes, added: int
) -> None:
    sent = straight_of(paths, octets)
    headers = 40 + (8 if octets[6] == 0 else 0) + added
    for length in range(len(sent)):
        told = explained(paths, icmpv6.PacketTooBig(mtu=1400, invoking=sent[:length]), sent)
        if length < headers:
            assert told is None
        else:
            assert told == icmpv6.PacketTooBig(mtu=1400 - added, invoking=octets[: length - added])


@pytest.mark.rfc6275("9.3.4-a", "15.8-a")
def test_an_error_about_what_never_took_a_path_is_told_to_nobody() -> None:
    """The address in the option would be sent an error that a stranger made up."""
    cn, mn = correspondent(), mobile_node()
    for paths, invoking in (
        (cn, packet(STRANGER, CN, home_address_option(PEER_HOME))),
        (cn, packet(CARE_OF, CN, home_address_option(HOME))),  # of the mobile node, not of the correspondent
        (cn, packet(CN, STRANGER, routing_header(HOME))),
        (cn, packet(CN, CARE_OF, routing_header(PEER_HOME))),
        (mn, packet(STRANGER, CN, home_address_option(HOME))),
        (mn, packet(CARE_OF, OTHER_CN, home_address_option(HOME))),
        (mn, packet(CN, CARE_OF, routing_header(HOME))),
        (two_mobile_nodes()[0], packet(CARE_OF, STRANGER, routing_header(PEER_HOME), home_address_option(HOME))),
        (two_mobile_nodes()[0], packet(STRANGER, PEER_CARE_OF, routing_header(PEER_HOME), home_address_option(HOME))),
    ):
        assert explained(paths, icmpv6.PacketTooBig(mtu=1400, invoking=invoking), invoking) is None


@pytest.mark.rfc6275("11.3.5-a")
def test_errors_about_other_packets_are_left_alone() -> None:
    update = build(mobility_packet(CARE_OF, CN, mobility.CareOfTestInit(cookie=bytes(8)), home_address=HOME))
    for invoking in (packet(HOME, CN), packet(CARE_OF, CN, ALERT), update, b"", bytes(48)):
        unreachable = icmpv6.DestinationUnreachable(code=0, invoking=invoking)
        assert explained(mobile_node(), unreachable, packet(HOME, CN)) is None
    echo = icmpv6.EchoRequest(identifier=1, sequence=1, data=packet(CARE_OF, CN, home_address_option(HOME)))
    assert mobile_node().error(Packet(source=CN, destination=CARE_OF, payload=echo)) is None


# Any octets

_chains: st.SearchStrategy[list[ExtensionHeader]] = st.lists(
    st.sampled_from([ALERT, SEGMENTS, LIMIT, FIRST, REST, WHOLE]), max_size=4
)
_heads: st.SearchStrategy[ExtensionHeader] = st.sampled_from(
    [routing_header(HOME), home_address_option(HOME), routing_header(PEER_HOME), ALERT, LIMIT]
)


@st.composite
def payload_packets(draw: st.DrawFn) -> bytes:
    """Make a packet between the home addresses, with any headers in an order that a kernel may write."""
    order = [HopByHopOptions, UnknownRoutingHeader, FragmentHeader, DestinationOptions]
    chain = sorted(draw(_chains), key=lambda header: order.index(type(header)))
    once = {type(header): header for header in chain}
    kind = draw(st.sampled_from([UDP, TCP, 58, 59, ESP, AH, 253]))
    return packet(HOME, PEER_HOME, *once.values(), kind=kind, data=draw(st.binary(max_size=200)))


@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "11.3.1-a", "11.3.3-a")
@given(payload_packets(), st.sampled_from(["both", "option", "routing header"]))
def test_what_leaves_one_node_straight_is_restored_at_the_other(octets: bytes, how: str) -> None:
    one, other = two_mobile_nodes()
    if how == "option":
        one.unbind(PEER_HOME)
    elif how == "routing header":
        one.unroute(HOME, PEER_HOME)
    straight = one.outwards(octets)
    assert straight is not None
    assert len(straight) == len(octets) + (48 if how == "both" else 24)
    assert struct.unpack_from("!H", straight, 4)[0] == len(straight) - 40
    assert restored(other.inwards(straight)) == octets
    assert one.used(HOME, PEER_HOME) or how == "routing header"
    assert other.used(PEER_HOME, HOME)


@st.composite
def mangled_packets(draw: st.DrawFn) -> bytes:
    """Make a packet that has something of RFC 6275 and is then changed or cut anywhere."""
    ends = st.sampled_from([HOME, PEER_HOME, CARE_OF, PEER_CARE_OF, CN])
    headers = draw(st.lists(_heads, max_size=4))
    octets = bytearray(packet(draw(ends), draw(ends), *headers, data=draw(st.binary(max_size=40))))
    for _ in range(draw(st.integers(0, 3))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    return bytes(octets[: draw(st.integers(0, len(octets)))])


OUT_OF_PLACE = bytes.fromhex(
    "6000000000382b00"
    + "00" * 32  # a type 2 routing header, hop-by-hop options behind it, and another one behind them
    + "0002020100000000"
    + "20010db8000100000000000000000100"
    + "2b00000000000000"
    + "0002020100000000"
    + "00" * 16
)


@given(st.one_of(st.binary(max_size=200), mangled_packets()))
@example(OUT_OF_PLACE)
def test_no_octets_raise_anything(octets: bytes) -> None:
    one, _ = two_mobile_nodes()
    one.outwards(octets)
    arrival = one.inwards(octets)
    assert isinstance(arrival, Restored | Unclaimed | Dropped)
    if isinstance(arrival, Restored):
        assert one.inwards(arrival.packet) == Unclaimed()  # nothing is left that would be judged again
    for message in (
        icmpv6.DestinationUnreachable(code=0, invoking=octets),
        icmpv6.PacketTooBig(mtu=1280, invoking=octets),
        icmpv6.ParameterProblem(code=0, pointer=len(octets), invoking=octets),
    ):
        one.error(Packet(source=ROUTER, destination=CARE_OF, payload=message))


@given(addresses, addresses, mobility_messages)
def test_no_mobility_message_is_taken_for_payload(
    source: IPv6Address, destination: IPv6Address, message: mobility.MobilityMessage
) -> None:
    octets = build(Packet(source=source, destination=destination, payload=message))
    paths = Paths()
    paths.bind(destination, CARE_OF)
    paths.route(source, destination, PEER_CARE_OF)
    assert paths.outwards(octets) is None
    assert paths.inwards(octets) == Unclaimed()


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.rfc6275("9.3.1-a", "15.8-a")
def test_without_the_check_of_home_addresses_any_of_them_counts(off: bool) -> None:
    cn = Paths(without=frozenset({Safeguard.HOME_ADDRESS_CHECK}) if off else NOTHING)
    arrival = cn.inwards(packet(STRANGER, CN, home_address_option(HOME)))
    assert arrival == (Restored(packet=packet(HOME, CN)) if off else Unclaimed())


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.rfc6275("6.4-a", "15.9-a")
def test_without_the_check_of_routing_headers_they_lead_anywhere(off: bool) -> None:
    cn = Paths(without=frozenset({Safeguard.ROUTING_HEADER_CHECK}) if off else NOTHING)
    arrival = cn.inwards(packet(STRANGER, CN, routing_header(HOME)))
    dropped = Dropped(reason=PlaneReason.FOREIGN_ROUTING_HEADER)
    assert arrival == (Restored(packet=packet(STRANGER, HOME)) if off else dropped)
