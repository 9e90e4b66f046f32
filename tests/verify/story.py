"""A story that captures tell: packets by their names, when they were sent, and the links that carried them.

Scapy builds the packets and writes the files, so that our own codec has no say.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapNgWriter

EPOCH = 1_700_000_000
"""A time of today, since the numbers of today are what a float has to hold."""
PER_HOP = 0.0005

Scapy = Any
"""A packet of Scapy, which has no types."""


@dataclass(frozen=True)
class Hop:
    """One link of a way, from one link-layer address to another."""

    link: str
    sender: str
    receiver: str


@dataclass(frozen=True)
class Sighting:
    """One frame of one capture."""

    link: str
    time: float
    octets: bytes


@dataclass(frozen=True)
class Sent:
    """A packet and its way."""

    time: float
    packet: Scapy
    hops: tuple[Hop, ...]

    @cached_property
    def sightings(self) -> tuple[Sighting, ...]:
        """A frame on each link of the way; routers count the hop limit down."""
        return tuple(
            Sighting(hop.link, self.time + number * PER_HOP, self._frame(hop, number))
            for number, hop in enumerate(self.hops)
        )

    def _frame(self, hop: Hop, number: int) -> bytes:
        packet = self.packet
        if number:
            packet = packet.copy()
            packet[IPv6].hlim -= number
        return bytes(Ether(src=hop.sender, dst=hop.receiver) / packet)


@dataclass
class Story:
    """What happens, by name; a doctoring changes a copy of it."""

    sent: dict[str, Sent] = field(default_factory=dict)
    table: list[str] = field(default_factory=list)
    """Lines of Wireshark's table of ESP associations."""

    def copy(self) -> "Story":
        """Give a copy that may be changed."""
        return Story(dict(self.sent), list(self.table))

    def add(self, name: str, time: float, packet: Scapy, *hops: Hop) -> str:
        """Have a packet sent; gives its name."""
        assert name not in self.sent, name
        self.sent[name] = Sent(time, packet, hops)
        return name

    def alter(self, name: str, layer: Any, **fields: Any) -> str:
        """Set fields of one layer of a packet; lengths and checksums follow unless they are what is set."""
        packet = self.sent[name].packet.copy()
        for key, value in fields.items():
            setattr(packet[layer], key, value)
        return self.replace(name, packet)

    def replace(self, name: str, packet: Scapy) -> str:
        """Have another packet sent instead."""
        self.sent[name] = replace(self.sent[name], packet=packet)
        return name

    def move(self, name: str, time: float) -> str:
        """Have a packet sent at another time."""
        self.sent[name] = replace(self.sent[name], time=time)
        return name

    def drop(self, *names: str) -> None:
        """Have packets not sent at all."""
        for name in names:
            del self.sent[name]

    def keep(self, wanted: Callable[[Sent], bool]) -> None:
        """Drop what is not wanted."""
        self.sent = {name: sent for name, sent in self.sent.items() if wanted(sent)}

    def links(self) -> list[str]:
        """Give the links on the way of any packet."""
        return sorted({hop.link for sent in self.sent.values() for hop in sent.hops})

    def frames(self, link: str) -> list[Sighting]:
        """Give what the capture of a link holds, in its order."""
        seen = [sighting for sent in self.sent.values() for sighting in sent.sightings if sighting.link == link]
        return sorted(seen, key=lambda sighting: sighting.time)

    def places(self, name: str) -> set[tuple[str, int]]:
        """Give the captures and the numbers of the frames in which a packet was seen."""
        return {
            (seen.link, 1 + next(i for i, frame in enumerate(self.frames(seen.link)) if frame is seen))
            for seen in self.sent[name].sightings
        }

    def write(self, folder: Path) -> list[Path]:
        """Write a pcapng file for each link, and beside them the table of associations if there is one."""
        if self.table:
            (folder / "esp_sa").write_text("".join(f"{line}\n" for line in self.table))
        return [write_pcapng(folder / f"{link}.pcapng", self.frames(link)) for link in self.links()]


def write_pcapng(path: Path, frames: Iterable[Sighting]) -> Path:
    """Write frames of Ethernet."""
    with RawPcapNgWriter(str(path)) as writer:
        writer.linktype = 1
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame.octets, sec=EPOCH + frame.time)
    return path
