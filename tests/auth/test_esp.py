"""ESP packets: what is sealed comes out as it was, and nothing else does (RFC 4303 §2 and §3)."""

import hashlib
import hmac
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.esp import Association, capacity, open_sealed, seal, spi
from lab.errors import IpsecError, IpsecReason

KEY = bytes(range(32))
IV = bytes(range(100, 116))
ENCRYPTED = Association(spi=0x1001, integrity_key=KEY, encryption_key=KEY[:16])
PLAIN = Association(spi=0x1002, integrity_key=KEY)
associations = st.builds(
    Association,
    spi=st.integers(0x100, 0xFFFF_FFFF),
    integrity_key=st.binary(min_size=32, max_size=32),
    encryption_key=st.sampled_from([0, 16, 24, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size)),
)
ivs = st.binary(min_size=16, max_size=16)
payloads = st.binary(max_size=100)


def refusal(association: Association, octets: bytes) -> IpsecReason:
    with pytest.raises(IpsecError) as caught:
        open_sealed(association, octets)
    return caught.value.reason


def with_icv(sealed: bytes) -> bytes:
    """Put the right ICV behind what is wrong otherwise."""
    return sealed + hmac.new(KEY, sealed, hashlib.sha256).digest()[:16]


@pytest.mark.rfc6275("5.1-a")
@given(associations, st.integers(1, 1 << 40), ivs, st.integers(0, 255), payloads)
def test_what_is_sealed_is_opened(
    association: Association, sequence: int, iv: bytes, next_header: int, payload: bytes
) -> None:
    sealed = seal(association, sequence, iv, next_header, payload)
    assert open_sealed(association, sealed) == (next_header, payload)
    assert spi(sealed) == association.spi
    assert int.from_bytes(sealed[4:8], "big") == sequence % 2**32  # counts on (RFC 4303 §3.3.3)
    assert len(sealed) % 4 == 0


@given(st.lists(st.tuples(st.sampled_from([16, 24, 32]), ivs, payloads), max_size=6), st.randoms())
def test_each_packet_is_sealed_as_if_there_were_no_other(
    packets: list[tuple[int, bytes, bytes]], order: Random
) -> None:
    """A cipher is used for one packet after another; none of them shows in the next."""
    sealed = []
    for size, iv, payload in packets:
        association = Association(spi=0x1001, integrity_key=KEY, encryption_key=KEY[:size])
        octets = seal(association, 1, iv, 59, payload)
        padding = -(len(payload) + 2) % 16
        text = payload + bytes(range(1, padding + 1)) + bytes((padding, 59))
        alone = Cipher(algorithms.AES(KEY[:size]), modes.CBC(iv)).encryptor()
        assert octets[8:-16] == iv + alone.update(text) + alone.finalize()
        sealed.append((association, octets, payload))
    order.shuffle(sealed)
    for association, octets, payload in sealed:
        assert open_sealed(association, octets) == (59, payload)


@pytest.mark.rfc6275("5.1-a")
@given(associations, ivs, payloads, st.data())
def test_a_bit_that_was_flipped_is_refused(
    association: Association, iv: bytes, payload: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(seal(association, 1, iv, 135, payload))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert refusal(association, bytes(sealed)) is IpsecReason.WRONG_ICV


@given(associations, st.binary(max_size=120))
def test_no_octets_do_harm(association: Association, octets: bytes) -> None:
    """None of them are sealed by the association: that would take its key."""
    assert refusal(association, octets) in (IpsecReason.MALFORMED_ESP, IpsecReason.WRONG_ICV)


@given(associations, ivs, payloads, st.data())
def test_what_is_cut_is_refused(association: Association, iv: bytes, payload: bytes, data: st.DataObject) -> None:
    sealed = seal(association, 1, iv, 135, payload)
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    assert refusal(association, cut) in (IpsecReason.MALFORMED_ESP, IpsecReason.WRONG_ICV)


@pytest.mark.parametrize("octets", [b"", bytes(7)])
def test_less_than_a_header_has_no_spi(octets: bytes) -> None:
    with pytest.raises(IpsecError) as caught:
        spi(octets)
    assert caught.value.reason is IpsecReason.MALFORMED_ESP


def test_the_fields_lie_where_they_must() -> None:
    """RFC 4303 §2, with the padding 1, 2, 3, … and the explicit IV of RFC 3602 §2.1."""
    head = bytes.fromhex("00001002 00000007")
    assert seal(PLAIN, 7, IV, 135, b"12345") == with_icv(head + b"12345" + b"\x01" + b"\x01\x87")
    sealed = seal(ENCRYPTED, 7, IV, 135, b"12345")
    assert sealed[8:24] == IV
    text = b"12345" + bytes(range(1, 10)) + b"\x09\x87"
    encryptor = Cipher(algorithms.AES(KEY[:16]), modes.CBC(IV)).encryptor()
    assert sealed == with_icv(bytes.fromhex("00001001 00000007") + IV + encryptor.update(text))


@pytest.mark.parametrize(
    "trailer",
    [b"\x01\x02\x09\x02\x87", b"\0\0\0\x02\x87", b"\x02\x01\x87", b"\xff\x87"],
    ids=["other octets", "zeros", "one other octet", "longer than all"],
)
def test_padding_is_looked_at(trailer: bytes) -> None:
    """RFC 4303 §2.4: it has been said how to pad, and whoever has the key said otherwise."""
    text = bytes(-len(trailer) % 4) + trailer
    assert refusal(PLAIN, with_icv(bytes.fromhex("00001002 00000001") + text)) is IpsecReason.MALFORMED_ESP


def test_keys_are_never_shown() -> None:
    assert repr(ENCRYPTED) == f"Association(spi={0x1001})"
    with pytest.raises(IpsecError) as caught:
        open_sealed(ENCRYPTED, bytes(56))
    assert KEY[:4].hex() not in str(caught.value) + repr(caught.value)


@given(associations, st.integers(60, 1500))
def test_as_much_as_there_is_room_for(association: Association, octets: int) -> None:
    most = capacity(association, octets)
    if most >= 0:
        assert len(seal(association, 1, IV, 41, bytes(most))) <= octets
    assert len(seal(association, 1, IV, 41, bytes(max(most, -1) + 1))) > octets
