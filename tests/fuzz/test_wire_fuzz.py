"""No octets make the parser fail, and it reads back whatever is written."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab.errors import WireError
from lab.wire.packet import IPV6, Packet, build, parse
from lab.wire.summary import name, summary
from tests.fuzz.wire_packets import packets

EXAMPLES = 400


def read_or_refuse(octets: bytes) -> None:
    """Parse; a pointer of an error lies within the packet."""
    refusal: WireError | None = None
    try:
        payload = parse(octets).payload
        assert summary(payload).startswith(name(payload))
    except WireError as error:
        refusal = error
    if refusal is not None and refusal.pointer is not None:
        assert refusal.pointer < len(octets)


@pytest.mark.rfc6275("6.1.1-a", "6.1.1-b", "6.1.2-a", "6.5-a")
@given(packets)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_reads_back_what_it_writes(packet: Packet) -> None:
    octets = build(packet)
    assert parse(octets) == packet
    assert build(parse(octets)) == octets


@given(packets, st.binary(max_size=30))
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_cuts_off_what_comes_behind_the_packet(packet: Packet, ethernet_padding: bytes) -> None:
    assert parse(build(packet) + ethernet_padding) == packet


@given(st.binary(max_size=200))
@example(b"")
def test_refuses_any_octets_in_order(octets: bytes) -> None:
    read_or_refuse(octets)


@given(st.binary(max_size=200), st.sampled_from([0, 41, 43, 44, 58, 60, 135]))
@settings(max_examples=EXAMPLES)
def test_refuses_any_octets_behind_a_header(octets: bytes, next_header: int) -> None:
    header = bytes((0x60, 0, 0, 0)) + len(octets).to_bytes(2, "big") + bytes((next_header, 64)) + bytes(32)
    read_or_refuse(header + octets)


@given(packets, st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_refuses_changed_packets_in_order(packet: Packet, data: st.DataObject) -> None:
    octets = bytearray(build(packet))
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(octets))


@given(packets, st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_refuses_cut_packets_in_order(packet: Packet, data: st.DataObject) -> None:
    octets = build(packet)
    read_or_refuse(octets[: data.draw(st.integers(0, len(octets)))])


@given(packets, st.data())
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
def test_refuses_changed_messages_of_right_checksum_in_order(packet: Packet, data: st.DataObject) -> None:
    octets = bytearray(build(packet))
    # Two words that change by opposite amounts leave the sum as it was: so what comes behind the checksum is reached.
    first, second = (data.draw(st.integers(20, len(octets) // 2 - 1)) * 2 for _ in range(2))
    change = data.draw(st.integers(0, 0xFFFF))
    for at, amount in ((first, change), (second, 0xFFFF - change)):
        word = int.from_bytes(octets[at : at + 2], "big")
        octets[at : at + 2] = ((word + amount) % 0xFFFF).to_bytes(2, "big")
    read_or_refuse(bytes(octets))


@pytest.mark.parametrize("depth", [1, 8, 9, 1000])
def test_bounds_nesting(depth: int) -> None:
    octets = b""
    for _ in range(depth):
        octets = bytes((0x60, 0, 0, 0)) + len(octets).to_bytes(2, "big") + bytes((IPV6, 64)) + bytes(32) + octets
    with suppress(WireError):
        parse(octets)
