"""Judging the captures of a run by all rules, against tshark dissecting the same frames.

Both are timed as whole commands, from their start to their end. A short run and a long one show how the time grows.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.bench.measure import Benchmark, Row, Side, interleave
from lab.bench.moves import LINKS, settle
from lab.emulation.network import Network
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.emulation.traffic import Stream
from lab.errors import MissingError, ScenarioError
from lab.events import BindingAcknowledged

EVERY = 0.001
SHORT, LONG, QUICK_LONG = 1.0, 16.0, 4.0
"""Seconds that a mobile node stays on each of two visited links while it gets a packet every millisecond."""
ROUNDS, QUICK_ROUNDS = 7, 2


def measure(quick: bool) -> Benchmark:
    """Time both on captures of a short and of a long run."""
    for tool in ("tshark", "mergecap"):
        if shutil.which(tool) is None:
            raise MissingError(f"{tool} is missing: install the package tshark")
    rounds = QUICK_ROUNDS if quick else ROUNDS
    return Benchmark(name="verify", rows=[_compare(stay, rounds) for stay in (SHORT, QUICK_LONG if quick else LONG)])


def _compare(stay: float, rounds: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as name:
        folder = Path(name)
        captures = _capture(folder, stay)
        merged = folder / "merged.pcapng"
        _run(["mergecap", "-w", str(merged), *map(str, captures)])
        dissect = ["tshark", "-n", "-r", str(merged)]
        frames = len(_run(dissect).splitlines())
        judge = [sys.executable, "-m", "lab.cli.main", "verify", *map(str, captures)]
        return interleave(
            f"judge {frames} frames",
            Side(name="tshark", work=lambda: _run(dissect)),
            Side(name="mip6lab", work=lambda: _run(judge)),
            rounds=rounds,
        )


def _capture(folder: Path, stay: float) -> Sequence[Path]:
    """Let a mobile node visit two links while it gets a stream; give the captures."""
    with Network(find_topology("two_visited_links"), settings=Settings(ro=False), directory=folder) as network:
        network.start()
        network.wait_settled()
        stream = Stream(network.node("cn"), network.node("mn"), every=EVERY, name="cn-mn")
        for link in LINKS:
            began = time.time()
            network.move("mn", link)
            settle(network, link, began, BindingAcknowledged)
            time.sleep(stay)
        stream.stop()
        return [*network.captures.values()]


def _run(command: Sequence[str]) -> bytes:
    """Run a command and give what it prints; raises `ScenarioError`."""
    ran = subprocess.run(command, capture_output=True, check=False)
    if ran.returncode:
        raise ScenarioError(
            f"{' '.join(command[:4])}… ended with status {ran.returncode}: {ran.stderr.decode()[-500:]}"
        )
    return ran.stdout
