"""Scenarios in which a home agent refuses, and two of them are led in a circle (RFC 6275 §15.1, §15.3)."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.constants import Status
from lab.events import BindingRefused, BindingRejected, HomeAddressCutOff, HomeAddressReadmitted
from lab.report.html import read_events
from lab.report.model import Result, load
from tests.lab.networks import ROOT

pytestmark = pytest.mark.privileged


def play(scenario: str, directory: Path, *options: str) -> Result:
    command = [sys.executable, "-m", "lab.cli.main", "run", scenario, "--out", str(directory), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return load(directory)


def own_checks(result: Result) -> list[str]:
    return [check.id.removeprefix("scenario-") for check in result.checks if check.id.startswith("scenario-")]


@pytest.mark.rfc6275("15.3-c", "15.3-a", "9.5.1-f", "11.7.3-a")
def test_cut_off(tmp_path: Path) -> None:
    assert own_checks(play("cut-off", tmp_path)) == ["stream-cn-mn", "refused", "not-served", "stream-cn-mn-1"]
    told = [record.event for record in read_events(tmp_path)]
    hand = [type(event) for event in told if isinstance(event, HomeAddressCutOff | HomeAddressReadmitted)]
    assert hand == [HomeAddressCutOff, HomeAddressCutOff, HomeAddressReadmitted]  # the second after the restart
    refusals = [event.status for event in told if isinstance(event, BindingRefused | BindingRejected)]
    assert set(refusals) == {Status.ADMINISTRATIVELY_PROHIBITED}


@pytest.mark.rfc6275("15.1-a")
@pytest.mark.parametrize("limit", [0, 4])
def test_a_circle_of_home_agents(tmp_path: Path, limit: int) -> None:
    result = play("ha-loop", tmp_path, "--set", f"encapsulation_limit={limit}")
    assert own_checks(result) == ["entry-point-told", "loop-bounded"]
    (bounded,) = (check for check in result.checks if check.id == "scenario-loop-bounded")
    assert f"at most {limit + 2} tunnels" in bounded.detail
