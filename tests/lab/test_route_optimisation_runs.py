"""The scenarios of route optimisation as a user calls them, and what is in their captures."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import TypeVar

import pytest

from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    Event,
    MoveBegan,
    PacketDropped,
    Record,
    RouteOptimisationStarted,
)
from lab.report.html import read_events
from lab.report.model import Result, load
from tests.lab.networks import ROOT

pytestmark = pytest.mark.privileged

SCENARIOS = (
    *("route-optimisation", "ro-handover", "ro-return-home", "two-correspondents"),
    *("binding-refresh", "ro-refused", "tcp-transfer", "mobile-to-mobile"),
)
LEGACY = "2001:db8:c::3"
CN, HOME = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:1::100")
AGENT = IPv6Address("2001:db8:1::1")
STREAM = "udp.port in {6275,6276} && !icmpv6"
PASSING = 0.2
"""Seconds for what is under way when a path changes."""
E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a scenario left, and how it ended."""

    folder: Path
    status: int
    output: str

    @property
    def result(self) -> Result:
        return load(self.folder)

    def records(self) -> list[Record]:
        return read_events(self.folder)

    def events(self, kind: type[E], node: str) -> list[tuple[float, E]]:
        """Give the events of a kind and of a node with their times."""
        return [(r.time, r.event) for r in self.records() if r.node == node and isinstance(r.event, kind)]

    def frames(self, links: list[str], display: str, *fields: str) -> list[list[str]]:
        """Give fields of the frames that a display filter of tshark selects, of some links or, without any, of all.

        What ESP holds is looked into, with the associations beside the captures.
        """
        captures = [self.folder / path for link, path in self.result.captures.items() if link in links or not links]
        command = ["tshark", "-n", "-Y", display, "-T", "fields", *(word for field in fields for word in ("-e", field))]
        command += ["-o", "esp.enable_encryption_decode:TRUE"]
        associations = {**os.environ, "WIRESHARK_CONFIG_DIR": str(self.folder / "captures")}
        with ThreadPoolExecutor(2) as pool:
            outputs = pool.map(lambda path: text_of([*command, "-r", str(path)], associations), captures)
        return [line.split("\t") for output in outputs for line in output.splitlines()]


def text_of(command: list[str], environment: dict[str, str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment).stdout


@cache
def play(scenario: str, folder: Path) -> Run:
    """Play a scenario, once for all tests of this file."""
    # Owned by whoever runs the tests, also when those run under sudo.
    environment = {key: value for key, value in os.environ.items() if key != "SUDO_UID"}
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli.main", "run", scenario, "--json", "--out", str(folder / scenario)],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        cwd=ROOT,
        env=environment,
    )
    return Run(folder=folder / scenario, status=done.returncode, output=done.stdout + done.stderr)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Give what each scenario left; it is played when a test first asks for it."""
    return partial(play, folder=tmp_path_factory.mktemp("runs"))


@pytest.mark.rfc6275(
    *("5.2.6-b", "9.1-a", "9.3.1-b", "9.3.2-a", "9.5.1-d", "9.5.3-a", "9.5.4-a", "9.5.5-a", "15.4.6-a"),
    *("11.3.1-a", "11.3.3-a", "11.3.5-a", "11.6.1-a", "11.6.2-a", "11.7.1-b", "11.7.2-a", "11.7.3-a", "11.7.4-a"),
)
@pytest.mark.case("MN-002", "MN-049", "MN-068", "MN-100", "MN-103", "MN-104", "MN-189")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_check_holds(runs: Callable[[str], Run], scenario: str) -> None:
    run = runs(scenario)
    assert run.status == 0, run.output[-4000:]
    assert json.loads(run.output[run.output.index("{") : run.output.rindex("}") + 1])["ok"]
    assert run.result.ok
    assert not run.result.failed()
    assert [check.id for check in run.result.checks if check.id.startswith("scenario-") and check.verdict == "passed"]
    dropped = {record.event.reason for record in run.records() if isinstance(record.event, PacketDropped)}
    assert "internal-error" not in dropped


@pytest.mark.rfc6275("9.2-a", "9.3.1-a", "11.3.5-a")
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_is_malformed_and_no_kernel_complains(runs: Callable[[str], Run], scenario: str) -> None:
    """Only a host that knows nothing of Mobile IPv6 may: our nodes' kernels do not see what would puzzle them."""
    large = ["visited1", "visited2", "core-ar1", "core-ar2"] if scenario == "tcp-transfer" else []
    frames = runs(scenario).frames(
        large, "_ws.malformed || icmpv6.type == 4", "icmpv6.type", "ipv6.src", "frame.number"
    )
    assert [frame for frame in frames if "4" not in frame[0].split(",")] == []
    problems = [frame for frame in frames if LEGACY not in frame[1].split(",")]
    assert problems == []
    assert bool(frames) == (scenario == "ro-refused")


