"""Home agents that are killed and started again in a real network (RFC 6275 §15.3)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.errors import ScenarioError
from lab.events import BindingDeregistered, BindingRecalled, BindingRegistered, NodeKilled, ReturnedHome
from lab.report.html import read_events
from lab.report.model import load
from tests.lab.networks import HOME, ROOT, Here, Neighbourhood, until

pytestmark = pytest.mark.privileged


@pytest.mark.rfc6275("15.3-a", "10.4.1-a", "9.5.1-b", "10.4.2-a")
def test_the_scenario(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab.cli.main", "run", "ha-restart", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    result = load(tmp_path)
    assert result.ok
    own = [check.id for check in result.checks if check.id.startswith("scenario-")]
    assert own[:3] == ["scenario-replay-refused", "scenario-binding-unchanged", "scenario-no-new-registration"]
    assert [handover.to_link for handover in result.handovers] == ["visited1", "visited2", "home"]
    records = [record for record in read_events(tmp_path) if isinstance(record.event, BindingRecalled | NodeKilled)]
    assert [type(record.event) for record in records] == [NodeKilled, BindingRecalled]
    assert records[1].time - records[0].time < 15


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(Neighbourhood, settings=Settings(ro=False), captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


@pytest.mark.rfc6275("15.3-a", "10.4.1-a")
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_the_home_link_is_kept_clear_meanwhile_and_served_afterwards(here: Here, how: str) -> None:
    here.visit("visited1")
    mark = here.mark()
    if how == "killed":
        here.network.kill("ha")
        here.network.check_daemons()  # it is missed by nobody
        route = here.run("ha", "ip", "-6", "route", "get", str(HOME))
        assert "dev ha-eth0" not in route
    here.network.restart("ha")
    here.wait(BindingRecalled, node="ha", since=mark)
    assert "1 received" in here.run("cn", "ping", "-c1", "-W5", str(HOME))
    assert "1 received" in here.run("neighbour", "ping", "-c1", "-W5", str(HOME))
    records = here.network.context.collector.records()
    assert not [r for r in records if isinstance(r.event, BindingRegistered) and r.time > mark]
    here.return_home()
    assert str(HOME) not in here.run("ha", "ip", "-6", "route", "show", "table", "all", "proto", "62")


@pytest.mark.rfc6275("15.3-a", "10.3.2-b")
def test_who_came_home_meanwhile_is_let_go(here: Here) -> None:
    """The home agent defends the home address again until the mobile node's deregistration reaches it."""
    here.visit("visited1")
    here.network.kill("ha")
    mark = here.mark()
    here.network.move("mn", "home")
    here.network.restart("ha")
    here.wait(BindingRecalled, node="ha", since=mark)
    here.wait(BindingDeregistered, node="ha", since=mark)
    here.wait(ReturnedHome, node="mn", since=mark)
    until(lambda: "1 received" in here.run("cn", "ping", "-c1", "-W1", str(HOME)), "the mobile node answers at home")


def test_what_cannot_be_killed_or_started(here: Here) -> None:
    here.network.kill("cn")
    with pytest.raises(ScenarioError, match="cn has no daemon that runs"):
        here.network.kill("cn")
    here.network.restart("cn")
    for name, kind in (("core", "router"), ("neighbour", "host")):
        with pytest.raises(ScenarioError, match="has no daemon that runs"):
            here.network.kill(name)
        with pytest.raises(ScenarioError, match=f"{name} is a {kind}: it has no daemon"):
            here.network.restart(name)
