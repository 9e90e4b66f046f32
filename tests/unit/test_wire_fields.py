"""What does not fit its field is refused before it is sent, and the field is named."""

from ipaddress import IPv6Address
from typing import Any

import pytest

from lab.errors import Mip6LabError
from lab.wire.fields import FieldError
from lab.wire.icmpv6 import EchoRequest, RouterAdvertisement, RouterSolicitation, UnknownIcmpv6Message
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    BindingUpdate,
    BindingUpdateFlag,
    HomeTestInit,
    UnknownMobilityMessage,
)
from lab.wire.neighbor import SourceLinkLayerAddress, UnknownNeighborOption
from lab.wire.options import BindingAuthorizationData, NonceIndices, UnknownOption
from lab.wire.packet import (
    Datagram,
    DestinationOptions,
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

A, B = IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")
UPDATE: dict[str, Any] = {"sequence": 1, "flags": BindingUpdateFlag.ACKNOWLEDGE, "lifetime": 60}
HOME_ADDRESS = DestinationOptions(options=(HomeAddressOption(home_address=A),))


def packet(payload: Any, **fields: Any) -> Packet:
    return Packet(source=A, destination=B, payload=payload, **fields)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        (BindingUpdate(**UPDATE | {"sequence": 70000}), "BindingUpdate.sequence cannot be 70000"),
        (BindingUpdate(**UPDATE | {"sequence": -1}), "BindingUpdate.sequence cannot be -1"),
        (BindingUpdate(**UPDATE | {"lifetime": 61}), "BindingUpdate.lifetime cannot be 61: not a multiple of 4 s"),
        (BindingUpdate(**UPDATE | {"lifetime": 262144}), "BindingUpdate.lifetime cannot be 262144"),
        (BindingUpdate(**UPDATE | {"lifetime": 7.5}), "BindingUpdate.lifetime cannot be 7.5"),
        (HomeTestInit(cookie=bytes(7)), "HomeTestInit.cookie cannot be .*: 8 octets wanted"),
        (BindingAcknowledgement(status=256, sequence=0, lifetime=0), "BindingAcknowledgement.status cannot be 256"),
        (BindingError(status=1, home_address="2001:db8::1"), "BindingError.home_address cannot be '2001:db8::1'"),  # type: ignore[arg-type]  # on purpose
        (BindingUpdate(**UPDATE, options=(NonceIndices(home=-1, care_of=0),)), "NonceIndices.home cannot be -1"),
        (
            BindingUpdate(**UPDATE, options=(BindingAuthorizationData(authenticator=bytes(16)),)),
            "BindingAuthorizationData.authenticator cannot be .*: 12 octets wanted",
        ),
        (EchoRequest(identifier=0x10000, sequence=0), "EchoRequest.identifier cannot be 65536"),
        (RouterAdvertisement(router_lifetime=0x10000), "RouterAdvertisement.router_lifetime cannot be 65536"),
        (
            RouterSolicitation(options=(SourceLinkLayerAddress(address=bytes(5)),)),
            "SourceLinkLayerAddress.address cannot be .*: 6 octets wanted",
        ),
        (
            BindingRefreshRequest(options=(UnknownOption(option_type=9, data=bytes(256)),)),
            "type 9 and 256 octets",
        ),
        (BindingRefreshRequest(options=(UnknownOption(option_type=1, data=b""),)), "no option can have type 1"),
        (BindingRefreshRequest(options=(UnknownOption(option_type=300, data=b""),)), "cannot be written"),
        (BindingRefreshRequest(options=(HomeAddressOption(home_address=A),)), "does not belong"),  # type: ignore[arg-type]  # on purpose
        (BindingRefreshRequest(options=None), "cannot be written"),  # type: ignore[arg-type]  # on purpose
        (
            BindingRefreshRequest(options=tuple(UnknownOption(option_type=9, data=bytes(250)) for _ in range(9))),
            "no Mobility Header can have",
        ),
        (UnknownMobilityMessage(mh_type=9, data=bytes(3)), "no Mobility Header can have 9 octets"),
        (UnknownMobilityMessage(mh_type=256, data=bytes(2)), "cannot be written"),
        (
            RouterSolicitation(options=(UnknownNeighborOption(option_type=9, data=bytes(7)),)),
            "no Neighbor Discovery option can have 7 octets",
        ),
        (UnknownIcmpv6Message(icmpv6_type=256, code=0, body=b""), "cannot be written"),
        (OpaquePayload(next_header=256, data=b""), "cannot be written"),
        (OpaquePayload(next_header=17, data=bytes(0x10000)), "cannot be written"),
        (Datagram(source_port=0x10000, destination_port=1, data=b""), "cannot be written"),
        (Datagram(source_port=1, destination_port=1, data=bytes(0xFFF8)), "cannot be written"),
        (Packet(source=A, destination=B, payload=EchoRequest(identifier=-1, sequence=0)), "EchoRequest.identifier"),
    ],
)
def test_payload(payload: Any, field: str) -> None:
    with pytest.raises(FieldError, match=field):
        build(packet(payload))


