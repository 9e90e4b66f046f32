"""Scenarios and hands-on work in a guest kernel, by an ordinary user."""

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest

from lab.emulation import guest
from lab.events import LinkImpaired
from lab.report.html import read_events
from lab.report.model import load
from tests.guest.guests import MIP6LAB, environment, folders, needs_guest, ordinary_folder, ordinary_user
from tests.lab.networks import ROOT
from tests.lab.session import marked

pytestmark = needs_guest

PLAYED_WITHIN = 280.0
ON_KERNEL = ("handover", "ro-handover", "mobile-to-mobile")
"""Scenarios that are played on the plane `kernel`."""
BY_ITSELF = "lossy-link"
SCENARIOS = (*ON_KERNEL, BY_ITSELF)
SAYS = "· kernel guest: this machine's will not do: you are not root; plane bpf: the kernel takes its programs\n"
KERNEL_SAYS = "· kernel guest: as it was asked for; plane kernel: as it was asked for\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play scenarios in two guests: on the plane `kernel`, and on the one that is taken by itself."""
    directory = ordinary_folder(tmp_path_factory.mktemp("results"))
    play(ON_KERNEL, "--plane", "kernel", "--kernel", "guest", into=directory, says=KERNEL_SAYS)
    play([BY_ITSELF], into=directory / BY_ITSELF, says=SAYS)
    return directory


def play(scenarios: Sequence[str], *options: str, into: Path, says: str) -> None:
    """Play scenarios; each is to say which kernel and which plane it is played on."""
    done = subprocess.run(
        [*ordinary_user(), *MIP6LAB, "run", *scenarios, *options, "--json", "--out", str(into)],
        cwd=ROOT,
        env=environment(into),
        capture_output=True,
        text=True,
        check=False,
        timeout=PLAYED_WITHIN,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert done.stderr.count(says) == len(scenarios)
    results = json.loads(done.stdout)
    assert [result["scenario"] for result in (results if len(scenarios) > 1 else [results])] == [*scenarios]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_check_holds(folder: Path, scenario: str) -> None:
    result = load(folder / scenario)
    assert (result.ok, result.failed()) == (True, [])
    assert (result.kernel, result.plane) == ("guest", "kernel" if scenario in ON_KERNEL else "bpf")
    assert result.versions["kernel"].startswith("6.1.")


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_folder_is_the_user_s_and_has_the_kernel_s_log(folder: Path, scenario: str) -> None:
    owner = folder.stat().st_uid
    assert {path.stat().st_uid for path in (folder / scenario).rglob("*")} == {owner}
    assert "Linux version" in (folder / scenario / "logs" / "guest.log").read_text(encoding="utf-8")


@pytest.mark.rfc6275("11.8-a")
def test_lost_updates_are_repeated(folder: Path) -> None:
    verdicts = {check.id: check.verdict for check in load(folder / "lossy-link").checks}
    assert {verdicts["scenario-lost-updates-are-repeated"], verdicts["bu-retransmission"]} == {"passed"}
    told = [record.event for record in read_events(folder / "lossy-link") if isinstance(record.event, LinkImpaired)]
    assert [event.loss for event in told] == [1.0, 0.0, 0.1, 0.0]


class Screen:
    """A user at a terminal of 30 lines with 100 columns."""

    def __init__(self, *command: str) -> None:
        self._keys, theirs = os.openpty()
        self.resize(30, 100)
        self.process = subprocess.Popen(
            [*ordinary_user(), *MIP6LAB, *command],
            cwd=ROOT,
            env=environment(ROOT) | {"TERM": "dumb"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._shown = b""

    def resize(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._keys, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def press(self, keys: str) -> None:
        os.write(self._keys, keys.encode())

    def read(self, *, until: str) -> str:
        """Read on until something is shown; give all up to its end."""
        deadline = monotonic() + PLAYED_WITHIN
        while (found := re.search(until.encode(), self._shown)) is None:
            assert monotonic() < deadline, self._shown
            if select.select([self._keys], [], [], 0.5)[0]:
                self._shown += os.read(self._keys, 4096)
        shown, self._shown = self._shown[: found.end()], self._shown[found.end() :]
        return shown.decode()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        os.close(self._keys)


@pytest.fixture
def shell() -> Iterator[Screen]:
    made = Screen("shell")
    yield made
    made.close()


def test_a_shell_at_a_terminal(shell: Screen) -> None:
    shell.read(until="# ")
    shell.press("stty size; id -u\r")
    shell.read(until="\r\n30 100\r\n0\r\n")
    shell.press("sh -c 'echo runn''ing; exec sleep 1000'\r")  # one that is hit by Ctrl-C before it runs may miss it
    shell.read(until="\r\nrunning\r\n")
    shell.press("\x03")
    shell.read(until="# ")
    shell.resize(50, 70)
    shell.process.send_signal(signal.SIGWINCH)  # as from the terminal's own session
    shell.press("until test \"$(stty size)\" = '50 70'; do sleep 0.1; done; echo adapt''ed\r")
    shell.read(until="adapted\r\n")
    shell.press("exit 3\r")
    assert shell.process.wait(PLAYED_WITHIN) == 3
    assert marked(shell.process.pid) == []
    assert folders(shell.process.pid) == []


def test_a_network_is_tried_by_hand_and_its_links_are_impaired() -> None:
    commands = "impair core-ha delay=50ms\nmn ping -c 3 cn\nimpair core-ha\nimpair moon loss=1%\nevents 200\nexit\n"
    done = subprocess.run(
        [*ordinary_user(), *MIP6LAB, "up", "two_visited_links", "--kernel", "guest"],
        cwd=ROOT,
        env=environment(ROOT),
        input=commands,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # where Mininet writes what commands say
        text=True,
        check=False,
        timeout=PLAYED_WITHIN,
    )
    assert done.returncode == 0, done.stdout
    milliseconds = [float(time) for time in re.findall(r"time=([\d.]+) ms", done.stdout)]
    assert milliseconds, done.stdout
    assert min(milliseconds) >= 100, "50 ms each way"
    assert "link core-ha delays packets by 50 ms" in done.stdout
    assert "link core-ha carries all packets, at once" in done.stdout
    assert "*** no link moon; links: home, visited1" in done.stdout


def test_a_benchmark_is_run_in_the_guest(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = ordinary_folder(tmp_path_factory.mktemp("figures"))
    file = directory / "figures.json"
    done = subprocess.run(
        [*ordinary_user(), *MIP6LAB, "bench", "codec", "--quick", "--kernel", "guest", "--json", str(file)],
        cwd=ROOT,
        env=environment(directory),
        capture_output=True,
        text=True,
        check=False,
        timeout=PLAYED_WITHIN,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["machine"]["kernel"] == guest.release()
    assert [benchmark["name"] for benchmark in found["benchmarks"]] == ["codec"]
