"""`mip6lab remote` against real sshds, on checkouts that only seem to play."""

import csv
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab.cli.main import INTERRUPTED, main
from lab.remote.fleet import Fleet
from lab.remote.machines import Machines
from lab.remote.session import Access, Session
from lab.remote.tunnel import tunnel
from tests.remote.conftest import Classroom
from tests.remote.sshd import needs_sshd

pytestmark = needs_sshd
Shown = pytest.CaptureFixture[str]


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)


def slow_process(classroom: Classroom, name: str) -> int:
    """Wait for the pid of a slow scenario."""
    file = classroom.checkout(name) / "lab" / "slow.pid"
    until(lambda: file.exists() and file.read_text(encoding="ascii").endswith("\n"), f"the process on {name}")
    return int(file.read_text(encoding="ascii"))


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_machine_is_added_tried_and_removed(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice")
    alice = classroom.machines["alice"]
    (classroom.folder / "machines.toml").unlink()
    words = [alice.destination, "-i", str(alice.key), "--folder", str(classroom.checkout("alice"))]
    assert main(["remote", "add", "alice", *words, *classroom.options]) == 0
    assert capsys.readouterr().out.endswith("next: mip6lab remote provision alice\n")
    assert main(classroom.command("list", "--try")) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert alice.destination in shown
    assert "processors, not set up" in shown
    assert main(["remote", "remove", "alice", *classroom.options]) == 0
    assert main(classroom.command("list")) == 2
    assert "has no machines yet: mip6lab remote add NAME user@host" in capsys.readouterr().err


def test_the_key_of_a_new_host_is_taken_only_if_told_so(classroom: Classroom, capsys: Shown) -> None:
    machine = classroom.seat("alice", known=False)
    assert main(classroom.command("list", "--try")) == 1
    assert "use --accept-new" in " ".join(capsys.readouterr().out.split())
    assert not classroom.known_hosts.exists()
    classroom.known_hosts.write_text("# a line without an end", encoding="ascii")
    assert main(classroom.command("list", "--try", "--accept-new")) == 0
    kept = classroom.known_hosts.read_text(encoding="ascii")
    assert kept == f"# a line without an end\n{machine.known_host}"
    assert main(classroom.command("list", "--try")) == 0


def test_a_host_with_another_key_is_refused_in_any_case(classroom: Classroom, capsys: Shown) -> None:
    machine = classroom.seat("alice", known=False)
    other = (machine.folder / "key.pub").read_text(encoding="ascii").split()[1]
    line = f"[127.0.0.1]:{machine.port} ssh-ed25519 {other}\n"
    classroom.known_hosts.write_text(line, encoding="ascii")
    assert main(classroom.command("list", "--try", "--accept-new")) == 1
    assert "ssh-keygen -R" in capsys.readouterr().out
    assert classroom.known_hosts.read_text(encoding="ascii") == line


def test_a_key_that_is_not_taken_is_told(classroom: Classroom, capsys: Shown) -> None:
    alice, bob = classroom.seat("alice"), classroom.seat("bob")
    shutil.copy(bob.key, alice.key)
    assert main(classroom.command("list", "--try")) == 1
    assert "does not take your key; ssh-copy-id" in " ".join(capsys.readouterr().out.split())


def test_results_of_a_run_come_back(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice", "bob")
    stale = classroom.folder / "results" / "alice" / "good" / "stale"
    stale.parent.mkdir(parents=True)
    stale.touch()
    (classroom.checkout("alice") / "results").mkdir()
    (classroom.checkout("alice") / "results" / "own").write_text("kept", encoding="ascii")
    assert main(classroom.command("run", "alice", "bob", "--", "good", "--set", "ro=on")) == 0
    shown = capsys.readouterr().out
    for name in ("alice", "bob"):
        assert f"{name} │ playing mip6lab run good --set ro=on" in shown
        result = classroom.folder / "results" / name / "good" / "result.json"
        assert json.loads(result.read_text(encoding="utf-8"))["ok"] is True
    assert not stale.exists()
    assert (classroom.checkout("alice") / "results" / "own").exists()
    assert "2 of 2 machines passed" in shown


def test_all_results_of_a_machine_are_fetched(classroom: Classroom) -> None:
    classroom.seat_with_stand_in("alice")
    own = classroom.checkout("alice") / "results" / "own"
    own.mkdir(parents=True)
    (own / "result.json").write_text("{}", encoding="ascii")
    assert main(classroom.command("fetch", "alice")) == 0
    assert (classroom.folder / "results" / "alice" / "own" / "result.json").read_text(encoding="ascii") == "{}"


def test_one_failing_machine_stops_no_other(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice", "bob", "carol")
    classroom.machines["bob"].stop()
    (classroom.checkout("carol") / "lab" / "bootstrap").unlink()
    assert main(classroom.command("run", "alice", "bob", "carol", "--", "good")) == 1
    shown = capsys.readouterr().out
    assert "alice: results are in results/alice" in shown
    assert "bob │ ✗ nothing listens at" in shown
    assert "carol │ ✗ no checkout in" in shown
    assert "mip6lab remote provision carol" in shown
    assert "1 of 3 machines passed" in shown


def test_grades_tell_what_failed_and_what_did_not_come_to_an_end(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice", "bob")
    classroom.machines["bob"].stop()
    scenarios = [option for name in ("bad", "crash", "garbage") for option in ("--scenario", name)]
    assert main(classroom.command("grade", *scenarios, "--json")) == 1
    told = capsys.readouterr()
    alice, bob = json.loads(told.out)["machines"]
    assert (alice["reachable"], alice["finished"], alice["passed"], alice["failed"]) == (
        True,
        False,
        False,
        ["bad:rule-a"],
    )
    assert "crash: no result, status 2: Traceback: it crashed" in alice["fault"]
    assert "garbage: its result.json cannot be read" in alice["fault"]
    assert (bob["reachable"], bob["finished"], bob["passed"]) == (False, False, False)
    assert "nothing listens" in bob["fault"]
    assert "0 of 2 machines passed" in told.err


def test_a_result_without_captures_to_prove_it_does_not_pass(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice")
    assert main(classroom.command("grade", "--scenario", "good", "--csv")) == 1
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["passed"] == "False"
    assert "good:unreadable" in row["failed"]


def test_a_scenario_that_takes_too_long_is_ended(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice")
    scenarios = ["--scenario", "slow", "--scenario", "bad"]
    assert main(classroom.command("grade", *scenarios, "--within", "0.05", "--csv")) == 1
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["fault"] == "slow: not finished within 3 s, and ended"
    assert row["failed"] == "bad:rule-a"
    pid = slow_process(classroom, "alice")
    until(lambda: is_gone(pid), "the end of the process")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_what_runs_over_there(classroom: Classroom, number: signal.Signals) -> None:
    classroom.seat_with_stand_in("alice", "bob")
    command = classroom.start("run", "alice", "bob", "--", "slow")
    pids = [slow_process(classroom, name) for name in ("alice", "bob")]
    command.send_signal(number)
    _, complaint = command.communicate(timeout=30)
    assert command.returncode == (INTERRUPTED if number == signal.SIGINT else 128 + number)
    assert b"Traceback" not in complaint
    assert all(is_gone(pid) for pid in pids)


def test_a_connection_that_breaks_is_told_and_ends_what_runs(classroom: Classroom) -> None:
    classroom.seat_with_stand_in("alice")
    command = classroom.start("run", "alice", "--", "slow")
    pid = slow_process(classroom, "alice")
    classroom.machines["alice"].stop()
    shown, complaint = command.communicate(timeout=30)
    assert (command.returncode, complaint) == (1, b"")
    assert "alice │ slow begins" in shown.decode()
    assert "alice │ ✗ the connection broke before the command came to its end" in shown.decode()
    until(lambda: is_gone(pid), "the end of the process")


def test_a_capture_comes_as_it_is(classroom: Classroom) -> None:
    classroom.seat_with_stand_in("alice")
    command = classroom.start("capture", "alice", "home")
    assert command.communicate(timeout=60) == (b"pcapng of home\0\xff", b"a complaint\n")
    assert command.returncode == 0


def test_no_more_machines_at_once_than_told(classroom: Classroom) -> None:
    classroom.seat_with_stand_in("alice", "bob", "carol")
    lock, running, most = threading.Lock(), 0, 0

    def task(session: Session) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        said = session.ask("echo here")
        with lock:
            running -= 1
        return said

    machines = Machines(classroom.folder / "machines.toml").named([])
    outcomes = Fleet(machines, Access(known_hosts=classroom.known_hosts), at_once=1).each(task)
    assert [(it.machine.name, it.value) for it in outcomes] == [(name, "here") for name in ("alice", "bob", "carol")]
    assert most == 1


def test_a_tunnel_leads_to_a_port_over_there(classroom: Classroom) -> None:
    classroom.seat("alice")
    (machine,) = Machines(classroom.folder / "machines.toml").named([])
    with Session(machine, Access(known_hosts=classroom.known_hosts)) as session, socket.socket() as page:
        page.bind(("127.0.0.1", 0))
        there = page.getsockname()[1]
        with tunnel(session, here=0, there=there) as here:
            with closing(socket.create_connection(("127.0.0.1", here), timeout=10)) as early:
                assert early.recv(1) == b""  # nobody listens yet, and whoever comes later is served all the same
            page.listen()
            with closing(socket.create_connection(("127.0.0.1", here), timeout=10)) as viewer:
                viewer.sendall(b"GET")
                viewer.shutdown(socket.SHUT_WR)
                served, _ = page.accept()
                with closing(served):
                    assert served.recv(10, socket.MSG_WAITALL) == b"GET"
                    served.sendall(b"a page" * 10_000)
                octets = b"".join(iter(lambda: viewer.recv(1 << 16), b""))
            assert octets == b"a page" * 10_000


def test_the_live_page_is_led_here_until_ctrl_c(classroom: Classroom) -> None:
    classroom.seat("alice")
    command = classroom.start("web", "alice", "--port", "0")
    assert command.stdout is not None
    line = command.stdout.readline()
    assert line.startswith(b"http://127.0.0.1:")
    command.send_signal(signal.SIGINT)
    _, complaint = command.communicate(timeout=30)
    assert (command.returncode, complaint) == (0, b"")


def test_a_checkout_over_there_is_not_written_over(classroom: Classroom, capsys: Shown) -> None:
    classroom.seat_with_stand_in("alice")
    script = classroom.checkout("alice") / "lab" / "bootstrap"
    before = script.read_bytes()
    assert main(classroom.command("provision", "alice")) == 0
    assert script.read_bytes() == before
    assert "stays as it is (--update brings ours)" in capsys.readouterr().out


def test_a_machine_cannot_write_elsewhere(classroom: Classroom) -> None:
    """What comes back is archived by the machine of a student, who may be anybody."""
    classroom.seat_with_stand_in("alice")
    folder = classroom.checkout("alice") / "results"
    folder.mkdir()
    os.symlink("/etc/passwd", folder / "link")
    os.mkfifo(folder / "pipe")
    (folder / "file").write_text("it", encoding="ascii")
    assert main(classroom.command("fetch", "alice")) == 0
    brought = sorted(path.name for path in (classroom.folder / "results" / "alice").iterdir())
    assert brought == ["file"]


def test_sshd_is_the_real_one(classroom: Classroom) -> None:
    """The program `ssh` gets in by the same key, so that the tests above prove something of the world."""
    machine = classroom.seat("alice")
    options = ["-i", str(machine.key), "-o", f"UserKnownHostsFile={classroom.known_hosts}", "-o", "BatchMode=yes"]
    user = machine.destination.rpartition(":")[0]
    command = ["ssh", "-F", "none", *options, "-p", str(machine.port), user, "echo hello"]
    assert subprocess.run(command, capture_output=True, text=True, check=False).stdout == "hello\n"
