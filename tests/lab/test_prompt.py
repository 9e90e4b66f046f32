"""The prompt, as a user of Mininet gets it and as a user of ours does: commands come by standard input."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.networks import ROOT
from tests.lab.session import PROMPT, Session, folders, marked

pytestmark = pytest.mark.privileged

PYTHON = Path(sys.executable)
WAYS = {
    "mn": [str(PYTHON), str(PYTHON.parent / "mn"), "--custom", "topologies/two_visited_links.py", "--topo"],
    "mip6lab up": [str(PYTHON), "-m", "lab.cli.main", "up"],
}


def interfaces() -> str:
    """List the interfaces of the machine itself."""
    command = ["ip", "-brief", "link"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(params=WAYS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """Bring the network up; if that fails, plain Mininet must not end processes of others by their names."""
    for name in ("killall", "pkill"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/ended-by-name\n", encoding="ascii")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{PYTHON.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    before = interfaces()
    talk = Session([*WAYS[request.param], "two_visited_links"], {"PATH": path, "HOME": str(tmp_path)})
    try:
        talk.hear(until=PROMPT)
        yield talk
        assert talk.end() == 0
    finally:
        talk.close()
    assert marked(talk.process.pid) == []
    assert folders(talk.process.pid) == []
    assert interfaces() == before
    assert not (tmp_path / "ended-by-name").exists()


@pytest.mark.rfc6275("11.5.1-a", "11.7.1-a", "10.3.1-h", "11.5.5-a")
def test_a_tour(session: Session) -> None:
    """Look around, leave, be reached, come home; what is wrong is told, and the prompt goes on."""
    assert "ar1 ar2 cn cn-core core core-ar1 core-ar2 core-ha ha home mn visited1 visited2" in session.ask("nodes")
    assert "1 received" in session.ask("mn ping -c1 -W5 cn")
    assert session.ask("move mn visited1") == PROMPT
    answer = session.ask_until("bindings mn", "registered")
    assert "mn: away" in answer
    assert "home  with 2001:db8:1::1  at 2001:db8:a1::" in answer
    assert "home  of 2001:db8:1::100  at 2001:db8:a1::" in session.ask("bindings ha")
    assert "1 received" in session.ask("cn ping -c1 -W5 mn")
    assert "correspondent  with 2001:db8:c::2" in session.ask_until("bindings mn", "direct path, ")
    assert "correspondent  of 2001:db8:1::100" in session.ask_until("bindings cn", "direct path, ")
    assert "mn moves from home to visited1, 10 ms without carrier" in session.ask("events 100")
    wrong = {
        "fly mn visited1": "*** Unknown command: fly mn visited1",
        "mn": "*** Please enter a command for node: mn <cmd>",
        "move": "*** a node and a link are needed; usage: move NODE LINK [--no-carrier-loss]",
        "move mn": "*** a node and a link are needed",
        "move mn visited1 visited2": "*** a node and a link are needed",
        "move mn nowhere": "*** no link nowhere; links: home, visited1, visited2",
        "move mn ha": "*** no link ha; links: home",
        "move nobody home": "*** no node nobody; nodes: ar1, ar2, cn, core, ha, mn",
        "move home home": "*** no node home; nodes: ",
        "move cn home": "*** cn is a correspondent; only mobile nodes move",
        "move 'mn": "*** No closing quotation; usage: move NODE LINK",
        "impair": "*** a link is needed; usage: impair LINK",
        "impair mn loss=1%": "*** no link mn; links: home",
        "impair home loss=lots": "*** loss=lots: write delay=20ms, jitter=5ms, loss=1% or rate=2mbit",
        "impair home loss=101%": "*** loss=1.01: from 0 to 1",
        "kill": "*** a node is needed; usage: kill NODE",
        "restart ha mn": "*** a node is needed; usage: restart NODE",
        "cutoff": "*** a node is needed; usage: cutoff NODE",
        "readmit cn": "*** cn is a correspondent: it has no home address",
        "restart core": "*** core is a router: it has no daemon",
        "bindings nobody": "*** no node nobody",
        "bindings ha mn": "*** one node at most; usage: bindings [NODE]",
        "events ha mn": "*** one node and one number at most; usage: events [NODE] [COUNT]",
        "events 3 4": "*** one node and one number at most",
        "events nobody": "*** no node nobody",
    }
    for command, said in wrong.items():
        assert said in session.ask(command), command
    for command, count in (("events mn 2", 2), ("events 2 mn", 2), ("events 1", 1), ("events 0", 0)):
        assert session.ask(command).count("\n") == count, command
    assert session.ask("move mn visited2 --no-carrier-loss") == PROMPT
    session.ask_until("bindings ha", "at 2001:db8:a2::")
    assert "mn moves from visited1 to visited2, without loss of carrier" in session.ask("events 100")
    assert session.ask("impair visited2 rate=1mbit") == PROMPT  # which needs no netem
    assert "rate 1Mbit" in session.ask("mn tc qdisc show dev mn-eth0")
    assert "rate 1Mbit" in session.ask("ar2 tc qdisc show dev ar2-eth0")
    assert session.ask("impair visited2") == PROMPT
    assert "rate" not in session.ask("mn tc qdisc show dev mn-eth0")
    assert session.ask("cutoff mn") == PROMPT
    assert "cut-off" in session.ask("bindings ha")
    assert session.ask("readmit mn") == PROMPT
    session.ask("move mn visited1")
    session.ask_until("bindings ha", "of 60 s left")  # Duplicate Address Detection is over
    session.ask("move mn visited2")
    session.ask_until("bindings ha", "at 2001:db8:a2::")
    assert session.ask("kill ha") == PROMPT
    assert "ha:" not in session.ask("bindings")
    assert "*** ha has no daemon that runs" in session.ask("kill ha")
    assert session.ask("restart ha") == PROMPT
    assert "at 2001:db8:a2::" in session.ask("bindings ha")
    assert "recalls a binding: 2001:db8:1::100 is at 2001:db8:a2::" in session.ask("events ha 100")
    assert "1 received" in session.ask("cn ping -c1 -W5 mn")
    assert session.ask("move mn home") == PROMPT
    session.ask_until("bindings mn", "mn: at home")
    assert "1 received" in session.ask("cn ping -c1 -W5 mn")


def test_commands_may_stand_in_a_file(tmp_path: Path) -> None:
    """All of them are carried out: what stands behind a running command is not its input."""
    script = tmp_path / "commands"
    script.write_text("mn ping -c1 cn\nmove mn visited1\nnodes\n", encoding="utf-8")
    command = [*WAYS["mip6lab up"], "two_visited_links"]
    with script.open("rb") as file:
        done = subprocess.run(
            command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60, cwd=ROOT
        )
    assert done.returncode == 0, done.stdout
    assert b"1 received" in done.stdout
    assert b"available nodes are" in done.stdout
    assert b"***" not in done.stdout
