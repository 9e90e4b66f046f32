"""Whatever a capture holds, it is judged or refused: no rule and no reader breaks."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.verify import RULES, CaptureError, verify
from lab.verify.esp import Association, read_associations, tables_beside
from lab.verify.frame import Frame
from lab.verify.session import Session
from lab.verify.trace import read
from tests.verify.protected import protected
from tests.verify.story import Sighting, Story, write_pcapng

HEADER_OCTETS, ETHERNET_HEADER = 40, 14
ICMPV6, MOBILITY = 58, 135
UPPER = st.sampled_from([0, 41, 43, 44, 50, 58, 59, 60, 135])
LENGTHS = (0, 1, 2, 3, 4, 7, 8, 9, 12, 15, 16, 23, 24, 32)


@pytest.fixture(scope="module")
def frames(good: Story, tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    return read(good.write(tmp_path_factory.mktemp("good")))


@pytest.fixture(scope="module")
def captures(good: Story, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give captures of the story in ESP."""
    return protected(good).write(tmp_path_factory.mktemp("protected"))


@pytest.fixture(scope="module")
def table(captures: list[Path]) -> list[Association]:
    return read_associations(tables_beside(captures))


@pytest.fixture(scope="module")
def closed(captures: list[Path]) -> list[Frame]:
    """Give them as they are without keys."""
    return read(captures)


def judge(frames: list[Frame], associations: Sequence[Association] = ()) -> None:
    session = Session(frames=frames, associations=associations)
    assert [check.id for check in (rule.check(session) for rule in RULES)] == [rule.id for rule in RULES]


def instead(frame: Frame, octets: bytes) -> Frame:
    return Frame(
        link=frame.link,
        number=frame.number,
        time=frame.time,
        source_mac=frame.source_mac,
        destination_mac=frame.destination_mac,
        octets=octets,
    )


def with_length(packet: bytes) -> bytes:
    """Have the header tell the length that is there."""
    return packet[:4] + (len(packet) - HEADER_OCTETS).to_bytes(2, "big") + packet[6:]