@pytest.mark.parametrize(
    "fields",
    [
        {"hop_limit": 256},
        {"traffic_class": 256},
        {"flow_label": 0x100000},
        {"flow_label": -1},
        {"source": None},
        {"headers": (UnknownRoutingHeader(routing_type=4, segments_left=0, data=bytes(5)),)},
        {"headers": (UnknownRoutingHeader(routing_type=256, segments_left=0, data=bytes(4)),)},
        {"headers": (RoutingHeaderType2(home_address=A, segments_left=256),)},
        {"headers": (FragmentHeader(offset=7, more=True, identification=1),)},
        {"headers": (FragmentHeader(offset=0, more=True, identification=1 << 32),)},
        {"headers": (FragmentHeader(offset=0x10000, more=True, identification=1),)},
        {"headers": (HopByHopOptions(options=(HomeAddressOption(home_address=A),)),)},
        {"headers": (DestinationOptions(options=(UnknownHeaderOption(option_type=0, data=b""),)),)},
        {"headers": (HOME_ADDRESS, HOME_ADDRESS)},
    ],
)
def test_packet(fields: Any) -> None:
    message = EchoRequest(identifier=0, sequence=0)
    with pytest.raises(FieldError):
        build(Packet(**{"source": A, "destination": B, "payload": message} | fields))


def test_is_a_mistake_of_the_program_under_the_common_root() -> None:
    assert issubclass(FieldError, Mip6LabError)
    assert issubclass(FieldError, ValueError)


@pytest.mark.rfc6275("6.1.1-b")
def test_reserved_flags_are_never_sent() -> None:
    assert BindingUpdateFlag(0xFFFF) == BindingUpdateFlag(0xF000)
    update = BindingUpdate(sequence=1, flags=BindingUpdateFlag(0x8001), lifetime=4)
    assert build(packet(update))[48:50] == b"\x80\x00"


@pytest.mark.rfc6275("6.2.1-a", "6.3-a")
def test_every_header_is_a_multiple_of_eight_octets_whatever_it_holds() -> None:
    for size in range(16):
        odd = UnknownOption(option_type=200, data=bytes(size))
        message = BindingUpdate(**UPDATE, options=(odd, BindingAuthorizationData(authenticator=bytes(range(12)))))
        octets = build(packet(message))
        assert len(octets) % 8 == 0
        assert octets.index(bytes(range(12))) % 8 == 4  # 8n+2, behind type and length
        header = DestinationOptions(
            options=(UnknownHeaderOption(option_type=30, data=bytes(size)), HomeAddressOption(home_address=A))
        )
        octets = build(packet(EchoRequest(identifier=0, sequence=0), headers=(header,)))
        assert len(octets) % 8 == 0
        assert (octets.index(b"\xc9\x10" + A.packed) - 40) % 8 == 6
        assert parse(octets).headers == (header,)


@pytest.mark.rfc6275("6.3-a", "6.4-b")
def test_mobility_packet_puts_the_routing_header_first() -> None:
    update = BindingUpdate(**UPDATE)
    made = mobility_packet(A, B, update, home_address=B, routed_home_address=A)
    assert made.headers == (
        RoutingHeaderType2(home_address=A),
        DestinationOptions(options=(HomeAddressOption(home_address=B),)),
    )
    assert (made.home_address, made.routed_home_address) == (B, A)
    plain = mobility_packet(A, B, update)
    assert (plain.headers, plain.home_address, plain.routed_home_address) == ((), None, None)


def test_messages_that_were_read_are_like_messages_that_were_made() -> None:
    update = BindingUpdate(**UPDATE, options=(NonceIndices(home=1, care_of=2),))
    found = parse(build(packet(update))).payload
    assert type(found) is BindingUpdate
    assert (found, hash(found), repr(found)) == (update, hash(update), repr(update))
    with pytest.raises(AttributeError):
        found.sequence = 2  # type: ignore[misc]  # frozen
