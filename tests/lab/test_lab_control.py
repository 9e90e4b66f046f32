"""A running lab by its control socket, and what is to be seen of it: the same as what the run itself knows."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.cli.main import main
from lab.daemon.control import CommandError, ask
from lab.emulation.lab_control import LabControl
from lab.emulation.network import Network
from lab.emulation.operations import Operations
from lab.emulation.plan import plan_of
from lab.emulation.running import sockets
from lab.report import streams
from lab.report.address_book import address_book
from lab.report.ladder import messages
from lab.verify.esp import read_associations, tables_beside
from lab.verify.growing import GrowingCapture
from lab.web.flows import LOST_AFTER
from lab.web.observer import WRITTEN_WITHIN, Observer, Part
from tests.lab.networks import Neighbourhood, until

pytestmark = pytest.mark.privileged


@dataclass
class Running:
    """A network with its operations and its socket."""

    network: Network
    operations: Operations
    socket: Path

    def ask(self, command: str, **arguments: Any) -> Any:
        return ask(self.socket, command, within=30, **arguments)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Network(Neighbourhood) as network:
        network.start()
        network.wait_settled()
        operations = Operations(network)
        with LabControl(operations, topology="neighbourhood") as control:
            assert control.path in sockets()
            yield Running(network, operations, control.path)
            operations.stream("mn", "cn")  # one that runs at the end
        assert not control.path.exists()
        assert operations.streams == {}


def seen_until(observer: Observer, holds: Any) -> dict[str, Any]:
    """Look until what is seen, the latest of each kind, is as wanted."""
    latest: dict[str, Any] = {"messages": {}}

    def look() -> bool:
        parts: list[Part] = observer.look()
        for part in parts:
            if part["kind"] == "messages":
                latest["messages"] |= {message["id"]: message for message in part["messages"]}
            else:
                latest[part["kind"]] = part
        return bool(holds(latest))

    until(look, "it is seen")
    return latest


def test_it_is_seen_as_it_is(running: Running) -> None:
    """A stream's losses are those of its own log; messages are those of the report."""
    with Observer(running.socket) as observer:
        began = time.time()
        name = running.ask("stream", source="cn", destination="mn", every=0.02)
        seen_until(observer, lambda latest: any(flow["sent"] > 20 for flow in latest["flows"]["flows"]))
        running.ask("move", node="mn", to="visited1")
        assert running.operations.places() == {"mn": "visited1"}
        seen_until(
            observer,
            lambda latest: (
                "⇢" in "".join(flow["way"] for flow in latest["flows"]["flows"])
                and latest["now"]["places"] == {"mn": "visited1"}
            ),
        )
        ended = running.ask("endstream", name=name)
        over = time.time() + LOST_AFTER + WRITTEN_WITHIN + 0.5
        latest = seen_until(observer, lambda _: time.time() > over)
        snapshot = {part["kind"]: part for part in observer.snapshot()}
    (flow,) = latest["flows"]["flows"]
    assert (flow["sent"], flow["sent"] - flow["lost"]) == (ended["sent"], ended["received"])
    assert 0 < flow["lost"] < flow["sent"]
    arrivals = streams.read(running.operations.context.directory / "streams" / f"{name}.csv")
    assert len(arrivals) == flow["sent"]
    rows = {node: held["rows"] for node, held in latest["bindings"]["nodes"].items()}
    assert rows["ha"][0]["path"] == {"way": "tunnel", "to": "mn"}
    assert rows["cn"][0]["path"] == {"way": "direct", "to": "mn"}
    network = running.network
    book = address_book(plan_of(network.topology), network.context.collector.records())
    captures = [*network.captures.values()]
    associations = read_associations(tables_beside(captures))
    frames = [frame for path in captures for frame in GrowingCapture(path, associations).look()]
    frames.sort(key=lambda frame: frame.time)
    reported = [message for message in messages(frames, book) if message.time > began]
    assert len(reported) >= 8  # registration, return routability, and registration with the correspondent
    told = snapshot["messages"]["messages"]
    assert [(message["name"], message["remark"], message["arrived"]) for message in told] == [
        (message.name, message.remark, message.arrived) for message in reported
    ]
    assert [leg["frames"] for message in told for leg in message["legs"]] == [
        [f"{frame.link}:{frame.number}" for frame in leg.frames] for message in reported for leg in message.legs
    ]


