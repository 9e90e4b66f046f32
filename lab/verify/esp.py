"""What ESP protects, RFC 4303, opened with the keys of Wireshark's table of associations."""

import csv
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from lab.errors import Mip6LabError

ESP_SA = "esp_sa"
"""Wireshark's name for the table; a run leaves one beside its captures."""
COLUMNS = 8
"""Newer versions append some."""
HEADER_OCTETS, TRAILER_OCTETS = 8, 2
IV_OCTETS = 16
AES_CBC, NULL = "AES-CBC [RFC3602]", "NULL"
AES_KEYS = (16, 24, 32)
INTEGRITY = {
    "HMAC-SHA-1-96 [RFC2404]": ("sha1", 12),
    "HMAC-SHA-256-128 [RFC4868]": ("sha256", 16),
    "HMAC-SHA-384-192 [RFC4868]": ("sha384", 24),
    "HMAC-SHA-512-256 [RFC4868]": ("sha512", 32),
}
"""Hash and octets of the ICV, under Wireshark's names."""


class AssociationError(Mip6LabError):
    """A table of associations cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What one ESP packet held."""

    sequence: int
    next_header: int
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """A security association, as far as its packets can be opened."""

    spi: int
    encryption_key: bytes = field(repr=False)
    """Of AES-CBC; empty for NULL encryption."""
    hash: str
    icv_octets: int
    integrity_key: bytes = field(repr=False)

    def open(self, esp: bytes) -> Content | None:
        """Open an ESP packet from its header on; None if it is not of this association, or not as it was sent."""
        signed, icv = esp[: -self.icv_octets], esp[-self.icv_octets :]
        if len(signed) < HEADER_OCTETS + TRAILER_OCTETS or int.from_bytes(signed[:4], "big") != self.spi:
            return None
        if not hmac.compare_digest(hmac.digest(self.integrity_key, signed, self.hash)[: self.icv_octets], icv):
            return None
        plain = self._decrypted(signed[HEADER_OCTETS:])
        if len(plain) < TRAILER_OCTETS or plain[-2] > len(plain) - TRAILER_OCTETS:
            return None
        return Content(
            sequence=int.from_bytes(signed[4:HEADER_OCTETS], "big"),
            next_header=plain[-1],
            payload=plain[: len(plain) - TRAILER_OCTETS - plain[-2]],
        )

    def _decrypted(self, body: bytes) -> bytes:
        """Give the payload with its trailer; nothing if it is not of whole blocks."""
        if not self.encryption_key:
            return body
        if len(body) % IV_OCTETS:
            return b""
        decryptor = Cipher(AES(self.encryption_key), CBC(body[:IV_OCTETS])).decryptor()
        return decryptor.update(body[IV_OCTETS:]) + decryptor.finalize()


def tables_beside(captures: Sequence[Path]) -> list[Path]:
    """Give the tables of associations in the folders of captures."""
    beside = dict.fromkeys(capture.parent / ESP_SA for capture in captures)
    return [path for path in beside if path.is_file()]


def read_associations(tables: Sequence[Path]) -> list[Association]:
    """Read tables of associations; raises `AssociationError` that names file and line, and no key."""
    return list(dict.fromkeys(association for path in tables for association in _read_one(path)))


def _read_one(path: Path) -> Iterator[Association]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AssociationError(f"{path}: no table of ESP associations: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            columns = next(csv.reader([line], strict=True))
            if columns[0] != "IPv4":
                yield _association(columns)
        except (ValueError, csv.Error) as error:
            raise AssociationError(f"{path}: line {number}: {error}") from error


def _association(columns: list[str]) -> Association:
    """Read a line; raises `ValueError`. Addresses are not looked at: an ICV tells better whose packet it is."""
    if len(columns) < COLUMNS:
        raise ValueError(f"{len(columns)} columns, not {COLUMNS}")
    protocol, _, _, spi, encryption, encryption_key, integrity, integrity_key = columns[:COLUMNS]
    if protocol != "IPv6":
        raise ValueError(f"protocol {protocol!r} is neither 'IPv6' nor 'IPv4'")
    if encryption not in (AES_CBC, NULL):
        raise ValueError(f"encryption {encryption!r} is neither {AES_CBC!r} nor {NULL!r}")
    if integrity not in INTEGRITY:
        raise ValueError(f"integrity {integrity!r} is none of {', '.join(map(repr, INTEGRITY))}")
    key = _key(encryption_key) if encryption == AES_CBC else b""
    if encryption == AES_CBC and len(key) not in AES_KEYS:
        raise ValueError(f"an encryption key of {len(key)} octets is none of AES")
    name, octets = INTEGRITY[integrity]
    return Association(
        spi=_spi(spi), encryption_key=key, hash=name, icv_octets=octets, integrity_key=_key(integrity_key)
    )


def _spi(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError(f"SPI {text!r} is not a number") from None


def _key(text: str) -> bytes:
    """Read hexadecimal digits; what is refused is not repeated."""
    try:
        key = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        key = b""
    if not text.startswith("0x") or not key:
        raise ValueError("a key is not 0x and hexadecimal digits")
    return key
