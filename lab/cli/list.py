"""List the topologies that `up` knows, below each the scenarios that `run` plays on it, exercises and lessons."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from lab.cli.common import console
from lab.emulation.exercise import Exercise
from lab.emulation.scenario import Library, Scenario, library
from lab.emulation.topology import Topology
from lab.lessons.course import COURSE
from lab.lessons.lesson import PREFIX, Lesson

EXAMPLES = """examples:
  mip6lab list
  mip6lab list my_campus.py    what a file of your own holds
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files to look into (default: ours)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """List; 1 if a file could not be read."""
    found = library(*args.files)
    lessons = () if args.files else COURSE
    if args.json:
        print(json.dumps(as_data(found, lessons), indent=2))
    else:
        console().print(_table(found, lessons))
    for path, reason in found.broken.items():
        print(f"mip6lab: {path} cannot be read: {reason}", file=sys.stderr)
    return 1 if found.broken else 0


def as_data(found: Library, lessons: Sequence[Lesson] = ()) -> dict[str, list[dict[str, Any]]]:
    """Turn a library and lessons into plain data."""
    return {
        "topologies": [
            {"name": name, "summary": topology.summary} for name, topology in _ordered_topologies(found).items()
        ],
        "scenarios": [
            {"name": scenario.name, "summary": scenario.summary, "topology": scenario.topology.__name__}
            for scenario in _ordered_scenarios(found)
        ],
        "exercises": [
            {
                "name": exercise.name,
                "summary": exercise.summary,
                "topology": exercise.topology.__name__,
                "section": exercise.section,
                "protection": exercise.withstood_by,
            }
            for exercise in _exercises(found)
        ],
        "lessons": [{"name": it.name, "summary": it.summary, "handed_in": it.kind} for it in lessons],
        "broken": [{"file": str(path), "error": reason} for path, reason in found.broken.items()],
    }


def _table(found: Library, lessons: Sequence[Lesson]) -> Table:
    table = Table("", "", box=None, show_header=False, padding=(0, 2, 0, 0))
    names = {_identity(topology): name for name, topology in found.topologies.items()}
    summaries = {name: topology.summary for name, topology in _ordered_topologies(found).items()}
    played: dict[str, list[Scenario]] = {name: [] for name in summaries}
    for scenario in _ordered_scenarios(found):
        name = names.get(_identity(scenario.topology), scenario.topology.__name__)
        played.setdefault(name, []).append(scenario)
    for name, scenarios in played.items():
        table.add_row(f"[bold]{escape(name)}[/]", f"[bold]{escape(summaries.get(name, ''))}[/]")
        for scenario in scenarios:
            table.add_row(f"  [cyan]{escape(scenario.name)}[/]", escape(scenario.summary))
    if exercises := _exercises(found):
        table.add_row("[bold]exercises[/]", "[bold]attacks of RFC 6275 §15, and the protection that withstands each[/]")
    for exercise in exercises:
        withstood_by = exercise.withstood_by or "nothing"
        table.add_row(f"  [cyan]{escape(exercise.name)}[/]", f"{escape(exercise.summary)} [dim]({withstood_by})[/]")
    if lessons:
        table.add_row("[bold]lessons[/]", "[bold]what `mip6lab sheets` explains, and `mip6lab grade` checks[/]")
    for lesson in lessons:
        table.add_row(f"  [cyan]{PREFIX}{lesson.name}[/]", escape(lesson.summary))
    return table


def _exercises(found: Library) -> list[Exercise]:
    """Give exercises in the order of their sections."""
    exercises = [scenario for scenario in found.scenarios.values() if isinstance(scenario, Exercise)]
    return sorted(exercises, key=lambda exercise: [int(part) for part in exercise.section.split(".")])


def _ordered_topologies(found: Library) -> dict[str, type[Topology]]:
    """Put the topology with most scenarios first."""
    counts = Counter(_identity(scenario.topology) for scenario in _scenarios(found))
    return dict(sorted(found.topologies.items(), key=lambda item: -counts[_identity(item[1])]))


def _ordered_scenarios(found: Library) -> list[Scenario]:
    """Put scenarios in the order of their topologies, those from the file of their topology first."""
    order = [_identity(topology) for topology in _ordered_topologies(found).values()]

    def place(scenario: Scenario) -> tuple[int, bool]:
        identity = _identity(scenario.topology)
        number = order.index(identity) if identity in order else len(order)
        return number, scenario.body.__module__ != scenario.topology.__module__

    return sorted(_scenarios(found), key=place)


def _scenarios(found: Library) -> list[Scenario]:
    """Give those that are no exercises."""
    return [scenario for scenario in found.scenarios.values() if not isinstance(scenario, Exercise)]


def _identity(topology: type[Topology]) -> str:
    """Name a class; one that another file imports is the same."""
    return f"{topology.__module__}.{topology.__qualname__}"
