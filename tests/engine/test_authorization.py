"""Binding Authorization Data: put behind the options of a message, and verified (RFC 6275 §6.2.7)."""

import hashlib
import hmac
from dataclasses import replace

import pytest

from lab.engine.authorization import authorization_data, is_signed, sign
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag, HomeTestInit
from lab.wire.options import BindingAuthorizationData, NonceIndices, UnknownOption
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.correspondent_bench import CARE_OF, COOKIE, HOME, PEER

KEY = bytes(range(20))
UPDATE = mobility_packet(
    CARE_OF,
    PEER,
    BindingUpdate(
        sequence=1, flags=BindingUpdateFlag.ACKNOWLEDGE, lifetime=60, options=(NonceIndices(home=1, care_of=2),)
    ),
    home_address=HOME,
)
ACKNOWLEDGEMENT = mobility_packet(
    PEER, CARE_OF, BindingAcknowledgement(status=0, sequence=1, lifetime=60), routed_home_address=HOME
)


@pytest.mark.rfc6275("5.2.6-b", "6.2.1-a")
@pytest.mark.parametrize("packet", [UPDATE, ACKNOWLEDGEMENT], ids=["update", "acknowledgement"])
def test_what_is_signed_is_right(packet: Packet) -> None:
    said = parse(build(sign(packet, KEY, CARE_OF, PEER)))
    header = said.payload_octets
    data = header[:4] + b"\0\0" + header[6:-12]
    assert header[-14:-12] == b"\x05\x0c"
    assert header[-12:] == hmac.new(KEY, CARE_OF.packed + PEER.packed + data, hashlib.sha1).digest()[:12]
    assert is_signed(said, KEY, CARE_OF, PEER)
    assert not is_signed(said, KEY[::-1], CARE_OF, PEER)
    assert not is_signed(said, KEY, HOME, PEER)
    assert not is_signed(said, KEY, CARE_OF, HOME)


@pytest.mark.rfc6275("9.5.1-d")
def test_what_is_not_there_is_not_right() -> None:
    signed = sign(UPDATE, KEY, CARE_OF, PEER)
    message = signed.payload
    assert isinstance(message, BindingUpdate)
    followed = replace(message, options=(*message.options, UnknownOption(option_type=200, data=b"")))
    for packet in (
        UPDATE,
        ACKNOWLEDGEMENT,
        mobility_packet(CARE_OF, PEER, HomeTestInit(cookie=COOKIE)),
        replace(signed, payload=followed),
    ):
        said = parse(build(packet))
        assert authorization_data(said) is None
        assert not is_signed(said, KEY, CARE_OF, PEER)
    assert not is_signed(signed, KEY, CARE_OF, PEER)  # which did not arrive, and so has no octets


@pytest.mark.rfc6275("9.5.1-d")
def test_padding_behind_it_is_not_right() -> None:
    blank = BindingAuthorizationData(authenticator=bytes(12))
    message = UPDATE.payload
    assert isinstance(message, BindingUpdate)
    options = (*message.options, blank)
    said = parse(build(replace(UPDATE, payload=replace(message, options=options))))
    octets = said.payload_octets
    longer = bytes((octets[0], octets[1] + 1)) + octets[2:] + bytes((1, 6)) + bytes(5) + b"\1"
    assert authorization_data(said) == blank
    assert authorization_data(replace(said, payload_octets=longer)) is None
