"""Unpredictable octets for engines that have no randomness of their own (RFC 6275 §5.2.1 to §5.2.3; RFC 4086)."""

import hashlib
import hmac


class Secrets:
    """Octets that only the holder of the seed can foretell: HMAC_SHA256 of a counter.

    The runtime draws the seed once from the operating system; tests and the simulation choose it.
    """

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._counter = 0

    def octets(self, count: int) -> bytes:
        """Give the next `count` octets, at most 32."""
        if not 0 < count <= hashlib.sha256().digest_size:
            raise ValueError(f"{count} octets at once")
        self._counter += 1
        return hmac.digest(self._seed, self._counter.to_bytes(8, "big"), "sha256")[:count]
