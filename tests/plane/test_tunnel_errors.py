"""Errors from within a tunnel, as the sender of the inner packet is to hear them (RFC 2473 §8)."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.constants import MINIMUM_MTU
from lab.plane.tunnel_errors import Tunnelled, relayed, tunnelled
from lab.wire.icmpv6 import (
    DestinationUnreachable,
    EchoRequest,
    Icmpv6Message,
    PacketTooBig,
    ParameterProblem,
    TimeExceeded,
)
from lab.wire.packet import HEADER_OCTETS, OpaquePayload, Packet, Payload, build
from tests.fuzz.wire_packets import icmpv6_messages

AGENT, CARE_OF, ROUTER = (IPv6Address(f"2001:db8:{end}") for end in ("1::1", "a1::2", "f1::1"))
CN, HOME = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:1::100")
UDP = 17


def inner(payload: Payload | None = None, source: IPv6Address = CN, destination: IPv6Address = HOME) -> bytes:
    """Make a packet for the home address."""
    payload = payload or OpaquePayload(next_header=UDP, data=bytes(1400))
    return build(Packet(source=source, destination=destination, payload=payload))


def outer(packet: bytes) -> bytes:
    """Put a packet into the tunnel."""
    return build(Packet(source=AGENT, destination=CARE_OF, payload=OpaquePayload(next_header=41, data=packet)))


def error(message: Icmpv6Message) -> Packet:
    """Make an error of a router within the tunnel."""
    return Packet(source=ROUTER, destination=AGENT, payload=message)


EXPIRED = error(TimeExceeded(code=0, invoking=outer(inner())))


@pytest.mark.rfc6275("10.4.2-e")
@pytest.mark.parametrize("size", [2 * HEADER_OCTETS, 2 * HEADER_OCTETS + 8, 1232])
def test_the_inner_packet_is_found_as_far_as_it_is_there(size: int) -> None:
    invoking = outer(inner())[:size]
    found = tunnelled(error(TimeExceeded(code=0, invoking=invoking)))
    assert found == Tunnelled(local=AGENT.packed, remote=CARE_OF.packed, packet=inner()[: size - HEADER_OCTETS])


@pytest.mark.rfc6275("10.4.2-e")
@pytest.mark.parametrize(
    "invoking",
    [
        b"",
        outer(inner())[: 2 * HEADER_OCTETS - 1],
        inner(),  # in no tunnel
        outer(b"\x45" + inner()[1:]),
        outer(inner(source=IPv6Address("::"))),
        outer(inner(source=IPv6Address("ff02::1"))),
        outer(inner(destination=IPv6Address("ff0e::1"))),
        outer(inner(TimeExceeded(code=0, invoking=bytes(48)))),  # an error
        outer(inner(TimeExceeded(code=0, invoking=bytes(48))))[: 2 * HEADER_OCTETS],  # or perhaps one
    ],
)
def test_nobody_is_told_of_what_must_not_be_answered(invoking: bytes) -> None:
    assert tunnelled(error(TimeExceeded(code=0, invoking=invoking))) is None


@pytest.mark.rfc6275("10.4.2-e")
@pytest.mark.case("HA-170", "HA-174")
@pytest.mark.parametrize(
    "message",
    [
        TimeExceeded(code=0, invoking=b""),
        DestinationUnreachable(code=0, invoking=b""),
        DestinationUnreachable(code=3, invoking=b""),
    ],
)
def test_what_ends_in_the_tunnel_is_unreachable_for_its_sender(message: Icmpv6Message) -> None:
    report = relayed(error(message), inner(), AGENT)
    unreachable = DestinationUnreachable(code=3, invoking=inner())
    assert report == Packet(source=AGENT, destination=CN, payload=unreachable)


@pytest.mark.rfc6275("10.4.2-e", "10.4.2-c")
@pytest.mark.parametrize(("mtu", "told"), [(1400, 1360), (1320, 1280), (1300, MINIMUM_MTU), (0, MINIMUM_MTU)])
def test_a_bottleneck_is_told_less_the_outer_header(mtu: int, told: int) -> None:
    report = relayed(error(PacketTooBig(mtu=mtu, invoking=b"")), inner(), AGENT)
    assert report is not None
    assert report.payload == PacketTooBig(mtu=told, invoking=inner())


@pytest.mark.rfc6275("10.4.2-e")
@pytest.mark.parametrize(
    ("message", "packet"),
    [
        (PacketTooBig(mtu=1280, invoking=b""), inner(EchoRequest(identifier=1, sequence=1, data=bytes(1232)))),
        (ParameterProblem(code=0, pointer=6, invoking=b""), inner()),  # of the outer header: the tunnel's own affair
    ],
)
def test_what_a_sender_can_do_nothing_about_it_is_not_told(message: Icmpv6Message, packet: bytes) -> None:
    assert relayed(error(message), packet, AGENT) is None


@given(icmpv6_messages, st.binary(max_size=200))
def test_no_message_and_no_octets_make_it_fail(message: Icmpv6Message, invoking: bytes) -> None:
    for packet in (error(message), error(TimeExceeded(code=0, invoking=outer(invoking)))):
        found = tunnelled(packet)
        if found is not None and (report := relayed(packet, found.packet, AGENT)) is not None:
            build(report)
