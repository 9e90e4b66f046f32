"""The node key and the nonces of a correspondent node, RFC 6275 §5.2.1, §5.2.2 and §5.2.7.

One set serves all mobile nodes, and nothing is kept for any of them: a token is computed again from its index. Nonces
are made when they are asked for, so a correspondent that nobody tests does nothing.
"""

from collections import deque
from dataclasses import dataclass

from lab.auth.return_routability import NODE_KEY_OCTETS, NONCE_OCTETS
from lab.auth.secrets import Secrets
from lab.constants import LIFETIME_UNIT, MAX_NONCE_LIFETIME

USED_FOR = float(LIFETIME_UNIT)
"""Seconds in which tokens are made from a nonce.

Up to 30 leave each token good for MAX_TOKEN_LIFETIME (§5.2.7). One unit of lifetimes tells, without anything kept for
a mobile node, when it was tested: its binding may last MAX_RR_BINDING_LIFETIME from then (§9.5.2).
"""
NODE_KEY_LIFETIME = 24 * 3600.0
INDICES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Nonce:
    """A nonce with the node key that goes with it: an index names both (§5.2.7)."""

    index: int
    value: bytes
    node_key: bytes
    made: float
    lifetime: float = MAX_NONCE_LIFETIME

    @property
    def used_until(self) -> float:
        """Until when tokens are made from it."""
        return self.made + USED_FOR

    @property
    def valid_until(self) -> float:
        """Until when tokens that were made from it are taken."""
        return self.made + self.lifetime


class Nonces:
    """Makes nonces, finds them by index, forgets them after their lifetime, which is MAX_NONCE_LIFETIME at most."""

    def __init__(self, secrets: Secrets, lifetime: float = MAX_NONCE_LIFETIME) -> None:
        self._secrets = secrets
        self._lifetime = lifetime
        self._node_key, self._node_key_made = b"", float("-inf")
        # After a restart the indices of before should mean nothing: their tokens then give 136 to 138, not silence.
        self._next = int.from_bytes(secrets.octets(2), "big")
        self._nonces: deque[Nonce] = deque()

    def current(self, now: float) -> Nonce:
        """Give the nonce to make tokens from."""
        self._forget(now)
        if not self._nonces or now >= self._nonces[-1].used_until:
            self._nonces.append(self._make(now))
        return self._nonces[-1]

    def find(self, index: int, now: float) -> Nonce | None:
        """Give the nonce that an index names; None if there is none or it is too old."""
        self._forget(now)
        return next((nonce for nonce in self._nonces if nonce.index == index), None)

    def _make(self, now: float) -> Nonce:
        if now - self._node_key_made >= NODE_KEY_LIFETIME:
            self._node_key, self._node_key_made = self._secrets.octets(NODE_KEY_OCTETS), now
        index, self._next = self._next, (self._next + 1) % INDICES
        value = self._secrets.octets(NONCE_OCTETS)
        return Nonce(index=index, value=value, node_key=self._node_key, made=now, lifetime=self._lifetime)

    def _forget(self, now: float) -> None:
        while self._nonces and now >= self._nonces[0].valid_until:
            self._nonces.popleft()
