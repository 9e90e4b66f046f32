"""One run of a scenario from bring-up to its result folder."""

import dataclasses
import platform
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path

from lab.emulation import times
from lab.emulation.kernels import Choice
from lab.emulation.lab_control import LabControl
from lab.emulation.network import Network
from lab.emulation.operations import Operations
from lab.emulation.plan import plan_of
from lab.emulation.scenario import Scenario, Stage
from lab.emulation.settings import Settings
from lab.errors import Mip6LabError
from lab.events import Record
from lab.report import html, streams
from lab.report.handovers import Handover, handovers
from lab.report.model import Result
from lab.safeguards import NOTHING, Without
from lab.verify import judge, open_session
from lab.verify.session import Session

Progress = Callable[[str], None]


def run(
    scenario: Scenario,
    *,
    settings: Settings,
    seed: int,
    directory: Path,
    kernel: Choice,
    progress: Progress,
    on_record: Callable[[Record], None],
    without: Without = NOTHING,
    beside: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext(),
) -> Result:
    """Play a scenario and leave result.json, events.jsonl, captures, streams, logs and report.html in a folder.

    `kernel` is the one that all this runs on; `without` names protections that all nodes do without. What is `beside`
    the play is given the control socket of the lab, by which others may watch. A scenario that does not come to its end
    gives a result with its error, and all that was captured until then.
    """
    empty(directory)
    started = time.time()
    progress(f"bringing up {scenario.topology.__name__}")
    error: str | None = None
    with Network(scenario.topology, settings=settings, directory=directory, seed=seed, without=without) as network:
        progress(f"{kernel}; {network.context.plane}")
        network.context.collector.listen(on_record)
        network.start()
        progress(f"up in {time.time() - started:.1f} s; playing {scenario.name}")
        stage = scenario.stage(network)
        topology = scenario.topology.__name__
        with LabControl(Operations(network), topology=topology, playing=scenario.name) as control, beside(control.path):
            began = time.monotonic()
            try:
                network.wait_settled()
                scenario.body(stage)
            except Mip6LabError as failure:
                error = str(failure)
            except Exception as failure:  # a mistake in the scenario; what was captured until then is of use
                error = _mistake(failure)
            duration = time.monotonic() - began
            for stream in stage.streams:
                stream.stop()
        captures = network.captures
    progress("verifying the captures")
    records = network.context.collector.records()
    _write_events(directory, records)
    session, unread = _read(list(captures.values()))
    error = error or unread
    checks = [] if unread else judge(session)
    attack = None if unread else stage.judge(list(captures.values()), checks, records)
    plan = plan_of(network.topology)
    result = Result(
        scenario=scenario.name,
        topology=scenario.topology.__name__,
        seed=seed,
        plane=network.context.plane.name,
        kernel=kernel.name,
        time=times.running(),
        settings={key: str(value) for key, value in dataclasses.asdict(settings).items()},
        versions=versions(),
        started=started,
        duration_s=round(duration, 3),
        ok=False,
        error=error,
        checks=[*stage.checks, *checks],
        handovers=_handovers(stage, records),
        captures={link: str(path.relative_to(directory)) for link, path in captures.items()},
        streams={s.name: f"streams/{s.name}.csv" for s in stage.streams},
        links=plan.links,
        nodes=plan.nodes,
        without=sorted(without),
        attack=attack,
    )
    result = dataclasses.replace(result, ok=error is None and result.holds)
    (directory / "result.json").write_text(result.to_json(), encoding="utf-8")
    html.write(directory, result, records, session.frames)
    return result


def versions() -> dict[str, str]:
    """Name what a result depends on."""
    found = {name: version(name) for name in ("mip6lab", "mininet", "scapy", "pyroute2")}
    found |= {"python": platform.python_version(), "kernel": platform.release()}
    for tool, option in (("radvd", "--version"), ("dumpcap", "--version")):
        try:
            answer = subprocess.run([tool, option], capture_output=True, text=True, check=False, timeout=10)
        except OSError:
            continue
        found[tool] = (answer.stdout or answer.stderr).strip().partition("\n")[0]
    return found


def _mistake(failure: Exception) -> str:
    """Say what went wrong in a scenario, and in which line."""
    *_, last = traceback.extract_tb(failure.__traceback__)
    return f"{type(failure).__name__}: {failure} ({Path(last.filename).name}, line {last.lineno})"


def _read(captures: list[Path]) -> tuple[Session, str | None]:
    """Read the captures; without one of them nothing can be said, except why."""
    try:
        return open_session(captures), None
    except Mip6LabError as error:
        return Session(frames=[]), str(error)


def _handovers(stage: Stage, records: list[Record]) -> list[Handover]:
    """Measure by the first stream, which is the one of interest."""
    if not stage.streams or stage.streams[0].summary is None:
        return []
    return handovers(records, streams.read(stage.streams[0].summary.path))


def _write_events(directory: Path, records: list[Record]) -> None:
    with (directory / "events.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(record.to_json() + "\n" for record in records)


def empty(directory: Path) -> None:
    """Make the folder, without what an earlier run left in it; other files are not touched."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("captures", "logs", "streams"):
        shutil.rmtree(directory / name, ignore_errors=True)
    for name in ("result.json", "events.jsonl", "report.html"):
        (directory / name).unlink(missing_ok=True)
