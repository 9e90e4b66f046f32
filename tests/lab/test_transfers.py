"""TCP transfers across every move, by each data plane; what their packets are on the wire."""

import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.daemon.config import PlaneName
from lab.emulation.network import Network
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.emulation.spec import ETHERNET_MTU
from lab.emulation.traffic import Transfer, TransferSummary
from lab.verify.esp import read_associations, tables_beside
from lab.verify.frame import Frame
from lab.verify.trace import read
from tests.lab.networks import Here, until
from tests.plane.conftest import why_not_bpf

pytestmark = pytest.mark.privileged

LARGE, SMALL = 100_000_000, 10_000_000
TCP = 6
TSHARK = ["tshark", "-n", "-o", "tcp.check_checksum:TRUE", "-Y", "tcp", "-T", "fields", "-e", "tcp.checksum.status"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How a transfer is played."""

    plane: PlaneName
    ro: bool = True
    offloads: bool = True
    ipsec_payload: bool = False
    octets: int = SMALL
    rate: int = 2_500_000
    """Octets a second: so that it is under way in every move."""

    def __str__(self) -> str:
        marks = ("ro", self.ro), ("offloads", self.offloads), ("esp", self.ipsec_payload)
        return "-".join([self.plane, *(mark for mark, on in marks if on), f"{self.octets // 1_000_000}MB"])


NEEDS_BPF = pytest.mark.skipif(why_not_bpf() is not None, reason=f"bpf: {why_not_bpf()}")
CASES = [
    Case(plane=PlaneName.USER, octets=LARGE, rate=12_000_000),
    Case(plane=PlaneName.BPF, octets=LARGE, rate=12_000_000),
    Case(plane=PlaneName.USER, offloads=False),
    Case(plane=PlaneName.BPF, offloads=False),
    Case(plane=PlaneName.BPF, offloads=False, ro=False),
    Case(plane=PlaneName.BPF, ipsec_payload=True, ro=False),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a transfer came to, and what the visited links carried of it."""

    case: Case
    summary: TransferSummary
    captures: list[Path]
    frames: list[Frame]


@pytest.fixture(
    scope="module",
    params=[pytest.param(case, id=str(case), marks=NEEDS_BPF if case.plane is PlaneName.BPF else ()) for case in CASES],
)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """Transfer from the correspondent to the mobile node, which goes to each link meanwhile."""
    case: Case = request.param
    settings = Settings(plane=case.plane, ro=case.ro, offloads=case.offloads, ipsec_payload=case.ipsec_payload)
    folder = tmp_path_factory.mktemp("transfer")
    with Network(find_topology("two_visited_links"), settings=settings, directory=folder) as network:
        network.start()
        here = Here(network)
        here["mn"].wait_settled()
        transfer = Transfer(here["cn"], here["mn"], octets=case.octets, rate=case.rate)
        for link in ("visited1", "visited2"):
            here.visit(link)
            goes_on(here, case.octets // 10)
        assert transfer.running
        here.return_home()
        summary = transfer.wait(within=120.0)
        captures = [network.captures[link] for link in ("visited1", "visited2")]
    frames = read(captures, read_associations(tables_beside(captures)))
    return Played(
        case=case,
        summary=summary,
        captures=captures,
        frames=[frame for frame in frames if frame.innermost.upper == TCP],
    )


def goes_on(here: Here, octets: int) -> None:
    """Wait until so many octets have arrived at the link where the mobile node is."""
    interface = here["mn"].spec.plugs[0].interface

    def received() -> int:
        line = here.run("mn", "grep", f"{interface}:", "/proc/net/dev")
        return int(line.partition(":")[2].split()[0])

    wanted = received() + octets
    until(lambda: received() >= wanted, "the transfer goes on")


@pytest.mark.rfc6275("9.3.1-b", "9.3.2-a", "10.4.2-a", "10.4.5-a")
def test_a_transfer_survives_every_move(played: Played) -> None:
    assert played.summary.intact
    assert played.summary.octets == played.case.octets
    assert {frame.link for frame in played.frames} == {"visited1", "visited2"}


@pytest.mark.rfc6275("6.3-a", "6.4-a")
def test_checksums_are_right_or_left_to_an_interface(played: Played) -> None:
    """They count the home addresses (§6.3, §6.4), whoever computes them at last."""
    kinds = {
        carried: Counter(checksum_of(frame.innermost) for frame in played.frames if is_carried(frame) is carried)
        for carried in (True, False)
    }
    print(played.case, kinds)
    assert kinds[True].total() > 100
    allowed = {"right", "left"} if played.case.offloads else {"right"}
    assert {*kinds[True], *kinds[False]} <= allowed
    if played.case.plane is PlaneName.USER or played.case.ipsec_payload:
        assert {*kinds[True]} == {"right"}  # Python sees no packet that is not complete


def test_packets_on_a_wire_are_no_larger_than_it_takes(played: Played) -> None:
    if played.case.offloads and played.case.plane is PlaneName.BPF and not played.case.ipsec_payload:
        assert max(len(frame.octets) for frame in played.frames) > ETHERNET_MTU  # segments are cut by interfaces
    elif not played.case.offloads:
        assert max(len(frame.octets) for frame in played.frames) <= ETHERNET_MTU


def test_tshark_finds_no_wrong_checksum_where_none_is_left_out(played: Played) -> None:
    if played.case.offloads:
        pytest.skip("only without offloads all checksums are complete")
    for capture in played.captures:
        judged = Counter(
            subprocess.run(
                [*TSHARK, "-r", str(capture)],
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            ).stdout.split()
        )
        assert judged.keys() == {"1"}, judged


def is_carried(frame: Frame) -> bool:
    """Tell whether a data plane had a packet: it is in a tunnel, or has headers of RFC 6275."""
    return frame.inner is not None or bool(frame.home_address_option_at or frame.routing_header_at)


def checksum_of(frame: Frame) -> str:
    """Tell whether a checksum is `right`, `left` to an interface as the sum of the pseudo-header, or `wrong`."""
    ends = frame.sender.packed + frame.receiver.packed
    segment = frame.payload
    pseudo = (int.from_bytes(ends, "big") + len(segment) + TCP) % 0xFFFF
    if (pseudo + int.from_bytes(segment + bytes(len(segment) % 2), "big")) % 0xFFFF == 0:
        return "right"
    return "left" if int.from_bytes(segment[16:18], "big") % 0xFFFF == pseudo else "wrong"
