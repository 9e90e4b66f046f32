"""Payload packets between mobile nodes and their correspondents, whichever way they take."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.verify.frame import AUTHENTICATION_HEADER, ENCAPSULATING_SECURITY_PAYLOAD, ICMPV6, MOBILITY, Frame

Pair = tuple[IPv6Address, IPv6Address]
"""A home address and a correspondent."""

UNREADABLE = (ENCAPSULATING_SECURITY_PAYLOAD, AUTHENTICATION_HEADER)
ECHO = (128, 129)
"""What else ICMPv6 has are errors, and the business of links and of home agents."""


@dataclass(frozen=True, kw_only=True)
class Payload:
    """One packet, where it was seen first, and what carried it there: itself, or a tunnel."""

    frame: Frame
    carrier: Frame
    pair: Pair
    from_mobile: bool

    @property
    def direct(self) -> bool:
        """It names the home address in an option or a routing header."""
        return (self.frame.home_address if self.from_mobile else self.frame.routed_home_address) == self.pair[0]


def payloads(packets: Sequence[Frame], pairs: Collection[Pair]) -> dict[Pair, list[Payload]]:
    """Give what each pair exchanged, in the order of time; of two mobile nodes, each is the other's correspondent."""
    found: dict[Pair, list[Payload]] = {pair: [] for pair in pairs}
    mobile = {home_address for home_address, _ in pairs}
    for packet in packets:
        frame = packet.innermost
        sender, receiver = frame.sender, frame.receiver
        if (sender not in mobile and receiver not in mobile) or not is_payload(frame):
            continue
        for pair, from_mobile in (((sender, receiver), True), ((receiver, sender), False)):
            if pair in found:
                found[pair].append(Payload(frame=frame, carrier=packet, pair=pair, from_mobile=from_mobile))
    return found


def is_payload(frame: Frame) -> bool:
    """Tell whether a packet is no signalling, as far as can be read."""
    if frame.upper == ICMPV6:
        return frame.message_type in ECHO
    return frame.upper != MOBILITY and frame.upper not in UNREADABLE
