"""A capture that somebody still writes, read as it grows."""

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scapy.utils import RawPcapReader

from lab.verify.esp import Association
from lab.verify.frame import Frame
from lab.verify.trace import CaptureError, frames_of
from lab.verify.whole import PCAPNG_BIG_ENDIAN, SECTION_HEADER, blocks

AT_ONCE = 1 << 23
"""So many octets are read at once."""
MOST_FRAMES = 2000
"""So many are decoded of what came since the last look; what is before them is counted only."""
PACKET_BLOCKS = (2, 3, 6)
"""Packet, Simple Packet and Enhanced Packet, by the types of pcapng's blocks."""


class GrowingCapture:
    """The pcapng of one link; whoever looks seldom misses frames rather than falls behind."""

    def __init__(self, path: Path, associations: Sequence[Association] = ()) -> None:
        self._path, self._associations = path, associations
        self._read_until = 0
        self._rest = b""
        self._head = b""
        """The blocks before the first packet: they say how the others are to be read."""
        self._number = 0

    def look(self) -> list[Frame]:
        """Give the frames that came since the last look; raises `CaptureError`."""
        waiting: list[bytes] = []
        for data in self._pieces():
            self._rest += data
            end = 0
            for block in blocks(self._rest, big=self._big):
                if self._is_packet(self._rest[block.start : block.start + 4]):
                    waiting.append(self._rest[block])
                elif not self._number and not waiting:
                    self._head += self._rest[block]
                end = block.stop
            self._rest = self._rest[end:]
            self._number += max(len(waiting) - MOST_FRAMES, 0)
            del waiting[:-MOST_FRAMES]
        if not waiting:
            return []
        try:
            reader: Any = RawPcapReader(io.BytesIO(self._head + b"".join(waiting)))
        except Exception as error:  # whatever Scapy says of a file that is no capture
            raise CaptureError(f"{self._path}: not a capture: {error}") from error
        first = self._number + 1
        self._number += len(waiting)
        return list(frames_of(reader, self._path, self._associations, first=first))

    def _pieces(self) -> Iterator[bytes]:
        """Read what was appended, piece by piece; nothing while the file is not there."""
        try:
            with self._path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)  # what is written meanwhile is for the next look
                file.seek(self._read_until)
                while piece := file.read(min(AT_ONCE, end - self._read_until)):
                    self._read_until += len(piece)
                    yield piece
        except FileNotFoundError:
            return
        except OSError as error:
            raise CaptureError(f"{self._path}: cannot be read: {error.strerror}") from error

    @property
    def _big(self) -> bool:
        return self._head[8:12] == PCAPNG_BIG_ENDIAN

    def _is_packet(self, kind: bytes) -> bool:
        return kind != SECTION_HEADER and int.from_bytes(kind, "big" if self._big else "little") in PACKET_BLOCKS
