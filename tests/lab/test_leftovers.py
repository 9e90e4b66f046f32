"""Whatever ends a run, nothing of it remains, and nothing of others is touched."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cli.main import INTERRUPTED
from tests.lab.networks import ROOT, until
from tests.lab.session import folders, marked

pytestmark = pytest.mark.privileged

COMMAND = (sys.executable, "-m", "lab.cli.main")
SCENARIO = """
from lab.emulation.scenario import Stage, scenario
from lab.emulation.topology import Topology

class Small(Topology):
    '''A home agent and a mobile node.'''

    def declare(self):
        home = self.link("home", "2001:db8:1::/64")
        self.home_agent("ha", home=home, on=[])
        self.mobile_node("mn", home=home, home_agent="ha")

@scenario(Small)
def endless(stage: Stage) -> None:
    '''Waits for its end.'''
    stage.stream("ha", "mn", every=0.01)
    stage.say("playing")
    {ending}
"""


class Runner:
    """A `mip6lab run` in the middle of its scenario."""

    def __init__(self, folder: Path, ending: str) -> None:
        (folder / "small.py").write_text(SCENARIO.format(ending=ending), encoding="utf-8")
        self.folder = folder
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "small.py:endless", "--out", str(folder / "result")],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=output,
            )

    def output(self) -> str:
        """Give what it printed so far."""
        return (self.folder / "output").read_text(encoding="utf-8")

    def wait_playing(self) -> None:
        """Wait until the scenario is being played."""
        until(lambda: "playing" in self.output() or self.process.poll() is not None, "the scenario plays")
        assert self.process.poll() is None, self.output()


@pytest.fixture
def bystander() -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process of somebody else, in a namespace of its own."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "300"])
    yield process
    assert process.poll() is None, "a process that is not ours was ended"
    process.kill()
    process.wait()


def test_killed_without_warning(tmp_path: Path, bystander: "subprocess.Popen[bytes]") -> None:
    """Nothing runs on after `kill -9`, and `clean` removes the folder."""
    runner = Runner(tmp_path, "stage.wait(300)")
    runner.wait_playing()
    assert len(marked(runner.process.pid)) >= 5
    runner.process.kill()
    runner.process.wait()
    done = subprocess.run([*COMMAND, "clean"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=30)
    until(lambda: not marked(runner.process.pid), "all processes ended")
    assert folders(runner.process.pid) == []
    assert "removed" in done.stdout
    assert bystander.poll() is None


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGHUP, 128 + signal.SIGHUP)],
)
def test_ended_by_a_signal(tmp_path: Path, number: signal.Signals, status: int) -> None:
    """Ctrl-C, a terminal that is closed and `kill` clean up at once."""
    runner = Runner(tmp_path, "stage.wait(300)")
    runner.wait_playing()
    runner.process.send_signal(number)
    assert runner.process.wait(20) == status, runner.output()
    assert marked(runner.process.pid) == []
    assert folders(runner.process.pid) == []


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        pytest.param(
            "raise RuntimeError('a mistake of the author')",
            1,
            "a mistake of the author (small.py, line",
            id="exception",
        ),
        pytest.param("stage.move('mn', 'nowhere')", 1, "no link nowhere; links: home", id="wrong name"),
        pytest.param("stage.network.node('ha').stop_daemon()", 0, "passed", id="a daemon that ended"),
    ],
)
def test_a_scenario_that_fails(tmp_path: Path, ending: str, status: int, said: str) -> None:
    """Mistakes in a scenario are told, and leave nothing either."""
    runner = Runner(tmp_path, ending)
    assert runner.process.wait(30) == status, runner.output()
    assert said in runner.output()
    assert marked(runner.process.pid) == []
    assert folders(runner.process.pid) == []


MACHINE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c")
CLEAN_BESIDE_A_RUN = """
mount -t tmpfs none /run
"$@" run small.py:endless --out result > output 2>&1 & runner=$!
until grep -q playing output; do kill -0 $runner || { cat output; exit 1; }; sleep 0.1; done
"$@" clean
kill -0 $runner && echo "spared, with" $(grep -laz MIP6LAB_RUN= /proc/[0-9]*/environ | wc -l) "processes"
"$@" clean --all
wait $runner
echo "ended by" $(($? - 128))
echo "left:" $(grep -laz MIP6LAB_RUN= /proc/[0-9]*/environ) $(ls /run/mip6lab)
"""


def test_clean_spares_a_run_that_lives_unless_all_are_meant(tmp_path: Path) -> None:
    """The processes of a machine of its own are all that `clean --all` sees, so that other runs here live on."""
    (tmp_path / "small.py").write_text(SCENARIO.format(ending="stage.wait(300)"), encoding="utf-8")
    done = subprocess.run(
        [*MACHINE, CLEAN_BESIDE_A_RUN, "sh", *COMMAND],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    spared, *_, ended, left = [
        line for line in done.stdout.splitlines() if line.startswith(("spared", "ended", "left"))
    ]
    assert int(spared.split()[2]) >= 5
    assert (ended, left.rstrip()) == (f"ended by {signal.SIGKILL.value}", "left:")
