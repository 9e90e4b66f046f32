"""A limit on how often something may happen: so often at once, and so often in a second on the average."""

from lab.engine.io import Instant


class TokenBucket:
    """Full at first; holds `burst` tokens at most, and gains `rate` of them in a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._then = burst, 0.0

    def is_empty(self, now: Instant) -> bool:
        """Tell whether there is no token."""
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._then = now
        return self._tokens < 1

    def take(self, now: Instant) -> bool:
        """Take a token; False if there is none."""
        if self.is_empty(now):
            return False
        self._tokens -= 1
        return True
