"""One IPv6 packet as one link carried it; Scapy reads its message."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import IPv6Address
from typing import Any, NamedTuple

from scapy.layers import inet6

from lab.verify.check import Evidence
from lab.verify.esp import Association

MOBILITY, ICMPV6, TUNNEL, ROUTING, DESTINATION_OPTIONS, HOP_BY_HOP = 135, 58, 41, 43, 60, 0
ENCAPSULATING_SECURITY_PAYLOAD, AUTHENTICATION_HEADER = 50, 51
EXTENSION_HEADERS = (ROUTING, DESTINATION_OPTIONS, HOP_BY_HOP)
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, NEIGHBOR_SOLICITATION, NEIGHBOR_ADVERTISEMENT, REDIRECT = range(133, 138)
DESTINATION_UNREACHABLE, PACKET_TOO_BIG = 1, 2
NEIGHBOR_DISCOVERY = range(ROUTER_SOLICITATION, REDIRECT + 1)
LISTENER_QUERY, LISTENER_REPORT, LISTENER_DONE, LISTENER_REPORT_2 = 130, 131, 132, 143
LISTENER_DISCOVERY = (LISTENER_QUERY, LISTENER_REPORT, LISTENER_DONE, LISTENER_REPORT_2)
HEADER_OCTETS = 40
MESSAGES: dict[tuple[int, int], Any] = {
    (ICMPV6, ROUTER_ADVERTISEMENT): inet6.ICMPv6ND_RA,
    (ICMPV6, NEIGHBOR_SOLICITATION): inet6.ICMPv6ND_NS,
    (ICMPV6, NEIGHBOR_ADVERTISEMENT): inet6.ICMPv6ND_NA,
    (MOBILITY, 0): inet6.MIP6MH_BRR,
    (MOBILITY, 1): inet6.MIP6MH_HoTI,
    (MOBILITY, 2): inet6.MIP6MH_CoTI,
    (MOBILITY, 3): inet6.MIP6MH_HoT,
    (MOBILITY, 4): inet6.MIP6MH_CoT,
    (MOBILITY, 5): inet6.MIP6MH_BU,
    (MOBILITY, 6): inet6.MIP6MH_BA,
    (MOBILITY, 7): inet6.MIP6MH_BE,
}
"""Scapy's classes by upper-layer protocol and message type."""


