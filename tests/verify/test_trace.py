"""Reading captures: formats, link types, times, numbers of frames, and files that are none."""

import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.l2 import CookedLinux, CookedLinuxV2
from scapy.packet import Raw
from scapy.utils import RawPcapNgWriter, RawPcapWriter

from lab.verify import CaptureError, Verdict, verify
from lab.verify.frame import Frame
from lab.verify.trace import first_sightings, read
from tests.verify import protected as esp
from tests.verify.handover import (
    CARE_OF_1,
    CORRESPONDENT,
    HOME_ADDRESS,
    HOME_AGENT,
    TO_HOME_AGENT,
    TO_VISITED1,
    data,
    tunnelled,
)
from tests.verify.story import EPOCH, Sighting, Story

ETHERNET_HEADER, MAC_OCTETS = 14, 6
ETHERNET, SYSTEMS_RAW, RAW, COOKED, IPV6_RAW, COOKED_2, USB = 1, 12, 101, 113, 229, 276, 220
SECTION_HEADER_OCTETS = 28


def write_pcap(
    path: Path,
    frames: Iterable[Sighting],
    *,
    kind: int = ETHERNET,
    per_second: int = 10**6,
    endian: str = "<",
    cover: Callable[[bytes], bytes] = bytes,
    snapshot: int = 65535,
) -> Path:
    """Write a file in the older format; `cover` makes another link layer of that of Ethernet."""
    nano = per_second == 10**9
    with RawPcapWriter(str(path), linktype=kind, endianness=endian, nano=nano) as writer:
        writer.write_header(None)
        for frame in frames:
            octets = cover(frame.octets)
            fraction = round(frame.time % 1 * per_second)
            writer.write_packet(octets[:snapshot], sec=EPOCH + int(frame.time), usec=fraction, wirelen=len(octets))
    return path


class PcapNgWriter(RawPcapNgWriter):  # type: ignore[misc]
    """Writes what Scapy's does not by itself: another order of octets, another resolution of times."""

    def __init__(self, path: Path, *, endian: str = "<", resolution: int = 6) -> None:
        super().__init__(str(path))
        self.endian = endian
        self.endian_magic = struct.pack(endian + "I", 0x1A2B3C4D)
        self.tsresol = 10**resolution
        self.linktype = ETHERNET
        self._resolution = resolution

    def _write_block_idb(self, linktype: int, ifname: bytes | None = None) -> None:
        options = struct.pack(self.endian + "HHB3xHH", 9, 1, self._resolution, 0, 0)
        body = struct.pack(self.endian + "HHI", linktype, 0, 262144)
        self.f.write(self.build_block(struct.pack(self.endian + "I", 1), body, options=options))


def write_pcapng(path: Path, frames: Iterable[Sighting], **how: Any) -> Path:
    """Write a file in the newer format."""
    with PcapNgWriter(path, **how) as writer:
        writer.write_header(None)
        for frame in frames:
            writer.write_packet(frame.octets, sec=EPOCH + frame.time)
    return path


def without_link_layer(octets: bytes) -> bytes:
    """Give what a capture without a link layer would hold; ARP would not be in it."""
    return octets[ETHERNET_HEADER:]


def cooked(octets: bytes) -> bytes:
    """Give what a capture of all interfaces of Linux holds."""
    header = CookedLinux(src=octets[MAC_OCTETS : 2 * MAC_OCTETS], proto=int.from_bytes(octets[12:14], "big"))
    return bytes(header) + octets[ETHERNET_HEADER:]


def cooked_2(octets: bytes) -> bytes:
    """Give the same as libpcap has had it since 1.10."""
    header = CookedLinuxV2(src=octets[MAC_OCTETS : 2 * MAC_OCTETS], proto=int.from_bytes(octets[12:14], "big"))
    return bytes(header) + octets[ETHERNET_HEADER:]


def told(frames: Iterable[Frame]) -> list[tuple[str, int, int, bytes, bytes, bytes]]:
    """Say all that a frame tells; its time to 10 microseconds, since Scapy rounds down when it writes."""
    return [
        (f.link, f.number, round((f.time - EPOCH) * 1e5), f.source_mac, f.destination_mac, f.octets) for f in frames
    ]


