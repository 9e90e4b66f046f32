"""Reading netlink: what one receive brought is taken apart, whatever it is."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from lab.netlink import HEADER, IFF_LOWER_UP, IFF_UP, RTM_NEWLINK, Link, link_of, messages


def message(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    """Make a netlink message, padded as those that another follows."""
    length = HEADER.size + len(payload)
    return HEADER.pack(length, kind, 0, sequence, 0) + payload + bytes(-length % 4)


def link_message(flags: int, **attributes: object) -> bytes:
    """Make an RTM_NEWLINK as the kernel does."""
    made = ifinfmsg()
    made["index"], made["flags"] = 7, flags
    made["attrs"] = [(f"IFLA_{name}", value) for name, value in attributes.items()]
    made["header"]["type"] = RTM_NEWLINK
    made.encode()
    return bytes(made.data)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.binary(max_size=9)), max_size=5))
def test_messages_are_taken_apart(made: list[tuple[int, int, bytes]]) -> None:
    octets = b"".join(message(*parts) for parts in made)
    assert [(kind, sequence, body[HEADER.size :]) for kind, sequence, body in messages(octets)] == made


@given(st.binary(max_size=80))
def test_whatever_comes_is_taken_apart_without_end_or_error(octets: bytes) -> None:
    assert sum(len(body) for _, _, body in messages(octets)) <= len(octets)


@pytest.mark.parametrize("length", [0, 1, 15, 21, 1 << 31], ids=str)
def test_a_message_with_a_wrong_length_and_all_behind_it_are_left_out(length: int) -> None:
    whole = message(1, 2, b"abcd")
    broken = struct.pack("=L", length) + whole[4:]
    assert [sequence for _, sequence, _ in messages(whole + broken)] == [2]


def test_a_message_that_was_cut_off_is_left_out() -> None:
    octets = message(1, 2, b"abcd") + message(1, 3, b"efgh")
    assert [sequence for _, sequence, _ in messages(octets[:-1])] == [2]


@pytest.mark.parametrize(
    ("flags", "up", "carrier"), [(0, False, False), (IFF_UP, True, False), (IFF_UP | IFF_LOWER_UP, True, True)]
)
def test_a_link_is_described(flags: int, up: bool, carrier: bool) -> None:
    address = bytes.fromhex("020000000001")
    octets = link_message(flags, IFNAME="eth0", ADDRESS=address.hex(":"), MTU=1500)
    assert link_of(octets) == Link(index=7, name="eth0", up=up, carrier=carrier, link_layer_address=address, mtu=1500)


def test_a_link_without_address_has_none() -> None:
    assert link_of(link_message(0, IFNAME="tun0", MTU=1460)).link_layer_address == b""