class _Chain(NamedTuple):
    """Where the headers of a packet are; 0 stands for one that is not there."""

    upper: int
    """The protocol behind the extension headers."""
    at: int
    named_at: int
    """The field that names that protocol."""
    option_at: int
    routing_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """The ESP in which a packet came."""

    association: Association
    sequence: int
    captured: bytes
    """The packet as the link carried it."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One IPv6 packet on one link; if ESP protected it and could be opened, as if it had come plain."""

    link: str
    number: int
    """Counted as Wireshark does, from 1, frames of other protocols too."""
    time: float
    source_mac: bytes
    """Empty if the capture does not tell."""
    destination_mac: bytes
    """Empty if the capture does not tell."""
    octets: bytes
    protection: Protection | None = None
    """None for what came plain, and for ESP that could not be opened."""

    @cached_property
    def source(self) -> IPv6Address:
        """The source in the IPv6 header."""
        return IPv6Address(self.octets[8:24])

    @cached_property
    def destination(self) -> IPv6Address:
        """The destination in the IPv6 header."""
        return IPv6Address(self.octets[24:40])

    @property
    def hop_limit(self) -> int:
        """The hop limit."""
        return self.octets[7]

    @property
    def whole(self) -> bool:
        """Whether all is there that the header tells of; every node drops what is not."""
        return len(self.octets) >= HEADER_OCTETS + int.from_bytes(self.octets[4:6], "big")

    @cached_property
    def _chain(self) -> _Chain:
        upper, at, named_at, end = self.octets[6], HEADER_OCTETS, 6, len(self.octets)
        option_at = routing_at = 0
        while upper in EXTENSION_HEADERS and at + 8 <= end:
            length = (self.octets[at + 1] + 1) * 8
            if upper == ROUTING and self.octets[at + 2] == 2 and at + 24 <= end:
                routing_at = at
            if upper == DESTINATION_OPTIONS:
                option_at = _home_address_option(self.octets, at + 2, min(at + length, end)) or option_at
            upper, named_at, at = self.octets[at], at, at + length
        return _Chain(upper, at, named_at, option_at, routing_at)

    @property
    def upper(self) -> int:
        """The protocol behind the extension headers."""
        return self._chain.upper

    @property
    def payload(self) -> bytes:
        """What is behind the extension headers."""
        return self.octets[self._chain.at :]

    @property
    def home_address_option_at(self) -> int:
        """Where the Home Address option begins in the packet; 0 if there is none."""
        return self._chain.option_at

    @property
    def home_address(self) -> IPv6Address | None:
        """The address in the Home Address option."""
        at = self.home_address_option_at
        return IPv6Address(self.octets[at + 2 : at + 18]) if at else None

    @property
    def routed_home_address(self) -> IPv6Address | None:
        """The address in the type 2 routing header."""
        at = self._chain.routing_at
        return IPv6Address(self.octets[at + 8 : at + 24]) if at else None

    @property
    def sender(self) -> IPv6Address:
        """The source as upper layers see it (RFC 6275 §9.3.1)."""
        return self.home_address or self.source

    @property
    def receiver(self) -> IPv6Address:
        """The destination as upper layers see it (RFC 6275 §6.4)."""
        return self.routed_home_address or self.destination

    @property
    def routing_header_at(self) -> int:
        """Where the type 2 routing header begins in the packet; 0 if there is none."""
        return self._chain.routing_at

    @property
    def routing_header_form(self) -> tuple[int, int] | None:
        """Length and segments left of the type 2 routing header."""
        at = self._chain.routing_at
        return (self.octets[at + 1], self.octets[at + 3]) if at else None

    @cached_property
    def inner(self) -> "Frame | None":
        """The packet in a tunnel packet."""
        if self.upper != TUNNEL or len(self.payload) < HEADER_OCTETS:
            return None
        return Frame(
            link=self.link,
            number=self.number,
            time=self.time,
            source_mac=self.source_mac,
            destination_mac=self.destination_mac,
            octets=self.payload,
        )

    @cached_property
    def innermost(self) -> "Frame":
        """The packet in all tunnels that are around it."""
        frame = self
        while frame.inner is not None:
            frame = frame.inner
        return frame

    @property
    def message_type(self) -> int | None:
        """The type of an ICMPv6 message or a Mobility Header; None for what has neither."""
        at = {ICMPV6: 0, MOBILITY: 2}.get(self.upper)
        return None if at is None or len(self.payload) <= at else self.payload[at]

    @cached_property
    def message(self) -> Any:
        """The Neighbor Discovery or mobility message as Scapy reads it; None if it is another or malformed."""
        layer = MESSAGES.get((self.upper, self.message_type or 0))
        if layer is None or self.message_type is None:
            return None
        try:
            return layer(self.payload)
        except Exception:  # whatever Scapy says of a message that is too short, or worse
            return None

    @property
    def closed_spi(self) -> int | None:
        """The SPI of ESP that could not be opened."""
        return int.from_bytes(self.payload[:4], "big") if self.upper == ENCAPSULATING_SECURITY_PAYLOAD else None

    @property
    def captured(self) -> bytes:
        """The packet as the link carried it."""
        return self.octets if self.protection is None else self.protection.captured

    @property
    def same(self) -> bytes:
        """What stays the same on the way: all but the hop limit."""
        return self.captured[:7] + self.captured[8:]

    def opened(self, associations: Sequence[Association]) -> "Frame":
        """Give the packet that ESP protects, in the place of its ESP; itself if there is none, or none opens it."""
        if self.upper != ENCAPSULATING_SECURITY_PAYLOAD:
            return self
        for association in associations:
            content = association.open(self.payload)
            if content is not None:
                octets = bytearray(self.octets[: self._chain.at] + content.payload)
                octets[self._chain.named_at] = content.next_header
                octets[4:6] = (len(octets) - HEADER_OCTETS).to_bytes(2, "big")
                protection = Protection(association=association, sequence=content.sequence, captured=self.octets)
                return replace(self, octets=bytes(octets), protection=protection)
        return self

    def evidence(self, note: str = "") -> Evidence:
        """Name this frame."""
        return Evidence(capture=self.link, frame=self.number, note=note)


def _home_address_option(octets: bytes, at: int, end: int) -> int:
    """Find the Home Address option; 0 if there is none."""
    while at + 2 <= end:
        if octets[at] == 0:
            at += 1
        elif octets[at] == 0xC9 and octets[at + 1] == 16 and at + 18 <= end:
            return at
        else:
            at += 2 + octets[at + 1]
    return 0
