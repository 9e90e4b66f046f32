"""Many runs of one scenario: every combination of some settings, each several times.

All combinations are played once before any is played again, so that what the machine does meanwhile falls on all of
them. What was played is not played again: an interrupted sweep goes on where it was.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.emulation.settings import Settings, settings_from
from lab.errors import ConfigError
from lab.report.model import Result, load

PLAN = "sweep.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is to be played."""

    scenario: str
    values: dict[str, list[str]]
    """Settings with the values that each takes."""
    repeat: int
    seed: int
    """Of the first time; the next is one more."""

    def combinations(self) -> Iterator[list[str]]:
        """Give each combination as `key=value` words."""
        for chosen in itertools.product(*self.values.values()):
            yield [f"{key}={value}" for key, value in zip(self.values, chosen, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One run of a sweep."""

    settings: Settings
    assignments: list[str]
    time: int
    """Which of the times that its combination is played, from 1."""
    seed: int
    directory: Path

    def __str__(self) -> str:
        return f"{' '.join(self.assignments) or 'as it is'}, time {self.time}"


def read_values(words: Sequence[str]) -> dict[str, list[str]]:
    """Read `key=value,value` words; raises `ConfigError`."""
    values: dict[str, list[str]] = {}
    for word in words:
        key, equals, listed = word.partition("=")
        found = [value.strip() for value in listed.split(",")]
        if not equals or not all(found):
            raise ConfigError(f"--set {word}: write it as key=value or key=value,value,…")
        if key in values:
            raise ConfigError(f"--set {word}: {key} is there twice; write all its values behind one: {key}=A,B")
        if len({*found}) < len(found):
            raise ConfigError(f"--set {word}: a value is there twice; --repeat plays all of them several times")
        values[key] = found
    return values


def points(sweep: Sweep, base: Settings, directory: Path) -> list[Point]:
    """List the runs of a sweep, each with its folder; raises `ConfigError` for settings that there are not."""
    combinations = [(words, settings_from(words, base)) for words in sweep.combinations()]
    return [
        Point(
            settings=settings,
            assignments=words,
            time=number,
            seed=sweep.seed + number - 1,
            directory=directory / ("_".join(words) or "as-it-is") / f"{number:03d}",
        )
        for number in range(1, sweep.repeat + 1)
        for words, settings in combinations
    ]


def resume(sweep: Sweep, directory: Path) -> None:
    """Begin a sweep in a folder, or go on with the same one there; raises `ConfigError` if that has another.

    More repetitions than before are no other sweep.
    """
    path, plan = directory / PLAN, asdict(sweep)
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
            differ = [key for key in plan if key != "repeat" and before[key] != plan[key]]
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}: not what a sweep writes; give another folder by --out") from error
        if differ:
            was = ", ".join(f"{key} {before[key]}" for key in differ)
            raise ConfigError(f"{directory} has another sweep, with {was}; give another folder by --out")
    directory.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan, indent=2) + "\n", encoding="utf-8")


def is_played(point: Point) -> bool:
    """Tell whether a run came to its end."""
    try:
        load(point.directory)
    except ConfigError:  # there is none, or half of one
        return False
    return True


def play(
    planned: Sequence[Point],
    once: Callable[[Point], Result],
    progress: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Play what is not played yet, and tell how long the rest will take."""
    left = [point for point in planned if not is_played(point)]
    if len(left) < len(planned):
        progress(f"{len(planned) - len(left)} of {len(planned)} are played already")
    began = clock()
    for number, point in enumerate(left, 1):
        result = once(point)
        remaining = (clock() - began) / number * (len(left) - number)
        word = "holds" if result.ok else "DOES NOT HOLD"
        played = len(planned) - len(left) + number
        rest = f"; {_duration(remaining)} left" if number < len(left) else ""
        progress(f"{played} of {len(planned)}: {point} {word}{rest}")


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    return f"about {seconds / 60:.0f} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"
