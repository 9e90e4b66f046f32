"""How often a mobile node may send to its home agent or to a correspondent, RFC 6275 §11.8."""

from collections import deque
from ipaddress import IPv6Address

from lab.constants import MAX_UPDATE_RATE
from lab.engine.io import Instant

PERIOD = 1.0


class SendingLimit:
    """Lets MAX_UPDATE_RATE messages of a type go to a peer in a second; it outlives what is known of the peer."""

    def __init__(self) -> None:
        self._sent: dict[tuple[IPv6Address, int], deque[Instant]] = {}

    def take(self, peer: IPv6Address, mh_type: int, now: Instant) -> Instant | None:
        """Count a message that is about to be sent; if it must wait, count nothing and tell until when."""
        self._sent = {key: sent for key, sent in self._sent.items() if now < sent[-1] + PERIOD}
        sent = self._sent.setdefault((peer, mh_type), deque(maxlen=MAX_UPDATE_RATE))
        if len(sent) == MAX_UPDATE_RATE and now < sent[0] + PERIOD:
            return sent[0] + PERIOD
        sent.append(now)
        return None
