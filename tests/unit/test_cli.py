"""The command line: what it prints, what it returns, what it refuses."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.bench.measure import Benchmark, Unit, row
from lab.cli import bench, common, doctor, verify
from lab.cli.main import COMMANDS, FAILED, INTERRUPTED, main
from lab.emulation import leftovers
from lab.emulation.leftovers import Removed
from lab.errors import ConfigError, Mip6LabError, MissingError
from lab.events import Record, ScenarioStep
from lab.report.model import Result
from lab.verify import Check, Evidence, Verdict

Play = Callable[..., int]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], Play]:
    """Let `mip6lab report DIR` do something else."""

    def prepare(body: Callable[[], int]) -> Play:
        monkeypatch.setattr("lab.cli.report.run", lambda _args: body())
        return lambda *options: main([*options, "report", "somewhere"])

    return prepare


def raises(error: BaseException) -> Callable[[], int]:
    def body() -> int:
        raise error

    return body


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"lab.cli.{name}")
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    shown = capsys.readouterr().out
    assert f"mip6lab {name}" in module.EXAMPLES
    assert module.EXAMPLES.strip() in shown
    assert (module.__doc__ or "").strip().splitlines()[0] in shown


def test_help_lists_every_command_and_imports_none_of_them() -> None:
    script = "import sys; from lab.cli.main import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(f"\n    {name}" in shown for name in COMMANDS)
    assert not [heavy for heavy in ("rich", "scapy", "mininet", "pydantic", "lab.cli.common") if f"'{heavy}'" in shown]


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == FAILED
    assert "COMMAND" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == "mip6lab 0.1.0\n"


def test_unknown_commands_and_shortened_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["fly"], ["verify", "--js", "x"], ["report"]):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("error", [MissingError("radvd is missing"), PermissionError("radvd is missing")])
def test_an_error_is_one_line(
    play: Callable[[Callable[[], int]], Play], error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play(raises(error))() == FAILED
    assert capsys.readouterr() == ("", "mip6lab: radvd is missing\n")


def test_debug_shows_the_traceback(play: Callable[[Callable[[], int]], Play]) -> None:
    with pytest.raises(Mip6LabError):
        play(raises(MissingError("radvd is missing")))("--debug")


def test_debug_may_come_behind_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        main(["report", str(tmp_path), "--debug"])


def test_interruption(play: Callable[[Callable[[], int]], Play], capsys: pytest.CaptureFixture[str]) -> None:
    assert play(raises(KeyboardInterrupt()))() == INTERRUPTED
    assert capsys.readouterr().err == "mip6lab: interrupted\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_the_command_clean_up(play: Callable[[Callable[[], int]], Play], number: signal.Signals) -> None:
    cleaned: list[bool] = []

    def body() -> int:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        finally:
            cleaned.append(True)
        return 0

    earlier = signal.signal(number, signal.SIG_DFL)  # these tests may run under nohup, too
    try:
        with pytest.raises(SystemExit, match=str(128 + number)):
            play(body)()
        assert cleaned
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, earlier)


def test_nohup_is_respected(play: Callable[[Callable[[], int]], Play]) -> None:
    def body() -> int:
        os.kill(os.getpid(), signal.SIGHUP)
        return 5

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert play(body)() == 5
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_exit_status_is_the_command_s(play: Callable[[Callable[[], int]], Play]) -> None:
    assert play(lambda: 1)() == 1


def test_a_reader_that_left_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lab.cli.main", "list", "--json"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


class ExecutedError(Exception):
    """Stands for the end of this program when another takes its place."""


def test_root_is_asked_for_in_clear_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv(common.RAISE, raising=False)
    with pytest.raises(MissingError, match=r"mip6lab run makes network namespaces and needs root: use sudo"):
        common.need_root("mip6lab run")


def test_bootstrap_s_promise_of_sudo_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def execute(program: str, command: Sequence[str]) -> None:
        raise ExecutedError(program, *command)

    sudo = tmp_path / "sudo"
    sudo.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(common.RAISE, "sudo")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "execvp", execute)
    monkeypatch.setattr(sys, "argv", ["mip6lab", "run", "handover", "--set", "dad=standard"])
    with pytest.raises(ExecutedError) as executed:
        common.need_root("mip6lab run")
    settings = [f"PATH={tmp_path}", "PYTHONDONTWRITEBYTECODE=1"]
    command = [sys.executable, "-P", "-m", "lab.cli.main", "run", "handover", "--set", "dad=standard"]
    assert executed.value.args == ("sudo", "sudo", "--", "env", *settings, *command)
    assert "calling sudo" in capsys.readouterr().err


def test_root_needs_no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    common.need_root("mip6lab run")


@pytest.mark.parametrize(
    ("word", "said"),
    [("sequence-chek", "did you mean sequence-check?"), ("everything", "known: esp, association-check")],
)
def test_protections_that_there_are_not(capsys: pytest.CaptureFixture[str], word: str, said: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["run", "exercise/guessed-token", "--without", word])
    assert said in capsys.readouterr().err


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    assert "two_visited_links" in shown
    assert "handover" in shown


def test_a_broken_file_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken, good = tmp_path / "broken.py", tmp_path / "good.py"
    broken.write_text("import nothing_of_that_name\n", encoding="utf-8")
    good.write_text(
        "from lab.emulation.topology import Topology\n"
        "class Campus(Topology):\n    summary = 'a campus'\n"
        "topos = {'campus': Campus}\n",
        encoding="utf-8",
    )
    assert main(["list", "--json", str(broken), str(good)]) == 1
    shown = capsys.readouterr()
    listed = json.loads(shown.out)
    assert listed["topologies"] == [{"name": "campus", "summary": "a campus"}]
    assert listed["broken"][0]["file"] == str(broken)
    assert shown.err.startswith(f"mip6lab: {broken} cannot be read: ModuleNotFoundError: ")


def check(verdict: Verdict) -> Check:
    evidence = (Evidence(capture="home", frame=7),)
    return Check(
        id="bu-flags", title="Flags", requirements=("11.7.1-a",), verdict=verdict, detail="1 seen", evidence=evidence
    )


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([Verdict.PASSED], 0),
        ([Verdict.PASSED, Verdict.NOT_APPLICABLE], 0),
        ([Verdict.PASSED, Verdict.FAILED], 1),
        ([Verdict.NOT_APPLICABLE], 1),
        ([], 1),
    ],
)
def test_verify_judges(
    verdicts: list[Verdict],
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    capture = tmp_path / "home.pcapng"
    capture.touch()
    monkeypatch.setattr(verify, "verify", lambda *_: [check(verdict) for verdict in verdicts])
    assert main(["verify", str(tmp_path), "--json"]) == status
    shown = json.loads(capsys.readouterr().out)
    assert shown["ok"] is (status == 0)
    assert shown["captures"] == [str(capture)]
    assert [found["verdict"] for found in shown["checks"]] == verdicts
    assert main(["verify", str(tmp_path)]) == status
    text = capsys.readouterr().out
    assert ("home:7" in text) is bool(verdicts)
    assert f"{verdicts.count(Verdict.PASSED)} rules hold, {verdicts.count(Verdict.FAILED)} do not" in text


def test_verify_expands_folders(tmp_path: Path) -> None:
    run, plain = tmp_path / "run", tmp_path / "plain"
    (run / "captures").mkdir(parents=True)
    plain.mkdir()
    for path in (run / "captures" / "b.pcapng", run / "captures" / "a.pcapng", plain / "c.pcap", plain / "notes.txt"):
        path.touch()
    expanded = verify.expand([run, plain, plain / "c.pcap"])
    assert [path.name for path in expanded] == ["a.pcapng", "b.pcapng", "c.pcap"]


def test_verify_says_what_it_cannot_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.pcap"
    text.write_text("this is no capture", encoding="utf-8")
    for path in (text, tmp_path / "absent.pcap"):
        assert main(["verify", str(path)]) == FAILED
        assert str(path) in capsys.readouterr().err
    text.unlink()
    assert main(["verify", str(tmp_path)]) == FAILED
    assert f"{tmp_path}: no captures" in capsys.readouterr().err


def run_folder(folder: Path) -> Path:
    result = Result(
        scenario="handover",
        topology="TwoVisitedLinks",
        seed=1,
        plane="user",
        kernel="host",
        time="real",
        settings={},
        versions={},
        started=1e9,
        duration_s=1.0,
        ok=True,
        checks=[check(Verdict.PASSED)],
    )
    (folder / "result.json").write_text(result.to_json(), encoding="utf-8")
    step = Record(time=1e9, node="lab", event=ScenarioStep(text="A step <of> importance"))
    (folder / "events.jsonl").write_text(step.to_json() + "\n", encoding="utf-8")
    return folder


def test_report_is_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["report", str(run_folder(tmp_path)), "--open"]) == 0
    page = tmp_path / "report.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert opened == [page.as_uri()]
    assert "A step &lt;of&gt; importance" in page.read_text(encoding="utf-8")


def test_report_of_nothing_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path)]) == FAILED
    assert str(tmp_path / "result.json") in capsys.readouterr().err
    run_folder(tmp_path)
    (tmp_path / "events.jsonl").write_text("{}\n", encoding="utf-8")
    assert main(["report", str(tmp_path)]) == FAILED
    assert f"{tmp_path / 'events.jsonl'}:1:" in capsys.readouterr().err


def test_bench_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bool] = []

    def measure(quick: bool) -> Benchmark:
        asked.append(quick)
        return Benchmark(name="codec", rows=[row("build", "Scapy", [600.0, 640.0, 590.0], [8.0, 8.0, 8.0])])

    monkeypatch.setattr("lab.bench.codec.measure", measure)
    file = tmp_path / "bench.json"
    assert main(["bench", "codec", "--quick", "--json", str(file)]) == 0
    assert asked == [True]
    line = "| codec | build | Scapy | 600 µs (590 µs to 640 µs) | 8 µs (8 µs to 8 µs) | 75 |"
    assert capsys.readouterr().out.splitlines()[-1] == line
    assert json.loads(file.read_text(encoding="utf-8"))["benchmarks"][0]["rows"][0]["ratio"] == 75


@pytest.mark.parametrize(
    ("figure", "unit", "shown"),
    [
        (8.04, Unit.MICROSECONDS, "8.04 µs"),
        (12_500.0, Unit.MICROSECONDS, "12.5 ms"),
        (2_000_000.0, Unit.MICROSECONDS, "2 s"),
        (1_536.0, Unit.OCTETS, "1.5 KiB"),
        (2_340.0, Unit.PER_SECOND, "2,340/s"),
    ],
)
def test_bench_shows_a_figure_in_the_multiple_that_reads_best(figure: float, unit: Unit, shown: str) -> None:
    assert bench.quantity(figure, unit) == shown


def test_bench_refuses_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "sprint"]) == FAILED
    assert "no benchmark sprint; known: " in capsys.readouterr().err
    assert "measure" not in bench.known()


def test_clean_says_what_it_removed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[bool] = []

    def clean(*, everything: bool) -> Removed:
        asked.append(everything)
        return (
            Removed(processes={7: "radvd -n"}, folders=[Path("/run/mip6lab/1-2")])
            if everything
            else Removed(processes={}, folders=[])
        )

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(leftovers, "clean", clean)
    assert main(["clean"]) == 0
    assert capsys.readouterr().out == "nothing was left\n"
    assert main(["clean", "--all"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "ended process 7: radvd -n\nremoved /run/mip6lab/1-2\n"
    assert "living runs" in shown.err
    assert asked == [False, True]


def found(*, euid: int, results: dict[str, str | None] | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    return {finding.need.name: finding.state for finding in doctor.kernel_findings(results, "refused")}


def test_doctor_judges_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    everything: dict[str, str | None] = dict.fromkeys(doctor.KERNEL)
    assert set(found(euid=0, results=everything, monkeypatch=monkeypatch).values()) == {doctor.State.THERE}
    some = everything | {"mip6": "Requested type not found", "bpf": "[Errno 1] Operation not permitted"}
    as_root = found(euid=0, results=some, monkeypatch=monkeypatch)
    assert (as_root["IPV6_MIP6"], as_root["BPF"]) == (doctor.State.MISSING, doctor.State.MISSING)
    assert found(euid=1000, results=some, monkeypatch=monkeypatch)["BPF"] is doctor.State.UNKNOWN


def test_doctor_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    states = found(euid=0, results=None, monkeypatch=monkeypatch)
    assert states.pop("network namespaces") is doctor.State.MISSING
    assert set(states.values()) == {doctor.State.UNKNOWN}


def test_doctor_names_cost_and_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    need = doctor.Need(name="radvd", cost="no router advertises", remedy="install radvd", needed=True)
    finding = doctor.Finding(area="tools", need=need, state=doctor.State.MISSING)
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "costs: no router advertises; get it: install radvd" in shown
    assert "does not work here: see radvd" in shown


def test_doctor_examines_this_machine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor", "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert status == (0 if shown["user_plane"] or shown["guest"] else 1)
    assert {found["area"] for found in shown["findings"]} == {"rights", "kernel", "tools", "guest", "Python"}
    packages = [found for found in shown["findings"] if found["name"] == "scapy"]
    assert [found["state"] for found in packages] == ["there"]
    monkeypatch.setattr(
        subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=1, stdout="", stderr="unshare: no\n")
    )
    assert main(["doctor", "--json"]) == 1
    findings = {found["name"]: found for found in json.loads(capsys.readouterr().out)["findings"]}
    assert findings["network namespaces"]["detail"] == "unshare: no"
