"""A capture that grows gives each of its frames once, in pieces however it was written, as if it were read whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapNgWriter

from lab.verify import growing
from lab.verify.frame import Frame
from lab.verify.growing import GrowingCapture
from lab.verify.trace import CaptureError, read
from lab.verify.whole import blocks

COUNT = 12


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "home.pcapng"
    writer = PcapNgWriter(str(path))
    for number in range(COUNT):
        packet = (
            Ether() / IPv6(src="2001:db8::1", dst="2001:db8::2") / ICMPv6EchoRequest(seq=number, data=b"x" * number)
        )
        packet.time = 1000.0 + number
        writer.write(packet)
    writer.close()
    return path


def told(frames: list[Frame]) -> list[tuple[int, float, bytes]]:
    return [(frame.number, frame.time, frame.octets) for frame in frames]


@given(cuts=st.lists(st.integers(0, 3000), max_size=6))
def test_however_it_was_written(capture: Path, tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    data = capture.read_bytes()
    written = tmp_path_factory.mktemp("growing") / "home.pcapng"
    reader = GrowingCapture(written)
    assert reader.look() == []  # it is not there yet
    seen: list[Frame] = []
    for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        written.write_bytes(data[:end])
        seen += reader.look()
    assert told(seen) == told(read([capture]))
    assert reader.look() == []


def test_who_looks_seldom_misses_frames_and_counts_them(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "MOST_FRAMES", 3)
    monkeypatch.setattr(growing, "AT_ONCE", 200)
    assert told(GrowingCapture(capture).look()) == told(read([capture]))[-3:]


def test_blocks_end_before_one_that_is_cut_off(capture: Path) -> None:
    data = capture.read_bytes()
    whole = [*blocks(data)]
    assert whole[-1].stop == len(data)
    assert [*blocks(data[:-1])] == whole[:-1]


def test_what_is_no_capture_is_told(tmp_path: Path) -> None:
    path = tmp_path / "home.pcapng"
    path.write_bytes(b"\x06\0\0\0\x20\0\0\0" + bytes(24))  # a packet before any section
    with pytest.raises(CaptureError, match=r"home\.pcapng"):
        GrowingCapture(path).look()
