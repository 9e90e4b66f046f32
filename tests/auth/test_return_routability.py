"""The formulas of RFC 6275 §5.2, against HMAC spelled out after RFC 2104."""

import hashlib
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.return_routability import (
    authenticator,
    binding_management_key,
    care_of_keygen_token,
    home_keygen_token,
    is_authentic,
)
from tests.fuzz.wire_packets import addresses

NODE_KEY = bytes(range(20))
NONCE = b"a nonce!"
HOME, CARE_OF, PEER = (IPv6Address(f"2001:db8:{text}") for text in ("1::100", "a1::2", "c::1"))
BLOCK = 64


def hmac_sha1(key: bytes, text: bytes) -> bytes:
    """H (K xor opad | H (K xor ipad | text)), RFC 2104 §2."""
    key = (hashlib.sha1(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
    inner, outer = (bytes(octet ^ pad for octet in key) for pad in (0x36, 0x5C))
    return hashlib.sha1(outer + hashlib.sha1(inner + text).digest()).digest()


def test_the_spelling_gives_what_rfc_2202_lists() -> None:
    expected = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
    assert hmac_sha1(b"Jefe", b"what do ya want for nothing?").hex() == expected


@pytest.mark.rfc6275("5.2.4-a", "5.2.4-b")
@given(st.binary(min_size=20, max_size=20), addresses, st.binary(min_size=8, max_size=8))
def test_keygen_tokens(node_key: bytes, address: IPv6Address, nonce: bytes) -> None:
    home = home_keygen_token(node_key, address, nonce)
    care_of = care_of_keygen_token(node_key, address, nonce)
    assert home == hmac_sha1(node_key, address.packed + nonce + b"\0")[:8]
    assert care_of == hmac_sha1(node_key, address.packed + nonce + b"\1")[:8]
    assert home != care_of


@pytest.mark.rfc6275("5.2.6-a", "15.4.6-a")
def test_binding_management_key() -> None:
    assert binding_management_key(b"homehome", b"careofof") == hashlib.sha1(b"homehomecareofof").digest()
    assert binding_management_key(b"homehome") == hashlib.sha1(b"homehome").digest()


@pytest.mark.rfc6275("5.2.6-b")
@given(st.binary(min_size=20, max_size=20), st.binary(min_size=18, max_size=80), st.binary(min_size=2, max_size=2))
def test_authenticator(key: bytes, header: bytes, checksum: bytes) -> None:
    header = header[:4] + checksum + header[6:]
    data = header[:4] + b"\0\0" + header[6:-12]
    expected = hmac_sha1(key, CARE_OF.packed + PEER.packed + data)[:12]
    assert authenticator(key, CARE_OF, PEER, header) == expected
    assert is_authentic(key, CARE_OF, PEER, header, expected)
    assert not is_authentic(key, HOME, PEER, header, expected)
    assert not is_authentic(key, CARE_OF, HOME, header, expected)
    assert not is_authentic(key, CARE_OF, PEER, header[:3] + bytes((header[3] ^ 1,)) + header[4:], expected)
    assert not is_authentic(key, CARE_OF, PEER, header, expected[:11])


def test_one_by_hand() -> None:
    """So that a change of the formulas and of the spelling above at once is noticed."""
    assert home_keygen_token(NODE_KEY, HOME, NONCE).hex() == "06bb208444d8091a"
    assert care_of_keygen_token(NODE_KEY, CARE_OF, NONCE).hex() == "9f8d10dc71cc3de6"
