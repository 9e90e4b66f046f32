"""How the plane `kernel` tells the kernel what fits the way of a direct path."""

import socket
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from lab.plane.kernel.ways import Ways
from lab.wire.icmpv6 import PacketTooBig
from lab.wire.packet import Datagram, OpaquePayload, Packet, build, parse
from tests.plane.crossroads import CN, MN, TO_CN

MTU = 1400


@pytest.fixture
def ways() -> Iterator[Ways]:
    made = Ways()
    yield made
    made.close()
    made.close()


@pytest.mark.rfc6275("9.3.4-a")
def test_what_did_not_fit_becomes_a_datagram_of_the_socket(ways: Ways) -> None:
    sent = build(Packet(source=CN, destination=MN, payload=OpaquePayload(next_header=59, data=bytes(MTU))))
    too_big = PacketTooBig(mtu=MTU, invoking=sent[:100])
    said = ways.in_own_words(Packet(source=TO_CN, destination=CN, payload=too_big), too_big)
    assert (said.source, said.destination) == (TO_CN, CN)
    assert isinstance(said.payload, PacketTooBig)
    assert said.payload.mtu == MTU
    invoking = parse(said.payload.invoking)
    assert (invoking.source, invoking.destination) == (CN, MN)
    assert isinstance(invoking.payload, Datagram)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other, pytest.raises(OSError, match="in use"):
        other.bind(("::", invoking.payload.source_port))


def test_nothing_is_received(ways: Ways) -> None:
    empty = OpaquePayload(next_header=59, data=b"")
    too_big = PacketTooBig(mtu=MTU, invoking=build(Packet(source=CN, destination=MN, payload=empty)))
    said = ways.in_own_words(Packet(source=TO_CN, destination=CN, payload=too_big), too_big).payload
    assert isinstance(said, PacketTooBig)
    datagram = parse(said.invoking).payload
    assert isinstance(datagram, Datagram)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        other.sendto(b"hello", (str(IPv6Address("::1")), datagram.source_port))
    assert _waiting(ways) == b""


def _waiting(ways: Ways) -> bytes:
    """Give what the socket has received, over the loopback at once."""
    try:
        return ways._socket.recv(100, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return b""
