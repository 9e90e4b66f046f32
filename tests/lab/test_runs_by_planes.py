"""Scenarios that no other test plays, by each data plane."""

from pathlib import Path

import pytest

from lab.verify.check import Verdict
from tests.lab.test_home_agent_policy_runs import play
from tests.lab.test_sizes import PLANES

pytestmark = pytest.mark.privileged


@pytest.mark.rfc6275("10.4.2-c", "11.3.1-a")
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize(
    ("scenario", "seen"),
    [("small-mtu", {"too-big-relayed", "scenario-transfer"}), ("two-home-addresses", {"scenario-stream-cn-mn"})],
)
def test_every_check_holds(scenario: str, seen: set[str], plane: str, tmp_path: Path) -> None:
    result = play(scenario, tmp_path, "--plane", plane)  # which fails if a check does
    assert result.plane == plane
    assert seen <= {check.id for check in result.checks if check.verdict is Verdict.PASSED}
