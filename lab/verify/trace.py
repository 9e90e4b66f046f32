"""Captures as a list of IPv6 packets in the order of their times; Scapy reads the files."""

import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scapy.utils import RawPcapReader

from lab.errors import Mip6LabError
from lab.verify.esp import Association
from lab.verify.frame import (
    EXTENSION_HEADERS,
    HEADER_OCTETS,
    ICMPV6,
    LISTENER_DISCOVERY,
    MOBILITY,
    NEIGHBOR_DISCOVERY,
    Frame,
)
from lab.verify.whole import is_whole

ETHERNET, COOKED, COOKED_2 = 1, 113, 276
RAW = (12, 14, 101, 229)
"""Link types without a link layer; 12 and 14 are what systems call 101 among themselves."""
LINK_TYPES = (ETHERNET, COOKED, COOKED_2, *RAW)
"""What can be read of https://www.tcpdump.org/linktypes.html."""
IPV6, IPV6_ETHERTYPE = 6, b"\x86\xdd"
GZIP = b"\x1f\x8b"
SAME_PACKET_WITHIN = 1.0
"""Seconds in which a packet that is seen on another link is the same one on its way."""


class CaptureError(Mip6LabError):
    """A capture cannot be read."""


def read(captures: Sequence[Path], associations: Sequence[Association] = ()) -> list[Frame]:
    """Read captures and open the ESP in them; raises `CaptureError` that names the file."""
    frames = [frame for path in captures for frame in _read_one(path, associations)]
    frames.sort(key=lambda frame: frame.time)
    return frames


def first_sightings(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out what is the same packet seen again on a later link of its way, or sent back onto the same one."""
    seen: dict[bytes, tuple[float, set[tuple[str, int]]]] = {}
    first: list[Frame] = []
    for frame in frames:
        known = seen.get(frame.same)
        place = (frame.link, frame.hop_limit)
        if known is not None and frame.time - known[0] < SAME_PACKET_WITHIN and place not in known[1]:
            known[1].add(place)
            continue
        seen[frame.same] = (frame.time, {place})
        first.append(frame)
    return first


def _read_one(path: Path, associations: Sequence[Association]) -> Iterator[Frame]:
    try:
        data = path.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
        reader: Any = RawPcapReader(io.BytesIO(data))
    except Exception as error:  # whatever Scapy and gzip say of a file that is no capture
        raise CaptureError(f"{path}: not a capture: {error}") from error
    # Scapy ends quietly where a file breaks off; what is missing could be what a rule asks for.
    if not is_whole(data):
        raise CaptureError(f"{path}: damaged: it ends in the middle of a record")
    yield from frames_of(reader, path, associations, first=1)


def frames_of(reader: Any, path: Path, associations: Sequence[Association], *, first: int) -> Iterator[Frame]:
    """Give the frames that a reader of Scapy's reads, counted from the first; raises `CaptureError`."""
    try:
        for number, (octets, meta) in enumerate(reader, start=first):
            kind: int = meta.linktype if hasattr(meta, "linktype") else reader.linktype
            if kind not in LINK_TYPES:
                raise CaptureError(f"{path}: frame {number}: link type {kind} is not supported")
            source, destination, packet = _strip(octets, kind)
            if len(packet) < HEADER_OCTETS or packet[0] >> 4 != IPV6:
                continue
            frame = Frame(
                link=path.stem,
                number=number,
                time=_time(meta, reader),
                source_mac=source,
                destination_mac=destination,
                octets=packet[: HEADER_OCTETS + int.from_bytes(packet[4:6], "big")],  # without padding
            )
            if len(octets) < meta.wirelen and _asks_to_be_whole(frame, associations):
                raise CaptureError(f"{path}: frame {number}: only {len(octets)} of {meta.wirelen} octets were captured")
            yield frame.opened(associations)
    except CaptureError:
        raise
    except Exception as error:
        raise CaptureError(f"{path}: damaged: {type(error).__name__}: {error}") from error


def _asks_to_be_whole(frame: Frame, associations: Sequence[Association]) -> bool:
    """Tell whether a packet is no mere data: without all of its octets, rules would judge in the dark."""
    if frame.closed_spi is not None:
        return frame.closed_spi in {association.spi for association in associations}
    inmost = frame.innermost
    if inmost.upper == ICMPV6:
        return inmost.message_type in (None, *NEIGHBOR_DISCOVERY, *LISTENER_DISCOVERY)
    return inmost.upper in (MOBILITY, *EXTENSION_HEADERS)


def _time(meta: Any, reader: Any) -> float:
    if hasattr(meta, "tshigh"):
        if meta.tshigh is None:
            raise ValueError("a Simple Packet Block tells no time")
        return float(((meta.tshigh << 32) + meta.tslow) / meta.tsresol)
    return float(meta.sec + meta.usec / (1e9 if reader.nano else 1e6))


def _strip(octets: bytes, kind: int) -> tuple[bytes, bytes, bytes]:
    """Give the senders' and receivers' MAC addresses and what follows the link layer, if it may be IPv6."""
    if kind == ETHERNET:
        return octets[6:12], octets[:6], octets[14:] if octets[12:14] == IPV6_ETHERTYPE else b""
    if kind == COOKED:
        return octets[6:12], b"", octets[16:] if octets[14:16] == IPV6_ETHERTYPE else b""
    if kind == COOKED_2:
        return octets[12:18], b"", octets[20:] if octets[:2] == IPV6_ETHERTYPE else b""
    return b"", b"", octets
