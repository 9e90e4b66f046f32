"""The scenario of multicast as a user calls it, and what is in its captures."""

import subprocess
import sys
from pathlib import Path

import pytest

from lab.report.model import load
from lab.verify.check import Verdict
from lab.verify.trace import read
from tests.lab.networks import ROOT
from topologies.multicast import GLOBAL, OF_THE_LINK

pytestmark = pytest.mark.privileged


@pytest.mark.rfc6275("10.4.2-d", "10.4.3-a", "11.3.4-a")
def test_a_group_follows_the_mobile_node_and_one_of_the_link_does_not(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab.cli.main", "run", "multicast", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    result = load(tmp_path)
    verdicts = {check.id: check.verdict for check in result.checks}
    assert verdicts["group-scope"] == verdicts["group-reported"] == Verdict.PASSED
    frames = read([tmp_path / path for path in result.captures.values()])
    assert OF_THE_LINK in {str(frame.destination) for frame in frames}
    tunnelled = {str(frame.inner.destination) for frame in frames if frame.inner is not None}
    assert tunnelled == {GLOBAL, "ff02::1", "ff02::16"}  # what is listened to, and the queries and reports about it