@pytest.mark.parametrize("endian", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("per_second", [10**6, 10**9], ids=["micro", "nano"])
@pytest.mark.parametrize("write", [write_pcap, write_pcapng], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_every_form_of_file_tells_the_same(
    write: Callable[..., Path], per_second: int, endian: str, packed: bool, good: Story, tmp_path: Path
) -> None:
    scale = {"per_second": per_second} if write is write_pcap else {"resolution": len(str(per_second)) - 1}
    path = write(tmp_path / "home.capture", good.frames("home"), endian=endian, **scale)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    folder = tmp_path / "plain"
    folder.mkdir()
    expected = [p for p in good.write(folder) if p.stem == "home"]
    assert told(read([path])) == told(read(expected))


@pytest.mark.parametrize(
    ("kind", "cover", "tells_sender"),
    [
        pytest.param(RAW, without_link_layer, False, id="raw"),
        pytest.param(SYSTEMS_RAW, without_link_layer, False, id="raw-of-systems"),
        pytest.param(IPV6_RAW, without_link_layer, False, id="raw-ipv6"),
        pytest.param(COOKED, cooked, True, id="cooked"),
        pytest.param(COOKED_2, cooked_2, True, id="cooked-2"),
    ],
)
def test_other_link_types(
    kind: int, cover: Callable[[bytes], bytes], tells_sender: bool, good: Story, tmp_path: Path
) -> None:
    def write(link: str) -> Path:
        frames = [frame for frame in good.frames(link) if tells_sender or frame.octets[12:14] == b"\x86\xdd"]
        return write_pcap(tmp_path / f"{link}.pcap", frames, kind=kind, cover=cover)

    checks = verify([write(link) for link in good.links()])
    assert {check.id: check.detail for check in checks if check.verdict is Verdict.FAILED} == {}
    silent = {check.id for check in checks if check.verdict is Verdict.NOT_APPLICABLE}
    # Without the sender's link-layer address nobody knows whether the mobile node or the home agent speaks.
    needs_sender = {
        "group-reported",
        "home-announced",
        "home-link-plain",
        "home-no-dad",
        "no-bare-home-source",
        "old-care-of-address",
        "proxy-answers",
        "proxy-ends",
        "test-init-path",
        "tunnel-reverse",
    }
    assert silent - set(esp.RULES) == (set() if tells_sender else needs_sender)


def test_times_are_those_of_the_file(good: Story, tmp_path: Path) -> None:
    frames = read(good.write(tmp_path))
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    assert frames[0].time == pytest.approx(EPOCH + 0.1, abs=2e-6)
    assert frames[-1].time == pytest.approx(EPOCH + 15.0, abs=2e-6)


def test_frames_of_other_protocols_count(good: Story, tmp_path: Path) -> None:
    frames = read(good.write(tmp_path))
    assert good.places("arp-home") == {("home", 1)}
    assert min(frame.number for frame in frames if frame.link == "home") == 2


@pytest.mark.skipif(shutil.which("tshark") is None, reason="needs tshark")
def test_wireshark_counts_alike(good: Story, tmp_path: Path) -> None:
    home = write_pcapng(tmp_path / "home.pcapng", good.frames("home"))
    command = ["tshark", "-n", "-r", str(home), "-Y", "ipv6", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [frame.number for frame in read([home])] == [int(number) for number in done.stdout.split()]


def test_padding_is_not_part_of_a_packet(good: Story, tmp_path: Path) -> None:
    plain = read(good.write(tmp_path))
    padded = [
        write_pcap(tmp_path / f"{link}.pcap", good.frames(link), cover=lambda o: o + b"pad") for link in good.links()
    ]
    assert [frame.octets for frame in read(padded)] == [frame.octets for frame in plain]


@pytest.mark.parametrize("snapshot", [54, 60, 70, 96, 109])
def test_signalling_that_was_cut_short_is_refused(snapshot: int, good: Story, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "visited1.pcap", good.frames("visited1"), snapshot=snapshot)
    with pytest.raises(CaptureError, match=f"frame 2: only {snapshot} of 110 octets were captured"):
        verify([path])


def test_data_may_be_cut_short(good: Story, tmp_path: Path) -> None:
    story = good.copy()
    large = data(CORRESPONDENT, HOME_ADDRESS, 60) / Raw(bytes(1000))
    story.add("large", 2.5, large, *TO_HOME_AGENT)
    story.add("large-tunnel", 2.501, tunnelled(HOME_AGENT, CARE_OF_1, large), *TO_VISITED1)
    captures = [write_pcap(tmp_path / f"{link}.pcap", story.frames(link), snapshot=150) for link in story.links()]
    assert {check.id for check in verify(captures) if check.verdict is not Verdict.PASSED} == set(esp.RULES)


def test_a_capture_without_frames_has_nothing_to_judge(tmp_path: Path) -> None:
    empty = [write_pcap(tmp_path / "empty.pcap", []), write_pcapng(tmp_path / "empty.pcapng", [])]
    for captures in ([], empty):
        assert {check.verdict for check in verify(captures)} == {Verdict.NOT_APPLICABLE}


def test_a_packet_is_taken_once_on_its_way(good: Story, tmp_path: Path) -> None:
    frames = first_sightings(read(good.write(tmp_path)))
    sightings = [(frame.link, frame.number) for frame in frames]
    ((first, _), (second, _)) = sorted(good.places("bu-1"), reverse=True)
    assert (first, second) == ("visited1", "core")
    assert [place for place in sightings if place in good.places("bu-1")] == [
        place for place in good.places("bu-1") if place[0] == "visited1"
    ]


def test_the_same_again_on_the_same_link_is_another_packet(good: Story, tmp_path: Path) -> None:
    story = good.copy()
    story.add("bu-1-again", 1.4, story.sent["bu-1"].packet, *story.sent["bu-1"].hops)
    assert len(first_sightings(read(story.write(tmp_path)))) == 1 + len(first_sightings(read(good.write(tmp_path))))


@pytest.mark.parametrize("write", [write_pcap, write_pcapng], ids=["pcap", "pcapng"])
def test_a_file_that_breaks_off_is_refused_wherever_that_is(
    write: Callable[..., Path], good: Story, tmp_path: Path
) -> None:
    frames = good.frames("home")[:2]
    whole = write(tmp_path / "whole", frames).read_bytes()
    ends = {len(write(tmp_path / "part", frames[:number]).read_bytes()) for number in range(3)}
    cut = tmp_path / "cut"
    accepted, refusals = set(), []
    for length in range(len(whole) + 1):
        cut.write_bytes(whole[:length])
        try:
            read([cut])
            accepted.add(length)
        except CaptureError as error:
            refusals.append(str(error))
    assert all(refusal.startswith(f"{cut}: ") for refusal in refusals)
    # A pcapng file may end before its first interface, too.
    assert accepted == ends | ({SECTION_HEADER_OCTETS} if write is write_pcapng else set())


NO_CAPTURES = {
    "empty": b"",
    "text": b"frame,time\n1,0.5\n",
    "zeros": bytes(100),
    "broken-gzip": gzip.compress(bytes(100))[:-9],
    "gzip-of-text": gzip.compress(b"text"),
    "half-a-header": bytes.fromhex("d4c3b2a1 02000400"),
    "pcapng-of-version-9": bytes.fromhex("0a0d0d0a 1c000000 4d3c2b1a 09000000 ffffffffffffffff 1c000000"),
}


@pytest.mark.parametrize("content", NO_CAPTURES.values(), ids=NO_CAPTURES)
def test_what_is_no_capture_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "nonsense.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"nonsense\.pcap: not a capture"):
        verify([path])


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.pcap"):
        with pytest.raises(CaptureError, match=str(path)):
            verify([path])


def test_a_link_type_that_cannot_be_read_is_named(good: Story, tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "usb.pcap", good.frames("home"), kind=USB)
    with pytest.raises(CaptureError, match="frame 1: link type 220 is not supported"):
        verify([path])


def test_frames_without_time_are_refused(good: Story, tmp_path: Path) -> None:
    path = tmp_path / "simple.pcapng"
    with PcapNgWriter(path) as writer:
        writer.write_header(None)
        writer._write_block_spb(good.frames("visited2")[0].octets)
    with pytest.raises(CaptureError, match="no time"):
        verify([path])
