"""Whether what machines played holds: the table of a class."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from lab.remote.fleet import Outcome
from lab.remote.session import Session, TookTooLongError, printable
from lab.remote.work import Say, bring_back, play

LOG = "grade.log"
Judge = Callable[[Path], Sequence[str]]
"""Names the checks of the folder of a result that do not hold though it says that they do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one scenario came to on one machine."""

    scenario: str
    passed: bool = False
    """By its own result: its checks hold, and it came to its end."""
    failed: tuple[str, ...] = ()
    """Identifiers of checks that do not hold."""
    fault: str | None = None
    """Why there is no result, or the scenario did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A machine's line of the table."""

    machine: str
    reachable: bool
    finished: bool
    """Every scenario has a result, and came to its end."""
    passed: bool
    """All of them passed."""
    failed: tuple[str, ...]
    """Checks that do not hold, as SCENARIO:ID."""
    fault: str | None
    """What went wrong beside checks."""
    minutes: float


def examine(
    session: Session, scenarios: Sequence[str | Path], into: Path, *, within: float, judge: Judge, say: Say
) -> list[Played]:
    """Play scenarios one by one, bring their results into a folder, and look at them; raises `RemoteError`.

    A path is a file here, and is brought along. `within` is what each may take, in seconds. What is said over there
    goes into `grade.log` in the folder; `say` is told of the steps.
    """
    into.mkdir(parents=True, exist_ok=True)
    with (into / LOG).open("w", encoding="utf-8") as log:
        examiner = _Examiner(session=session, into=into, log=log, within=within, judge=judge, say=say)
        return [played for scenario in scenarios for played in examiner.examine(scenario)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Examiner:
    """What is the same for all scenarios of a machine."""

    session: Session
    into: Path
    log: TextIO
    within: float
    judge: Judge
    say: Say

    def examine(self, scenario: str | Path) -> list[Played]:
        """Have one scenario played; a file may hold several."""
        brought = [scenario] if isinstance(scenario, Path) else []
        name = scenario.name if isinstance(scenario, Path) else scenario
        self.say(f"plays {name}")
        try:
            status, last = play(self.session, [name], brought, within=self.within, say=self._note)
        except TookTooLongError as error:
            return [Played(scenario=name, fault=str(error))]
        results = [path for path in bring_back(self.session, self.into) if path.name == "result.json"]
        if not results:
            return [Played(scenario=name, fault=f"no result, status {status}: {last}")]
        found = [judged(path.parent, read(path), self.judge) for path in results]
        if status != 0 and all(played.passed for played in found):
            found.append(Played(scenario=name, fault=f"status {status} against its own result: {last}"))
        return found

    def _note(self, line: str) -> None:
        print(line, file=self.log, flush=True)


def judged(folder: Path, played: Played, judge: Judge) -> Played:
    """Add what a judge of ours has against a result that says it passed."""
    if not played.passed:
        return played
    broken = tuple(judge(folder))
    return replace(played, passed=not broken, failed=(*played.failed, *broken))


def grade(outcome: Outcome[list[Played]]) -> Grade:
    """Make a machine's line of what came of it."""
    plays = outcome.value or []
    faults = [f"{it.scenario}: {it.fault}" for it in plays if it.fault]
    return Grade(
        machine=outcome.machine.name,
        reachable=outcome.reached,
        finished=bool(plays) and not faults,
        passed=bool(plays) and all(it.passed for it in plays),
        failed=tuple(f"{it.scenario}:{check}" for it in plays for check in it.failed),
        fault=outcome.fault or "; ".join(faults) or None,
        minutes=round(outcome.seconds / 60, 2),
    )


def read(path: Path) -> Played:
    """Read a `result.json` that a machine made, which may be anything."""
    name = path.parent.name
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        attack = data.get("attack") or {}
        expected = {*attack.get("caught_by", [])}
        failed = [check["id"] for check in data["checks"] if check["verdict"] == "failed"]
        return Played(
            scenario=printable(str(data["scenario"])),
            passed=data["ok"] is True and data["error"] is None,
            failed=tuple(printable(str(it)) for it in failed if it not in expected),
            fault=None if data["error"] is None else printable(str(data["error"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Played(scenario=name, fault=f"its result.json cannot be read: {error!r}")
