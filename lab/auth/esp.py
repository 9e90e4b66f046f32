"""The Encapsulating Security Payload, RFC 4303: AES-CBC (RFC 3602) or no encryption, HMAC-SHA-256-128 (RFC 4868).

Pure: whoever seals gives the sequence number and the initialization vector.
"""

import hmac
import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lab.errors import IpsecError, IpsecReason

IV_OCTETS = 16
INTEGRITY_KEY_OCTETS = 32
ENCRYPTION_KEY_OCTETS = (0, 16, 24, 32)
SEQUENCE_NUMBERS = 1 << 32
KEYS_AT_HAND = 1024
"""For so many keys there are ciphers, which take some kilobytes each."""
_ICV_OCTETS = 16
_HEADER = struct.Struct("!II")
_CIPHER_BLOCK, _PLAIN_BLOCK = 16, 4
_TRAILER_OCTETS = 2
_PADDING = bytes(range(1, 256))
"""1, 2, 3, … so that the receiver can tell (§2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A security association: one direction, keyed by hand. Its keys are never shown."""

    spi: int
    integrity_key: bytes = field(repr=False)
    encryption_key: bytes = field(default=b"", repr=False)
    """Of AES-CBC; empty: nothing is encrypted (RFC 2410)."""

    @property
    def iv_octets(self) -> int:
        """How long the initialization vector is."""
        return IV_OCTETS if self.encryption_key else 0

    @property
    def block(self) -> int:
        """Of how many octets what is sealed is a multiple (§2.4)."""
        return _CIPHER_BLOCK if self.encryption_key else _PLAIN_BLOCK


class Opened(NamedTuple):
    """What an ESP packet held."""

    next_header: int
    payload: bytes


def seal(association: Association, sequence: int, iv: bytes, next_header: int, payload: bytes) -> bytes:
    """Make an ESP packet, §3.3; of `iv`, unpredictable octets, the association takes as many as it needs."""
    iv = iv[: association.iv_octets]
    size = -(len(payload) + _TRAILER_OCTETS) % association.block
    text = payload + _PADDING[:size] + bytes((size, next_header))
    sealed = _HEADER.pack(association.spi, sequence % SEQUENCE_NUMBERS) + iv + _encrypt(association, iv, text)
    return sealed + _icv(association, sealed)


def spi(octets: bytes) -> int:
    """Give the Security Parameters Index of an ESP packet; raises `IpsecError`."""
    if len(octets) < _HEADER.size:
        raise IpsecError(IpsecReason.MALFORMED_ESP, f"{len(octets)} octets")
    index, _ = _HEADER.unpack_from(octets)
    return int(index)


def open_sealed(association: Association, octets: bytes) -> Opened:
    """Verify an ESP packet, then decrypt it, §3.4; raises `IpsecError`."""
    start, end = _HEADER.size + association.iv_octets, len(octets) - _ICV_OCTETS
    if end - start < association.block or (end - start) % association.block:
        raise IpsecError(IpsecReason.MALFORMED_ESP, f"{len(octets)} octets")
    if not hmac.compare_digest(_icv(association, octets[:end]), octets[end:]):  # §3.4.4.1: before anything else
        raise IpsecError(IpsecReason.WRONG_ICV, f"SPI {association.spi:#010x}")
    text = _decrypt(association, octets[_HEADER.size : start], octets[start:end])
    size, next_header = text[-_TRAILER_OCTETS:]
    at = len(text) - _TRAILER_OCTETS - size
    if at < 0 or text[at:-_TRAILER_OCTETS] != _PADDING[:size]:
        raise IpsecError(IpsecReason.MALFORMED_ESP, f"padding, SPI {association.spi:#010x}")
    return Opened(next_header, text[:at])


def capacity(association: Association, octets: int) -> int:
    """Give the largest payload whose ESP packet has at most so many octets."""
    room = octets - _HEADER.size - association.iv_octets - _ICV_OCTETS
    return room // association.block * association.block - _TRAILER_OCTETS


def warm_up() -> None:
    """Use each algorithm once: for its first packet the library takes milliseconds to look it up."""
    association = Association(
        spi=0, integrity_key=bytes(INTEGRITY_KEY_OCTETS), encryption_key=bytes(max(ENCRYPTION_KEY_OCTETS))
    )
    open_sealed(association, seal(association, 0, bytes(IV_OCTETS), 0, b""))


def _icv(association: Association, sealed: bytes) -> bytes:
    return hmac.digest(association.integrity_key, sealed, "sha256")[:_ICV_OCTETS]


def _encrypt(association: Association, iv: bytes, text: bytes) -> bytes:
    return _cipher(association.encryption_key).encrypt(iv, text) if association.encryption_key else text


def _decrypt(association: Association, iv: bytes, text: bytes) -> bytes:
    return _cipher(association.encryption_key).decrypt(iv, text) if association.encryption_key else text


class _Cipher:
    """AES-CBC with one key for a packet after another: a context of its own for each takes longer than the packet.

    A context mixes the first block with the last sealed one that it knows, here of the packet before; that is taken out
    again, and the initialization vector of this packet put in.
    """

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(algorithms.AES(key), modes.CBC(bytes(IV_OCTETS)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._last_made = self._last_opened = bytes(IV_OCTETS)

    def encrypt(self, iv: bytes, text: bytes) -> bytes:
        """Give as many octets, a multiple of a block."""
        sealed = self._encryptor.update(_mixed(text, iv, self._last_made))
        self._last_made = sealed[-IV_OCTETS:]
        return sealed

    def decrypt(self, iv: bytes, sealed: bytes) -> bytes:
        """Undo `encrypt`."""
        text = _mixed(self._decryptor.update(sealed), iv, self._last_opened)
        self._last_opened = sealed[-IV_OCTETS:]
        return text


def _mixed(text: bytes, *blocks: bytes) -> bytes:
    """Mix the first block of a text with others."""
    first = int.from_bytes(text[:IV_OCTETS])
    for block in blocks:
        first ^= int.from_bytes(block)
    return first.to_bytes(IV_OCTETS) + text[IV_OCTETS:]


_cipher = lru_cache(maxsize=KEYS_AT_HAND)(_Cipher)