@st.composite
def spoiled(draw: st.DrawFn, octets: bytes) -> bytes:
    """Give octets some of which are changed, cut out or put in."""
    spoilt = bytearray(octets)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(spoilt)))
        match draw(st.sampled_from(["change", "cut", "end", "insert"])):
            case "change":
                spoilt[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del spoilt[at : at + draw(st.integers(1, 24))]
            case "end":
                del spoilt[at:]
            case "insert":
                spoilt[at:at] = draw(st.binary(max_size=24))
    return bytes(spoilt)


@st.composite
def chains(draw: st.DrawFn) -> bytes:
    """Give extension headers, tunnels and messages that may lie about their lengths."""
    packet = draw(st.binary(max_size=40))
    for following in draw(st.lists(UPPER, min_size=1, max_size=4)):
        packet = bytes((following, draw(st.integers(0, 4)))) + draw(st.binary(max_size=24)) + packet
    addresses = draw(st.binary(min_size=32, max_size=32))
    return with_length(b"\x60\0\0\0\0\0" + bytes((draw(UPPER), 255)) + addresses + packet)


@given(data=st.data())
@settings(max_examples=100)
def test_no_rule_breaks_on_a_spoiled_message(data: st.DataObject, frames: list[Frame]) -> None:
    at = data.draw(st.sampled_from(range(len(frames))), label="frame")
    octets = frames[at].octets
    packet = with_length(octets[:HEADER_OCTETS] + data.draw(spoiled(octets[HEADER_OCTETS:]), label="payload"))
    judge([*frames[:at], instead(frames[at], packet), *frames[at + 1 :]])


@given(data=st.data())
@settings(max_examples=100)
def test_no_rule_breaks_on_spoiled_esp(data: st.DataObject, closed: list[Frame], table: list[Association]) -> None:
    at = data.draw(
        st.sampled_from([i for i, frame in enumerate(closed) if frame.closed_spi is not None]), label="frame"
    )
    octets = closed[at].octets
    packet = with_length(octets[:HEADER_OCTETS] + data.draw(spoiled(octets[HEADER_OCTETS:]), label="payload"))
    frames = [frame.opened(table) for frame in (*closed[:at], instead(closed[at], packet), *closed[at + 1 :])]
    judge(frames, table)


@given(data=st.data())
@settings(max_examples=100)
def test_no_rule_breaks_on_what_esp_protects(
    data: st.DataObject, closed: list[Frame], table: list[Association]
) -> None:
    frames = [frame.opened(table) for frame in closed]
    at = data.draw(st.sampled_from([i for i, f in enumerate(frames) if f.protection is not None]), label="frame")
    octets = frames[at].octets
    packet = with_length(octets[:HEADER_OCTETS] + data.draw(spoiled(octets[HEADER_OCTETS:]), label="payload"))
    judge([*frames[:at], replace(frames[at], octets=packet), *frames[at + 1 :]], table)


@given(data=st.data())
@settings(max_examples=100)
def test_no_rule_breaks_on_arbitrary_packets(data: st.DataObject, frames: list[Frame]) -> None:
    packets = data.draw(st.lists(st.tuples(st.sampled_from(frames), chains()), min_size=1, max_size=4))
    judge([*frames, *(instead(place, packet) for place, packet in packets)])


@pytest.mark.parametrize("upper", [ICMPV6, MOBILITY], ids=["icmpv6", "mobility"])
def test_no_rule_breaks_on_any_type_of_any_length(upper: int, frames: list[Frame]) -> None:
    addresses = frames[-1].octets[8:HEADER_OCTETS]
    stumps = [
        instead(frames[-1], with_length(b"\x60\0\0\0\0\0" + bytes((upper, 255)) + addresses + message[:length]))
        for kind in range(256)
        for message in [(bytes((kind, 0)) if upper == ICMPV6 else bytes((59, 0, kind))) + bytes(40)]
        for length in LENGTHS
    ]
    judge([*frames, *stumps])


def test_no_rule_breaks_on_a_message_that_ends_anywhere(frames: list[Frame]) -> None:
    kinds = {(frame.upper, frame.message_type, frame.home_address): frame for frame in frames}
    for frame in kinds.values():
        ends = range(HEADER_OCTETS, len(frame.octets))
        judge([*frames, *(instead(frame, with_length(frame.octets[:end])) for end in ends)])


def test_a_tunnel_in_a_tunnel_in_a_tunnel(frames: list[Frame]) -> None:
    header = b"\x60\0\0\0\0\0" + bytes((41, 255)) + frames[-1].octets[8:HEADER_OCTETS]
    judge([*frames, instead(frames[-1], with_length(header * 1600))])


def test_frames_of_any_length_are_read(good: Story, tmp_path: Path) -> None:
    octets = good.frames("visited1")[4].octets
    lengths = [Sighting("short", length / 10, octets[:length]) for length in range(len(octets) + 1)]
    frames = read([write_pcapng(tmp_path / "short.pcapng", lengths)])
    assert [frame.number for frame in frames] == [
        1 + length for length in range(ETHERNET_HEADER + HEADER_OCTETS, len(octets) + 1)
    ]
    judge(frames)


@pytest.fixture(scope="module")
def small(good: Story, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """Give a small capture and what is in it."""
    path = write_pcapng(tmp_path_factory.mktemp("small") / "visited1.pcapng", good.frames("visited1")[:5])
    return path, path.read_bytes()


@given(data=st.data())
@settings(max_examples=100)
def test_a_spoiled_file_is_judged_or_refused(data: st.DataObject, small: tuple[Path, bytes]) -> None:
    path, content = small
    path.write_bytes(data.draw(spoiled(content), label="file"))
    refusal = ""
    try:
        assert len(verify([path])) == len(RULES)
    except CaptureError as error:
        refusal = str(error)
    assert refusal == "" or refusal.startswith(f"{path}: ")
