"""Captures as a list of IPv6 packets in the order of their times; Scapy reads the files and the messages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

from scapy.layers.inet6 import IPv6
from scapy.utils import RawPcapReader

from lab.errors import Mip6LabError
from lab.verify.check import Evidence

MOBILITY, ICMPV6, TUNNEL, ROUTING, DESTINATION_OPTIONS, HOP_BY_HOP, FRAGMENT = 135, 58, 41, 43, 60, 0, 44
ETHERNET, RAW, IPV6_RAW, COOKED = 1, 101, 229, 113
HEADER_OCTETS = 40
SAME_PACKET_WITHIN = 1.0
"""Seconds in which a packet that is seen on another link is the same one on its way."""


class CaptureError(Mip6LabError):
    """A capture cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One IPv6 packet on one link."""

    link: str
    number: int
    """Counted as Wireshark does, from 1."""
    time: float
    source_mac: bytes
    octets: bytes

    @cached_property
    def source(self) -> IPv6Address:
        """The source in the IPv6 header."""
        return IPv6Address(self.octets[8:24])

    @cached_property
    def destination(self) -> IPv6Address:
        """The destination in the IPv6 header."""
        return IPv6Address(self.octets[24:40])

    @cached_property
    def _chain(self) -> tuple[int, int, IPv6Address | None, IPv6Address | None, int]:
        """Upper-layer protocol, its offset, home address option, type 2 routing header, offset of that option."""
        upper, at, end = self.octets[6], HEADER_OCTETS, len(self.octets)
        home: IPv6Address | None = None
        routed: IPv6Address | None = None
        option_at = 0
        while upper in (ROUTING, DESTINATION_OPTIONS, HOP_BY_HOP) and at + 8 <= end:
            length = (self.octets[at + 1] + 1) * 8
            if upper == ROUTING and self.octets[at + 2] == 2 and at + 24 <= end:
                routed = IPv6Address(self.octets[at + 8 : at + 24])
            if upper == DESTINATION_OPTIONS:
                found = _home_address_option(self.octets, at + 2, min(at + length, end))
                if found:
                    option_at, home = found, IPv6Address(self.octets[found + 2 : found + 18])
            upper, at = self.octets[at], at + length
        return upper, at, home, routed, option_at

    @property
    def upper(self) -> int:
        """The protocol behind the extension headers."""
        return self._chain[0]

    @property
    def payload(self) -> bytes:
        """What is behind the extension headers."""
        return self.octets[self._chain[1] :]

    @property
    def home_address(self) -> IPv6Address | None:
        """The address in the Home Address option."""
        return self._chain[2]

    @property
    def routed_home_address(self) -> IPv6Address | None:
        """The address in the type 2 routing header."""
        return self._chain[3]

    @property
    def home_address_option_at(self) -> int:
        """Where the Home Address option begins in the packet."""
        return self._chain[4]

    @cached_property
    def inner(self) -> "Frame | None":
        """The packet in a tunnel packet."""
        if self.upper != TUNNEL or len(self.payload) < HEADER_OCTETS:
            return None
        return Frame(
            link=self.link, number=self.number, time=self.time, source_mac=self.source_mac, octets=self.payload
        )

    @cached_property
    def packet(self) -> Any:
        """The packet as Scapy reads it."""
        return IPv6(self.octets)

    @property
    def same(self) -> bytes:
        """What stays the same on the way: all but the hop limit."""
        return self.octets[:7] + self.octets[8:]

    def evidence(self, note: str = "") -> Evidence:
        """Name this frame."""
        return Evidence(capture=self.link, frame=self.number, note=note)


def read(captures: Sequence[Path]) -> list[Frame]:
    """Read captures; raises `CaptureError` that names the file."""
    frames = [frame for path in captures for frame in _read_one(path)]
    frames.sort(key=lambda frame: frame.time)
    return frames


def first_sightings(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out what is the same packet seen again on a later link of its way."""
    seen: dict[bytes, tuple[float, set[str]]] = {}
    first: list[Frame] = []
    for frame in frames:
        known = seen.get(frame.same)
        if known is not None and frame.time - known[0] < SAME_PACKET_WITHIN and frame.link not in known[1]:
            known[1].add(frame.link)
            continue
        seen[frame.same] = (frame.time, {frame.link})
        first.append(frame)
    return first


def _read_one(path: Path) -> Iterator[Frame]:
    try:
        reader: Any = RawPcapReader(str(path))
    except Exception as error:  # whatever Scapy says of a file that is no capture
        raise CaptureError(f"{path}: not a capture: {error}") from error
    try:
        with reader:
            for number, (octets, meta) in enumerate(reader, start=1):
                kind: int = getattr(meta, "linktype", 0) or getattr(reader, "linktype", ETHERNET)
                packet, mac = _strip(octets, kind)
                if packet is not None:
                    yield Frame(link=path.stem, number=number, time=_time(meta, reader), source_mac=mac, octets=packet)
    except Mip6LabError:
        raise
    except Exception as error:  # a capture that ends in the middle of a record, or worse
        raise CaptureError(f"{path}: damaged: {type(error).__name__}: {error}") from error


def _time(meta: Any, reader: Any) -> float:
    if hasattr(meta, "tshigh"):
        return float(((meta.tshigh << 32) + meta.tslow) / meta.tsresol)
    resolution = 1e9 if getattr(reader, "nano", False) else 1e6
    return float(meta.sec + meta.usec / resolution)


def _strip(octets: bytes, kind: int) -> tuple[bytes | None, bytes]:
    """Give the IPv6 packet without the link layer and without padding, and the sender's MAC address."""
    if kind == ETHERNET:
        mac, packet = octets[6:12], octets[14:] if octets[12:14] == b"\x86\xdd" else b""
    elif kind == COOKED:
        mac, packet = octets[6:12], octets[16:] if octets[14:16] == b"\x86\xdd" else b""
    elif kind in (RAW, IPV6_RAW):
        mac, packet = b"", octets
    else:
        return None, b""
    if len(packet) < HEADER_OCTETS or packet[0] >> 4 != 6:
        return None, mac
    return packet[: HEADER_OCTETS + int.from_bytes(packet[4:6], "big")], mac


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
