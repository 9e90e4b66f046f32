"""A class whose checkouts are real: set up over SSH, played in namespaces, judged by captures."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cli.main import main
from lab.report.model import load
from tests.remote.checkouts import change, seeded
from tests.remote.conftest import Classroom
from tests.remote.sshd import needs_sshd
from tests.remote.test_classroom import until

pytestmark = [pytest.mark.privileged, needs_sshd]

BRIEF = Path(__file__).with_name("brief.py")
STUDENTS = ("alice", "bob", "mallory")
FORGETFUL_OF_SEQUENCES = (
    "lab/engine/home_registration.py",
    "BindingAcknowledgement(status=status, sequence=sequence,",
    "BindingAcknowledgement(status=status, sequence=sequence + 1,",
)
LENIENT_RULES = ("lab/verify/rules.py", "Verdict.FAILED, findings.bad", "Verdict.PASSED, findings.bad")


def provision(classroom: Classroom, *names: str) -> None:
    for name in names:
        classroom.seat(name)
        seeded(classroom.checkout(name))
    assert main(classroom.command("provision", *names)) == 0


def test_one_failing_student_is_told_among_the_others(
    classroom: Classroom, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bob's home agent acknowledges what nobody sent; Mallory's too, whose rules find nothing wrong with that."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    provision(classroom, *STUDENTS)
    assert "bob │ is ready" in capsys.readouterr().out
    for name in ("bob", "mallory"):
        change(classroom.checkout(name), *FORGETFUL_OF_SEQUENCES)
    change(classroom.checkout("mallory"), *LENIENT_RULES)
    classroom.seat("dave")
    classroom.machines["dave"].stop()

    assert main(classroom.command("grade", "--scenario", str(BRIEF), "--json")) == 1

    told = capsys.readouterr()
    grades = {it["machine"]: it for it in json.loads(told.out)["machines"]}
    assert [*grades] == [*STUDENTS, "dave"]
    assert [name for name, it in grades.items() if it["finished"]] == [*STUDENTS], told.err
    assert [name for name, it in grades.items() if it["passed"]] == ["alice"], told.err
    assert grades["alice"]["failed"] == []
    assert grades["bob"]["failed"] == grades["mallory"]["failed"] != []
    assert not grades["dave"]["reachable"]
    assert "1 of 4 machines passed" in told.err
    results = {name: load(classroom.folder / "results" / name / "register") for name in STUDENTS}
    assert [results[name].ok for name in STUDENTS] == [True, False, True]  # as each of them claims


@pytest.fixture
def lab_of_alice(classroom: Classroom) -> Iterator["subprocess.Popen[bytes]"]:
    """Bring a lab up by hand, as Alice would."""
    provision(classroom, "alice")
    command = [str(classroom.checkout("alice") / "lab" / "bootstrap"), "mip6lab", "up", str(BRIEF)]
    out = classroom.folder / "up.log"
    with out.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=classroom.folder)
    try:
        until(lambda: b"exit ends" in out.read_bytes() or process.poll() is not None, "the lab")
        assert process.poll() is None, out.read_text(encoding="utf-8")
        yield process
    finally:
        process.communicate(timeout=60)  # the end of its input ends it


def test_a_link_is_captured_live(classroom: Classroom, lab_of_alice: "subprocess.Popen[bytes]") -> None:
    """From before the first packet, while the lab runs, until it ends."""
    command = classroom.start("capture", "alice", "home")
    assert command.stdout is not None
    capture = command.stdout.read(4)
    assert capture == b"\x0a\x0d\x0d\x0a"  # a Section Header Block of pcapng
    assert lab_of_alice.poll() is None
    lab_of_alice.communicate(b"exit\n", timeout=60)
    rest = command.stdout.read()
    _, complaint = command.communicate(timeout=60)
    assert (command.returncode, complaint) == (0, b"")
    file = classroom.folder / "home.pcapng"
    file.write_bytes(capture + rest)
    shown = subprocess.run(["tshark", "-r", str(file), "-Y", "icmpv6.type == 134"], capture_output=True, check=True)
    assert shown.stdout
    assert b"cut short" not in shown.stderr
