"""Virtual time: the same seed gives the same octets, whoever plays and whatever else the machine does; waiting is free.

The kernel is built by `mip6lab kernel build`; without it these tests skip.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation import time_travel, times
from lab.report.model import load
from tests.guest import quiet
from tests.guest.guests import MIP6LAB, environment, ordinary_folder, ordinary_user
from tests.lab.networks import ROOT

_obstacle = time_travel.obstacle()
pytestmark = pytest.mark.skipif(_obstacle is not None, reason=f"no virtual time: {_obstacle}")

PLAYED_WITHIN = 280.0


def play(scenario: str, into: Path, *options: str, prefix: tuple[str, ...] = (), **variables: str) -> Path:
    """Play a scenario in virtual time; all its checks hold. Gives the folder of the result."""
    directory = into / "result"
    done = subprocess.run(
        [*prefix, *MIP6LAB, "run", scenario, "--time", "virtual", "--out", str(directory), *options],
        cwd=ROOT,
        env=environment(into) | {"XDG_CACHE_HOME": str(time_travel.cached().parents[1])} | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PLAYED_WITHIN,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return directory


def digests(directory: Path) -> dict[str, str]:
    """Digest what happened and what was captured."""
    files = [directory / "events.jsonl", *sorted((directory / "captures").glob("*.pcapng"))]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@contextmanager
def busy() -> Iterator[None]:
    """Have the machine busy with something else, in fits and starts."""
    burn = "import time\nwhile True:\n for _ in range(10**6): pass\n time.sleep(0.07)"
    burners = [subprocess.Popen([sys.executable, "-c", burn]) for _ in range(2)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play a handover as an ordinary user."""
    return play("handover", ordinary_folder(tmp_path_factory.mktemp("first")), prefix=ordinary_user())


def test_the_result_says_which_time_it_was(first: Path) -> None:
    result = load(first)
    assert (result.time, result.kernel, result.seed, result.failed()) == ("virtual", "guest", 1, [])
    assert times.START < result.started < times.START + 60
    assert result.versions["kernel"] == time_travel.release(time_travel.cached())
    assert len(digests(first)) == 1 + len(result.captures)


@pytest.mark.privileged
def test_root_of_a_busy_machine_gets_the_same_octets(first: Path, tmp_path: Path) -> None:
    """And another folder, another environment, more than one repetition."""
    with busy():
        directory = play("handover", tmp_path / "in" / "a" / "deeper" / "folder", "--repeat", "2", COLUMNS="80")
    assert digests(directory / "001") == digests(directory / "002") == digests(first)
    assert (directory / "001" / "result.json").read_bytes() == (first / "result.json").read_bytes()


def test_another_seed_gives_other_octets(first: Path, tmp_path: Path) -> None:
    other = digests(play("handover", ordinary_folder(tmp_path), "--seed", "2", prefix=ordinary_user()))
    assert other.keys() == digests(first).keys()
    assert not set(other.values()) & set(digests(first).values())


def test_waiting_takes_no_time_of_the_host(tmp_path: Path) -> None:
    began = monotonic()
    result = load(play(quiet.__file__, tmp_path))
    assert result.duration_s > quiet.SECONDS
    assert monotonic() - began < quiet.SECONDS
