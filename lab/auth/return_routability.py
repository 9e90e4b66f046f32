"""The formulas of return routability: tokens, Kbm and the authenticator (RFC 6275 §5.2.4 to §5.2.6, §6.2.7)."""

import hashlib
import hmac
from ipaddress import IPv6Address

TOKEN_OCTETS = 8
COOKIE_OCTETS = 8
NODE_KEY_OCTETS = 20
NONCE_OCTETS = 8
AUTHENTICATOR_OCTETS = 12
_CHECKSUM = slice(4, 6)
"""Where the checksum lies in a Mobility Header."""
_HOME, _CARE_OF = b"\0", b"\1"


def home_keygen_token(node_key: bytes, home_address: IPv6Address, nonce: bytes) -> bytes:
    """First (64, HMAC_SHA1 (Kcn, (home address | nonce | 0))), §5.2.5."""
    return hmac.digest(node_key, home_address.packed + nonce + _HOME, "sha1")[:TOKEN_OCTETS]


def care_of_keygen_token(node_key: bytes, care_of_address: IPv6Address, nonce: bytes) -> bytes:
    """First (64, HMAC_SHA1 (Kcn, (care-of address | nonce | 1))), §5.2.5."""
    return hmac.digest(node_key, care_of_address.packed + nonce + _CARE_OF, "sha1")[:TOKEN_OCTETS]


def binding_management_key(home_token: bytes, care_of_token: bytes = b"") -> bytes:
    """Kbm = SHA1 (home keygen token | care-of keygen token); without the latter to delete a binding (§5.2.6)."""
    return hashlib.sha1(home_token + care_of_token, usedforsecurity=False).digest()


def authenticator(key: bytes, care_of_address: IPv6Address, correspondent: IPv6Address, message: bytes) -> bytes:
    """First (96, HMAC_SHA1 (Kbm, (care-of address | correspondent | MH Data))), §6.2.7.

    `message` is the whole Mobility Header, whose last octets are the authenticator itself; it and the checksum do
    not count. `correspondent` is the home address of one that is mobile too.
    """
    data = message[: _CHECKSUM.start] + b"\0\0" + message[_CHECKSUM.stop : -AUTHENTICATOR_OCTETS]
    mobility_data = care_of_address.packed + correspondent.packed + data
    return hmac.digest(key, mobility_data, "sha1")[:AUTHENTICATOR_OCTETS]


def is_authentic(
    key: bytes, care_of_address: IPv6Address, correspondent: IPv6Address, message: bytes, claimed: bytes
) -> bool:
    """Compare an authenticator in constant time."""
    return hmac.compare_digest(authenticator(key, care_of_address, correspondent, message), claimed)
