"""Write the sheets of lessons and exercises for a class, in Markdown and HTML; those of a teacher have the answers."""

import argparse
import inspect
from pathlib import Path

from lab.cli.common import RESULTS
from lab.emulation.exercise import PREFIX, Exercise
from lab.emulation.scenario import find_topology, library
from lab.emulation.topology import Topology
from lab.errors import ScenarioError
from lab.lessons.course import COURSE
from lab.lessons.lesson import PREFIX as LESSON_PREFIX
from lab.lessons.lesson import Kind, Lesson
from lab.report.sheets import EXERCISES, LESSONS, Audience, Facts, Task, as_html, page_of, sheet

EXAMPLES = """examples:
  mip6lab sheets                                             of all lessons and exercises, for the teacher
  mip6lab sheets --for student --out handouts
  mip6lab sheets lesson/tunnel --for student
  mip6lab sheets exercise/false-home-registration --for student
"""
SHEETS = RESULTS / "sheets"
HANDED_IN = {Kind.CAPTURES: "DIR", Kind.RUN: "DIR", Kind.TOPOLOGY: "FILE.py"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("sheets", nargs="*", metavar="NAME", help="lesson/NAME or exercise/NAME (default: all)")
    parser.add_argument(
        "--for",
        type=Audience,
        choices=[*Audience],
        default=Audience.TEACHER,
        dest="audience",
        help="whom they are for (default: teacher)",
    )
    parser.add_argument("--out", type=Path, default=SHEETS, metavar="DIR", help=f"folder (default: {SHEETS})")


def run(args: argparse.Namespace) -> int:
    """Write them, and name the files."""
    lessons = {LESSON_PREFIX + lesson.name: lesson for lesson in COURSE}
    exercises = {name: it for name, it in library().scenarios.items() if isinstance(it, Exercise)}
    known = [*lessons, *sorted(exercises)]
    absent = [name for name in args.sheets if name not in known]
    if absent:
        raise ScenarioError(f"no {', '.join(absent)}; known: {', '.join(sorted(known))}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.sheets or known:
        if name in lessons:
            _write(args, lessons[name].name, LESSONS, task_of(lessons[name]))
        else:
            _write(args, name.removeprefix(PREFIX), EXERCISES, facts_of(exercises[name]))
    return 0


def _write(args: argparse.Namespace, name: str, folder: str, facts: Facts | Task) -> None:
    page = page_of(name, folder)
    markdown = sheet(page, facts, args.audience)
    for ending, text in (("md", markdown), ("html", as_html(markdown, page.title))):
        path = args.out / f"{name}.{args.audience}.{ending}"
        path.write_text(text, encoding="utf-8")
        print(path)


def facts_of(exercise: Exercise) -> Facts:
    """Say what the code knows of an exercise."""
    safeguard = exercise.withstood_by
    return Facts(
        name=exercise.name,
        summary=exercise.summary,
        section=exercise.section,
        protection=safeguard,
        sentence="" if safeguard is None else safeguard.sentence,
        network=_drawing(exercise.topology),
    )


def task_of(lesson: Lesson) -> Task:
    """Say what the code knows of a lesson."""
    return Task(
        name=lesson.name,
        network="" if lesson.topology is None else _drawing(find_topology(lesson.topology)),
        wanted=[criterion.wanted for criterion in lesson.criteria],
        asks=lesson.asks,
        work=HANDED_IN[lesson.kind],
    )


def _drawing(topology: type[Topology]) -> str:
    return inspect.cleandoc(topology.__doc__ or "").partition("\n\n")[2].strip("\n")
