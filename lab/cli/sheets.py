"""Write the sheets of exercises for a class, in Markdown and HTML; those of a teacher have the answers."""

import argparse
import inspect
from pathlib import Path

from lab.cli.common import RESULTS
from lab.emulation.exercise import PREFIX, Exercise
from lab.emulation.scenario import library
from lab.errors import ScenarioError
from lab.report.sheets import Audience, Facts, as_html, page_of, sheet

EXAMPLES = """examples:
  mip6lab sheets                                             of all exercises, for the teacher
  mip6lab sheets --for student --out handouts
  mip6lab sheets exercise/false-home-registration --for student
"""
SHEETS = RESULTS / "sheets"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("exercises", nargs="*", metavar="EXERCISE", help="names, see `mip6lab list` (default: all)")
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
    known = {name: it for name, it in library().scenarios.items() if isinstance(it, Exercise)}
    absent = [name for name in args.exercises if name not in known]
    if absent:
        raise ScenarioError(f"no exercise {', '.join(absent)}; known: {', '.join(sorted(known))}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.exercises or sorted(known):
        short = name.removeprefix(PREFIX)
        page = page_of(short)
        markdown = sheet(page, facts_of(known[name]), args.audience)
        for ending, text in (("md", markdown), ("html", as_html(markdown, page.title))):
            path = args.out / f"{short}.{args.audience}.{ending}"
            path.write_text(text, encoding="utf-8")
            print(path)
    return 0


def facts_of(exercise: Exercise) -> Facts:
    """Say what the code knows of an exercise."""
    _, _, drawing = inspect.cleandoc(exercise.topology.__doc__ or "").partition("\n\n")
    safeguard = exercise.withstood_by
    return Facts(
        name=exercise.name,
        summary=exercise.summary,
        section=exercise.section,
        protection=safeguard,
        sentence="" if safeguard is None else safeguard.sentence,
        network=drawing.strip("\n"),
    )