def test_two_do_not_drive_at_once(running: Running) -> None:
    """Moves from the prompt and from the socket are carried out one after the other; the last one is the place."""
    for to in ("visited2", "visited1"):
        running.operations.move("mn", to)
        running.ask("move", node="mn", to="home")
    assert running.operations.places() == {"mn": "home"}


@pytest.mark.parametrize(
    ("command", "arguments", "error"),
    [
        ("move", {"node": "mn"}, "to: a name is wanted, not None"),
        ("move", {"node": "mn", "to": "nowhere"}, "no link nowhere; links: home, visited1, visited2"),
        ("move", {"node": "mn", "to": "home", "hint": 1}, "hint: true or false is wanted, not 1"),
        ("move", {"node": ["mn"], "to": "home"}, r"node: a name is wanted, not \['mn'\]"),
        ("move", {"node": "ha", "to": "home"}, "ha is a home-agent; only mobile nodes move"),
        ("impair", {"link": "home", "loss": "1%"}, "loss: a number is wanted, not '1%'"),
        ("impair", {"link": "home", "loss": True}, "loss: a number is wanted, not True"),
        ("impair", {"link": "home", "loss": 2}, "loss=2: from 0 to 1"),
        ("impair", {"link": "home", "rate": 1}, "rate=1: from 8000 to"),
        ("kill", {"node": "nobody"}, "no node nobody; nodes: "),
        ("restart", {"node": "ar1"}, "ar1 is a router: it has no daemon"),
        ("cutoff", {"node": "cn"}, "cn is a correspondent: it has no home address"),
        ("stream", {"source": "cn", "destination": "cn"}, "from one node to another, not from cn to itself"),
        ("stream", {"source": "cn", "destination": "mn", "every": 0}, "every=0: from 0.001 to 10 seconds"),
        ("stream", {"source": "cn", "destination": "mn", "every": float("nan")}, "every=nan: from 0.001"),
        ("endstream", {"name": "cn-ha"}, "no stream cn-ha; running: none"),
        ("look", {"since": -1}, "since: -1 is no number of records"),
        ("fly", {}, "unknown command 'fly'; known: bindings, cutoff, endstream, impair"),
    ],
)
def test_what_is_wrong_is_told(running: Running, command: str, arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(CommandError, match=error):
        running.ask(command, **arguments)


def test_a_scenario_that_is_played_is_watched_and_not_driven(running: Running, tmp_path: Path) -> None:
    context = running.operations.context
    run, context.run = context.run, tmp_path
    try:
        with LabControl(running.operations, topology="neighbourhood", playing="handover") as control:
            assert ask(control.path, "network")["playing"] == "handover"
            assert ask(control.path, "look", since=0)["records"]
            for command in ("move", "kill", "stream"):
                with pytest.raises(CommandError, match="the scenario handover is being played: only it drives"):
                    ask(control.path, command, node="mn", to="visited1")
    finally:
        context.run = run
    assert running.operations.places() == {"mn": "home"}


def test_records_are_told_once_and_in_pieces(running: Running) -> None:
    first = running.ask("look", since=0)
    again = running.ask("look", since=first["next"] - 1)
    assert again["records"][0] == first["records"][-1]
    assert json.loads(first["records"][0])["v"] == 1


@pytest.mark.parametrize("command", ["web", "watch"])
def test_a_lab_that_does_not_run_is_told(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--lab", "1"]) == 2
    assert "no lab runs in process 1; `mip6lab up TOPOLOGY` brings one up" in capsys.readouterr().err
