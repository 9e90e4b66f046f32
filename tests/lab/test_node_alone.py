"""`mip6lab node` on a machine of its own, outside any lab: it serves, ends in order, and leaves nothing."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.daemon.control import CommandError, ask
from lab.emulation.namespace import Namespace
from lab.events import NodeStarted, NodeStopped, Record
from lab.plane import sysctl
from tests.lab.networks import ROOT, run_in, settle, state_of, until

pytestmark = pytest.mark.privileged

FILES = {
    "home-agent": """
        [home_agent]
        interface = "eth0"
        address = "2001:db8:1::1"
        home_prefixes = ["2001:db8:1::/64"]
    """,
    "correspondent": """
        [correspondent]
    """,
    "mobile-node": """
        [mobile_node]
        interface = "eth0"
        home_address = "2001:db8:1::100"
        home_prefix = "2001:db8:1::/64"
        home_agent = "2001:db8:1::1"
    """,
}


class Alone:
    """A machine with one Ethernet, and the node on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespace = Namespace()
        netlink = self.namespace.netlink
        self.forward(True)
        # Link-local addresses would come and be tested meanwhile.
        self.namespace.run(partial(sysctl.set_interface, "default", addr_gen_mode=1))
        netlink.create_veth("eth0", "far")
        for name in ("lo", "eth0", "far"):
            netlink.set_link(netlink.link(name).index, up=True)
        netlink.add_address(netlink.link("eth0").index, IPv6Address("2001:db8:1::1"), 64)
        settle(self.namespace, "eth0", "far")
        self.processes: list[subprocess.Popen[bytes]] = []

    def forward(self, on: bool) -> None:
        """Make the machine a router, or none."""
        self.namespace.run(partial(sysctl.set_interface, "all", forwarding=int(on)))

    def start(self, role: str, name: str = "n", **changes: str) -> "subprocess.Popen[bytes]":
        """Start a node, by a configuration file as its administrator writes it."""
        config = self.folder / f"{name}.toml"
        head = f'name = "{name}"\nrole = "{role}"\njournal = "{self.journal(name)}"\ncontrol = "{self.control(name)}"\n'
        text = head + FILES[role]
        for before, after in changes.items():
            text = text.replace(before, after)
        config.write_text(text, encoding="utf-8")
        with self.log(name).open("wb") as log:
            process = self.namespace.spawn(
                [sys.executable, "-m", "lab.cli.main", "node", "--config", str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
        self.processes.append(process)
        return process

    def serve(self, role: str, name: str = "n") -> "subprocess.Popen[bytes]":
        """Start a node and wait until it answers."""
        process = self.start(role, name)
        until(lambda: self.answers(name) or process.poll() is not None, f"{role} serves")
        assert process.poll() is None, self.log(name).read_text(encoding="utf-8")
        return process

    def answers(self, name: str = "n") -> bool:
        """Tell whether a node answers at its control socket."""
        try:
            return bool(ask(self.control(name), "ping")["name"] == name)
        except CommandError:
            return False

    def control(self, name: str) -> Path:
        return self.folder / f"{name}.sock"

    def journal(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.namespace.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Alone]:
    made = Alone(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("role", FILES)
def test_a_node_that_is_told_to_end_leaves_nothing(alone: Alone, role: str) -> None:
    before = state_of(alone.namespace)
    process = alone.serve(role)
    assert state_of(alone.namespace) != before
    assert "table ip6 mip6lab" in run_in(alone.namespace, "nft", "list", "ruleset").stdout
    plane = ask(alone.control("n"), "ping")["plane"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert state_of(alone.namespace) == before
    assert not alone.control("n").exists()
    events = [Record.from_json(line).event for line in alone.journal("n").read_text(encoding="utf-8").splitlines()]
    assert events[0] == NodeStarted(role=role, plane=plane)
    assert events[-1] == NodeStopped(reason="SIGTERM")
    assert "Traceback" not in alone.log("n").read_text(encoding="utf-8")


@pytest.mark.parametrize("how", ["interrupt", "command"])
def test_there_are_other_ways_to_end(alone: Alone, how: str) -> None:
    """A client that stays connected does not hold it up."""
    before = state_of(alone.namespace)
    process = alone.serve("home-agent")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(alone.control("n")))
        if how == "interrupt":
            process.send_signal(signal.SIGINT)
        else:
            ask(alone.control("n"), "stop")
        assert process.wait(20) == 0
    assert state_of(alone.namespace) == before
    assert "Traceback" not in alone.log("n").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("role", "changes", "said"),
    [
        ("home-agent", {'"eth0"': '"eth9"'}, "find link eth9: No such device"),
        ("home-agent", {'n.sock"': 'missing/n.sock"'}, "control: cannot listen on"),
        ("home-agent", {'n.jsonl"': 'missing/n.jsonl"'}, "No such file or directory"),
        ("home-agent", {}, "a home agent forwards packets: set net.ipv6.conf.all.forwarding to 1 first"),
    ],
    ids=["no interface", "no folder", "no journal", "no router"],
)
def test_a_node_that_cannot_serve_says_why_and_leaves_nothing(
    alone: Alone, role: str, changes: dict[str, str], said: str
) -> None:
    if not changes:
        alone.forward(False)
    before = state_of(alone.namespace)
    process = alone.start(role, **changes)
    assert process.wait(20) == 2
    last = alone.log("n").read_text(encoding="utf-8").splitlines()[-1]
    assert last.startswith("mip6lab: ")
    assert said in last
    assert state_of(alone.namespace) == before
    assert not alone.control("n").exists()


def test_two_nodes_do_not_fit_one_machine(alone: Alone) -> None:
    """The second says so, and the first serves on."""
    first = alone.serve("home-agent", "first")
    before = state_of(alone.namespace)
    second = alone.start("correspondent", "second")
    assert second.wait(20) == 2
    assert "mip0: Device or resource busy" in alone.log("second").read_text(encoding="utf-8")
    assert state_of(alone.namespace) == before
    assert alone.answers("first")
    assert first.poll() is None


def test_a_node_that_was_killed_can_be_started_again(alone: Alone) -> None:
    before = state_of(alone.namespace)
    killed = alone.serve("home-agent")
    killed.kill()
    killed.wait()
    again = alone.serve("home-agent")
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0
    assert state_of(alone.namespace) == before
