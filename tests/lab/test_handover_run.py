"""The main job as a user calls it: `mip6lab run handover`."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.cli.main import main
from lab.events import EVENTS
from lab.report.handovers import PARTS
from lab.report.html import read_events
from lab.report.model import load
from tests.lab.networks import ROOT

pytestmark = pytest.mark.privileged

COMMAND = (sys.executable, "-m", "lab.cli.main")
LINKS = {"home", "visited1", "visited2", "cn-core", "core-ha", "core-ar1", "core-ar2"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Play the scenario once for all tests of this file."""
    directory = tmp_path_factory.mktemp("handover") / "result"
    # Owned by whoever runs the tests, also when those run under sudo.
    environment = {key: value for key, value in os.environ.items() if key != "SUDO_UID"}
    done = subprocess.run(
        [*COMMAND, "run", "handover", "--json", "--out", str(directory)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    assert json.loads(done.stdout) == json.loads((directory / "result.json").read_text(encoding="utf-8"))
    return directory


@pytest.mark.rfc6275(
    *("10.3.1-d", "10.3.1-g", "10.3.1-h", "10.3.1-i", "10.3.2-b", "10.3.2-d", "10.4.1-a", "10.4.2-a", "10.4.5-a"),
    *("11.3.1-a", "11.3.3-a", "11.5.1-a", "11.5.2-a", "11.5.3-a", "11.5.5-a", "11.7.1-a", "11.7.3-a", "5.1-d"),
)
def test_every_check_holds(folder: Path) -> None:
    result = load(folder)
    assert result.ok
    assert not result.failed()
    passed = [check.id for check in result.checks if check.verdict == "passed"]
    assert len(passed) >= 15
    assert len(set(passed)) == len(passed)


def test_three_handovers_and_where_their_time_went(folder: Path) -> None:
    found = load(folder).handovers
    assert [(h.from_link, h.to_link) for h in found] == [
        ("home", "visited1"),
        ("visited1", "visited2"),
        ("visited2", "home"),
    ]
    for handover in found:
        assert list(handover.breakdown) == [*PARTS]
        assert all(part >= 0 for part in handover.breakdown.values())
        assert sum(handover.breakdown.values()) == pytest.approx(handover.interruption_ms, abs=0.01)


def test_the_folder_holds_what_it_should(folder: Path) -> None:
    result = load(folder)
    assert set(result.captures) == LINKS
    for path in (*result.captures.values(), *result.streams.values()):
        assert (folder / path).stat().st_size > 0
    assert {path.stem for path in (folder / "logs").iterdir()} >= {"ha", "mn", "cn", "ar1.radvd", "ar2.radvd"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "visited2" in page


def test_the_journal_can_be_read_back_and_is_in_order(folder: Path) -> None:
    records = read_events(folder)
    assert [record.time for record in records] == sorted(record.time for record in records)
    assert {"BindingRegistered", "BindingDeregistered", "ReturnedHome"} <= {type(r.event).__name__ for r in records}
    assert {type(record.event).__name__ for record in records} <= set(EVENTS)
    assert not [r for r in records if getattr(r.event, "reason", "") == "internal-error"]


@pytest.mark.parametrize("link", sorted(LINKS))
def test_tshark_finds_nothing_malformed(folder: Path, link: str) -> None:
    capture = folder / "captures" / f"{link}.pcapng"
    command = ["tshark", "-n", "-r", str(capture), "-Y", "_ws.malformed", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""


@pytest.mark.rfc6275("9.2-a", "9.3.1-a")
def test_no_kernel_answers_what_the_daemons_handle(folder: Path) -> None:
    """A kernel without Mobile IPv6 must not see Home Address options, routing headers or Mobility Headers."""
    for capture in sorted((folder / "captures").iterdir()):
        command = ["tshark", "-n", "-r", str(capture), "-Y", "icmpv6.type == 4", "-T", "fields", "-e", "frame.number"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout == "", capture.name


def test_verify_and_report_work_on_the_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(folder), "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["ok"]
    before = (folder / "report.html").read_text(encoding="utf-8")
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").read_text(encoding="utf-8") == before
