"""Daemons are forks of one warm parent, each in its own namespace with its own log, and end with it."""

import os
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.emulation.fork_server import Forked, ForkServer
from lab.emulation.namespace import Namespace
from lab.errors import ScenarioError
from tests.lab.networks import WITHIN, until

pytestmark = pytest.mark.privileged

NODE = """
name = "{name}"
role = "correspondent"
control = "{folder}/{name}.sock"

[correspondent]
"""


class Nursery:
    """A fork server, and a namespace for each of its daemons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.namespaces: defaultdict[str, Namespace] = defaultdict(Namespace)
        self.server = ForkServer(folder / "server.log")

    def start(self, name: str, text: str = NODE) -> Forked:
        """Start a daemon with a configuration of this text."""
        config = self.folder / f"{name}.toml"
        config.write_text(text.format(name=name, folder=self.folder), encoding="utf-8")
        with self.log(name).open("ab") as log, (self.folder / f"{name}.jsonl").open("ab") as journal:
            descriptors = {"output": journal.fileno(), "log": log.fileno()}
            process = self.server.start(name, config, namespace=self.namespaces[name], **descriptors)
        assert isinstance(process, Forked)
        return process

    def serve(self, name: str) -> Forked:
        """Start a daemon and wait until it serves."""
        process = self.start(name)
        until(lambda: "NodeStarted" in self.journal(name) or process.poll() is not None, f"{name} serves")
        assert process.poll() is None, self.log(name).read_text(encoding="utf-8")
        return process

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def journal(self, name: str) -> str:
        return (self.folder / f"{name}.jsonl").read_text(encoding="utf-8")


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path)
    yield made
    made.server.close()
    for namespace in made.namespaces.values():
        namespace.close()


def test_a_daemon_is_where_it_should_be(nursery: Nursery) -> None:
    """Inside its namespace, in a session of its own, with a name; it ends in order when it is told."""
    one, two = nursery.serve("one"), nursery.serve("two")
    for name, process in (("one", one), ("two", two)):
        inside = os.fstat(nursery.namespaces[name].descriptor)
        assert os.stat(f"/proc/{process.pid}/ns/net").st_ino == inside.st_ino
        assert os.getsid(process.pid) == process.pid
        assert Path(f"/proc/{process.pid}/comm").read_text(encoding="ascii").strip() == name
        assert "plane" in nursery.log(name).read_text(encoding="utf-8")
    one.send_signal(signal.SIGTERM)
    assert one.wait(WITHIN) == 0
    assert "NodeStopped" in nursery.journal("one")
    assert two.poll() is None
    assert "NodeStopped" not in nursery.journal("two")


def test_a_daemon_holds_nothing_of_others(nursery: Nursery) -> None:
    """It has the same number of descriptors open, whether it is the first or not."""
    first, *_, last = (nursery.serve(name) for name in ("one", "two", "three"))
    assert descriptors(first) == descriptors(last)


def test_whoever_ends_a_daemon_it_is_noticed(nursery: Nursery) -> None:
    killed, stopped = nursery.serve("killed"), nursery.serve("stopped")
    with pytest.raises(subprocess.TimeoutExpired):
        killed.wait(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait(WITHIN) == -signal.SIGKILL
    killed.send_signal(signal.SIGTERM)  # which reaches nobody, and is no error
    stopped.kill()
    until(lambda: stopped.poll() is not None, "the second one has ended too")
    assert stopped.poll() == -signal.SIGKILL
    assert not Path(f"/proc/{killed.pid}").exists(), "a zombie is left"


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param("nonsense", 2, "mip6lab: ", id="no TOML"),
        pytest.param(NODE.replace("{folder}", "{folder}/nowhere"), 2, "control: cannot listen", id="a bad key"),
    ],
)
def test_a_daemon_that_cannot_be(nursery: Nursery, text: str, status: int, said: str) -> None:
    """Why is in its log; those that come after it are none the worse."""
    assert nursery.start("bad", text).wait(WITHIN) == status
    assert said in nursery.log("bad").read_text(encoding="utf-8")
    assert nursery.serve("good").poll() is None


def test_nobody_outlives_the_parent(nursery: Nursery) -> None:
    """Killed without warning, it takes all daemons with it, and who asks for another is told."""
    daemons = [nursery.serve(name) for name in ("one", "two")]
    os.kill(nursery.server.pid, signal.SIGKILL)
    assert [daemon.wait(WITHIN) for daemon in daemons] == [-signal.SIGKILL] * 2
    until(lambda: not any(Path(f"/proc/{daemon.pid}/exe").exists() for daemon in daemons), "they have ended")
    with pytest.raises(ScenarioError, match=r"the parent of all daemons ended with status -9"):
        nursery.start("three")


def test_the_parent_ends_with_its_network(nursery: Nursery) -> None:
    """Closing it ends whatever runs, and may be done twice."""
    daemon = nursery.serve("one")
    nursery.server.close()
    nursery.server.close()
    assert daemon.wait(WITHIN) == -signal.SIGKILL
    assert not Path(f"/proc/{nursery.server.pid}").exists()


def descriptors(process: Forked) -> int:
    """Count the open descriptors of a process."""
    return len(os.listdir(f"/proc/{process.pid}/fd"))
