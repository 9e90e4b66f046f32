"""No octets make the parser of DHCPv6 fail, and it reads back whatever is written."""

from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from lab.errors import WireError
from lab.wire.dhcpv6 import Message, build_message, is_dhcpv6_of_link, name_of, parse_message
from tests.fuzz.wire_packets import dhcpv6_messages


def read_or_refuse(octets: bytes) -> None:
    with suppress(WireError):
        message = parse_message(octets)
        assert build_message(message) == octets
        assert name_of(message)


@given(dhcpv6_messages)
def test_reads_back_what_it_writes(message: Message) -> None:
    assert parse_message(build_message(message)) == message


@given(st.binary(max_size=120))
@example(b"")
def test_refuses_any_octets_in_order(octets: bytes) -> None:
    read_or_refuse(octets)


@given(st.sampled_from([11, 12, 13]), st.binary(max_size=80))
def test_refuses_any_octets_of_a_type_in_order(kind: int, octets: bytes) -> None:
    read_or_refuse(bytes((kind,)) + octets)


@given(dhcpv6_messages, st.data())
def test_refuses_changed_and_cut_messages_in_order(message: Message, data: st.DataObject) -> None:
    octets = bytearray(build_message(message))
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read_or_refuse(bytes(octets[: data.draw(st.integers(0, len(octets)))]))


@given(st.binary(max_size=120))
def test_any_octets_are_dhcpv6_or_not(octets: bytes) -> None:
    assert is_dhcpv6_of_link(octets) in (True, False)
    header = bytes.fromhex("6000000000501140fe80000000000000" + "00" * 8 + "ff02" + "00" * 10 + "00010002")
    assert is_dhcpv6_of_link(header + octets) is (octets[2:4] in (b"\x02\x22", b"\x02\x23"))
