"""Grade what a student made for a lesson: captures, the folder of a run, or a topology.

Each thing that the lesson asks for is named, with what was found and, where it is missing, where to look. The exit
status is 0 only if all of it is there. A topology's file is executed as Python: grade only those that you would run.
"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.cli.common import MARKS, console
from lab.cli.verify import expand
from lab.errors import ConfigError
from lab.lessons.course import COURSE, find_lesson
from lab.lessons.lesson import Grade, Kind, Lesson, grade
from lab.lessons.work import open_work
from lab.verify.check import Verdict

EXAMPLES = f"""examples:
  mip6lab grade home-address results/home-address
  mip6lab grade tunnel results/tunnel --answer overhead=N
  mip6lab grade handover visited1.pcapng visited2.pcapng core-ha.pcapng home.pcapng
  mip6lab grade measuring results/handover --answer interruption=20
  mip6lab grade own-topology my_campus.py --json

lessons: {", ".join(lesson.name for lesson in COURSE)}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("lesson", metavar="LESSON", help="its name, such as tunnel")
    parser.add_argument(
        "work",
        nargs="+",
        type=Path,
        metavar="WORK",
        help="captures, the folder of a run, or FILE.py: as the lesson asks",
    )
    parser.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="KEY=NUMBER",
        dest="answers",
        help="a figure that the lesson asks for (repeat for more)",
    )
    parser.add_argument("--json", action="store_true", help="print the grades as JSON")


def run(args: argparse.Namespace) -> int:
    """Grade; 0 only if all criteria are met."""
    lesson = find_lesson(args.lesson)
    answers = _answers(lesson, args.answers)
    paths = expand(args.work) if lesson.kind is Kind.CAPTURES else args.work
    grades = grade(lesson, open_work(lesson, paths, answers))
    ok = all(one.holds for one in grades)
    if args.json:
        checks = [asdict(one) for one in grades]
        print(json.dumps({"lesson": lesson.name, "work": [*map(str, args.work)], "ok": ok, "checks": checks}, indent=2))
    else:
        show(lesson, grades, console())
    return 0 if ok else 1


def show(lesson: Lesson, grades: Sequence[Grade], out: Console) -> None:
    """Print a table of criteria and a verdict."""
    out.print(f"[bold]{lesson.name}[/]: {escape(lesson.summary)}")
    table = Table("", "check", "wanted", "found", box=None, header_style="dim", padding=(0, 1))
    for one in grades:
        evidence = " ".join(f"{frame.capture}:{frame.frame}" for frame in one.evidence)
        found = f"{escape(one.found)} [dim]{escape(evidence)}[/]"
        if not one.holds:
            found += f"\n[yellow]look at[/] {escape(one.look_at)}"
        mark = MARKS[Verdict.PASSED if one.holds else Verdict.FAILED]
        table.add_row(mark, one.name, escape(one.wanted), found)
    out.print(table)
    met = sum(one.holds for one in grades)
    word = "[bold green]passed[/]" if met == len(grades) else "[bold red]not yet[/]"
    out.print(f"{word}: {met} of {len(grades)} checks hold")


def _answers(lesson: Lesson, given: Sequence[str]) -> Mapping[str, float]:
    """Read figures; raises `ConfigError` that tells what the lesson asks for."""
    answers: dict[str, float] = {}
    for word in given:
        key, _, text = word.partition("=")
        if key not in lesson.asks:
            asked = "; ".join(f"{name}: {what}" for name, what in lesson.asks.items()) or "nothing"
            raise ConfigError(f"--answer {word}: the lesson {lesson.name} does not ask for {key}; it asks for {asked}")
        try:
            answers[key] = float(text)
        except ValueError:
            answers[key] = math.nan
        if not math.isfinite(answers[key]):
            raise ConfigError(f"--answer {word}: a number is wanted, as in {key}=12.5")
    return answers
