"""Virtual time: the same seed gives the same octets, whoever plays and whatever else the machine does; waiting is free.

The kernel is built by `mip6lab kernel build`; without it these tests skip.
"""

import hashlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation import time_travel, times, virtual_guest
from lab.emulation.guest import Job
from lab.emulation.virtual_guest import VirtualGuest
from lab.errors import GuestError
from lab.report.model import load
from tests.guest import quiet
from tests.guest.guests import MIP6LAB, environment, folders, ordinary_folder, ordinary_user
from tests.lab.networks import ROOT, until
from tests.lab.session import marked

_obstacle = time_travel.obstacle()
pytestmark = pytest.mark.skipif(_obstacle is not None, reason=f"no virtual time: {_obstacle}")

PLAYED_WITHIN = 280.0
PROGRAM = time_travel.cached()


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


def attend(command: str) -> tuple[int, bytes]:
    """Run a shell command in virtual time; give its status and what it wrote."""
    shown: list[bytes] = []
    job = Job(command=["sh", "-c", command], environment=virtual_guest.ENVIRONMENT)
    with VirtualGuest(job, PROGRAM, seed=1) as guest:
        status = guest.wait(shown.append)
    return status, b"".join(shown)


def test_status_and_output_come_back_and_a_day_passes() -> None:
    status, shown = attend("date +%s; sleep 10000; date +%s; echo trouble >&2; exit 7")
    began, ended, trouble = shown.split()
    assert (status, trouble) == (7, b"trouble")
    assert times.START <= int(began) < times.START + 5
    assert int(ended) - int(began) == 10_000
    assert folders(os.getpid()) == []


def test_a_loop_that_looks_at_the_clock_comes_to_its_end() -> None:
    code = "import time; end = time.time() + 0.2\nwhile time.time() < end: pass"
    assert attend(shlex.join([sys.executable, "-c", code]))[0] == 0


def test_what_waits_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_guest, "PATIENCE", 120)
    with pytest.raises(GuestError, match="did not end within 120 s of virtual time"):
        attend("sleep 1000000")
    assert folders(os.getpid()) == []


def test_what_computes_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(virtual_guest, "SILENCE", 10.0)
    with pytest.raises(GuestError, match="virtual time stood still for 10 s"):
        attend("echo begins; while :; do :; done")
    assert folders(os.getpid()) == []


def test_ctrl_c_ends_the_guest(tmp_path: Path) -> None:
    with (tmp_path / "said").open("wb") as said:
        runner = subprocess.Popen(
            [*MIP6LAB, "run", quiet.__file__, "--time", "virtual", "--out", str(tmp_path / "result")],
            cwd=ROOT,
            stdout=said,
            stderr=said,
        )
    until(lambda: folders(runner.pid) != [], "the guest boots")
    runner.send_signal(signal.SIGINT)
    assert runner.wait(60) == 130, (tmp_path / "said").read_text(encoding="utf-8")
    assert folders(runner.pid) == []
    assert marked(runner.pid) == []