@pytest.mark.rfc6275("9.3.2-a", "11.3.1-a", "5.2.5-b", "6.1.3-a", "6.1.4-a")
@pytest.mark.case("MN-083", "CN-002")
def test_the_stream_leaves_the_triangle(runs: Callable[[str], Run]) -> None:
    """From the acknowledgement on no packet of it is seen at the home agent, and none was lost on the direct path."""
    run = runs("route-optimisation")
    bound = next(at for at, event in run.events(BindingAcknowledged, "mn") if event.peer == CN)
    after = f"frame.time_epoch > {bound + PASSING:.6f}"
    assert run.frames(["core-ha", "home"], f"{STREAM} && {after}", "frame.number") == []
    assert run.frames(["core-ha"], f"{STREAM} && !({after})", "frame.number")  # before, it was
    straight = run.frames(
        ["cn-core"], f"{STREAM} && {after}", "ipv6.src", "ipv6.dst", "ipv6.routing.type", "ipv6.dstopts"
    )
    assert len(straight) > 100
    care_of = str(run.events(RouteOptimisationStarted, "mn")[0][1].care_of_address)
    for source, destination, routing, options in straight:
        if source.split(",")[0] == str(CN):
            assert (destination.split(",")[0], routing, options) == (care_of, "2", "")
        else:
            assert (source.split(",")[0], destination.split(",")[0], routing) == (care_of, str(CN), "")
            assert options


@pytest.mark.rfc6275("5.2.5-b", "11.6.1-a", "9.4.3-a", "9.4.4-a", "6.1.3-a", "6.1.4-a")
@pytest.mark.case("MN-047", "MN-066")
def test_test_inits_take_both_ways(runs: Callable[[str], Run]) -> None:
    """The home test goes by the home agent there and back, the care-of test straight; neither has added headers."""
    run = runs("route-optimisation")
    home = run.frames(["core-ha"], "mip6.mhtype in {1,2,3,4}", "mip6.mhtype")
    assert {frame[0] for frame in home} == {"1", "3"}
    visited = run.frames(["visited1"], "mip6.mhtype in {1,2,3,4}", "mip6.mhtype", "ipv6.routing.type", "ipv6.dstopts")
    assert {frame[0] for frame in visited} == {"1", "2", "3", "4"}
    assert {tuple(frame[1:]) for frame in visited} == {("", "")}


@pytest.mark.rfc6275("11.7.1-b", "11.7.2-a", "9.5.1-b")
@pytest.mark.case("CN-070", "MN-049", "MN-100")
def test_after_each_move_the_home_agent_is_told_first(runs: Callable[[str], Run]) -> None:
    run = runs("ro-handover")
    moves = [at for at, _ in run.events(MoveBegan, "lab")]
    assert len(moves) == 3
    acknowledged = run.events(BindingAcknowledged, "mn")
    sequences = [event.sequence for _, event in run.events(BindingRegistered, "cn")]
    assert sequences == sorted(set(sequences))
    for began, ends in zip(moves, [*moves[1:], float("inf")], strict=True):
        peers = [event.peer for at, event in acknowledged if began < at < ends]
        assert peers[0] == AGENT
        assert CN in peers[1:]


@pytest.mark.rfc6275("9.5.3-a", "11.7.2-a", "15.4.6-a", "11.5.5-a")
@pytest.mark.case("MN-103", "CN-053")
def test_at_home_nothing_is_straight_any_more(runs: Callable[[str], Run]) -> None:
    """The correspondent deletes its binding after the home agent did, and the stream is as that of any host."""
    run = runs("ro-return-home")
    (agent, _), (bound, _) = run.events(BindingDeregistered, "ha")[-1], run.events(BindingDeregistered, "cn")[-1]
    assert agent < bound
    after = f"frame.time_epoch > {bound + PASSING:.6f}"
    plain = run.frames(["home", "cn-core"], f"{STREAM} && {after}", "ipv6.src", "ipv6.routing.type", "ipv6.dstopts")
    assert {tuple(frame) for frame in plain} == {(str(CN), "", ""), (str(HOME), "", "")}
    assert run.frames(["visited1"], f"{STREAM} && {after}", "frame.number") == []


@pytest.mark.rfc6275("11.3.1-a", "9.3.2-a")
@pytest.mark.case("MN-189", "MN-197")
def test_between_mobile_nodes_both_headers_are_seen(runs: Callable[[str], Run]) -> None:
    run = runs("mobile-to-mobile")
    both = run.frames(["visited1"], f"{STREAM} && ipv6.routing.type == 2 && ipv6.dstopts", "ipv6.src")
    assert len(both) > 50
    last = max(at for at, _ in run.events(RouteOptimisationStarted, "mn2"))
    after = f"frame.time_epoch > {last + PASSING:.6f}"
    assert run.frames(["core-ha1", "core-ha2"], f"{STREAM} && {after}", "frame.number") == []


@pytest.mark.rfc6275("11.3.5-a")
def test_a_host_that_refuses_is_not_asked_again_and_again(runs: Callable[[str], Run]) -> None:
    """Its complaint ends the tests, also those after the next move."""
    run = runs("ro-refused")
    inits = run.frames(["cn-core"], "mip6.mhtype in {1,2} && !icmpv6", "mip6.mhtype")
    assert 1 <= len(inits) <= 2
