"""Runs side by side: what each move cost where something was set otherwise, with medians and spreads."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from lab.errors import ConfigError
from lab.report.handovers import Handover
from lab.report.model import Result, load

Conditions: TypeAlias = dict[str, str]
"""What was chosen for a run, by name: its scenario, plane, kernel and time, and each setting."""
_OWN = ("scenario", "plane", "kernel", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run and its folder."""

    directory: Path
    result: Result

    @property
    def conditions(self) -> Conditions:
        """What was chosen for it. The plane is the one that was taken, whatever was asked for."""
        own = {name: getattr(self.result, name) for name in _OWN}
        without = {"without": ", ".join(self.result.without)}
        return {**self.result.settings, **own, **without}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Figures of several runs."""

    median: float
    least: float
    most: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What runs of the same conditions found out about one of their moves, or that they have none."""

    conditions: Conditions
    """Those in which the runs that are compared differ."""
    runs: int
    held: int
    """In so many of them all checks hold."""
    move: str
    interruption_ms: Spread | None
    lost: Spread | None
    parts: dict[str, float]
    """Medians of the parts of the interruption, in milliseconds."""


def find(directories: Sequence[Path]) -> list[Run]:
    """Read the runs in folders, each of which is a run's or has those of some below; raises `ConfigError`."""
    found: dict[Path, Run] = {}
    for directory in directories:
        folders = sorted(path.parent for path in directory.rglob("result.json"))
        if not folders:
            raise ConfigError(f"{directory}: no result.json there or below; is it the folder of a run or of a sweep?")
        found |= {folder.resolve(): Run(directory=folder, result=load(folder)) for folder in folders}
    return [*found.values()]


def varying(runs: Sequence[Run]) -> list[str]:
    """Name the conditions in which runs differ."""
    conditions = [run.conditions for run in runs]
    names = dict.fromkeys(name for each in conditions for name in each)
    return [name for name in names if len({each.get(name) for each in conditions}) > 1]


def compare(runs: Sequence[Run]) -> list[Line]:
    """Put runs side by side: those of the same conditions together, in the order in which these are met."""
    names = varying(runs)
    alike: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        alike.setdefault(tuple(run.conditions.get(name, "") for name in names), []).append(run)
    return [
        line
        for values, group in alike.items()
        for line in _lines(dict(zip(names, values, strict=True)), [run.result for run in group])
    ]


def _lines(conditions: Conditions, results: Sequence[Result]) -> list[Line]:
    """Tell of the first move of all of the runs, of the second and so on."""
    moves = max(len(result.handovers) for result in results)
    if not moves:
        return [_line(conditions, results, "", [])]
    return [
        _line(conditions, results, f"{at + 1}. {_ends(handovers[0])}", handovers)
        for at in range(moves)
        if (handovers := [result.handovers[at] for result in results if at < len(result.handovers)])
    ]


def _line(conditions: Conditions, results: Sequence[Result], move: str, handovers: Sequence[Handover]) -> Line:
    parts = dict.fromkeys(name for handover in handovers for name in handover.breakdown)
    return Line(
        conditions=conditions,
        runs=len(results),
        held=sum(result.ok for result in results),
        move=move,
        interruption_ms=_spread([handover.interruption_ms for handover in handovers]),
        lost=_spread([handover.lost for handover in handovers]),
        parts={name: median(handover.breakdown.get(name, 0.0) for handover in handovers) for name in parts},
    )


def _spread(figures: Sequence[float]) -> Spread | None:
    if not figures:
        return None
    return Spread(median=median(figures), least=min(figures), most=max(figures), count=len(figures))


def _ends(handover: Handover) -> str:
    return f"{handover.from_link} → {handover.to_link}"


def flat(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Give a record for each move of each run, for other programs; a run without a move has one as well.

    All that was chosen is in it under its own name, and what was found: `ok`, `move`, `from`, `to`, `interruption_ms`,
    `lost`, and each part as `NAME_ms`.
    """
    return [
        {
            "run": str(run.directory),
            "seed": run.result.seed,
            "started": run.result.started,
            **run.conditions,
            "ok": run.result.ok,
            **_found(at, handover),
        }
        for run in runs
        for at, handover in enumerate(run.result.handovers or [None], 1)
    ]


def _found(at: int, handover: Handover | None) -> dict[str, Any]:
    if handover is None:
        return {"move": None, "from": None, "to": None, "interruption_ms": None, "lost": None}
    return {
        "move": at,
        "from": handover.from_link,
        "to": handover.to_link,
        "interruption_ms": handover.interruption_ms,
        "lost": handover.lost,
        **{f"{name}_ms": value for name, value in handover.breakdown.items()},
    }


def write_table(runs: Sequence[Run], path: Path) -> None:
    """Write what `flat` gives, as CSV or as Parquet by the file's ending; raises `ConfigError` for another."""
    import polars  # noqa: PLC0415 - it takes longer to load than all the rest, and is seldom needed

    frame = polars.DataFrame(flat(runs), infer_schema_length=None)
    match path.suffix:
        case ".csv":
            frame.write_csv(path)
        case ".parquet":
            frame.write_parquet(path)
        case other:
            raise ConfigError(f"{path}: {other or 'without an ending'}: a table is written as .csv or as .parquet")
